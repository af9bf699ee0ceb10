//! When to stop: no better validation measure for a while.

use super::FitError;
use serde::{Deserialize, Serialize};

/// Settings of early stopping.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EarlyStopConfig {
    /// Epochs without a better measure after which training stops.
    pub patience: usize,
    /// By how much a measure must exceed the best to be better.
    pub margin: f64,
}

impl Default for EarlyStopConfig {
    fn default() -> Self {
        Self { patience: 8, margin: 0.0 }
    }
}

impl EarlyStopConfig {
    pub(super) fn check(&self) -> Result<(), FitError> {
        if self.margin >= 0.0 && self.margin.is_finite() {
            return Ok(());
        }
        Err(FitError::Setting { what: "margin", value: self.margin, rule: "it must not be negative" })
    }
}

/// The best measure so far. Larger is better; a measure that is not a number is never better.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct EarlyStop {
    /// Best measure and its epoch.
    pub best: Option<(f64, usize)>,
    /// Epochs since.
    pub waited: usize,
}

impl EarlyStop {
    /// Takes the measure of an epoch; tells whether it is the best so far.
    pub fn observe(&mut self, measure: f64, epoch: usize, margin: f64) -> bool {
        let better = self.best.is_none_or(|(best, _)| measure > best + margin);
        if better && !measure.is_nan() {
            (self.best, self.waited) = (Some((measure, epoch)), 0);
            return true;
        }
        self.waited += 1;
        false
    }

    /// Whether patience has run out.
    pub fn is_over(&self, patience: usize) -> bool {
        self.waited >= patience.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_its_patience_and_remembers_the_best() {
        let mut stop = EarlyStop::default();
        let found: Vec<(bool, bool)> = [f64::NAN, 0.5, 0.55, 0.7, 0.7, f64::NAN, 0.6]
            .iter()
            .enumerate()
            .map(|(epoch, m)| (stop.observe(*m, epoch, 0.1), stop.is_over(3)))
            .collect();
        let better = [false, true, false, true, false, false, false];
        let over = [false, false, false, false, false, false, true];
        assert_eq!(found, better.into_iter().zip(over).collect::<Vec<_>>());
        assert_eq!(stop.best, Some((0.7, 3)));
    }
}
