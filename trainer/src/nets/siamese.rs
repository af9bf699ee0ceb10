//! A Siamese network (paper, section 3.3): coils are embedded so that those of one class are alike, and a coil is of the class
//! whose references it is more alike.
//!
//! The similarity of two embeddings is `sigmoid(bias - scale D)`, D their distance. Pairs cost what [`PairLoss`] says; scale
//! and bias are learned where the loss is on the similarity, and follow from the embeddings elsewhere. References are chosen
//! among the embeddings of training coils. Beside them, or in their place, a classifier over the embedding may judge.

pub mod config;
mod distance;
mod kmeans;
pub mod pairs;
pub mod references;
pub mod supervised;

pub use kmeans::kmeans;

use crate::export::folded::{Average, Distance, References};
use crate::fit::{LossConfig, Stage, cross_entropy};
use crate::nn::activation::Activation;
use crate::nn::linear::Linear;
use crate::nn::params::Builder;
use crate::nn::{Pass, seen};
use candle_core::{DType, Result, Tensor, Var};
use config::{Judge, PairLoss, SiameseConfig};
use pairs::log_sigmoid;
use references::FIRST;

/// What comes after the embedding.
#[derive(Debug)]
pub struct Siamese {
    config: SiameseConfig,
    /// `[1]`: the logarithm of the scale.
    pub scale: Var,
    /// `[1]`: the log odds of a match at distance 0.
    pub bias: Var,
    /// `[references, embedding]` of OK.
    pub ok: Var,
    /// `[references, embedding]` of NOK.
    pub nok: Var,
    /// From the embedding to what the loss on pairs sees.
    projection: Option<[Linear; 2]>,
    /// From the embedding to two logits.
    pub classifier: Option<Linear>,
}

impl Siamese {
    /// `pairs.scale`, `pairs.bias`, `references.ok`, `references.nok`, `projection.0`, `projection.1`, `classifier`.
    pub fn new(builder: &mut Builder, config: SiameseConfig) -> Result<Self> {
        let width = config.embedding;
        // Of two independent embeddings of unit variance: |a - b|^2 has the mean 2 each value, |a - b| 2 / sqrt(pi).
        let usual = match config.distance {
            Distance::Euclidean => 2.0 * width as f32,
            Distance::Cosine => 1.0,
            Distance::Manhattan => std::f32::consts::FRAC_2_SQRT_PI * width as f32,
        };
        let scale = (FIRST.1 / usual).ln();
        let (scale, bias) = if learns_similarity(&config) {
            (builder.constant("pairs.scale", 1, scale)?, builder.constant("pairs.bias", 1, FIRST.0)?)
        } else {
            (builder.buffer("pairs.scale", 1, scale)?, builder.buffer("pairs.bias", 1, FIRST.0)?)
        };
        let shape = [config.references.per_class, width];
        let ok = builder.buffer_of("references.ok", &shape, 0.0)?;
        let nok = builder.buffer_of("references.nok", &shape, 0.0)?;
        let project = |(builder, to): (&mut Builder, usize)| -> Result<[Linear; 2]> {
            let first = Linear::new(builder, "projection.0", width, width)?;
            Ok([first, Linear::new(builder, "projection.1", width, to)?])
        };
        let projection = config.projection.map(|to| project((&mut *builder, to))).transpose()?;
        let classifies = config.cross_entropy > 0.0 || config.judge == Judge::Head;
        let classifier = classifies.then(|| Linear::new(builder, "classifier", width, 2)).transpose()?;
        Ok(Self { config, scale, bias, ok, nok, projection, classifier })
    }

    /// Its settings.
    pub fn config(&self) -> SiameseConfig {
        self.config
    }

    /// Log odds of a match by distances.
    fn log_odds(&self, distances: &Tensor, pass: &Pass) -> Result<Tensor> {
        let tracked = pass.is_train() && learns_similarity(&self.config);
        let (scale, bias) = (seen(&self.scale, tracked), seen(&self.bias, tracked));
        log_odds(distances, &scale, &bias)
    }

    /// Logits of OK and NOK `[batch, 2]`: the classifier's, or logarithms of the similarity to each class' references.
    pub fn logits(&self, embeddings: &Tensor, pass: &Pass) -> Result<Tensor> {
        match (&self.classifier, self.config.judge) {
            (Some(classifier), Judge::Head) => classifier.forward(embeddings, pass),
            _ => self.similarities(embeddings, pass),
        }
    }

    fn similarities(&self, embeddings: &Tensor, pass: &Pass) -> Result<Tensor> {
        let class = |references: &Var| -> Result<Tensor> {
            let distances = self.config.distance.of_pairs(embeddings, &references.as_detached_tensor())?;
            let log_similarity = log_sigmoid(&self.log_odds(&distances, pass)?)?;
            let most = log_similarity.max_keepdim(1)?;
            if self.config.references.average == Average::Nearest {
                return Ok(most);
            }
            let sum = log_similarity.broadcast_sub(&most)?.exp()?.sum_keepdim(1)?;
            (sum.log()? + most)? - (self.config.references.per_class as f64).ln()
        };
        Tensor::cat(&[class(&self.ok)?, class(&self.nok)?], 1)
    }

