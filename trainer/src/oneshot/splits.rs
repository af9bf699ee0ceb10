//! Splits of the classes into seen and unseen ones: chosen on the seen, asked about the others; and all classes known.

use super::episodes::{Accuracy, Episodes};
use super::error::OneShotError;
use super::features::Features;
use super::paper::Share;
use super::recipe::{Recipe, Scored, choose};
use super::whiten::Whitening;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Folds of the cross-validation over all pictures.
const FOLDS: usize = 10;
/// Redrawn splits behind an interval over splits.
const REDRAWN: usize = 2000;

/// What one split of the classes came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// The seen classes.
    pub seen: Vec<usize>,
    /// What was chosen on them.
    pub recipe: Recipe,
    /// Everything that was tried, the best first.
    pub scores: Vec<Scored>,
    /// Episodes of the unseen classes only.
    pub unseen: Accuracy,
    /// Episodes of all classes; the whitening is learned on the seen ones.
    pub all: Accuracy,
}

/// Every class known from all its pictures: the nearest class mean after whitening.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AllClasses {
    /// Held-back pictures that were recognised.
    pub right: usize,
    /// Held-back pictures.
    pub asked: usize,
    /// The share.
    pub share: Share,
    /// How it was measured.
    pub how: String,
    /// Pictures that were taken for another class: the picture, and the class that it was taken for.
    pub wrong: Vec<(usize, usize)>,
}

/// Means over splits.
#[derive(Debug, Clone, Copy)]
pub struct OverSplits {
    /// Of unseen classes.
    pub unseen: Share,
    /// Of all classes.
    pub all: Share,
}

/// The pictures of each class.
fn members(labels: &[usize], classes: &[usize]) -> Vec<Vec<usize>> {
    classes.iter().map(|class| (0..labels.len()).filter(|p| labels[*p] == *class).collect()).collect()
}

/// One split: everything is chosen and learned on the pictures of the seen classes in `learn`; episodes are of `ask`, or of
/// `learn` where there are no others. `episodes.ways` is the number of all classes.
pub fn split(
    learn: &Features,
    ask: Option<&Features>,
    seen: &[usize],
    tried: &[Recipe],
    episodes: &Episodes,
    progress: impl FnMut(usize),
) -> Result<Outcome, OneShotError> {
    let known = members(&learn.labels, seen);
    let scores = choose(learn, &known, tried, progress)?;
    let nothing = || OneShotError::Numbers { what: "choice", why: "nothing was tried".into() };
    let recipe = scores.first().ok_or_else(nothing)?.recipe.clone();
    let whitening = recipe.within(learn, &known.concat())?.whitening(recipe.shrinkage)?;
    let ask = ask.unwrap_or(learn);
    let every: Vec<usize> = (0..ask.labels.len()).collect();
    let prepared = recipe.prepare(ask, &every, &whitening);
    let classes = ask.labels.iter().max().map_or(0, |most| most + 1);
    let others: Vec<usize> = (0..classes).filter(|class| !seen.contains(class)).collect();
    let unseen = Episodes { ways: others.len(), ..*episodes };
    Ok(Outcome {
        unseen: unseen.accuracy(&members(&ask.labels, &others), &prepared)?,
        all: episodes.accuracy(&members(&ask.labels, &(0..classes).collect::<Vec<_>>()), &prepared)?,
        seen: seen.to_vec(),
        recipe,
        scores,
    })
}

/// Every choice of half of the classes.
pub fn halves(classes: usize) -> Vec<Vec<usize>> {
    let of = |mask: usize| (0..classes).filter(|class| mask >> class & 1 == 1).collect::<Vec<_>>();
    (0..1usize << classes.min(16)).map(of).filter(|seen| seen.len() == classes / 2).collect()
}

