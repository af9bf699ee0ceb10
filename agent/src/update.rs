//! Sets come and go: verified beside the line, staged, judging in shadow, taking over at a coil's start, and going back
//! by themselves if they do not prove themselves. What is in which slot is [`crate::slots`]'s; here is what moves it.
//!
//! ```text
//!   file --prepare--> candidate --shadow--> active --probation--> proved
//!            |            |                    |
//!         refused     given up            rolled back to the last good set
//! ```
//!
//! [`Update::step`] is called by the line's thread and never waits: files are read, verified and loaded on a thread of
//! their own, a coil is judged in shadow only when the line has nothing else to do.

mod gate;
mod inbox;
mod moves;
mod open;
mod outcome;
mod rules;
#[cfg(test)]
mod tests;
mod trial;
mod verbs;
mod words;
mod work;

pub use gate::{Came, Gate, Request, Said, Word};
pub use inbox::{Command, Inbox, Reply, Wish};
pub use rules::{Fitness, Probation, Rules};
pub use verbs::{Verb, VerbFault, activate, chosen, roll_back};

use crate::archive::Disk;
use crate::line::{Judge, Line};
use crate::slots::{self, Event, Release, Slots, State, Way};
use coilsight_models::message::model::Stage;
use coilsight_models::message::status::Trouble;
use jiff::Timestamp;
use moves::GoingBack;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};
use work::Work;

/// Files that wait to be verified: more are answered "waiting".
const MAX_REQUESTS: usize = 4;
/// After the disk had no room, the next try.
const PAUSE: Duration = Duration::from_secs(30);

/// What moves the slots.
pub struct Update {
    slots: Slots,
    rules: Rules,
    gate: Gate,
    inbox: Inbox,
    work: Option<Work>,
    requests: VecDeque<Request>,
    /// To and from whoever receives over the broker.
    broker: Option<(Sender<Said>, Receiver<Came>)>,
    /// The candidate, loaded.
    candidate: Option<Box<dyn Judge>>,
    probation: Probation,
    words: Vec<Word>,
    notices: Vec<Trouble>,
    /// Why the slots take no further change, if their disk failed.
    broken: Option<String>,
    /// The way back that is being loaded.
    going_back: Option<GoingBack>,
    /// A set that could not be loaded when the line was to go back to it: not tried again and again.
    no_way_back: Option<Release>,
    /// The disk had no room: nothing is tried before.
    paused_until: Option<Instant>,
    /// Whether nobody judges, so that a set that comes need not prove itself beside somebody.
    nobody: bool,
    /// What a person at the machine wants believed, and is not.
    distrusted: Option<String>,
    /// Why no bundle comes over the broker, if none can.
    deaf: Option<String>,
    /// When bundles were refused, within the last hour.
    refusals: VecDeque<Instant>,
    /// The store may hold what nothing names any more.
    untidy: bool,
}

impl Update {
    /// What whoever receives may ask.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// What is in the slots.
    pub fn state(&self) -> &State {
        self.slots.state()
    }

