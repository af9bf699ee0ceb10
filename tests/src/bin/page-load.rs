//! `page-load`: how long the page's lists and heat maps take over a full archive while the line judges.

use anyhow::{Context, bail, ensure};
use clap::Parser;
use coilsight_agent::archive::{Archive, Decided, Limits, NewDecision, RealDisk};
use coilsight_models::coil::{CELLS, CoilId, CoilMatrix};
use coilsight_models::message::assessment::{Assessment, Drawn};
use coilsight_models::verdict::Verdict;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::{data, programs, root};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Fills an archive, starts the real agent over it and mosquitto, plays a recorded shift many times faster than the
/// line, and asks for lists and heat maps meanwhile.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Args {
    /// Decisions in the archive, each with its matrix.
    #[arg(long, default_value_t = 100_000)]
    coils: usize,
    /// Requests of each kind, one after the other as one person makes them.
    #[arg(long, default_value_t = 1_000)]
    requests: usize,
    /// How many times the line's own speed the shift is played.
    #[arg(long, default_value_t = 100.0)]
    speed: f64,
    /// Where the archive is filled; a folder in memory does it in a minute, for every decision is synced.
    #[arg(long, default_value = "/dev/shm")]
    fill_in: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let recording =
        data("page-load", "recordings/shift-clean.jsonl").context("there is no recorded shift")?;
    let folder = tempfile::tempdir_in(root().join("target")).or_else(|_| tempfile::tempdir())?;
    let begun = Instant::now();
    fill(&args, &recording, &folder.path().join("state"))?;
    println!("{} decisions with matrices stored in {:.0} s", args.coils, begun.elapsed().as_secs_f64());

    let mut broker = Mosquitto::start("page-load", folder.path()).context("there is no mosquitto")?;
    let mut agent = Agent::configure(folder.path(), broker.port, "");
    let begun = Instant::now();
    agent.start();
    let mut page = Client::connect(&agent.page())?;
    while page.get("/readyz")?.0 != 200 {
        std::thread::sleep(Duration::from_millis(50));
    }
    println!(
        "the page is ready {:.1} s after the agent's start (views built, log read)",
        begun.elapsed().as_secs_f64()
    );

    let mut gateway = Gateway(play(&args, broker.port, &recording)?);
    let mut random = StdRng::seed_from_u64(1);
    let before = decisions(&mut page)?;
    let begun = Instant::now();
    let mut kinds =
        [("list", Vec::new()), ("search", Vec::new()), ("coil", Vec::new()), ("heat map", Vec::new())];
    for n in 0..args.requests {
        ensure!(gateway.0.try_wait()?.is_none(), "the shift was over after {n} requests: play it slower");
        let at = random.random_range(0..args.coils);
        let paths = [
            format!("/api/v1/coils?limit=50&before={at}"),
            format!("/api/v1/coils?limit=50&q={at}"),
            format!("/api/v1/coils/{}", id(at)),
            format!("/api/v1/coils/{}/matrix", id(at)),
        ];
        for (path, (_, times)) in paths.iter().zip(&mut kinds) {
            let asked = Instant::now();
            let (status, body) = page.get(path)?;
            times.push(asked.elapsed());
            ensure!(status == 200, "{path} gave {status} in request {n}: {body}");
        }
        // A person looks for a moment; the line goes on.
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = begun.elapsed();
    let judged = decisions(&mut page)? - before;
    println!("{judged} coils judged meanwhile, in {:.0} s", took.as_secs_f64());
    println!("{:<10}{:>10}{:>10}{:>10}", "ms", "median", "99 %", "worst");
    for (name, times) in &mut kinds {
        times.sort();
        let ms = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!("{name:<10}{:>10.1}{:>10.1}{:>10.1}", ms(0.5), ms(0.99), ms(1.0));
    }
    let (now, peak) = agent.memory();
    println!("the agent holds {} MiB, at most {} MiB", now >> 20, peak >> 20);
    drop(gateway);
    agent.stop();
    broker.stop();
    Ok(())
}

/// A gateway that ends with its value.
struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn play(args: &Args, port: u16, recording: &Path) -> anyhow::Result<Child> {
    let gateway = std::env::current_exe()?.with_file_name("bench-gateway");
    let mut command = Command::new(gateway);
    command.args([
        "--broker",
        &format!("127.0.0.1:{port}"),
        "--speed",
        &args.speed.to_string(),
        "--recording",
    ]);
    command.arg(recording).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("bench-gateway does not start: build the workspace's programs first")
}

fn id(n: usize) -> String {
    format!("{n:032x}")
}

/// Decisions as the line makes them, under other names.
fn fill(args: &Args, recording: &Path, state: &Path) -> anyhow::Result<()> {
    let (bundle, trust) = coilsight_tests::golden_bundle();
    let replay = programs::agent()
        .args(["replay", "--json", "--line", "gl2", "--bundle"])
        .arg(bundle)
        .arg("--trust")
        .arg(trust)
        .arg(recording)
        .output()?;
    ensure!(replay.status.success(), "the replay failed: {}", String::from_utf8_lossy(&replay.stderr));
    let lines = String::from_utf8(replay.stdout)?;
    let templates: Vec<Assessment> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let quick = tempfile::tempdir_in(&args.fill_in)?;
    let (archive, _) = Archive::open(
        Arc::new(RealDisk::new(quick.path().join("archive"))?),
        quick.path().join("views"),
        Limits::default(),
    )?;
    let mut random = StdRng::seed_from_u64(2);
    for n in 0..args.coils {
        let mut a = templates[n % templates.len()].clone();
        a.decision_id = id(n);
        a.coil_id = CoilId::new(format!("GL2-{:08}", 10_000_000 + n)).context("an id")?;
        a.drawn = (a.verdict == Verdict::Ok && n % 50 == 0).then_some(Drawn { share: 0.02 });
        let cells: Vec<_> = (0..CELLS).map(|_| Some((random.random_range(60.0..80.0), 1.0))).collect();
        let decided = archive.decide(NewDecision {
            decision_id: &a.decision_id,
            coil_id: a.coil_id.as_str(),
            pass_key: &format!("{}@{n}", a.coil_id),
            segment: None,
            json: &serde_json::to_vec(&a)?,
            matrix: Some(&CoilMatrix::from_cells(&cells)?.to_bytes()),
        })?;
        ensure!(decided == Decided::Recorded);
        archive.receipts(&[&a.decision_id])?;
    }
    archive.close()?;
    std::fs::create_dir_all(state)?;
    let copied = Command::new("cp").arg("-r").arg(quick.path().join("archive")).arg(state).status()?;
    ensure!(copied.success(), "the archive cannot be copied to {}", state.display());
    Ok(())
}

fn decisions(page: &mut Client) -> anyhow::Result<usize> {
    let (_, body) = page.get("/api/v1/coils?limit=1")?;
    let list: serde_json::Value = serde_json::from_str(&body)?;
    Ok(list["counts"]["all"].as_u64().context("a count")? as usize)
}

/// One browser's connection, kept open.
struct Client {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Client {
    fn connect(page: &str) -> anyhow::Result<Self> {
        let host = page.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host })
    }

    fn get(&mut self, path: &str) -> anyhow::Result<(u16, String)> {
        let asked = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.stream.get_mut().write_all(asked.as_bytes())?;
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                bail!("hung up");
            }
            if status == 0 {
                status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body)?))
    }
}
