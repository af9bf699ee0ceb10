//! What the book holds of a coil.

use crate::words::Words;
use coilsight_models::coil::ToleranceClass;
use coilsight_models::message::assessment::Assessment;
use coilsight_models::verdict::{Cause, Verdict};
use jiff::Timestamp;
use std::sync::Arc;

/// One decision, and what people said of it.
#[derive(Clone, Debug)]
pub struct Coil {
    /// The decision.
    pub decision_id: Box<str>,
    /// The coil.
    pub coil_id: Box<str>,
    /// When the pass began.
    pub pass: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// OK, NOK or REVIEW.
    pub verdict: Verdict,
    /// OK or NOK by the threshold alone.
    pub by_score: Option<Verdict>,
    /// The ensemble's P(NOK).
    pub p_nok: Option<f32>,
    /// Each model's word.
    pub votes: Box<[Vote]>,
    /// The first reason.
    pub reason: Option<Box<Cause>>,
    /// The order's tolerance class.
    pub class: Option<ToleranceClass>,
    /// Ordered weight, g/m2 a side.
    pub nominal_g_m2: Option<f32>,
    /// Width of the strip, mm.
    pub width_mm: Option<f32>,
    /// Length of the strip, m.
    pub length_m: Option<f32>,
    /// With which share it was drawn for review, if it was.
    pub drawn: Option<f32>,
    /// The set that judged it, by its fingerprint.
    pub set: Arc<str>,
    /// Whether it is unlike what the models were trained on.
    pub unlike_training: bool,
    /// What people said.
    pub words: Words,
}

/// One model's word.
#[derive(Clone, Debug, PartialEq)]
pub struct Vote {
    /// The model.
    pub model: Arc<str>,
    /// OK or NOK.
    pub verdict: Verdict,
    /// Its P(NOK).
    pub p_nok: f32,
}

impl Coil {
    /// Of an assessment; `name` keeps names that many coils share once.
    pub fn of(a: &Assessment, name: &mut impl FnMut(&str) -> Arc<str>) -> Self {
        let votes = a.votes.iter().map(|vote| Vote {
            model: name(&vote.model),
            verdict: vote.verdict,
            p_nok: vote.p_nok as f32,
        });
        let unlike = |cause: &Cause| matches!(cause, Cause::UnlikeTraining { .. });
        Self {
            decision_id: a.decision_id.as_str().into(),
            coil_id: a.coil_id.as_str().into(),
            pass: a.pass,
            closed_at: a.timing.closed_at,
            verdict: a.verdict,
            by_score: a.by_score,
            p_nok: a.p_nok.map(|p| p as f32),
            votes: votes.collect(),
            reason: a.reasons.first().map(|reason| Box::new(reason.cause.clone())),
            class: a.order.map(|order| order.tolerance_class()),
            nominal_g_m2: a.order.map(|order| order.nominal_g_m2() as f32),
            width_mm: a.order.map(|order| order.width_mm() as f32),
            length_m: a.length_m.map(|m| m as f32),
            drawn: a.drawn.map(|drawn| drawn.share as f32),
            set: name(&a.model.fingerprint),
            unlike_training: a.reasons.iter().any(|reason| unlike(&reason.cause)),
            words: Words::default(),
        }
    }
}
