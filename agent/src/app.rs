//! The running agent: opens what it needs, wires the line's thread to the broker's sessions, and sees to an orderly
//! stop. Any part that ends ends the whole; systemd starts it again.

mod models;
mod page;
mod upload;
mod worker;

use crate::archive::{Archive, RealDisk, Recovery};
use crate::broker::{Command, Event, Role, Session};
use crate::config::Settings;
use crate::line::{Judge, Line};
use crate::operators::Operators;
use crate::slots::{self, Provisioned, Site, Slots};
use crate::station::{Sessions, Station, last_will};
use crate::update::Update;
use crate::web::Board;
use crate::{manage, systemd, trust};
use anyhow::Context;
use coilsight_models::bundle::Limits;
use coilsight_models::message::{Kind, Topics, model};
use jiff::Timestamp;
use page::Seen;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Events between the sessions and the line: with a message's greatest length, what a flood may take of memory.
const EVENTS: usize = 32;

/// A command at the machine that verifies a large set has the slots no longer than this.
const SLOTS_WITHIN: Duration = Duration::from_mins(1);

/// Before this no machine that runs this was built: the clock is not set.
const EARLIEST: i64 = 1_750_000_000;

/// Runs until it is told to stop (SIGTERM, SIGINT) or cannot go on.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let station = open(settings)?;
    runtime.block_on(async { serve(settings, station, |_| (), told_to_stop()?).await })
}

/// Opens the archive, the slots, and the line over both.
pub fn open(settings: &Settings) -> anyhow::Result<Station> {
    let (archive, recovery) = archive(settings)?;
    let slots = slots(settings)?;
    let (update, judges) = Update::open(
        slots,
        whom(settings).map_err(|error| format!("{error:#}")),
        site(settings),
        settings.update.clone(),
        Some(settings.bundle.file.as_path()),
        &Line::bindings_of(&recovery.open),
        wall_clock(),
    );
    let line = Line::new(settings.line.clone(), archive, &recovery.open, judges)?;
    let model = line.judge().model();
    tracing::info!(bundle = model.bundle, release = model.release, "judging");
    Ok(Station::new(line, sessions_file(settings), settings.broker.check_echo).with(update))
}

/// The slots, once a command at the machine that has them is through.
fn slots(settings: &Settings) -> anyhow::Result<Slots> {
    let until = Instant::now() + SLOTS_WITHIN;
    loop {
        match Slots::open(manage::disk(settings)?) {
            Err(slots::Error::Locked) if Instant::now() < until => {
                tracing::info!("a command has the models' slots: waiting for it");
                std::thread::sleep(Duration::from_secs(1));
            }
            opened => return Ok(opened?),
        }
    }
}

/// The same with a judge of its own and without slots: for the demo.
pub fn open_with(settings: &Settings, judge: Box<dyn Judge>) -> anyhow::Result<Station> {
    let (archive, recovery) = archive(settings)?;
    let line = Line::new(settings.line.clone(), archive, &recovery.open, judge)?;
    Ok(Station::new(line, sessions_file(settings), settings.broker.check_echo))
}

fn sessions_file(settings: &Settings) -> Sessions {
    let broker = &settings.broker;
    Sessions::open(settings.state.join("sessions.json"), &broker.address(), &broker.client_id)
}

fn archive(settings: &Settings) -> anyhow::Result<(Archive, Recovery)> {
    let state = &settings.state;
    let disk = RealDisk::new(state.join("archive"))
        .with_context(|| format!("cannot use {} for the archive", state.display()))?;
    let (archive, recovery) = Archive::open(Arc::new(disk), state.join("views"), settings.limits())?;
    tracing::info!(
        decisions = recovery.counts.decisions,
        open_coils = recovery.open.len(),
        views = ?recovery.views,
        torn_bytes = recovery.torn_bytes,
        "archive opened"
    );
    Ok((archive, recovery))
}

/// Whom a person at the line said to believe.
pub(crate) fn whom(settings: &Settings) -> anyhow::Result<Provisioned> {
    trust::whom(&settings.bundle.trust)
}

/// Where this is, and what it takes.
pub(crate) fn site(settings: &Settings) -> Site {
    let total = settings.update.max_mib << 20;
    let limits = Limits { total, part: total };
    Site { plant: settings.bundle.plant.clone(), line: settings.line.id.clone(), limits, clock: wall_clock() }
}

/// Topics of the line's session, of the one for inspectors' words, and of the one for bundles.
pub(crate) fn listens_to(topics: &Topics) -> [Vec<String>; 3] {
    let rows = [&topics.start, &topics.gauge, &topics.end, &topics.matrix];
    let bundles = [model::Way::Offer, model::Way::Piece].map(|way| topics.model(way));
    [rows.map(|t| topics.full(t)).to_vec(), vec![topics.full(&topics.feedback)], bundles.to_vec()]
}

/// This machine's clock, if it is set.
pub fn wall_clock() -> Option<Timestamp> {
    let wall = Timestamp::now();
    (wall.as_second() >= EARLIEST).then_some(wall)
}

