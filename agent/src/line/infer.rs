//! Third call: the matrix goes through the models.

use super::judge::Unjudged;
use super::normalise::Seen;
use super::{Line, evidence};
use coilsight_models::coil::Order;
use coilsight_models::message::assessment::Evidence;
use coilsight_models::session::Scores;
use std::time::{Duration, Instant};

/// What the models say of a coil.
#[derive(Debug)]
pub struct Opinion {
    /// Scores, or why there are none; `None` if there was nothing to judge.
    pub scores: Option<Result<Scores, Unjudged>>,
    /// Where the evidence lies, strongest first.
    pub evidence: Vec<Evidence>,
    /// How long it took.
    pub took: Duration,
}

impl Line {
    pub(super) fn infer(&mut self, seen: &Seen) -> Opinion {
        let judge = self.judges.of_mut(&seen.bound);
        let began = Instant::now();
        let order = seen.order.as_ref();
        let scores = seen.matrix.as_ref().map(|matrix| judge.scores(matrix, order));
        let evidence = match (&scores, &seen.matrix) {
            (Some(Ok(scores)), Some(matrix)) => {
                let threshold = judge.policy().threshold(order.map(Order::tolerance_class));
                if scores.p_nok >= threshold.review_from {
                    evidence::find(judge, matrix, order, seen.length_m, scores.p_nok)
                } else {
                    Vec::new()
                }
            }
            _ => Vec::new(),
        };
        if let Some(Err(error)) = &scores {
            tracing::error!(coil_id = %seen.key.coil_id(), error = error as &dyn std::error::Error, "no score");
        }
        Opinion { scores, evidence, took: began.elapsed() }
    }
}
