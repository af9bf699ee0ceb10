//! k-means: first centres by k-means++ (D. Arthur, S. Vassilvitskii, 2007), then Lloyd's steps.

use crate::nn::seed::{Purpose, generator};
use rand::Rng;

/// Steps at most; it ends as soon as nothing changes.
const STEPS: usize = 100;

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

fn nearest(point: &[f32], centres: &[Vec<f32>]) -> usize {
    let far = |i: &usize| distance(point, &centres[*i]);
    (0..centres.len()).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or(0)
}

/// `k` centres of `points`, repeated where there are fewer points than that; none of no points. The same seed gives the
/// same centres.
pub fn kmeans(points: &[&[f32]], k: usize, seed: u64) -> Vec<Vec<f32>> {
    if points.is_empty() {
        return Vec::new();
    }
    let mut centres = first_centres(points, k, seed);
    let mut assigned = vec![usize::MAX; points.len()];
    for _ in 0..STEPS {
        let now: Vec<usize> = points.iter().map(|p| nearest(p, &centres)).collect();
        if now == assigned {
            break;
        }
        assigned = now;
        for (c, centre) in centres.iter_mut().enumerate() {
            let of: Vec<&&[f32]> =
                points.iter().zip(&assigned).filter(|(_, a)| **a == c).map(|(p, _)| p).collect();
            // A centre that nobody is nearest to stays where it is.
            if !of.is_empty() {
                for (d, value) in centre.iter_mut().enumerate() {
                    *value = (of.iter().map(|p| f64::from(p[d])).sum::<f64>() / of.len() as f64) as f32;
                }
            }
        }
    }
    centres
}

/// Each next one drawn with a probability that grows with the squared distance to those already there.
fn first_centres(points: &[&[f32]], k: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = generator(seed, Purpose::References, 0, 0);
    let mut centres = vec![points[rng.random_range(0..points.len())].to_vec()];
    while centres.len() < k {
        let far: Vec<f64> = points.iter().map(|p| distance(p, &centres[nearest(p, &centres)])).collect();
        let total: f64 = far.iter().sum();
        let mut left = rng.random::<f64>() * total;
        let drawn = far.iter().position(|d| {
            left -= d;
            left < 0.0
        });
        // All points are centres already: any will do.
        centres.push(points[drawn.unwrap_or(centres.len() % points.len())].to_vec());
    }
    centres
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_plain_clusters_and_repeats_with_its_seed() {
        let points: Vec<Vec<f32>> = (0..30)
            .map(|i| {
                let (x, y) = [(0.0, 0.0), (10.0, 0.0), (0.0, 10.0)][i % 3];
                vec![x + (i / 3) as f32 * 0.01, y]
            })
            .collect();
        let points: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        for seed in 0..10 {
            let mut centres = kmeans(&points, 3, seed);
            assert_eq!(centres, kmeans(&points, 3, seed));
            centres.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
            for (centre, want) in centres.iter().zip([[0.045, 0.0], [0.045, 10.0], [10.045, 0.0]]) {
                assert!(centre.iter().zip(want).all(|(c, w)| (c - w).abs() < 1e-5), "{centres:?}");
            }
        }
    }

    #[test]
    fn too_few_points_are_repeated() {
        assert!(kmeans(&[], 3, 1).is_empty());
        assert_eq!(kmeans(&[&[1.0, 2.0]], 3, 1), vec![vec![1.0, 2.0]; 3]);
    }
}
