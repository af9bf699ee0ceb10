//! The networks: stages of blocks ([`trunk`], [`block`]), a head over them ([`head`]), and for a Siamese network what judges
//! embeddings ([`siamese`]). [`config::BackboneConfig`] names the architectures.

pub mod block;
pub mod cnn;
pub mod config;
pub mod efficientnet_lite;
mod error;
mod fold;
pub mod head;
pub mod network;
pub mod siamese;
pub mod surface;
pub mod trunk;
pub mod yolov8_cls;

#[cfg(test)]
mod tests;

pub use error::NetworkError;
pub use network::{CLASSES, Kept, Network};

use crate::fit::LossConfig;
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

/// What is trained: class 0 = OK, class 1 = NOK.
pub trait Model: Send + Sync {
    /// `image` `[batch, height, width, channels]`, `side` `[batch, side]` (ignored when its length is 0); gives logits `[batch, 2]`.
    fn forward(&self, image: &Tensor, side: &Tensor, pass: &mut Pass) -> Result<Tensor>;

    /// What training makes small, for items of known class; a scalar.
    fn loss(
        &self,
        input: (&Tensor, &Tensor),
        labels: &[usize],
        config: &LossConfig,
        pass: &mut Pass,
    ) -> Result<Tensor>;

    /// Embeddings `[batch, embedding]`, if its logits come from references that [`Model::settle`] must choose.
    fn embed(&self, image: &Tensor, side: &Tensor) -> Result<Option<Tensor>>;

    /// Chooses references from the embeddings of items of known class.
    fn settle(&self, embeddings: &[Vec<f32>], labels: &[usize], seed: u64) -> Result<()>;

    /// Its parameters and buffers.
    fn params(&self) -> &Params;

    /// The shapes it was built for.
    fn input(&self) -> Input;

    /// How many classes labels may name: coils have two.
    fn classes(&self) -> usize {
        CLASSES
    }
}
