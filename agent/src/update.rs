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

mod inbox;
mod moves;
mod open;
mod outcome;
mod rules;
#[cfg(test)]
mod tests;
mod verbs;
mod words;
mod work;

pub use inbox::{Command, Inbox, Reply, Wish};
pub use rules::{Fitness, Probation, Rules};
pub use verbs::{VerbFault, activate, roll_back};

use crate::archive::Disk;
use crate::line::{Judge, Judged, Line};
use crate::slots::{self, Event, Refusal, Release, Say, Site, Slots, State, Way, is_wanted};
use coilsight_models::bundle::manifest::Manifest;
use coilsight_models::bundle::{Attack, Sha256, TrustedKeys};
use coilsight_models::message::model::Stage;
use coilsight_models::message::status::Trouble;
use coilsight_models::verdict::Cause;
use jiff::Timestamp;
use moves::{GoingBack, Why};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use work::Work;

/// Files that wait to be verified: more are answered "waiting".
const MAX_REQUESTS: usize = 4;
/// A set on probation lives once it has judged so many coils.
const LIVES: usize = 3;
/// After the disk had no room, the next try.
const PAUSE: Duration = Duration::from_secs(30);

/// A file that is complete and wants to be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where it lies, on the slots' disk.
    pub path: String,
    /// How it came.
    pub way: Way,
    /// Who waits at the command line.
    pub asked: Option<String>,
}

/// What is to be said of a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The file, if it came over the broker.
    pub offer: Option<Sha256>,
    /// How far it is.
    pub stage: Stage,
    /// What it is called by, where that is known.
    pub fingerprint: Option<Sha256>,
    /// Its release, where that is known.
    pub release: Option<u64>,
    /// What happened.
    pub text: String,
    /// What to do; empty if nothing is.
    pub to_do: String,
}

/// What came over the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// A complete file.
    File(Request),
    /// The beginning of one that is not wanted.
    Refused {
        /// What the file was called by.
        offer: Sha256,
        /// Why.
        why: String,
        /// The attack that was stopped, if it looks like one.
        attack: Option<Attack>,
    },
}

/// What is said to whoever receives bundles.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Of a bundle.
    Word(Word),
    /// What is in the slots now.
    Slots(Box<State>),
}

/// What decides whether a bundle's front is worth receiving the rest: shared with whoever receives.
#[derive(Clone)]
pub struct Gate(Arc<Mutex<Inside>>);

struct Inside {
    keys: Option<TrustedKeys>,
    site: Site,
    state: State,
}

impl Gate {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys that are believed, if any.
    pub fn keys(&self) -> Option<TrustedKeys> {
        self.inside().keys.clone()
    }

    /// Caps and names of the place.
    pub fn site(&self) -> Site {
        self.inside().site.clone()
    }

    /// What is in the slots.
    pub fn state(&self) -> State {
        self.inside().state.clone()
    }

    /// Whether a verified manifest is meant for this line as it is now.
    pub fn is_wanted(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let inside = self.inside();
        is_wanted(manifest, &inside.site, &inside.state)
    }
}

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
    /// Who asked for the rollback that is being prepared, and why.
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
        if self.work.is_some() {
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

    /// What a coil says of a set on probation.
    fn observe(&mut self, judged: &Judged, now: Option<Timestamp>) -> slots::Result<()> {
        let Some(starts) = self.slots.state().probation else { return Ok(()) };
        let a = &judged.assessment;
        let by_models = |cause: &Cause| {
            matches!(
                cause,
                Cause::OverThreshold { .. } | Cause::InReviewBand { .. } | Cause::UnlikeTraining { .. }
            )
        };
        self.probation.judged += 1;
        self.probation.faults += usize::from(a.p_nok.is_none());
        self.probation.not_ok += usize::from(a.reasons.iter().any(|reason| by_models(&reason.cause)));
        self.probation.took_ms.push(a.timing.judged_in_ms);
        if self.probation.judged == LIVES && starts > 0 {
            self.slots.note(now, Event::Lived)?;
        }
        if self.probation.judged < self.rules.probation_coils
            || self.rules.of_probation(&self.probation).is_some()
        {
            return Ok(());
        }
        if let Some(release) = self.slots.state().active.clone() {
            let coils = self.probation.judged as u64;
            self.slots.note(now, Event::Confirmed { release, coils })?;
        }
        Ok(())
    }

    /// The candidate's word on a coil that is decided; nothing follows from it but the trail's entry.
    fn second_opinion(&mut self, judged: &Judged, now: Option<Timestamp>) -> slots::Result<()> {
        let Some(candidate) = &mut self.candidate else { return Ok(()) };
        let a = &judged.assessment;
        let active = Say { by_score: a.by_score, p_nok: a.p_nok, took_ms: a.timing.judged_in_ms };
        let began = Instant::now();
        let scores = candidate.scores(&judged.matrix, judged.order.as_ref()).ok();
        let took_ms = (began.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let p_nok = scores.map(|scores| scores.p_nok);
        let by_score =
            coilsight_models::verdict::judge(p_nok, judged.order.as_ref(), Vec::new(), candidate.policy())
                .by_score;
        let candidate = Say { by_score, p_nok, took_ms };
        let decision_id = a.decision_id.clone();
        self.slots.note(now, Event::Shadowed { decision_id, active, candidate })
    }

    /// Whether a set takes over, is given up, or goes back.
    fn decide(&mut self, line: &mut Line, now: Option<Timestamp>) -> slots::Result<()> {
        if self.going_back.is_some() {
            return Ok(());
        }
        let state = self.slots.state();
        if let (Some(_), Some(from), Some(to)) = (state.probation, &state.active, state.way_back())
            && self.no_way_back.as_ref() != Some(to)
            && let Some(why) = self.rules.of_probation(&self.probation)
        {
            let (from, to) = (from.clone(), to.clone());
            self.going_back = Some(GoingBack { from, to, why: Why::rule(why), asked: None });
            return Ok(());
        }
        let (Some(waiting), Some(_)) = (self.slots.state().candidate.clone(), &self.candidate) else {
            return Ok(());
        };
        match self.rules.of_shadow(&waiting.shadow) {
            Fitness::Open => Ok(()),
            Fitness::Fit(why) => self.activate(Why::rule(why), line, now),
            Fitness::Unfit(why) => self.give_up(Why::rule(why), now),
        }
    }

    /// Waits until nothing is being done beside the line, for at most `patience`: for tests and the command line.
    pub fn settle(&mut self, line: &mut Line, now: Option<Timestamp>, patience: Duration) {
        let until = Instant::now() + patience;
        loop {
            self.step(line, true, now);
            if (self.work.is_none() && self.requests.is_empty() && self.going_back.is_none())
                || Instant::now() >= until
            {
                return;
            }
            if let Some(work) = &mut self.work {
                work.wait(until);
            }
        }
    }
}
