//! Sends what the line decides and hears up to the plant's record, from the archive's log, and keeps nothing of its own
//! but the log's name: the record says where to go on ([`coilsight_models::message::upload`]).
//!
//! [`Uploader::step`] is all of it: events and time in, publications out; no socket and no clock. One batch is on its way at a
//! time. Without an answer it goes again, after longer and longer waits; a record that is away for a month finds
//! everything that the log has, which is all decisions and words, and of the matrices what the archive had room for.

mod batch;
mod name;
mod report;

#[cfg(test)]
mod tests;

pub use name::name;
pub use report::{Reporter, report};

use crate::archive::{self, Archive, Mark};
use coilsight_models::message::upload::{Place, Stored};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Whether there is a record to send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decisions, matrices and words go to the plant's record (`coilsight-trainer serve`).
    pub enabled: bool,
    /// How the models do is told so often at most, seconds; what asks for new ones at once.
    pub report_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { enabled: false, report_s: 3600 }
    }
}

/// The first wait for an answer; each next one is twice as long.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest.
const LONGEST: Duration = Duration::from_mins(10);
/// The log is asked for something new so often.
const LOOK: Duration = Duration::from_secs(2);
/// A record that names another place than the one that was expected is followed, but not at once: nobody makes a line
/// send for ever as fast as it can.
const AGAIN: Duration = Duration::from_secs(1);
/// A record that asks for longer waits is not obeyed.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// So long without an answer, the broker being there, and somebody should look.
pub const SILENT: Duration = Duration::from_hours(1);

/// What concerns the way up.
#[derive(Clone, Debug)]
pub enum Event {
    /// There is a connection.
    Up {
        /// Its number.
        generation: u64,
    },
    /// There is none.
    Down,
    /// The record's word.
    Stored(Stored),
}

/// A batch on its way.
#[derive(Debug)]
struct Sent {
    payload: Vec<u8>,
    after: Mark,
    upto: Mark,
    /// When it goes again.
    again: Duration,
    tries: u32,
}

/// Sends one batch after another.
#[derive(Debug)]
pub struct Uploader {
    archive: Arc<Archive>,
    line: String,
    log: String,
    up: Option<u64>,
    /// All before is in the record, by its own word; the log's begin until it has spoken.
    stored: Mark,
    /// Nothing between `stored` and here concerns the record.
    looked: Mark,
    sent: Option<Sent>,
    not_before: Duration,
    /// Since when an answer is awaited.
    asked: Option<Duration>,
}

impl From<Place> for Mark {
    fn from(Place { file, offset }: Place) -> Self {
        Self { file, offset }
    }
}

impl From<Mark> for Place {
    fn from(Mark { file, offset }: Mark) -> Self {
        Self { file, offset }
    }
}

impl Uploader {
    /// Sends the log of this name.
    pub fn new(archive: Arc<Archive>, line: String, log: String) -> Self {
        Self {
            archive,
            line,
            log,
            up: None,
            stored: Mark::default(),
            looked: Mark::default(),
            sent: None,
            not_before: Duration::ZERO,
            asked: None,
        }
    }

    /// Takes what happened; says what to publish, on which connection. `now` grows while there is a connection.
    pub fn step(
        &mut self,
        events: impl IntoIterator<Item = Event>,
        now: Duration,
    ) -> archive::Result<Option<(u64, Vec<u8>)>> {
        for event in events {
            match event {
                Event::Up { generation } => {
                    self.up = Some(generation);
                    if let Some(sent) = &mut self.sent {
                        (sent.again, sent.tries) = (now, 0);
                    }
                }
                Event::Down => self.up = None,
                Event::Stored(stored) => self.heard(&stored, now),
            }
        }
        let Some(generation) = self.up.filter(|_| now >= self.not_before) else { return Ok(None) };
        if self.sent.is_none() {
            self.not_before = now + LOOK;
            let next = batch::next(&self.archive, &self.line, &self.log, self.stored, &mut self.looked)?;
            self.sent =
                next.map(|(payload, upto)| Sent { payload, after: self.stored, upto, again: now, tries: 0 });
        }
        let Some(sent) = self.sent.as_mut().filter(|sent| now >= sent.again) else { return Ok(None) };
        sent.again = now + (PATIENCE * 2_u32.saturating_pow(sent.tries)).min(LONGEST);
        sent.tries = (sent.tries + 1).min(16);
        self.asked.get_or_insert(now);
        Ok(Some((generation, sent.payload.clone())))
    }

    /// Whether the record has not answered for long.
    pub fn is_unanswered(&self, now: Duration) -> bool {
        self.asked.is_some_and(|asked| now >= asked + SILENT)
    }

    fn heard(&mut self, stored: &Stored, now: Duration) {
        if stored.line != self.line || stored.log != self.log {
            return;
        }
        self.asked = None;
        let wait = Duration::from_secs(stored.wait_s.unwrap_or(0).into()).min(LONGEST_WAIT);
        let upto = Mark::from(stored.upto);
        match &mut self.sent {
            Some(sent) if upto == sent.upto => self.go_on(upto, now + wait),
            // The answer to a batch before, once more; or a record that could not store this one, or that was away.
            Some(sent) if upto == sent.after => {
                if !wait.is_zero() {
                    (sent.again, sent.tries) = (now + wait, 0);
                } else if sent.tries > 1 {
                    (sent.again, sent.tries) = (now + AGAIN, 0);
                }
            }
            _ if upto > self.archive.end() => {
                tracing::warn!(
                    ?upto,
                    "the plant's record names a place that this log does not have: it is sent the log from its begin"
                );
                self.go_on(Mark::default(), now + wait.max(AGAIN));
            }
            None if upto == self.stored => self.not_before = self.not_before.max(now + wait),
            _ => self.go_on(upto, now + wait.max(AGAIN)),
        }
    }

    fn go_on(&mut self, from: Mark, not_before: Duration) {
        (self.stored, self.looked, self.sent, self.not_before) = (from, from, None, not_before);
    }
}
