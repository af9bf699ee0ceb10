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
mod rules;
#[cfg(test)]
mod tests;
mod verbs;
mod work;

pub use inbox::{Command, Inbox, Reply, Wish};
pub use rules::{Fitness, Probation, Rules};
pub use verbs::{VerbFault, activate, roll_back};

use crate::line::{BundleJudge, Judge, Judged, Judges, Line, NoJudge};
use crate::slots::{
    self, Error, Event, Found, Provisioned, Refusal, Release, Say, Site, Slots, State, Way, is_past,
    is_wanted, open_judge,
};
use coilsight_models::bundle::manifest::Manifest;
use coilsight_models::bundle::{Sha256, TrustedKeys};
use coilsight_models::message::model::Stage;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::Trouble;
use coilsight_models::verdict::Cause;
use jiff::Timestamp;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use work::{Done, Work};

/// Files that wait to be verified: more are answered "waiting".
const MAX_REQUESTS: usize = 4;
/// A set on probation lives once it has judged so many coils.
const LIVES: usize = 3;

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

/// What decides whether a bundle's front is worth receiving the rest: shared with whoever receives.
#[derive(Clone)]
pub struct Gate(Arc<Mutex<Inside>>);

struct Inside {
    keys: Option<TrustedKeys>,
    site: Site,
    state: State,
}

impl Gate {
    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
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
    /// The candidate, loaded.
    candidate: Option<Box<dyn Judge>>,
    probation: Probation,
    words: Vec<Word>,
    notices: Vec<Trouble>,
    /// Why the slots take no further change, if their disk failed.
    broken: Option<String>,
    /// Who asked for the rollback that is being prepared, and why.
    going_back: Option<(Option<String>, String)>,
}

impl Update {
    /// Opens the slots and whatever they hold: who decides, and earlier sets that open coils are bound to.
    ///
    /// `whom` says whom to believe, or why nobody can be; `factory` is the set that the machine was delivered with, taken
    /// in by the same checks if no set was ever active.
    pub fn open(
        slots: Slots,
        whom: Result<Provisioned, String>,
        site: Site,
        rules: Rules,
        factory: Option<&std::path::Path>,
        bound: &BTreeSet<String>,
        now: Option<Timestamp>,
    ) -> slots::Result<(Self, Judges)> {
        let state = State::default();
        let inbox = Inbox::over(slots.store().disk());
        let gate = Gate(Arc::new(Mutex::new(Inside { keys: None, site, state })));
        let mut update = Self {
            slots,
            rules,
            gate,
            inbox,
            work: None,
            requests: VecDeque::new(),
            candidate: None,
            probation: Probation::default(),
            words: Vec::new(),
            notices: Vec::new(),
            broken: None,
            going_back: None,
        };
        let mut nobody = match whom {
            Ok(whom) => {
                let keys = update.slots.believe(now, whom)?;
                update.gate.inside().keys = Some(keys);
                "no set was ever taken in: push one, or install one".to_owned()
            }
            // What was believed before is believed on.
            Err(why) => match update.slots.state().trust.clone().map(|d| TrustedKeys::of_document(*d)) {
                Some(Ok(keys)) => {
                    update.gate.inside().keys = Some(keys);
                    why
                }
                Some(Err(_)) | None => why,
            },
        };
        let active = match update.open_active(now)? {
            Some(judge) => Some(judge),
            None if update.slots.state().active.is_none() => {
                match factory.map(|file| update.first(file, now)) {
                    Some(Ok(judge)) => Some(judge),
                    Some(Err(why)) => {
                        nobody = format!("{nobody}; {why}");
                        None
                    }
                    None => None,
                }
            }
            None => {
                nobody = "the active set and the one before cannot be loaded: push or install one".into();
                None
            }
        };
        let active = active.unwrap_or_else(|| Box::new(NoJudge::new(nobody)));
        let binding = active.binding();
        let mut judges = Judges::from(active);
        for release in update.earlier(bound, &binding) {
            match open_judge(update.slots.store(), &release, &update.gate.site().limits) {
                Ok(judge) => judges = judges.with(Box::new(judge)),
                Err(error) => {
                    tracing::error!(error = %crate::say::chain(&error), "a set that open coils are bound to cannot be loaded");
                }
            }
        }
        update.told();
        Ok((update, judges))
    }

