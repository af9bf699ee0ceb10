//! The Brier score: how far probabilities are from what happened.

/// The mean of (P(NOK) − label)², label 1 for NOK and 0 for OK: 0 at best; the share of NOK p given throughout scores
/// p (1 − p). G. W. Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78 (1950),
/// counting one of the two classes. `None` without coils or where one is no probability.
///
/// # Panics
/// When `nok` and `p_nok` differ in length.
pub fn brier(nok: &[bool], p_nok: &[f64]) -> Option<f64> {
    assert_eq!(nok.len(), p_nok.len(), "a probability for every label");
    if nok.is_empty() || !p_nok.iter().all(|p| (0.0..=1.0).contains(p)) {
        return None;
    }
    let squares = nok.iter().zip(p_nok).map(|(&nok, p)| (p - f64::from(u8::from(nok))).powi(2));
    Some(squares.sum::<f64>() / nok.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden::{self, close};

    #[test]
    fn by_hand() {
        // scikit-learn's documented example: 0.1² + 0.1² + 0.2² + 0.3² over 4.
        let found = brier(&[false, true, true, false], &[0.1, 0.9, 0.8, 0.3]).unwrap();
        assert!((found - 0.0375).abs() < 1e-15);
        assert_eq!(brier(&[true, false, false, false], &[0.25; 4]), Some(0.25 * 0.75));
        assert_eq!(
            (brier(&[], &[]), brier(&[true], &[1.5]), brier(&[true], &[f64::NAN])),
            (None, None, None)
        );
    }

    #[test]
    fn as_scikit_learn_has_it() {
        for case in golden::cases("calibration") {
            close(brier(&case.flags("nok"), &case.list("p_nok")).unwrap(), case.number("brier"));
        }
    }
}
