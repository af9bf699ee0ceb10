//! The line's end: the agent's receiver behind the agent's own session.

use coilsight_agent::archive::{Disk, RealDisk};
use coilsight_agent::broker::{Broker, Command, Role, Session};
use coilsight_agent::receive::{self, Act, Desk, Limits, Receiver, Time, Told};
use coilsight_models::bundle::Front;
use coilsight_models::message::Topics;
use coilsight_models::message::model::{Offer, Stage, Way};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

pub const TEXT: &str = "signed by a key that is not known here (arbitrary installation)";
pub const TO_DO: &str = "Have it signed with a key that this line trusts";

/// What the line makes of bundles.
#[derive(Clone, Copy)]
pub enum Verdict {
    Stage,
    /// Staged, and at once more than that.
    StageThen(Stage),
    RefuseFront,
}

impl Desk for Verdict {
    fn refused(&mut self, _: &Offer, _: &Told) {}

    fn known(&mut self, _: &Offer) -> Option<Told> {
        None
    }

    fn front(&mut self, _: &Offer, front: &Front) -> Result<(), Told> {
        assert!(!front.signatures().is_empty());
        match self {
            Self::Stage | Self::StageThen(_) => Ok(()),
            Self::RefuseFront => Err(Told::refused(TEXT, TO_DO)),
        }
    }
}

/// What came.
#[derive(Default)]
pub struct Seen {
    pub complete: Vec<Vec<u8>>,
    pub pieces: usize,
}

/// A line at work; ends with its value.
pub struct Line {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<Seen>>,
}

impl Line {
    /// Works on the broker at `port`, with its files in `folder`.
    pub fn start(port: u16, folder: &Path, verdict: Verdict) -> Self {
        let (stop, stopped) = oneshot::channel();
        let disk = RealDisk::new(folder.join("models")).unwrap();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(work(port, Arc::new(disk), verdict, stopped))
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }

    /// Stops it; what came.
    pub fn stop(mut self) -> Seen {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap()
    }
}

async fn work(
    port: u16,
    disk: Arc<dyn Disk>,
    mut verdict: Verdict,
    mut stopped: oneshot::Receiver<()>,
) -> Seen {
    let topics = Topics::default();
    let broker = Broker { host: "127.0.0.1".into(), port, longest_wait_s: 1, ..Broker::default() };
    let session = Session {
        role: Role::Words,
        broker,
        login: None,
        client_id: "coilsight-gl2-models".into(),
        kept: true,
        listens_to: vec![topics.model(Way::Offer), topics.model(Way::Piece)],
        echoes: Vec::new(),
        will: None,
        max_payload: Way::Piece.max_bytes(),
        seed: 1,
    };
    let (events, mut inbox) = mpsc::channel(32);
    let (commands, commanded) = mpsc::unbounded_channel();
    let session = tokio::spawn(session.run(events, commanded));
    let start = Instant::now();
    let mut receiver = Receiver::open(Arc::clone(&disk), Limits::default(), Duration::ZERO).unwrap();
    let mut seen = Seen::default();
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        let event = tokio::select! {
            Some(event) = inbox.recv() => receive::heard(event, &topics),
            _ = tick.tick() => None,
            _ = &mut stopped => break,
        };
        if let Some(receive::Event::Delivered { way: Way::Piece, .. }) = event {
            seen.pieces += 1;
        }
        let time = Time { line: start.elapsed(), wall: None };
        let mut acts = receiver.step(event, time, &mut verdict);
        while receiver.has_work() {
            acts.extend(receiver.step(None, time, &mut verdict));
        }
        for act in acts {
            if let Act::Complete { offer, path } = act {
                seen.complete.push(content(&*disk, &path));
                for act in settle(&receiver, &*disk, (&offer, &path), verdict, time) {
                    let _ = commands.send(receive::command(act, &topics).unwrap());
                }
            } else if let Some(command) = receive::command(act, &topics) {
                let _ = commands.send(command);
            }
        }
    }
    let _ = commands.send(Command::Stop);
    let _ = session.await;
    seen
}

/// The file is taken away, and what became of it is told.
fn settle(
    receiver: &Receiver,
    disk: &dyn Disk,
    complete: (&Offer, &str),
    verdict: Verdict,
    time: Time,
) -> Vec<Act> {
    disk.remove(complete.1).unwrap();
    let stages = match verdict {
        Verdict::StageThen(stage) => vec![Stage::Staged, stage],
        Verdict::Stage | Verdict::RefuseFront => vec![Stage::Staged],
    };
    let told = |stage| receiver.tell(complete.0, &Told::new(stage, "as the test says", ""), time);
    stages.into_iter().filter_map(told).collect()
}

fn content(disk: &dyn Disk, path: &str) -> Vec<u8> {
    let file = disk.open(path).unwrap();
    let mut bytes = vec![0; file.size().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}
