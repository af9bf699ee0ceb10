//! The network's opinion of all items of a source.

use super::{Batch, FitError, Source, cross_entropy};
use crate::nets::Model;
use crate::nn::Pass;
use candle_core::{Device, Tensor};

/// Items per forward pass; any number gives the same logits.
const BATCH: usize = 64;

/// Logits and labels of a whole source, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// Logits of OK and NOK.
    pub logits: Vec<[f32; 2]>,
    /// Classes.
    pub labels: Vec<usize>,
}

impl Validation {
    /// Probability of NOK of each item.
    pub fn scores(&self) -> Vec<f64> {
        self.logits.iter().map(|[ok, nok]| 1.0 / (1.0 + (f64::from(*ok) - f64::from(*nok)).exp())).collect()
    }

    /// Mean cross-entropy, unweighted.
    pub fn loss(&self) -> Result<f64, FitError> {
        let logits = Tensor::from_slice(self.logits.as_flattened(), (self.logits.len(), 2), &Device::Cpu)?;
        Ok(f64::from(cross_entropy(&logits, &self.labels, &[1.0, 1.0], 0.0)?.to_scalar::<f32>()?))
    }
}

/// Evaluates all items of `source` with the network's present weights; items are drawn as of epoch 0.
pub fn predict(model: &dyn Model, source: &dyn Source, seed: u64) -> Result<Validation, FitError> {
    let items: Vec<usize> = (0..source.len()).collect();
    let mut logits = Vec::with_capacity(items.len());
    for (k, chunk) in items.chunks(BATCH).enumerate() {
        let batch =
            Batch::draw(source, chunk, model.input(), (seed, 0, k * BATCH))?.at(model.params().place())?;
        let found = model.forward(&batch.image, &batch.side, &mut Pass::Eval)?.to_vec2::<f32>()?;
        logits.extend(found.iter().map(|row| [row[0], row[1]]));
    }
    Ok(Validation { logits, labels: items.iter().map(|i| source.label(*i)).collect() })
}

/// Most items of each class that references are chosen from.
const SETTLED: usize = 512;

/// The items that references are chosen from: the first of each class.
pub fn settled_items(source: &dyn Source) -> Vec<usize> {
    let of = |class| (0..source.len()).filter(move |i| source.label(*i) == class).take(SETTLED);
    of(0).chain(of(1)).collect()
}

/// Embeddings of items, drawn as of epoch 0; nothing of a network that has none.
pub fn embeddings(
    model: &dyn Model,
    source: &dyn Source,
    items: &[usize],
    seed: u64,
) -> Result<Option<Vec<Vec<f32>>>, FitError> {
    let mut embeddings = Vec::with_capacity(items.len());
    for (k, chunk) in items.chunks(BATCH).enumerate() {
        let batch =
            Batch::draw(source, chunk, model.input(), (seed, 0, k * BATCH))?.at(model.params().place())?;
        let Some(found) = model.embed(&batch.image, &batch.side)? else { return Ok(None) };
        embeddings.extend(found.to_dtype(candle_core::DType::F32)?.to_vec2::<f32>()?);
    }
    Ok(Some(embeddings))
}

/// Lets a network that judges by references choose them from the items that it was trained on, drawn as of epoch 0.
pub fn settle(model: &dyn Model, source: &dyn Source, seed: u64) -> Result<(), FitError> {
    let items = settled_items(source);
    let Some(embeddings) = embeddings(model, source, &items, seed)? else { return Ok(()) };
    let labels: Vec<usize> = items.iter().map(|i| source.label(*i)).collect();
    Ok(model.settle(&embeddings, &labels, seed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_probabilities_of_nok() {
        let v = Validation {
            logits: vec![[0.0, 0.0], [0.0, 3.0f32.ln()], [1000.0, -1000.0]],
            labels: vec![0, 1, 0],
        };
        let scores = v.scores();
        assert!((scores[0] - 0.5).abs() < 1e-9 && (scores[1] - 0.75).abs() < 1e-6 && scores[2] == 0.0);
        let loss = (std::f64::consts::LN_2 + (4.0f64 / 3.0).ln()) / 3.0;
        assert!((v.loss().expect("loss") - loss).abs() < 1e-6);
    }
}
