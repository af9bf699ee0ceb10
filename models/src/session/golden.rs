//! Whether a set computes here what it computed at the trainer. One that does not is not used.

use super::{ScoreFault, Session};
use crate::bundle::golden::{DISTANCE_TOLERANCE, GoldenCoil};
use crate::coil::CoilId;

/// A passed check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoldenReport {
    /// Coils scored.
    pub coils: usize,
    /// The largest distance of any score from the trainer's.
    pub worst: f64,
    /// The distance allowed.
    pub tolerance: f64,
}

/// Why a set did not pass.
#[derive(Debug, thiserror::Error)]
pub enum GoldenRefused {
    /// Another score than the trainer's.
    #[error(
        "keep the set that runs and report this to who built the other: for the golden coil {coil}, {who} scores \
         {found:.4} here, {expected:.4} at the trainer, at most {tolerance} apart are allowed"
    )]
    Score {
        /// Which coil.
        coil: CoilId,
        /// A model's name, or `the set`.
        who: String,
        /// P(NOK) here.
        found: f64,
        /// P(NOK) at the trainer.
        expected: f64,
        /// The distance allowed.
        tolerance: f64,
    },
    /// Another distance from the coils trained on than the trainer's.
    #[error(
        "keep the set that runs and report this to who built the other: the golden coil {coil} lies {found:?} from \
         the coils trained on here, {expected:?} at the trainer; a hundredth of that is allowed"
    )]
    Distance {
        /// Which coil.
        coil: CoilId,
        /// Here, if the set tells one.
        found: Option<f64>,
        /// At the trainer.
        expected: Option<f64>,
    },
    /// Scores of other models than the bundle's.
    #[error("build the bundle again: the golden coil {0} does not have a score for each model and no other")]
    Models(CoilId),
    /// No score at all.
    #[error("keep the set that runs: the golden coil {coil} could not be scored")]
    NoScore {
        /// Which coil.
        coil: CoilId,
        /// Why.
        source: ScoreFault,
    },
}

impl Session {
    /// Scores the golden coils and compares each model's and the set's P(NOK) with the trainer's.
    pub fn check_golden(&mut self) -> Result<GoldenReport, GoldenRefused> {
        let coils = self.golden.coils().len();
        self.check_first_golden(coils)
    }

    /// The same with the first `coils` golden coils only: enough to see that the set still works.
    pub fn check_first_golden(&mut self, coils: usize) -> Result<GoldenReport, GoldenRefused> {
        let (golden, tolerance) = (self.golden.clone(), self.tolerance);
        let mut report = GoldenReport { coils: 0, worst: 0.0, tolerance };
        for coil in golden.coils().iter().take(coils) {
            let distance = self.check_coil(coil)?;
            report = GoldenReport { coils: report.coils + 1, worst: report.worst.max(distance), tolerance };
        }
        Ok(report)
    }

    /// How far the scores of a golden coil lie from the trainer's at most.
    fn check_coil(&mut self, coil: &GoldenCoil) -> Result<f64, GoldenRefused> {
        let scores = self
            .score(&coil.matrix, coil.order.as_ref())
            .map_err(|source| GoldenRefused::NoScore { coil: coil.id.clone(), source })?;
        if scores.models.len() != coil.models.len() {
            return Err(GoldenRefused::Models(coil.id.clone()));
        }
        let found = scores.novelty.map(|novelty| novelty.distance);
        let met = match (found, coil.distance) {
            (Some(found), Some(expected)) => (found - expected).abs() <= DISTANCE_TOLERANCE * expected,
            (None, None) => true,
            _ => false,
        };
        if !met {
            let (coil, expected) = (coil.id.clone(), coil.distance);
            return Err(GoldenRefused::Distance { coil, found, expected });
        }
        let mut pairs = vec![("the set".to_string(), scores.p_nok, coil.p_nok)];
        for model in &scores.models {
            let expected =
                coil.models.get(&model.name).ok_or_else(|| GoldenRefused::Models(coil.id.clone()))?;
            pairs.push((format!("the model {}", model.name), model.p_nok, *expected));
        }
        let mut worst = 0.0f64;
        for (who, found, expected) in pairs {
            let distance = (found - expected).abs();
            worst = worst.max(distance);
            if distance > self.tolerance {
                let (coil, tolerance) = (coil.id.clone(), self.tolerance);
                return Err(GoldenRefused::Score { coil, who, found, expected, tolerance });
            }
        }
        Ok(worst)
    }
}
