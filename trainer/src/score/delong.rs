//! How far an area under the ROC curve can be trusted, and whether two on the same coils differ.
//!
//! E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Comparing the areas under two or more correlated receiver operating
//! characteristic curves: a nonparametric approach, Biometrics 44 (1988), in O(n log n): X. Sun, W. Xu,
//! Fast implementation of DeLong's algorithm, IEEE Signal Processing Letters 21 (2014). Ties count half.

use serde::{Deserialize, Serialize};

use super::{Interval, normal};

/// An area under the ROC curve with its variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Auc {
    /// The area.
    pub auc: f64,
    /// The variance of its estimate.
    pub variance: f64,
}

/// Two areas on the same coils.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TwoAucs {
    /// The first model's.
    pub first: Auc,
    /// The second model's.
    pub second: Auc,
    /// The covariance of the two estimates.
    pub covariance: f64,
}

/// What DeLong's test found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DeLong {
    /// The first area minus the second.
    pub difference: f64,
    /// The difference in standard errors.
    pub z: f64,
    /// Two-sided.
    pub p: f64,
    /// Of the difference.
    pub interval: Interval,
}

impl Auc {
    /// From labels and scores; `None` with fewer than two coils of either label, or with a score that is not a number.
    ///
    /// # Panics
    /// When the two differ in length.
    pub fn new(nok: &[bool], scores: &[f64]) -> Option<Self> {
        let placed = Placements::new(nok, scores)?;
        Some(Self { auc: placed.auc(), variance: placed.covariance(&placed) })
    }

    /// area ± z·se, cut off at 0 and 1 (as pROC does). `None` unless 0 < `level` < 1.
    pub fn interval(&self, level: f64) -> Option<Interval> {
        let half = normal::quantile(0.5 * (1.0 + level))? * self.variance.sqrt();
        let end = |x: f64| x.clamp(0.0, 1.0);
        (level > 0.0).then(|| Interval { low: end(self.auc - half), high: end(self.auc + half) })
    }

    /// The same worked out in log-odds, where it needs no cutting off and is nearer its level for areas near 1 (M. S. Pepe,
    /// The Statistical Evaluation of Medical Tests, 2003). `None` for an area of 0 or 1.
    pub fn logit_interval(&self, level: f64) -> Option<Interval> {
        let odds = self.auc * (1.0 - self.auc);
        if odds <= 0.0 || level <= 0.0 {
            return None;
        }
        let half = normal::quantile(0.5 * (1.0 + level))? * self.variance.sqrt() / odds;
        let centre = (self.auc / (1.0 - self.auc)).ln();
        Some(Interval { low: super::sigmoid(centre - half), high: super::sigmoid(centre + half) })
    }
}

impl TwoAucs {
    /// From labels and both models' scores; `None` as for [`Auc::new`].
    ///
    /// # Panics
    /// When they differ in length.
    pub fn new(nok: &[bool], first: &[f64], second: &[f64]) -> Option<Self> {
        let (a, b) = (Placements::new(nok, first)?, Placements::new(nok, second)?);
        let of = |placed: &Placements| Auc { auc: placed.auc(), variance: placed.covariance(placed) };
        Some(Self { first: of(&a), second: of(&b), covariance: a.covariance(&b) })
    }

    /// The test of equal areas. `None` where the difference has no variance (two models that rank alike), and unless
    /// 0 < `level` < 1.
    pub fn test(&self, level: f64) -> Option<DeLong> {
        let difference = self.first.auc - self.second.auc;
        let variance = self.first.variance + self.second.variance - 2.0 * self.covariance;
        // Models that rank alike leave rounding behind.
        if variance <= 1e-12 * (self.first.variance + self.second.variance) || level <= 0.0 {
            return None;
        }
        let error = variance.sqrt();
        let half = normal::quantile(0.5 * (1.0 + level))? * error;
        let z = difference / error;
        let interval = Interval { low: difference - half, high: difference + half };
        Some(DeLong { difference, z, p: normal::two_sided(z), interval })
    }
}

/// Of each NOK coil the share of OK coils it scores above, of each OK coil the share of NOK coils that score above it.
struct Placements {
    nok: Vec<f64>,
    ok: Vec<f64>,
}

