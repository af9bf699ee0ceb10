//! The baseline: a plain stack of convolutions on the coil's matrix, global pooling, order data, two dense layers.

mod config;
mod fold;
#[cfg(test)]
mod tests;

pub use config::{CnnConfig, CnnError, MAX_LAYERS, MAX_WIDTH, MAX_WINDOW, PerLayer, PoolAfter};

use super::{Input, Model};
use crate::export::folded::{GlobalPool, Sides};
use crate::nn::Pass;
use crate::nn::activation::Activation;
use crate::nn::batch_norm::{BatchNorm, NormConfig};
use crate::nn::conv::{ConvShape, Pads};
use crate::nn::conv_norm::ConvNorm;
use crate::nn::dropout::dropout;
use crate::nn::linear::Linear;
use crate::nn::params::{Builder, Params, Place};
use crate::nn::pool::{avg_pool, global_avg, global_max};
use crate::nn::seed::{Purpose, generator};
use candle_core::{Result, Tensor};

/// The network. Its evaluation is told at [`FoldedNet`](crate::export::folded::FoldedNet), to which it folds.
#[derive(Debug)]
pub struct Cnn {
    config: CnnConfig,
    input: Input,
    params: Params,
    trunk: Vec<Stage>,
    feature_norm: Option<BatchNorm>,
    hidden: Linear,
    logits: Linear,
    /// Straight from the side vector to the logits, beside the hidden layer.
    skip: Option<Linear>,
}

#[derive(Debug)]
enum Stage {
    Conv(ConvNorm),
    Pool((usize, usize)),
}

impl Cnn {
    /// A fresh network; the same seed gives the same weights.
    pub fn new(config: CnnConfig, input: Input, seed: u64) -> std::result::Result<Self, CnnError> {
        Self::at(Place::default(), config, input, seed)
    }

    /// The same on another device or in another float type.
    pub fn at(
        place: Place,
        config: CnnConfig,
        input: Input,
        seed: u64,
    ) -> std::result::Result<Self, CnnError> {
        config.check(input)?;
        Self::build(place, config, input, seed).map_err(CnnError::Tensor)
    }

    fn build(place: Place, config: CnnConfig, input: Input, seed: u64) -> Result<Self> {
        let mut params = Params::at(place);
        let mut rng = generator(seed, Purpose::Weights, 0, 0);
        let mut builder = Builder::new(&mut params, &mut rng);
        let mut trunk = Vec::new();
        let mut channels = input.channels;
        for (i, &filters) in config.filters.iter().enumerate() {
            let shape = ConvShape {
                stride: config.stride.of(i),
                ..ConvShape::same(channels, filters, config.kernel.of(i))
            };
            trunk.push(Stage::Conv(ConvNorm::new(
                &mut builder,
                (&format!("trunk.{i:02}.conv"), &format!("trunk.{i:02}.norm")),
                shape,
                NormConfig::default(),
                Activation::Relu,
            )?));
            for pool in config.pools.iter().filter(|p| p.after == i + 1) {
                trunk.push(Stage::Pool((pool.kernel[0], pool.kernel[1])));
            }
            channels = filters;
        }
        let per_pool = if config.sides == Sides::Shared { 2 * channels } else { channels };
        let features = per_pool * config.features.len();
        let norm = |b: &mut Builder| {
            BatchNorm::new(b, "features.norm", features, NormConfig::default(), Activation::Identity)
        };
        let feature_norm = config.feature_norm.then(|| norm(&mut builder)).transpose()?;
        let hidden = Linear::new(&mut builder, "hidden", features + input.side, config.hidden)?;
        let logits = Linear::new(&mut builder, "logits", config.hidden, 2)?;
        let skip = (config.side_skip && input.side > 0)
            .then(|| Linear::zeroed(&mut builder, "skip", input.side, 2))
            .transpose()?;
        Ok(Self { config, input, params, trunk, feature_norm, hidden, logits, skip })
    }

    /// The settings it was built from.
    pub fn config(&self) -> &CnnConfig {
        &self.config
    }

    /// Pooled features `[batch, features]` of an image `[batch, height, width, channels]`.
    fn features(&self, image: &Tensor, pass: &Pass) -> Result<Tensor> {
        let (batch, height, width, channels) = image.dims4()?;
        if (height, width, channels) != (self.input.height, self.input.width, self.input.channels) {
            candle_core::bail!(
                "the network was built for {:?}, not for an image of {:?}",
                self.input,
                image.dims()
            );
        }
        let shared = self.config.sides == Sides::Shared;
        let mut map = if shared {
            let half = width / 2;
            Tensor::cat(&[image.narrow(2, 0, half)?, image.narrow(2, half, half)?], 0)?
        } else {
            image.clone()
        };
        for stage in &self.trunk {
            map = match stage {
                Stage::Conv(conv) => conv.forward(&map, pass)?,
                Stage::Pool(kernel) => avg_pool(&map, *kernel, *kernel, Pads::NONE)?,
            };
        }
        let mut features = Vec::new();
        for kind in &self.config.features {
            let pooled = match kind {
                GlobalPool::Avg => global_avg(&map)?,
                GlobalPool::Max => global_max(&map)?,
            };
            if shared {
                let (a, b) = (pooled.narrow(0, 0, batch)?, pooled.narrow(0, batch, batch)?);
                features.extend([a.maximum(&b)?, ((a + b)? * 0.5)?]);
            } else {
                features.push(pooled);
            }
        }
        Tensor::cat(&features, 1)
    }
}

impl Model for Cnn {
    fn forward(&self, image: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let mut features = self.features(image, pass)?;
        if let Some(norm) = &self.feature_norm {
            features = norm.forward(&features, pass)?;
        }
        // Order data are few and each is needed: they are not dropped.
        features = dropout(&features, self.config.feature_dropout, pass)?;
        if self.input.side > 0 {
            features = Tensor::cat(&[&features, side], 1)?;
        }
        let hidden = Activation::Relu.apply(&self.hidden.forward(&features, pass)?)?;
        let logits = self.logits.forward(&dropout(&hidden, self.config.dropout, pass)?, pass)?;
        match &self.skip {
            Some(skip) => logits + skip.forward(side, pass)?,
            None => Ok(logits),
        }
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn input(&self) -> Input {
        self.input
    }
}
