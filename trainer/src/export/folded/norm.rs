//! Batch norms as they evaluate, and the layers that take them in.

use super::{Activation, Dense, FoldedConv};
use crate::nn::conv::ConvShape;

/// A batch norm as it evaluates; one value for each channel.
#[derive(Debug, Clone)]
pub struct Norm {
    /// Factors.
    pub gamma: Vec<f32>,
    /// Summands.
    pub beta: Vec<f32>,
    /// Running means.
    pub mean: Vec<f32>,
    /// Running variances.
    pub variance: Vec<f32>,
    /// Added to the variances.
    pub epsilon: f64,
}

impl Norm {
    /// Scale and shift of each channel.
    pub fn affine(&self) -> (Vec<f64>, Vec<f64>) {
        let scale: Vec<f64> = self
            .gamma
            .iter()
            .zip(&self.variance)
            .map(|(g, v)| f64::from(*g) / (f64::from(*v) + self.epsilon).sqrt())
            .collect();
        let shift = scale.iter().zip(self.beta.iter().zip(&self.mean));
        let shift = shift.map(|(s, (b, m))| f64::from(*b) - f64::from(*m) * s).collect();
        (scale, shift)
    }
}

impl FoldedConv {
    /// From the engine's weight `[kh, kw, input / groups, output]`, for a map of `size` (height, width); without
    /// bias, norm and activation.
    pub fn new(shape: &ConvShape, size: (usize, usize), weight: &[f32]) -> Self {
        let taps = shape.kernel.0 * shape.kernel.1;
        let inputs = shape.input / shape.groups;
        assert_eq!(weight.len(), taps * inputs * shape.output, "convolution weight");
        let at =
            |o: usize| (0..inputs * taps).map(move |i| (i % taps * inputs + i / taps) * shape.output + o);
        Self {
            weight: (0..shape.output).flat_map(at).map(|i| weight[i]).collect(),
            bias: vec![0.0; shape.output],
            out: shape.output,
            input: shape.input,
            groups: shape.groups,
            kernel: shape.kernel,
            stride: shape.stride,
            pads: shape.pads(size),
            activation: Activation::Identity,
        }
    }

    /// With a bias.
    #[must_use]
    pub fn biased(self, bias: &[f32]) -> Self {
        Self { bias: bias.to_vec(), ..self }
    }

    /// With a batch norm after it.
    #[must_use]
    pub fn normed(mut self, norm: &Norm) -> Self {
        let (scale, shift) = norm.affine();
        let taps = self.weight.len() / self.out;
        for (row, scale) in self.weight.chunks_exact_mut(taps).zip(&scale) {
            for w in row {
                *w = (f64::from(*w) * scale) as f32;
            }
        }
        for (b, (scale, shift)) in self.bias.iter_mut().zip(scale.iter().zip(&shift)) {
            *b = (f64::from(*b) * scale + shift) as f32;
        }
        self
    }

    /// With an activation after it.
    #[must_use]
    pub fn activated(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }
}

impl Dense {
    /// From the engine's weight `[in, out]` and bias; without activation.
    pub fn new(weight: &[f32], bias: &[f32]) -> Self {
        let out = bias.len();
        let weight = (0..out).flat_map(|o| weight.iter().skip(o).step_by(out).copied()).collect();
        Self { weight, bias: bias.to_vec(), activation: Activation::Identity }
    }

    /// With a norm of its first inputs before it.
    #[must_use]
    pub fn after(mut self, norm: &Norm) -> Self {
        let (scale, shift) = norm.affine();
        let inputs = self.weight.len() / self.bias.len();
        for (row, bias) in self.weight.chunks_exact_mut(inputs).zip(&mut self.bias) {
            let moved: f64 = row.iter().zip(&shift).map(|(w, s)| f64::from(*w) * s).sum();
            *bias = (f64::from(*bias) + moved) as f32;
            row.iter_mut().zip(&scale).for_each(|(w, s)| *w = (f64::from(*w) * s) as f32);
        }
        self
    }

    /// With an activation after it.
    #[must_use]
    pub fn activated(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }
}
