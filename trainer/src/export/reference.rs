//! A quantised network in plain integer arithmetic: what the int8 export must compute, value by value.
//!
//! Sums are exact. A convolution requantises as ONNX Runtime's `QLinearConv` does, `round_half_even(f32(sum) *
//! ((x_scale * w_scale) / y_scale)) + zero point`, clamped; an average pool rounds the exact mean. [`Trace::near_ties`]
//! counts the values so near half a step that a runtime may rightly round them to the other side.

use super::calibrate::batch;
use super::folded::{FoldedNet, Sides, TrunkLayer};
use super::quantise::{Activation, QuantisedConv, QuantisedLayer, QuantisedNet};

/// How near to half a step counts as a tie: more than f32 arithmetic on values up to 255 can be off.
const TIE: f64 = 5e-5;

/// One evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The u8 output of each trunk layer, as the model lays it out.
    pub layers: Vec<Vec<u8>>,
    /// Values of each trunk layer that lie on half a step or next to it.
    pub near_ties: Vec<usize>,
    /// The logits.
    pub logits: Vec<f32>,
}

/// u8 maps, all of one size: `[batch][channels][height][width]`.
struct Maps {
    size: [usize; 3],
    data: Vec<u8>,
}

impl QuantisedNet {
    /// Evaluates an image and its side vector.
    ///
    /// # Panics
    /// If a length does not match the network's own description.
    pub fn trace(&self, image: &[f32], side: &[f32]) -> Trace {
        let mut maps = self.rounded(image);
        let (mut layers, mut near_ties) = (Vec::new(), Vec::new());
        for layer in &self.trunk {
            let (next, ties) = match layer {
                QuantisedLayer::Conv(conv) => convolve(conv, &maps),
                QuantisedLayer::AvgPool { kernel, input, output } => pool(&maps, *kernel, *input, *output),
            };
            layers.push(next.data.clone());
            near_ties.push(ties);
            maps = next;
        }
        Trace { layers, near_ties, logits: self.finish(&maps, side) }
    }

    /// The image in u8.
    fn rounded(&self, image: &[f32]) -> Maps {
        assert!(self.lead.is_empty(), "the reference starts with a convolution");
        let [channels, height, mut width] = self.image;
        if self.sides == Sides::Shared {
            width /= 2;
        }
        let zero = f32::from(self.image_zero_point);
        let round = |(i, x): (usize, f32)| {
            let gain = self.gain[i / (height * width) % channels];
            ((x * gain).round_ties_even() + zero).clamp(0.0, 255.0) as u8
        };
        let data = batch(self.sides, self.image[2], image).into_iter().enumerate().map(round).collect();
        Maps { size: [channels, height, width], data }
    }

    /// The f32 end: the last maps are a folded network's image.
    fn finish(&self, maps: &Maps, side: &[f32]) -> Vec<f32> {
        let last = match self.trunk.last() {
            Some(QuantisedLayer::Conv(conv)) => conv.output,
            _ => unreachable!("the quantised trunk ends with a convolution"),
        };
        let [channels, height, width] = maps.size;
        let sides = maps.data.len() / (channels * height * width);
        let real = |q: u8| (f32::from(q) - f32::from(last.zero_point)) * last.scale;
        let rows: Vec<&[u8]> = maps.data.chunks_exact(width).collect();
        let image = (0..channels * height)
            .flat_map(|row| (0..sides).flat_map(move |s| [row + s * channels * height]))
            .flat_map(|row| rows[row].iter().map(|q| real(*q)))
            .collect::<Vec<_>>();
        let end = FoldedNet {
            image: [channels, height, sides * width],
            side: self.side,
            sides: self.sides,
            trunk: self.tail.iter().map(|kernel| TrunkLayer::AvgPool { kernel: *kernel }).collect(),
            pools: self.pools.clone(),
            head: self.head.clone(),
        };
        end.forward(&image, side)
    }
}

fn convolve(conv: &QuantisedConv, x: &Maps) -> (Maps, usize) {
    let [channels, height, width] = x.size;
    let ((kh, kw), (sh, sw), (ph, pw)) = (conv.float.kernel, conv.float.stride, conv.float.padding);
    let (oh, ow) = ((height + 2 * ph - kh) / sh + 1, (width + 2 * pw - kw) / sw + 1);
    let zero = i32::from(conv.input.zero_point);
    let mut ties = 0;
    let mut data = Vec::new();
    for map in x.data.chunks_exact(channels * height * width) {
        for o in 0..conv.float.out {
            let multiplier = (conv.input.scale * conv.weight_scale[o]) / conv.output.scale;
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
                data.push(quantised((sum as f32 * multiplier).round_ties_even(), conv.output));
            }
        }
    }
    (Maps { size: [conv.float.out, oh, ow], data }, ties)
}

fn pool(x: &Maps, (kh, kw): (usize, usize), input: Activation, output: Activation) -> (Maps, usize) {
    let [channels, height, width] = x.size;
    let (oh, ow) = (height / kh, width / kw);
    let mut ties = 0;
    let mut data = Vec::new();
    for plane in x.data.chunks_exact(height * width) {
        for at in 0..oh * ow {
            let cell = |i: usize| i32::from(plane[(at / ow * kh + i / kw) * width + at % ow * kw + i % kw]);
            let sum: i32 = (0..kh * kw).map(|i| cell(i) - i32::from(input.zero_point)).sum();
            let mean = f64::from(sum) / (kh * kw) as f64 * (f64::from(input.scale) / f64::from(output.scale));
            ties += usize::from(is_tie(mean));
            data.push(quantised(mean.round_ties_even() as f32, output));
        }
    }
    (Maps { size: [channels, oh, ow], data }, ties)
}

fn is_tie(value: f64) -> bool {
    (value - value.floor() - 0.5).abs() < TIE
}

fn quantised(steps: f32, to: Activation) -> u8 {
    (steps + f32::from(to.zero_point)).clamp(0.0, 255.0) as u8
}
