//! k-means: first centres by k-means++ (D. Arthur, S. Vassilvitskii, 2007), then Lloyd's steps, with the centre that suits
//! the distance: the mean for the squared Euclidean, the mean of directions for the cosine, the median for Manhattan.

use crate::export::folded::{Distance, direction};
use crate::nn::seed::{Purpose, generator};
use rand::Rng;

/// Steps at most; it ends as soon as nothing changes.
const STEPS: usize = 100;

/// The nearest of `points`, the first of equals; 0 if there are none.
pub fn nearest(point: &[f32], points: &[impl AsRef<[f32]>], distance: Distance) -> usize {
    let far: Vec<f64> = points.iter().map(|p| distance.between(point, p.as_ref())).collect();
    (0..far.len()).min_by(|a, b| far[*a].total_cmp(&far[*b])).unwrap_or(0)
}

/// `k` centres of `points`, repeated where there are fewer points than that; none of no points. The same seed gives the
/// same centres.
pub fn kmeans(points: &[&[f32]], k: usize, distance: Distance, seed: u64) -> Vec<Vec<f32>> {
    if points.is_empty() {
        return Vec::new();
    }
    let mut centres = first_centres(points, k, distance, seed);
    let mut assigned = vec![usize::MAX; points.len()];
    for _ in 0..STEPS {
        let now: Vec<usize> = points.iter().map(|p| nearest(p, &centres, distance)).collect();
        if now == assigned {
            break;
        }
        assigned = now;
        for (c, centre) in centres.iter_mut().enumerate() {
            let of: Vec<&[f32]> =
                points.iter().zip(&assigned).filter(|(_, a)| **a == c).map(|(p, _)| *p).collect();
            // A centre that nobody is nearest to stays where it is.
            if !of.is_empty() {
                *centre = middle(&of, distance);
            }
        }
    }
    centres
}

/// The place whose distances to all points are least together.
fn middle(of: &[&[f32]], distance: Distance) -> Vec<f32> {
    let width = of.first().map_or(0, |p| p.len());
    let mean =
        |of: &[&[f32]], d: usize| (of.iter().map(|p| f64::from(p[d])).sum::<f64>() / of.len() as f64) as f32;
    match distance {
        Distance::Euclidean => (0..width).map(|d| mean(of, d)).collect(),
        Distance::Cosine => {
            let directions: Vec<Vec<f32>> = of.iter().map(|p| direction(p)).collect();
            let directions: Vec<&[f32]> = directions.iter().map(Vec::as_slice).collect();
            direction(&(0..width).map(|d| mean(&directions, d)).collect::<Vec<f32>>())
        }
        Distance::Manhattan => (0..width)
            .map(|d| {
                let mut values: Vec<f32> = of.iter().map(|p| p[d]).collect();
                values.sort_by(f32::total_cmp);
                values[(values.len() - 1) / 2]
            })
            .collect(),
    }
}

/// Each next one drawn with a probability that grows with the distance to those already there.
fn first_centres(points: &[&[f32]], k: usize, distance: Distance, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = generator(seed, Purpose::References, 0, 0);
    let mut centres = vec![points[rng.random_range(0..points.len())].to_vec()];
    while centres.len() < k {
        let to_nearest = |p: &&[f32]| distance.between(p, &centres[nearest(p, &centres, distance)]);
        let far: Vec<f64> = points.iter().map(to_nearest).collect();
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
            let mut centres = kmeans(&points, 3, Distance::Euclidean, seed);
            assert_eq!(centres, kmeans(&points, 3, Distance::Euclidean, seed));
            centres.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
            for (centre, want) in centres.iter().zip([[0.045, 0.0], [0.045, 10.0], [10.045, 0.0]]) {
                assert!(centre.iter().zip(want).all(|(c, w)| (c - w).abs() < 1e-5), "{centres:?}");
            }
        }
    }

    #[test]
    fn too_few_points_are_repeated() {
        assert!(kmeans(&[], 3, Distance::Cosine, 1).is_empty());
        assert_eq!(kmeans(&[&[1.0, 2.0]], 3, Distance::Euclidean, 1), vec![vec![1.0, 2.0]; 3]);
    }

    #[test]
    fn centres_suit_their_distance() {
        let points: [&[f32]; 3] = [&[4.0, 0.0], &[0.0, 1.0], &[0.0, 8.0]];
        let centre = |distance| kmeans(&points, 1, distance, 1).remove(0);
        assert_eq!(centre(Distance::Euclidean), [4.0 / 3.0, 3.0]);
        assert_eq!(centre(Distance::Manhattan), [0.0, 1.0]);
        let cosine = centre(Distance::Cosine);
        let root = 5.0f32.sqrt();
        assert!((cosine[0] - 1.0 / root).abs() < 1e-6 && (cosine[1] - 2.0 / root).abs() < 1e-6, "{cosine:?}");
    }
}
