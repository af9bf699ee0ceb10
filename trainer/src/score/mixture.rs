//! Weights of an ensemble: how much each model's P(NOK) counts in the mean.
//!
//! The line computes p = Σ wᵢ·pᵢ, wᵢ ≥ 0, Σ wᵢ = 1 (a linear opinion pool; M. Stone, The opinion pool, Annals of
//! Mathematical Statistics 32 (1961)). The weights here make the mean log loss of p least, which is a proper score, plus a
//! pull towards equal weights: a normal prior about 1/n of standard deviation [`SPREAD`], whose say fades as coils are
//! added. Few NOK coils decide much otherwise. The sum is convex; it is made least by steps along the gradient, each put back
//! on the simplex (J. Duchi et al., Efficient projections onto the l1-ball, ICML 2008, figure 1) and halved until it helps.

use thiserror::Error;

/// Standard deviation of a weight about 1/n before any coil is seen.
pub const SPREAD: f64 = 0.2;

/// Most steps; a handful of models takes some dozens.
const STEPS: usize = 5000;

/// Probabilities are kept this far from 0 and 1, so that one overconfident model cannot cost infinitely much.
const EDGE: f64 = 1e-6;

/// Why models cannot be weighed.
#[derive(Debug, Error, PartialEq)]
pub enum MixtureError {
    /// No model, or no coil.
    #[error("weights need a model and a coil, got {models} models and {coils} coils")]
    Nothing {
        /// Models given.
        models: usize,
        /// Coils given.
        coils: usize,
    },
    /// A model has not judged all coils.
    #[error("model {model} has judged {scores} of {coils} coils; every model must judge every coil")]
    Lengths {
        /// Which.
        model: usize,
        /// Its scores.
        scores: usize,
        /// Labels given.
        coils: usize,
    },
    /// A score is no probability.
    #[error("model {model} gives coil {row} {score}, not a probability")]
    NotAProbability {
        /// Which model.
        model: usize,
        /// Which row.
        row: usize,
        /// Its score.
        score: f64,
    },
}

/// The weights of models that gave `p_nok[model][coil]`.
pub fn weights(nok: &[bool], p_nok: &[Vec<f64>]) -> Result<Vec<f64>, MixtureError> {
    pulled(nok, p_nok, SPREAD)
}

fn pulled(nok: &[bool], p_nok: &[Vec<f64>], spread: f64) -> Result<Vec<f64>, MixtureError> {
    let (models, coils) = (p_nok.len(), nok.len());
    if models == 0 || coils == 0 {
        return Err(MixtureError::Nothing { models, coils });
    }
    for (model, p) in p_nok.iter().enumerate() {
        if p.len() != coils {
            return Err(MixtureError::Lengths { model, scores: p.len(), coils });
        }
        if let Some((row, &score)) = p.iter().enumerate().find(|(_, p)| !(0.0..=1.0).contains(*p)) {
            return Err(MixtureError::NotAProbability { model, row, score });
        }
    }
    let problem = Problem { nok, p_nok, pull: 1.0 / (coils as f64 * spread * spread) };
    let mut at = vec![1.0 / models as f64; models];
    let mut cost = problem.cost(&at);
    let mut step = 1.0;
    for _ in 0..STEPS {
        let gradient = problem.gradient(&at);
        let next = loop {
            let moved: Vec<f64> = at.iter().zip(&gradient).map(|(w, g)| w - step * g).collect();
            let next = simplex(&moved);
            let found = problem.cost(&next);
            if found < cost {
                cost = found;
                break Some(next);
            }
            if step < 1e-12 {
                break None;
            }
            step *= 0.5;
        };
        let Some(next) = next else { break };
        at = next;
        step *= 3.0;
    }
    Ok(at)
}

struct Problem<'a> {
    nok: &'a [bool],
    p_nok: &'a [Vec<f64>],
    pull: f64,
}

impl Problem<'_> {
    /// The mixture's probability of what each coil is.
    fn right(&self, weights: &[f64]) -> Vec<f64> {
        let mut right = vec![0.0; self.nok.len()];
        for (p, weight) in self.p_nok.iter().zip(weights) {
            for (right, (p, nok)) in right.iter_mut().zip(p.iter().zip(self.nok)) {
                *right += weight * of_label(*p, *nok);
            }
        }
        right
    }

    fn cost(&self, weights: &[f64]) -> f64 {
        let equal = 1.0 / weights.len() as f64;
        let pull: f64 = weights.iter().map(|w| (w - equal).powi(2)).sum();
        let loss: f64 = self.right(weights).iter().map(|p| -p.ln()).sum();
        loss / self.nok.len() as f64 + 0.5 * self.pull * pull
    }

    fn gradient(&self, weights: &[f64]) -> Vec<f64> {
        let right = self.right(weights);
        let equal = 1.0 / weights.len() as f64;
        let one = |(p, weight): (&Vec<f64>, &f64)| {
            let rows = p.iter().zip(self.nok).zip(&right);
            let loss: f64 = rows.map(|((p, nok), right)| -of_label(*p, *nok) / right).sum();
            loss / self.nok.len() as f64 + self.pull * (weight - equal)
        };
        self.p_nok.iter().zip(weights).map(one).collect()
    }
}