    /// Loads the active set; one that cannot be loaded, or that keeps the agent from working, goes back.
    fn open_active(&mut self, now: Option<Timestamp>) -> slots::Result<Option<Box<dyn Judge>>> {
        let limits = self.gate.site().limits;
        let Some(active) = self.slots.state().active.clone() else { return Ok(None) };
        if self.slots.state().probation.is_some() {
            self.slots.note(now, Event::Started)?;
        }
        let starts = self.slots.state().probation.unwrap_or(0);
        let loaded = if starts > self.rules.max_starts && self.slots.state().way_back().is_some() {
            Err(format!("the agent started {starts} times in a row without getting to judge with it"))
        } else {
            open_judge(self.slots.store(), &active, &limits).map_err(|error| crate::say::chain(&error))
        };
        let why = match loaded {
            Ok(judge) => return Ok(Some(Box::new(judge))),
            Err(why) => why,
        };
        tracing::error!(why, "the active set is not used");
        let Some(to) = self.slots.state().way_back().cloned() else { return Ok(None) };
        let judge = match open_judge(self.slots.store(), &to, &limits) {
            Ok(judge) => judge,
            Err(error) => {
                tracing::error!(error = %crate::say::chain(&error), "the last good set cannot be loaded either");
                return Ok(None);
            }
        };
        self.notice(
            format!("went back from {active} to {to}: {why}"),
            "find out why before it is pushed again",
        );
        self.slots.note(now, Event::RolledBack { from: active, to, why, by: None })?;
        Ok(Some(Box::new(judge)))
    }

