//! What stages are made of.

mod c2f;
mod inverted_residual;

pub use c2f::C2f;
pub use inverted_residual::{InvertedResidual, InvertedShape};

use crate::nn::Pass;
use crate::nn::activation::Activation;
use crate::nn::conv::{Conv2d, ConvShape, Pads};
use crate::nn::conv_norm::ConvNorm;
use crate::nn::layer_norm::LayerNorm;
use crate::nn::pool::avg_pool;
use candle_core::{Result, Tensor, Var};

/// Height, width and channels of a map.
pub type Size = [usize; 3];

/// A piece of a stage: a map in, a map out.
#[derive(Debug)]
pub enum Block {
    /// Convolution, batch norm, activation.
    Conv(ConvNorm),
    /// Convolution with a bias, activation.
    Biased(Conv2d, Activation),
    /// Convolution, layer norm over the channels of each place, activation. To compare with batch norm; it is not exported.
    Layered(Conv2d, LayerNorm, Activation),
    /// Average pool with stride = kernel; incomplete windows are dropped.
    AvgPool((usize, usize)),
    /// YOLOv8's.
    C2f(C2f),
    /// EfficientNet's.
    InvertedResidual(InvertedResidual),
}

impl Block {
    /// `[batch, height, width, channels]` to the same.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        match self {
            Self::Conv(conv) => conv.forward(x, pass),
            Self::Biased(conv, activation) => activation.apply(&conv.forward(x, pass)?),
            Self::Layered(conv, norm, activation) => {
                activation.apply(&norm.forward(&conv.forward(x, pass)?, pass)?)
            }
            Self::AvgPool(kernel) => avg_pool(x, *kernel, *kernel, Pads::NONE),
            Self::C2f(block) => block.forward(x, pass),
            Self::InvertedResidual(block) => block.forward(x, pass),
        }
    }

    /// Stops learning; batch norms keep to their running statistics.
    pub fn freeze(&mut self) {
        match self {
            Self::Biased(conv, _) => conv.trainable = false,
            Self::Layered(conv, norm, _) => (conv.trainable, norm.trainable) = (false, false),
            _ => {}
        }
        self.convs_mut().into_iter().for_each(|conv| conv.norm.trainable = false);
    }

    /// The convolutions that halve height and width, in order.
    pub fn halving_convs(&mut self) -> impl Iterator<Item = &mut ConvShape> {
        self.convs_mut().into_iter().map(|conv| &mut conv.shape).filter(|shape| shape.stride == (2, 2))
    }

    fn convs_mut(&mut self) -> Vec<&mut ConvNorm> {
        match self {
            Self::Conv(conv) => vec![conv],
            Self::Biased(..) | Self::Layered(..) | Self::AvgPool(_) => Vec::new(),
            Self::C2f(block) => block.convs_mut().collect(),
            Self::InvertedResidual(block) => block.convs_mut().collect(),
        }
    }

    fn convs(&self) -> Vec<&ConvNorm> {
        match self {
            Self::Conv(conv) => vec![conv],
            Self::Biased(..) | Self::Layered(..) | Self::AvgPool(_) => Vec::new(),
            Self::C2f(block) => block.convs().collect(),
            Self::InvertedResidual(block) => block.convs().collect(),
        }
    }

    /// Its parameters and buffers.
    pub fn vars<'a>(&'a self) -> Vec<&'a Var> {
        if let Self::Biased(conv, _) = self {
            return std::iter::once(&conv.weight).chain(&conv.bias).collect();
        }
        if let Self::Layered(conv, norm, _) = self {
            return vec![&conv.weight, &norm.gamma, &norm.beta];
        }
        let of = |conv: &'a ConvNorm| {
            let norm = &conv.norm;
            [&conv.weight, &norm.gamma, &norm.beta, &norm.mean, &norm.variance]
        };
        self.convs().into_iter().flat_map(of).collect()
    }

    /// The size of the map that it gives; `None` if nothing would be left.
    pub fn size(&self, from: Size) -> Option<Size> {
        match self {
            Self::Conv(conv) => convolved(&conv.shape, from),
            Self::Biased(conv, _) | Self::Layered(conv, ..) => convolved(&conv.shape, from),
            Self::AvgPool((kh, kw)) => {
                let size = [from[0] / kh, from[1] / kw, from[2]];
                (!size.contains(&0)).then_some(size)
            }
            Self::C2f(block) => Some([from[0], from[1], block.output()]),
            Self::InvertedResidual(block) => block.size(from),
        }
    }
}

/// The size of the map that a convolution gives.
fn convolved(shape: &ConvShape, [height, width, _]: Size) -> Option<Size> {
    let padded = shape.pads((height, width)).around((height, width));
    let out = |padded: usize, kernel: usize, stride: usize| Some(padded.checked_sub(kernel)? / stride + 1);
    let height = out(padded.0, shape.kernel.0, shape.stride.0)?;
    Some([height, out(padded.1, shape.kernel.1, shape.stride.1)?, shape.output])
}
