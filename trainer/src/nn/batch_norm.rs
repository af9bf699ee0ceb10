//! Batch normalisation over all axes but the last, with an optional activation in the same pass.
//!
//! Conventions are PyTorch's: running statistics move towards those of a batch by `momentum`, the running variance is
//! the unbiased one.

use super::activation::Activation;
use super::kernel::norm::{Moments, Settled};
use super::kernel::view::{slice, tensor_like, with};
use super::params::Builder;
use super::{Pass, algebra, seen};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, Var};
use std::sync::{Arc, OnceLock};

/// What is fixed of a normalisation; the default is PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormConfig {
    /// Added to the variance.
    pub epsilon: f64,
    /// How far running statistics move towards those of a batch.
    pub momentum: f64,
}

impl Default for NormConfig {
    fn default() -> Self {
        Self { epsilon: 1e-5, momentum: 0.1 }
    }
}

/// A batch normalisation layer.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    /// Learned scale, `[channels]`.
    pub gamma: Var,
    /// Learned shift, `[channels]`.
    pub beta: Var,
    /// Running mean, `[channels]`.
    pub mean: Var,
    /// Running variance, `[channels]`.
    pub variance: Var,
    /// What is fixed.
    pub config: NormConfig,
    /// What follows in the same pass.
    pub activation: Activation,
    /// A layer that is not trainable uses running statistics in training too, leaves them alone, and does not learn.
    pub trainable: bool,
}

/// Where an operation's statistics come from.
pub(super) enum Statistics {
    /// From the values that are normalised; they are left here for the running ones.
    Batch(Arc<OnceLock<Moments>>),
    /// Given mean and variance.
    Given(Vec<f32>, Vec<f32>),
}

impl Statistics {
    pub(super) fn settle(
        &self,
        gamma: &[f32],
        beta: &[f32],
        epsilon: f64,
        act: Activation,
    ) -> Result<Settled> {
        let narrow = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<_>>();
        let (mean, variance, batch) = match self {
            Self::Batch(cell) => {
                let moments =
                    cell.get().ok_or_else(|| candle_core::Error::Msg("statistics before values".into()))?;
                (&narrow(&moments.mean), &narrow(&moments.variance()), true)
            }
            Self::Given(mean, variance) => (mean, variance, false),
        };
        if gamma.len() != mean.len() || beta.len() != mean.len() {
            candle_core::bail!("batch norm of {} channels on {} channels", gamma.len(), mean.len());
        }
        Ok(Settled::new((mean, variance), (gamma, beta), epsilon, batch, act))
    }
}

impl BatchNorm {
    /// `NAME.weight` 1, `NAME.bias` 0, `NAME.running_mean` 0, `NAME.running_var` 1.
    pub fn new(
        builder: &mut Builder,
        name: &str,
        channels: usize,
        config: NormConfig,
        activation: Activation,
    ) -> Result<Self> {
        Ok(Self {
            gamma: builder.constant(&format!("{name}.weight"), channels, 1.0)?,
            beta: builder.constant(&format!("{name}.bias"), channels, 0.0)?,
            mean: builder.buffer(&format!("{name}.running_mean"), channels, 0.0)?,
            variance: builder.buffer(&format!("{name}.running_var"), channels, 1.0)?,
            config,
            activation,
            trainable: true,
        })
    }

