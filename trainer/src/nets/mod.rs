//! The networks.

pub mod cnn;

use crate::nn::Pass;
use crate::nn::params::Params;
use candle_core::{Result, Tensor};

/// What a network is given: an image and a vector of order data beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Rows of the image (chunks along the strip).
    pub height: usize,
    /// Columns of the image (both sides of the strip beside each other).
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
    /// Length of the side vector; may be 0.
    pub side: usize,
}

/// A classifier of coils: two logits, class 0 = OK, class 1 = NOK.
pub trait Model: Send + Sync {
    /// `image` `[batch, height, width, channels]`, `side` `[batch, side]` (ignored when its length is 0); gives `[batch, 2]`.
    fn forward(&self, image: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor>;

    /// Its parameters and buffers.
    fn params(&self) -> &Params;

    /// The shapes it was built for.
    fn input(&self) -> Input;
}
