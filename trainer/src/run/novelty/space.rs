//! Feature space as a network's training coils fill it: their mean, and the directions along which they differ most, each in
//! units of the spread along it.
//!
//! Features are standardised first, so that those of large numbers do not decide alone. The covariance of what is left is
//! drawn towards a multiple of the identity by as much as its own sampling error says (Ledoit and Wolf, "A well-conditioned
//! estimator for large-dimensional covariance matrices", Journal of Multivariate Analysis 88, 2004, section 3.2): directions
//! in which few coils differ by little would otherwise make any coil look far away. The distance is Mahalanobis' along the
//! directions of the largest eigenvalues, divided by the square root of their number.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Most directions that are kept; a bundle takes no more.
pub const DIRECTIONS: usize = coilsight_models::bundle::MAX_DIRECTIONS as usize;

/// A feature whose spread is under this share of the middle one (of features that differ at all) counts as if it were that:
/// what hardly ever differed in training is not measured in units of its rounding.
const LEAST_SPREAD: f64 = 0.1;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    /// `[F]`.
    pub centre: Vec<f64>,
    /// `[R][F]`.
    pub whitening: Vec<Vec<f64>>,
    /// The share of the identity in the covariance, 0 to 1.
    pub shrinkage: f64,
}

impl Space {
    /// Fits features of coils, each `[F]`. `None` with fewer than two coils, or where all are the same.
    pub fn fit(coils: &[Vec<f32>]) -> Option<Self> {
        let (n, features) = (coils.len(), coils.first()?.len());
        let row = |k: usize| coils[k].iter().map(|v| f64::from(*v));
        let mut centre = DVector::zeros(features);
        (0..n).for_each(|k| centre.iter_mut().zip(row(k)).for_each(|(m, v)| *m += v / n as f64));
        // One column a coil.
        let mut x = DMatrix::from_iterator(features, n, (0..n).flat_map(row));
        x.column_iter_mut().for_each(|mut column| column -= &centre);
        let spread: Vec<f64> = x.row_iter().map(|r| (r.norm_squared() / n as f64).sqrt()).collect();
        if !spread.iter().all(|s| s.is_finite()) {
            return None;
        }
        // What is left of equal numbers after their mean is taken away is rounding.
        let rounding = 1e-9 * centre.iter().fold(0.0_f64, |most, m: &f64| most.max(m.abs()));
        let mut moving: Vec<f64> = spread.iter().copied().filter(|s| *s > rounding).collect();
        moving.sort_by(f64::total_cmp);
        let usual = *moving.get(moving.len() / 2)?;
        let spread: Vec<f64> = spread.into_iter().map(|s| s.max(LEAST_SPREAD * usual)).collect();
        x.row_iter_mut().zip(&spread).for_each(|(mut row, s)| row /= *s);

        let (values, vectors) = principal(&x);
        let mean_value = x.norm_squared() / (n * features) as f64;
        let shrinkage = shrinkage(&x, &values, mean_value);
        let direction = |at: usize| -> Vec<f64> {
            let value = (1.0 - shrinkage) * values[at] + shrinkage * mean_value;
            vectors.column(at).iter().zip(&spread).map(|(v, s)| v / s / value.sqrt()).collect()
        };
        let count = values.iter().take(DIRECTIONS).filter(|v| **v > 1e-9 * values[0]).count();
        let whitening: Vec<Vec<f64>> = (0..count).map(direction).collect();
        let finite = whitening.iter().flatten().all(|v| v.is_finite());
        let centre = centre.iter().copied().collect();
        (count > 0 && finite).then_some(Self { centre, whitening, shrinkage })
    }

    /// How far features `[F]` lie from those that were fitted: about 1 for one like them.
    pub fn distance(&self, features: &[f32]) -> f64 {
        let off: Vec<f64> = features.iter().zip(&self.centre).map(|(f, m)| f64::from(*f) - m).collect();
        let along = |w: &Vec<f64>| w.iter().zip(&off).map(|(w, d)| w * d).sum::<f64>();
        let squares: f64 = self.whitening.iter().map(|w| along(w).powi(2)).sum();
        (squares / self.whitening.len() as f64).sqrt()
    }
}

