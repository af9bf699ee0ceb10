//! Figures of the paper's protocol, with intervals.

use crate::oneshot::error::OneShotError;
use crate::score::delong::Auc;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Redrawn sets of pictures behind an interval.
const REDRAWN: usize = 1000;

/// A share with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Between 0 and 1.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Share {
    /// Hits among independent pictures (E. B. Wilson, 1927).
    pub fn of(hits: usize, all: usize) -> Option<Self> {
        let interval = crate::score::wilson::wilson(hits as u64, all as u64)?;
        Some(Self { value: hits as f64 / all as f64, low: interval.low, high: interval.high })
    }

    /// A mean of many values, with the middle 95 % of `draws`.
    pub fn middle(value: f64, mut draws: Vec<f64>) -> Self {
        draws.sort_by(f64::total_cmp);
        let at = |q: f64| draws[((draws.len() - 1) as f64 * q).round() as usize];
        Self { value, low: at(0.025), high: at(0.975) }
    }

    /// In percent, as the paper writes.
    pub fn percent(self) -> String {
        format!("{:.2} ({:.2} to {:.2})", 100.0 * self.value, 100.0 * self.low, 100.0 * self.high)
    }
}

/// A row of the paper's tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Which: `neighbour`, `siamese`, `cnn` or `siamese-all`.
    pub name: String,
    /// What was trained and asked.
    pub title: String,
    /// What chance alone gives.
    pub chance: f64,
    /// The paper's figure, percent.
    pub paper: f64,
    /// Ours.
    pub ours: Share,
    /// What the interval is of.
    pub interval: String,
    /// More of it by name.
    pub more: std::collections::BTreeMap<String, f64>,
    /// Mean training loss of every epoch.
    pub losses: Vec<f64>,
    /// Seed.
    pub seed: u64,
    /// Time that it took, s.
    pub seconds: f64,
}

/// Accuracy of "of one class if nearer than the margin" over all pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairAccuracy {
    /// Pairs of one class and of two weigh a half each; the interval redraws the pictures of each class.
    pub both: Share,
    /// Of pairs of one class, the share that is nearer than the margin.
    pub alike: f64,
    /// Of pairs of two classes, the share that is not.
    pub different: f64,
}

