//! Whether probabilities mean what they say: of the coils that are given 30 %, 30 % should be NOK.

use serde::{Deserialize, Serialize};

use super::Interval;
use super::bootstrap::quantile;
use super::wilson::wilson;

/// How to put coils into bins by their probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bins {
    /// So many of equal width between 0 and 1. Where NOK is rare nearly all coils lie in the first.
    Width(usize),
    /// So many with equally many coils, cut at the sample's quantiles (linear between neighbours). Coils of equal
    /// probability stay together.
    Mass(usize),
}

/// The coils of a bin; it holds probabilities above its lower edge up to its upper one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// How many.
    pub coils: u64,
    /// How many are NOK.
    pub nok: u64,
    /// Their mean probability of NOK.
    pub mean_p: f64,
    /// The share that is NOK.
    pub share: f64,
    /// Wilson's 95 % interval of the share.
    pub interval: Interval,
}

/// The reliability curve: bins in order of probability, empty ones left out. Reliability diagrams: A. H. Murphy, R. L.
/// Winkler, Reliability of subjective probability forecasts of precipitation and temperature, Applied Statistics 26
/// (1977). `None` without coils or bins, or where one is no probability.
///
/// # Panics
/// When `nok` and `p_nok` differ in length.
pub fn reliability(nok: &[bool], p_nok: &[f64], bins: Bins) -> Option<Vec<Bin>> {
    assert_eq!(nok.len(), p_nok.len(), "a probability for every label");
    let (Bins::Width(count) | Bins::Mass(count)) = bins;
    if nok.is_empty() || count == 0 || !p_nok.iter().all(|p| (0.0..=1.0).contains(p)) {
        return None;
    }
    let mut rows: Vec<(f64, bool)> = p_nok.iter().copied().zip(nok.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let sorted: Vec<f64> = rows.iter().map(|r| r.0).collect();
    let mut found = Vec::new();
    let mut from = 0;
    for i in 1..=count {
        let share = i as f64 / count as f64;
        let edge = match bins {
            Bins::Width(_) => share,
            Bins::Mass(_) => quantile(&sorted, share)?,
        };
        let to = if i == count { rows.len() } else { sorted.partition_point(|p| *p <= edge) };
        found.extend(bin(&rows[from..to]));
        from = to;
    }
    Some(found)
}

fn bin(rows: &[(f64, bool)]) -> Option<Bin> {
    let (coils, nok) = (rows.len() as u64, rows.iter().filter(|r| r.1).count() as u64);
    let interval = wilson(nok, coils)?;
    let mean_p = rows.iter().map(|r| r.0).sum::<f64>() / coils as f64;
    Some(Bin { coils, nok, mean_p, share: nok as f64 / coils as f64, interval })
}

/// Expected calibration error: the mean distance of share and mean probability over bins, by their coils. M. P. Naeini, G.
/// F. Cooper, M. Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015. It grows with the
/// number of bins, even of probabilities that are right. `None` without bins.
pub fn calibration_error(bins: &[Bin]) -> Option<f64> {
    let coils: u64 = bins.iter().map(|b| b.coils).sum();
    let sum: f64 = bins.iter().map(|b| b.coils as f64 * (b.share - b.mean_p).abs()).sum();
    (coils > 0).then(|| sum / coils as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden::{self, close};

    #[test]
    fn by_hand() {
        // Two bins: 0.1 0.2 0.5 (up to its edge) with one NOK, 0.7 0.9 with two.
        let (nok, p) = ([false, false, true, true, true], [0.1, 0.2, 0.5, 0.7, 0.9]);
        let bins = reliability(&nok, &p, Bins::Width(2)).unwrap();
        assert_eq!(bins.iter().map(|b| (b.coils, b.nok)).collect::<Vec<_>>(), [(3, 1), (2, 2)]);
        assert!((bins[0].mean_p - 0.8 / 3.0).abs() < 1e-15 && bins[1].share == 1.0);
        assert!((bins[1].interval.low - wilson(2, 2).unwrap().low).abs() < 1e-15);
        // 3/5 · (1/3 − 0.8/3) + 2/5 · (1 − 0.8)
        assert!((calibration_error(&bins).unwrap() - (0.04 + 0.08)).abs() < 1e-12);
        // All alike: one bin.
        assert_eq!(reliability(&[true, false], &[0.3; 2], Bins::Mass(5)).unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_binned_is_left_undefined() {
        assert_eq!(reliability(&[], &[], Bins::Width(5)), None);
        assert_eq!(reliability(&[true], &[0.5], Bins::Mass(0)), None);
        assert_eq!(reliability(&[true], &[-0.5], Bins::Mass(1)), None);
        assert_eq!(calibration_error(&[]), None);
    }

    #[test]
    fn as_scikit_learn_has_it() {
        for case in golden::cases("calibration") {
            let (nok, p) = (case.flags("nok"), case.list("p_nok"));
            for (name, bins) in [("width", Bins::Width(10)), ("mass", Bins::Mass(7))] {
                let found = reliability(&nok, &p, bins).unwrap();
                let expected = case.rows(name);
                assert_eq!(found.len(), expected[0].len());
                for (i, bin) in found.iter().enumerate() {
                    close(bin.share, expected[0][i]);
                    close(bin.mean_p, expected[1][i]);
                }
                close(calibration_error(&found).unwrap(), case.number(&format!("{name}_error")));
            }
        }
    }
}
