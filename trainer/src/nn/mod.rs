//! Layers with right and fast gradients on candle tensors, and what they need: parameters, seeds, initial weights.
//!
//! Feature maps are `[batch, height, width, channels]` throughout. On the processor f32 runs on the kernels in [`kernel`], whose
//! reductions are split by the batch alone and summed in a fixed order: the same seed gives the same bits whatever the
//! number of threads. On other devices, and in f64, the same layers are tensor algebra ([`algebra`]).

pub mod activation;
pub(crate) mod algebra;
pub mod batch_norm;
pub mod conv;
pub mod conv_norm;
pub mod dropout;
#[cfg(test)]
pub(crate) mod gradcheck;
pub mod init;
pub(crate) mod kernel;
pub mod layer_norm;
pub mod linear;
pub mod params;
pub mod pool;
pub mod seed;

use rand_chacha::ChaCha8Rng;

/// How a forward pass runs.
pub enum Pass<'a> {
    /// Batch statistics, dropout from this generator, a graph for gradients.
    Train(&'a mut ChaCha8Rng),
    /// Running statistics, no dropout, no graph (intermediate maps are freed at once).
    Eval,
}

impl Pass<'_> {
    /// Whether gradients will be asked for.
    pub fn is_train(&self) -> bool {
        matches!(self, Self::Train(_))
    }
}

/// The parameter as a forward pass sees it: only training, and only what may train, builds a graph.
pub(crate) fn seen(var: &candle_core::Var, tracked: bool) -> candle_core::Tensor {
    if tracked { var.as_tensor().clone() } else { var.as_detached_tensor() }
}

/// Whether this processor has what the fastest kernels need.
pub fn has_avx512() -> bool {
    kernel::direct::available()
}