    /// Takes in the set that the machine was delivered with.
    fn first(&mut self, file: &std::path::Path, now: Option<Timestamp>) -> Result<Box<dyn Judge>, String> {
        let keys = self.gate.keys().ok_or("nobody is believed")?;
        let path = self.inbox.bring(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let prepared =
            slots::prepare(self.slots.store(), &path, &keys, &self.gate.site(), self.slots.state());
        let found = prepared.map_err(|refusal| {
            self.slots.store().drop_file(&path);
            format!("{} is refused: {}", file.display(), crate::say::chain(&refusal))
        })?;
        let Found::Judge(prepared) = found else {
            self.slots.store().drop_file(&path);
            return Err(format!("{} brings no set", file.display()));
        };
        let release = prepared.release.clone();
        let activated = Event::Activated { release, why: "the first set of this line".into(), by: None };
        self.slots
            .stage(now, &prepared, Way::Factory)
            .and_then(|()| self.slots.note(now, activated))
            .map_err(|error| crate::say::chain(&error))?;
        Ok(Box::new(prepared.judge))
    }

    /// Sets that open coils are bound to, beside the active one.
    fn earlier(&self, bound: &BTreeSet<String>, active: &str) -> Vec<Release> {
        let known = |binding: &String| {
            let (set, policy) =
                binding.split_once('+').map_or((binding.as_str(), None), |(s, p)| (s, Some(p)));
            let digest = |text: &str| Sha256::try_from(text.to_owned()).ok();
            // Only what it needs to be loaded matters here.
            Some(Release {
                name: "earlier".into(),
                release: 0,
                floor: 0,
                not_after: Timestamp::MAX,
                set: digest(set)?,
                policy: match policy {
                    Some(policy) => Some(digest(policy)?),
                    None => None,
                },
            })
        };
        let slots = [&self.slots.state().active, &self.slots.state().last_good];
        let named = |binding: &String| {
            slots.iter().filter_map(|slot| slot.as_ref()).find(|r| r.binding() == *binding).cloned()
        };
        bound.iter().filter(|b| *b != active).filter_map(|b| named(b).or_else(|| known(b))).collect()
    }

    /// What whoever receives may ask.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// What is in the slots.
    pub fn state(&self) -> &State {
        self.slots.state()
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.rules
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
        if self.broken.is_some() {
            return;
        }
        if let Err(error) = self.advance(line, idle, now) {
            let why = crate::say::chain(&error);
            tracing::error!(why, "the models' slots take no further change");
            self.broken = Some(why);
        }
        self.told();
    }

    fn advance(&mut self, line: &mut Line, idle: bool, now: Option<Timestamp>) -> slots::Result<()> {
        for (asked, wish) in self.inbox.wishes() {
            self.wish(asked, wish, line, now)?;
        }
        if let Some(done) = self.work.as_mut().and_then(Work::poll) {
            self.work = None;
            self.done(done, line, now)?;
        }
        self.begin();
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
        if let (Some(_), Some(to)) = (&self.going_back, state.way_back()) {
            self.work = Some(Work::load(store, to.clone(), site.limits));
        } else if let (None, Some(waiting)) = (&self.candidate, &state.candidate) {
            self.work = Some(Work::load(store, waiting.release.clone(), site.limits));
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

    fn done(&mut self, done: Done, line: &mut Line, now: Option<Timestamp>) -> slots::Result<()> {
        match done {
            Done::Loaded { release, judge } => self.loaded(release, judge.map(|judge| *judge), line, now),
            Done::Prepared { request, found } => match found {
                Ok(Found::Judge(prepared)) => {
                    let active = self.slots.state().active.as_ref().map(|active| active.set);
                    // What the line was when this began may have changed meanwhile.
                    if prepared.release.policy.is_some() && active != Some(prepared.release.set) {
                        let other = coilsight_models::bundle::NotForHere::OtherSet {
                            meant: prepared.release.set,
                            here: active,
                        };
                        return self.refuse(&request, &other.into(), now);
                    }
                    if let Some(before) = self.slots.state().candidate.clone() {
                        let why = format!("{} came after it", prepared.release);
                        self.give_up(before.release, why, None, now)?;
                    }
                    self.slots.stage(now, &prepared, request.way.clone())?;
                    let release = prepared.release.clone();
                    self.answer(&request, Stage::Staged, Some(&release), format!("{release} is staged"), "");
                    self.candidate = Some(Box::new(prepared.judge));
                    if self.slots.state().active.is_none() {
                        return self.activate("the first set of this line".into(), None, line, now);
                    }
                    let coils = self.rules.shadow_coils;
                    let text = format!("{release} judges in shadow for {coils} coils");
                    self.answer(&request, Stage::Shadow, Some(&release), text, "");
                    Ok(())
                }
                Ok(Found::Trust { document, gist }) => {
                    let (version, way) = (document.version, request.way.clone());
                    let (signers, created_at) = (gist.signers, gist.created_at);
                    self.slots
                        .note(now, Event::Trusted { document: document.clone(), created_at, signers, way })?;
                    let keys = TrustedKeys::of_document(*document).expect("it was verified");
                    self.gate.inside().keys = Some(keys);
                    let text = format!("trust document {version} is in force");
                    self.notice(
                        text.clone(),
                        "nothing, if this was meant; else see `coilsight-agent bundle why`",
                    );
                    self.answer(&request, Stage::Active, None, text, "");
                    self.slots.store().drop_file(&request.path);
                    Ok(())
                }
                Ok(Found::Known { fingerprint, release }) => {
                    let state = self.slots.state();
                    let is = |slot: Option<&Release>| slot.is_some_and(|r| r.fingerprint() == fingerprint);
                    let stage = if is(state.candidate.as_ref().map(|c| &c.release)) {
                        Stage::Shadow
                    } else if is(state.last_good.as_ref()) {
                        Stage::Staged
                    } else {
                        Stage::Active
                    };
                    self.say(&request, stage, Some((fingerprint, release)), "it is here already".into(), "");
                    self.slots.store().drop_file(&request.path);
                    Ok(())
                }
                Err(refusal) => self.refuse(&request, &refusal, now),
            },
        }
    }

    fn loaded(
        &mut self,
        release: Release,
        judge: Result<BundleJudge, Refusal>,
        line: &mut Line,
        now: Option<Timestamp>,
    ) -> slots::Result<()> {
        if let Some((by, why)) = self.going_back.take_if(|_| self.slots.state().way_back() == Some(&release))
        {
            let from = self.slots.state().active.clone();
            return match (judge, from) {
                (Ok(judge), Some(from)) => self.went_back(from, release, Box::new(judge), why, by, line, now),
                (Err(error), _) => {
                    let why = crate::say::chain(&error);
                    self.notice(format!("cannot go back to {release}: {why}"), "push or install another set");
                    Ok(())
                }
                (Ok(_), None) => Ok(()),
            };
        }
        if self.slots.state().candidate.as_ref().is_none_or(|candidate| candidate.release != release) {
            return Ok(());
        }
        match judge {
            Ok(judge) => {
                self.candidate = Some(Box::new(judge));
                Ok(())
            }
            Err(error) => self.give_up(release, crate::say::chain(&error), None, now),
        }
    }

    fn refuse(&mut self, request: &Request, refusal: &Refusal, now: Option<Timestamp>) -> slots::Result<()> {
        let why = crate::say::chain(refusal);
        let what = match &request.way {
            Way::Broker { offer } => format!("the offered file {offer}"),
            Way::Person { .. } | Way::Factory => format!("the file {}", request.path),
        };
        self.slots
            .note(now, Event::refused(what.clone(), why.clone(), refusal.attack(), request.way.clone()))?;
        self.notice(
            format!("a bundle that came {} was refused: {why}", request.way),
            "see the text: it begins with what to do",
        );
        self.say(request, Stage::Refused, None, why, "");
        self.slots.store().drop_file(&request.path);
        Ok(())
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
        if self.slots.state().probation.is_some()
            && self.going_back.is_none()
            && self.slots.state().way_back().is_some()
            && let Some(why) = self.rules.of_probation(&self.probation)
        {
            self.going_back = Some((None, why));
            return Ok(());
        }
        let (Some(waiting), Some(_)) = (self.slots.state().candidate.clone(), &self.candidate) else {
            return Ok(());
        };
        match self.rules.of_shadow(&waiting.shadow) {
            Fitness::Open => Ok(()),
            Fitness::Fit(why) => self.activate(why, None, line, now),
            Fitness::Unfit(why) => self.give_up(waiting.release, why, None, now),
        }
    }

    /// The candidate decides from the next coil's start on.
    fn activate(
        &mut self,
        why: String,
        by: Option<String>,
        line: &mut Line,
        now: Option<Timestamp>,
    ) -> slots::Result<()> {
        let Some(waiting) = self.slots.state().candidate.clone() else { return Ok(()) };
        let Some(judge) = self.candidate.take() else { return Ok(()) };
        let release = waiting.release.clone();
        self.slots.note(now, Event::Activated { release: release.clone(), why: why.clone(), by })?;
        line.take_over(judge);
        self.probation = Probation::default();
        self.notice(
            format!("{release} decides from the next coil on: {why}"),
            "nothing; `coilsight-agent bundle rollback` goes back",
        );
        self.word_on(&waiting.way, Stage::Active, &release, format!("{release} decides: {why}"));
        self.slots.tidy(line.bindings())
    }

    fn give_up(
        &mut self,
        release: Release,
        why: String,
        by: Option<String>,
        now: Option<Timestamp>,
    ) -> slots::Result<()> {
        let way = self.slots.state().candidate.as_ref().map(|candidate| candidate.way.clone());
        self.slots.note(now, Event::Discarded { release: release.clone(), why: why.clone(), by })?;
        self.candidate = None;
        self.notice(
            format!("{release} was given up before it decided anything: {why}"),
            "see the text; the set before judges on",
        );
        if let Some(way) = way {
            self.word_on(&way, Stage::Refused, &release, format!("given up: {why}"));
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "each is another thing, and it is called once")]
    fn went_back(
        &mut self,
        from: Release,
        to: Release,
        judge: Box<dyn Judge>,
        why: String,
        by: Option<String>,
        line: &mut Line,
        now: Option<Timestamp>,
    ) -> slots::Result<()> {
        let event = Event::RolledBack { from: from.clone(), to: to.clone(), why: why.clone(), by };
        self.slots.note(now, event)?;
        line.take_over(judge);
        self.probation = Probation::default();
        let text = format!("went back from {from} to {to}: {why}");
        self.notice(text.clone(), "find out why before a release of it is pushed again");
        self.words.push(Word {
            offer: None,
            stage: Stage::RolledBack,
            fingerprint: Some(from.fingerprint()),
            release: Some(from.release),
            text,
            to_do: String::new(),
        });
        self.slots.tidy(line.bindings())
    }

    /// What a person at the machine asked for.
    fn wish(
        &mut self,
        asked: String,
        wish: Wish,
        line: &mut Line,
        now: Option<Timestamp>,
    ) -> slots::Result<()> {
        let Wish { by, why, command } = wish;
        let refused = |text: String| Reply { done: false, stage: Stage::Refused, text };
        let reply = match command {
            Command::Install { file } => {
                self.request(Request { path: file, way: Way::Person { by }, asked: Some(asked) });
                return Ok(());
            }
            Command::Activate => match (self.slots.state().candidate.clone(), self.candidate.is_some()) {
                (Some(waiting), true) => {
                    self.activate(why, Some(by), line, now)?;
                    Reply {
                        done: true,
                        stage: Stage::Active,
                        text: format!("{} decides from the next coil on", waiting.release),
                    }
                }
                (Some(waiting), false) => {
                    refused(format!("{} is still being loaded: try again in a moment", waiting.release))
                }
                (None, _) => refused(VerbFault::NoCandidate.to_string()),
            },
            Command::Rollback => match verbs::target(self.slots.state()) {
                Ok((from, to)) => {
                    let (from, to) = (from.clone(), to.clone());
                    self.going_back = Some((Some(by), why));
                    Reply {
                        done: true,
                        stage: Stage::RolledBack,
                        text: format!("going back from {from} to {to}"),
                    }
                }
                Err(fault) => refused(fault.to_string()),
            },
        };
        self.inbox.reply(&asked, &reply);
        Ok(())
    }

    fn answer(
        &mut self,
        request: &Request,
        stage: Stage,
        release: Option<&Release>,
        text: String,
        to_do: &str,
    ) {
        self.say(request, stage, release.map(|r| (r.fingerprint(), r.release)), text, to_do);
    }

    fn say(
        &mut self,
        request: &Request,
        stage: Stage,
        known: Option<(Sha256, u64)>,
        text: String,
        to_do: &str,
    ) {
        if let Some(asked) = &request.asked {
            self.inbox.reply(asked, &Reply { done: stage.is_staged(), stage, text: text.clone() });
        }
        let offer = if let Way::Broker { offer } = &request.way { Some(*offer) } else { None };
        let (fingerprint, release) = known.unzip();
        self.words.push(Word { offer, stage, fingerprint, release, text, to_do: to_do.into() });
    }

    fn word_on(&mut self, way: &Way, stage: Stage, release: &Release, text: String) {
        let offer = if let Way::Broker { offer } = way { Some(*offer) } else { None };
        let (fingerprint, number) = (Some(release.fingerprint()), Some(release.release));
        self.words.push(Word { offer, stage, fingerprint, release: number, text, to_do: String::new() });
    }

    fn notice(&mut self, text: String, to_do: &str) {
        self.notices.push(Trouble { topic: Subject::Model, text, to_do: to_do.into() });
    }

    /// Lets whoever receives know what has changed.
    fn told(&mut self) {
        self.gate.inside().state = self.slots.state().clone();
    }

    /// What is to be said of bundles, since the last call.
    pub fn words(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.words)
    }

    /// What a person should know, since the last call.
    pub fn notices(&mut self) -> Vec<Trouble> {
        std::mem::take(&mut self.notices)
    }

    /// What is not as it should be, for as long as it lasts.
    pub fn troubles(&self, now: Option<Timestamp>) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        let state = self.slots.state();
        if let Some(active) = state.active.as_ref().filter(|active| is_past(active, now, state.signed_time)) {
            troubles.push(Trouble {
                topic: Subject::Model,
                text: format!(
                    "{active} was meant to be used until {}: newer ones may be kept from this line (freeze)",
                    active.not_after
                ),
                to_do: "it judges on; ask the trainer's people for a newer release, or why none comes".into(),
            });
        }
        if let Some(why) = &self.broken {
            troubles.push(Trouble {
                topic: Subject::Storage,
                text: format!("no bundle can be taken in or given up: {why}"),
                to_do: "see to the disk, then restart the agent; the active set judges on".into(),
            });
        }
        if !self.slots.gaps().is_empty() || state.unknown > 0 {
            troubles.push(Trouble {
                topic: Subject::Storage,
                text:
                    "part of the models' trail cannot be read: counters and keys may be older than they were"
                        .into(),
                to_do:
                    "keep the folder for the maker; put the newest trust document at the line (bundle.trust)"
                        .into(),
            });
        }
        troubles
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

impl From<Error> for VerbFault {
    fn from(error: Error) -> Self {
        Self::Slots(error)
    }
}
