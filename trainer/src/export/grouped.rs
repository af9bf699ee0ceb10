//! Convolutions in groups (depthwise ones) on whole numbers, in f32 arithmetic.
//!
//! tract computes a `QLinearConv` in groups, rightly, but takes many times as long as for the f32 one. So they are an f32
//! `Conv`, and yet exact: it reads `u8 - zero point`, its weights and biases are whole numbers, and no sum of products,
//! in whatever order it is taken, reaches 2^24, below which f32 holds every whole number. What comes out is a multiple
//! of a power of two, by which `QuantizeLinear` divides without an error. The gains of input and output are in the
//! weights; with few products to a sum, these have 11 bits and more.

use super::folded::FoldedConv;
use super::quantise::{Gains, Steps};

/// f32 holds every whole number up to here.
const WHOLE: f64 = (1 << 24) as f64;

/// A convolution in groups on whole numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupedConv {
    /// What stands for 0 in what it reads.
    pub zero_point: u8,
    /// `[out][input / groups][kh][kw]`, whole numbers.
    pub weight: Vec<f32>,
    /// `[out]`, whole numbers.
    pub bias: Vec<f32>,
    /// What the sums are divided by: a power of two.
    pub divisor: f32,
    /// What it gives. Its activation is the clamp to u8.
    pub output: Gains,
}

/// Quantises a convolution that reads `input`, each channel with its `gain`.
pub(super) fn quantise(conv: &FoldedConv, input: Steps, gain: &[f32], output: Gains) -> GroupedConv {
    let taps = conv.kernel.0 * conv.kernel.1;
    let (inputs, outputs) = (conv.input / conv.groups, conv.out / conv.groups);
    let exact = |(i, w): (usize, &f32)| {
        let (out, channel) = (i / (inputs * taps), i / taps % inputs);
        let gain = f64::from(gain[out / outputs * inputs + channel]);
        f64::from(*w) * f64::from(input.scale) / gain * f64::from(output.gain[out])
    };
    let weight: Vec<f64> = conv.weight.iter().enumerate().map(exact).collect();
    let bias: Vec<f64> =
        conv.bias.iter().zip(&output.gain).map(|(b, g)| f64::from(*b) * f64::from(*g)).collect();
    let rounded = |numbers: &[f64], by: f64| numbers.iter().map(|v| (v * by).round()).collect::<Vec<f64>>();
    let fits = |by: f64| {
        let (weight, bias) = (rounded(&weight, by), rounded(&bias, by));
        let largest = |(row, b): (&[f64], &f64)| 255.0 * row.iter().map(|w| w.abs()).sum::<f64>() + b.abs();
        weight.chunks_exact(inputs * taps).zip(&bias).map(largest).all(|sum| sum < WHOLE)
    };
    // Finer than 2^-15 of a step no weight is told from its neighbour in u8.
    let divisor = (-15..=15).rev().map(|k| 2.0_f64.powi(k)).find(|by| fits(*by)).unwrap_or(2.0_f64.powi(-15));
    let whole = |numbers: &[f64]| rounded(numbers, divisor).into_iter().map(|v| v as f32).collect();
    GroupedConv {
        zero_point: input.zero_point,
        weight: whole(&weight),
        bias: whole(&bias),
        divisor: divisor as f32,
        output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::activation::Activation;
    use crate::nn::conv::Pads;

    #[test]
    fn weights_are_as_fine_as_exact_sums_allow() {
        let conv = FoldedConv {
            weight: vec![0.5, -0.25, 1.0, 1.0],
            bias: vec![1.0, -3.0],
            out: 2,
            input: 2,
            groups: 2,
            kernel: (1, 2),
            stride: (1, 1),
            pads: Pads::NONE,
            activation: Activation::Relu6,
        };
        let output = Gains { gain: vec![10.0, 20.0], zero_point: 0 };
        let found = quantise(&conv, Steps { scale: 0.1, zero_point: 3 }, &[2.0, 1.0], output);
        // Weights 0.25, -0.125, 2, 2 and biases 10, -60 in output steps: 255 (2 + 2) + 60 = 1080 < 2^24 / 2^13.
        assert_eq!(found.divisor, 8192.0);
        assert_eq!(found.weight, [0.25, -0.125, 2.0, 2.0].map(|w| w * 8192.0));
        assert_eq!((found.bias, found.zero_point), (vec![81920.0, -491_520.0], 3));
    }
}
