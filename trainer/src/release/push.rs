//! Sends a bundle to a line: offers it, sends the pieces that the line asks for, and hears what becomes of it.
//!
//! [`Push`] is all of the protocol: messages and time in, publications out; no socket and no clock. [`run()`] puts it
//! on a broker and connects again when the connection is lost; [`read_state`] reads what the line has in its slots.

pub mod broker;
mod file;
mod link;
mod run;

pub use broker::Broker;
pub use file::BundleFile;
pub(crate) use link::Link;
pub use run::{read_state, run};

use coilsight_models::bundle::Sha256;
use coilsight_models::message::model::{Answer, MAX_WINDOW, Offer, Stage, State, Want, Way};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Without a sign of life from the line it is offered again.
const OFFER_EVERY: Duration = Duration::from_secs(10);
/// So long after the offer the line's state is taken for an answer that was lost. Not before: a line that has begun to
/// receive must hear the end of it, or it would wait for pieces and take no other bundle.
const ANSWER_LOST: Duration = Duration::from_secs(5);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Awaited {
    /// The line has verified the bundle and keeps it for its turn.
    Staged,
    /// The bundle decides.
    Active,
}

/// What to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// The offer.
    Offer,
    /// A piece of the file.
    Piece(u32),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// As awaited.
    Reached(Word),
    /// The line does not take it, or went back to the set before.
    Refused(Word),
}

/// The line's word on the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// How far it is.
    pub stage: Stage,
    /// What happened.
    pub text: String,
    /// What to do; empty if nothing is.
    pub to_do: String,
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.to_do.is_empty() {
            f.write_str(&self.text)
        } else {
            write!(f, "{}: {}", self.to_do, self.text)
        }
    }
}

/// A push on its way.
#[derive(Debug)]
pub struct Push {
    offer: Offer,
    fingerprint: Sha256,
    awaited: Awaited,
    /// The last want on this connection.
    asked: Option<Want>,
    /// Everything before it was sent on this connection.
    next: u32,
    to_send: VecDeque<u32>,
    /// Sent, and not yet taken by the broker.
    in_flight: BTreeSet<u32>,
    have: u32,
    word: Option<Word>,
    /// What the line's slots say of the bundle, until the line itself does.
    stands: Option<Word>,
    /// Whether the line itself has said anything to this push.
    spoken: bool,
    /// When the offer was last said, or the line last heard; `None`: offer at once.
    heard: Option<Duration>,
    connected: bool,
    end: Option<End>,
}

impl Push {
    /// A push of what is offered; `fingerprint` is the bundle's, by which the line's state names it.
    pub fn new(offer: Offer, fingerprint: Sha256, awaited: Awaited) -> Self {
        Self {
            offer,
            fingerprint,
            awaited,
            asked: None,
            next: 0,
            to_send: VecDeque::new(),
            in_flight: BTreeSet::new(),
            have: 0,
            word: None,
            stands: None,
            spoken: false,
            heard: None,
            connected: false,
            end: None,
        }
    }

    /// What is offered.
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Pieces that the line has stored, as far as it has said.
    pub fn have(&self) -> u32 {
        self.have
    }

    /// The line's last word.
    pub fn word(&self) -> Option<&Word> {
        self.word.as_ref()
    }

