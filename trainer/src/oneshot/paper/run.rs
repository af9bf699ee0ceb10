//! The parts of the paper's two tables, one after the other.

use super::cnn::{Cnn, Labelled};
use super::pairs::{MARGIN, Pairs, Siamese};
use super::picture::halved;
use super::results::{PairAccuracy, Part, Share, neighbour, split};
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

    /// Carries a part out; `observer` sees every epoch.
    pub fn part(&self, name: &str, observer: Observer) -> anyhow::Result<Done> {
        let start = Instant::now();
        let mut done = match name {
            "neighbour" => Ok(self.neighbour()),
            "siamese" => self.siamese(observer),
            "cnn" => self.cnn(observer),
            "siamese-all" => self.siamese_all(observer),
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
        Done { part: part(title, chance, 28.22, ours, interval, &[]), weights: None }
    }

    fn siamese(&self, observer: Observer) -> anyhow::Result<Done> {
        let (seen, unseen) = (self.pictures.places(&SEEN)?, self.pictures.places(&UNSEEN)?);
        let of = |classes: &[usize]| classes.iter().map(|class| self.pictures.of(*class)).collect();
        let asked: Vec<usize> = unseen.iter().flat_map(|class| self.pictures.of(*class)).collect();
        let title = "Siamese network, pairs of three classes that it has not seen";
        self.pairs(of(&seen), &asked, (title, 83.22), observer)
    }

    fn siamese_all(&self, observer: Observer) -> anyhow::Result<Done> {
        let labels = self.pictures.labels();
        let (learn, ask) = split(&labels, TRAINED, self.seed);
        let of = |class| learn.iter().copied().filter(|i| labels[*i] == class).collect();
        let classes = (0..self.pictures.classes.len()).map(of).collect();
        let title = "Siamese network, pairs of the 20 % of all six classes that it was not trained on";
        self.pairs(classes, &ask, (title, 92.55), observer)
    }

    fn pairs(
        &self,
        train: Vec<Vec<usize>>,
        asked: &[usize],
        (title, paper): (&str, f64),
        observer: Observer,
    ) -> anyhow::Result<Done> {
        let siamese = Siamese::new(self.seed)?;
        let pairs = Pairs::of(&self.half, train);
        let training = self.shortened(Training::siamese(self.seed));
        let history = siamese.train(&pairs, training, &mut |report| {
            observer(report);
            ControlFlow::Continue(())
        })?;
        let encoded = siamese.encode(&asked.iter().map(|i| self.half[*i].clone()).collect::<Vec<_>>())?;
        let labels: Vec<usize> = asked.iter().map(|i| self.pictures.all[*i].class).collect();
        let found = PairAccuracy::of(&encoded, &labels, MARGIN, self.seed)?;
        let interval = "bootstrap of the pictures within each class, 1,000 draws; one training".into();
        let mut part = part(title, 0.5, paper, found.both, interval, &history);
        part.more = BTreeMap::from([
            ("pairs of one class".into(), found.alike),
            ("pairs of two classes".into(), found.different),
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
        Ok(Done { part: part(title, chance, 93.24, ours, interval, &history), weights: None })
    }

    fn shortened(&self, training: Training) -> Training {
        Training { epochs: self.epochs.unwrap_or(training.epochs).min(training.epochs), ..training }
    }
}

fn part(
    title: &str,
    chance: f64,
    paper: f64,
    ours: Share,
    interval: String,
    history: &[EpochReport],
) -> Part {
    Part {
        name: String::new(),
        title: title.into(),
        chance,
        paper,
        ours,
        interval,
        more: BTreeMap::new(),
        losses: history.iter().map(|epoch| epoch.train_loss).collect(),
        seed: 0,
        seconds: 0.0,
    }
}

/// Squared Euclidean distances of all rows.
pub fn squares(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let width = rows.first().map_or(0, Vec::len);
    let columns = DMatrix::from_iterator(width, rows.len(), rows.iter().flatten().copied());
    let products = columns.tr_mul(&columns);
    let square = |i: usize, j: usize| (products[(i, i)] + products[(j, j)] - 2.0 * products[(i, j)]).max(0.0);
    (0..rows.len()).map(|i| (0..rows.len()).map(|j| square(i, j)).collect()).collect()
}
