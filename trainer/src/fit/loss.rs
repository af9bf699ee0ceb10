//! Softmax cross-entropy with class weights and label smoothing, with its gradient written out.

use crate::nn::algebra;
use crate::nn::kernel::view::{slice, tensor_like, with};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use serde::{Deserialize, Serialize};

/// Settings of the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of each class, OK first; the loss is a mean with these weights.
    pub class_weights: [f32; 2],
    /// Share of the target spread over all classes.
    pub label_smoothing: f32,
    /// Which part of a Siamese network's loss counts; the loop sets it.
    #[serde(skip)]
    pub stage: Stage,
}

/// The stages of contrastive training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// All at once, each part with its weight.
    #[default]
    Joint,
    /// The loss on pairs alone.
    Contrastive,
    /// The classifier's cross-entropy alone.
    CrossEntropy {
        /// Whether the encoder stays as it is.
        frozen: bool,
    },
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { class_weights: [1.0, 1.0], label_smoothing: 0.0, stage: Stage::Joint }
    }
}

/// Cross-entropy of `logits` `[batch, classes]` against `labels`, a scalar. The convention is PyTorch's: with weights w
/// and smoothing s, `sum_i [(1 - s) w_yi l_i,yi + s / K sum_c w_c l_i,c] / sum_i w_yi`, with `l = -log softmax`.
pub fn cross_entropy(logits: &Tensor, labels: &[usize], weights: &[f32], smoothing: f32) -> Result<Tensor> {
    let (batch, classes) = logits.dims2()?;
    if batch != labels.len() || classes != weights.len() || labels.iter().any(|l| *l >= classes) || batch == 0
    {
        candle_core::bail!(
            "{} labels and {} class weights for logits {:?}",
            labels.len(),
            weights.len(),
            logits.dims()
        );
    }
    let total: f32 = labels.iter().map(|l| weights[*l]).sum();
    let smooth = smoothing / classes as f32;
    let targets = labels
        .iter()
        .flat_map(|&label| {
            (0..classes).map(move |c| {
                let hard = if c == label { 1.0 - smoothing } else { 0.0 };
                weights[c] * (hard + smooth) / total
            })
        })
        .collect();
    if algebra::has_kernels(logits) {
        return logits.contiguous()?.apply_op1(CrossEntropy { targets, classes });
    }
    let targets = Tensor::from_vec(targets, (batch, classes), logits.device())?.to_dtype(logits.dtype())?;
    let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(1)?)?;
    (targets * shifted.exp()?.sum_keepdim(1)?.log()?.broadcast_sub(&shifted)?)?.sum_all()
}

/// `sum target * -log softmax(logits)`; targets need not sum to one.
struct CrossEntropy {
    targets: Vec<f32>,
    classes: usize,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let rows =
            slice(logits, layout)?.chunks_exact(self.classes).zip(self.targets.chunks_exact(self.classes));
        let loss: f64 = rows
            .map(|(logits, targets)| {
                let log_sum = log_sum_exp(logits);
                logits
                    .iter()
                    .zip(targets)
                    .map(|(z, t)| f64::from(*t) * (log_sum - f64::from(*z)))
                    .sum::<f64>()
            })
            .sum();
        Ok((CpuStorage::F32(vec![loss as f32]), ().into()))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = f64::from(grad.to_scalar::<f32>()?);
        let d = with(logits, |values| {
            let rows = values.chunks_exact(self.classes).zip(self.targets.chunks_exact(self.classes));
            Ok(rows
                .flat_map(|(logits, targets)| {
                    let log_sum = log_sum_exp(logits);
                    let mass: f64 = targets.iter().map(|t| f64::from(*t)).sum();
                    logits.iter().zip(targets).map(move |(z, t)| {
                        let probability = (f64::from(*z) - log_sum).exp();
                        (grad * (mass * probability - f64::from(*t))) as f32
                    })
                })
                .collect())
        })?;
        tensor_like(d, logits).map(Some)
    }
}

/// log of the sum of exponentials, without overflow.
fn log_sum_exp(logits: &[f32]) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let most = f64::from(most);
    most + logits.iter().map(|z| (f64::from(*z) - most).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradcheck::{check64, values};
    use candle_core::Device;

    fn loss(logits: &[[f32; 2]], labels: &[usize], weights: [f32; 2], smoothing: f32) -> f32 {
        let logits =
            Tensor::from_slice(logits.as_flattened(), (logits.len(), 2), &Device::Cpu).expect("logits");
        cross_entropy(&logits, labels, &weights, smoothing).and_then(|l| l.to_scalar()).expect("loss")
    }

    #[test]
    fn agrees_with_hand_worked_numbers() {
        let near = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a} {b}");
        near(loss(&[[0.0, 0.0]], &[1], [1.0, 1.0], 0.0), std::f32::consts::LN_2);
        // Softmax 1/4, 3/4.
        let l3 = 3.0f32.ln();
        near(loss(&[[0.0, l3]], &[0], [1.0, 1.0], 0.0), 4.0f32.ln());
        // Weighted mean: (1 * ln 4 + 3 * ln 4/3) / 4.
        near(
            loss(&[[0.0, l3], [0.0, l3]], &[0, 1], [1.0, 3.0], 0.0),
            (4.0f32.ln() + 3.0 * (4.0f32 / 3.0).ln()) / 4.0,
        );
        // Smoothing 0.2: 0.9 of the right class, 0.1 of the other.
        near(loss(&[[0.0, l3]], &[0], [1.0, 1.0], 0.2), 0.9 * 4.0f32.ln() + 0.1 * (4.0f32 / 3.0).ln());
    }

    #[test]
    fn stays_finite_at_saturation() {
        assert_eq!(loss(&[[1000.0, -1000.0]], &[0], [1.0, 1.0], 0.0), 0.0);
        assert_eq!(loss(&[[1000.0, -1000.0]], &[1], [1.0, 1.0], 0.0), 2000.0);
    }

    #[test]
    fn gradients_agree_with_differences() {
        for smoothing in [0.0, 0.1] {
            check64("loss", &[&values((5, 2), 3)], |v| {
                cross_entropy(&v[0], &[0, 1, 1, 0, 1], &[1.0, 4.0], smoothing)
            });
        }
    }

    #[test]
    fn labels_that_do_not_match_are_refused() {
        let logits = values((2, 2), 0);
        assert!(cross_entropy(&logits, &[0], &[1.0, 1.0], 0.0).is_err());
        assert!(cross_entropy(&logits, &[0, 2], &[1.0, 1.0], 0.0).is_err());
        assert!(cross_entropy(&logits, &[0, 1], &[1.0], 0.0).is_err());
    }
}
