//! A Siamese network's judgement (paper, section 3.3): pairs of embeddings are alike or not, and a coil is of the class
//! whose references it is more alike.
//!
//! The similarity of two embeddings is `sigmoid(bias - scale |a - b|^2)`, with a learned positive scale and a learned bias.
//! Training is binary cross-entropy on it. References are the centres that k-means finds in each class.

mod kmeans;

pub use kmeans::kmeans;

use super::config::SiameseConfig;
use crate::nn::Pass;
use crate::nn::params::Builder;
use candle_core::{Result, Tensor, Var};

/// At first, the log odds that two equal embeddings match, and what fresh embeddings' usual distance takes away.
const FIRST: (f32, f32) = (2.0, 4.0);

/// What is learned about pairs, and the references.
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
}

impl Siamese {
    /// `pairs.scale`, `pairs.bias`, `references.ok`, `references.nok`.
    pub fn new(builder: &mut Builder, config: SiameseConfig) -> Result<Self> {
        // Two independent embeddings of unit variance are 2 `embedding` apart.
        let scale = (FIRST.1 / (2 * config.embedding) as f32).ln();
        let shape = [config.references, config.embedding];
        Ok(Self {
            config,
            scale: builder.constant("pairs.scale", 1, scale)?,
            bias: builder.constant("pairs.bias", 1, FIRST.0)?,
            ok: builder.buffer_of("references.ok", &shape, 0.0)?,
            nok: builder.buffer_of("references.nok", &shape, 0.0)?,
        })
    }

    /// Its settings.
    pub fn config(&self) -> SiameseConfig {
        self.config
    }

    /// Log odds of a match of each of `a` `[n, d]` with each of `b` `[m, d]`: `[n, m]`.
    fn log_odds(&self, a: &Tensor, b: &Tensor, pass: &Pass) -> Result<Tensor> {
        let tracked = pass.is_train();
        let (scale, bias) = (crate::nn::seen(&self.scale, tracked), crate::nn::seen(&self.bias, tracked));
        pair_log_odds(a, b, &scale, &bias)
    }

    /// Log odds of NOK against OK as two logits `[batch, 2]`: logarithms of the mean similarity to each class' references.
    pub fn logits(&self, embeddings: &Tensor, pass: &Pass) -> Result<Tensor> {
        let class = |references: &Var| -> Result<Tensor> {
            let z = self.log_odds(embeddings, &references.as_detached_tensor(), pass)?;
            let log_similarity = log_sigmoid(&z)?;
            let most = log_similarity.max_keepdim(1)?;
            let sum = log_similarity.broadcast_sub(&most)?.exp()?.sum_keepdim(1)?;
            (sum.log()? + most)? - (self.config.references as f64).ln()
        };
        Tensor::cat(&[class(&self.ok)?, class(&self.nok)?], 1)
    }

    /// The loss over all pairs of a batch.
    pub fn loss(&self, embeddings: &Tensor, labels: &[usize], pass: &Pass) -> Result<Tensor> {
        pair_loss(&self.log_odds(embeddings, embeddings, pass)?, labels)
    }

    /// Takes the centres of each class' embeddings as references. A class without embeddings keeps the ones it has.
    pub fn settle(&self, embeddings: &[Vec<f32>], labels: &[usize], seed: u64) -> Result<()> {
        for (class, var) in [(0, &self.ok), (1, &self.nok)] {
            let of: Vec<&[f32]> =
                embeddings.iter().zip(labels).filter(|(_, l)| **l == class).map(|(e, _)| &**e).collect();
            let centres = kmeans(&of, self.config.references, seed);
            if !centres.is_empty() {
                let t = Tensor::from_vec(centres.concat(), var.shape(), &candle_core::Device::Cpu)?;
                var.set(&t.to_device(var.device())?.to_dtype(var.dtype())?)?;
            }
        }
        Ok(())
    }
}

/// `bias - exp(scale) |a_i - b_j|^2` for `a` `[n, d]` and `b` `[m, d]`: `[n, m]`.
pub fn pair_log_odds(a: &Tensor, b: &Tensor, scale: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let length = |t: &Tensor| t.sqr()?.sum_keepdim(1);
    let products = (a.matmul(&b.t()?.contiguous()?)? * 2.0)?;
    let distance = length(a)?.broadcast_add(&length(b)?.t()?)?.broadcast_sub(&products)?;
    distance.broadcast_mul(&scale.exp()?.neg()?)?.broadcast_add(bias)
}

/// log(sigmoid(z)), without overflow.
fn log_sigmoid(z: &Tensor) -> Result<Tensor> {
    z.minimum(0.0)? - (z.abs()?.neg()?.exp()? + 1.0)?.log()?
}

/// Binary cross-entropy of log odds `[n, n]` over the pairs above the diagonal, target 1 for two of one class. Pairs of two
/// OK, of two NOK and of one each weigh a quarter, a quarter and a half together, as the paper's pair sampling has it; a kind
/// that the batch lacks leaves its weight to the others.
pub fn pair_loss(log_odds: &Tensor, labels: &[usize]) -> Result<Tensor> {
    let n = labels.len();
    if log_odds.dims() != [n, n] || n < 2 {
        candle_core::bail!("{n} labels for pairs {:?}", log_odds.dims());
    }
    let kind = |i: usize, j: usize| labels[i] + labels[j];
    let mut counts = [0usize; 3];
    (0..n).for_each(|i| (i + 1..n).for_each(|j| counts[kind(i, j)] += 1));
    let shares = [0.25, 0.5, 0.25];
    let total: f64 = shares.iter().zip(counts).filter(|(_, count)| *count > 0).map(|(s, _)| s).sum();
    let (mut weights, mut targets) = (vec![0.0f64; n * n], vec![0.0f64; n * n]);
    for i in 0..n {
        for j in i + 1..n {
            let kind = kind(i, j);
            weights[i * n + j] = shares[kind] / total / counts[kind] as f64;
            targets[i * n + j] = if kind == 1 { 0.0 } else { 1.0 };
        }
    }
    let like = |v: Vec<f64>| Tensor::from_vec(v, (n, n), log_odds.device())?.to_dtype(log_odds.dtype());
    let (weights, targets) = (like(weights)?, like(targets)?);
    // -t log s(z) - (1 - t) log(1 - s(z)) = (1 - t) z - log s(z).
    let loss = (((1.0 - targets)? * log_odds)? - log_sigmoid(log_odds)?)?;
    (loss * weights)?.sum_all()
}

#[cfg(test)]
#[path = "siamese/tests.rs"]
mod tests;
