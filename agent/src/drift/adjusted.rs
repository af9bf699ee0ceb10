//! Whether a column of the window differs from the reference by more than the order mix and runs of like coils explain.
//!
//! A plain Kolmogorov-Smirnov test takes coils for independent draws from one population. They are not: orders come in
//! campaigns, and strict customers come with light coatings. So
//! - the reference is weighted to the window's mix: within a stratum (tolerance class and weight) like is compared with
//!   like, and what is rare in one sample is rare in the other. Coils of a stratum that the reference hardly has are
//!   left out;
//! - a sample counts as many coils as are worth independent ones: Kish's effective number of the weights, divided by
//!   the time over which ranks are correlated, by the variance of batch means;
//! - over all columns (those of orders apart) Holm's correction holds the chance that any false one is named, whatever the dependence between
//!   columns. Benjamini and Hochberg's would hold the share of false ones among those named, and only under a kind of
//!   dependence that columns that are parts of one sum do not have; in an undisturbed month each alarm is false.

use super::distance::{clean, counts_of};
use super::special::{chi_square_tail, kolmogorov_tail};
use std::collections::BTreeMap;

/// A stratum with fewer coils in the reference is not compared.
const FEWEST: usize = 5;
/// Coils whose ranks are averaged to see how long a column remembers.
const BATCH: usize = 25;

/// Coils that may be compared with one another; see [`super::Columns::stratum`].
pub type Stratum = Option<(u8, i16)>;
/// A value and the stratum of its coil.
pub type Value = (f64, Stratum);

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// Chance of such a difference between independent coils of one mix.
    pub p: f64,
    /// First Wasserstein distance in standard deviations of the reference, at like mix.
    pub effect: f64,
    /// How many coils count as one.
    pub tau: f64,
    /// Coils of the window that could be compared.
    pub coils: usize,
}

/// Compares a numerical column at like mix. `least` is the least standard deviation to measure by. `None` where fewer
/// than `min_window` coils of the window can be compared.
pub fn compare(reference: &[Value], window: &[Value], least: f64, min_window: usize) -> Option<Compared> {
    let strata = Strata::of(reference, window);
    let window = clean(window.iter().filter(|(_, s)| strata.weight(*s) > 0.0).map(|(v, _)| *v));
    if window.len() < min_window.max(1) {
        return None;
    }
    let tau = tau(reference);
    let mut weighted: Vec<(f64, f64)> = reference
        .iter()
        .filter(|(v, _)| v.is_finite())
        .map(|(v, s)| (*v, strata.weight(*s)))
        .filter(|(_, w)| *w > 0.0)
        .collect();
    weighted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (distance, area) = apart(&weighted, &window);
    let (sum, squares) = weighted.iter().fold((0.0, 0.0), |(s, q), (_, w)| (s + w, q + w * w));
    let (n, m) = (sum * sum / squares / tau, window.len() as f64 / tau);
    let all = clean(reference.iter().map(|(v, _)| *v));
    let effect = area / super::distance::deviation(&all).max(least);
    Some(Compared { p: kolmogorov_tail(n * m / (n + m), distance), effect, tau, coils: window.len() })
}

/// Compares what was ordered, as it is: a numerical column.
pub fn compare_orders(reference: &[f64], window: &[f64], least: f64, min_window: usize) -> Option<Compared> {
    let plain = |values: &[f64]| values.iter().map(|v| (*v, None)).collect::<Vec<Value>>();
    compare(&plain(reference), &plain(window), least, min_window)
}

/// Compares what was ordered, as it is: a column of categories. Two-sample chi-square on as many coils as count; the
/// effect is half the sum of the differences between shares, over a half.
pub fn compare_classes(reference: &[f64], window: &[f64], min_window: usize) -> Option<Compared> {
    let plain: Vec<Value> = reference.iter().map(|v| (*v, None)).collect();
    let tau = tau(&plain);
    let (reference, window) = (clean(reference.iter().copied()), clean(window.iter().copied()));
    if window.len() < min_window.max(1) || reference.is_empty() {
        return None;
    }
    let (n, m) = (reference.len() as f64, window.len() as f64);
    let counts = counts_of(&reference, &window);
    let part = |&(i, j): &(usize, usize)| {
        let both = (i + j) as f64 / (n + m);
        (i as f64 - n * both).powi(2) / (n * both) + (j as f64 - m * both).powi(2) / (m * both)
    };
    let statistic = counts.iter().map(part).sum::<f64>() / tau;
    let p = if counts.len() > 1 { chi_square_tail(statistic, counts.len() - 1) } else { 1.0 };
    let effect = counts.iter().map(|&(i, j)| (i as f64 / n - j as f64 / m).abs()).sum::<f64>();
    Some(Compared { p, effect, tau, coils: window.len() })
}

