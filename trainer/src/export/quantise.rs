//! Static int8: a folded network and its activation ranges become integers, and those an ONNX model.
//!
//! Every convolution in one group is a `QLinearConv`: u8 activations, s8 weights with a scale for each output
//! channel and zero point 0, s32 bias. What it gives has a gain for each channel, that the weights take in, so that
//! every channel fills u8 ([`Form`]). A ReLU is the u8 clamp at zero point 0, a ReLU6 the clamp at both ends; for a
//! SiLU the sum is quantised and the rest is f32. A convolution in groups is computed in f32, but on whole numbers that
//! f32 adds up exactly ([`grouped`]). All else is f32 ([`QuantisedNet::kept_float`]); where a convolution reads an f32
//! map, that is rounded to u8 first, once for all that read it.
//!
//! The arithmetic is chosen so that runtimes agree to the bit, not merely nearly:
//! - With scales per output channel tract and ONNX Runtime both requantise as `round_half_even(f32(sum) * multiplier)`.
//!   With one scale per tensor tract goes over to fixed-point multiplication, which differs near ties.
//! - The multiplier `x_scale * w_scale / y_scale` is computed when the model is loaded, in f32, and tract divides by
//!   multiplying with the reciprocal. See `scales::agreeing_scale`.
//! - Maps are rounded by `Mul`, then `QuantizeLinear` of scale 1: both exact in every runtime.
//! - Means of u8 values are often exact ties. See `scales::pool_output`.

use super::calibrate::{NodeRange, Ranges};
use super::folded::{Activation, FoldedConv, FoldedNet, Op, Port};
use super::grouped::{self, GroupedConv};
use super::scales::{agreeing_scale, full_gains, gains, pool_output, smooth_scale, steps};
use std::collections::BTreeMap;

/// The largest quantised bias: sums stay well inside s32, and rounding it is finer than an f32 holds.
const LARGEST_BIAS: f64 = (1 << 22) as f64;

/// A network, part of it in integers.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantisedNet {
    /// What it was.
    pub net: FoldedNet,
    /// For each node the convolution on whole numbers that takes its place.
    pub convs: Vec<Option<Quantised>>,
    /// How the f32 maps that convolutions read become u8.
    pub roundings: BTreeMap<Port, Form>,
}

/// A convolution on whole numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Quantised {
    /// In one group, in integers.
    Linear(QuantisedConv),
    /// In several groups, in f32.
    Grouped(GroupedConv),
}

/// How u8 values stand for numbers: `scale * (value - zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// One step.
    pub scale: f32,
    /// What stands for 0.
    pub zero_point: u8,
}

/// How the u8 values of a map stand for its numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// All at one scale.
    Steps(Steps),
    /// Each channel's numbers are multiplied by its own gain, then rounded at scale 1. The weights that read it are
    /// divided by the gains.
    Gains(Gains),
}

/// See [`Form::Gains`].
#[derive(Debug, Clone, PartialEq)]
pub struct Gains {
    /// One for each channel.
    pub gain: Vec<f32>,
    /// What stands for 0 in all.
    pub zero_point: u8,
}

impl Form {
    /// The steps that a convolution reads, and the gain of each of its input channels.
    pub(super) fn read(&self, channels: usize) -> (Steps, Vec<f32>) {
        match self {
            Self::Steps(steps) => (*steps, vec![1.0; channels]),
            Self::Gains(Gains { gain, zero_point }) => {
                (Steps { scale: 1.0, zero_point: *zero_point }, gain.clone())
            }
        }
    }
}

/// A convolution in integers. Zero padding pads with `input.zero_point`.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantisedConv {
    /// What it reads.
    pub input: Steps,
    /// `[out][input][kh][kw]`, within -127..=127.
    pub weight: Vec<i8>,
    /// `[out]`: one step of the weight.
    pub weight_scale: Vec<f32>,
    /// `[out]`, in steps of `input.scale * weight_scale`.
    pub bias: Vec<i32>,
    /// What it gives: the layer's output, or what a SiLU is applied to.
    pub output: Form,
}

/// Why a network cannot be quantised.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum QuantiseError {
    /// Nothing to quantise.
    #[error("the network has no convolution to quantise; export it as f32")]
    NoConvolution,
    /// Ranges of another network.
    #[error(
        "the ranges are of {ranges:?} image channels and nodes, the network has {net:?}; calibrate this network"
    )]
    OtherRanges {
        /// Image channels, nodes.
        ranges: (usize, usize),
        /// Image channels, nodes.
        net: (usize, usize),
    },
    /// Weights or ranges that are not finite numbers.
    #[error("{0} has weights or ranges that are not finite; train or calibrate again")]
    NotFinite(String),
}

/// Quantises a network and writes it.
pub fn to_onnx(net: &FoldedNet, ranges: &Ranges) -> Result<Vec<u8>, QuantiseError> {
    quantise(net, ranges).map(|q| q.to_onnx())
}

