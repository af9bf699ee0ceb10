//! Convolution, batch norm and activation as one layer: the block that trunks are made of.
//!
//! Where there are kernels for it, it is one operation: it computes what [`conv2d`] followed by [`BatchNorm`] computes, but takes
//! statistics while a tile is in the cache, and never writes the gradient between the two to memory as a whole.

use super::activation::Activation;
use super::batch_norm::{BatchNorm, NormConfig, Statistics};
use super::conv::{ConvShape, conv2d};
use super::kernel::norm::Moments;
use super::kernel::plan::{Plan, Steps};
use super::kernel::view::{slice, tensor_like, with};
use super::params::Builder;
use super::{Pass, algebra, seen};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, Var};
use std::sync::OnceLock;

/// Convolution without bias, batch norm, activation.
#[derive(Debug, Clone)]
pub struct ConvNorm {
    /// The convolution's sizes.
    pub shape: ConvShape,
    /// `[kh, kw, in / groups, out]`.
    pub weight: Var,
    /// The normalisation and what follows it.
    pub norm: BatchNorm,
}

impl ConvNorm {
    /// `CONV.weight`, He-initialised, and `NORM.*` as in [`BatchNorm::new`].
    pub fn new(
        builder: &mut Builder,
        (conv, norm): (&str, &str),
        shape: ConvShape,
        config: NormConfig,
        activation: Activation,
    ) -> Result<Self> {
        let (dims, fan_in) = shape.weight();
        let weight = builder.he(&format!("{conv}.weight"), &dims, fan_in)?;
        let norm = BatchNorm::new(builder, norm, shape.output, config, activation)?;
        Ok(Self { shape, weight, norm })
    }

    /// `[batch, h, w, in]` to `[batch, h', w', out]`.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let tracked = pass.is_train() && self.norm.trainable;
        let weight = seen(&self.weight, tracked);
        let pads = self.shape.pads((x.dim(1)?, x.dim(2)?));
        let ConvShape { stride, groups, .. } = self.shape;
        let depthwise = groups == self.shape.input && groups == self.shape.output;
        if !(groups == 1 || depthwise) || !algebra::has_kernels(x) {
            let y = conv2d(x, &weight, None, stride, pads, groups)?;
            return self.norm.forward(&y, pass);
        }
        let affine = Tensor::cat(&[seen(&self.norm.gamma, tracked), seen(&self.norm.beta, tracked)], 0)?;
        let (statistics, moments) = self.norm.statistics(tracked)?;
        let y = x.contiguous()?.apply_op3(
            &weight,
            &affine,
            ConvNormOp {
                steps: Steps { stride, pads, groups },
                epsilon: self.norm.config.epsilon,
                act: self.norm.activation,
                keep: pass.is_train() && (tracked || x.track_op()),
                statistics,
                convolved: OnceLock::new(),
            },
        )?;
        self.norm.follow(&moments)?;
        Ok(y)
    }
}

struct ConvNormOp {
    steps: Steps,
    epsilon: f64,
    act: Activation,
    /// Whether gradients may be asked for.
    keep: bool,
    statistics: Statistics,
    /// The convolution's output, before normalisation.
    convolved: OnceLock<Vec<f32>>,
}

impl CustomOp3 for ConvNormOp {
    fn name(&self) -> &'static str {
        "conv2d-batch-norm-nhwc"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        affine: &CpuStorage,
        la: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let plan = Plan::new(lx.dims(), lw.dims(), self.steps)?;
        let channels = plan.output();
        let (x, w, affine) = (slice(x, lx)?, slice(w, lw)?, slice(affine, la)?);
        if affine.len() != 2 * channels {
            candle_core::bail!("batch norm of {} channels on {channels} channels", affine.len() / 2);
        }
        let (gamma, beta) = affine.split_at(channels);
        let shape = plan.shape();
        let mut y = None;
        if let Statistics::Batch(cell) = &self.statistics {
            let (convolved, parts) = plan.forward(x, w, |m: &mut Moments, tile| m.absorb(tile, channels));
            // The cell is this operation's own, and an operation runs forward once.
            let _ = cell.set(Moments::merged(&parts));
            y = Some(convolved);
        }
        let settled = self.statistics.settle(gamma, beta, self.epsilon, self.act)?;
        if self.keep {
            let y = y.unwrap_or_else(|| plan.forward(x, w, |(): &mut (), _| {}).0);
            let mut normalised = vec![0.0; y.len()];
            settled.apply_all(&y, &mut normalised);
            let _ = self.convolved.set(y);
            return Ok((CpuStorage::F32(normalised), shape));
        }
        let (y, _) = plan.forward(x, w, |(): &mut (), tile| settled.apply(tile));
        Ok((CpuStorage::F32(y), shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        affine: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let plan = Plan::new(x.dims(), w.dims(), self.steps)?;
        let Some(convolved) = self.convolved.get() else {
            candle_core::bail!("a block that ran for evaluation has no gradient");
        };
        let settled = with(affine, |affine| {
            let (gamma, beta) = affine.split_at(plan.output());
            self.statistics.settle(gamma, beta, self.epsilon, self.act)
        })?;
        let (want_dx, want_dw) = (x.track_op(), w.track_op());
        let (found, sums) = with(dy, |dy| {
            let sums = settled.reduce(convolved, dy);
            let gradient = settled.input_gradient(convolved, dy, &sums);
            let found = with(x, |x| with(w, |w| Ok(plan.backward(x, w, &gradient, want_dx, want_dw))))?;
            Ok((found, sums))
        })?;
        let narrow = sums.0.iter().chain(&sums.1).map(|v| *v as f32).collect();
        Ok((
            found.dx.map(|v| tensor_like(v, x)).transpose()?,
            found.dw.map(|v| tensor_like(v, w)).transpose()?,
            Some(tensor_like(narrow, affine)?),
        ))
    }
}

#[cfg(test)]
#[path = "conv_norm/tests.rs"]
mod tests;
