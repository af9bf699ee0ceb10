//! The inverted residual of MobileNetV2 (M. Sandler and others, CVPR 2018) as EfficientNet-Lite has it: ReLU6, no squeeze
//! and excitation.

use super::{Size, convolved};
use crate::nn::Pass;
use crate::nn::activation::Activation;
use crate::nn::batch_norm::NormConfig;
use crate::nn::conv::{ConvShape, Padding};
use crate::nn::conv_norm::ConvNorm;
use crate::nn::params::Builder;
use candle_core::{Result, Tensor};

/// Sizes of an inverted residual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvertedShape {
    /// Input channels.
    pub input: usize,
    /// Output channels.
    pub output: usize,
    /// Kernel of the depthwise convolution, square.
    pub kernel: usize,
    /// Its stride.
    pub stride: usize,
    /// How many times more channels it works on.
    pub expansion: usize,
}

/// Expand by 1x1, one filter for each channel, project by 1x1; the input is added where stride and channels allow.
#[derive(Debug)]
pub struct InvertedResidual {
    /// Absent where nothing is expanded.
    pub expand: Option<ConvNorm>,
    /// Depthwise.
    pub depthwise: ConvNorm,
    /// Without activation.
    pub project: ConvNorm,
    /// Whether the input is added.
    pub adds: bool,
}

impl InvertedResidual {
    /// `NAME._expand_conv`, `NAME._bn0`, `NAME._depthwise_conv`, `NAME._bn1`, `NAME._project_conv`, `NAME._bn2`.
    pub fn new(builder: &mut Builder, name: &str, shape: InvertedShape, norm: NormConfig) -> Result<Self> {
        let InvertedShape { input, output, kernel, stride, expansion } = shape;
        let inner = input * expansion;
        let mut conv = |conv: &str, bn: &str, shape: ConvShape, activation| {
            let names = (&*format!("{name}.{conv}"), &*format!("{name}.{bn}"));
            ConvNorm::new(builder, names, shape, norm, activation)
        };
        let point = |input, output| ConvShape::same(input, output, (1, 1));
        let expand = (expansion != 1)
            .then(|| conv("_expand_conv", "_bn0", point(input, inner), Activation::Relu6))
            .transpose()?;
        let depthwise = ConvShape::depthwise(inner, (kernel, kernel), (stride, stride));
        let depthwise = ConvShape { padding: Padding::Same, ..depthwise };
        Ok(Self {
            expand,
            depthwise: conv("_depthwise_conv", "_bn1", depthwise, Activation::Relu6)?,
            project: conv("_project_conv", "_bn2", point(inner, output), Activation::Identity)?,
            adds: stride == 1 && input == output,
        })
    }

    pub(super) fn convs(&self) -> impl Iterator<Item = &ConvNorm> {
        self.expand.iter().chain([&self.depthwise, &self.project])
    }

    pub(super) fn convs_mut(&mut self) -> impl Iterator<Item = &mut ConvNorm> {
        self.expand.iter_mut().chain([&mut self.depthwise, &mut self.project])
    }

    pub(super) fn size(&self, from: Size) -> Option<Size> {
        let [height, width, _] = convolved(&self.depthwise.shape, from)?;
        Some([height, width, self.project.shape.output])
    }

    pub(super) fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let inner = self.expand.as_ref().map_or_else(|| Ok(x.clone()), |conv| conv.forward(x, pass))?;
        let y = self.project.forward(&self.depthwise.forward(&inner, pass)?, pass)?;
        if self.adds { y + x } else { Ok(y) }
    }
}
