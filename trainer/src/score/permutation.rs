//! Whether two models differ on the same coils: if they do not, it does not matter which judgement is whose.
//!
//! The two judgements of a coil (or of all coils of a day) change places at random, and the difference of a metric is worked
//! out anew: the paired randomisation test (R. A. Fisher, The Design of Experiments, 1935, section 21; B. Phipson, G. K.
//! Smyth, Permutation p-values should never be zero, Statistical Applications in Genetics and Molecular Biology 9
//! (2010), for counting the sample as it is among the draws).

use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Bootstrap, Units};

/// Differences nearer than this part of the metric are equal: sums in another order differ in the last digits.
const EQUAL: f64 = 1e-12;

/// What a test found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Permutation {
    /// The first model's metric minus the second's.
    pub difference: f64,
    /// The chance of a difference at least as large, either way, between models that do not differ.
    pub p: f64,
    /// How many ways of swapping were looked at.
    pub draws: u64,
    /// Whether these were all there are.
    pub exact: bool,
}

/// The two-sided test of the difference of `metric`, which is given one model's judgements, a value a coil in the order of
/// `first` and `second`. `units` are swapped as a whole: [`Units::by_label`] (or any by coil; strata make no difference)
/// or the days of [`Units::clusters`].
///
/// Exact where there are no more than `resampling.draws` ways of swapping (the sample as it is and its mirror image count
/// as one: they differ in the sign alone); else p = (1 + draws as extreme) / (1 + draws), seeded by `resampling.seed`.
/// Swaps that leave the metric undefined count as extreme: they never make a difference look surer. `None` where the metric
/// is undefined on the sample.
///
/// # Panics
/// When the judgements differ in number or `units` name a coil beyond them.
pub fn permutation<T, M>(
    resampling: &Bootstrap,
    units: &Units,
    first: &[T],
    second: &[T],
    metric: M,
) -> Option<Permutation>
where
    T: Copy + Send + Sync,
    M: Fn(&[T]) -> Option<f64> + Sync,
{
    assert_eq!(first.len(), second.len(), "a judgement of either model for every coil");
    let (of_first, of_second) = (metric(first)?, metric(second)?);
    let observed = of_first - of_second;
    let least = observed.abs() - EQUAL * of_first.abs().max(of_second.abs()).max(1.0);
    let units: Vec<&[usize]> = units.iter().collect();
    // Whether the draw is at least as extreme; `swapped` says of each unit in turn whether it changes places.
    let extreme = |pair: &mut (Vec<T>, Vec<T>), swapped: &mut dyn FnMut(usize) -> bool| {
        pair.0.copy_from_slice(first);
        pair.1.copy_from_slice(second);
        for (i, unit) in units.iter().enumerate() {
            if swapped(i) {
                unit.iter().for_each(|&row| std::mem::swap(&mut pair.0[row], &mut pair.1[row]));
            }
        }
        match (metric(&pair.0), metric(&pair.1)) {
            (Some(a), Some(b)) => u64::from((a - b).abs() >= least),
            _ => 1,
        }
    };
    let pair = || (first.to_vec(), second.to_vec());
    let ways = u32::try_from(units.len().saturating_sub(1)).ok().and_then(|n| 1_u32.checked_shl(n));
    if let Some(ways) = ways.filter(|ways| *ways <= resampling.draws) {
        // The last unit stays in its place: the other half of all ways mirrors this one.
        let draw =
            |pair: &mut _, way: u32| extreme(pair, &mut |i| way.checked_shr(i as u32).unwrap_or(0) & 1 == 1);
        let count: u64 = (0..ways).into_par_iter().map_init(pair, draw).sum();
        let p = count as f64 / f64::from(ways);
        return Some(Permutation { difference: observed, p, draws: u64::from(ways), exact: true });
    }
    let draw = |pair: &mut _, draw: u32| {
        let mut rng = resampling.stream(draw);
        extreme(pair, &mut |_| rng.random())
    };
    let count: u64 = (0..resampling.draws).into_par_iter().map_init(pair, draw).sum();
    let p = (count + 1) as f64 / (f64::from(resampling.draws) + 1.0);
    Some(Permutation { difference: observed, p, draws: u64::from(resampling.draws), exact: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden::{self, close};
    use crate::score::roc_auc;

    fn draws(draws: u32) -> Bootstrap {
        Bootstrap { draws, seed: 5, ..Bootstrap::default() }
    }

    #[test]
    fn exact_as_scipy_has_it_and_drawn_near_it() {
        for case in golden::cases("permutation") {
            let (first, second, nok) = (case.list("first"), case.list("second"), case.flags("nok"));
            let units = match case.list("day").as_slice() {
                [] => Units::by_label(&nok),
                days => Units::clusters(&days.iter().map(|d| *d as u32).collect::<Vec<_>>()),
            };
            let metric = |scores: &[f64]| match case.text("metric").as_str() {
                "mean" => Some(scores.iter().sum::<f64>() / scores.len() as f64),
                _ => roc_auc(&nok, scores),
            };
            let exact = permutation(&draws(1 << 16), &units, &first, &second, metric).unwrap();
            assert!(exact.exact);
            close(exact.difference, case.number("difference"));
            close(exact.p, case.number("p"));
            let drawn = permutation(&draws(400), &units, &first, &second, metric).unwrap();
            if !drawn.exact {
                assert!((drawn.p - exact.p).abs() < 0.07, "{drawn:?} {exact:?}");
            }
        }
    }

    #[test]
    fn by_hand() {
        // Three coils, right or wrong: the first model is right on all, the second on none. Of the 8 ways of swapping 2
        // leave three against none.
        let right = |judged: &[bool]| Some(judged.iter().filter(|r| **r).count() as f64);
        let units = Units::by_label(&[true, false, false]);
        let found = permutation(&draws(100), &units, &[true; 3], &[false; 3], right).unwrap();
        assert_eq!(found, Permutation { difference: 3.0, p: 0.25, draws: 4, exact: true });
        // Of one day, they can only be swapped together: nothing can be said.
        let found =
            permutation(&draws(100), &Units::clusters(&[7; 3]), &[true; 3], &[false; 3], right).unwrap();
        assert_eq!(found.p, 1.0);
    }

    #[test]
    fn a_p_is_never_zero_and_no_difference_is_one() {
        let (first, second) = (vec![1.0; 60], vec![0.0; 60]);
        let mean = |x: &[f64]| Some(x.iter().sum::<f64>());
        let units = Units::by_label(&[true; 60]);
        let found = permutation(&draws(999), &units, &first, &second, mean).unwrap();
        assert_eq!((found.p, found.draws, found.exact), (0.001, 999, false));
        assert_eq!(permutation(&draws(999), &units, &first, &first, mean).unwrap().p, 1.0);
    }

    #[test]
    fn the_undefined_counts_against_a_difference() {
        // Defined on the sample alone: every other way of swapping counts.
        let first = [3.0, 2.0, 1.0];
        let metric = |x: &[f64]| (x == first || x == [0.0; 3]).then(|| x.iter().sum::<f64>());
        let units = Units::by_label(&[true; 3]);
        assert_eq!(permutation(&draws(9), &units, &first, &[0.0; 3], metric).unwrap().p, 1.0);
        assert_eq!(permutation(&draws(9), &units, &first, &first, |_| None), None);
    }

    #[test]
    fn the_seed_decides_and_the_threads_do_not() {
        let first: Vec<f64> = (0..50).map(|i| f64::from(i * 7 % 13)).collect();
        let second: Vec<f64> = (0..50).map(|i| f64::from(i * 5 % 11)).collect();
        let units = Units::by_label(&[true; 50]);
        let run = |threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let resampling = Bootstrap { seed, ..draws(500) };
            pool.install(|| permutation(&resampling, &units, &first, &second, |x| Some(x.iter().sum())))
        };
        assert_eq!(run(1, 1), run(3, 1));
        assert_ne!(run(1, 1), run(1, 2));
    }
}
