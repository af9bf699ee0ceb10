//! Probabilities from scores: Platt's scaling.
//!
//! P(NOK | s) = 1 / (1 + exp(−(slope·s + offset))), s being the difference of the two logits. Fitted by Newton's
//! method on Platt's smoothed targets, (N₊+1)/(N₊+2) and 1/(N₋+2), which keep separable scores finite. J. Platt,
//! Probabilistic outputs for support vector machines, 1999; H.-T. Lin, C.-J. Lin, R. Weng, A note on Platt's
//! probabilistic outputs, Machine Learning 68 (2007), whose damping and step halving are used here.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::sigmoid;

/// A fitted scaling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Platt {
    /// Log-odds per unit of score. Not positive where the score knows nothing about the label or ranks backwards.
    pub slope: f64,
    /// Log-odds at score zero.
    pub offset: f64,
}

/// Why scores cannot be calibrated.
#[derive(Debug, Error, PartialEq)]
pub enum CalibrationError {
    /// Labels and scores do not pair up.
    #[error("{labels} labels but {scores} scores; give one score for every label")]
    Lengths {
        /// Labels given.
        labels: usize,
        /// Scores given.
        scores: usize,
    },
    /// One label does not occur.
    #[error("calibration needs both labels, got {nok} NOK and {ok} OK coils; use more coils")]
    OneLabel {
        /// NOK coils given.
        nok: usize,
        /// OK coils given.
        ok: usize,
    },
    /// A score is infinite or not a number.
    #[error("score {row} is {score}; look for a model that overflowed")]
    NotFinite {
        /// Which row.
        row: usize,
        /// Its score.
        score: f64,
    },
    /// The stated prevalence is not a share.
    #[error("the prevalence must lie between 0 and 1, got {0}")]
    Prevalence(f64),
}

impl Platt {
    /// P(NOK) of a logit difference.
    pub fn p_nok(&self, score: f64) -> f64 {
        sigmoid(self.slope * score + self.offset)
    }

    /// Fits labels on logit differences. With a `prevalence` the labels are weighted as if that share of the coils
    /// were NOK, so that the probabilities are those of the line rather than of the sample.
    pub fn fit(nok: &[bool], scores: &[f64], prevalence: Option<f64>) -> Result<Self, CalibrationError> {
        let (positives, negatives) = check(nok, scores, prevalence)?;
        let total = positives + negatives;
        let share = prevalence.unwrap_or(positives / total);
        let nok_row = (share * total / positives, (positives + 1.0) / (positives + 2.0));
        let ok_row = ((1.0 - share) * total / negatives, 1.0 / (negatives + 2.0));
        // Newton's method walks straighter on scores of unit spread; the scale is taken out again at the end.
        let scale = spread(scores);
        let rows: Vec<Row> = nok
            .iter()
            .zip(scores)
            .map(|(&nok, &s)| {
                let (weight, target) = if nok { nok_row } else { ok_row };
                Row { score: s / scale, weight, target }
            })
            .collect();
        let fitted = newton(&rows, Self { slope: 0.0, offset: (share / (1.0 - share)).ln() });
        Ok(Self { slope: fitted.slope / scale, offset: fitted.offset })
    }
}

fn check(nok: &[bool], scores: &[f64], prevalence: Option<f64>) -> Result<(f64, f64), CalibrationError> {
    if nok.len() != scores.len() {
        return Err(CalibrationError::Lengths { labels: nok.len(), scores: scores.len() });
    }
    if let Some((row, &score)) = scores.iter().enumerate().find(|(_, s)| !s.is_finite()) {
        return Err(CalibrationError::NotFinite { row, score });
    }
    if let Some(p) = prevalence
        && !(p > 0.0 && p < 1.0)
    {
        return Err(CalibrationError::Prevalence(p));
    }
    let positives = nok.iter().filter(|&&n| n).count();
    let negatives = nok.len() - positives;
    if positives == 0 || negatives == 0 {
        return Err(CalibrationError::OneLabel { nok: positives, ok: negatives });
    }
    Ok((positives as f64, negatives as f64))
}

struct Row {
    score: f64,
    weight: f64,
    target: f64,
}

/// The scores' standard deviation, or 1 where they are all alike.
fn spread(scores: &[f64]) -> f64 {
    let n = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let deviation = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n).sqrt();
    if deviation.is_finite() && deviation > 0.0 { deviation } else { 1.0 }
}

/// Weighted cross-entropy, in the form that does not overflow.
fn loss(rows: &[Row], at: Platt) -> f64 {
    rows.iter()
        .map(|r| {
            let x = at.slope * r.score + at.offset;
            r.weight * (x.max(0.0) - x * r.target + (-x.abs()).exp().ln_1p())
        })
        .sum()
}

