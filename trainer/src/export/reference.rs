//! A quantised network in plain arithmetic: what the int8 export must compute, value by value.
//!
//! Sums are exact. A convolution requantises as ONNX Runtime's `QLinearConv` does, `round_half_even(f32(sum) *
//! ((x_scale * w_scale) / y_scale)) + zero point`, clamped; one in groups divides its sum by a power of two. What stays f32 is computed as by
//! [`FoldedNet::forward`](super::folded::FoldedNet::forward). [`Layer::near_ties`] counts the values so near half a
//! step that a runtime may rightly round them to the other side.

use super::folded::{Activation, FoldedConv, Op, Port, Shape, Value, activated, windows};
use super::grouped::GroupedConv;
use super::quantise::{Form, Gains, Quantised, QuantisedConv, QuantisedNet, Steps};
use std::collections::BTreeMap;

/// How near to half a step counts as a tie: more than f32 arithmetic on values up to 255 can be off.
const TIE: f64 = 5e-5;

/// One evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Every value in u8, in the order of computation.
    pub layers: Vec<Layer>,
    /// The logits.
    pub logits: Vec<f32>,
}

/// A value in u8.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// What it is called in the model.
    pub name: String,
    /// As the model lays it out.
    pub values: Vec<u8>,
    /// Values that lie on half a step or next to it.
    pub near_ties: usize,
}

impl QuantisedNet {
    /// Evaluates an image and its side vector.
    ///
    /// # Panics
    /// If a length does not match the network's own description.
    pub fn trace(&self, image: &[f32], side: &[f32]) -> Trace {
        let shapes = self.net.shapes();
        let given = |port, data| (port, Value { shape: self.net.shape(port, &shapes), data });
        let given = [given(Port::Image, self.net.strip(image)), given(Port::Side, side.to_vec())];
        let mut run = Run { q: self, floats: given.into(), layers: Vec::new() };
        for (i, (node, shape)) in self.net.nodes.iter().zip(&shapes).enumerate() {
            let port = Port::Node(i);
            let data = if let (Op::Conv(float), Some(conv)) = (&node.op, &self.convs[i]) {
                match conv {
                    Quantised::Linear(conv) => run.conv(port, node.inputs[0], float, conv, *shape),
                    Quantised::Grouped(conv) => run.grouped(port, node.inputs[0], float, conv, *shape),
                }
            } else {
                let inputs: Vec<&Value> = node.inputs.iter().map(|p| &run.floats[p]).collect();
                node.op.apply(&inputs, *shape)
            };
            run.floats.insert(port, Value { shape: *shape, data });
        }
        let last = Port::Node(shapes.len() - 1);
        Trace { logits: run.floats[&last].data.clone(), layers: run.layers }
    }
}

struct Run<'a> {
    q: &'a QuantisedNet,
    floats: BTreeMap<Port, Value>,
    layers: Vec<Layer>,
}

