//! Intervals by resampling coils: how far a metric would move with another draw of coils from the same line.
//!
//! Stratified: NOK and OK coils are redrawn apart, so every draw has the sample's share of NOK. Percentile: the
//! interval is read off the draws as they fall (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993,
//! chapter 13). The coil is the unit: whoever holds several rows of one coil averages them first.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Units;

/// How to resample. Equal settings give equal intervals on any number of threads, and metrics computed under equal
/// settings see the very same draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// How many resamples.
    pub draws: u32,
    /// Where the randomness comes from.
    pub seed: u64,
    /// The share of draws inside the interval: 0.95 leaves 2.5 % on either side.
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { draws: 2000, seed: 0, level: 0.95 }
    }
}

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Bootstrap {
    /// The interval of `metric`, which is given the rows of a resample by index (with repetition). Draws in which it
    /// is undefined are left out; `None` where it is in all of them.
    pub fn interval<M>(&self, nok: &[bool], metric: M) -> Option<Interval>
    where
        M: Fn(&[usize]) -> Option<f64> + Sync,
    {
        let (positives, negatives): (Vec<usize>, Vec<usize>) = (0..nok.len()).partition(|&i| nok[i]);
        self.interval_within(&[positives, negatives], metric)
    }

    /// The same with strata of one's own: each is redrawn apart.
    pub fn interval_within<M>(&self, strata: &[Vec<usize>], metric: M) -> Option<Interval>
    where
        M: Fn(&[usize]) -> Option<f64> + Sync,
    {
        let mut values = self.replicates(&Units::rows(strata), metric);
        values.sort_unstable_by(f64::total_cmp);
        let tail = 0.5 * (1.0 - self.level);
        Some(Interval { low: quantile(&values, tail)?, high: quantile(&values, 1.0 - tail)? })
    }

    /// The metric on every draw, in order of the draws, without those in which it is undefined.
    pub fn replicates<M>(&self, units: &Units, metric: M) -> Vec<f64>
    where
        M: Fn(&[usize]) -> Option<f64> + Sync,
    {
        (0..self.draws)
            .into_par_iter()
            .map_init(Vec::new, |rows, draw| {
                let mut rng = self.stream(draw);
                rows.clear();
                units.draw(|below| rng.random_range(0..below), rows);
                metric(rows)
            })
            .flatten()
            .filter(|v| v.is_finite())
            .collect()
    }

    /// A stream of its own for every draw: which thread takes it does not matter.
    pub(super) fn stream(&self, draw: u32) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(u64::from(draw));
        rng
    }
}

/// The `q` quantile of sorted values, linear between neighbours (R's type 7).
pub(super) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let at = q.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    Some(sorted[below] + (at - at.floor()) * (sorted[above] - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_hand() {
        let v = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&v, 0.0), Some(1.0));
        assert_eq!(quantile(&v, 0.5), Some(3.0));
        assert_eq!(quantile(&v, 0.75), Some(4.0 + 0.25 * 4.0));
        assert_eq!(quantile(&v, 1.0), Some(8.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn strata_keep_their_size_and_their_rows() {
        let nok: Vec<bool> = (0..50).map(|i| i % 10 == 0).collect();
        let share = |rows: &[usize]| {
            assert_eq!(rows.len(), 50);
            Some(rows.iter().filter(|&&i| nok[i]).count() as f64)
        };
        let interval = Bootstrap { draws: 200, ..Bootstrap::default() }.interval(&nok, share);
        assert_eq!(interval, Some(Interval { low: 5.0, high: 5.0 }));
    }

    #[test]
    fn recall_has_the_binomial_width() {
        // 60 of 100 NOK found: the resampled recall is Binomial(100, 0.6) / 100, so 0.6 -+ 1.96 * 0.049.
        let nok = vec![true; 100];
        let recall = |rows: &[usize]| Some(rows.iter().filter(|&&i| i < 60).count() as f64 / 100.0);
        let i = Bootstrap { draws: 4000, seed: 3, level: 0.95 }.interval(&nok, recall).unwrap();
        assert!((i.low - 0.504).abs() < 0.015 && (i.high - 0.696).abs() < 0.015, "{i:?}");
    }

    #[test]
    fn the_seed_decides_and_the_threads_do_not() {
        let nok: Vec<bool> = (0..40).map(|i| i % 3 == 0).collect();
        let metric = |rows: &[usize]| Some(rows.iter().map(|&i| (i * i) as f64).sum::<f64>());
        let run = |seed, threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Bootstrap { draws: 300, seed, level: 0.9 }.interval(&nok, metric))
        };
        assert_eq!(run(1, 1), run(1, 4));
        assert_ne!(run(1, 1), run(2, 1));
    }

    #[test]
    fn nothing_defined_gives_no_interval() {
        assert_eq!(Bootstrap::default().interval(&[true], |_| None), None);
        assert_eq!(Bootstrap { draws: 0, ..Bootstrap::default() }.interval(&[true], |_| Some(1.0)), None);
    }
}
