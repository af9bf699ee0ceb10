//! Decisions and words on their way to the plant's record: a session and a thread of their own, so that a record that is slow or
//! away holds up nothing.

use crate::archive::{Archive, RealDisk};
use crate::broker::{Command, Event, Publication, Role, Session};
use crate::config::Settings;
use crate::upload::{self, Uploader};
use crate::web::Board;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::{Trouble, Why};
use coilsight_models::message::upload::{Stored, Way};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Without events, time is looked at so often.
const TICK: Duration = Duration::from_millis(500);
/// The record's words on their way from the session to the thread.
const EVENTS: usize = 16;
/// The board's kind for what is told here.
const KIND: &str = "record";

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
    /// Where batches go, and where the record says what it has.
    batch: String,
    stored: String,
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
        batch: topics.upload(Way::Batch),
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
                    Event::Up { .. } => up = true,
                    Event::Down { .. } => up = false,
                    _ => {}
                }
                if let Event::Up { .. } | Event::Down { .. } | Event::Subscribed { .. } = event {
                    let _ = runtime.block_on(self.to_line.send(event));
                }
            }
            match self.uploader.step(heard, line) {
                Ok(Some((generation, payload))) => {
                    let topic = self.batch.clone();
                    let publication = Publication { token: 0, topic, payload, retain: false };
                    let _ = self.to_session.send(Command::Publish { generation, publication });
                }
                Ok(None) => {}
                // The archive tells people itself.
                Err(error) => {
                    tracing::warn!("nothing goes to the plant's record: {}", crate::say::chain(&error));
                }
            }
            if self.uploader.is_unanswered(line) != told {
                told = !told;
                self.board.tell(KIND, if told { vec![unanswered()] } else { Vec::new() });
            }
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
