//! Distances and tests between two samples of one column, as Evidently 0.7.23 (PyPI) computes them.
//!
//! People compare what they read here with what their own notebooks say, so each function follows Evidently's
//! `legacy/calculations/stattests` and the SciPy 1.17 and NumPy 2.4 below it, down to their bins. As there, values that
//! are not finite are left out beforehand ([`clean`]). Golden numbers and the script that made them lie beside the
//! tests.

use super::special;

/// The largest sample for which SciPy computes the Kolmogorov-Smirnov test exactly (`MAX_AUTO_N` of `ks_2samp`).
pub const MAX_EXACT: usize = 10_000;
/// Above so many different values in the reference, Evidently bins a column.
const MAX_CATEGORIES: usize = 20;
/// Evidently's stand-in for an empty bin.
const EMPTY_BIN: f64 = 1e-4;
/// Least standard deviation that Evidently divides the Wasserstein distance by.
const LEAST_DEVIATION: f64 = 1e-3;

/// The finite values of a column, in ascending order: what every function here takes.
pub fn clean(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut finite: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    finite.sort_unstable_by(f64::total_cmp);
    finite
}

/// Largest difference between the empirical distribution functions of two sorted samples, 0 to 1.
pub fn ks_statistic(reference: &[f64], recent: &[f64]) -> f64 {
    let (n, m) = (reference.len() as f64, recent.len() as f64);
    steps(reference, recent).map(|(_, i, j)| (i as f64 / n - j as f64 / m).abs()).fold(0.0, f64::max)
}

/// p of the two-sided two-sample Kolmogorov-Smirnov test on sorted samples (Evidently `ks`; `scipy.stats.ks_2samp`
/// with method `auto`), exact up to [`MAX_EXACT`] values a sample; `None` beyond, and for an empty sample.
pub fn ks_p(reference: &[f64], recent: &[f64]) -> Option<f64> {
    let (n, m) = (reference.len(), recent.len());
    if n == 0 || m == 0 || n.max(m) > MAX_EXACT {
        return None;
    }
    Some(special::ks_exact(n, m, ks_statistic(reference, recent)))
}

/// p of the chi-square test that the recent counts follow the reference's shares (Evidently `chisquare`;
/// `scipy.stats.chisquare`). What the reference never had makes it 0. `None` if a sample is empty or
/// there is one category only, which SciPy calls 'not a number'.
pub fn chi_square_p(reference: &[f64], recent: &[f64]) -> Option<f64> {
    if reference.is_empty() || recent.is_empty() {
        return None;
    }
    let scale = recent.len() as f64 / reference.len() as f64;
    let counts = counts_of(reference, recent);
    let statistic: f64 = counts
        .iter()
        .map(|&(expected, observed)| {
            let expected = expected as f64 * scale;
            (observed as f64 - expected).powi(2) / expected
        })
        .sum();
    (counts.len() > 1).then(|| special::chi_square_tail(statistic, counts.len() - 1))
}

/// p of the test that two proportions are equal, for columns of at most two values (Evidently `z`).
pub fn z_p(reference: &[f64], recent: &[f64]) -> Option<f64> {
    let counts = counts_of(reference, recent);
    let (n, m) = (reference.len() as f64, recent.len() as f64);
    match counts[..] {
        [(i, j)] if i > 0 && j > 0 => Some(1.0),
        [(i, j), _] if n > 0.0 && m > 0.0 => {
            let (p1, p2) = (1.0 - i as f64 / n, 1.0 - j as f64 / m);
            let both = (p1 * n + p2 * m) / (n + m);
            let z = (p1 - p2) / (both * (1.0 - both) * (1.0 / n + 1.0 / m)).sqrt();
            Some(libm::erfc(z.abs() / std::f64::consts::SQRT_2))
        }
        _ => None,
    }
}

/// First Wasserstein distance of two sorted samples in standard deviations of the reference, of which 0.001 is the
/// least that is divided by (Evidently `wasserstein`). `None` for an empty sample.
pub fn wasserstein(reference: &[f64], recent: &[f64]) -> Option<f64> {
    if reference.is_empty() || recent.is_empty() {
        return None;
    }
    let (n, m) = (reference.len() as f64, recent.len() as f64);
    let (mut area, mut before) = (0.0, None);
    for (value, i, j) in steps(reference, recent) {
        if let Some((from, apart)) = before {
            area += (value - from) * apart;
        }
        before = Some((value, (i as f64 / n - j as f64 / m).abs()));
    }
    Some(area / deviation(reference).max(LEAST_DEVIATION))
}