    /// How it ended, once it has.
    pub fn ended(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// There is a connection: what was sent on another may be lost.
    pub fn connected(&mut self) {
        self.asked = None;
        self.to_send.clear();
        self.in_flight.clear();
        (self.next, self.heard, self.connected) = (0, None, true);
    }

    /// There is none.
    pub fn disconnected(&mut self) {
        self.connected = false;
    }

    /// Takes what the line says. What cannot be read, or is about another file, changes nothing.
    pub fn hear(&mut self, way: Way, payload: &[u8], now: Duration) {
        match way {
            Way::Want => {
                if let Ok(want) = Want::parse(payload) {
                    self.wanted(want, now);
                }
            }
            Way::Answer => {
                if let Ok(answer) = Answer::parse(payload) {
                    self.answered(answer, now);
                }
            }
            Way::State => {
                if let Ok(state) = State::parse(payload) {
                    self.stands(&state);
                }
            }
            Way::Offer | Way::Piece => {}
        }
    }

    /// The broker has taken a piece.
    pub fn taken(&mut self, index: u32) {
        self.in_flight.remove(&index);
    }

    /// What to publish now.
    pub fn due(&mut self, now: Duration) -> Vec<Say> {
        let mut due = Vec::new();
        if !self.connected || self.end.is_some() {
            return due;
        }
        // A state alone may be what the broker kept of a line that is gone.
        if self.spoken
            && self.heard.is_some_and(|heard| now >= heard + ANSWER_LOST)
            && let Some(word) = self.stands.take()
        {
            self.says(word);
            return due;
        }
        let staged = self.word.as_ref().is_some_and(|word| word.stage.is_staged());
        let silent = self.heard.is_none_or(|heard| !staged && now >= heard + OFFER_EVERY);
        if silent {
            self.heard = Some(now);
            due.push(Say::Offer);
        }
        while self.in_flight.len() < MAX_WINDOW as usize
            && let Some(index) = self.to_send.pop_front()
        {
            self.in_flight.insert(index);
            due.push(Say::Piece(index));
        }
        due
    }

    fn wanted(&mut self, want: Want, now: Duration) {
        let pieces = self.offer.pieces();
        if want.offer != self.offer.offer || want.from >= pieces {
            return;
        }
        (self.heard, self.spoken) = (Some(now), true);
        let end = want.from.saturating_add(want.count).min(pieces);
        // If the line has come further, what was sent before is on its way; if not, it has been lost.
        let further = self.asked.is_some_and(|asked| want.from > asked.from);
        let from = if further { want.from.max(self.next) } else { want.from };
        let on_its_way = |index: &u32| self.in_flight.contains(index);
        self.to_send.retain(|index| (want.from..end).contains(index));
        let more: Vec<u32> =
            (from..end).filter(|index| !on_its_way(index) && !self.to_send.contains(index)).collect();
        self.to_send.extend(more);
        self.next = if further { self.next.max(end) } else { end };
        (self.asked, self.have) = (Some(want), want.from);
    }

    fn answered(&mut self, answer: Answer, now: Duration) {
        let ours = answer.offer == self.offer.offer || answer.fingerprint == Some(self.fingerprint);
        if !ours || self.end.is_some() {
            return;
        }
        (self.heard, self.stands, self.spoken) = (Some(now), None, true);
        self.have = self.have.max(answer.have.min(self.offer.pieces()));
        self.says(Word { stage: answer.state, text: answer.text, to_do: answer.to_do });
    }

    fn says(&mut self, word: Word) {
        let reached = match self.awaited {
            Awaited::Staged => word.stage.is_staged() && word.stage != Stage::RolledBack,
            Awaited::Active => word.stage == Stage::Active,
        };
        if reached {
            self.end = Some(End::Reached(word.clone()));
        } else if matches!(word.stage, Stage::Refused | Stage::RolledBack) {
            self.end = Some(End::Refused(word.clone()));
        }
        if word.stage.is_staged() {
            self.have = self.offer.pieces();
        }
        self.word = Some(word);
    }

    /// What stands in the line's slots says it, too: an answer may have been lost.
    fn stands(&mut self, state: &State) {
        let is = |slot: &Option<_>| {
            slot.as_ref().is_some_and(|slot: &coilsight_models::message::model::Slot| {
                slot.fingerprint == self.fingerprint
            })
        };
        let (stage, text) = if is(&state.active) {
            (Stage::Active, "it decides, by the line's state")
        } else if is(&state.candidate) {
            (Stage::Staged, "it is kept for its turn, by the line's state")
        } else {
            return;
        };
        if self.end.is_some() {
            return;
        }
        let word = Word { stage, text: text.into(), to_do: String::new() };
        match self.word.as_ref().map(|word| word.stage) {
            Some(known) if known.is_staged() || known == Stage::Received => {
                if stage == Stage::Active || known == Stage::Received {
                    self.says(word);
                }
            }
            _ => self.stands = Some(word),
        }
    }
}

#[cfg(test)]
mod tests;