/// Holm's adjusted p of each, in the same order (Scandinavian Journal of Statistics 6, 1979).
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut above = 0.0_f64;
    for (rank, at) in order.into_iter().enumerate() {
        above = above.max((p[at] * (p.len() - rank) as f64).min(1.0));
        adjusted[at] = above;
    }
    adjusted
}

/// Share of the window's coils whose stratum the reference hardly has.
pub fn unseen(reference: &[Stratum], window: &[Stratum]) -> f64 {
    let plain = |strata: &[Stratum]| strata.iter().map(|s| (0.0, *s)).collect::<Vec<Value>>();
    let (reference, window) = (plain(reference), plain(window));
    let strata = Strata::of(&reference, &window);
    let missing = window.iter().filter(|(_, s)| strata.weight(*s) == 0.0).count();
    missing as f64 / window.len().max(1) as f64
}

/// The weight of a reference's coil, by stratum.
struct Strata(BTreeMap<Stratum, f64>);

impl Strata {
    fn of(reference: &[Value], window: &[Value]) -> Self {
        let mut counts: BTreeMap<Stratum, (usize, usize)> = BTreeMap::new();
        for (value, stratum) in reference {
            counts.entry(*stratum).or_default().0 += usize::from(value.is_finite());
        }
        for (value, stratum) in window {
            counts.entry(*stratum).or_default().1 += usize::from(value.is_finite());
        }
        let weight = |(i, j): (usize, usize)| if i < FEWEST { 0.0 } else { j as f64 / i as f64 };
        Self(counts.into_iter().map(|(stratum, count)| (stratum, weight(count))).collect())
    }

    fn weight(&self, stratum: Stratum) -> f64 {
        self.0.get(&stratum).copied().unwrap_or(0.0)
    }
}

/// Kolmogorov-Smirnov statistic and Wasserstein distance between sorted weighted values and sorted values.
fn apart(weighted: &[(f64, f64)], values: &[f64]) -> (f64, f64) {
    let total: f64 = weighted.iter().map(|(_, w)| w).sum();
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    let (mut most, mut area, mut before) = (0.0_f64, 0.0, None);
    while i < weighted.len() || j < values.len() {
        let next = |v: Option<f64>| v.unwrap_or(f64::INFINITY);
        let at = next(weighted.get(i).map(|(v, _)| *v)).min(next(values.get(j).copied()));
        if let Some((from, difference)) = before {
            area += (at - from) * difference;
        }
        while i < weighted.len() && weighted[i].0 <= at {
            sum += weighted[i].1;
            i += 1;
        }
        j += values[j..].iter().take_while(|v| **v <= at).count();
        let difference = (sum / total - j as f64 / values.len() as f64).abs();
        most = most.max(difference);
        before = Some((at, difference));
    }
    (most, area)
}

/// How many coils in a row are worth one independent coil, 1 to [`BATCH`]: variance of the means of batches of ranks
/// over what it would be for independent ones. Ranks are taken of deviations from a stratum's median.
pub fn tau(values: &[Value]) -> f64 {
    let mut by_stratum: BTreeMap<Stratum, Vec<f64>> = BTreeMap::new();
    for (value, stratum) in values.iter().filter(|(v, _)| v.is_finite()) {
        by_stratum.entry(*stratum).or_default().push(*value);
    }
    let medians: BTreeMap<Stratum, f64> =
        by_stratum.into_iter().map(|(s, v)| (s, super::neighbours::middle(v))).collect();
    let centred: Vec<f64> =
        values.iter().filter(|(v, _)| v.is_finite()).map(|(v, s)| v - medians[s]).collect();
    let ranks = ranks(&centred);
    let batches: Vec<f64> = ranks.chunks_exact(BATCH).map(|b| b.iter().sum::<f64>() / BATCH as f64).collect();
    if batches.len() < 4 {
        return 1.0;
    }
    let variance = |values: &[f64]| super::distance::deviation(values).powi(2);
    let (between, all) = (variance(&batches), variance(&ranks));
    let unbiased = batches.len() as f64 / (batches.len() - 1) as f64;
    if all > 0.0 { (BATCH as f64 * unbiased * between / all).clamp(1.0, BATCH as f64) } else { 1.0 }
}