/// Jensen-Shannon distance, natural logarithm, 0 to √(ln 2) (Evidently `jensenshannon`;
/// `scipy.spatial.distance.jensenshannon`): over bins by Sturges' rule on both samples together, or over the values
/// themselves where the reference has at most 20. `None` for an empty sample.
pub fn jensen_shannon(reference: &[f64], recent: &[f64]) -> Option<f64> {
    let shares = shares(reference, recent)?;
    let sum = shares.iter().fold((0.0, 0.0), |(p, q), share| (p + share.0, q + share.1));
    let entropy = |x: f64, y: f64| if x > 0.0 { x * (x / y).ln() } else { 0.0 };
    let both: f64 = shares
        .iter()
        .map(|&(p, q)| (p / sum.0, q / sum.1))
        .map(|(p, q)| entropy(p, 0.5 * (p + q)) + entropy(q, 0.5 * (p + q)))
        .sum();
    // Equal shares may come out a rounding below zero.
    Some((0.5 * both.max(0.0)).sqrt())
}

/// Population stability index (Evidently `psi`) over the same bins as [`jensen_shannon`]; an empty bin counts as
/// 0.0001, or as a millionth of the sample's smallest share where that is 0.0001 or less. `None` for an empty sample.
pub fn psi(reference: &[f64], recent: &[f64]) -> Option<f64> {
    let shares = shares(reference, recent)?;
    let stand_in = |smallest: f64| if smallest <= EMPTY_BIN { smallest / 1e6 } else { EMPTY_BIN };
    let least = |of: fn(&(f64, f64)) -> f64| {
        stand_in(shares.iter().map(of).filter(|share| *share > 0.0).fold(f64::INFINITY, f64::min))
    };
    let (p0, q0) = (least(|s| s.0), least(|s| s.1));
    let fill = |share: f64, stand_in: f64| if share == 0.0 { stand_in } else { share };
    let part = |&(p, q): &(f64, f64)| {
        let (p, q) = (fill(p, p0), fill(q, q0));
        (p - q) * (p / q).ln()
    };
    Some(shares.iter().map(part).sum())
}

/// Population standard deviation.
pub fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// Number of different values of a sorted sample.
pub fn distinct(sorted: &[f64]) -> usize {
    sorted.chunk_by(|a, b| a == b).count()
}

/// Each different value of two sorted samples, ascending, with how many values of each sample are not above it.
fn steps<'a>(a: &'a [f64], b: &'a [f64]) -> impl Iterator<Item = (f64, usize, usize)> + 'a {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        let value = match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) => x.min(*y),
            (Some(x), None) => *x,
            (None, Some(y)) => *y,
            (None, None) => return None,
        };
        i += a[i..].iter().take_while(|x| **x == value).count();
        j += b[j..].iter().take_while(|y| **y == value).count();
        Some((value, i, j))
    })
}

/// How often each different value occurs in both sorted samples.
pub(super) fn counts_of(a: &[f64], b: &[f64]) -> Vec<(usize, usize)> {
    let mut before = (0, 0);
    steps(a, b)
        .map(|(_, i, j)| {
            let count = (i - before.0, j - before.1);
            before = (i, j);
            count
        })
        .collect()
}

/// Evidently's `get_binned_data` without its filling of empty bins: shares of both samples, bin by bin.
fn shares(reference: &[f64], recent: &[f64]) -> Option<Vec<(f64, f64)>> {
    if reference.is_empty() || recent.is_empty() {
        return None;
    }
    let (n, m) = (reference.len() as f64, recent.len() as f64);
    let counts = if distinct(reference) > MAX_CATEGORIES {
        let edges = sturges(reference, recent);
        let (a, b) = (histogram(reference, &edges), histogram(recent, &edges));
        a.into_iter().zip(b).collect()
    } else {
        counts_of(reference, recent)
    };
    Some(counts.into_iter().map(|(i, j)| (i as f64 / n, j as f64 / m)).collect())
}

/// `numpy.histogram_bin_edges(both, bins="sturges")` of samples that differ somewhere.
fn sturges(a: &[f64], b: &[f64]) -> Vec<f64> {
    let first = a[0].min(b[0]);
    let last = a[a.len() - 1].max(b[b.len() - 1]);
    let width = (last - first) / (((a.len() + b.len()) as f64).log2() + 1.0);
    let bins = ((last - first) / width).ceil() as usize;
    let step = (last - first) / bins as f64;
    let mut edges: Vec<f64> = (0..=bins).map(|i| i as f64 * step + first).collect();
    edges[bins] = last;
    edges
}

/// `numpy.histogram` of a sorted sample: an edge belongs to the bin above it, the last one to the last bin.
fn histogram(sorted: &[f64], edges: &[f64]) -> Vec<usize> {
    let last = edges.len() - 1;
    let below = |i: usize| match i {
        _ if i == last => sorted.partition_point(|v| *v <= edges[i]),
        _ => sorted.partition_point(|v| *v < edges[i]),
    };
    (0..last).map(|i| below(i + 1) - below(i)).collect()
}
