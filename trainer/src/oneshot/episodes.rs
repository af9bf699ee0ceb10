//! N-way k-shot episodes: some classes, some pictures of each to know them by, others to recognise.

use super::error::OneShotError;
pub use coilsight_models::bundle::manifest::Measure;
pub use coilsight_models::surface::{direct, squared};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How episodes are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episodes {
    /// Classes of an episode.
    pub ways: usize,
    /// Reference pictures of each class.
    pub shots: usize,
    /// Pictures of each class that are asked about.
    pub queries: usize,
    /// How many.
    pub count: usize,
    /// Where the randomness comes from.
    pub seed: u64,
}

impl Default for Episodes {
    fn default() -> Self {
        Self { ways: 3, shots: 1, queries: 15, count: 1000, seed: 0 }
    }
}

/// A picture as it is known, and as it is asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Views {
    /// As a reference.
    pub reference: Vec<f32>,
    /// As a picture to recognise.
    pub query: Vec<f32>,
}

/// Accuracy over episodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Mean of the episodes' accuracies.
    pub mean: f64,
    /// Half the width of the mean's 95 % interval by the normal distribution: what other draws of episodes from the same pictures
    /// would give.
    pub half_width: f64,
    /// The worst 5 % of the episodes are no better.
    pub fifth_percentile: f64,
    /// Of each class, the share that was recognised, in the order of `classes`.
    pub by_class: Vec<f64>,
}

/// An episode: references and queries of each class, by their places among the pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// Classes, by their places among the candidates.
    pub classes: Vec<usize>,
    /// Of each class.
    pub references: Vec<Vec<usize>>,
    /// Of each class.
    pub queries: Vec<Vec<usize>>,
}

impl Episodes {
    /// The episode of a number, of `members` of each class that may come up; no picture is both known and asked about.
    pub fn draw(&self, members: &[Vec<usize>], number: usize) -> Result<Episode, OneShotError> {
        let refused = |found: String| OneShotError::Episodes { ways: self.ways, shots: self.shots, found };
        if self.ways < 2 || self.shots == 0 || self.queries == 0 || members.len() < self.ways {
            return Err(refused(format!("there are {} classes", members.len())));
        }
        if let Some(few) = members.iter().map(Vec::len).find(|count| *count <= self.shots) {
            return Err(refused(format!("one has {few} pictures")));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(number as u64);
        let mut classes = sample(&mut rng, members.len(), self.ways).into_vec();
        classes.sort_unstable();
        let (mut references, mut queries) = (Vec::new(), Vec::new());
        for class in &classes {
            let of = &members[*class];
            let count = (self.shots + self.queries).min(of.len());
            let drawn: Vec<usize> = sample(&mut rng, of.len(), count).into_iter().map(|i| of[i]).collect();
            references.push(drawn[..self.shots].to_vec());
            queries.push(drawn[self.shots..].to_vec());
        }
        Ok(Episode { classes, references, queries })
    }

    /// Accuracy of "the class of the nearest mean of references" over all episodes.
    pub fn accuracy(&self, members: &[Vec<usize>], views: &Prepared) -> Result<Accuracy, OneShotError> {
        let of = |number| {
            let episode = self.draw(members, number)?;
            let mut hits = vec![(0, 0); members.len()];
            let known: Vec<Vec<f32>> = episode.references.iter().map(|r| views.mean(r)).collect();
            for (k, class) in episode.classes.iter().enumerate() {
                for query in &episode.queries[k] {
                    let (right, asked) = &mut hits[*class];
                    *right += usize::from(views.nearest(*query, &known) == k);
                    *asked += 1;
                }
            }
            Ok(hits)
        };
        let found: Vec<Vec<(usize, usize)>> =
            (0..self.count).into_par_iter().map(of).collect::<Result<_, OneShotError>>()?;
        let share = |hits: &mut dyn Iterator<Item = &(usize, usize)>| {
            let (right, asked) = hits.fold((0, 0), |(r, a), (right, asked)| (r + right, a + asked));
            right as f64 / asked.max(1) as f64
        };
        let mut each: Vec<f64> = found.iter().map(|hits| share(&mut hits.iter())).collect();
        let n = each.len() as f64;
        let mean = each.iter().sum::<f64>() / n;
        let variance = each.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        each.sort_by(f64::total_cmp);
        let by_class = (0..members.len()).map(|c| share(&mut found.iter().map(|hits| &hits[c]))).collect();
        Ok(Accuracy {
            mean,
            half_width: 1.959964 * (variance / n).sqrt(),
            fifth_percentile: each.get(each.len() / 20).copied().unwrap_or(f64::NAN),
            by_class,
        })
    }
}

/// Views of all pictures, ready for a measure.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(super) views: Vec<Views>,
    measure: Measure,
}

impl Prepared {
    /// For the cosine every view becomes its direction.
    pub fn of(mut views: Vec<Views>, measure: Measure) -> Self {
        if measure == Measure::Cosine {
            for v in &mut views {
                direct(&mut v.reference);
                direct(&mut v.query);
            }
        }
        Self { views, measure }
    }

    /// The mean of some references.
    pub fn mean(&self, references: &[usize]) -> Vec<f32> {
        let mut mean = vec![0.0; self.views[references[0]].reference.len()];
        for reference in references {
            mean.iter_mut().zip(&self.views[*reference].reference).for_each(|(m, v)| *m += v);
        }
        for m in &mut mean {
            *m /= references.len() as f32;
        }
        if self.measure == Measure::Cosine {
            direct(&mut mean);
        }
        mean
    }

    /// How far a picture is from something known.
    pub fn distance(&self, query: usize, known: &[f32]) -> f32 {
        squared(&self.views[query].query, known).sqrt()
    }

    /// Which of the known is nearest to a picture; the first of equals.
    pub fn nearest(&self, query: usize, known: &[Vec<f32>]) -> usize {
        let far = |k: &usize| squared(&self.views[query].query, &known[*k]);
        (0..known.len()).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or(0)
    }
}

#[cfg(test)]
#[path = "episodes/tests.rs"]
mod tests;
