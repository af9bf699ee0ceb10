//! The classifiers of the YOLOv8 family (paper, section 3.2 and Table 1), written from their published description.
//!
//! Ten stages, `model.0` to `model.9`. Their publisher's weights and code are AGPL-3.0 and are not part of this project.

use super::block::{Block, C2f};
use super::trunk::Stage;
use crate::nn::activation::Activation;
use crate::nn::batch_norm::NormConfig;
use crate::nn::conv::ConvShape;
use crate::nn::conv_norm::ConvNorm;
use crate::nn::params::Builder;
use candle_core::Result;
use serde::{Deserialize, Serialize};

/// A size of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Nano: 2.7 million parameters with 1,000 classes.
    N,
    /// Small: 6.4 million.
    S,
    /// Medium: 17.1 million.
    M,
    /// Large: 37.5 million.
    L,
    /// Extra large: 57.4 million.
    X,
}

impl Scale {
    /// Its letter.
    pub fn letter(self) -> char {
        match self {
            Self::N => 'n',
            Self::S => 's',
            Self::M => 'm',
            Self::L => 'l',
            Self::X => 'x',
        }
    }

    /// Multiples of depth and width.
    fn multiples(self) -> (f64, f64) {
        match self {
            Self::N => (0.33, 0.25),
            Self::S => (0.33, 0.5),
            Self::M => (0.67, 0.75),
            Self::L => (1.0, 1.0),
            Self::X => (1.0, 1.25),
        }
    }
}

/// Channels of each stage before scaling, and repeats of a C2f; a stage without is a convolution of stride 2.
const STAGES: [(usize, Option<usize>); 9] = [
    (64, None),
    (128, None),
    (128, Some(3)),
    (256, None),
    (256, Some(6)),
    (512, None),
    (512, Some(6)),
    (1024, None),
    (1024, Some(3)),
];
/// Channels of the last convolution, before pooling.
const LAST: usize = 1280;
/// The first convolution's weights.
pub const STEM: &str = "model.0.conv.weight";
/// The last layer's name.
pub const LAST_LAYER: &str = "model.9.linear";

/// The first `count` of the ten stages for images of `channels`; the tenth is the classifier's convolution.
pub fn stages(builder: &mut Builder, scale: Scale, channels: usize, count: usize) -> Result<Vec<Stage>> {
    let (depth, width) = scale.multiples();
    // PyTorch's defaults, as genuine classification checkpoints record them.
    let norm = NormConfig::default();
    let conv = |builder: &mut Builder, name: String, shape: ConvShape| {
        let names = (&*format!("{name}.conv"), &*format!("{name}.bn"));
        ConvNorm::new(builder, names, shape, norm, Activation::Silu).map(Block::Conv)
    };
    let mut stages = Vec::new();
    let mut input = channels;
    for (i, (channels, repeats)) in STAGES.into_iter().enumerate().take(count) {
        let output = (channels as f64 * width / 8.0).ceil() as usize * 8;
        let name = format!("model.{i}");
        let block = match repeats {
            None => {
                let shape = ConvShape { stride: (2, 2), ..ConvShape::same(input, output, (3, 3)) };
                conv(builder, name.clone(), shape)?
            }
            Some(repeats) => {
                let repeats = ((repeats as f64 * depth).round() as usize).max(1);
                Block::C2f(C2f::new(builder, &name, (input, output), repeats, norm)?)
            }
        };
        stages.push(Stage::of(name, block));
        input = output;
    }
    if count > stages.len() {
        let last = conv(builder, "model.9.conv".into(), ConvShape::same(input, LAST, (1, 1)))?;
        stages.push(Stage::of("model.9", last));
    }
    Ok(stages)
}
