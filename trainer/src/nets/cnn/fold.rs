//! From a trained [`Cnn`] to plain numbers, batch norms folded into the layers beside them.

use super::{Cnn, Stage};
use crate::export::folded::{Dense, FoldedConv, FoldedNet, TrunkLayer};
use crate::nn::activation::Activation;
use crate::nn::batch_norm::BatchNorm;
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
        let mut logits = dense(&self.logits, false)?;
        if let Some(skip) = &self.skip {
            (hidden, logits) = fold_beside(&hidden, &logits, &dense(skip, false)?, self.input.side);
        }
        Ok(FoldedNet {
            image: [self.input.channels, self.input.height, self.input.width],
            side: self.input.side,
            sides: self.config.sides,
            trunk: trunk?,
            pools: self.config.features.clone(),
            head: vec![hidden, logits],
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
    let scale: Vec<f64> = gamma
        .iter()
        .zip(&variance)
        .map(|(g, v)| f64::from(*g) / (f64::from(*v) + norm.config.epsilon).sqrt())
        .collect();
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
        padding: shape.pads((1, 1)).before,
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

/// Puts a dense layer from the last `side` inputs straight to the output into the two layers it passes by:
/// for each side value v two hidden units hold max(v, 0) and max(-v, 0), whose difference is v.
fn fold_beside(hidden: &Dense, logits: &Dense, skip: &Dense, side: usize) -> (Dense, Dense) {
    let inputs = hidden.weight.len() / hidden.bias.len();
    let mut wider = hidden.clone();
    for value in 0..side {
        for sign in [1.0, -1.0] {
            let mut row = vec![0.0; inputs];
            row[inputs - side + value] = sign;
            wider.weight.extend(row);
            wider.bias.push(0.0);
        }
    }
    let outputs = logits.bias.len();
    let (old, beside) = (hidden.bias.len(), skip.weight.chunks_exact(side));
    let mut weight = Vec::with_capacity(outputs * wider.bias.len());
    for (row, skip) in logits.weight.chunks_exact(old).zip(beside) {
        weight.extend(row);
        weight.extend(skip.iter().flat_map(|w| [*w, -*w]));
    }
    let bias = logits.bias.iter().zip(&skip.bias).map(|(a, b)| a + b).collect();
    (wider, Dense { weight, bias, relu: logits.relu })
}
