//! The Siamese network on pairs of pictures (sections 3 and 5.1): drawn half of one class and half of two, at the cost of
//! equation 1, of one class where the distance is less than the margin.
//!
//! A pair is one item of two channels, a picture each, and the network's module runs over both with the same weights.

use super::picture::{SIDE, augmented, normalised};
use super::{Training, network};
use crate::export::folded::LEAST_SQUARE;
use crate::fit::{LossConfig, Source};
use crate::nets::{Input, Model, Network};
use crate::nn::Pass;
use crate::nn::params::Params;
use candle_core::{Device, Result, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Values of an encoded picture (section 3: n = 5).
pub const EMBEDDING: usize = 5;
/// The margin of the loss and of the decision (table 1; section 5.2).
pub const MARGIN: f64 = 2.0;
/// Pictures that are encoded together.
const BATCH: usize = 64;

/// Pairs of pictures; odd items are of one class.
#[derive(Debug)]
pub struct Pairs<'a> {
    pictures: &'a [Vec<f32>],
    /// The pictures of each class.
    classes: Vec<Vec<usize>>,
    items: usize,
}

impl<'a> Pairs<'a> {
    /// Pairs among `members`, places in `pictures` ([`PIXELS`](super::picture::PIXELS) values 0 to 255 each) by class, two at least of each; as many
    /// pairs an epoch as there are pictures.
    pub fn of(pictures: &'a [Vec<f32>], classes: Vec<Vec<usize>>) -> Self {
        let items = classes.iter().map(Vec::len).sum::<usize>() / 2 * 2;
        Self { pictures, classes, items }
    }

    fn pick(&self, alike: bool, rng: &mut ChaCha8Rng) -> [usize; 2] {
        let class = rng.random_range(0..self.classes.len());
        let of = &self.classes[class];
        let first = rng.random_range(0..of.len());
        if alike {
            return [of[first], of[(first + rng.random_range(1..of.len())) % of.len()]];
        }
        let other = &self.classes[(class + rng.random_range(1..self.classes.len())) % self.classes.len()];
        [of[first], other[rng.random_range(0..other.len())]]
    }
}

impl Source for Pairs<'_> {
    fn len(&self) -> usize {
        self.items
    }

    fn label(&self, item: usize) -> usize {
        item % 2
    }

    fn draw(
        &self,
        item: usize,
        _: usize,
        rng: &mut ChaCha8Rng,
        image: &mut [f32],
        _: &mut [f32],
    ) -> Result<()> {
        let pair = self.pick(self.label(item) == 1, rng);
        for (channel, picture) in pair.into_iter().enumerate() {
            let values = augmented(&self.pictures[picture], rng);
            for (to, value) in image.iter_mut().skip(channel).step_by(2).zip(values) {
                *to = normalised(value);
            }
        }
        Ok(())
    }
}

/// The network over pairs.
#[derive(Debug)]
pub struct Siamese {
    module: Network,
}

impl Siamese {
    /// With fresh weights.
    pub fn new(seed: u64) -> anyhow::Result<Self> {
        Ok(Self { module: network(EMBEDDING, seed)? })
    }

    /// Trains on pairs.
    pub fn train(
        &self,
        pairs: &Pairs,
        training: Training,
        observer: &mut dyn FnMut(&crate::fit::EpochReport) -> std::ops::ControlFlow<()>,
    ) -> std::result::Result<Vec<crate::fit::EpochReport>, crate::fit::FitError> {
        training.run(self, pairs, observer)
    }

    /// Encodes pictures of [`PIXELS`](super::picture::PIXELS) values 0 to 255: `[EMBEDDING]` each.
    pub fn encode(&self, pictures: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        let mut rows = Vec::with_capacity(pictures.len());
        for some in pictures.chunks(BATCH) {
            let values: Vec<f32> = some.iter().flatten().map(|v| normalised(*v)).collect();
            let image = Tensor::from_vec(values, (some.len(), SIDE, SIDE, 1), &Device::Cpu)?;
            let side = Tensor::zeros((some.len(), 1), candle_core::DType::F32, &Device::Cpu)?;
            rows.extend(self.module.outputs(&image, &side, &mut Pass::Eval)?.to_vec2::<f32>()?);
        }
        Ok(rows)
    }

    /// Distances of the pairs `[batch, 100, 100, 2]`: `[batch]` (equation 2).
    fn distances(&self, pairs: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let one = |channel: usize| pairs.narrow(3, channel, 1)?.contiguous();
        let both = Tensor::cat(&[one(0)?, one(1)?], 0)?;
        let side = Tensor::cat(&[side, side], 0)?;
        let encoded = self.module.outputs(&both, &side, pass)?;
        let half = pairs.dim(0)?;
        let off = (encoded.narrow(0, 0, half)? - encoded.narrow(0, half, half)?)?;
        // A root has no slope at zero.
        (off.sqr()?.sum(1)? + f64::from(LEAST_SQUARE))?.sqrt()
    }
}

/// Equation 1, the mean over pairs: `y D^2 / 2 + (1 - y) max(0, m - D)^2 / 2`, y = 1 for a pair of one class.
fn contrastive(distances: &Tensor, labels: &[usize]) -> Result<Tensor> {
    let y: Vec<f64> = labels.iter().map(|label| *label as f64).collect();
    let y = Tensor::from_vec(y, labels.len(), distances.device())?.to_dtype(distances.dtype())?;
    let short = (MARGIN - distances)?.relu()?;
    ((&y * distances.sqr()?)? + ((1.0 - &y)? * short.sqr()?)?)?.mean_all()? * 0.5
}

impl Model for Siamese {
    fn forward(&self, pairs: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let distances = self.distances(pairs, side, pass)?.unsqueeze(1)?;
        Tensor::cat(&[(&distances - MARGIN)?, (MARGIN - &distances)?], 1)
    }

    fn loss(
        &self,
        (pairs, side): (&Tensor, &Tensor),
        labels: &[usize],
        _: &LossConfig,
        pass: &mut Pass,
    ) -> Result<Tensor> {
        contrastive(&self.distances(pairs, side, pass)?, labels)
    }

    fn embed(&self, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }

    fn settle(&self, _: &[Vec<f32>], _: &[usize], _: u64) -> Result<()> {
        Ok(())
    }

    fn params(&self) -> &Params {
        self.module.params()
    }

    fn input(&self) -> Input {
        Input { height: SIDE, width: SIDE, channels: 2, side: 0 }
    }
}

#[cfg(test)]
#[path = "pairs/tests.rs"]
mod tests;