/// Quantises a network.
pub fn quantise(net: &FoldedNet, ranges: &Ranges) -> Result<QuantisedNet, QuantiseError> {
    let (found, wanted) = ((ranges.image.len(), ranges.nodes.len()), (net.image[0], net.nodes.len()));
    if found != wanted {
        return Err(QuantiseError::OtherRanges { ranges: found, net: wanted });
    }
    let mut quantised = QuantisedNet { net: net.clone(), convs: Vec::new(), roundings: BTreeMap::new() };
    for (node, range) in net.nodes.iter().zip(&ranges.nodes) {
        let conv = match (&node.op, range) {
            (Op::Conv(conv), Some(range)) if conv.groups == 1 || conv.activation != Activation::Silu => {
                let spans = range.before.iter().flat_map(|span| [&span.low, &span.high]);
                if !conv.weight.iter().chain(&conv.bias).chain(spans).all(|v| v.is_finite()) {
                    return Err(QuantiseError::NotFinite(node.name.clone()));
                }
                let (input, gain) = quantised.read(node.inputs[0], ranges).read(conv.input);
                let fits = range.channels.len() == conv.out && gain.len() == conv.input;
                if !fits || conv.groups == 1 && range.mean_input.len() * conv.out != conv.weight.len() {
                    return Err(QuantiseError::OtherRanges { ranges: found, net: wanted });
                }
                Some(if conv.groups > 1 {
                    Quantised::Grouped(grouped::quantise(conv, input, &gain, gains(&range.channels)))
                } else {
                    let form = quantised.output(conv, range, input);
                    Quantised::Linear(quantise_conv(conv, input, form, &gain, &range.mean_input))
                })
            }
            _ => None,
        };
        quantised.convs.push(conv);
    }
    if quantised.convs.iter().all(Option::is_none) {
        return Err(QuantiseError::NoConvolution);
    }
    Ok(quantised)
}

impl QuantisedNet {
    /// The form of the u8 values that a node gives of itself, if it does.
    pub(super) fn given(&self, port: Port) -> Option<Form> {
        let Port::Node(at) = port else { return None };
        let Op::Conv(float) = &self.net.nodes[at].op else { return None };
        match self.convs.get(at)?.as_ref()? {
            Quantised::Linear(conv) => (float.activation != Activation::Silu).then(|| conv.output.clone()),
            Quantised::Grouped(conv) => Some(Form::Gains(conv.output.clone())),
        }
    }

    /// The form of what a convolution in one group gives, the next of the network.
    fn output(&self, conv: &FoldedConv, range: &NodeRange, input: Steps) -> Form {
        let port = Port::Node(self.convs.len());
        let pool = |op: &Op| matches!(op, Op::AvgPool { .. } | Op::MaxPool { .. });
        if conv.activation == Activation::Silu {
            return Form::Gains(full_gains(&range.before));
        }
        if self.net.nodes.iter().any(|n| n.inputs.contains(&port) && pool(&n.op)) {
            // The means of a pool must not fall on half a step, whatever the channel.
            let mut output = steps(range.output());
            output.scale = smooth_scale(input.scale, output.scale);
            return Form::Steps(output);
        }
        Form::Gains(gains(&range.channels))
    }

    /// How a convolution finds the map that it reads; decides it at the first reading.
    fn read(&mut self, port: Port, ranges: &Ranges) -> Form {
        let known = self.given(port).or_else(|| self.roundings.get(&port).cloned());
        known.unwrap_or_else(|| {
            let channels = match port {
                Port::Node(at) => ranges.nodes[at].as_ref().map_or(&[][..], |n| &n.channels),
                Port::Image | Port::Side => &ranges.image,
            };
            let form = self.pooled(port, ranges).unwrap_or_else(|| Form::Gains(gains(channels)));
            self.roundings.insert(port, form.clone());
            form
        })
    }

    /// The form of a pool of u8 values, where that is special.
    fn pooled(&self, port: Port, ranges: &Ranges) -> Option<Form> {
        let Port::Node(at) = port else { return None };
        let node = &self.net.nodes[at];
        let from = self.given(node.inputs[0])?;
        let range = ranges.nodes[at].as_ref().map(NodeRange::output)?;
        match (&node.op, from) {
            (Op::AvgPool { kernel, .. }, Form::Steps(from)) => {
                Some(Form::Steps(pool_output(from, kernel.0 * kernel.1, steps(range))))
            }
            // The same numbers again.
            (Op::MaxPool { .. }, from @ Form::Steps(_)) => Some(from),
            _ => None,
        }
    }
}

fn quantise_conv(
    conv: &FoldedConv,
    input: Steps,
    output: Form,
    gain: &[f32],
    mean_input: &[f64],
) -> QuantisedConv {
    let taps = conv.kernel.0 * conv.kernel.1;
    let input_scale = f64::from(input.scale);
    let (to, gained) = output.read(conv.out);
    let (mut weight, mut weight_scale, mut bias) = (Vec::new(), Vec::new(), Vec::new());
    let rows = conv.weight.chunks_exact(conv.input * taps);
    for (row, (b, gained)) in rows.zip(conv.bias.iter().zip(&gained)) {
        let gained = f64::from(*gained);
        let row: Vec<f64> =
            row.iter().enumerate().map(|(i, w)| f64::from(*w) * gained / f64::from(gain[i / taps])).collect();
        let b = f64::from(*b) * gained;
        let largest = row.iter().fold(0.0_f64, |m, w| m.max(w.abs()));
        let scale = (largest / 127.0).max(b.abs() / input_scale / LARGEST_BIAS);
        let scale = agreeing_scale(if scale > 0.0 { scale as f32 } else { 1.0 }, input.scale, to.scale);
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
    QuantisedConv { input, weight, weight_scale, bias, output }
}
