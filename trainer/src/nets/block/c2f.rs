//! C2f, the block of YOLOv8 (G. Jocher and others, 2023): a cross-stage partial bottleneck whose every intermediate map
//! reaches the last convolution.

use crate::nn::Pass;
use crate::nn::activation::Activation;
use crate::nn::batch_norm::NormConfig;
use crate::nn::conv::ConvShape;
use crate::nn::conv_norm::ConvNorm;
use crate::nn::params::Builder;
use candle_core::{Result, Tensor};

/// A 1x1 convolution cut in halves; bottlenecks in a row on the second half; all of them concatenated; a 1x1 convolution.
#[derive(Debug)]
pub struct C2f {
    /// To both halves.
    pub enter: ConvNorm,
    /// From everything.
    pub leave: ConvNorm,
    /// Two 3x3 convolutions each, whose input is added to what they give.
    pub bottlenecks: Vec<[ConvNorm; 2]>,
}

impl C2f {
    /// `NAME.cv1`, `NAME.cv2` and `NAME.m.I.cv1`, `NAME.m.I.cv2`, each a `conv` and a `bn`.
    pub fn new(
        builder: &mut Builder,
        name: &str,
        (input, output): (usize, usize),
        repeats: usize,
        norm: NormConfig,
    ) -> Result<Self> {
        let half = output / 2;
        let mut conv = |name: String, shape: ConvShape| {
            let names = (&*format!("{name}.conv"), &*format!("{name}.bn"));
            ConvNorm::new(builder, names, shape, norm, Activation::Silu)
        };
        let point = |input, output| ConvShape::same(input, output, (1, 1));
        let square = ConvShape::same(half, half, (3, 3));
        Ok(Self {
            enter: conv(format!("{name}.cv1"), point(input, 2 * half))?,
            leave: conv(format!("{name}.cv2"), point((2 + repeats) * half, output))?,
            bottlenecks: (0..repeats)
                .map(|i| {
                    Ok([
                        conv(format!("{name}.m.{i}.cv1"), square)?,
                        conv(format!("{name}.m.{i}.cv2"), square)?,
                    ])
                })
                .collect::<Result<_>>()?,
        })
    }

    /// Channels of the output.
    pub fn output(&self) -> usize {
        self.leave.shape.output
    }

    pub(super) fn convs(&self) -> impl Iterator<Item = &ConvNorm> {
        [&self.enter, &self.leave].into_iter().chain(self.bottlenecks.iter().flatten())
    }

    pub(super) fn convs_mut(&mut self) -> impl Iterator<Item = &mut ConvNorm> {
        [&mut self.enter, &mut self.leave].into_iter().chain(self.bottlenecks.iter_mut().flatten())
    }

    pub(super) fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let both = self.enter.forward(x, pass)?;
        let half = self.enter.shape.output / 2;
        let mut last = both.narrow(3, half, half)?.contiguous()?;
        let mut parts = vec![both];
        for [first, second] in &self.bottlenecks {
            last = (second.forward(&first.forward(&last, pass)?, pass)? + &last)?;
            parts.push(last.clone());
        }
        self.leave.forward(&Tensor::cat(&parts, 3)?, pass)
    }
}
