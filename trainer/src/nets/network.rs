//! A whole network: stages, head, and what makes logits of it.

use super::config::{NetworkConfig, RANDOM};
use super::error::NetworkError;
use super::head::{Head, Plan};
use super::siamese::Siamese;
use super::trunk::{Trunk, keep_width};
use super::{Input, Model};
use crate::fit::{LossConfig, Stage, cross_entropy};
use crate::nn::Pass;
use crate::nn::params::{Builder, Params, Place};
use crate::nn::seed::{Purpose, generator};
use candle_core::{Result, Tensor};
use sha2::{Digest, Sha256};

/// Classes that coils fall into: OK and NOK.
pub const CLASSES: usize = 2;

/// A classifier, or a Siamese network.
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    pub(super) input: Input,
    params: Params,
    pub(super) trunk: Trunk,
    pub(super) head: Head,
    pub(super) siamese: Option<Siamese>,
}

impl Network {
    /// A network of two classes with fresh weights, f32 on the processor; the same seed gives the same weights.
    pub fn new(config: NetworkConfig, input: Input, seed: u64) -> std::result::Result<Self, NetworkError> {
        Self::at(Place::default(), config, input, CLASSES, seed)
    }

    /// The same elsewhere, in another float type, with another number of classes.
    pub fn at(
        place: Place,
        config: NetworkConfig,
        input: Input,
        classes: usize,
        seed: u64,
    ) -> std::result::Result<Self, NetworkError> {
        config.check(input)?;
        let mut params = Params::at(place);
        let mut rng = generator(seed, Purpose::Weights, 0, 0);
        let mut builder = Builder::new(&mut params, &mut rng);
        let backbone = &config.backbone;
        let mut stages = backbone.stages(&mut builder, input.channels).map_err(NetworkError::Tensor)?;
        keep_width(&mut stages, config.keep_width);
        let (height, width) = (input.height, input.width);
        let image = [height, width, input.channels];
        let mut trunk = Trunk::new(stages, backbone.sides(), backbone.pooled(), image)
            .map_err(|stage| NetworkError::Vanishes { stage, height, width })?;
        let plan = Plan {
            last: backbone.last_layer(config.siamese.is_some()),
            features: trunk.features(),
            side: input.side,
            outputs: config.siamese.map_or(classes, |siamese| siamese.embedding),
        };
        let head = backbone.head(&mut builder, plan).map_err(NetworkError::Tensor)?;
        let siamese = config.siamese.map(|siamese| Siamese::new(&mut builder, siamese)).transpose();
        let siamese = siamese.map_err(NetworkError::Tensor)?;
        trunk.freeze(config.freeze);
        params.freeze(&trunk.frozen_vars());
        Ok(Self { config, input, params, trunk, head, siamese })
    }

    /// The settings it was built from.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Whether its frozen stages hold what nobody trained: features of a random network, which is not transfer learning.
    pub fn is_random_and_frozen(&self) -> bool {
        self.trunk.frozen() > 0 && self.config.weights == RANDOM
    }

    /// SHA-256 of what the frozen stages compute: their settings and their weights.
    pub fn trunk_hash(&self) -> Result<[u8; 32]> {
        let mut hash = Sha256::new();
        let config = (&self.config.backbone, self.config.keep_width);
        let config = serde_json::to_vec(&config).map_err(candle_core::Error::wrap)?;
        hash.update(&config);
        hash.update([self.trunk.frozen() as u8]);
        for (name, var) in self.params.frozen() {
            hash.update(name);
            for value in var.flatten_all()?.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()? {
                hash.update(value.to_le_bytes());
            }
        }
        Ok(hash.finalize().into())
    }

    /// What the frozen stages make of images `[batch, height, width, channels]`: `[batch, kept_length]`, as [`Kept`] takes it.
    pub fn keep(&self, image: &Tensor) -> Result<Tensor> {
        self.check_image(image)?;
        self.trunk.to_rows(&self.trunk.frozen_part(image)?)
    }

    /// Values of a coil after the frozen stages.
    pub fn kept_length(&self) -> usize {
        self.trunk.kept_length()
    }

    fn check_image(&self, image: &Tensor) -> Result<()> {
        let (_, height, width, channels) = image.dims4()?;
        if (height, width, channels) == (self.input.height, self.input.width, self.input.channels) {
            return Ok(());
        }
        candle_core::bail!(
            "the network was built for {:?}, not for an image of {:?}",
            self.input,
            image.dims()
        )
    }

    /// Logits, or the embeddings of a Siamese network: `[batch, outputs]`.
    pub fn outputs(&self, image: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.check_image(image)?;
        let features = self.trunk.rest(self.trunk.frozen_part(image)?, pass)?;
        self.head(&features, side, pass)
    }

    /// What the head reads of images `[batch, height, width, channels]`, without order data: `[batch, features]`, in the order
    /// of the exported network's output `features`.
    pub fn features(&self, image: &Tensor) -> Result<Tensor> {
        self.check_image(image)?;
        let features = self.trunk.rest(self.trunk.frozen_part(image)?, &Pass::Eval)?;
        self.channels_first(features)
    }