/// The broker's sessions, as configured.
fn sessions(settings: &Settings) -> anyhow::Result<[Session; 3]> {
    let (broker, topics) = (&settings.broker, &settings.line.topics);
    let login = broker.login(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from))?;
    let will = serde_json::to_vec(&last_will(&settings.line.id))?;
    let seed = u64::from(std::process::id());
    let [rows, words, bundles] = listens_to(topics);
    let echoes = if broker.check_echo {
        vec![topics.full(&topics.status), topics.full(&topics.assessment)]
    } else {
        Vec::new()
    };
    let line = Session {
        role: Role::Line,
        broker: broker.clone(),
        login,
        client_id: broker.client_id.clone(),
        kept: true,
        listens_to: rows,
        echoes,
        will: Some((topics.full(&topics.status), will)),
        max_payload: Kind::Matrix.max_bytes(),
        seed,
    };
    let words = Session {
        role: Role::Words,
        client_id: format!("{}-words", broker.client_id),
        listens_to: words,
        echoes: Vec::new(),
        will: None,
        max_payload: Kind::Feedback.max_bytes(),
        seed: seed.rotate_left(32),
        ..line.clone()
    };
    let bundles = models::session(&line, bundles);
    Ok([line, words, bundles])
}

/// Comes to pass when this process is told to stop (SIGTERM, SIGINT); from this call on they do not end it.
pub fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Works on the settings' broker, says `told_where` the page is, until `told_to_stop` comes to pass, or until it cannot go on.
pub async fn serve(
    settings: &Settings,
    mut station: Station,
    told_where: impl FnOnce(Option<SocketAddr>),
    told_to_stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    tokio::pin!(told_to_stop);
    let (events, inbox) = mpsc::channel::<Event>(EVENTS);
    let [line, words, bundles] = sessions(settings)?;
    let (to_line, line_commands) = mpsc::unbounded_channel();
    let (to_words, words_commands) = mpsc::unbounded_channel();
    let to_record = line.clone();
    let line = tokio::spawn(line.run(events.clone(), line_commands));
    let words = tokio::spawn(words.run(events.clone(), words_commands));

    let stopping = Arc::new(AtomicBool::new(false));
    let update = station.update().filter(|update| update.rules().over_broker);
    let models = update.and_then(|update| {
        let (asks, requests) = std::sync::mpsc::sync_channel(EVENTS);
        let (told, said) = std::sync::mpsc::channel();
        update.receive(told, requests);
        let reception = models::Reception {
            disk: update.disk(),
            rules: settings.update.clone(),
            gate: update.gate(),
            line: settings.line.id.clone(),
            topics: settings.line.topics.clone(),
            session: bundles,
            to_line: events.clone(),
            requests: asks,
            said,
            stopping: Arc::clone(&stopping),
        };
        // The line judges on without: a bundle can still be installed at the machine.
        let started = reception.start(&tokio::runtime::Handle::current());
        started.inspect_err(|error| update.cannot_receive(&crate::say::chain(error))).ok()
    });
    let board = Arc::<Board>::default();
    let seen = Seen::open(settings, &board);
    let record = settings.upload.enabled.then(|| {
        let archive = station.line().archive();
        upload::start(settings, archive, &seen, &to_record, events, &board, &stopping)
    });
    // The line judges on without: its log keeps what the record lacks.
    let record = record.and_then(|started| started.inspect_err(|error| upload::cannot(&board, error)).ok());
    let operators = Arc::new(Operators::of(settings.web.operators.clone()));
    station.believe(Arc::clone(&operators));
    let mut page = page::Page::start(settings, station.line().archive(), seen, &operators, &board);
    told_where(page.at());
    let proofs = Arc::new(AtomicU64::new(0));
    let summary = Arc::new(Mutex::new(String::from("starting")));
    let worker = worker::Worker {
        station,
        inbox,
        to_line: to_line.clone(),
        to_words: to_words.clone(),
        stopping: Arc::clone(&stopping),
        proofs: Arc::clone(&proofs),
        summary: Arc::clone(&summary),
        board,
        prove_every: systemd::watchdog().map_or(Duration::from_secs(30), |every| every / 4),
    };
    let handle = tokio::runtime::Handle::current();
    let (ended, mut end) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("line".into())
        .spawn(move || drop(ended.send(worker.run(&handle))))
        .context("no thread for the line")?;

    systemd::ready();
    let mut dog = systemd::Watchdog::default();
    let mut beat =
        tokio::time::interval(systemd::watchdog().map_or(Duration::from_secs(5), |every| every / 4));
    let done = loop {
        tokio::select! {
            done = &mut end => break done,
            () = &mut told_to_stop, if !stopping.load(Ordering::Relaxed) => stop(&stopping),
            _ = beat.tick() => {
                dog.feed(proofs.load(Ordering::Relaxed));
                systemd::status(&summary.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
    };
    // The line has said its last word: the sessions take their leave.
    for commands in [to_line, to_words] {
        let _ = commands.send(Command::Stop);
    }
    let _ = tokio::join!(line, words);
    if let Some(models) = models {
        models.stop().await;
    }
    if let Some(record) = record {
        record.stop().await;
    }
    page.stop();
    match done {
        Ok(done) => done.context("the line cannot go on"),
        Err(_) => anyhow::bail!("the line's thread died: please report this"),
    }
}

fn stop(stopping: &AtomicBool) {
    systemd::stopping();
    tracing::info!("stopping: what is decided still goes out");
    stopping.store(true, Ordering::Relaxed);
}
