//! From a trained [`Cnn`] to plain numbers, batch norms folded into the layers beside them.

use super::{Cnn, Stage};
use crate::export::folded::{Dense, FoldedConv, FoldedNet, TrunkLayer};
use crate::nn::activation::Activation;
use crate::nn::batch_norm::{BatchNorm, EPSILON};
use crate::nn::conv_norm::ConvNorm;
use crate::nn::linear::Linear;
use candle_core::{Result, Var};

impl Cnn {
    /// The network as it evaluates (running statistics, no dropout).
    pub fn fold(&self) -> Result<FoldedNet> {
        let trunk: Result<Vec<_>> = self
            .trunk
            .iter()
            .map(|stage| match stage {
                Stage::Conv(conv) => Ok(TrunkLayer::Conv(fold_conv(conv)?)),
                Stage::Pool(kernel) => Ok(TrunkLayer::AvgPool { kernel: *kernel }),
            })
            .collect();
        let mut hidden = dense(&self.hidden, true)?;
        if let Some(norm) = &self.feature_norm {
            fold_before(norm, &mut hidden)?;
        }
        Ok(FoldedNet {
            image: [self.input.channels, self.input.height, self.input.width],
            side: self.input.side,
            sides: self.config.sides,
            trunk: trunk?,
            pools: self.config.features.clone(),
            head: vec![hidden, dense(&self.logits, false)?],
        })
    }
}

fn values(var: &Var) -> Result<Vec<f32>> {
    var.flatten_all()?.to_vec1()
}

/// Scale and shift of each channel.
fn affine(norm: &BatchNorm) -> Result<(Vec<f64>, Vec<f64>)> {
    let (gamma, beta) = (values(&norm.gamma)?, values(&norm.beta)?);
    let (mean, variance) = (values(&norm.mean)?, values(&norm.variance)?);
    let scale: Vec<f64> =
        gamma.iter().zip(&variance).map(|(g, v)| f64::from(*g) / (f64::from(*v) + EPSILON).sqrt()).collect();
    let shift = (0..beta.len()).map(|c| f64::from(beta[c]) - f64::from(mean[c]) * scale[c]).collect();
    Ok((scale, shift))
}

fn fold_conv(conv: &ConvNorm) -> Result<FoldedConv> {
    let (scale, shift) = affine(&conv.norm)?;
    let ours = values(&conv.weight)?;
    let shape = conv.shape;
    let (kh, kw) = shape.kernel;
    let mut weight = Vec::with_capacity(ours.len());
    for o in 0..shape.output {
        for c in 0..shape.input {
            for tap in 0..kh * kw {
                let w = ours[(tap * shape.input + c) * shape.output + o];
                weight.push((f64::from(w) * scale[o]) as f32);
            }
        }
    }
    Ok(FoldedConv {
        weight,
        bias: shift.iter().map(|v| *v as f32).collect(),
        out: shape.output,
        input: shape.input,
        kernel: shape.kernel,
        stride: shape.stride,
        padding: shape.padding,
        relu: conv.norm.activation == Activation::Relu,
    })
}

fn dense(layer: &Linear, relu: bool) -> Result<Dense> {
    let ours = values(&layer.conv.weight)?;
    let out = layer.conv.shape.output;
    let weight = (0..out).flat_map(|o| ours.iter().skip(o).step_by(out).copied()).collect();
    let bias = layer.conv.bias.as_ref().map_or_else(|| Ok(vec![0.0; out]), values)?;
    Ok(Dense { weight, bias, relu })
}

/// Folds a norm of the first inputs of a dense layer into that layer.
fn fold_before(norm: &BatchNorm, dense: &mut Dense) -> Result<()> {
    let (scale, shift) = affine(norm)?;
    let inputs = dense.weight.len() / dense.bias.len();
    for (row, bias) in dense.weight.chunks_exact_mut(inputs).zip(&mut dense.bias) {
        let moved: f64 = row.iter().zip(&shift).map(|(w, s)| f64::from(*w) * s).sum();
        *bias = (f64::from(*bias) + moved) as f32;
        row.iter_mut().zip(&scale).for_each(|(w, s)| *w = (f64::from(*w) * s) as f32);
    }
    Ok(())
}
