//! What coils say of a candidate in shadow and of a set on probation, and what follows from it.

use super::moves::{GoingBack, Why};
use super::{Fitness, Update};
use crate::line::{Judged, Line};
use crate::slots::{self, Event, Say};
use coilsight_models::verdict::{self, Cause};
use jiff::Timestamp;
use std::time::Instant;

/// A set on probation lives once it has judged so many coils.
const LIVES: usize = 3;

impl Update {
    /// What a coil says of a set on probation.
    pub(super) fn observe(&mut self, judged: &Judged, now: Option<Timestamp>) -> slots::Result<()> {
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
        if self.probation.took_ms.len() < self.rules.probation_coils {
            self.probation.took_ms.push(a.timing.judged_in_ms);
        }
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
    pub(super) fn second_opinion(&mut self, judged: &Judged, now: Option<Timestamp>) -> slots::Result<()> {
        let Some(candidate) = &mut self.candidate else { return Ok(()) };
        let a = &judged.assessment;
        let active = Say { by_score: a.by_score, p_nok: a.p_nok, took_ms: a.timing.judged_in_ms };
        let began = Instant::now();
        let scores = candidate.scores(&judged.matrix, judged.order.as_ref()).ok();
        let took_ms = (began.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let p_nok = scores.map(|scores| scores.p_nok);
        let by_score = verdict::judge(p_nok, judged.order.as_ref(), Vec::new(), candidate.policy()).by_score;
        let candidate = Say { by_score, p_nok, took_ms };
        let decision_id = a.decision_id.clone();
        self.slots.note(now, Event::Shadowed { decision_id, active, candidate })
    }

    /// Whether a set takes over, is given up, or goes back.
    pub(super) fn decide(&mut self, line: &mut Line, now: Option<Timestamp>) -> slots::Result<()> {
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
}
