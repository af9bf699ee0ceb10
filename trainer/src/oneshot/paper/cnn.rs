//! The paper's classifier (section 5.2): the module of its Siamese network with an output for every class.

use super::picture::{SIDE, augmented, normalised};
use super::{Training, network};
use crate::fit::{LossConfig, Source, cross_entropy};
use crate::nets::{Input, Model, Network};
use crate::nn::Pass;
use crate::nn::params::Params;
use candle_core::{Device, Result, Tensor};
use rand_chacha::ChaCha8Rng;

/// Pictures that are classified together.
const BATCH: usize = 64;

/// Pictures with their classes, augmented as the pairs are.
#[derive(Debug)]
pub struct Labelled<'a> {
    /// 0 to 255.
    pub pictures: Vec<&'a [f32]>,
    /// Class of each.
    pub labels: Vec<usize>,
}

impl Source for Labelled<'_> {
    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn label(&self, item: usize) -> usize {
        self.labels[item]
    }

    fn draw(
        &self,
        item: usize,
        _: usize,
        rng: &mut ChaCha8Rng,
        image: &mut [f32],
        _: &mut [f32],
    ) -> Result<()> {
        for (to, value) in image.iter_mut().zip(augmented(self.pictures[item], rng)) {
            *to = normalised(value);
        }
        Ok(())
    }
}

/// The classifier.
#[derive(Debug)]
pub struct Cnn {
    network: Network,
    classes: usize,
}

impl Cnn {
    /// With fresh weights.
    pub fn new(classes: usize, seed: u64) -> anyhow::Result<Self> {
        Ok(Self { network: network(classes, seed)?, classes })
    }

    /// Trains on pictures.
    pub fn train(
        &self,
        train: &Labelled,
        training: Training,
        observer: &mut dyn FnMut(&crate::fit::EpochReport) -> std::ops::ControlFlow<()>,
    ) -> std::result::Result<Vec<crate::fit::EpochReport>, crate::fit::FitError> {
        training.run(self, train, observer)
    }

    /// The classes of pictures, the likeliest.
    pub fn classify(&self, pictures: &[&[f32]]) -> Result<Vec<usize>> {
        let mut found = Vec::with_capacity(pictures.len());
        for some in pictures.chunks(BATCH) {
            let values: Vec<f32> = some.iter().flat_map(|p| p.iter()).map(|v| normalised(*v)).collect();
            let image = Tensor::from_vec(values, (some.len(), SIDE, SIDE, 1), &Device::Cpu)?;
            let side = Tensor::zeros((some.len(), 1), candle_core::DType::F32, &Device::Cpu)?;
            let logits = self.network.forward(&image, &side, &mut Pass::Eval)?;
            found.extend(logits.argmax(1)?.to_vec1::<u32>()?.into_iter().map(|class| class as usize));
        }
        Ok(found)
    }
}

impl Model for Cnn {
    fn forward(&self, image: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.network.forward(image, side, pass)
    }

    fn loss(
        &self,
        (image, side): (&Tensor, &Tensor),
        labels: &[usize],
        _: &LossConfig,
        pass: &mut Pass,
    ) -> Result<Tensor> {
        let logits = self.network.forward(image, side, pass)?;
        cross_entropy(&logits, labels, &vec![1.0; self.classes], 0.0)
    }

    fn embed(&self, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }

    fn settle(&self, _: &[Vec<f32>], _: &[usize], _: u64) -> Result<()> {
        Ok(())
    }

    fn params(&self) -> &Params {
        self.network.params()
    }

    fn input(&self) -> Input {
        self.network.input()
    }

    fn classes(&self) -> usize {
        self.classes
    }
}