    /// The slots' disk, for whoever brings files together on it.
    pub fn disk(&self) -> Arc<dyn Disk> {
        Arc::clone(self.slots.store().disk())
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// From here on files come from `came` as well, and what becomes of them is told.
    pub fn receive(&mut self, told: Sender<Said>, came: Receiver<Came>) {
        self.broker = Some((told, came));
    }

    /// The orderly end: this start was no sign of a set that keeps the agent from working.
    pub fn stop(&mut self, now: Option<Timestamp>) {
        if self.slots.state().probation.is_some_and(|starts| starts > 0)
            && self.broken.is_none()
            && let Err(error) = self.slots.note(now, Event::Lived)
        {
            tracing::warn!(error = %crate::say::chain(&error), "the orderly stop is not in the trail");
        }
    }

    /// No bundle can come over the broker until the next start.
    pub fn cannot_receive(&mut self, why: &str) {
        tracing::error!(why, "no bundle can be received over the broker");
        self.deaf = Some(why.to_owned());
    }

    /// A complete file wants to be taken in.
    pub fn request(&mut self, request: Request) {
        if self.requests.len() >= MAX_REQUESTS {
            let text = "other bundles are being verified".to_owned();
            self.answer(&request, Stage::Waiting, None, text, "offer it again in a minute");
            self.slots.store().drop_file(&request.path);
            return;
        }
        self.requests.push_back(request);
    }

    /// Moves what can be moved without waiting. `idle` says that the line has nothing else to do.
    pub fn step(&mut self, line: &mut Line, idle: bool, now: Option<Timestamp>) {
        self.nobody = line.judge().absent().is_some();
        if self.paused_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.paused_until = None;
        if let Some(why) = self.broken.clone() {
            self.turn_away(&why);
            self.told();
            return;
        }
        if let Err(error) = self.advance(line, idle, now) {
            let why = crate::say::chain(&error);
            if error.is_full() {
                tracing::warn!(why, "no room for the models' slots: tried again in a while");
                self.paused_until = Some(Instant::now() + PAUSE);
                self.notice(
                    format!("no bundle is taken in or given up for now: {why}"),
                    "make room on the disk",
                );
            } else {
                tracing::error!(why, "the models' slots take no further change");
                self.broken = Some(why);
            }
        }
        self.told();
    }

    /// Nothing can be changed: whoever asks is told so.
    fn turn_away(&mut self, why: &str) {
        let text = format!("no bundle can be taken in until the agent has been restarted: {why}");
        let came: Vec<Came> =
            self.broker.iter().flat_map(|(_, came)| came.try_iter().take(MAX_REQUESTS)).collect();
        for came in came {
            if let Came::File(request) = came {
                self.answer(&request, Stage::Waiting, None, text.clone(), "see to the disk");
                self.slots.store().drop_file(&request.path);
            }
        }
        for (asked, _) in self.inbox.wishes() {
            self.inbox.reply(&asked, &Reply { done: false, stage: Stage::Refused, text: text.clone() });
        }
    }

    fn advance(&mut self, line: &mut Line, idle: bool, now: Option<Timestamp>) -> slots::Result<()> {
        let came: Option<Vec<Came>> =
            self.broker.as_ref().map(|(_, came)| came.try_iter().take(MAX_REQUESTS).collect());
        for came in came.unwrap_or_default() {
            match came {
                Came::File(request) => self.request(request),
                Came::Refused { offer, why, attack } => {
                    self.note_refusal(&Way::Broker { offer }, why, attack, now)?;
                }
            }
        }
        for (asked, wish) in self.inbox.wishes() {
            self.wish(asked, wish, line, now)?;
        }
        if let Some(done) = self.work.as_mut().and_then(Work::poll) {
            self.work = None;
            self.done(done, line, now)?;
        }
        self.begin();
        if self.untidy && self.work.is_none() {
            self.untidy = false;
            if let Err(error) = self.slots.tidy(line.bindings()) {
                tracing::warn!(error = %crate::say::chain(&error), "bundles that nothing names stay until the next change");
            }
        }
        line.keep_judged(self.candidate.is_some() || self.slots.state().probation.is_some());
        if idle && let Some(judged) = line.take_judged() {
            self.observe(&judged, now)?;
            self.second_opinion(&judged, now)?;
            self.decide(line, now)?;
        } else if self.rules.shadow_coils == 0 {
            self.decide(line, now)?;
        }
        Ok(())
    }

    /// Begins the next work beside the line, if there is some and none is going on.
    fn begin(&mut self) {
        let nothing = self.going_back.is_none()
            && self.requests.is_empty()
            && (self.candidate.is_some() || self.slots.state().candidate.is_none());
        if self.work.is_some() || nothing {
            return;
        }
        let store = self.slots.store().clone();
        let (site, state) = (self.gate.site(), self.slots.state().clone());
        let stale =
            |g: &mut GoingBack| state.active.as_ref() != Some(&g.from) || state.way_back() != Some(&g.to);
        if let Some(GoingBack { from, to, asked, .. }) = self.going_back.take_if(stale) {
            let text = format!("not gone back from {from} to {to}: the slots have changed meanwhile");
            self.reply_to(asked.as_deref(), false, Stage::Refused, text);
        }
        if let Some(GoingBack { to, .. }) = &self.going_back {
            self.work = Some(Work::load(store, to.clone()));
        } else if let (None, Some(waiting)) = (&self.candidate, &state.candidate) {
            self.work = Some(Work::load(store, waiting.release.clone()));
        } else if let Some(request) = self.requests.pop_front() {
            let Some(keys) = self.gate.keys() else {
                let text = "this line believes nobody yet".to_owned();
                self.answer(
                    &request,
                    Stage::Refused,
                    None,
                    text,
                    "put a trust document at the line (bundle.trust)",
                );
                self.slots.store().drop_file(&request.path);
                return;
            };
            self.work = Some(Work::prepare(store, request, keys, site, state));
        }
    }
}