fn newton(rows: &[Row], mut at: Platt) -> Platt {
    /// Keeps the Hessian invertible where all scores are alike.
    const DAMPING: f64 = 1e-12;
    let mut cost = loss(rows, at);
    for _ in 0..100 {
        let (mut g1, mut g0) = (0.0, 0.0);
        let (mut h11, mut h10, mut h00) = (DAMPING, 0.0, DAMPING);
        for r in rows {
            let p = sigmoid(at.slope * r.score + at.offset);
            let (gradient, curvature) = (r.weight * (p - r.target), r.weight * p * (1.0 - p));
            g1 += gradient * r.score;
            g0 += gradient;
            h11 += curvature * r.score * r.score;
            h10 += curvature * r.score;
            h00 += curvature;
        }
        if g1.abs().max(g0.abs()) < 1e-10 * rows.len() as f64 {
            break;
        }
        let determinant = h11 * h00 - h10 * h10;
        let (d1, d0) = if determinant > f64::MIN_POSITIVE {
            ((h00 * g1 - h10 * g0) / determinant, (h11 * g0 - h10 * g1) / determinant)
        } else {
            (0.0, g0 / h00)
        };
        let mut step = 1.0;
        loop {
            let next = Platt { slope: at.slope - step * d1, offset: at.offset - step * d0 };
            let next_cost = loss(rows, next);
            if next_cost < cost - 1e-4 * step * (g1 * d1 + g0 * d0) {
                (at, cost) = (next, next_cost);
                break;
            }
            step *= 0.5;
            if step < 1e-10 {
                return at;
            }
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `nok` of `n` coils at one score.
    fn group(nok: usize, n: usize, score: f64) -> impl Iterator<Item = (bool, f64)> {
        (0..n).map(move |i| (i < nok, score))
    }

    #[test]
    fn two_scores_are_met_exactly() {
        // Two free numbers, two scores: each score's probability is the mean of its smoothed targets. 9 NOK, 11 OK:
        // targets 10/11 and 1/13; at 0: (2*10/11 + 8/13)/10, at 1: (7*10/11 + 3/13)/10.
        let (nok, scores): (Vec<_>, Vec<_>) = group(2, 10, 0.0).chain(group(7, 10, 1.0)).unzip();
        let platt = Platt::fit(&nok, &scores, None).unwrap();
        assert!((platt.p_nok(0.0) - (2.0 * 10.0 / 11.0 + 8.0 / 13.0) / 10.0).abs() < 1e-8, "{platt:?}");
        assert!((platt.p_nok(1.0) - (7.0 * 10.0 / 11.0 + 3.0 / 13.0) / 10.0).abs() < 1e-8, "{platt:?}");
    }

    #[test]
    fn symmetrical_and_separable_scores_stay_finite() {
        // One coil on either side: targets 2/3 and 1/3, so slope·1 = ln 2 and the offset is nil.
        let platt = Platt::fit(&[true, false], &[1.0, -1.0], None).unwrap();
        assert!((platt.slope - 2.0_f64.ln()).abs() < 1e-8 && platt.offset.abs() < 1e-8, "{platt:?}");
    }

    #[test]
    fn a_stated_prevalence_shifts_the_log_odds() {
        // Scores that know nothing: the probability is the prevalence, but for the smoothing of the targets.
        let (nok, scores): (Vec<_>, Vec<_>) = group(500, 1000, 0.0).chain(group(500, 1000, 1.0)).unzip();
        let platt = Platt::fit(&nok, &scores, Some(0.03)).unwrap();
        let expected = 0.03 * 1001.0 / 1002.0 + 0.97 / 1002.0;
        assert!(platt.slope.abs() < 1e-6, "{platt:?}");
        assert!((platt.p_nok(0.5) - expected).abs() < 1e-8, "{platt:?}");
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        let fit = Platt::fit;
        assert_eq!(fit(&[true], &[], None), Err(CalibrationError::Lengths { labels: 1, scores: 0 }));
        assert_eq!(fit(&[true], &[1.0], None), Err(CalibrationError::OneLabel { nok: 1, ok: 0 }));
        assert!(matches!(
            fit(&[true, false], &[1.0, f64::NAN], None),
            Err(CalibrationError::NotFinite { row: 1, .. })
        ));
        assert_eq!(fit(&[true, false], &[1.0, 0.0], Some(1.0)), Err(CalibrationError::Prevalence(1.0)));
        // All scores alike: nothing to learn but the share.
        let same = fit(&[true, false, false], &[5.0; 3], None).unwrap();
        assert!((same.p_nok(5.0) - (2.0 / 3.0 + 2.0 / 4.0) / 3.0).abs() < 1e-6, "{same:?}");
    }

    proptest! {
        #[test]
        fn the_gradient_vanishes_whatever_the_scores(
            rows in prop::collection::vec((any::<bool>(), -50.0_f64..50.0), 4..60), scale in 0.01_f64..100.0
        ) {
            let (nok, scores): (Vec<bool>, Vec<f64>) = rows.iter().map(|r| (r.0, r.1 * scale)).unzip();
            let Ok(platt) = Platt::fit(&nok, &scores, None) else { return Ok(()) };
            let n = nok.len() as f64;
            let positives = nok.iter().filter(|&&x| x).count() as f64;
            let residual = nok.iter().zip(&scores).map(|(&y, &s)| {
                let t = if y { (positives + 1.0) / (positives + 2.0) } else { 1.0 / (n - positives + 2.0) };
                platt.p_nok(s) - t
            }).sum::<f64>();
            prop_assert!(residual.abs() < 1e-4 * n, "{platt:?} {residual}");
        }
    }
}
