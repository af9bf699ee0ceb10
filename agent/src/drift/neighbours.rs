//! What the other gauges make one expect of a gauge.
//!
//! From coil to coil a strip is bent and skewed, and its edges are heavier: the raw offset of an edge gauge spreads by
//! 2.5 %. But all eighteen see the same strip. Given the others, a gauge is known to a few tenths of a per cent. With
//! C the covariance of the offsets in the reference and P its inverse, the best linear guess at what gauge j alone
//! reads too much is `(P d)_j / P_jj` for deviations d from the reference's medians, with variance `1 / P_jj`
//! (conditional normal distribution; e.g. Anderson, An introduction to multivariate statistical analysis, 2.5).

use coilsight_models::coil::GAUGES;

/// Values further from the median than so many robust standard deviations count as being that far: flaws.
const FAR: f64 = 3.0;
/// Added to each gauge's standard deviation, per cent: nobody relies on gauges agreeing to less.
const RIDGE: f64 = 0.3;
/// Standard deviation of what each gauge wanders on its own, per cent: what months of ordinary ageing leave.
const WANDER: f64 = 0.5;
/// Median absolute deviation of a normal distribution in its standard deviations.
pub const MAD: f64 = 0.6745;

/// Offsets of one coil, per cent; not a number where a gauge read nothing.
pub type Offsets = [f64; GAUGES];
/// A set of gauges, a bit each.
pub type Gauges = u32;

/// How the offsets of a line's gauges go together.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    median: Offsets,
    covariance: [[f64; GAUGES]; GAUGES],
    /// Gauges of which the reference has too little.
    unknown: Gauges,
    /// The inverse for all the others, as almost every coil needs it.
    whole: Option<Matrix>,
}

type Matrix = Vec<Vec<f64>>;

impl Neighbours {
    /// Learns from coils; a gauge that read fewer than `min` of them stays unknown.
    pub fn learn(coils: &[Offsets], min: usize) -> Self {
        let mut median = [0.0; GAUGES];
        let mut spread = [0.0; GAUGES];
        let mut unknown = 0;
        for g in 0..GAUGES {
            let values: Vec<f64> = coils.iter().map(|c| c[g]).filter(|v| v.is_finite()).collect();
            if values.len() < min.max(1) {
                unknown |= 1 << g;
                continue;
            }
            median[g] = middle(values.clone());
            spread[g] = middle(values.iter().map(|v| (v - median[g]).abs()).collect()) / MAD;
        }
        // Where a gauge read nothing the coil counts as usual there: such coils are few, or the gauge is unknown.
        let centred = |coil: &Offsets, g: usize| match coil[g] - median[g] {
            d if d.is_finite() => d.clamp(-FAR * spread[g], FAR * spread[g]),
            _ => 0.0,
        };
        let mut covariance = [[0.0; GAUGES]; GAUGES];
        for coil in coils {
            let d: Offsets = std::array::from_fn(|g| centred(coil, g));
            for (row, di) in covariance.iter_mut().zip(d) {
                row.iter_mut().zip(d).for_each(|(cell, dj)| *cell += di * dj);
            }
        }
        for (g, row) in covariance.iter_mut().enumerate() {
            for cell in row.iter_mut() {
                *cell /= coils.len().max(1) as f64;
            }
            row[g] += RIDGE * RIDGE;
        }
        let known: Vec<usize> = (0..GAUGES).filter(|g| unknown & 1 << g == 0).collect();
        let mut learnt = Self { median, covariance, unknown, whole: None };
        learnt.whole = inverse(&known, |i, j| learnt.covariance[i][j]);
        learnt
    }

    /// Another gauge hangs there, which reads otherwise: its median becomes what leaves nothing against its neighbours on
    /// these coils. How the strips' shapes go together does not depend on gauges and stays. With fewer than `min` coils
    /// that it read the gauge is unknown.
    pub fn renew(&mut self, gauge: usize, coils: &[Offsets], min: usize) {
        let (bit, before) = (1 << gauge, self.unknown);
        self.unknown &= !bit;
        let beside = |coil: &Offsets| self.residuals(coil, bit)[gauge].map(|(offset, _)| offset);
        let of: Vec<f64> = coils.iter().filter_map(beside).collect();
        if of.len() < min.max(1) {
            self.unknown |= bit;
        } else {
            self.median[gauge] += middle(of);
        }
        if self.unknown != before {
            let known: Vec<usize> = (0..GAUGES).filter(|g| self.unknown & 1 << g == 0).collect();
            self.whole = inverse(&known, |i, j| self.covariance[i][j]);
        }
    }

    /// A gauge's median offset in the reference, per cent.
    pub fn median(&self, gauge: usize) -> Option<f64> {
        (self.unknown & 1 << gauge == 0).then(|| self.median[gauge])
    }

