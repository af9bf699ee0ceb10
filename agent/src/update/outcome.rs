//! What follows from a file that was verified, a set that was loaded, or a person's wish.

use super::moves::Why;
use super::work::Done;
use super::{Command, Reply, Request, Update, VerbFault, Wish, verbs};
use crate::line::{BundleJudge, Line};
use crate::slots::{self, Event, Found, Refusal, Release, Way};
use coilsight_models::bundle::{Attack, TrustedKeys};
use coilsight_models::message::model::Stage;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// Refusals in the trail within an hour.
const MAX_REFUSALS: usize = 20;

impl Update {
    pub(super) fn done(&mut self, done: Done, line: &mut Line, now: Option<Timestamp>) -> slots::Result<()> {
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
                    if self.slots.state().candidate.is_some() {
                        let why = format!("{} came after it", prepared.release);
                        self.give_up(Why::rule(why), now)?;
                    }
                    self.slots.stage(now, &prepared, request.way.clone())?;
                    self.slots.store().drop_file(&request.path);
                    let release = prepared.release.clone();
                    self.word_on(&request.way, Stage::Staged, &release, format!("{release} is staged"));
                    self.candidate = Some(Box::new(prepared.judge));
                    if self.slots.state().active.is_none() {
                        self.activate(Why::rule("the first set of this line"), line, now)?;
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

    pub(super) fn loaded(
        &mut self,
        release: Release,
        judge: Result<BundleJudge, Refusal>,
        line: &mut Line,
        now: Option<Timestamp>,
    ) -> slots::Result<()> {
        if let Some(why) = self.going_back.take_if(|_| self.slots.state().way_back() == Some(&release)) {
            return match judge {
                Ok(judge) => self.go_back(release, Box::new(judge), why, line, now),
                Err(error) => {
                    let why = crate::say::chain(&error);
                    self.notice(format!("cannot go back to {release}: {why}"), "push or install another set");
                    Ok(())
                }
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
            Err(error) => self.give_up(Why::rule(crate::say::chain(&error)), now),
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
            Command::Activate => match (self.slots.state().candidate.clone(), self.candidate.is_some()) {
                (Some(waiting), true) => {
                    self.activate(Why::person(why, by), line, now)?;
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
                    self.going_back = Some(Why::person(why, by));
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
}
