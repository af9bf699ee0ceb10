//! CORAL: features of later coils get the mean and the covariance of those that the head was trained on.
//!
//! B. Sun, J. Feng, K. Saenko, Return of frustratingly easy domain adaptation, AAAI 2016, algorithm 1: whiten with one
//! covariance, recolour with the other, each with the identity added. There the features that are learned from are moved and
//! the classifier is trained again; here those that are judged are moved, so that the head stays as it is. Features are
//! standardised by the earlier coils first: the identity then weighs as much for each. Whitening is by Cholesky factors,
//! which match the covariances as exactly as symmetric roots do.

/// Added to every feature's variance, which is 1 among earlier coils.
const RIDGE: f64 = 1.0;

/// From a later coil's features to what they would have been earlier.
pub struct Alignment {
    earlier_mean: Vec<f64>,
    later_mean: Vec<f64>,
    deviation: Vec<f64>,
    /// Lower triangles, row by row.
    earlier: Vec<f64>,
    later: Vec<f64>,
}

impl Alignment {
    /// Of the features of earlier and later coils, a row a coil.
    pub fn new(earlier: &[Vec<f32>], later: &[Vec<f32>]) -> Self {
        Self::with(earlier, later, RIDGE)
    }

    fn with(earlier: &[Vec<f32>], later: &[Vec<f32>], ridge: f64) -> Self {
        let (earlier_mean, later_mean) = (mean(earlier), mean(later));
        let deviation: Vec<f64> = (0..earlier_mean.len())
            .map(|j| {
                let sum: f64 = earlier.iter().map(|row| (f64::from(row[j]) - earlier_mean[j]).powi(2)).sum();
                let deviation = (sum / earlier.len().max(1) as f64).sqrt();
                // A feature that is always the same has nothing to align.
                if deviation > 1e-9 { deviation } else { 1.0 }
            })
            .collect();
        let factor = |rows, mean: &[f64]| cholesky(covariance(rows, mean, &deviation, ridge), mean.len());
        let (of_earlier, of_later) = (factor(earlier, &earlier_mean), factor(later, &later_mean));
        Self { earlier_mean, later_mean, deviation, earlier: of_earlier, later: of_later }
    }

    /// Features of a coil.
    pub fn len(&self) -> usize {
        self.deviation.len()
    }

    /// A later coil's features, aligned.
    pub fn apply(&self, features: &[f32]) -> Vec<f32> {
        let n = self.len();
        let mut white: Vec<f64> =
            (0..n).map(|j| (f64::from(features[j]) - self.later_mean[j]) / self.deviation[j]).collect();
        for i in 0..n {
            let known: f64 = (0..i).map(|j| self.later[i * n + j] * white[j]).sum();
            white[i] = (white[i] - known) / self.later[i * n + i];
        }
        let coloured = |i: usize| (0..=i).map(|j| self.earlier[i * n + j] * white[j]).sum::<f64>();
        (0..n).map(|i| (self.earlier_mean[i] + self.deviation[i] * coloured(i)) as f32).collect()
    }
}

fn mean(rows: &[Vec<f32>]) -> Vec<f64> {
    let mut mean = vec![0.0; rows.first().map_or(0, Vec::len)];
    for row in rows {
        for (mean, v) in mean.iter_mut().zip(row) {
            *mean += f64::from(*v) / rows.len() as f64;
        }
    }
    mean
}

/// Of standardised features, with the ridge on its diagonal; the lower triangle.
fn covariance(rows: &[Vec<f32>], mean: &[f64], deviation: &[f64], ridge: f64) -> Vec<f64> {
    let n = mean.len();
    let mut sum = vec![0.0; n * n];
    for row in rows {
        let z: Vec<f64> = (0..n).map(|j| (f64::from(row[j]) - mean[j]) / deviation[j]).collect();
        for i in 0..n {
            for j in 0..=i {
                sum[i * n + j] += z[i] * z[j] / rows.len() as f64;
            }
        }
    }
    for i in 0..n {
        sum[i * n + i] += ridge;
    }
    sum
}

/// The lower triangle L with L·Lᵀ the given matrix, which is positive definite.
fn cholesky(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let rest = a[i * n + j] - known;
            a[i * n + j] = if i == j { rest.max(1e-12).sqrt() } else { rest / a[j * n + j] };
        }
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_by_hand() {
        // [[4, 2], [2, 5]] = L·Lᵀ with L = [[2, 0], [1, 2]].
        assert_eq!(cholesky(vec![4.0, 0.0, 2.0, 5.0], 2), [2.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn one_feature_by_hand() {
        // Earlier -1, 1 (deviation 1); later 7, 13 (mean 10, deviation 3). Without a ridge a later 16 is 2 deviations up; with
        // the identity added to both, sqrt(2 / 10) of 6.
        let (earlier, later) = ([vec![-1.0], vec![1.0]], [vec![7.0], vec![13.0]]);
        let found = Alignment::with(&earlier, &later, 0.0).apply(&[16.0]);
        assert!((found[0] - 2.0).abs() < 1e-6, "{found:?}");
        let found = Alignment::new(&earlier, &later).apply(&[16.0]);
        assert!((f64::from(found[0]) - 6.0 * 0.2_f64.sqrt()).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn later_features_get_the_earlier_means_and_covariance() {
        let row = |i: u32, k: f32| {
            let (a, b) = ((i as f32 * 0.7).sin(), (i as f32 * 1.3).cos());
            vec![a * k + 1.0, b - 0.4 * a, a + b * k * k]
        };
        let earlier: Vec<Vec<f32>> = (0..200).map(|i| row(i, 1.0)).collect();
        let later: Vec<Vec<f32>> = (300..480).map(|i| row(i, 2.5)).collect();
        let alignment = Alignment::with(&earlier, &later, 0.0);
        let moved: Vec<Vec<f32>> = later.iter().map(|row| alignment.apply(row)).collect();
        let unit = [1.0; 3];
        for (a, b) in mean(&moved).iter().zip(mean(&earlier)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        let (of_moved, of_earlier) = (
            covariance(&moved, &mean(&moved), &unit, 0.0),
            covariance(&earlier, &mean(&earlier), &unit, 0.0),
        );
        for (a, b) in of_moved.iter().zip(&of_earlier) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
        let same = Alignment::new(&earlier, &earlier).apply(&earlier[7]);
        assert!(same.iter().zip(&earlier[7]).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