/// Means over two splits or more, with intervals that redraw the splits.
pub fn over_splits(outcomes: &[Outcome]) -> Option<OverSplits> {
    if outcomes.len() < 2 {
        return None;
    }
    let over = |of: &dyn Fn(&Outcome) -> f64| {
        let values: Vec<f64> = outcomes.iter().map(of).collect();
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / outcomes.len() as f64;
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let draws = (0..REDRAWN)
            .map(|_| mean(&mut (0..values.len()).map(|_| values[rng.random_range(0..values.len())])))
            .collect();
        Share::middle(mean(&mut values.iter().copied()), draws)
    };
    Some(OverSplits { unseen: over(&|o| o.unseen.mean), all: over(&|o| o.all.mean) })
}

/// The means of whitened classes, and which of them is nearest: linear discriminants with equal shares of the classes.
pub struct Means {
    recipe: Recipe,
    whitening: Whitening,
    known: Vec<Vec<f32>>,
}

impl Means {
    /// Learned from some pictures of all classes.
    pub fn of(features: &Features, pictures: &[usize], recipe: &Recipe) -> Result<Self, OneShotError> {
        let whitening = recipe.within(features, pictures)?.whitening(recipe.shrinkage)?;
        let prepared = recipe.prepare(features, pictures, &whitening);
        let classes = features.labels.iter().max().map_or(0, |most| most + 1);
        let of = |class| {
            (0..pictures.len()).filter(|k| features.labels[pictures[*k]] == class).collect::<Vec<_>>()
        };
        let known = (0..classes).map(of).filter(|k| !k.is_empty()).map(|k| prepared.mean(&k)).collect();
        Ok(Self { recipe: recipe.clone(), whitening, known })
    }

    /// The class of each of some pictures.
    pub fn classify(&self, features: &Features, pictures: &[usize]) -> Vec<usize> {
        let prepared = self.recipe.prepare(features, pictures, &self.whitening);
        (0..pictures.len()).map(|k| prepared.nearest(k, &self.known)).collect()
    }
}

/// Learned on all classes: asked about other pictures if there are some, else by cross-validation.
pub fn all_classes(
    learn: &Features,
    ask: Option<&Features>,
    recipe: &Recipe,
    seed: u64,
) -> Result<AllClasses, OneShotError> {
    let every: Vec<usize> = (0..learn.labels.len()).collect();
    let (found, how): (Vec<(usize, usize, usize)>, String) = if let Some(ask) = ask {
        let asked: Vec<usize> = (0..ask.labels.len()).collect();
        let found = Means::of(learn, &every, recipe)?.classify(ask, &asked);
        let found = asked.iter().zip(found).map(|(p, class)| (*p, ask.labels[*p], class)).collect();
        (found, format!("learned from {} pictures, asked about others", every.len()))
    } else {
        let mut order = every.clone();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        order.sort_by_key(|p| learn.labels[*p]);
        let mut found = Vec::new();
        for fold in 0..FOLDS {
            let (held, kept): (Vec<_>, Vec<_>) =
                order.iter().enumerate().partition(|(k, _)| k % FOLDS == fold);
            let [held, kept] = [held, kept].map(|of| of.into_iter().map(|(_, p)| *p).collect::<Vec<_>>());
            let classes = Means::of(learn, &kept, recipe)?.classify(learn, &held);
            found.extend(held.iter().zip(classes).map(|(p, class)| (*p, learn.labels[*p], class)));
        }
        (found, format!("{FOLDS}-fold cross-validation"))
    };
    let nothing = || OneShotError::Numbers { what: "all classes", why: "there are no pictures".into() };
    let mut wrong: Vec<(usize, usize)> =
        found.iter().filter(|(_, is, taken)| is != taken).map(|(p, _, taken)| (*p, *taken)).collect();
    wrong.sort_unstable();
    let (right, asked) = (found.len() - wrong.len(), found.len());
    Ok(AllClasses { right, asked, share: Share::of(right, asked).ok_or_else(nothing)?, how, wrong })
}

#[cfg(test)]
#[path = "splits/tests.rs"]
mod tests;