/// Ranks; equal values share the middle of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for run in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let middle = first as f64 + 0.5 * (run.len() - 1) as f64;
        for at in run {
            ranks[*at] = middle;
        }
        first += run.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(rng: &mut fastrand::Rng) -> f64 {
        (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
    }

    #[test]
    fn holm_by_hand() {
        // 4 x 0.01, 3 x 0.02, 2 x 0.03 raised to what stands before, 1 x 0.04 likewise.
        let adjusted = holm(&[0.04, 0.01, 0.03, 0.02]);
        for (ours, wanted) in adjusted.iter().zip([0.06, 0.04, 0.06, 0.06]) {
            assert!((ours - wanted).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(holm(&[0.7, 0.9]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn runs_of_like_coils_count_as_few() {
        let mut rng = fastrand::Rng::with_seed(7);
        let plain: Vec<Value> = (0..500).map(|_| (normal(&mut rng), None)).collect();
        assert!(tau(&plain) < 2.0, "{}", tau(&plain));
        let runs: Vec<Value> =
            (0..63).map(|_| normal(&mut rng)).flat_map(|v| [(v, None); 8]).take(500).collect();
        assert!((4.0..12.0).contains(&tau(&runs)), "{}", tau(&runs));
        assert_eq!(tau(&[(1.0, None); 500]), 1.0);
    }

    #[test]
    fn another_mix_is_no_drift_and_a_shift_within_the_mix_is() {
        let mut rng = fastrand::Rng::with_seed(3);
        // Two strata three deviations apart.
        let mut draw = |share: f64, shift: f64, n: usize| -> Vec<Value> {
            let mut one = || {
                let second = rng.f64() < share;
                let (mean, stratum) = if second { (3.0, (1, 20)) } else { (0.0, (0, 20)) };
                (mean + shift + normal(&mut rng), Some(stratum))
            };
            (0..n).map(|_| one()).collect()
        };
        let reference = draw(0.2, 0.0, 500);
        let mixed = draw(0.8, 0.0, 200);
        let compared = compare(&reference, &mixed, 0.0, 100).unwrap();
        assert!(compared.p > 0.01 && compared.effect < 0.3, "{compared:?}");
        let plain = |v: &[Value]| clean(v.iter().map(|(v, _)| *v));
        let naive = super::super::distance::ks_p(&plain(&reference), &plain(&mixed)).unwrap();
        assert!(naive < 1e-9, "{naive}");
        let compared = compare(&reference, &draw(0.8, 1.0, 200), 0.0, 100).unwrap();
        assert!(compared.p < 1e-6 && compared.effect > 0.3, "{compared:?}");
    }

    #[test]
    fn what_the_reference_never_had_is_left_out() {
        let reference = vec![(1.0, Some((0, 20))); 500];
        let mut window = vec![(1.0, Some((0, 20))); 120];
        window.extend([(9.0, Some((2, 25))); 80]);
        let compared = compare(&reference, &window, 1.0, 100).unwrap();
        assert_eq!((compared.coils, compared.effect), (120, 0.0));
        assert_eq!(compare(&reference, &window[..100], 1.0, 101), None);
        let strata = |v: &[Value]| v.iter().map(|(_, s)| *s).collect::<Vec<_>>();
        assert_eq!(unseen(&strata(&reference), &strata(&window)), 0.4);
    }

    #[test]
    fn without_strata_and_runs_it_is_the_plain_test() {
        let mut rng = fastrand::Rng::with_seed(11);
        let mut values: Vec<f64> = (0..700).map(|_| normal(&mut rng)).collect();
        values[500..].iter_mut().for_each(|v| *v += 0.25);
        let compared = compare_orders(&values[..500], &values[500..], 0.0, 100).unwrap();
        let sorted = |v: &[f64]| clean(v.iter().copied());
        let plain = super::super::distance::ks_p(&sorted(&values[..500]), &sorted(&values[500..])).unwrap();
        assert!((compared.p.ln() / plain.ln() - 1.0).abs() < 0.4, "{} {plain}", compared.p);
    }

    #[test]
    fn classes_that_come_otherwise() {
        let classes = |a: usize, b: usize| [vec![0.0; a], vec![1.0; b]].concat();
        let mixed = |a: usize, n: usize| (0..n).map(|i| f64::from(u8::from(i % 10 >= a))).collect::<Vec<_>>();
        let same = compare_classes(&mixed(5, 500), &mixed(5, 200), 100).unwrap();
        assert!(same.p > 0.9 && same.effect < 1e-9);
        let other = compare_classes(&mixed(5, 500), &mixed(9, 200), 100).unwrap();
        assert!(other.p < 1e-6 && (other.effect - 0.8).abs() < 1e-9);
        // In one run each, the same shares are worth a few coils only.
        assert!(compare_classes(&classes(250, 250), &mixed(9, 200), 100).unwrap().p > 1e-4);
    }
}
