//! One face for the convolutions that have kernels: dense ones and depthwise ones.

use super::backward::{Gradients, OutputGradient};
use super::conv;
use super::depthwise::{self, DepthwiseGeometry};
use super::geometry::{Geometry, Pads};
use candle_core::{Result, Shape};

/// What is fixed of a convolution besides its tensors.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    /// Step of the window, (height, width).
    pub stride: (usize, usize),
    /// Zeros around the map.
    pub pads: Pads,
    /// 1, or as many as channels.
    pub groups: usize,
}

/// A convolution whose shapes go together.
pub enum Plan {
    Dense(Geometry),
    Depthwise(DepthwiseGeometry),
}

impl Plan {
    /// For `x` `[batch, h, w, in]` and `w` `[kh, kw, in / groups, out]`.
    pub fn new(x: &[usize], w: &[usize], steps: Steps) -> Result<Self> {
        if steps.groups == 1 {
            Ok(Self::Dense(Geometry::new(x, w, steps.stride, steps.pads)?))
        } else {
            Ok(Self::Depthwise(DepthwiseGeometry::new(x, w, steps.stride, steps.pads)?))
        }
    }

    /// Channels of the output.
    pub fn output(&self) -> usize {
        match self {
            Self::Dense(g) => g.output,
            Self::Depthwise(g) => g.channels,
        }
    }

    /// `[batch, h', w', out]`.
    pub fn shape(&self) -> Shape {
        let (batch, (h, w)) = match self {
            Self::Dense(g) => (g.batch, g.out_size),
            Self::Depthwise(g) => (g.batch, g.out_size),
        };
        (batch, h, w, self.output()).into()
    }

    /// `y = x * w`; `visit` sees every finished tile with the state of its part, whose states come back in order.
    pub fn forward<S: Default + Send>(
        &self,
        x: &[f32],
        w: &[f32],
        visit: impl Fn(&mut S, &mut [f32]) + Sync,
    ) -> (Vec<f32>, Vec<S>) {
        match self {
            Self::Dense(g) => conv::forward(g, x, w, visit),
            Self::Depthwise(g) => depthwise::forward(g, x, w, visit),
        }
    }

    /// Gradients of the input and of the weights.
    pub fn backward(
        &self,
        x: &[f32],
        w: &[f32],
        gradient: &impl OutputGradient,
        want_dx: bool,
        want_dw: bool,
    ) -> Gradients {
        match self {
            Self::Dense(g) => conv::backward(g, x, w, gradient, want_dx, want_dw),
            Self::Depthwise(g) => depthwise::backward(g, x, w, gradient, want_dx, want_dw),
        }
    }
}
