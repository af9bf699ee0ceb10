//! Decisions and words on their way to the plant's record: a session and a thread of their own, so that a record that is slow or
//! away holds up nothing.

use super::page::Seen;
use crate::archive::{Archive, RealDisk};
use crate::broker::{Command, Event, Publication, Role, Session};
use crate::config::Settings;
use crate::score::{Window, scores};
use crate::upload::{self, Reporter, Uploader};
use crate::watch::Findings;
use crate::web::Board;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::{Trouble, Why};
use coilsight_models::message::upload::{Stored, Way, payload};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Without events, time is looked at so often.
const TICK: Duration = Duration::from_millis(500);
/// The record's words on their way from the session to the thread.
const EVENTS: usize = 16;
/// The board's kind for what is told here.
const KIND: &str = "record";
/// The coils that figures are of.
const WINDOWS: [Window; 2] = [Window::Coils(200), Window::All];

/// The session, to take leave of at the end.
pub(super) struct Running {
    commands: mpsc::UnboundedSender<Command>,
    session: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Says good-bye to the broker.
    pub async fn stop(self) {
        let _ = self.commands.send(Command::Stop);
        let _ = self.session.await;
    }
}

/// What the thread works with.
struct Upload {
    uploader: Uploader,
    reporter: Reporter,
    seen: Seen,
    line: String,
    /// Where batches go, where the record says what it has, and where it reads how the models do.
    batch: String,
    stored: String,
    report: String,
    /// The line's thread hears of the connection, for people.
    to_line: mpsc::Sender<Event>,
    to_session: mpsc::UnboundedSender<Command>,
    board: Arc<Board>,
    stopping: Arc<AtomicBool>,
}

/// Begins to send. A line whose record cannot be served judges on without it.
pub(super) fn start(
    settings: &Settings,
    archive: &Arc<Archive>,
    seen: &Seen,
    line: &Session,
    to_line: mpsc::Sender<Event>,
    board: &Arc<Board>,
    stopping: &Arc<AtomicBool>,
) -> std::io::Result<Running> {
    let disk = RealDisk::new(settings.state.join("upload"))?;
    let draw = || {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("random numbers of the kernel");
        bytes
    };
    let log = upload::name(&disk, draw)?;
    let topics = &settings.line.topics;
    let stored = topics.upload(Way::Stored);
    let session = Session {
        role: Role::Upload,
        client_id: format!("{}-upload", line.broker.client_id),
        // What the record said while nobody listened, it says again.
        kept: false,
        listens_to: vec![stored.clone()],
        echoes: Vec::new(),
        will: None,
        max_payload: Way::Stored.max_bytes(),
        seed: line.seed.rotate_left(48),
        ..line.clone()
    };
    let (events, inbox) = mpsc::channel(EVENTS);
    let (commands, commanded) = mpsc::unbounded_channel();
    let upload = Upload {
        uploader: Uploader::new(Arc::clone(archive), settings.line.id.clone(), log),
        reporter: Reporter::new(Duration::from_secs(settings.upload.report_s.into())),
        seen: seen.clone(),
        line: settings.line.id.clone(),
        batch: topics.upload(Way::Batch),
        report: topics.upload(Way::Report),
        stored,
        to_line,
        to_session: commands.clone(),
        board: Arc::clone(board),
        stopping: Arc::clone(stopping),
    };
    let runtime = Handle::current();
    let session = runtime.spawn(session.run(events, commanded));
    std::thread::Builder::new().name("upload".into()).spawn(move || upload.work(inbox, &runtime))?;
    Ok(Running { commands, session })
}

