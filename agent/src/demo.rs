//! The demo: a shipped recording through the line, in the terminal, with nothing to set up.
//!
//! It goes the plant's way: a gateway sends the recording to a broker, the agent that runs at the line takes it from
//! there and answers there, and the terminal shows what anybody would hear who listens. Only the broker is not the
//! plant's: it lives in this process, on a free port of this machine's own address.

mod broker;
mod ear;
mod gateway;
mod heat;
mod plan;
mod screen;

use crate::config::Settings;
use crate::line::{BundleJudge, Config, Judge};
use crate::operators::Roster;
use crate::{app, trust};
use anyhow::Context;
use coilsight_models::bundle::{Limits, TrustedKeys, Verified};
use ear::Ear;
use gateway::{Gateway, Progress, scaled};
use plan::Plan;
use rumqttc::{AsyncClient, EventLoop, MqttOptions};
use screen::Screen;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// A simulated shift, as `coilsight-trainer simulate recording` makes it.
const RECORDING: &[u8] = include_bytes!("../demo/demo.jsonl");
/// Trained on simulated coils alone, signed with the demo's key.
const BUNDLE: &[u8] = include_bytes!("../demo/demo.coilbundle");
/// What the log says unless `RUST_LOG` is set. The demo's broker calls every good-bye an error.
pub const LOG: &str = "warn,rumqttd=off";
/// What to log in with at the demo's page.
const CODE: &str = "2580";
/// Nothing is heard for so long only if something is broken.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the demo takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run at full speed, print everything, and end.
    #[arg(long)]
    exit: bool,
    /// How much faster than the line to play.
    #[arg(long, default_value_t = 60.0, value_name = "TIMES", conflicts_with = "exit")]
    speed: f64,
}

impl Args {
    /// `None`: as fast as the line decides.
    fn speed(&self) -> Option<f64> {
        (!self.exit).then(|| self.speed.max(0.1))
    }
}

/// Plays the shipped recording.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(shift(args.speed()))
}

async fn shift(speed: Option<f64>) -> anyhow::Result<()> {
    let told_to_stop = app::told_to_stop()?;
    let state = tempfile::tempdir().context("cannot make a temporary folder")?;
    let broker = broker::start()?;
    let settings = settings(broker, state.path(), speed);
    let judge = judge()?;
    let model = judge.model();
    let station = app::open_with(&settings, judge)?;
    let topics = &settings.line.topics;
    let plan = Plan::read(RECORDING, topics)?;
    let mut screen = Screen::new(topics.clone(), station.line().archive().clone());
    screen.introduce(broker, &model, plan.steps.len(), speed)?;
    let mut ear = Ear::listen(broker, "terminal", &topics.full("#")).await?;

    let (over, is_over) = oneshot::channel::<()>();
    operators(&plan, &settings.web.operators)?;
    let agent = app::serve(&settings, station, Screen::page, async {
        tokio::select! {
            _ = is_over => {}
            () = told_to_stop => {}
        }
    });
    tokio::pin!(agent);
    let played = tokio::select! {
        stopped = &mut agent => return stopped.and_then(|()| Ok(screen.table()?)),
        played = play(&plan, broker, speed, &mut ear, &mut screen) => played,
    };
    let ended = speed.is_some() && played.is_ok();
    if ended {
        screen.stays()?;
        agent.as_mut().await?;
    }
    // The agent takes its leave in any case: it holds the folder.
    drop(over);
    if !ended {
        agent.await?;
    }
    played?;
    while screen.is_online() {
        screen.hear(&patiently(ear.next()).await?)?;
    }
    screen.table()?;
    screen.messages()?;
    // What the broker kept is for those who come later.
    let mut latecomer = Ear::listen(broker, "latecomer", &topics.full(&topics.status)).await?;
    screen.kept_status(&patiently(latecomer.next()).await?)
}

async fn patiently<T>(heard: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(PATIENCE, heard).await.context("the agent's last status is not heard")?
}

/// Sends the plan and shows what is heard, until every pass has its decision and every word its disposition.
async fn play(
    plan: &Plan,
    broker: SocketAddr,
    speed: Option<f64>,
    ear: &mut Ear,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    // Pauses on the line are pauses here too.
    let patience = PATIENCE + plan::LONGEST_STOP.div_f64(speed.unwrap_or(f64::INFINITY));
    let (decide, decided) = watch::channel(BTreeSet::new());
    let (progress, mut come) = watch::channel(Progress::default());
    let sending = Gateway { broker, speed, decided, progress }.play(plan);
    tokio::pin!(sending);
    let mut sent = false;
    loop {
        // Whoever says that he is there has asked for what he wants to hear.
        let begun = screen.is_online();
        tokio::select! {
            done = &mut sending, if begun && !sent => {
                done?;
                sent = true;
            }
            Ok(()) = come.changed(), if speed.is_some() => screen.progress(*come.borrow(), plan.steps.len())?,
            heard = tokio::time::timeout(patience, ear.next()) => {
                let heard = heard.with_context(|| screen.stuck(plan))??;
                if let Some(coil) = screen.hear(&heard)? {
                    decide.send_modify(|decided| decided.extend([coil]));
                }
            }
        }
        if sent && screen.has_all(plan) {
            return Ok(());
        }
    }
}

/// The demo's models, verified with the demo's key.
fn judge() -> anyhow::Result<Box<dyn Judge>> {
    let keys = TrustedKeys::new([("demo", trust::DEMO_KEY)]).context("the demo's key is no key")?;
    let bundle = Verified::read(BUNDLE, &keys, &Limits::default()).context("the demo's bundle is refused")?;
    Ok(Box::new(BundleJudge::open(&bundle)?))
}

/// Those who say something in the recording, and whoever looks at the page.
fn operators(plan: &Plan, file: &Path) -> anyhow::Result<()> {
    let mut roster = Roster::default();
    roster.add("You", CODE)?;
    for (n, name) in plan.operators.iter().enumerate() {
        roster.add(name, &format!("recorded-{n}"))?;
    }
    Ok(roster.save(file)?)
}

/// The agent's settings: the plant's defaults, with rules in seconds made as much shorter as the line is faster.
fn settings(broker: SocketAddr, state: &Path, speed: Option<f64>) -> Settings {
    let mut settings = Settings { state: state.to_owned(), ..Settings::default() };
    let line = &mut settings.line;
    *line = Config { id: "demo".into(), ..Config::default() };
    if let Some(speed) = speed {
        (line.silence_s, line.late_rows_s) = (scaled(line.silence_s, speed), scaled(line.late_rows_s, speed));
    }
    settings.broker.host = broker.ip().to_string();
    settings.broker.port = broker.port();
    // Somebody may stop the terminal for a while.
    settings.broker.keep_alive_s = 600;
    settings.broker.client_id = "coilsight-demo".into();
    settings.web.operators = state.join("operators.json");
    settings.web.listen.set_port(0);
    settings.web.demo = true;
    // A short shift: some coils to look at even so.
    settings.line.review_share = 0.2;
    settings
}

/// A client of the demo's broker that is not the agent.
fn client(broker: SocketAddr, name: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(name, broker.ip().to_string(), broker.port());
    // Longer than anybody leaves a pager open.
    options.set_keep_alive(Duration::from_hours(12)).set_max_packet_size(4 << 20, 4 << 20);
    AsyncClient::new(options, 1)
}
