//! The moves: a candidate takes over, is given up, or the line goes back. Each is one entry of the trail, then the line.

use super::{Probation, Update, Word};
use crate::line::{Judge, Line};
use crate::slots::{self, Candidate, Event, Release};
use coilsight_models::message::model::Stage;
use jiff::Timestamp;

/// Why a set moves, and who wanted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Why {
    /// Why.
    pub text: String,
    /// By whom, if not by rule.
    pub by: Option<String>,
}

impl Why {
    /// By rule.
    pub fn rule(text: impl Into<String>) -> Self {
        Self { text: text.into(), by: None }
    }

    /// By a person.
    pub fn person(text: impl Into<String>, by: impl Into<String>) -> Self {
        Self { text: text.into(), by: Some(by.into()) }
    }
}

/// A way back that was asked for and is being loaded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct GoingBack {
    pub from: Release,
    pub to: Release,
    pub why: Why,
    /// Who waits for it at the command line.
    pub asked: Option<String>,
}

impl Update {
    /// The candidate decides from the next coil's start on.
    pub(super) fn activate(
        &mut self,
        why: Why,
        line: &mut Line,
        now: Option<Timestamp>,
    ) -> slots::Result<()> {
        let Some(waiting) = self.slots.state().candidate.clone() else { return Ok(()) };
        let Some(judge) = self.candidate.take() else { return Ok(()) };
        let (release, Why { text: why, by }) = (waiting.release, why);
        self.slots.note(now, Event::Activated { release: release.clone(), why: why.clone(), by })?;
        line.take_over(judge);
        self.probation = Probation::default();
        self.notice(
            format!("{release} decides from the next coil on: {why}"),
            "nothing; `coilsight-agent bundle rollback` goes back",
        );
        self.word_on(&waiting.way, Stage::Active, &release, format!("{release} decides: {why}"));
        self.untidy = true;
        Ok(())
    }

    /// The candidate is given up, and remembered as such.
    pub(super) fn give_up(&mut self, why: Why, now: Option<Timestamp>) -> slots::Result<()> {
        let Some(waiting) = self.slots.state().candidate.clone() else { return Ok(()) };
        let (release, Why { text: why, by }) = (waiting.release.clone(), why);
        self.slots.note(now, Event::Discarded { release, why: why.clone(), by })?;
        self.gave_up(&waiting, &why);
        Ok(())
    }

    /// The trail says that a candidate was given up: here and for people it is.
    pub(super) fn gave_up(&mut self, waited: &Candidate, why: &str) {
        let release = &waited.release;
        self.candidate = None;
        self.notice(
            format!("{release} was given up before it decided anything: {why}"),
            "see the text; the set before judges on",
        );
        self.word_on(&waited.way, Stage::Refused, release, format!("given up: {why}"));
        self.untidy = true;
    }

    /// `to`, which `judge` is, decides again from the next coil's start on.
    pub(super) fn go_back(
        &mut self,
        to: Release,
        judge: Box<dyn Judge>,
        why: Why,
        line: &mut Line,
        now: Option<Timestamp>,
    ) -> slots::Result<()> {
        let Some(from) = self.slots.state().active.clone() else { return Ok(()) };
        let text = format!("went back from {from} to {to}: {}", why.text);
        let word = Word {
            offer: None,
            stage: Stage::RolledBack,
            fingerprint: Some(from.fingerprint()),
            release: Some(from.release),
            text: text.clone(),
            to_do: String::new(),
        };
        let Why { text: why, by } = why;
        self.slots.note(now, Event::RolledBack { from, to, why, by })?;
        line.take_over(judge);
        if self.slots.state().candidate.is_none() {
            self.candidate = None;
        }
        self.probation = Probation::default();
        self.notice(text, "find out why before a release of it is pushed again");
        self.words.push(word);
        self.untidy = true;
        Ok(())
    }
}