    /// The loss of a batch of embeddings: on pairs, and the classifier's cross-entropy with its weight; one of them alone in
    /// either stage of a training in two.
    pub fn loss(
        &self,
        embeddings: &Tensor,
        labels: &[usize],
        config: &LossConfig,
        pass: &Pass,
    ) -> Result<Tensor> {
        let classified = |classifier: &Linear| {
            let logits = classifier.forward(embeddings, pass)?;
            cross_entropy(&logits, labels, &config.class_weights, config.label_smoothing)
        };
        match (config.stage, &self.classifier) {
            (Stage::CrossEntropy { .. }, Some(classifier)) => classified(classifier),
            (Stage::CrossEntropy { .. }, None) => {
                candle_core::bail!(
                    "the second stage trains a classifier, and there is none: judge is not `head`"
                )
            }
            (Stage::Joint, Some(classifier)) if self.config.cross_entropy > 0.0 => {
                self.pair_loss(embeddings, labels, pass)?
                    + (classified(classifier)? * self.config.cross_entropy)?
            }
            _ => self.pair_loss(embeddings, labels, pass),
        }
    }

    fn pair_loss(&self, embeddings: &Tensor, labels: &[usize], pass: &Pass) -> Result<Tensor> {
        let x = match &self.projection {
            None => embeddings.clone(),
            Some([first, last]) => {
                last.forward(&Activation::Relu.apply(&first.forward(embeddings, pass)?)?, pass)?
            }
        };
        let distance = self.config.distance;
        let distances = || distance.of_pairs(&x, &x);
        match self.config.loss {
            PairLoss::Similarity { hard } => {
                let distances = distances()?;
                let weights = pairs::weights(labels, &distances, hard)?;
                pairs::similarity(&self.log_odds(&distances, pass)?, labels, &weights)
            }
            PairLoss::Margin { margin, alike, hard } => {
                let distances = distance.plain(&distances()?)?;
                let weights = pairs::weights(labels, &distances, hard)?;
                pairs::margin(&distances, labels, &weights, margin, alike)
            }
            PairLoss::Supervised { temperature } => supervised::loss(&x, labels, temperature, 0.0),
            PairLoss::Asymmetric { temperature, eta } => supervised::loss(&x, labels, temperature, eta),
        }
    }

    /// Chooses references among embeddings of known class. A class without embeddings keeps the ones it has.
    pub fn settle(&self, embeddings: &[Vec<f32>], labels: &[usize], seed: u64) -> Result<()> {
        let (config, distance) = (self.config.references, self.config.distance);
        let put = |var: &Var, values: Vec<f32>| {
            let t = Tensor::from_vec(values, var.shape(), &candle_core::Device::Cpu)?;
            var.set(&t.to_device(var.device())?.to_dtype(var.dtype())?)
        };
        for (class, var) in [(0, &self.ok), (1, &self.nok)] {
            let of: Vec<&[f32]> =
                embeddings.iter().zip(labels).filter(|(_, l)| **l == class).map(|(e, _)| &**e).collect();
            let chosen = references::choose(&of, config, distance, seed);
            if !chosen.is_empty() {
                put(var, chosen.concat())?;
            }
        }
        if !learns_similarity(&self.config) {
            let References { ok, nok, .. } = self.references()?;
            let scale = references::steepness(embeddings, labels, [&ok, &nok], distance);
            put(&self.scale, vec![scale.ln()])?;
        }
        Ok(())
    }

    /// The references as plain numbers.
    pub fn references(&self) -> Result<References> {
        let rows = |t: &Var| t.as_detached_tensor().to_dtype(DType::F32)?.to_vec2::<f32>();
        let one = |t: &Var| t.as_detached_tensor().to_dtype(DType::F32)?.get(0)?.to_scalar::<f32>();
        Ok(References {
            ok: rows(&self.ok)?,
            nok: rows(&self.nok)?,
            distance: self.config.distance,
            average: self.config.references.average,
            scale: one(&self.scale)?.exp(),
            bias: one(&self.bias)?,
        })
    }
}

/// Whether scale and bias are learned: only a loss on the similarity of what the references are compared with moves them.
fn learns_similarity(config: &SiameseConfig) -> bool {
    matches!(config.loss, PairLoss::Similarity { .. })
}

/// `bias - exp(scale) D`.
fn log_odds(distances: &Tensor, scale: &Tensor, bias: &Tensor) -> Result<Tensor> {
    distances.broadcast_mul(&scale.exp()?.neg()?)?.broadcast_add(bias)
}

#[cfg(test)]
#[path = "siamese/tests.rs"]
mod tests;
