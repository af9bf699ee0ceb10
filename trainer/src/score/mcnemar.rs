//! Whether two models err equally often on the same coils.
//!
//! Only coils that one of them gets right and the other wrong say anything; if the models err equally often, either is
//! the one that is right with even odds. Q. McNemar, Note on the sampling error of the difference between correlated
//! proportions or percentages, Psychometrika 12 (1947); exact by the binomial distribution rather than by his χ², which needs
//! some 25 such coils. Mid-p: M. W. Fagerland, S. Lydersen, P. Laake, The McNemar test for binary matched-pairs data,
//! BMC Medical Research Methodology 13 (2013).

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, Discrete, DiscreteCDF};

/// What the test found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Coils that only the first model judged rightly.
    pub only_first: u64,
    /// Coils that only the second model judged rightly.
    pub only_second: u64,
    /// Two-sided and exact: never too small, often somewhat too large. 1 where no coil tells the models apart.
    pub p: f64,
    /// Counts half of the split that was seen: nearer the nominal level, and now and then just above it.
    pub mid_p: f64,
}

impl McNemar {
    /// From the counts of coils that only one of the two judged rightly.
    pub fn new(only_first: u64, only_second: u64) -> Self {
        let fewer = only_first.min(only_second);
        // Even odds are a valid distribution over any number of coils.
        let Ok(split) = Binomial::new(0.5, only_first + only_second) else {
            unreachable!("0.5 is a probability")
        };
        let tail = split.cdf(fewer);
        let mid = tail - 0.5 * split.pmf(fewer);
        Self { only_first, only_second, p: (2.0 * tail).min(1.0), mid_p: (2.0 * mid).min(1.0) }
    }

    /// From whether each model judged each coil rightly.
    ///
    /// # Panics
    /// When the two differ in length.
    pub fn of(first_right: &[bool], second_right: &[bool]) -> Self {
        assert_eq!(first_right.len(), second_right.len(), "both models on every coil");
        let only = |a: &[bool], b: &[bool]| a.iter().zip(b).filter(|(a, b)| **a && !**b).count() as u64;
        Self::new(only(first_right, second_right), only(second_right, first_right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden::{self, close};

    #[test]
    fn by_hand() {
        // 1 against 5 of 6: 2 (1 + 6) / 64; mid-p takes half of the 6 off again.
        let found = McNemar::new(1, 5);
        assert!(
            (found.p - 14.0 / 64.0).abs() < 1e-12 && (found.mid_p - 8.0 / 64.0).abs() < 1e-12,
            "{found:?}"
        );
        assert_eq!(McNemar::new(0, 0).p, 1.0);
        assert_eq!(McNemar::new(4, 4).p, 1.0);
        assert!((McNemar::new(4, 4).mid_p - 1.0).abs() < 1e-12);
        let of = McNemar::of(&[true, true, false, false, true], &[true, false, true, false, false]);
        assert_eq!(of, McNemar::new(2, 1));
    }

    #[test]
    fn as_statsmodels_and_scipy_have_it() {
        for case in golden::cases("mcnemar") {
            let found = McNemar::new(case.number("only_first") as u64, case.number("only_second") as u64);
            assert!((found.p / case.number("p") - 1.0).abs() < 1e-10, "{found:?}");
            close(found.mid_p, case.number("mid_p"));
        }
    }
}
