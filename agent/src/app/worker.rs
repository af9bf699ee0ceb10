//! The line's own thread: it may wait for the disk and the models while the sessions answer the broker.

use crate::broker::{Command, Event, Role};
use crate::line;
use crate::station::{Act, Station, Time};
use crate::web::Board;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Without events, the line's time is looked at so often.
const TICK: Duration = Duration::from_millis(500);
/// Events taken in one step.
const BATCH: usize = 32;
/// How often systemd hears in a line of text how it goes.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// An orderly stop lasts no longer.
const GRACE: Duration = Duration::from_secs(8);

/// The line's thread.
pub(super) struct Worker {
    pub station: Station,
    pub inbox: mpsc::Receiver<Event>,
    pub to_line: mpsc::UnboundedSender<Command>,
    pub to_words: mpsc::UnboundedSender<Command>,
    pub stopping: Arc<AtomicBool>,
    /// Grows with every proof that the line works.
    pub proofs: Arc<AtomicU64>,
    /// What a person sees first of how it goes.
    pub summary: Arc<Mutex<String>>,
    pub prove_every: Duration,
    /// What the page shows, and what the watch tells.
    pub board: Arc<Board>,
}

impl Worker {
    /// Works until it is told to stop, or the archive takes nothing more.
    pub fn run(mut self, runtime: &Handle) -> line::Result<()> {
        let start = Instant::now();
        let (mut proved, mut judged) = (start, 0);
        self.proofs.fetch_add(1, Ordering::Relaxed);
        *self.summary.lock().unwrap_or_else(PoisonError::into_inner) = self.station.summary();
        let (mut behind, mut told) = (false, start);
        while !self.stopping.load(Ordering::Relaxed) {
            let (events, waited) = self.wait(runtime, if behind { Duration::ZERO } else { TICK });
            self.step(events, start, waited)?;
            self.station.rest();
            behind = self.station.has_work();
            planted_hang();
            if proved.elapsed() >= self.prove_every {
                self.station.prove(&mut judged)?;
                proved = Instant::now();
                self.proofs.fetch_add(1, Ordering::Relaxed);
            }
            for (kind, troubles) in self.board.told() {
                self.station.hold(&kind, troubles);
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let (status, connected) = self.station.shown()?;
                self.board.show(status, connected);
                *self.summary.lock().unwrap_or_else(PoisonError::into_inner) = self.station.summary();
            }
        }
        self.drain(runtime, start)?;
        self.station.close()
    }

    /// Lets what is decided go out, then says good-bye.
    fn drain(&mut self, runtime: &Handle, start: Instant) -> line::Result<()> {
        let until = Instant::now() + GRACE;
        self.station.stop();
        let (mut tick, mut said_farewell) = (Duration::ZERO, false);
        while Instant::now() < until {
            let (events, waited) = self.wait(runtime, tick);
            self.step(events, start, waited)?;
            tick = Duration::from_millis(50);
            if !self.station.is_drained()? {
                continue;
            }
            if said_farewell {
                break;
            }
            said_farewell = true;
            let acts = self.station.farewell()?;
            self.act(acts);
        }
        Ok(())
    }

    fn step(&mut self, events: Vec<Event>, start: Instant, waited: Duration) -> line::Result<()> {
        let time = Time { since_start: start.elapsed(), waited, wall: super::wall_clock() };
        let acts = self.station.step(events, time)?;
        self.act(acts);
        Ok(())
    }

    /// Waits for events, at most for `patience`; says how long.
    fn wait(&mut self, runtime: &Handle, patience: Duration) -> (Vec<Event>, Duration) {
        let began = Instant::now();
        let mut events = Vec::with_capacity(BATCH);
        while events.len() < BATCH
            && let Ok(event) = self.inbox.try_recv()
        {
            events.push(event);
        }
        if events.is_empty() && !patience.is_zero() {
            let first = runtime.block_on(async { tokio::time::timeout(patience, self.inbox.recv()).await });
            events.extend(first.ok().flatten());
        }
        (events, began.elapsed())
    }

    fn act(&self, acts: Vec<Act>) {
        for act in acts {
            let (to, command) = match act {
                Act::Acknowledge { role, generation, packet } => {
                    (role, Command::Acknowledge { generation, packet })
                }
                Act::HangUp { role, generation } => (role, Command::HangUp { generation }),
                Act::Publish { generation, publication } => {
                    (Role::Line, Command::Publish { generation, publication })
                }
            };
            let to = match to {
                Role::Line => &self.to_line,
                // Bundles have a thread of their own, which acts by itself.
                Role::Words | Role::Models | Role::Upload => &self.to_words,
            };
            // A session that has ended: the whole ends with it.
            let _ = to.send(command);
        }
    }
}

/// For the test of the watchdog, in builds with debug assertions: a file named by `COILSIGHT_TEST_HANG` stops the
/// line where it stands.
fn planted_hang() {
    #[cfg(debug_assertions)]
    if let Some(file) = std::env::var_os("COILSIGHT_TEST_HANG")
        && std::path::Path::new(&file).exists()
    {
        loop {
            std::thread::park();
        }
    }
}
