//! Static int8: a folded network and its activation ranges become integers, and those an ONNX model.
//!
//! Each image channel is multiplied by its own gain and rounded to u8 (`Mul`, then `QuantizeLinear` of scale 1: both
//! exact in every runtime). Convolutions are `QLinearConv`: u8 activations, s8 weights with a scale for each output
//! channel and zero point 0, s32 bias; a ReLU is the u8 clamp at zero point 0. Average pools between convolutions are
//! dequantise, pool, quantise. After the last convolution everything is f32.
//!
//! The arithmetic is chosen so that runtimes agree to the bit, not merely nearly:
//! - With scales per output channel tract and ONNX Runtime both requantise as `round_half_even(f32(sum) * multiplier)`.
//!   With one scale per tensor tract goes over to fixed-point multiplication, which differs near ties.
//! - The multiplier `x_scale * w_scale / y_scale` is computed when the model is loaded, in f32, and tract divides by
//!   multiplying with the reciprocal. See `scales::agreeing_scale`.
//! - Means of u8 values are often exact ties. See `scales::pool_output`.

use super::calibrate::Ranges;
use super::folded::{Dense, FoldedConv, FoldedNet, GlobalPool, Sides, TrunkLayer};
use super::scales::{activation, agreeing_scale, image_gains, pool_output, smooth_scale};

/// The largest quantised bias: sums stay well inside s32, and rounding it is finer than an f32 holds.
const LARGEST_BIAS: f64 = (1 << 22) as f64;

/// A network in integers.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantisedNet {
    /// As in [`FoldedNet`].
    pub image: [usize; 3],
    /// As in [`FoldedNet`].
    pub side: usize,
    /// As in [`FoldedNet`].
    pub sides: Sides,
    /// Average pools before the first convolution, in f32.
    pub lead: Vec<(usize, usize)>,
    /// What each channel is multiplied by before it is rounded with scale 1.
    pub gain: Vec<f32>,
    /// The zero point of the rounded image.
    pub image_zero_point: u8,
    /// From the first convolution to the last.
    pub trunk: Vec<QuantisedLayer>,
    /// Average pools after the last convolution, in f32.
    pub tail: Vec<(usize, usize)>,
    /// As in [`FoldedNet`].
    pub pools: Vec<GlobalPool>,
    /// As in [`FoldedNet`]: f32.
    pub head: Vec<Dense>,
}

/// How u8 values stand for numbers: `scale * (value - zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activation {
    /// One step.
    pub scale: f32,
    /// What stands for 0.
    pub zero_point: u8,
}

/// A trunk layer in integers.
#[derive(Debug, Clone, PartialEq)]
pub enum QuantisedLayer {
    /// A convolution.
    Conv(QuantisedConv),
    /// An average pool over `input`, rounded to `output`.
    AvgPool {
        /// Window and stride.
        kernel: (usize, usize),
        /// What it reads.
        input: Activation,
        /// What it gives.
        output: Activation,
    },
}

/// A convolution in integers. Zero padding pads with `input.zero_point`.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantisedConv {
    /// Its geometry; weight and bias as they were before.
    pub float: FoldedConv,
    /// What it reads.
    pub input: Activation,
    /// `[out][input][kh][kw]`, within -127..=127.
    pub weight: Vec<i8>,
    /// `[out]`: one step of the weight.
    pub weight_scale: Vec<f32>,
    /// `[out]`, in steps of `input.scale * weight_scale`.
    pub bias: Vec<i32>,
    /// What it gives.
    pub output: Activation,
}

/// Why a network cannot be quantised.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum QuantiseError {
    /// Nothing to quantise.
    #[error("the network has no convolution to quantise; export it as f32")]
    NoConvolution,
    /// Ranges of another network.
    #[error(
        "the ranges are of {ranges:?} image channels and trunk layers, the network has {net:?}; calibrate this network"
    )]
    OtherRanges {
        /// Image channels, trunk layers.
        ranges: (usize, usize),
        /// Image channels, trunk layers.
        net: (usize, usize),
    },
    /// Weights or ranges that are not finite numbers.
    #[error("trunk layer {0} has weights or ranges that are not finite; train or calibrate again")]
    NotFinite(usize),
}

