//! The learning rate over a run.

use serde::{Deserialize, Serialize};

/// How the learning rate moves; a factor on the optimiser's rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Always 1.
    Constant,
    /// Rises linearly to 1 over the warm-up, then falls along half a cosine to `last`.
    Cosine {
        /// Share of all steps spent rising.
        warm_up: f64,
        /// Factor at the last step.
        last: f64,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Cosine { warm_up: 0.1, last: 0.01 }
    }
}

impl Schedule {
    /// The factor at `step` of `steps`, both counted over the whole run, step from 0.
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine { warm_up, last } => {
                let rising = (warm_up * steps as f64).round();
                let step = step as f64;
                if step < rising {
                    return (step + 1.0) / rising;
                }
                let falling = (steps as f64 - 1.0 - rising).max(1.0);
                let done = ((step - rising) / falling).min(1.0);
                last + (1.0 - last) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_rises_peaks_and_falls_to_its_last_value() {
        let schedule = Schedule::Cosine { warm_up: 0.2, last: 0.1 };
        let factors: Vec<f64> = (0..11).map(|s| schedule.factor(s, 11)).collect();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        near(factors[0], 0.5);
        near(factors[1], 1.0);
        near(factors[2], 1.0);
        near(factors[6], 0.55);
        near(factors[10], 0.1);
        assert!(factors[2..].windows(2).all(|w| w[0] > w[1]));
    }

    #[test]
    fn short_runs_stay_in_range() {
        for steps in 1..4 {
            for step in 0..steps {
                let f = Schedule::default().factor(step, steps);
                assert!((0.0..=1.0).contains(&f), "{f}");
            }
        }
        assert_eq!(Schedule::Constant.factor(5, 7), 1.0);
    }
}