impl Upload {
    fn work(mut self, mut inbox: mpsc::Receiver<Event>, runtime: &Handle) {
        let (mut line, mut last, mut up, mut told) = (Duration::ZERO, Instant::now(), false, false);
        let mut events = Vec::new();
        while !self.stopping.load(Ordering::Relaxed) {
            let wait = async { tokio::time::timeout(TICK, inbox.recv_many(&mut events, EVENTS)).await };
            if let Ok(0) = runtime.block_on(wait) {
                return;
            }
            // Waits count while the broker is there.
            let now = Instant::now();
            line += if up { now - last } else { Duration::ZERO };
            last = now;
            let mut heard = Vec::new();
            for event in events.drain(..) {
                heard.extend(self.heard(&event));
                match event {
                    Event::Up { generation, .. } => {
                        up = true;
                        self.reporter.connected(Some(generation));
                    }
                    Event::Down { .. } => {
                        up = false;
                        self.reporter.connected(None);
                    }
                    _ => {}
                }
                if let Event::Up { .. } | Event::Down { .. } | Event::Subscribed { .. } = event {
                    let _ = runtime.block_on(self.to_line.send(event));
                }
            }
            match self.uploader.step(heard, line) {
                Ok(Some((generation, payload))) => self.publish(generation, &self.batch, payload, false),
                Ok(None) => {}
                // The archive tells people itself.
                Err(error) => {
                    tracing::warn!("nothing goes to the plant's record: {}", crate::say::chain(&error));
                }
            }
            self.report(line);
            if self.uploader.is_unanswered(line) != told {
                told = !told;
                self.board.tell(KIND, if told { vec![unanswered()] } else { Vec::new() });
            }
        }
    }

    fn publish(&self, generation: u64, topic: &str, payload: Vec<u8>, retain: bool) {
        let publication = Publication { token: 0, topic: topic.to_owned(), payload, retain };
        let _ = self.to_session.send(Command::Publish { generation, publication });
    }

    /// Tells how the models do, if it is time.
    fn report(&mut self, now: Duration) {
        let Some(asking) = self.seen.findings.asking() else { return };
        let book = self.seen.book.read().unwrap_or_else(PoisonError::into_inner);
        let Some(generation) = self.reporter.due(now, book.revision(), &asking) else { return };
        let judged = Findings::judged(&book);
        drop(book);
        let at = Timestamp::now();
        let told = WINDOWS.map(|window| scores(&judged, window, at));
        if let Some(report) = upload::report(&self.line, at, &told, &asking) {
            self.publish(generation, &self.report, payload(&report), true);
        }
    }

    /// What a session's event says to the uploader; a message is acknowledged at once, for it will be said again.
    fn heard(&self, event: &Event) -> Option<upload::Event> {
        match event {
            Event::Up { generation, .. } => Some(upload::Event::Up { generation: *generation }),
            Event::Down { .. } => Some(upload::Event::Down),
            Event::Delivered(delivery) => {
                if delivery.packet != 0 {
                    let (generation, packet) = (delivery.generation, delivery.packet);
                    let _ = self.to_session.send(Command::Acknowledge { generation, packet });
                }
                let stored = (delivery.topic == self.stored).then(|| Stored::parse(&delivery.payload))?;
                let refused = |error| tracing::warn!("{}", crate::say::chain(&error));
                stored.map_err(refused).ok().map(upload::Event::Stored)
            }
            _ => None,
        }
    }
}

/// Tells that it could not begin.
pub(super) fn cannot(board: &Board, error: &std::io::Error) {
    let trouble = Trouble {
        topic: Subject::Record,
        text: format!("nothing is sent to the plant's record: {error}"),
        to_do: "see to the disk, then restart the agent; what the record lacks stays in the line's log"
            .into(),
        why: Some(Why::of("no_upload").with("why", error.to_string())),
    };
    board.tell(KIND, vec![trouble]);
}

fn unanswered() -> Trouble {
    let hours = upload::SILENT.as_secs() / 3600;
    Trouble {
        topic: Subject::Record,
        text: format!(
            "the plant's record has not answered for {hours} h: what is decided and said waits here"
        ),
        to_do: "see to `coilsight-trainer serve` on the workstation; nothing is lost, and the line judges on"
            .into(),
        why: Some(Why::of("record_silent").with("hours", hours)),
    }
}