impl Placements {
    fn new(nok: &[bool], scores: &[f64]) -> Option<Self> {
        assert_eq!(nok.len(), scores.len(), "a score for every label");
        let positives = nok.iter().filter(|n| **n).count();
        let negatives = nok.len() - positives;
        if positives < 2 || negatives < 2 || scores.iter().any(|s| s.is_nan()) {
            return None;
        }
        let mut order: Vec<usize> = (0..nok.len()).collect();
        order.sort_unstable_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let mut share = vec![0.0; nok.len()];
        let (mut nok_below, mut ok_below) = (0.0, 0.0);
        for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
            let nok_tied = tied.iter().filter(|i| nok[**i]).count() as f64;
            let ok_tied = tied.len() as f64 - nok_tied;
            for &i in tied {
                share[i] = if nok[i] {
                    (ok_below + 0.5 * ok_tied) / negatives as f64
                } else {
                    1.0 - (nok_below + 0.5 * nok_tied) / positives as f64
                };
            }
            nok_below += nok_tied;
            ok_below += ok_tied;
        }
        let of =
            |label: bool| nok.iter().zip(&share).filter(|(n, _)| **n == label).map(|(_, s)| *s).collect();
        Some(Self { nok: of(true), ok: of(false) })
    }

    fn auc(&self) -> f64 {
        mean(&self.nok)
    }

    /// Of the two areas' estimates.
    fn covariance(&self, other: &Self) -> f64 {
        covariance(&self.nok, &other.nok) / self.nok.len() as f64
            + covariance(&self.ok, &other.ok) / self.ok.len() as f64
    }
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn covariance(x: &[f64], y: &[f64]) -> f64 {
    let (mx, my) = (mean(x), mean(y));
    x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>() / (x.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden::{self, close};
    use crate::score::roc_auc;
    use proptest::prelude::*;

    #[test]
    fn as_proc_has_it() {
        for case in golden::cases("delong") {
            let nok = case.flags("nok");
            let two = TwoAucs::new(&nok, &case.list("first"), &case.list("second")).unwrap();
            close(two.first.auc, case.number("first_auc"));
            close(two.second.auc, case.number("second_auc"));
            close(two.first.variance, case.number("first_variance"));
            close(two.second.variance, case.number("second_variance"));
            close(two.covariance, case.number("covariance"));
            let test = two.test(0.95).unwrap();
            close(test.z, case.number("z"));
            close(test.p, case.number("p"));
            close(test.interval.low, case.number("low"));
            close(test.interval.high, case.number("high"));
            let interval = two.first.interval(0.95).unwrap();
            close(interval.low, case.number("first_low"));
            close(interval.high, case.number("first_high"));
        }
    }

    #[test]
    fn the_published_example() {
        // pROC's manual, aSAH: s100b against wfns, Z = 2.209 in size, p = 0.02718; areas 0.7314 and 0.8237.
        let cases = golden::cases("delong");
        let case = cases.iter().find(|c| c.text("name") == "aSAH wfns s100b").unwrap();
        let two = TwoAucs::new(&case.flags("nok"), &case.list("first"), &case.list("second")).unwrap();
        let test = two.test(0.95).unwrap();
        assert!((test.z - 2.209).abs() < 5e-4 && (test.p - 0.02718).abs() < 5e-6, "{test:?}");
        assert!((two.first.auc - 0.8237).abs() < 5e-5 && (two.second.auc - 0.7314).abs() < 5e-5);
    }

    #[test]
    fn by_hand() {
        // NOK 3, 1; OK 2, 0: the NOK coils are above 2/2 and 1/2 of the OK, the OK below 1/2 and 2/2 of the NOK. Area 3/4;
        // either variance is 1/8: 1/8/2 + 1/8/2.
        let auc = Auc::new(&[true, true, false, false], &[3.0, 1.0, 2.0, 0.0]).unwrap();
        assert!((auc.auc - 0.75).abs() < 1e-15 && (auc.variance - 0.125).abs() < 1e-15, "{auc:?}");
        let logit = auc.logit_interval(0.95).unwrap();
        let half = 1.959963984540054 * 0.125_f64.sqrt() / (0.75 * 0.25);
        assert!((logit.low - 1.0 / (1.0 + (half - 3.0_f64.ln()).exp())).abs() < 1e-12, "{logit:?}");
        assert_eq!(auc.interval(0.95).unwrap().high, 1.0);
    }

    #[test]
    fn what_has_no_variance_is_left_undefined() {
        let nok = [true, true, false, false];
        assert_eq!(Auc::new(&[true, false, false], &[1.0, 0.0, 0.0]), None);
        assert_eq!(Auc::new(&nok, &[1.0, f64::NAN, 0.0, 0.0]), None);
        let perfect = Auc::new(&nok, &[1.0, 2.0, 0.0, 0.0]).unwrap();
        assert_eq!((perfect.variance, perfect.logit_interval(0.95)), (0.0, None));
        let same = TwoAucs::new(&nok, &[3.0, 1.0, 2.0, 0.0], &[30.0, 10.0, 20.0, 0.0]).unwrap();
        assert_eq!(same.test(0.95), None);
        assert_eq!((perfect.interval(0.0), perfect.interval(1.0)), (None, None));
    }

    proptest! {
        #[test]
        fn is_the_definition_over_all_pairs(rows in prop::collection::vec((any::<bool>(), 0_u8..6, 0_u8..6), 4..40)) {
            let nok: Vec<bool> = rows.iter().map(|r| r.0).collect();
            let scores = |which: fn(&(bool, u8, u8)) -> u8| -> Vec<f64> {
                rows.iter().map(|r| f64::from(which(r))).collect()
            };
            let (first, second) = (scores(|r| r.1), scores(|r| r.2));
            let Some(two) = TwoAucs::new(&nok, &first, &second) else { return Ok(()) };
            prop_assert!((two.first.auc - roc_auc(&nok, &first).unwrap()).abs() < 1e-12);
            // As it was defined in 1988: S₁₀/m + S₀₁/n over the kernel ψ.
            let of = |label: bool| (0..nok.len()).filter(|i| nok[*i] == label).collect::<Vec<_>>();
            let (positives, negatives) = (of(true), of(false));
            let psi = |s: &[f64], i: usize, j: usize| {
                if s[i] > s[j] { 1.0 } else if s[i] == s[j] { 0.5 } else { 0.0 }
            };
            let mean_over = |s: &[f64], over_ok: bool| -> Vec<f64> {
                let (outer, inner) = if over_ok { (&positives, &negatives) } else { (&negatives, &positives) };
                outer.iter().map(|i| {
                    inner.iter().map(|j| if over_ok { psi(s, *i, *j) } else { psi(s, *j, *i) }).sum::<f64>()
                        / inner.len() as f64
                }).collect()
            };
            let expected = covariance(&mean_over(&first, true), &mean_over(&second, true)) / positives.len() as f64
                + covariance(&mean_over(&first, false), &mean_over(&second, false)) / negatives.len() as f64;
            prop_assert!((two.covariance - expected).abs() < 1e-12);
        }
    }
}
