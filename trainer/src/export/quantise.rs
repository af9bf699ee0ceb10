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
//!   multiplying with the reciprocal. See [`agreeing_scale`].
//! - Means of u8 values are often exact ties. See [`pool_output`].

use super::calibrate::{Ranges, Span};
use super::folded::{Dense, FoldedConv, FoldedNet, GlobalPool, Sides, TrunkLayer};

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

/// A gain for each channel and the zero point for all, so that every channel's range fits into u8 and as much of it
/// as can be is used (the product of the gains is greatest). A channel that is 0 in all of calibration gets the
/// least gain of the others: what it will hold is unknown, and a greater gain would make its weights coarse.
fn image_gains(image: &[Span]) -> (Vec<f32>, u8) {
    let seen = |span: &&Span| span.high > span.low;
    let gain = |span: &Span, zero: u8| {
        let below = if span.low < 0.0 { f32::from(zero) / -span.low } else { f32::INFINITY };
        let above = if span.high > 0.0 { f32::from(255 - zero) / span.high } else { f32::INFINITY };
        below.min(above)
    };
    let use_of = |zero: u8| image.iter().filter(seen).map(|s| f64::from(gain(s, zero)).ln()).sum::<f64>();
    let zero = (0..=255_u8).max_by(|a, b| use_of(*a).total_cmp(&use_of(*b))).unwrap_or(0);
    let least = image.iter().filter(seen).map(|s| gain(s, zero)).fold(f32::INFINITY, f32::min);
    let least = if least.is_finite() { least } else { 1.0 };
    (image.iter().map(|s| if seen(&s) { gain(s, zero) } else { least }).collect(), zero)
}

fn activation(span: Span) -> Activation {
    let (low, high) = (span.low.min(0.0), span.high.max(0.0));
    // A layer that is dead on every calibration coil still needs a scale.
    let scale = if high > low { (high - low) / 255.0 } else { 1.0 / 255.0 };
    Activation { scale, zero_point: (-low / scale).round().clamp(0.0, 255.0) as u8 }
}

/// The output of an average pool, with a scale at which no mean of `area` u8 values falls on half a step.
///
/// At unlucky ratios (output scale = input scale is one) a quarter of all means of four values are exact ties, and
/// runtimes that round the f32 arithmetic around them differently then disagree everywhere. A slightly wider step,
/// by at most 2 %, keeps every one of the `255 area + 1` possible sums away from ties.
fn pool_output(input: Activation, area: usize, output: Activation) -> Activation {
    let distance = |scale: f32| {
        let step = f64::from(input.scale) / f64::from(scale) / area as f64;
        let sums = 0..=255 * area;
        let off = |sum: usize| {
            let mean = (sum as f64 - f64::from(input.zero_point) * area as f64) * step;
            (mean - mean.floor() - 0.5).abs()
        };
        sums.map(off).fold(f64::INFINITY, f64::min)
    };
    let scales = (0..200_u16).map(|i| output.scale * (1.0 + f32::from(i) * 1e-4));
    let mut best = (f64::NEG_INFINITY, output.scale);
    for scale in scales {
        let far = distance(scale);
        if far > best.0 {
            best = (far, scale);
        }
    }
    Activation { scale: best.1, ..output }
}

/// The next output scale `y` whose reciprocal and whose ratio to the input scale `x` are nearly exact in f32.
/// Only then is there always an [`agreeing_scale`].
fn smooth_scale(x: f32, scale: f32) -> f32 {
    // A quarter of the greatest rounding error. Errors are spread evenly: about one number in ten will do.
    let exact = |found: f32, wanted: f64| (f64::from(found) / wanted - 1.0).abs() < 2.0_f64.powi(-26);
    let smooth = |y: &f32| {
        let ratio = f64::from(x) / f64::from(*y);
        exact(y.recip(), 1.0 / f64::from(*y)) && exact(x * y.recip(), ratio) && exact(x / y, ratio)
    };
    upwards(scale).find(smooth).unwrap_or(scale)
}

/// The next weight scale `w` at which the f32 multiplier `x w / y` is the same number in each order that runtimes
/// compute it in: ONNX Runtime divides `x w` by `y`, tract multiplies by `1 / y` and may do that with `x` first.
///
/// Where the last bit differs, one value in some hundred thousand is rounded to the other side, and on an unlucky
/// coil a maximum pool makes a visible difference of it.
fn agreeing_scale(scale: f32, x: f32, y: f32) -> f32 {
    let agrees = |w: &f32| {
        let multiplier = (x * w) / y;
        let others = [(x * w) * y.recip(), w * (x * y.recip()), w * (x / y)];
        others.iter().all(|m| *m == multiplier)
    };
    upwards(scale).find(agrees).unwrap_or(scale)
}

/// The numbers from `scale` on, about a thousandth up.
fn upwards(scale: f32) -> impl Iterator<Item = f32> {
    std::iter::successors(Some(scale), |s| Some(s.next_up())).take(8192)
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
