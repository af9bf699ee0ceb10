//! Bias-corrected and accelerated bootstrap intervals.
//!
//! Percentile intervals are off where a metric's draws are biased or skewed, as those of metrics near 1 are. BCa mends
//! both: B. Efron, Better bootstrap confidence intervals, Journal of the American Statistical Association 82 (1987);
//! T. J. DiCiccio, B. Efron, Bootstrap confidence intervals, Statistical Science 11 (1996); in the form of B. Efron, R.
//! Tibshirani, An Introduction to the Bootstrap (1993), equations 14.9 to 14.15, strata being samples of their own as in
//! `scipy.stats.bootstrap`.
//!
//! By coil or by production day: [`Units`] says what is redrawn and left out as a whole.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bootstrap::quantile;
use super::normal;
use super::{Bootstrap, Interval, Units};

/// Parts of a stratum that are left out one at a time. Units beyond it are left out in groups: the jackknife of a sorting
/// metric over n coils costs n² log n, and the sums of squares and cubes over groups dealt by turns estimate those
/// over units (their cubes with a standard error of 0.65 / 1000 in the acceleration, which itself is some hundredths).
const PARTS: usize = 1000;

/// A BCa interval and what moved it away from the percentiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bca {
    /// The interval.
    pub interval: Interval,
    /// z₀, in standard deviations: how far the draws' median lies below the estimate.
    pub bias: f64,
    /// a: how fast the standard deviation changes with the true value.
    pub acceleration: f64,
    /// Draws in which the metric was defined.
    pub draws: usize,
}

/// The interval of `metric`, which is given rows by index (with repetition). For the difference of two models give the
/// difference of their metrics on the same rows. Draws in which the metric is undefined are left out.
///
/// `None` where [`interval`] is, and where the metric is undefined on the whole or without one of its parts: a sample
/// whose only NOK coil (or only day with one) decides gives no interval.
pub fn bca<M>(bootstrap: &Bootstrap, units: &Units, metric: M) -> Option<Bca>
where
    M: Fn(&[usize]) -> Option<f64> + Sync,
{
    let estimate = metric(units.all())?;
    let jackknife = jackknife(units, PARTS, &metric)?;
    interval(estimate, &bootstrap.replicates(units, &metric), &jackknife, bootstrap.level)
}

/// The metric without each part, stratum by stratum.
fn jackknife<M>(units: &Units, most: usize, metric: &M) -> Option<Vec<Vec<f64>>>
where
    M: Fn(&[usize]) -> Option<f64> + Sync,
{
    let without = |parts: &Vec<_>| {
        let values = parts.par_iter().map_init(Vec::new, |rest, part: &super::units::Part| {
            part.rest(rest);
            metric(rest)
        });
        values.collect()
    };
    units.parts(most).iter().map(without).collect()
}

/// The interval from its parts: the metric's `estimate`, its values on bootstrap draws (in any order), and its values with
/// one unit left out, stratum by stratum. With z₀ = Φ⁻¹(share of draws below the estimate, equal ones counting half) and
/// a = Σₖ Σᵢ Uₖᵢ³/nₖ³ / (6 (Σₖ Σᵢ Uₖᵢ²/nₖ²)^1.5), Uₖᵢ = (nₖ − 1)(mean − value without unit i of stratum k), its ends
/// are the quantiles Φ(z₀ + (z₀ ± z) / (1 − a (z₀ ± z))) of the draws, linear between neighbours. Where no unit moves the
/// metric a is 0 (the bias-corrected interval).
///
/// `None` where the draws are all alike or all on one side of the estimate, anything is not finite, or `level` is not
/// between 0 and 1: where all of seven NOK coils are found the draws know no more (see [`super::wilson`]).
pub fn interval(estimate: f64, replicates: &[f64], jackknife: &[Vec<f64>], level: f64) -> Option<Bca> {
    let mut sorted = replicates.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (first, last) = (sorted.first()?, sorted.last()?);
    let finite =
        estimate.is_finite() && sorted.iter().chain(jackknife.iter().flatten()).all(|v| v.is_finite());
    if !finite || first == last || !(level > 0.0 && level < 1.0) {
        return None;
    }
    let below = sorted.partition_point(|v| *v < estimate);
    let to = sorted.partition_point(|v| *v <= estimate);
    let bias = normal::quantile((below + to) as f64 / (2 * sorted.len()) as f64)?;
    let acceleration = acceleration(jackknife);
    let end = |tail: f64| {
        let z = bias + normal::quantile(tail)?;
        quantile(&sorted, normal::cdf(bias + z / (1.0 - acceleration * z)))
    };
    let tail = 0.5 * (1.0 - level);
    let interval = Interval { low: end(tail)?, high: end(1.0 - tail)? };
    Some(Bca { interval, bias, acceleration, draws: sorted.len() })
}