    /// By how much each gauge reads above (or below) what those outside `suspects` make one expect, per cent, and the
    /// standard deviation of that. A suspect is held against the others, but no other against it.
    pub fn residuals(&self, coil: &Offsets, suspects: Gauges) -> [Option<(f64, f64)>; GAUGES] {
        let deviations: Offsets = std::array::from_fn(|g| match self.unknown & 1 << g {
            0 => coil[g] - self.median[g],
            _ => f64::NAN,
        });
        let trusted: Vec<usize> =
            (0..GAUGES).filter(|g| suspects & 1 << g == 0 && deviations[*g].is_finite()).collect();
        let mut residuals = [None; GAUGES];
        let known = GAUGES - self.unknown.count_ones() as usize;
        let all = trusted.len() == known;
        let own = if all { None } else { inverse(&trusted, |i, j| self.covariance[i][j]) };
        let Some(inverse) = (if all { self.whole.as_ref() } else { own.as_ref() }) else {
            return residuals;
        };
        let weighted: Vec<f64> = inverse
            .iter()
            .map(|row| row.iter().zip(&trusted).map(|(p, g)| p * deviations[*g]).sum())
            .collect();
        for (at, &g) in trusted.iter().enumerate() {
            residuals[g] = Some((weighted[at] / inverse[at][at], inverse[at][at].recip().sqrt()));
        }
        let suspects = (0..GAUGES).filter(|g| suspects & 1 << g != 0 && deviations[*g].is_finite());
        for g in suspects {
            let shared: Vec<f64> = trusted.iter().map(|t| self.covariance[g][*t]).collect();
            let expected: f64 = shared.iter().zip(&weighted).map(|(c, w)| c * w).sum();
            let known: f64 = inverse
                .iter()
                .zip(&shared)
                .map(|(row, c)| c * row.iter().zip(&shared).map(|(p, c)| p * c).sum::<f64>())
                .sum();
            let left = (self.covariance[g][g] - known).max(RIDGE * RIDGE);
            residuals[g] = Some((deviations[g] - expected, left.sqrt()));
        }
        residuals
    }

    /// What gauges have wandered over these coils, all of them a little, per cent; 0 for those in `suspects`.
    ///
    /// The most probable offsets behind the coils' medians m, where each gauge wanders by [`WANDER`] = w on its own and
    /// the strips' shapes average out over n coils: w² (C / n + w² I)⁻¹ m.
    pub fn wander(&self, coils: &[Offsets], suspects: Gauges) -> Offsets {
        let medians: Offsets = std::array::from_fn(|g| match (self.unknown | suspects) & 1 << g {
            0 => middle(coils.iter().map(|c| c[g]).filter(|v| v.is_finite()).collect()) - self.median[g],
            _ => f64::NAN,
        });
        let of: Vec<usize> = (0..GAUGES).filter(|g| medians[*g].is_finite()).collect();
        let (share, own) = (1.0 / coils.len().max(1) as f64, WANDER * WANDER);
        let covariance = |i: usize, j: usize| share * self.covariance[i][j] + if i == j { own } else { 0.0 };
        let mut wander = [0.0; GAUGES];
        for (row, &g) in inverse(&of, covariance).iter().flatten().zip(&of) {
            wander[g] = own * row.iter().zip(&of).map(|(p, g)| p * medians[*g]).sum::<f64>();
        }
        wander
    }
}

/// The inverse of the covariance of some gauges, by Cholesky; `None` if there are fewer than three of them.
fn inverse(of: &[usize], covariance: impl Fn(usize, usize) -> f64) -> Option<Matrix> {
    let n = of.len();
    if n < 3 {
        return None;
    }
    let mut factor = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
            let rest = covariance(of[i], of[j]) - sum;
            // The ridge keeps it positive.
            factor[i][j] = if i == j { rest.max(1e-9).sqrt() } else { rest / factor[j][j] };
        }
    }
    // The factor's inverse, column by column.
    let mut columns = vec![vec![0.0; n]; n];
    for (j, column) in columns.iter_mut().enumerate() {
        for i in j..n {
            let sum: f64 = (j..i).map(|k| factor[i][k] * column[k]).sum();
            column[i] = (f64::from(u8::from(i == j)) - sum) / factor[i][i];
        }
    }
    let cell = |i: usize, j: usize| columns[i].iter().zip(&columns[j]).map(|(a, b)| a * b).sum();
    Some((0..n).map(|i| (0..n).map(|j| cell(i, j)).collect()).collect())
}