/// Eigenvalues of the covariance `X X^T / n` from the largest, and eigenvectors as columns; of the smaller of `X X^T` and
/// `X^T X`, which have the same.
fn principal(x: &DMatrix<f64>) -> (Vec<f64>, DMatrix<f64>) {
    let (features, n) = x.shape();
    let few = n < features;
    let square = if few { x.tr_mul(x) } else { x * x.transpose() } / n as f64;
    let SymmetricEigen { eigenvalues, eigenvectors } = square.symmetric_eigen();
    let mut order: Vec<usize> = (0..eigenvalues.len()).collect();
    order.sort_by(|a, b| eigenvalues[*b].total_cmp(&eigenvalues[*a]));
    let values: Vec<f64> = order.iter().map(|at| eigenvalues[*at].max(0.0)).collect();
    order.truncate(DIRECTIONS);
    let mut vectors = eigenvectors.select_columns(&order);
    if few {
        vectors = x * vectors;
        for mut column in vectors.column_iter_mut() {
            let norm = column.norm();
            column.unscale_mut(if norm > 0.0 { norm } else { 1.0 });
        }
    }
    (values, vectors)
}

/// Ledoit and Wolf's share: how much of the covariance's distance from the identity sampling error explains.
fn shrinkage(x: &DMatrix<f64>, values: &[f64], mean_value: f64) -> f64 {
    let (features, n) = (x.nrows() as f64, x.ncols() as f64);
    let squares: f64 = values.iter().map(|v| v * v).sum();
    let apart = squares / features - mean_value * mean_value;
    let fourth: f64 = x.column_iter().map(|column| column.norm_squared().powi(2)).sum();
    let error = (fourth / n - squares) / n / features;
    if apart > 0.0 { (error / apart).clamp(0.0, 1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    /// `n` points that spread 3 along (1, 1), 0.5 along (1, -1), in thousands along a third axis, and not at all along a fourth.
    fn cloud(n: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = || rng.sample::<f32, _>(StandardNormal);
        (0..n)
            .map(|_| {
                let (a, b, c) = (3.0 * normal(), 0.5 * normal(), 1000.0 * normal());
                vec![10.0 + a + b, a - b, c, 7.0]
            })
            .collect()
    }

    #[test]
    fn points_of_the_cloud_lie_about_one_away_and_others_far() {
        let space = Space::fit(&cloud(4000, 1)).unwrap();
        assert_eq!(space.centre.len(), 4);
        assert!((space.centre[0] - 10.0).abs() < 0.2 && space.shrinkage < 0.01, "{space:?}");
        let mean = |points: &[Vec<f32>]| {
            (points.iter().map(|p| space.distance(p).powi(2)).sum::<f64>() / points.len() as f64).sqrt()
        };
        assert!((mean(&cloud(4000, 2)) - 1.0).abs() < 0.05);
        // As far from the centre as many points of the cloud are, but where none is.
        let with_it = space.distance(&[14.0, 4.0, 0.0, 7.0]);
        let across = space.distance(&[14.0, -4.0, 0.0, 7.0]);
        assert!(across > 3.0 && across > 4.0 * with_it, "{with_it} {across}");
    }

    #[test]
    fn fewer_coils_than_features_give_the_same_space_as_the_long_way() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let coils: Vec<Vec<f32>> =
            (0..20).map(|_| (0..30).map(|_| rng.sample::<f32, _>(StandardNormal)).collect()).collect();
        let space = Space::fit(&coils).unwrap();
        assert!(space.whitening.len() <= 20 && space.shrinkage > 0.3, "{}", space.shrinkage);
        // Directions are orthogonal after the spread is undone: what they were divided by is what the covariance has there.
        let x = DMatrix::from_iterator(30, 20, coils.iter().flatten().map(|v| f64::from(*v)));
        let (few, vectors) = principal(&x);
        let (many, _) = principal(&DMatrix::from_iterator(30, 40, x.iter().chain(x.iter()).copied()));
        for (a, b) in few.iter().zip(&many) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
        let product = vectors.tr_mul(&vectors);
        assert!((product - DMatrix::identity(20, 20)).norm() < 1e-6);
    }

    #[test]
    fn a_feature_that_never_differed_does_not_decide_alone() {
        let space = Space::fit(&cloud(500, 4)).unwrap();
        assert!(space.distance(&[10.0, 0.0, 0.0, 7.1]) < 1.0);
    }

    #[test]
    fn nothing_to_fit_is_no_space() {
        assert_eq!(Space::fit(&[]), None);
        assert_eq!(Space::fit(&[vec![1.0, 2.0]]), None);
        assert_eq!(Space::fit(&vec![vec![1.0, 2.0]; 5]), None);
        assert_eq!(Space::fit(&[vec![f32::NAN, 0.0], vec![0.0, 1.0]]), None);
    }
}
