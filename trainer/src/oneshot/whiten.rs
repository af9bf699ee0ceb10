//! Whitening by the scatter within known classes: what pictures of one flaw differ in counts little, whichever flaw comes next.
//!
//! The covariance within classes S is shrunk towards its diagonal, (1 - s) S + s diag S, and features x become
//! L^-1 (x - m), L its Cholesky factor and m the mean of the classes' means. Distances there are those of Mahalanobis.

use super::error::OneShotError;
use nalgebra::{Cholesky, DMatrix, DVector};
use std::collections::BTreeMap;

/// The least variance of a feature, of the largest one's.
const LEAST: f64 = 1e-9;

/// Covariance within classes, with the mean of the classes' means.
#[derive(Debug, Clone, PartialEq)]
pub struct Within {
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
}

/// From features to whitened ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Whitening {
    /// `[features]`: what is taken off first.
    pub mean: DVector<f64>,
    /// `[features][features]`, applied from the left to columns.
    pub matrix: DMatrix<f64>,
}

impl Within {
    /// Of rows with their classes; two rows at least, all as long.
    pub fn of(rows: &[&[f32]], labels: &[usize]) -> Result<Self, OneShotError> {
        let refused = |why: String| OneShotError::Numbers { what: "covariance within classes", why };
        let width = rows.first().map_or(0, |row| row.len());
        if rows.len() < 2 || rows.len() != labels.len() || width == 0 || rows.iter().any(|r| r.len() != width)
        {
            return Err(refused(format!("{} rows of {width} features, {} labels", rows.len(), labels.len())));
        }
        let mut means: BTreeMap<usize, (DVector<f64>, f64)> = BTreeMap::new();
        for (row, label) in rows.iter().zip(labels) {
            let (sum, count) = means.entry(*label).or_insert_with(|| (DVector::zeros(width), 0.0));
            sum.iter_mut().zip(*row).for_each(|(sum, v)| *sum += f64::from(*v));
            *count += 1.0;
        }
        for (sum, count) in means.values_mut() {
            *sum /= *count;
        }
        let mut off = DMatrix::zeros(width, rows.len());
        for (k, (row, label)) in rows.iter().zip(labels).enumerate() {
            let mean = &means[label].0;
            off.column_mut(k)
                .iter_mut()
                .zip(row.iter().zip(mean))
                .for_each(|(o, (v, m))| *o = f64::from(*v) - m);
        }
        let covariance = &off * off.transpose() / (rows.len() - means.len()).max(1) as f64;
        let mean =
            means.values().fold(DVector::zeros(width), |sum, (mean, _)| sum + mean) / means.len() as f64;
        if !covariance.iter().all(|v| v.is_finite()) {
            return Err(refused("features are not finite".into()));
        }
        Ok(Self { mean, covariance })
    }

    /// The whitening with a share of the diagonal, above 0 and up to 1.
    pub fn whitening(&self, shrinkage: f64) -> Result<Whitening, OneShotError> {
        let refused = |why: String| OneShotError::Numbers { what: "whitening", why };
        let diagonal = self.covariance.diagonal();
        let most = diagonal.max();
        if !(shrinkage > 0.0 && shrinkage <= 1.0) || most <= 0.0 {
            return Err(refused(format!("shrinkage {shrinkage}, largest variance {most}")));
        }
        // A feature that hardly ever moved would weigh without limit.
        let mut shrunk = &self.covariance * (1.0 - shrinkage);
        for (i, variance) in diagonal.iter().enumerate() {
            shrunk[(i, i)] += shrinkage * variance + LEAST * most;
        }
        let factor = Cholesky::new(shrunk).ok_or_else(|| refused("the covariance has no root".into()))?;
        let identity = DMatrix::identity(diagonal.len(), diagonal.len());
        let matrix = factor.l().solve_lower_triangular(&identity);
        let matrix = matrix.ok_or_else(|| refused("the root has no inverse".into()))?;
        Ok(Whitening { mean: self.mean.clone(), matrix })
    }
}

impl Whitening {
    /// Whitened rows.
    pub fn apply(&self, rows: &[&[f32]]) -> Vec<Vec<f32>> {
        let width = self.mean.len();
        let mut off = DMatrix::zeros(width, rows.len());
        for (k, row) in rows.iter().enumerate() {
            let put = off.column_mut(k);
            let mut put = put;
            put.iter_mut().zip(row.iter().zip(&self.mean)).for_each(|(o, (v, m))| *o = f64::from(*v) - m);
        }
        let whitened = &self.matrix * off;
        whitened.column_iter().map(|column| column.iter().map(|v| *v as f32).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Two classes far apart along the second axis, each wide along the sum of both.
    fn rows() -> (Vec<[f32; 2]>, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let row = |i: usize| {
            let (wide, thin): (f32, f32) = (rng.random_range(-10.0..10.0), rng.random_range(-1.0..1.0));
            [wide + thin, wide - thin + 50.0 * (i % 2) as f32]
        };
        ((0..400).map(row).collect(), (0..400).map(|i| i % 2).collect())
    }

    #[test]
    fn whitened_classes_are_round() {
        let (rows, labels) = rows();
        let rows: Vec<&[f32]> = rows.iter().map(|r| &r[..]).collect();
        let whitening = Within::of(&rows, &labels).and_then(|w| w.whitening(1e-6)).expect("whitening");
        let white = whitening.apply(&rows);
        let white: Vec<&[f32]> = white.iter().map(|r| &r[..]).collect();
        let found = Within::of(&white, &labels).expect("covariance");
        assert!((found.covariance - DMatrix::identity(2, 2)).abs().max() < 1e-3);
        assert!(found.mean.abs().max() < 1e-3);
    }

    #[test]
    fn the_whole_diagonal_only_scales() {
        let (rows, labels) = rows();
        let rows: Vec<&[f32]> = rows.iter().map(|r| &r[..]).collect();
        let matrix = Within::of(&rows, &labels).and_then(|w| w.whitening(1.0)).expect("whitening").matrix;
        assert!(matrix[(1, 0)].abs() < 1e-12 && matrix[(0, 0)] > 0.0);
    }

    #[test]
    fn what_cannot_be_whitened_is_refused() {
        assert!(Within::of(&[&[1.0]], &[0]).is_err());
        assert!(Within::of(&[&[1.0], &[2.0, 3.0]], &[0, 0]).is_err());
        assert!(Within::of(&[&[1.0], &[f32::NAN]], &[0, 0]).is_err());
        let flat = Within::of(&[&[1.0], &[1.0]], &[0, 0]).expect("a covariance of nothing");
        assert!(flat.whitening(0.1).is_err());
        let some = Within::of(&[&[1.0, 5.0], &[2.0, 5.0]], &[0, 0]).expect("a covariance");
        assert!(some.whitening(0.0).is_err());
        assert!(some.whitening(0.1).is_ok(), "a feature that never moves does no harm");
    }
}