fn acceleration(jackknife: &[Vec<f64>]) -> f64 {
    let (mut cubes, mut squares) = (0.0, 0.0);
    for values in jackknife {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        for value in values {
            let influence = (n - 1.0) * (mean - value) / n;
            squares += influence.powi(2);
            cubes += influence.powi(3);
        }
    }
    if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden::{self, close};
    use crate::score::roc_auc;

    #[test]
    fn as_scipy_has_it_on_the_same_draws() {
        for case in golden::cases("bca") {
            let strata: Vec<Vec<f64>> = case.rows("jackknife");
            let found =
                interval(case.number("estimate"), &case.list("replicates"), &strata, case.number("level"));
            let found = found.unwrap();
            close(found.interval.low, case.number("low"));
            close(found.interval.high, case.number("high"));
            close(found.bias, case.number("bias"));
            close(found.acceleration, case.number("acceleration"));
        }
    }

    #[test]
    fn the_jackknife_is_scipys_by_coil_and_by_day() {
        for case in golden::cases("jackknife") {
            let (nok, scores) = (case.flags("nok"), case.list("scores"));
            let auc = |rows: &[usize]| {
                let (nok, scores): (Vec<bool>, Vec<f64>) = rows.iter().map(|i| (nok[*i], scores[*i])).unzip();
                roc_auc(&nok, &scores)
            };
            let units = match case.list("day").as_slice() {
                [] => Units::by_label(&nok),
                days => Units::clusters(&days.iter().map(|d| *d as u32).collect::<Vec<_>>()),
            };
            let values = jackknife(&units, 1000, &auc).unwrap();
            let expected = case.rows("values");
            assert_eq!(values.len(), expected.len());
            for (values, expected) in values.iter().zip(&expected) {
                assert_eq!(values.len(), expected.len());
                values.iter().zip(expected).for_each(|(a, b)| close(*a, *b));
            }
            close(acceleration(&values), case.number("acceleration"));
        }
    }

    #[test]
    fn no_bias_and_no_skew_leaves_the_percentiles() {
        // 101 draws from 0 to 100 around 50, influences as far up as down: z₀ = 0, a = 0.
        let draws: Vec<f64> = (0..=100).map(f64::from).collect();
        let found = interval(50.0, &draws, &[vec![49.0, 50.0, 51.0]], 0.9).unwrap();
        assert!(found.bias.abs() < 1e-12 && found.acceleration.abs() < 1e-12, "{found:?}");
        assert!((found.interval.low - 5.0).abs() < 1e-9 && (found.interval.high - 95.0).abs() < 1e-9);
    }

    #[test]
    fn groups_estimate_the_same_acceleration() {
        // A mean of skewed numbers, i²: 4,000 units apart, and in 1,000 groups of four.
        let mean =
            |rows: &[usize]| Some(rows.iter().map(|i| (i * i) as f64).sum::<f64>() / rows.len() as f64);
        let units = Units::by_label(&vec![true; 4000]);
        let each = acceleration(&jackknife(&units, 4000, &mean).unwrap());
        // The skewness of the squares of uniform numbers is 0.6389: a = skewness / (6 √n).
        assert!((each - 0.6389 / (6.0 * 4000.0_f64.sqrt())).abs() < 1e-5, "{each}");
        let grouped = acceleration(&jackknife(&units, 1000, &mean).unwrap());
        assert!((each - grouped).abs() < 2e-3, "{each} {grouped}");
    }

    #[test]
    fn days_that_go_together_widen_the_interval() {
        // 40 days of 10 coils; every coil of a day is found, or none is.
        let day: Vec<usize> = (0..400).map(|i| i / 10).collect();
        let recall = |rows: &[usize]| {
            Some(rows.iter().filter(|&&i| day[i].is_multiple_of(2)).count() as f64 / rows.len() as f64)
        };
        let bootstrap = Bootstrap { draws: 1000, ..Bootstrap::default() };
        let width =
            |units: &Units| bca(&bootstrap, units, recall).map(|b| b.interval.high - b.interval.low).unwrap();
        let ratio = width(&Units::clusters(&day)) / width(&Units::by_label(&[true; 400]));
        // By day the variance is ten times larger.
        assert!((ratio - 10.0_f64.sqrt()).abs() < 0.35, "{ratio}");
    }

    #[test]
    fn what_draws_cannot_tell_is_left_undefined() {
        assert_eq!(interval(1.0, &[1.0; 50], &[vec![1.0; 5]], 0.95), None);
        assert_eq!(interval(9.0, &[1.0, 2.0], &[vec![1.0, 2.0]], 0.95), None);
        assert_eq!(interval(1.5, &[1.0, 2.0], &[vec![1.0, f64::NAN]], 0.95), None);
        assert_eq!(interval(1.5, &[1.0, 2.0], &[vec![1.0, 2.0]], 1.0), None);
        assert_eq!(interval(1.5, &[], &[vec![1.0, 2.0]], 0.95), None);
        // One NOK coil: without it there is no ROC curve.
        let nok = [true, false, false, false];
        let auc = |rows: &[usize]| {
            let nok: Vec<bool> = rows.iter().map(|i| nok[*i]).collect();
            roc_auc(&nok, &rows.iter().map(|i| *i as f64).collect::<Vec<_>>())
        };
        assert_eq!(bca(&Bootstrap::default(), &Units::by_label(&nok), auc), None);
    }
}
