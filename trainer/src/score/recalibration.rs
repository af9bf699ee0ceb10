//! By how much probabilities are too sure of themselves, or too high, in two numbers.

use serde::{Deserialize, Serialize};

use super::{logit, sigmoid};

/// How log-odds must be changed to be right: P(NOK) = sigmoid(intercept + slope · log-odds).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recalibration {
    /// 1 where probabilities are right, below where they are too sure of themselves.
    pub slope: f64,
    /// Of the fit with that slope.
    pub intercept: f64,
    /// The intercept where the slope is held at 1: 0 if as many coils are NOK as was said, above if more are.
    pub in_the_large: f64,
}

impl Recalibration {
    /// Logistic regression of the labels on the log-odds: D. R. Cox, Two further applications of a model for binary
    /// regression, Biometrika 45 (1958); B. Van Calster and others, Calibration: the Achilles heel of predictive analytics, BMC
    /// Medicine 17 (2019), for the names. Probabilities are kept a billionth away from 0 and 1.
    ///
    /// `None` where one is no probability, and where all NOK coils lie above (or below) all OK coils: no finite slope is best
    /// then.
    ///
    /// # Panics
    /// When `nok` and `p_nok` differ in length.
    pub fn fit(nok: &[bool], p_nok: &[f64]) -> Option<Self> {
        assert_eq!(nok.len(), p_nok.len(), "a probability for every label");
        if !p_nok.iter().all(|p| (0.0..=1.0).contains(p)) {
            return None;
        }
        let rows: Vec<(f64, f64)> =
            nok.iter().zip(p_nok).map(|(&n, &p)| (logit(p), f64::from(u8::from(n)))).collect();
        let range = |label: f64| {
            rows.iter()
                .filter(|r| r.1 == label)
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), r| (low.min(r.0), high.max(r.0)))
        };
        let (nok, ok) = (range(1.0), range(0.0));
        // One label alone leaves infinities, which do not overlap either.
        if nok.0 >= ok.1 || ok.0 >= nok.1 {
            return None;
        }
        let (slope, intercept) = newton(&rows, (1.0, 0.0), true)?;
        let (_, in_the_large) = newton(&rows, (1.0, 0.0), false)?;
        Some(Self { slope, intercept, in_the_large })
    }
}

/// Slope and intercept of the greatest likelihood; the slope is kept unless `both`. Rows are log-odds and label.
fn newton(rows: &[(f64, f64)], mut at: (f64, f64), both: bool) -> Option<(f64, f64)> {
    let loss = |at: (f64, f64)| -> f64 {
        let each = |r: &(f64, f64)| {
            let x = at.0 * r.0 + at.1;
            x.max(0.0) - x * r.1 + (-x.abs()).exp().ln_1p()
        };
        rows.iter().map(each).sum()
    };
    let mut cost = loss(at);
    for _ in 0..200 {
        let (mut g1, mut g0, mut h11, mut h10, mut h00) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (x, label) in rows {
            let p = sigmoid(at.0 * x + at.1);
            let curvature = p * (1.0 - p);
            g1 += (p - label) * x;
            g0 += p - label;
            h11 += curvature * x * x;
            h10 += curvature * x;
            h00 += curvature;
        }
        let mut step = if both {
            let determinant = h11 * h00 - h10 * h10;
            ((h00 * g1 - h10 * g0) / determinant, (h11 * g0 - h10 * g1) / determinant)
        } else {
            (0.0, g0 / h00)
        };
        if !(step.0.is_finite() && step.1.is_finite()) {
            return None;
        }
        // Half the way as often as the loss grows; near the end it cannot be told from rounding.
        let mut next = (at.0 - step.0, at.1 - step.1);
        while loss(next) > cost + 1e-12 * cost && step.0.abs().max(step.1.abs()) > 1e-12 {
            step = (0.5 * step.0, 0.5 * step.1);
            next = (at.0 - step.0, at.1 - step.1);
        }
        (at, cost) = (next, loss(next));
        if step.0.abs().max(step.1.abs()) < 1e-11 * (1.0 + at.0.abs() + at.1.abs()) {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden::{self, close};

    #[test]
    fn as_statsmodels_has_it() {
        for case in golden::cases("calibration") {
            let found = Recalibration::fit(&case.flags("nok"), &case.list("p_nok")).unwrap();
            close(found.slope, case.number("slope"));
            close(found.intercept, case.number("intercept"));
            close(found.in_the_large, case.number("in_the_large"));
        }
    }

    #[test]
    fn two_probabilities_by_hand() {
        // Said 0.2 and 0.8, of ten each 3 and 6 are NOK: the line through both log-odds.
        let (mut nok, mut p) = (Vec::new(), Vec::new());
        for (said, hits) in [(0.2, 3), (0.8, 6)] {
            nok.extend((0..10).map(|i| i < hits));
            p.extend([said; 10]);
        }
        let found = Recalibration::fit(&nok, &p).unwrap();
        let (a, b) = ((3.0_f64 / 7.0).ln(), 1.5_f64.ln());
        assert!((found.slope - (b - a) / (2.0 * 4.0_f64.ln())).abs() < 1e-9, "{found:?}");
        assert!((found.intercept - 0.5 * (a + b)).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn what_no_slope_can_meet_is_left_undefined() {
        assert_eq!(Recalibration::fit(&[true, false], &[0.9, 0.1]), None);
        assert_eq!(Recalibration::fit(&[true, false, true], &[0.5, 0.5, 0.9]), None);
        assert_eq!(Recalibration::fit(&[true, true], &[0.9, 0.1]), None);
        assert_eq!(Recalibration::fit(&[], &[]), None);
        assert_eq!(Recalibration::fit(&[true, false], &[0.9, f64::NAN]), None);
    }
}
