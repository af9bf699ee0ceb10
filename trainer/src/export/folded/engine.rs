//! Layers of the training engine as folded ones.

use super::{Dense, FoldedConv, Norm};
use crate::nn::batch_norm::BatchNorm;
use crate::nn::conv_norm::ConvNorm;
use crate::nn::linear::Linear;
use candle_core::{DType, Error, Result, Tensor};

impl FoldedConv {
    /// Convolution, batch norm and activation, for a map of `size` (height, width).
    pub fn of(layer: &ConvNorm, size: (usize, usize)) -> Result<Self> {
        let conv = Self::new(&layer.shape, size, &values(&layer.weight)?);
        Ok(conv.normed(&(&layer.norm).try_into()?).activated(layer.norm.activation))
    }
}

impl Dense {
    /// A fully connected layer, without activation.
    pub fn of(layer: &Linear) -> Result<Self> {
        let out = layer.conv.shape.output;
        let bias = layer.conv.bias.as_ref().map_or_else(|| Ok(vec![0.0; out]), |b| values(b))?;
        Ok(Self::new(&values(&layer.conv.weight)?, &bias))
    }
}

impl TryFrom<&BatchNorm> for Norm {
    type Error = Error;
    fn try_from(norm: &BatchNorm) -> Result<Self> {
        Ok(Self {
            gamma: values(&norm.gamma)?,
            beta: values(&norm.beta)?,
            mean: values(&norm.mean)?,
            variance: values(&norm.variance)?,
            epsilon: norm.config.epsilon,
        })
    }
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
