//! What a coil costs the flash: bytes and syncs by folder, every message durable before the next as at a line, and
//! where the time of a coil goes.
//!
//! `cargo run --example wear -- [coils] [metres]`; 100 coils of 1800 m unless said otherwise.

mod counting;

use anyhow::{Context, Result};
use coilsight_agent::archive::{Archive, Limits};
use coilsight_agent::line::{BundleJudge, Config, Line, NotTaken, Now, Publish};
use coilsight_agent::trust;
use coilsight_models::message::assessment::Assessment;
use counting::{Counting, folder_bytes, proc_value};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Takes everything.
#[derive(Default)]
struct Taken {
    bytes: usize,
}

impl Publish for Taken {
    fn publish(&mut self, assessment: &Assessment, _: &Archive) -> Result<(), NotTaken> {
        self.bytes += serde_json::to_vec(assessment)?.len();
        Ok(())
    }
}

fn main() -> Result<()> {
    let args: Vec<usize> = std::env::args().skip(1).map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let (coils, metres) = (args.first().copied().unwrap_or(100), args.get(1).copied().unwrap_or(1800));
    let folder = tempfile::tempdir()?;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/golden");
    let keys = trust::keys(&[golden.join("release.pub")], None)?;
    let judge = BundleJudge::open(&trust::bundle(&golden.join("pair.coilbundle"), &keys, None, "gl2")?)?;
    let disk = Counting::new(folder.path(), true)?;
    let counts = Arc::clone(&disk.counts);
    let views = folder.path().join("views");
    let (archive, _) = Archive::open(Arc::new(disk), &views, Limits::default())?;
    let mut line = Line::new(Config::default(), archive, &[], Box::new(judge))?;

    counts.reset();
    let device = proc_value("/proc/self/io", "\nwrite_bytes:")?;
    let mut taken = Taken::default();
    let (mut messages, mut bytes) = (0usize, 0usize);
    let mut spent = [Duration::ZERO; 3];
    for coil in 0..coils {
        for (topic, payload) in coil_messages(coil, metres) {
            let now = Now { elapsed: Duration::from_secs(10 * messages as u64), wall: None };
            messages += 1;
            bytes += payload.len();
            let begun = Instant::now();
            line.take(topic, &payload, now).context("a message")?;
            spent[0] += begun.elapsed();
            let begun = Instant::now();
            line.commit()?;
            spent[1] += begun.elapsed();
            let begun = Instant::now();
            line.publish(&mut taken)?;
            spent[2] += begun.elapsed();
        }
    }
    let device = proc_value("/proc/self/io", "\nwrite_bytes:")? - device;
    let of = |total: u64| total as f64 / coils as f64 / 1e3;
    println!(
        "{coils} coils of {metres} m, {} messages each, {:.0} kB of JSON",
        messages / coils,
        of(bytes as u64)
    );
    println!("per coil          written   whole pages   syncs");
    for (name, sum) in counts.by_folder() {
        let name = if name.is_empty() { "(other)" } else { &name };
        println!(
            "  {name:<10} {:>9.1} kB {:>10.1} kB {:>7.1}",
            of(sum.written),
            of(sum.pages),
            sum.syncs as f64 / coils as f64
        );
    }
    let all = counts.all();
    println!(
        "  {:<10} {:>9.1} kB {:>10.1} kB {:>7.1}",
        "together",
        of(all.written),
        of(all.pages),
        all.syncs as f64 / coils as f64
    );
    println!("  the kernel sent {:.1} kB a coil to the device, the views' pages included", of(device));
    println!(
        "  kept: {:.1} kB of decision, {:.1} kB of views",
        of(taken.bytes as u64),
        of(folder_bytes(&views)?)
    );
    for (what, spent) in
        ["taking (closing and judging included)", "making durable", "publishing and receipts"]
            .iter()
            .zip(spent)
    {
        println!("  {what}: {:.2} ms a message", spent.as_secs_f64() * 1e3 / messages as f64);
    }
    line.stop()?;
    Ok(())
}

fn coil_messages(coil: usize, metres: usize) -> Vec<(&'static str, Vec<u8>)> {
    let id = format!("W-{coil:06}");
    let at = "2026-03-02T06:00:00Z";
    let start =
        json!({"coil_id": id, "at": at, "nominal_g_m2": 70.0, "tolerance_class": "B", "width_mm": 1250});
    let mut messages = vec![("plant/gl2/coil/start", start.to_string().into_bytes())];
    let rows: Vec<usize> = (0..2 * metres).collect();
    for batch in rows.chunks(50) {
        let positions: Vec<f64> = batch.iter().map(|i| *i as f64 / 2.0).collect();
        let value = |i: usize, g: usize| 7200.0 + ((i * 31 + g * 17 + coil * 7) % 300) as f64;
        let side = |below: usize| -> Vec<Vec<f64>> {
            batch.iter().map(|i| (0..9).map(|g| value(*i, g + below).round() / 100.0).collect()).collect()
        };
        let rows = json!({"coil_id": id, "position_m": positions, "top": side(0), "bottom": side(9)});
        messages.push(("plant/gl2/gauge", rows.to_string().into_bytes()));
    }
    let end = json!({"coil_id": id, "at": at, "length_m": metres});
    messages.push(("plant/gl2/coil/end", end.to_string().into_bytes()));
    messages
}