    /// A map that is the features, whole, lies channels last here and channels first in files.
    fn channels_first(&self, features: Tensor) -> Result<Tensor> {
        let Some([height, width, channels]) = self.trunk.flattened() else { return Ok(features) };
        let map = features.reshape(((), height * width, channels))?;
        map.transpose(1, 2)?.contiguous()?.flatten_from(1)
    }

    /// What the head takes of images, by running statistics: `[batch, features]`.
    pub fn pooled(&self, image: &Tensor) -> Result<Tensor> {
        self.check_image(image)?;
        self.trunk.rest(self.trunk.frozen_part(image)?, &Pass::Eval)
    }

    /// Logits of what [`Self::pooled`] gave, `[batch, 2]`.
    pub fn judge_pooled(&self, features: &Tensor, side: &Tensor) -> Result<Tensor> {
        let outputs = self.head(features, side, &mut Pass::Eval)?;
        self.logits(&outputs, &Pass::Eval)
    }

    /// The stages whose maps are pooled, each with the values that each pool gives.
    pub fn pooled_widths(&self) -> Vec<(usize, usize)> {
        let width =
            |stage: &usize| (*stage, self.trunk.pooled_length(*stage) / self.trunk.pooled.kinds.len());
        self.trunk.pooled.stages.iter().map(width).collect()
    }

    fn outputs_of_kept(&self, kept: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let features = self.trunk.rest(self.trunk.from_rows(kept)?, pass)?;
        self.head(&features, side, pass)
    }

    fn head(&self, features: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.head.forward(features, (self.input.side > 0).then_some(side), pass)
    }

    fn logits(&self, outputs: &Tensor, pass: &Pass) -> Result<Tensor> {
        self.siamese.as_ref().map_or(Ok(outputs.clone()), |siamese| siamese.logits(outputs, pass))
    }

    fn loss_of(
        &self,
        outputs: &Tensor,
        labels: &[usize],
        config: &LossConfig,
        pass: &Pass,
    ) -> Result<Tensor> {
        match &self.siamese {
            Some(siamese) => siamese.loss(outputs, labels, config, pass),
            None => cross_entropy(outputs, labels, &config.class_weights, config.label_smoothing),
        }
    }
}

impl Model for Network {
    fn forward(&self, image: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let outputs = self.outputs(image, side, pass)?;
        self.logits(&outputs, pass)
    }

    fn loss(
        &self,
        (image, side): (&Tensor, &Tensor),
        labels: &[usize],
        config: &LossConfig,
        pass: &mut Pass,
    ) -> Result<Tensor> {
        let outputs = match config.stage {
            Stage::CrossEntropy { frozen: true } => self.outputs(image, side, &mut Pass::Eval)?,
            _ => self.outputs(image, side, pass)?,
        };
        self.loss_of(&outputs, labels, config, pass)
    }

    fn embed(&self, image: &Tensor, side: &Tensor) -> Result<Option<Tensor>> {
        self.siamese.as_ref().map(|_| self.outputs(image, side, &mut Pass::Eval)).transpose()
    }

    fn settle(&self, embeddings: &[Vec<f32>], labels: &[usize], seed: u64) -> Result<()> {
        self.siamese.as_ref().map_or(Ok(()), |siamese| siamese.settle(embeddings, labels, seed))
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn input(&self) -> Input {
        self.input
    }
}

/// A network seen from behind its frozen stages: its "image" is what [`Network::keep`] gave, as `[batch, 1, 1, kept_length]`.
#[derive(Debug)]
pub struct Kept<'a>(pub &'a Network);

impl Kept<'_> {
    /// As [`Network::features`].
    pub fn features(&self, kept: &Tensor) -> Result<Tensor> {
        let map = self.0.trunk.from_rows(&kept.flatten_from(1)?)?;
        self.0.channels_first(self.0.trunk.rest(map, &Pass::Eval)?)
    }

    fn outputs(&self, kept: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.0.outputs_of_kept(&kept.flatten_from(1)?, side, pass)
    }
}

impl Model for Kept<'_> {
    fn forward(&self, kept: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let outputs = self.outputs(kept, side, pass)?;
        self.0.logits(&outputs, pass)
    }

    fn loss(
        &self,
        (kept, side): (&Tensor, &Tensor),
        labels: &[usize],
        config: &LossConfig,
        pass: &mut Pass,
    ) -> Result<Tensor> {
        let outputs = match config.stage {
            Stage::CrossEntropy { frozen: true } => self.outputs(kept, side, &mut Pass::Eval)?,
            _ => self.outputs(kept, side, pass)?,
        };
        self.0.loss_of(&outputs, labels, config, pass)
    }

    fn embed(&self, kept: &Tensor, side: &Tensor) -> Result<Option<Tensor>> {
        self.0.siamese.as_ref().map(|_| self.outputs(kept, side, &mut Pass::Eval)).transpose()
    }

    fn settle(&self, embeddings: &[Vec<f32>], labels: &[usize], seed: u64) -> Result<()> {
        self.0.settle(embeddings, labels, seed)
    }

    fn params(&self) -> &Params {
        self.0.params()
    }

    fn input(&self) -> Input {
        Input { height: 1, width: 1, channels: self.0.kept_length(), side: self.0.input.side }
    }
}
