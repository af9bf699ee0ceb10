//! The encoder of the second paper (one-shot recognition of steel surface defects with a Siamese network, section 3):
//! three convolutions of 4, 8 and 8 maps, dense layers of 500, 500 and 5.

use super::block::Block;
use super::head::{Head, Plan};
use super::trunk::Stage;
use crate::nn::activation::Activation;
use crate::nn::conv::{Conv2d, ConvShape};
use crate::nn::params::Builder;
use candle_core::Result;

/// Maps of each convolution.
const FILTERS: [usize; 3] = [4, 8, 8];
/// Units of the hidden dense layers.
const UNITS: [usize; 2] = [500, 500];
/// Values of the embedding.
pub const EMBEDDING: usize = 5;
/// The last layer's name.
pub const LAST_LAYER: &str = "dense.2";

/// Three 3x3 convolutions of stride 1 that keep the size of the map, each followed by a ReLU.
pub fn stages(builder: &mut Builder, channels: usize) -> Result<Vec<Stage>> {
    let mut stages = Vec::new();
    let mut input = channels;
    for (i, filters) in FILTERS.into_iter().enumerate() {
        let name = format!("conv.{i}");
        let conv = Conv2d::new(builder, &name, ConvShape::same(input, filters, (3, 3)), true)?;
        stages.push(Stage::of(name, Block::Biased(conv, Activation::Relu)));
        input = filters;
    }
    Ok(stages)
}

/// The dense layers, on the whole last map in the order [height, width, channels].
pub fn head(builder: &mut Builder, plan: Plan) -> Result<Head> {
    Head::dense(builder, "dense", &UNITS, plan)
}
