//! Which known coils embeddings are compared with, and how steeply.

use super::config::{Method, ReferencesConfig};
use super::kmeans::{kmeans, nearest};
use crate::export::folded::{Distance, References};
use crate::nn::seed::{Purpose, generator};
use rand::seq::SliceRandom;

/// At first, the log odds that two equal embeddings match, and what the usual distance of unlike ones takes away.
pub const FIRST: (f32, f32) = (2.0, 4.0);

/// `per_class` references among the embeddings of one class, repeated where there are fewer; none of none.
pub fn choose(of: &[&[f32]], config: ReferencesConfig, distance: Distance, seed: u64) -> Vec<Vec<f32>> {
    let k = config.per_class;
    match config.method {
        Method::Kmeans => kmeans(of, k, distance, seed),
        Method::Medoids => {
            kmeans(of, k, distance, seed).iter().map(|c| of[nearest(c, of, distance)].to_vec()).collect()
        }
        Method::Random => {
            let mut order: Vec<usize> = (0..of.len()).collect();
            order.shuffle(&mut generator(seed, Purpose::References, 1, 0));
            order.iter().cycle().take(if of.is_empty() { 0 } else { k }).map(|i| of[*i].to_vec()).collect()
        }
    }
}

/// References of both classes, chosen among `embeddings` of coils of known class; the steepness is the one that a network
/// begins with. None where a class has no coils.
pub fn settle(
    embeddings: &[Vec<f32>],
    labels: &[usize],
    (config, distance): (ReferencesConfig, Distance),
    seed: u64,
) -> Option<References> {
    let of = |class: usize| -> Vec<&[f32]> {
        embeddings.iter().zip(labels).filter(|(_, l)| **l == class).map(|(e, _)| &**e).collect()
    };
    let [ok, nok] = [0, 1].map(|class| choose(&of(class), config, distance, seed));
    if ok.is_empty() || nok.is_empty() {
        return None;
    }
    let scale = steepness(embeddings, labels, [&ok, &nok], distance);
    Some(References { ok, nok, distance, average: config.average, scale, bias: FIRST.0 })
}

/// The scale by which coils' mean distance from the other class' references takes away as much as at first.
pub fn steepness(
    embeddings: &[Vec<f32>],
    labels: &[usize],
    references: [&[Vec<f32>]; 2],
    distance: Distance,
) -> f32 {
    let of_other = |(e, label): (&Vec<f32>, &usize)| -> Vec<f64> {
        references[1 - *label].iter().map(|r| distance.between(r, e)).collect()
    };
    let distances: Vec<f64> = embeddings.iter().zip(labels).flat_map(of_other).collect();
    let mean = distances.iter().sum::<f64>() / distances.len().max(1) as f64;
    (f64::from(FIRST.1) / mean.max(1e-6)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::folded::Average;

    const CONFIG: ReferencesConfig =
        ReferencesConfig { per_class: 2, method: Method::Kmeans, average: Average::Mean };

    fn points() -> Vec<Vec<f32>> {
        vec![vec![0.0, 0.0], vec![0.0, 1.0], vec![0.0, 11.0], vec![0.0, 12.0], vec![0.0, 13.0]]
    }

    #[test]
    fn each_method_chooses_what_it_says() {
        let points = points();
        let of: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        for seed in 0..10 {
            let chosen = |method| {
                let mut y: Vec<f32> =
                    choose(&of, ReferencesConfig { method, ..CONFIG }, Distance::Euclidean, seed)
                        .iter()
                        .map(|r| r[1])
                        .collect();
                y.sort_by(f32::total_cmp);
                y
            };
            assert_eq!(chosen(Method::Kmeans), [0.5, 12.0]);
            let medoids = chosen(Method::Medoids);
            assert!([0.0, 1.0].contains(&medoids[0]) && medoids[1] == 12.0, "{medoids:?}");
            let random = chosen(Method::Random);
            assert!(random[0] < random[1] && random.iter().all(|y| points.iter().any(|p| p[1] == *y)));
            assert_eq!(random, chosen(Method::Random));
        }
        let many = ReferencesConfig { per_class: 3, method: Method::Random, ..CONFIG };
        assert_eq!(choose(&of[..1], many, Distance::Euclidean, 1), vec![points[0].clone(); 3]);
        for method in [Method::Kmeans, Method::Medoids, Method::Random] {
            let none = ReferencesConfig { method, ..CONFIG };
            assert!(choose(&[], none, Distance::Euclidean, 1).is_empty());
        }
    }

    #[test]
    fn steepness_follows_from_the_distance_of_the_classes() {
        let embeddings = points();
        let one = ReferencesConfig { per_class: 1, ..CONFIG };
        let found = settle(&embeddings, &[0, 0, 1, 1, 1], (one, Distance::Manhattan), 1).expect("references");
        // Medians, the lower of two: OK 0, NOK 12. Distances 12, 11, 11, 12, 13: mean 11.8.
        assert_eq!((found.ok[0][1], found.nok[0][1]), (0.0, 12.0));
        assert!((found.scale - 4.0 / 11.8).abs() < 1e-6, "{}", found.scale);
        assert_eq!(settle(&embeddings, &[0; 5], (one, Distance::Manhattan), 1), None);
    }
}