impl PairAccuracy {
    /// Of encoded pictures of two classes at least.
    pub fn of(encoded: &[Vec<f32>], labels: &[usize], margin: f64, seed: u64) -> Result<Self, OneShotError> {
        let n = encoded.len();
        let near = |i: usize, j: usize| {
            let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
            encoded[i].iter().zip(&encoded[j]).map(square).sum::<f64>() < margin * margin
        };
        let near: Vec<bool> = (0..n * n).map(|at| near(at / n, at % n)).collect();
        // With how often each picture was drawn: the shares of pairs that are judged rightly.
        let shares = |times: &[f64]| {
            let (mut right, mut all) = ([0.0; 2], [0.0; 2]);
            for i in 0..n {
                for j in i + 1..n {
                    let (same, weight) = (labels[i] == labels[j], times[i] * times[j]);
                    all[usize::from(same)] += weight;
                    right[usize::from(same)] += if near[i * n + j] == same { weight } else { 0.0 };
                }
            }
            [right[0] / all[0], right[1] / all[1]]
        };
        let [different, alike] = shares(&vec![1.0; n]);
        if !(different.is_finite() && alike.is_finite()) {
            let why = "pairs of one class and of two are needed".into();
            return Err(OneShotError::Numbers { what: "accuracy on pairs", why });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let classes = labels.iter().max().map_or(0, |most| most + 1);
        let of: Vec<Vec<usize>> =
            (0..classes).map(|class| (0..n).filter(|i| labels[*i] == class).collect()).collect();
        let draws = (0..REDRAWN).map(|_| {
            let mut times = vec![0.0; n];
            for class in &of {
                for _ in class {
                    times[class[rng.random_range(0..class.len())]] += 1.0;
                }
            }
            let [different, alike] = shares(&times);
            f64::midpoint(different, alike)
        });
        let draws: Vec<f64> = draws.filter(|v| v.is_finite()).collect();
        Ok(Self { both: Share::middle(f64::midpoint(different, alike), draws), alike, different })
    }
}

/// Area under the curve of "of two classes" by distance, over all pairs.
pub fn pair_auc(encoded: &[Vec<f32>], labels: &[usize]) -> Result<f64, OneShotError> {
    let n = encoded.len();
    let pairs = || (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let square = |(i, j): (usize, usize)| -> f64 {
        encoded[i].iter().zip(&encoded[j]).map(|(a, b)| f64::from(a - b).powi(2)).sum()
    };
    let differ: Vec<bool> = pairs().map(|(i, j)| labels[i] != labels[j]).collect();
    let distances: Vec<f64> = pairs().map(square).collect();
    let few = || OneShotError::Numbers {
        what: "area under the curve of pairs",
        why: "pairs of one class and of two are needed".into(),
    };
    Auc::new(&differ, &distances).map(|found| found.auc).ok_or_else(few)
}

/// The share of pictures for which the nearest of one picture a class, drawn `draws` times, is of their own class: mean over the
/// draws with the middle 95 % of them. `squares` are squared distances `[n][n]`.
pub fn neighbour(squares: &[Vec<f32>], labels: &[usize], draws: usize, seed: u64) -> Share {
    let classes = labels.iter().max().map_or(0, |most| most + 1);
    let of: Vec<Vec<usize>> =
        (0..classes).map(|class| (0..labels.len()).filter(|i| labels[*i] == class).collect()).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draw = |_| {
        let known: Vec<usize> = of.iter().map(|class| class[rng.random_range(0..class.len())]).collect();
        let asked = (0..labels.len()).filter(|i| !known.contains(i));
        let nearest = |i: usize| {
            let far = |a: &usize, b: &usize| squares[i][known[*a]].total_cmp(&squares[i][known[*b]]);
            (0..classes).min_by(far).unwrap_or(0)
        };
        let right = asked.clone().filter(|i| nearest(*i) == labels[*i]).count();
        right as f64 / asked.count().max(1) as f64
    };
    let found: Vec<f64> = (0..draws).map(draw).collect();
    Share::middle(found.iter().sum::<f64>() / found.len().max(1) as f64, found)
}

/// Places of pictures to learn from and to ask about: `share` of each class, drawn from the seed.
pub fn split(labels: &[usize], share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let classes = labels.iter().max().map_or(0, |most| most + 1);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut learn, mut ask) = (Vec::new(), Vec::new());
    for class in 0..classes {
        let mut of: Vec<usize> = (0..labels.len()).filter(|i| labels[*i] == class).collect();
        of.shuffle(&mut rng);
        let cut = (of.len() as f64 * share).round() as usize;
        learn.extend(&of[..cut]);
        ask.extend(&of[cut..]);
    }
    learn.sort_unstable();
    ask.sort_unstable();
    (learn, ask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_by_hand() {
        // Class 0 at 0, 1, 5; class 1 at 10, 11: of one class 0-1 and 10-11 of four pairs; of two classes all six.
        let encoded: Vec<Vec<f32>> = [0.0, 1.0, 5.0, 10.0, 11.0].iter().map(|x| vec![*x]).collect();
        let found = PairAccuracy::of(&encoded, &[0, 0, 0, 1, 1], 2.0, 0).expect("accuracy");
        assert_eq!((found.alike, found.different, found.both.value), (0.5, 1.0, 0.75));
        assert!(found.both.low < 0.75 && found.both.high >= 0.75);
        // A distance of the margin is not less than it.
        let at = PairAccuracy::of(&[vec![0.0], vec![2.0], vec![9.0]], &[0, 0, 1], 2.0, 0).expect("accuracy");
        assert_eq!(at.alike, 0.0);
        assert!(PairAccuracy::of(&encoded[..2], &[0, 0], 2.0, 0).is_err());
        // Distances of one class: 1, 5, 4, 1; of two: 10, 11, 9, 10, 5, 6: of 24 comparisons one is a tie.
        assert_eq!(pair_auc(&encoded, &[0, 0, 0, 1, 1]).expect("an area"), 23.5 / 24.0);
        assert!(pair_auc(&encoded[..2], &[0, 0]).is_err());
    }

    #[test]
    fn neighbours_are_found_where_classes_lie_apart() {
        let at = [0.0f32, 1.0, 2.0, 100.0, 101.0, 102.0];
        let squares: Vec<Vec<f32>> =
            at.iter().map(|a| at.iter().map(|b| (a - b) * (a - b)).collect()).collect();
        let found = neighbour(&squares, &[0, 0, 0, 1, 1, 1], 20, 1);
        assert_eq!((found.value, found.low, found.high), (1.0, 1.0, 1.0));
        // Where the classes are mixed evenly, chance.
        let found = neighbour(&squares, &[0, 1, 0, 1, 0, 1], 2000, 1);
        assert!((found.value - 0.5).abs() < 0.3, "{found:?}");
    }

    #[test]
    fn a_split_keeps_the_classes_shares() {
        let labels = [vec![0; 10], vec![1; 20]].concat();
        let (learn, ask) = split(&labels, 0.8, 7);
        assert_eq!((learn.len(), ask.len()), (24, 6));
        assert_eq!(ask.iter().filter(|i| labels[**i] == 0).count(), 2);
        assert!(learn.iter().all(|i| !ask.contains(i)));
        assert_ne!(split(&labels, 0.8, 8).1, ask);
    }
}
