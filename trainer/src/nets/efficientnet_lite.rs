//! EfficientNet-Lite 0 to 4 (M. Tan, Q. Le, "EfficientNet", ICML 2019; R. Liu, "Higher accuracy on vision models with
//! EfficientNet-Lite", TensorFlow blog, 2020).
//!
//! Nine stages: stem, seven groups of inverted residuals, the last convolution. Names as in the PyTorch packages of these weights.

use super::block::{Block, InvertedResidual, InvertedShape};
use super::trunk::Stage;
use crate::nn::activation::Activation;
use crate::nn::batch_norm::NormConfig;
use crate::nn::conv::{ConvShape, Padding};
use crate::nn::conv_norm::ConvNorm;
use crate::nn::params::Builder;
use candle_core::Result;

/// The largest of the family.
pub const LARGEST: u8 = 4;
/// Channels of the stem, whatever the size.
const STEM: usize = 32;
/// Channels of the last convolution, whatever the size.
const LAST: usize = 1280;
/// The first convolution's weights.
pub const STEM_WEIGHT: &str = "_conv_stem.weight";
/// The last layer's name.
pub const LAST_LAYER: &str = "_fc";
const NORM: NormConfig = NormConfig { epsilon: 1e-3, momentum: 0.01 };

/// A group of inverted residuals: repeats, kernel, stride of the first, expansion, output channels.
const GROUPS: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

/// Multiples of width and depth.
fn multiples(size: u8) -> (f64, f64) {
    match size {
        0 => (1.0, 1.0),
        1 => (1.0, 1.1),
        2 => (1.1, 1.2),
        3 => (1.2, 1.4),
        _ => (1.4, 1.8),
    }
}

/// Scaled, to a multiple of 8 that is no more than a tenth less.
fn scaled(filters: usize, width: f64) -> usize {
    let wanted = filters as f64 * width;
    let rounded = (((wanted + 4.0) / 8.0).floor() as usize * 8).max(8);
    if (rounded as f64) < 0.9 * wanted { rounded + 8 } else { rounded }
}

/// The first `count` of the nine stages of size 0 to 4 for images of `channels`.
pub fn stages(builder: &mut Builder, size: u8, channels: usize, count: usize) -> Result<Vec<Stage>> {
    let (width, depth) = multiples(size);
    let conv = |builder: &mut Builder, (name, bn): (&str, &str), shape: ConvShape| {
        ConvNorm::new(builder, (name, bn), shape, NORM, Activation::Relu6).map(Block::Conv)
    };
    let stem =
        ConvShape { stride: (2, 2), padding: Padding::Same, ..ConvShape::same(channels, STEM, (3, 3)) };
    let mut stages = vec![Stage::of("stem", conv(builder, ("_conv_stem", "_bn0"), stem)?)];
    let (mut input, mut number) = (STEM, 0);
    for (group, (repeats, kernel, stride, expansion, output)) in
        GROUPS.into_iter().enumerate().take(count.saturating_sub(1))
    {
        let output = scaled(output, width);
        let fixed = group == 0 || group + 1 == GROUPS.len();
        let repeats = if fixed { repeats } else { (repeats as f64 * depth).ceil() as usize };
        let mut blocks = Vec::new();
        for i in 0..repeats {
            let stride = if i == 0 { stride } else { 1 };
            let shape = InvertedShape { input, output, kernel, stride, expansion };
            let block = InvertedResidual::new(builder, &format!("_blocks.{number}"), shape, NORM)?;
            blocks.push(Block::InvertedResidual(block));
            (input, number) = (output, number + 1);
        }
        stages.push(Stage { name: format!("group {}", group + 1), blocks });
    }
    if count > stages.len() {
        let last = conv(builder, ("_conv_head", "_bn1"), ConvShape::same(input, LAST, (1, 1)))?;
        stages.push(Stage::of("last convolution", last));
    }
    Ok(stages)
}
