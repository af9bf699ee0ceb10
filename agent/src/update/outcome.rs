//! What follows from a file that was verified, a set that was loaded, or a person's wish.

use super::moves::{GoingBack, Why};
use super::work::Done;
use super::{Command, Reply, Request, Update, Wish, verbs};
use crate::line::{BundleJudge, Line};
use crate::slots::{self, Event, Found, Refusal, Release, Way};
use coilsight_models::bundle::Attack;
use coilsight_models::message::model::Stage;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// Refusals in the trail within an hour.
const MAX_REFUSALS: usize = 20;

impl Update {
    pub(super) fn done(&mut self, done: Done, line: &mut Line, now: Option<Timestamp>) -> slots::Result<()> {
        match done {
            Done::Loaded { release, judge } => self.loaded(&release, judge.map(|judge| *judge), line, now),
            Done::Died { request } => {
                tracing::error!("the thread that verifies and loads bundles died: please report this");
                match request {
                    Some(request) => self.refuse(&request, &Refusal::Died, now),
                    None if self.going_back.is_some() => {
                        self.no_way_back = self.going_back.take().map(|going| going.to);
                        Ok(())
                    }
                    None => self.give_up(Why::rule("its models could not be loaded"), now),
                }
            }
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
                    if self.slots.state().candidate.is_some() {
                        let why = format!("{} came after it", prepared.release);
                        self.give_up(Why::rule(why), now)?;
                    }
                    self.slots.stage(now, &prepared, request.way.clone())?;
                    self.slots.store().drop_file(&request.path);
                    let release = prepared.release.clone();
                    self.word_on(&request.way, Stage::Staged, &release, format!("{release} is staged"));
                    self.candidate = Some(Box::new(prepared.judge));
                    if let Some(why) = self.needs_nothing() {
                        self.activate(why, line, now)?;
                        self.reply(
                            &request,
                            Stage::Active,
                            format!("{release} decides from the next coil on"),
                        );
                        return Ok(());
                    }
                    let coils = self.rules.shadow_coils;
                    let text = format!("{release} judges in shadow for {coils} coils");
                    self.answer(&request, Stage::Shadow, Some(&release), text, "");
                    Ok(())
                }
                Ok(Found::Trust { document, gist }) => {
                    let (version, limits) = (document.version, self.gate.site().limits);
                    let waited = self.slots.state().candidate.clone();
                    let keys = self.slots.trust(now, &document, gist, request.way.clone(), &limits)?;
                    if let Some(waited) = waited.filter(|_| self.slots.state().candidate.is_none()) {
                        self.gave_up(&waited, "the keys that are believed now do not suffice for it");
                    }
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
                        Stage::Refused
                    } else {
                        Stage::Active
                    };
                    let text = if stage == Stage::Refused {
                        "go back to it with `coilsight-agent bundle rollback`: it is the last good set here already"
                    } else {
                        "it is here already"
                    };
                    self.say(&request, stage, Some((fingerprint, release)), text.into(), "");
                    self.slots.store().drop_file(&request.path);
                    Ok(())
                }
                Err(refusal) => self.refuse(&request, &refusal, now),
            },
        }
    }

    pub(super) fn loaded(
        &mut self,
        release: &Release,
        judge: Result<BundleJudge, Refusal>,
        line: &mut Line,
        now: Option<Timestamp>,
    ) -> slots::Result<()> {
        if let Some(going) = self.going_back.take_if(|going| going.to == *release) {
            let asked = going.asked.clone();
            let (from, to) = (going.from, going.to);
            return match judge {
                Ok(judge) => {
                    self.go_back(to.clone(), Box::new(judge), going.why, line, now)?;
                    let text = format!("{to} decides again from the next coil on, instead of {from}");
                    self.reply_to(asked.as_deref(), true, Stage::RolledBack, text);
                    Ok(())
                }
                Err(error) => {
                    let text = format!("cannot go back to {to}: {}", crate::say::chain(&error));
                    self.notice(text.clone(), "push or install another set");
                    self.reply_to(asked.as_deref(), false, Stage::Refused, text);
                    self.no_way_back = Some(to);
                    Ok(())
                }
            };
        }
        if self.slots.state().candidate.as_ref().is_none_or(|candidate| candidate.release != *release) {
            return Ok(());
        }
        match judge {
            Ok(judge) => {
                self.candidate = Some(Box::new(judge));
                match self.needs_nothing() {
                    Some(why) => self.activate(why, line, now),
                    None => Ok(()),
                }
            }
            Err(error) => self.give_up(Why::rule(crate::say::chain(&error)), now),
        }
    }

    /// Why the candidate need not prove itself beside anybody, if it need not.
    fn needs_nothing(&self) -> Option<Why> {
        if self.slots.state().active.is_none() {
            Some(Why::rule("the first set of this line"))
        } else if self.nobody {
            Some(Why::rule("nobody judges: the active set cannot be loaded"))
        } else {
            None
        }
    }

    pub(super) fn refuse(
        &mut self,
        request: &Request,
        refusal: &Refusal,
        now: Option<Timestamp>,
    ) -> slots::Result<()> {
        let why = crate::say::chain(refusal);
        self.note_refusal(&request.way, why.clone(), refusal.attack(), now)?;
        self.say(request, Stage::Refused, None, why, "");
        self.slots.store().drop_file(&request.path);
        Ok(())
    }

    /// A refusal stands in the trail and a person hears of it; not of hundreds, or whoever offers rubbish fills the disk.
    pub(super) fn note_refusal(
        &mut self,
        way: &Way,
        why: String,
        attack: Option<Attack>,
        now: Option<Timestamp>,
    ) -> slots::Result<()> {
        let hour = Duration::from_hours(1);
        while self.refusals.front().is_some_and(|at| at.elapsed() > hour) {
            self.refusals.pop_front();
        }
        if self.refusals.len() >= MAX_REFUSALS {
            tracing::warn!(%way, why, "a bundle is refused; not in the trail, for too many were within the hour");
            return Ok(());
        }
        self.refusals.push_back(Instant::now());
        let what = match way {
            Way::Broker { offer } => format!("the file {offer}"),
            Way::Person { .. } | Way::Factory => "a file".to_owned(),
        };
        self.notice(
            format!("a bundle that came {way} was refused: {why}"),
            "the text begins with what to do",
        );
        self.slots.note(now, Event::refused(what, why, attack, way.clone()))
    }

    /// What a person at the machine asked for.
    pub(super) fn wish(
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
            Command::Activate { fingerprint } => match verbs::candidate(self.slots.state(), fingerprint) {
                Ok(release) if self.candidate.is_some() => {
                    let text = format!("{release} decides from the next coil on");
                    self.activate(Why::person(why, by), line, now)?;
                    Reply { done: true, stage: Stage::Active, text }
                }
                Ok(release) => refused(format!("{release} is still being loaded: try again in a moment")),
                Err(fault) => refused(fault.to_string()),
            },
            Command::Rollback { fingerprint } => match verbs::way_back(self.slots.state(), fingerprint) {
                // Answered once it has happened.
                Ok((from, to)) => {
                    let (from, to, why) = (from.clone(), to.clone(), Why::person(why, by));
                    self.going_back = Some(GoingBack { from, to, why, asked: Some(asked) });
                    return Ok(());
                }
                Err(fault) => refused(fault.to_string()),
            },
        };
        self.inbox.reply(&asked, &reply);
        Ok(())
    }
}
