//! What the archive costs on this machine's disk: start after an orderly stop and after an abrupt one, room,
//! memory, bytes written, time to be durable.
//!
//! `cargo run --example archive_start -- [decisions] [folder]`; 100 000 decisions in a temporary folder unless
//! said otherwise. Each step is a process of its own, so that its peak memory is its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use coilsight_agent::archive::{Archive, Decided, Limits, NewDecision, Recovery};
use counting::{Counting, folder_bytes, proc_value};

mod counting;

const MATRIX: usize = 264 * 18 * 4;
const ROWS: usize = 6000;
const MESSAGES: usize = 40;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [step, folder, count] = &args[..] {
        return run_step(step, Path::new(folder), count.parse()?);
    }
    let count = args.first().map_or(Ok(100_000), |count| count.parse::<usize>())?;
    let temporary = tempfile::tempdir()?;
    let folder = args.get(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    for step in ["build", "start", "start", "kill", "start", "start", "coils"] {
        let status = Command::new(std::env::current_exe()?)
            .arg(step)
            .arg(&folder)
            .arg(count.to_string())
            .status()
            .with_context(|| format!("step {step}"))?;
        ensure!(status.success(), "step {step} failed");
    }
    Ok(())
}

fn run_step(step: &str, folder: &Path, count: usize) -> Result<()> {
    match step {
        "build" => build(folder, count)?,
        "start" => start(folder, count, true)?,
        "kill" => start(folder, count, false)?,
        _ => coils(folder)?,
    }
    println!("    peak memory {:.1} MB", proc_value("/proc/self/status", "VmHWM:")? as f64 / 1e3);
    Ok(())
}

fn open(folder: &Path, disk: Counting) -> Result<(Archive, Recovery)> {
    Ok(Archive::open(Arc::new(disk), folder.join("views"), Limits::default())?)
}

fn decision_json(n: usize) -> Vec<u8> {
    format!("{{\"decision_id\":\"d-{n:08}\",\"reasons\":\"{}\"}}", "x".repeat(655)).into_bytes()
}

/// Without waiting for the disk at every decision, which `coils` measures.
fn build(folder: &Path, count: usize) -> Result<()> {
    let begun = Instant::now();
    let (archive, _) = open(folder, Counting::new(folder, false)?)?;
    for n in 0..count {
        let (id, coil, pass) =
            (format!("d-{n:08}"), format!("coil-{:06}", n / 2), format!("coil-{:06}@{n}", n / 2));
        let new = NewDecision {
            decision_id: &id,
            coil_id: &coil,
            pass_key: &pass,
            segment: None,
            json: &decision_json(n),
            matrix: None,
        };
        ensure!(archive.decide(new)? == Decided::Recorded);
        if n % 100 != 0 {
            archive.receipts(&[&id])?;
        }
    }
    let stats = archive.stats();
    archive.close()?;
    println!("built {count} decisions in {:.1} s, not synced one by one", begun.elapsed().as_secs_f64());
    println!(
        "    log {:.1} MB, views {:.1} MB",
        stats.log as f64 / 1e6,
        folder_bytes(&folder.join("views"))? as f64 / 1e6
    );
    Ok(())
}

fn start(folder: &Path, count: usize, close: bool) -> Result<()> {
    let begun = Instant::now();
    let (archive, recovery) = open(folder, Counting::new(folder, true)?)?;
    let opened = begun.elapsed();
    let n = count / 2;
    let pass = archive.pass(&format!("coil-{:06}@{n}", n / 2))?.context("a pass in the middle")?;
    let answered = begun.elapsed();
    ensure!(pass.json == decision_json(n));
    println!("start: {:?}", recovery.views);
    println!("    open after {} ms, first answer after {} ms", opened.as_millis(), answered.as_millis());
    let asked = Instant::now();
    for i in 0..1000 {
        let n = i * 7919 % count;
        archive.pass(&format!("coil-{:06}@{n}", n / 2))?.context("a pass")?;
    }
    println!("    {:.1} us to find a pass", asked.elapsed().as_secs_f64() * 1e3);
    if close {
        let begun = Instant::now();
        archive.close()?;
        println!("    closed in {} ms", begun.elapsed().as_millis());
    } else {
        println!("    now killed");
    }
    Ok(())
}

/// Whole coils, every message durable before the next.
fn coils(folder: &Path) -> Result<()> {
    let folder = folder.join("coils-measured");
    let disk = Counting::new(&folder, true)?;
    let counts = Arc::clone(&disk.counts);
    let (archive, _) = open(&folder, disk)?;
    counts.reset();
    let device = proc_value("/proc/self/io", "\nwrite_bytes:")?;
    let (mut syncs, mut decides) = (Vec::new(), Vec::new());
    let coils = 100;
    for n in 0..coils {
        let segment = archive.begin()?;
        for _ in 0..MESSAGES {
            archive.append(segment, &[b'7'; ROWS])?;
            syncs.push(timed(|| archive.sync())?);
        }
        let (id, pass) = (format!("d-{n}"), format!("p-{n}"));
        let new = NewDecision {
            decision_id: &id,
            coil_id: "coil",
            pass_key: &pass,
            segment: Some(segment),
            json: &decision_json(n),
            matrix: Some(&vec![7; MATRIX]),
        };
        decides.push(timed(|| archive.decide(new).map(drop))?);
        archive.receipts(&[&id])?;
    }
    let device = proc_value("/proc/self/io", "\nwrite_bytes:")? - device;
    let kept = coils * (MATRIX + decision_json(0).len());
    let rows = coils * MESSAGES * ROWS;
    let all = counts.all();
    let written = all.written;
    println!(
        "{coils} coils of {MESSAGES} messages of {ROWS} bytes, a matrix of {MATRIX} bytes and {} of JSON",
        decision_json(0).len()
    );
    println!("    written through the archive: {:.3} of the payload", written as f64 / (kept + rows) as f64);
    println!(
        "    written to the device (whole pages, views included): {:.3} of the payload",
        device as f64 / (kept + rows) as f64
    );
    println!(
        "    to the device, per coil: {:.0} kB, of which rows that do not stay: {:.0} kB",
        device as f64 / coils as f64 / 1e3,
        (MESSAGES * ROWS) as f64 / 1e3
    );
    println!("    {} syncs a coil", all.syncs / coils as u64);
    println!("    sync after a message: {}", quantiles(syncs));
    println!("    decide with its matrix: {}", quantiles(decides));
    archive.close()?;
    Ok(())
}

fn timed(work: impl FnOnce() -> coilsight_agent::archive::Result<()>) -> Result<Duration> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}

fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
    format!("median {:.2} ms, 99 % {:.2} ms, worst {:.2} ms", at(0.5), at(0.99), at(1.0))
}
