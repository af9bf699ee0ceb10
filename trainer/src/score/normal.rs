//! The standard normal distribution, where tests and intervals need it.

use statrs::distribution::{ContinuousCDF, Normal};

/// Φ: the chance of a value of at most `z`.
pub(super) fn cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// The chance of a value at least as far from 0 as `z`, on either side; exact in the tails too.
pub(super) fn two_sided(z: f64) -> f64 {
    2.0 * Normal::standard().sf(z.abs())
}

/// Φ⁻¹; `None` unless 0 < `p` < 1.
pub(super) fn quantile(p: f64) -> Option<f64> {
    (p > 0.0 && p < 1.0).then(|| Normal::standard().inverse_cdf(p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden;

    #[test]
    fn as_scipy_has_it() {
        for case in golden::cases("normal") {
            let (z, p) = (case.number("z"), case.number("cdf"));
            assert!((cdf(z) / p - 1.0).abs() < 1e-10, "{z}");
            assert!((two_sided(z) / case.number("two_sided") - 1.0).abs() < 1e-10, "{z}");
            assert!((quantile(p).unwrap() - z).abs() < 1e-9, "{z}");
        }
        assert_eq!((quantile(0.0), quantile(1.0), quantile(f64::NAN)), (None, None, None));
    }
}
