//! `bench-gateway`: plays a line into a broker, as a plant's gateway would, and checks what the agent answers.

use anyhow::{Context, ensure};
use clap::Parser;
use coilsight_models::message::Topics;
use coilsight_models::message::assessment::Assessment;
use coilsight_tests::gateway::check;
use coilsight_tests::gateway::listener::{self, Heard};
use coilsight_tests::gateway::plan::{Fault, Plan};
use coilsight_tests::gateway::player::Player;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

/// Plays a line into a broker, as a plant's gateway would, and checks what the agent answers: every pass one
/// decision, the same whenever it comes again, and as expected.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Args {
    /// The broker, as HOST:PORT.
    #[arg(long, default_value = "localhost:1883")]
    broker: String,
    /// User name at the broker.
    #[arg(long, default_value = "")]
    username: String,
    /// The user's password.
    #[arg(long, default_value = "", env = "BENCH_PASSWORD", hide_env_values = true)]
    password: String,
    /// Prefix of the line's topics.
    #[arg(long, default_value = "plant/gl2")]
    prefix: String,
    /// Play this recording; without one, short coils are made up.
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// So many short coils.
    #[arg(long, default_value_t = 20)]
    coils: usize,
    /// The seed of coils and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times the line's own speed; 0: as fast as the broker takes it.
    #[arg(long, default_value_t = 200.0)]
    speed: f64,
    /// Faults to commit, several with commas.
    #[arg(long, value_enum, value_delimiter = ',')]
    fault: Vec<Fault>,
    /// One coil in so many has a fault.
    #[arg(long, default_value_t = 5)]
    one_in: u32,
    /// Write what is sent as a recording and send nothing: `coilsight-agent replay` then says what to expect.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Decisions to expect, as `coilsight-agent replay --json` prints them.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Wait so long for the last decisions, s.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let plan = match &args.recording {
        Some(file) => Plan::recording(file)?,
        None => Plan::short_coils(args.coils, &args.prefix, args.seed),
    };
    let plan = plan.with_faults(&args.fault, args.one_in, args.seed);
    if let Some(file) = &args.write {
        return plan.write(file);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench(&args, &plan))
}

async fn bench(args: &Args, plan: &Plan) -> anyhow::Result<()> {
    let (host, port) = args.broker.rsplit_once(':').context("--broker must be HOST:PORT")?;
    let login = (!args.username.is_empty()).then(|| (args.username.clone(), args.password.clone()));
    let player = |name: &str| -> anyhow::Result<Player> {
        Ok(Player {
            host: host.into(),
            port: port.parse().context("--broker must be HOST:PORT")?,
            client_id: format!("bench-{name}-{}", std::process::id()),
            login: login.clone(),
            speed: args.speed,
        })
    };
    let topics = Topics { prefix: args.prefix.clone(), ..Topics::default() };
    let mut ear = listener::listen(&player("listener")?, &topics).await.context("nobody to listen to")?;
    let expected = match &args.expect {
        Some(file) => Some(check::expected(&std::fs::read_to_string(file)?)?),
        None => None,
    };
    // Passes that have a start get a decision each, whatever else happens.
    let passes = plan.messages.iter().filter(|m| m.topic.ends_with("/coil/start")).count();
    let wanted = expected.as_ref().map_or(passes, check::Decisions::len);
    let total = plan.messages.len();
    let show = std::io::stderr().is_terminal();
    let began = std::time::Instant::now();
    let sent = player("gateway")?
        .play(plan, &mut |done| {
            if show && (done % 20 == 0 || done == total) {
                eprint!("\r{done} of {total} messages sent ");
            }
        })
        .await;
    if show {
        eprintln!();
    }
    let assessments = topics.full(&topics.assessment);
    let count = |heard: &[Heard]| check::heard(heard, &assessments).decisions.len();
    ear.until(Duration::from_secs(args.patience), |heard| count(heard) >= wanted).await;
    let heard = ear.all();
    let mut report = check::heard(&heard, &assessments);
    if let Some(expected) = &expected {
        report.faults.extend(check::differences(expected, &report.decisions));
    } else if report.decisions.len() < wanted && !args.fault.contains(&Fault::Again) {
        report.faults.push(format!("{} decisions, {wanted} passes", report.decisions.len()));
    }
    let latency = latencies(plan, &sent.acknowledged, &heard, &assessments);
    let at = |share: f64| latency.get((latency.len() as f64 * share) as usize).map(|l| (l * 1e3).round());
    let summary = serde_json::json!({
        "messages": total, "seconds": began.elapsed().as_secs_f64(), "line_seconds": plan.lasts().as_secs_f64(),
        "decisions": report.decisions.len(), "wanted": wanted, "repeated": report.repeated,
        "broken_connections": sent.broken, "end_to_decision_ms": {"median": at(0.5), "p99": at(0.99),
        "worst": latency.last().map(|l| (l * 1e3).round())}, "faults": report.faults,
    });
    if args.json {
        println!("{summary}");
    } else {
        println!("{summary:#}");
    }
    ensure!(report.faults.is_empty(), "{} faults, the first: {}", report.faults.len(), report.faults[0]);
    Ok(())
}

/// From the broker's acknowledgement of a coil's end to its decision, s, sorted.
fn latencies(plan: &Plan, sent: &[tokio::time::Instant], heard: &[Heard], topic: &str) -> Vec<f64> {
    let ends: BTreeMap<String, tokio::time::Instant> = plan
        .messages
        .iter()
        .zip(sent)
        .filter(|(message, _)| message.topic.ends_with("/coil/end"))
        .filter_map(|(message, at)| Some((coilsight_tests::gateway::plan::coil_id(&message.payload)?, *at)))
        .collect();
    let mut seconds: Vec<f64> = heard
        .iter()
        .filter(|message| message.topic == topic)
        .filter_map(|message| {
            let assessment: Assessment = serde_json::from_slice(&message.payload).ok()?;
            let end = ends.get(assessment.coil_id.as_str())?;
            Some(message.at.saturating_duration_since(*end).as_secs_f64())
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds
}