    /// Normalises `[.., channels]`; in training moves the running statistics.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let tracked = pass.is_train() && self.trainable;
        let (gamma, beta) = (seen(&self.gamma, tracked), seen(&self.beta, tracked));
        if !algebra::has_kernels(x) {
            return self.by_algebra(x, (&gamma, &beta), tracked);
        }
        let (statistics, moments) = self.statistics(tracked)?;
        let op = BatchNormOp { statistics, epsilon: self.config.epsilon, act: self.activation };
        let y = x.contiguous()?.apply_op3(&gamma, &beta, op)?;
        self.follow(&moments)?;
        Ok(y)
    }

    fn by_algebra(&self, x: &Tensor, affine: (&Tensor, &Tensor), batch: bool) -> Result<Tensor> {
        let (mean, variance) = if batch {
            let (mean, variance) = algebra::moments(x)?;
            let rows = (x.elem_count() / mean.elem_count()) as f64;
            let unbiased = (variance.detach() * (rows / (rows - 1.0).max(1.0)))?;
            for (var, now) in [(&self.mean, &mean.detach()), (&self.variance, &unbiased)] {
                let m = self.config.momentum;
                var.set(&((var.as_detached_tensor() * (1.0 - m))? + (now * m)?)?)?;
            }
            (mean, variance)
        } else {
            (self.mean.as_detached_tensor(), self.variance.as_detached_tensor())
        };
        let y = algebra::normalise(x, (&mean, &variance), affine, self.config.epsilon)?;
        self.activation.apply(&y)
    }

    /// The statistics to use, and where a batch's own will be left.
    pub(super) fn statistics(&self, batch: bool) -> Result<(Statistics, Arc<OnceLock<Moments>>)> {
        let cell = Arc::new(OnceLock::new());
        let statistics = if batch {
            Statistics::Batch(cell.clone())
        } else {
            Statistics::Given(self.mean.to_vec1()?, self.variance.to_vec1()?)
        };
        Ok((statistics, cell))
    }

    /// Moves the running statistics towards those found, if any were.
    pub(super) fn follow(&self, moments: &OnceLock<Moments>) -> Result<()> {
        let Some(moments) = moments.get() else { return Ok(()) };
        let unbiased = moments.count / (moments.count - 1.0).max(1.0);
        let momentum = self.config.momentum;
        let mix = |var: &Var, batch: &[f64]| -> Result<()> {
            let old = var.to_vec1::<f32>()?;
            let new =
                old.iter().zip(batch).map(|(o, b)| (f64::from(*o) * (1.0 - momentum) + b * momentum) as f32);
            var.set(&Tensor::from_vec(new.collect::<Vec<_>>(), old.len(), var.device())?)
        };
        mix(&self.mean, &moments.mean)?;
        mix(&self.variance, &moments.variance().iter().map(|v| v * unbiased).collect::<Vec<_>>())
    }
}

struct BatchNormOp {
    statistics: Statistics,
    epsilon: f64,
    act: Activation,
}

impl CustomOp3 for BatchNormOp {
    fn name(&self) -> &'static str {
        "batch-norm-nhwc"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        gamma: &CpuStorage,
        lg: &Layout,
        beta: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, gamma, beta) = (slice(x, lx)?, slice(gamma, lg)?, slice(beta, lb)?);
        let channels = *lx.dims().last().unwrap_or(&0);
        if x.is_empty() || channels != gamma.len() {
            candle_core::bail!("batch norm of {} channels on {:?}", gamma.len(), lx.shape());
        }
        if let Statistics::Batch(cell) = &self.statistics {
            // The cell is this operation's own, and an operation runs forward once.
            let _ = cell.set(Moments::of(x, channels));
        }
        let mut y = vec![0.0; x.len()];
        self.statistics.settle(gamma, beta, self.epsilon, self.act)?.apply_all(x, &mut y);
        Ok((CpuStorage::F32(y), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let settled = with(gamma, |gamma| {
            with(beta, |beta| self.statistics.settle(gamma, beta, self.epsilon, self.act))
        })?;
        let (dx, sums) = with(x, |values| {
            with(dy, |dy| {
                let sums = settled.reduce(values, dy);
                let dx = x.track_op().then(|| settled.input_gradient(values, dy, &sums).all());
                Ok((dx, sums))
            })
        })?;
        let narrow = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<_>>();
        Ok((
            dx.map(|dx| tensor_like(dx, x)).transpose()?,
            Some(tensor_like(narrow(&sums.0), gamma)?),
            Some(tensor_like(narrow(&sums.1), beta)?),
        ))
    }
}

#[cfg(test)]
#[path = "batch_norm/tests.rs"]
mod tests;
