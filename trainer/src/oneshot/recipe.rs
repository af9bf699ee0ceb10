//! What is decided about features: which layers, how they are whitened, what distance is. Decided on the seen classes alone.

use super::episodes::{Measure, Prepared, Views};
use super::error::OneShotError;
use super::features::{Features, KINDS};
use super::turns::TURNS;
use super::whiten::{Whitening, Within};
use crate::export::folded::GlobalPool;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How pictures are compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Stages of the encoder.
    pub stages: Vec<usize>,
    /// How their maps are pooled.
    pub kinds: Vec<GlobalPool>,
    /// Share of the diagonal in the covariance.
    pub shrinkage: f64,
    /// What distance is.
    pub measure: Measure,
    /// Whether a picture to recognise is looked at in all eight ways, as references are, or as it lies.
    pub turned_queries: bool,
}

/// A recipe with what it came to on the seen classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// What was tried.
    pub recipe: Recipe,
    /// Accuracy of one-shot episodes among the seen classes, on average over all references.
    pub accuracy: f64,
}

/// Stages that follow one another, at most so many together, of at most so many features.
const TOGETHER: usize = 3;
const MOST: usize = 400;
/// Shares of the diagonal.
const SHRINKAGES: [f64; 3] = [0.03, 0.1, 0.3];

/// Everything that is tried, in a fixed order: one to three stages that follow one another, their maps' means alone or with
/// the maxima, each shrinkage, each measure, pictures asked about as they lie or in all eight ways.
pub fn candidates(features: &Features) -> Vec<Recipe> {
    let mut all = Vec::new();
    let stages: Vec<usize> =
        features.blocks.iter().filter(|b| b.kind == GlobalPool::Avg).map(|b| b.stage).collect();
    let runs = (1..=TOGETHER).flat_map(|n| stages.windows(n));
    for (stages, kinds) in runs.flat_map(|run| [(run, &KINDS[..1]), (run, &KINDS[..])]) {
        if features.columns(stages, kinds).len() > MOST {
            continue;
        }
        for shrinkage in SHRINKAGES {
            for measure in [Measure::Euclidean, Measure::Cosine] {
                for turned_queries in [false, true] {
                    let (stages, kinds) = (stages.to_vec(), kinds.to_vec());
                    all.push(Recipe { stages, kinds, shrinkage, measure, turned_queries });
                }
            }
        }
    }
    all
}

impl Recipe {
    /// The columns that it reads.
    pub fn columns(&self, features: &Features) -> Vec<usize> {
        features.columns(&self.stages, &self.kinds)
    }

    /// The scatter within the classes of some pictures, in all ways that they can lie.
    pub fn within(&self, features: &Features, pictures: &[usize]) -> Result<Within, OneShotError> {
        let columns = self.columns(features);
        let rows: Vec<Vec<f32>> = pictures
            .iter()
            .flat_map(|p| (0..TURNS).map(|turn| features.row(*p, turn, &columns)).collect::<Vec<_>>())
            .collect();
        let labels: Vec<usize> = pictures.iter().flat_map(|p| [features.labels[*p]; TURNS]).collect();
        Within::of(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>(), &labels)
    }

    /// Pictures as they are compared, ready for its distance; in the order of `pictures`.
    pub fn prepare(&self, features: &Features, pictures: &[usize], whitening: &Whitening) -> Prepared {
        let [mean, plain] = self.both(features, pictures, whitening);
        self.views(mean, plain)
    }

    fn both(&self, features: &Features, pictures: &[usize], whitening: &Whitening) -> [Vec<Vec<f32>>; 2] {
        let columns = self.columns(features);
        let apply =
            |rows: Vec<Vec<f32>>| whitening.apply(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let mean = apply(pictures.iter().map(|p| features.mean(*p, &columns)).collect());
        let plain = apply(pictures.iter().map(|p| features.row(*p, 0, &columns)).collect());
        [mean, plain]
    }

    fn views(&self, mean: Vec<Vec<f32>>, plain: Vec<Vec<f32>>) -> Prepared {
        let views = mean.into_iter().zip(plain).map(|(mean, plain)| {
            let query = if self.turned_queries { mean.clone() } else { plain };
            Views { reference: mean, query }
        });
        Prepared::of(views.collect(), self.measure)
    }
}

/// Tries every candidate on the seen classes, the best first; of equals the earlier.
///
/// Each seen class in turn plays the unseen one: the covariance is that of every other picture of the other classes, and one-shot
/// episodes among all seen classes, every one that can be drawn, are of the pictures between. `members` are the pictures of each seen class.
pub fn choose(
    features: &Features,
    members: &[Vec<usize>],
    candidates: &[Recipe],
    mut progress: impl FnMut(usize),
) -> Result<Vec<Scored>, OneShotError> {
    let every_other = members.iter().flatten().skip(1).step_by(2);
    let asked: Vec<usize> = every_other.copied().collect();
    let places = |class: &Vec<usize>| (0..asked.len()).filter(|k| class.contains(&asked[*k])).collect();
    let asked_members: Vec<Vec<usize>> = members.iter().map(places).collect();
    let mut scores = vec![0.0; candidates.len()];
    for left_out in 0..members.len() {
        let learned: Vec<usize> = (0..members.len())
            .filter(|class| *class != left_out)
            .flat_map(|class| members[class].iter().copied().filter(|p| !asked.contains(p)))
            .collect();
        let mut within: Option<(&Recipe, Within)> = None;
        let mut white: Option<(&Recipe, [Vec<Vec<f32>>; 2])> = None;
        for (recipe, score) in candidates.iter().zip(&mut scores) {
            let layers = |other: &Recipe| other.stages == recipe.stages && other.kinds == recipe.kinds;
            let scatter = match within.take() {
                Some((other, within)) if layers(other) => within,
                _ => recipe.within(features, &learned)?,
            };
            let rows = match white.take() {
                Some((other, rows)) if layers(other) && other.shrinkage == recipe.shrinkage => rows,
                _ => recipe.both(features, &asked, &scatter.whitening(recipe.shrinkage)?),
            };
            let prepared = recipe.views(rows[0].clone(), rows[1].clone());
            *score += prepared.expected(&asked_members)? / members.len() as f64;
            (within, white) = (Some((recipe, scatter)), Some((recipe, rows)));
            progress(1);
        }
    }
    let mut scored: Vec<Scored> = candidates
        .iter()
        .zip(scores)
        .map(|(recipe, accuracy)| Scored { recipe: recipe.clone(), accuracy })
        .collect();
    scored.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
    Ok(scored)
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let stages: Vec<String> = self.stages.iter().map(ToString::to_string).collect();
        let kinds = if self.kinds.len() == 2 {
            "mean and maximum"
        } else if self.kinds == [GlobalPool::Max] {
            "maximum"
        } else {
            "mean"
        };
        let measure = match self.measure {
            Measure::Euclidean => "Euclidean",
            Measure::Cosine => "cosine",
        };
        let queries = if self.turned_queries { "looked at in eight ways" } else { "as it lies" };
        let (stages, shrinkage) = (stages.join("+"), self.shrinkage);
        write!(
            f,
            "stages {stages}, {kinds}; shrinkage {shrinkage}; {measure}; the picture asked about {queries}"
        )
    }
}

#[cfg(test)]
#[path = "recipe/tests.rs"]
mod tests;