impl Run<'_> {
    /// The u8 form of a value, rounded now if nothing has read it before.
    fn bytes(&mut self, port: Port) -> &[u8] {
        let name = self.q.u8_name(port);
        let found = self.layers.iter().position(|l| l.name == name);
        let at = found.unwrap_or_else(|| {
            let layer = round(name, &self.floats[&port], &self.q.roundings[&port]);
            self.layers.push(layer);
            self.layers.len() - 1
        });
        &self.layers[at].values
    }

    /// The f32 form of a convolution's output.
    fn conv(
        &mut self,
        port: Port,
        from: Port,
        float: &FoldedConv,
        conv: &QuantisedConv,
        out: Shape,
    ) -> Vec<f32> {
        let size = self.floats[&from].map();
        let (values, near_ties) = convolve(float, conv, self.bytes(from), size);
        assert_eq!(values.len(), out.count());
        let (steps, gain) = conv.output.read(float.out);
        let area = out.dims.count() / float.out;
        let real = |(i, q): (usize, &u8)| {
            let x = (f32::from(*q) - f32::from(steps.zero_point)) * steps.scale;
            x * gain[i / area % float.out].recip()
        };
        let after = |x: f32| match float.activation {
            Activation::Silu => activated(Activation::Silu, f64::from(x)) as f32,
            // The clamp has done it.
            Activation::Identity | Activation::Relu | Activation::Relu6 => x,
        };
        let data = values.iter().enumerate().map(|q| after(real(q))).collect();
        self.layers.push(Layer { name: self.q.sum_name(port, float), values, near_ties });
        data
    }

    /// The same for a convolution in groups.
    fn grouped(
        &mut self,
        port: Port,
        from: Port,
        float: &FoldedConv,
        conv: &GroupedConv,
        out: Shape,
    ) -> Vec<f32> {
        let shape = self.floats[&from].shape;
        let whole = self.bytes(from).iter().map(|q| f32::from(*q) - f32::from(conv.zero_point)).collect();
        let sums = FoldedConv {
            weight: conv.weight.clone(),
            bias: conv.bias.clone(),
            activation: Activation::Identity,
            ..float.clone()
        };
        let sums = Op::Conv(sums).apply(&[&Value { shape, data: whole }], out);
        let Gains { gain, zero_point } = &conv.output;
        let round = |sum: &f32| clamped((sum / conv.divisor).round_ties_even(), *zero_point);
        let values: Vec<u8> = sums.iter().map(round).collect();
        let area = out.dims.count() / gain.len();
        let real = |(i, q): (usize, &u8)| {
            (f32::from(*q) - f32::from(*zero_point)) * gain[i / area % gain.len()].recip()
        };
        let data = values.iter().enumerate().map(real).collect();
        // Ties are exact and go to the even number everywhere.
        self.layers.push(Layer { name: self.q.u8_name(port), values, near_ties: 0 });
        data
    }
}

fn round(name: String, value: &Value, form: &Form) -> Layer {
    let [channels, height, width] = value.map();
    let mut near_ties = 0;
    let mut values = Vec::with_capacity(value.data.len());
    for (i, x) in value.data.iter().enumerate() {
        let (steps, zero_point) = match form {
            Form::Steps(steps) => (x / steps.scale, steps.zero_point),
            Form::Gains(Gains { gain, zero_point }) => {
                (x * gain[i / (height * width) % channels], *zero_point)
            }
        };
        near_ties += usize::from(is_tie(f64::from(steps)));
        values.push(clamped(steps.round_ties_even(), zero_point));
    }
    Layer { name, values, near_ties }
}

fn convolve(
    float: &FoldedConv,
    conv: &QuantisedConv,
    x: &[u8],
    [channels, height, width]: [usize; 3],
) -> (Vec<u8>, usize) {
    let ((kh, kw), (sh, sw), (ph, pw)) = (float.kernel, float.stride, float.pads.before);
    let (oh, ow) =
        windows((height, width), float.kernel, float.stride, float.pads).expect("checked when built");
    let zero = i32::from(conv.input.zero_point);
    let (Steps { scale, zero_point }, _) = conv.output.read(0);
    let mut ties = 0;
    let mut data = Vec::new();
    for map in x.chunks_exact(channels * height * width) {
        for o in 0..float.out {
            let multiplier = (conv.input.scale * conv.weight_scale[o]) / scale;
            for at in 0..oh * ow {
                let (oy, ox) = (at / ow, at % ow);
                let mut sum = conv.bias[o];
                for tap in 0..channels * kh * kw {
                    let (c, ky, kx) = (tap / (kh * kw), tap / kw % kh, tap % kw);
                    // Padding holds the zero point and adds nothing.
                    let (y, z) = ((oy * sh + ky).wrapping_sub(ph), (ox * sw + kx).wrapping_sub(pw));
                    if y < height && z < width {
                        let q = i32::from(map[(c * height + y) * width + z]) - zero;
                        sum += q * i32::from(conv.weight[o * channels * kh * kw + tap]);
                    }
                }
                ties += usize::from(is_tie(f64::from(sum) * f64::from(multiplier)));
                data.push(clamped((sum as f32 * multiplier).round_ties_even(), zero_point));
            }
        }
    }
    (data, ties)
}

fn is_tie(value: f64) -> bool {
    (value - value.floor() - 0.5).abs() < TIE
}

fn clamped(steps: f32, zero_point: u8) -> u8 {
    (steps + f32::from(zero_point)).clamp(0.0, 255.0) as u8
}