/// The median; not a number of nothing.
pub fn middle(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    0.5 * (values[(n - 1) / 2] + values[n / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strips that are bent and skewed by chance, and a little noise.
    fn strips(n: usize, seed: u64) -> Vec<Offsets> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut normal = move || (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        (0..n)
            .map(|_| {
                let (bow, skew) = (3.0 * normal(), 2.0 * normal());
                std::array::from_fn(|g| {
                    let y = (g % 9) as f64 / 4.0 - 1.0;
                    let sign = if g < 9 { 1.0 } else { -1.0 };
                    sign * bow * (y * y - 0.33) + skew * y + 0.2 * normal()
                })
            })
            .collect()
    }

    #[test]
    fn a_gauge_is_known_far_better_by_its_neighbours_than_alone() {
        let neighbours = Neighbours::learn(&strips(300, 1), 100);
        let fresh = strips(200, 2);
        let alone = (fresh.iter().map(|c| c[0] * c[0]).sum::<f64>() / 200.0).sqrt();
        let residual = |c: &Offsets| neighbours.residuals(c, 0)[0].unwrap();
        let beside = (fresh.iter().map(|c| residual(c).0.powi(2)).sum::<f64>() / 200.0).sqrt();
        assert!(alone > 2.0 && beside < 0.5, "{alone} {beside}");
        // And it is known how well.
        let said = residual(&fresh[0]).1;
        assert!(beside < said && said < 2.0 * beside, "{said} {beside}");
    }

    #[test]
    fn one_gauge_off_is_most_unlikely_itself_and_once_suspected_spoils_no_other() {
        let neighbours = Neighbours::learn(&strips(300, 1), 100);
        for g in 0..GAUGES {
            let mut coil = strips(1, 3)[0];
            coil[g] += 10.0;
            let odd = |r: Option<(f64, f64)>| r.map_or(0.0, |(e, s)| (e / s).abs());
            let residuals = neighbours.residuals(&coil, 0);
            let most = (0..GAUGES).max_by(|a, b| odd(residuals[*a]).total_cmp(&odd(residuals[*b])));
            assert_eq!(most, Some(g));
            let residuals = neighbours.residuals(&coil, 1 << g);
            assert!((residuals[g].unwrap().0 - 10.0).abs() < 1.5);
            assert!((0..GAUGES).all(|k| k == g || residuals[k].unwrap().0.abs() < 1.5), "{residuals:?}");
        }
    }

    #[test]
    fn what_reads_nothing_is_left_out() {
        let neighbours = Neighbours::learn(&strips(300, 1), 100);
        let mut coil = strips(1, 4)[0];
        coil[5] = f64::NAN;
        let residuals = neighbours.residuals(&coil, 0);
        assert_eq!(residuals[5], None);
        assert!(residuals[4].unwrap().0.abs() < 1.5);
        assert_eq!(neighbours.residuals(&[f64::NAN; GAUGES], 0), [None; GAUGES]);
        let blind: Vec<Offsets> = strips(300, 1)
            .into_iter()
            .map(|mut c| {
                c[5] = f64::NAN;
                c
            })
            .collect();
        let neighbours = Neighbours::learn(&blind, 100);
        assert_eq!(neighbours.median(5), None);
        assert_eq!(neighbours.residuals(&strips(1, 4)[0], 0)[5], None);
    }

    #[test]
    fn what_all_gauges_wander_is_told_from_the_strips_shapes() {
        let neighbours = Neighbours::learn(&strips(300, 1), 100);
        let gains: Offsets = std::array::from_fn(|g| 0.6 * ((g * 7 % 5) as f64 / 2.0 - 1.0));
        let worn: Vec<Offsets> =
            strips(100, 5).into_iter().map(|c| std::array::from_fn(|g| c[g] + gains[g])).collect();
        let wander = neighbours.wander(&worn, 0);
        let error = (0..GAUGES).map(|g| (wander[g] - gains[g]).powi(2)).sum::<f64>() / GAUGES as f64;
        let all = gains.iter().map(|v| v * v).sum::<f64>() / GAUGES as f64;
        assert!(error < 0.3 * all, "{error} of {all}");
        assert_eq!(neighbours.wander(&worn, 1 << 4)[4], 0.0);
        assert_eq!(neighbours.wander(&[], 0), [0.0; GAUGES]);
    }

    #[test]
    fn gauges_that_always_say_the_same_are_no_trouble() {
        let neighbours = Neighbours::learn(&vec![[0.0; GAUGES]; 120], 100);
        let mut coil = [0.0; GAUGES];
        coil[2] = 3.0;
        let residuals = neighbours.residuals(&coil, 0);
        assert!((residuals[2].unwrap().0 - 3.0).abs() < 1e-9);
        assert!(residuals[3].unwrap().0.abs() < 1e-9);
    }
}
