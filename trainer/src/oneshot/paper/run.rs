//! The parts of the paper's two tables, one after the other.

use super::cnn::{Cnn, Labelled};
use super::pairs::{MARGIN, Pairs, Siamese};
use super::picture::halved;
use super::results::{PairAccuracy, Part, Share, neighbour, pair_auc, split};
use super::{SEEN, Training, UNSEEN};
use crate::fit::EpochReport;
use crate::nets::Model;
use crate::oneshot::Pictures;
use anyhow::Context;
use nalgebra::DMatrix;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

/// The parts by name, in the order of the tables.
pub const PARTS: [&str; 4] = ["neighbour", "siamese", "cnn", "siamese-all"];
/// Names of [`Part::more`]: of pairs of one class, the share judged rightly.
pub const ALIKE: &str = "pairs of one class";
/// Of pairs of two classes.
pub const DIFFERENT: &str = "pairs of two classes";
/// Accuracy on pairs with half the margin as limit.
pub const HALF: &str = "limit at half the margin";
/// The share of a pair of two classes and one of one class whose distances stand in the right order: no limit is needed.
pub const AUC: &str = "area under the curve";
/// How often the nearest neighbour's pictures are drawn.
const DRAWS: usize = 1000;
/// The share of pictures that table 3 trains on.
const TRAINED: f64 = 0.8;

/// Pictures as the paper's networks see them.
pub struct Paper<'a> {
    pictures: &'a Pictures,
    half: Vec<Vec<f32>>,
    seed: u64,
    /// Epochs in place of the paper's: only for a first look.
    epochs: Option<usize>,
}

/// What a part gave: its figures, and the network's weights where others may want them.
pub struct Done {
    /// Figures.
    pub part: Part,
    /// As safetensors.
    pub weights: Option<Vec<u8>>,
}

/// A network that an earlier run has trained.
pub struct Trained {
    /// As safetensors.
    pub weights: Vec<u8>,
    /// Mean training loss of every epoch.
    pub losses: Vec<f64>,
}

type Observer<'a> = &'a mut dyn FnMut(&EpochReport);

impl<'a> Paper<'a> {
    /// On pictures of the six classes.
    pub fn of(pictures: &'a Pictures, seed: u64, epochs: Option<usize>) -> Self {
        let half = pictures.all.iter().map(|p| halved(&p.pixels)).collect();
        Self { pictures, half, seed, epochs }
    }

    /// Epochs that a part trains.
    pub fn epochs(&self, part: &str) -> usize {
        let whole = match part {
            "cnn" => Training::cnn(0).epochs,
            "neighbour" => 0,
            _ => Training::siamese(0).epochs,
        };
        self.epochs.unwrap_or(whole).min(whole)
    }

    /// Carries a part out; `observer` sees every epoch. A Siamese network that is `trained` is judged only.
    pub fn part(&self, name: &str, trained: Option<Trained>, observer: Observer) -> anyhow::Result<Done> {
        let start = Instant::now();
        let mut done = match name {
            "neighbour" => Ok(self.neighbour()),
            "siamese" => self.siamese(trained, observer),
            "cnn" => self.cnn(observer),
            "siamese-all" => self.siamese_all(trained, observer),
            _ => anyhow::bail!("there is no part {name:?}; there are {}", PARTS.join(", ")),
        }?;
        done.part.name = name.into();
        done.part.seed = self.seed;
        done.part.seconds = start.elapsed().as_secs_f64();
        Ok(done)
    }

    fn neighbour(&self) -> Done {
        let labels = self.pictures.labels();
        let ours = neighbour(&squares(&self.half), &labels, DRAWS, self.seed);
        let title = "nearest neighbour on pixels, one picture of each of six classes";
        let interval = format!("the middle 95 % of {DRAWS} draws of the six pictures; the paper drew once");
        let chance = 1.0 / self.pictures.classes.len() as f64;
        Done { part: part(title, chance, 28.22, ours, interval, Vec::new()), weights: None }
    }

    fn siamese(&self, trained: Option<Trained>, observer: Observer) -> anyhow::Result<Done> {
        let (seen, unseen) = (self.pictures.places(&SEEN)?, self.pictures.places(&UNSEEN)?);
        let of = |classes: &[usize]| classes.iter().map(|class| self.pictures.of(*class)).collect();
        let asked: Vec<usize> = unseen.iter().flat_map(|class| self.pictures.of(*class)).collect();
        let title = "Siamese network, pairs of three classes that it has not seen";
        self.pairs(of(&seen), &asked, (title, 83.22), trained, observer)
    }

    fn siamese_all(&self, trained: Option<Trained>, observer: Observer) -> anyhow::Result<Done> {
        let labels = self.pictures.labels();
        let (learn, ask) = split(&labels, TRAINED, self.seed);
        let of = |class| learn.iter().copied().filter(|i| labels[*i] == class).collect();
        let classes = (0..self.pictures.classes.len()).map(of).collect();
        let title = "Siamese network, pairs of the 20 % of all six classes that it was not trained on";
        self.pairs(classes, &ask, (title, 92.55), trained, observer)
    }