fn of_label(p_nok: f64, nok: bool) -> f64 {
    (if nok { p_nok } else { 1.0 - p_nok }).clamp(EDGE, 1.0 - EDGE)
}

/// The nearest point whose parts are not negative and sum to 1.
fn simplex(point: &[f64]) -> Vec<f64> {
    let mut sorted = point.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut down) = (0.0, 0.0);
    for (i, value) in sorted.iter().enumerate() {
        sum += value;
        let candidate = (sum - 1.0) / (i + 1) as f64;
        if value - candidate > 0.0 {
            down = candidate;
        }
    }
    point.iter().map(|v| (v - down).max(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_coils_by_hand() {
        // P(NOK) of a NOK coil 0.8 and 0.4, of an OK coil 0.5 and 0.1. The loss -ln(0.4 + 0.4w) - ln(0.9 - 0.4w) is least where
        // both logarithms' arguments are alike: w = 0.625.
        let w = pulled(&[true, false], &[vec![0.8, 0.5], vec![0.4, 0.1]], 1e6).unwrap();
        assert!((w[0] - 0.625).abs() < 1e-6 && (w[0] + w[1] - 1.0).abs() < 1e-12, "{w:?}");
        // With spread 1 the two coils' mean gains v²/2, v being w - 1/2: 2v = 1/(1.5 + v) - 1/(1.75 - v), at v = 0.0344.
        let w = pulled(&[true, false], &[vec![0.8, 0.5], vec![0.4, 0.1]], 1.0).unwrap();
        assert!((w[0] - 0.5344).abs() < 1e-4, "{w:?}");
    }

    #[test]
    fn a_model_that_knows_nothing_gets_nothing_and_twins_share() {
        let nok: Vec<bool> = (0..2000).map(|i| i % 10 == 0).collect();
        let good: Vec<f64> = nok.iter().map(|n| if *n { 0.9 } else { 0.02 }).collect();
        let wrong: Vec<f64> = nok.iter().map(|n| if *n { 0.02 } else { 0.2 }).collect();
        let w = weights(&nok, &[good.clone(), wrong, good]).unwrap();
        assert_eq!(w[1], 0.0);
        assert!((w[0] - w[2]).abs() < 1e-9 && (w[0] - 0.5).abs() < 1e-9, "{w:?}");
    }

    #[test]
    fn the_simplex_by_hand() {
        assert_eq!(simplex(&[0.2, 0.3, 0.5]), [0.2, 0.3, 0.5]);
        assert_eq!(simplex(&[1.5, 0.5, -3.0]), [1.0, 0.0, 0.0]);
        assert_eq!(simplex(&[1.0, 1.0]), [0.5, 0.5]);
    }

    #[test]
    fn what_cannot_be_weighed_is_said() {
        assert_eq!(weights(&[true], &[]), Err(MixtureError::Nothing { models: 0, coils: 1 }));
        let short = MixtureError::Lengths { model: 1, scores: 1, coils: 2 };
        assert_eq!(weights(&[true, false], &[vec![0.1, 0.2], vec![0.1]]), Err(short));
        let bad = MixtureError::NotAProbability { model: 0, row: 1, score: 1.5 };
        assert_eq!(weights(&[true, false], &[vec![0.1, 1.5]]), Err(bad));
    }

    proptest! {
        #[test]
        fn no_other_weights_are_better(
            rows in prop::collection::vec((any::<bool>(), 0.01_f64..0.99, 0.01_f64..0.99, 0.01_f64..0.99), 3..30),
            other in (0.01_f64..1.0, 0.01_f64..1.0, 0.01_f64..1.0)
        ) {
            let nok: Vec<bool> = rows.iter().map(|r| r.0).collect();
            let p = [
                rows.iter().map(|r| r.1).collect(),
                rows.iter().map(|r| r.2).collect(),
                rows.iter().map(|r| r.3).collect::<Vec<f64>>(),
            ];
            let w = weights(&nok, &p).unwrap();
            prop_assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-9 && w.iter().all(|w| *w >= 0.0));
            let problem = Problem { nok: &nok, p_nok: &p, pull: 1.0 / (nok.len() as f64 * SPREAD * SPREAD) };
            let sum = other.0 + other.1 + other.2;
            let other = [other.0 / sum, other.1 / sum, other.2 / sum];
            prop_assert!(problem.cost(&w) <= problem.cost(&other) + 1e-7);
        }
    }
}