/// Quantises a network and writes it.
pub fn to_onnx(net: &FoldedNet, ranges: &Ranges) -> Result<Vec<u8>, QuantiseError> {
    quantise(net, ranges).map(|q| q.to_onnx())
}

/// Quantises a network.
pub fn quantise(net: &FoldedNet, ranges: &Ranges) -> Result<QuantisedNet, QuantiseError> {
    let (found, wanted) = ((ranges.image.len(), ranges.layers.len()), (net.image[0], net.trunk.len()));
    if found != wanted {
        return Err(QuantiseError::OtherRanges { ranges: found, net: wanted });
    }
    let is_conv = |layer: &TrunkLayer| matches!(layer, TrunkLayer::Conv(_));
    let first = net.trunk.iter().position(is_conv).ok_or(QuantiseError::NoConvolution)?;
    let last = net.trunk.iter().rposition(is_conv).ok_or(QuantiseError::NoConvolution)?;
    let (gain, image_zero_point) = image_gains(&ranges.image);
    let mut before = Activation { scale: 1.0, zero_point: image_zero_point };
    let mut trunk = Vec::with_capacity(last + 1 - first);
    for (i, layer) in net.trunk.iter().enumerate().take(last + 1).skip(first) {
        let range = &ranges.layers[i];
        let mut output = activation(range.output);
        trunk.push(match layer {
            TrunkLayer::Conv(conv) => {
                let numbers = conv.weight.iter().chain(&conv.bias).chain([&output.scale]);
                if !numbers.into_iter().all(|v| v.is_finite()) {
                    return Err(QuantiseError::NotFinite(i));
                }
                output.scale = smooth_scale(before.scale, output.scale);
                let gain = if i == first { gain.clone() } else { vec![1.0; conv.input] };
                QuantisedLayer::Conv(quantise_conv(conv, before, output, &gain, &range.mean_input))
            }
            TrunkLayer::AvgPool { kernel } => {
                output = pool_output(before, kernel.0 * kernel.1, output);
                QuantisedLayer::AvgPool { kernel: *kernel, input: before, output }
            }
        });
        before = output;
    }
    let pools = |layers: &[TrunkLayer]| {
        let kernel = |layer: &TrunkLayer| match layer {
            TrunkLayer::AvgPool { kernel } => Some(*kernel),
            TrunkLayer::Conv(_) => None,
        };
        layers.iter().filter_map(kernel).collect()
    };
    Ok(QuantisedNet {
        image: net.image,
        side: net.side,
        sides: net.sides,
        lead: pools(&net.trunk[..first]),
        gain,
        image_zero_point,
        trunk,
        tail: pools(&net.trunk[last + 1..]),
        pools: net.pools.clone(),
        head: net.head.clone(),
    })
}

fn quantise_conv(
    conv: &FoldedConv,
    input: Activation,
    output: Activation,
    gain: &[f32],
    mean_input: &[f64],
) -> QuantisedConv {
    let taps = conv.kernel.0 * conv.kernel.1;
    let input_scale = f64::from(input.scale);
    let (mut weight, mut weight_scale, mut bias) = (Vec::new(), Vec::new(), Vec::new());
    for (row, b) in conv.weight.chunks_exact(conv.input * taps).zip(&conv.bias) {
        let row: Vec<f64> =
            row.iter().enumerate().map(|(i, w)| f64::from(*w) / f64::from(gain[i / taps])).collect();
        let b = f64::from(*b);
        let largest = row.iter().fold(0.0_f64, |m, w| m.max(w.abs()));
        let scale = (largest / 127.0).max(b.abs() / input_scale / LARGEST_BIAS);
        let scale = agreeing_scale(if scale > 0.0 { scale as f32 } else { 1.0 }, input.scale, output.scale);
        let step = f64::from(scale);
        let mut shift = 0.0;
        for (i, w) in row.iter().enumerate() {
            let q = (w / step).round().clamp(-127.0, 127.0);
            shift += (q * step - w) * mean_input[i] * f64::from(gain[i / taps]);
            weight.push(q as i8);
        }
        weight_scale.push(scale);
        bias.push(((b - shift) / (input_scale * step)).round() as i32);
    }
    QuantisedConv { float: conv.clone(), input, weight, weight_scale, bias, output }
}
