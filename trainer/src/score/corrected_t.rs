//! Whether two configurations differ over repeated cross-validation.
//!
//! Folds of repeated cross-validation share most of their training coils, so their differences are not independent and
//! the plain paired t test finds differences where there are none, the surer the more often it is repeated. C. Nadeau, Y.
//! Bengio, Inference for the generalization error, Machine Learning 52 (2003): the variance of the mean over J
//! folds is (1/J + test/train) s², not s²/J, by coils held and trained on. Over r repeats of k folds J = k·r and test/train = 1/(k − 1): R. R.
//! Bouckaert, E. Frank, Evaluating the replicability of significance tests for comparing learning algorithms, PAKDD 2004.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Interval;

/// What a test of a mean difference found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TTest {
    /// The mean difference, first minus second.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The mean in standard errors.
    pub t: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// Two-sided.
    pub p: f64,
    /// Of the mean difference.
    pub interval: Interval,
}

/// The test that allows for shared training coils: `differences` a fold each, `test_over_train` the number of held coils over
/// the number of training coils (1/(k − 1) over k folds), `level` of the interval (0.95).
///
/// `None` with fewer than two folds, where all differences are alike (no spread to judge by), where one is not finite, and
/// for a `test_over_train` below 0 or a `level` not between 0 and 1.
pub fn corrected_t(differences: &[f64], test_over_train: f64, level: f64) -> Option<TTest> {
    let usable = test_over_train.is_finite() && test_over_train >= 0.0 && level > 0.0 && level < 1.0;
    let n = differences.len() as f64;
    if !usable || differences.len() < 2 || !differences.iter().all(|d| d.is_finite()) {
        return None;
    }
    let mean = differences.iter().sum::<f64>() / n;
    let df = n - 1.0;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / df;
    // Equal numbers leave rounding behind when their mean is taken off.
    if differences.iter().all(|d| *d == differences[0]) || variance <= 0.0 {
        return None;
    }
    let standard_error = ((1.0 / n + test_over_train) * variance).sqrt();
    let t = mean / standard_error;
    let student = StudentsT::new(0.0, 1.0, df).ok()?;
    let p = (2.0 * student.sf(t.abs())).min(1.0);
    let half = student.inverse_cdf(0.5 * (1.0 + level)) * standard_error;
    Some(TTest { mean, standard_error, t, df, p, interval: Interval { low: mean - half, high: mean + half } })
}

/// The plain paired t test, which takes folds for independent: far too sure over cross-validation, here to stand beside the
/// corrected one.
pub fn naive_t(differences: &[f64], level: f64) -> Option<TTest> {
    corrected_t(differences, 0.0, level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden::{self, close};

    #[test]
    fn by_hand() {
        // Mean 2, variance 1; naive: t = 2 / √(1/3) = 3.4641; corrected with a fifth held: t = 2 / √(1/3 + 1/4).
        let found = naive_t(&[1.0, 2.0, 3.0], 0.95).unwrap();
        assert!((found.t - 12.0_f64.sqrt()).abs() < 1e-12 && found.df == 2.0);
        // With 2 degrees of freedom P(|T| > t) = 1 − t/√(2 + t²).
        assert!((found.p - (1.0 - (12.0_f64 / 14.0).sqrt())).abs() < 1e-9, "{found:?}");
        let corrected = corrected_t(&[1.0, 2.0, 3.0], 0.25, 0.95).unwrap();
        assert!((corrected.t - 2.0 / (7.0_f64 / 12.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn as_scipy_has_it() {
        for case in golden::cases("corrected_t") {
            let differences = case.list("differences");
            let found =
                corrected_t(&differences, case.number("test_over_train"), case.number("level")).unwrap();
            close(found.t, case.number("t"));
            close(found.df, case.number("df"));
            assert!((found.p / case.number("p") - 1.0).abs() < 1e-10, "{found:?} {}", case.number("p"));
            close(found.interval.low, case.number("low"));
            close(found.interval.high, case.number("high"));
        }
    }

    #[test]
    fn repeating_does_not_make_it_surer_without_end() {
        let folds = [0.02, -0.01, 0.03, 0.0, 0.01];
        let often: Vec<f64> = folds.repeat(100);
        let (naive, corrected) = (naive_t(&often, 0.95).unwrap(), corrected_t(&often, 0.25, 0.95).unwrap());
        assert!(naive.p < 1e-20 && corrected.p > 0.1, "{naive:?} {corrected:?}");
    }

    #[test]
    fn what_has_no_spread_is_left_undefined() {
        assert_eq!(naive_t(&[0.1], 0.95), None);
        assert_eq!(naive_t(&[0.1; 7], 0.95), None);
        assert_eq!(naive_t(&[0.1, f64::NAN], 0.95), None);
        assert_eq!(corrected_t(&[0.1, 0.2], -0.1, 0.95), None);
        assert_eq!(corrected_t(&[0.1, 0.2], 0.25, 1.0), None);
    }
}