    fn pairs(
        &self,
        train: Vec<Vec<usize>>,
        asked: &[usize],
        (title, paper): (&str, f64),
        trained: Option<Trained>,
        observer: Observer,
    ) -> anyhow::Result<Done> {
        let siamese = Siamese::new(self.seed)?;
        let losses = if let Some(Trained { weights, losses }) = trained {
            siamese.params().load(&weights).context("these are no weights of this network")?;
            losses
        } else {
            let training = self.shortened(Training::siamese(self.seed));
            let history = siamese.train(&Pairs::of(&self.half, train), training, &mut |report| {
                observer(report);
                ControlFlow::Continue(())
            })?;
            losses(&history)
        };
        let encoded = siamese.encode(&asked.iter().map(|i| self.half[*i].clone()).collect::<Vec<_>>())?;
        let labels: Vec<usize> = asked.iter().map(|i| self.pictures.all[*i].class).collect();
        let found = PairAccuracy::of(&encoded, &labels, MARGIN, self.seed)?;
        let interval = "bootstrap of the pictures within each class, 1,000 draws; one training".into();
        let mut part = part(title, 0.5, paper, found.both, interval, losses);
        // The loss pulls pairs of one class to 0 and pushes those of two to the margin, none beyond it: half-way between
        // lies the limit that the loss suggests.
        let half = PairAccuracy::of(&encoded, &labels, MARGIN / 2.0, self.seed)?;
        part.more = BTreeMap::from([
            (ALIKE.into(), found.alike),
            (DIFFERENT.into(), found.different),
            (HALF.into(), half.both.value),
            (AUC.into(), pair_auc(&encoded, &labels)?),
        ]);
        Ok(Done { part, weights: Some(siamese.params().to_bytes()?) })
    }

    fn cnn(&self, observer: Observer) -> anyhow::Result<Done> {
        let labels = self.pictures.labels();
        let (learn, ask) = split(&labels, TRAINED, self.seed);
        let cnn = Cnn::new(self.pictures.classes.len(), self.seed)?;
        let train = Labelled {
            pictures: learn.iter().map(|i| &*self.half[*i]).collect(),
            labels: learn.iter().map(|i| labels[*i]).collect(),
        };
        let history = cnn.train(&train, self.shortened(Training::cnn(self.seed)), &mut |report| {
            observer(report);
            ControlFlow::Continue(())
        })?;
        let found = cnn.classify(&ask.iter().map(|i| &*self.half[*i]).collect::<Vec<_>>())?;
        let right = found.iter().zip(&ask).filter(|(found, i)| **found == labels[**i]).count();
        let ours = Share::of(right, ask.len()).context("there are no pictures to ask about")?;
        let title = "CNN, the 20 % of all six classes that it was not trained on";
        let chance = 1.0 / self.pictures.classes.len() as f64;
        let interval = "Wilson's; one training".into();
        Ok(Done { part: part(title, chance, 93.24, ours, interval, losses(&history)), weights: None })
    }

    fn shortened(&self, training: Training) -> Training {
        Training { epochs: self.epochs.unwrap_or(training.epochs).min(training.epochs), ..training }
    }
}

fn part(title: &str, chance: f64, paper: f64, ours: Share, interval: String, losses: Vec<f64>) -> Part {
    Part {
        name: String::new(),
        title: title.into(),
        chance,
        paper,
        ours,
        interval,
        more: BTreeMap::new(),
        losses,
        seed: 0,
        seconds: 0.0,
    }
}

fn losses(history: &[EpochReport]) -> Vec<f64> {
    history.iter().map(|epoch| epoch.train_loss).collect()
}

/// Squared Euclidean distances of all rows.
pub fn squares(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let width = rows.first().map_or(0, Vec::len);
    let columns = DMatrix::from_iterator(width, rows.len(), rows.iter().flatten().copied());
    let products = columns.tr_mul(&columns);
    let square = |i: usize, j: usize| (products[(i, i)] + products[(j, j)] - 2.0 * products[(i, j)]).max(0.0);
    (0..rows.len()).map(|i| (0..rows.len()).map(|j| square(i, j)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oneshot::testing::textures;

    #[test]
    fn a_network_that_was_kept_is_judged_as_when_it_was_trained() {
        let pictures = textures(6, 10);
        let paper = Paper::of(&pictures, 3, Some(1));
        let Done { part, weights } = paper.part("siamese-all", None, &mut |_| ()).expect("trained");
        let (weights, losses) = (weights.expect("weights"), part.losses.clone());
        let trained = |weights| Some(Trained { weights, losses: losses.clone() });
        let again = paper
            .part("siamese-all", trained(weights.clone()), &mut |_| panic!("it is trained again"))
            .expect("judged");
        assert_eq!(Part { seconds: 0.0, ..again.part }, Part { seconds: 0.0, ..part });
        assert!(paper.part("siamese-all", trained(weights[..99].to_vec()), &mut |_| ()).is_err());
    }
}
