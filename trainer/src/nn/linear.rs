//! Fully connected layer: a convolution of one pixel.

use super::conv::{Conv2d, ConvShape, Pads, conv2d};
use super::params::Builder;
use super::{Pass, seen};
use candle_core::{Result, Tensor};

/// `y = x W + b` on `[batch, in]`; weights are kept as `[1, 1, in, out]`.
#[derive(Debug, Clone)]
pub struct Linear {
    /// The weights, as a convolution of one pixel.
    pub conv: Conv2d,
}

impl Linear {
    /// He-initialised weights `NAME.weight` and a zero bias `NAME.bias`.
    pub fn new(builder: &mut Builder, name: &str, input: usize, output: usize) -> Result<Self> {
        Ok(Self { conv: Conv2d::new(builder, name, ConvShape::same(input, output, (1, 1)), true)? })
    }

    /// The same beginning with weights of zero: it says nothing until it has learned something.
    pub fn zeroed(builder: &mut Builder, name: &str, input: usize, output: usize) -> Result<Self> {
        let layer = Self::new(builder, name, input, output)?;
        layer.conv.weight.set(&layer.conv.weight.zeros_like()?)?;
        Ok(layer)
    }

    /// `[batch, in]` to `[batch, out]`.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let tracked = pass.is_train() && self.conv.trainable;
        let bias = self.conv.bias.as_ref().map(|b| seen(b, tracked));
        linear(x, &seen(&self.conv.weight, tracked), bias.as_ref())
    }
}

/// `y = x W + b` as a function: `x` `[batch, in]`, `weight` `[1, 1, in, out]`, `bias` `[out]`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (batch, width) = x.dims2()?;
    let y = conv2d(&x.reshape((batch, 1, 1, width))?, weight, bias, (1, 1), Pads::NONE, 1)?;
    y.reshape((batch, weight.dim(3)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradcheck::{check64, values};
    use crate::nn::params::Params;
    use crate::nn::seed::{Purpose, generator};

    #[test]
    fn agrees_with_plain_loops_and_differences() {
        let mut params = Params::default();
        let mut rng = generator(3, Purpose::Weights, 0, 0);
        let layer = Linear::new(&mut Builder::new(&mut params, &mut rng), "dense", 3, 2).expect("layer");
        for batch in [1, 5, 40] {
            let x = values((batch, 3), batch);
            let w = layer.conv.weight.reshape((3, 2)).and_then(|w| w.to_vec2::<f32>()).expect("weights");
            let y = layer.forward(&x, &Pass::Eval).and_then(|y| y.to_vec2::<f32>()).expect("forward");
            for (x, y) in x.to_vec2::<f32>().expect("values").iter().zip(&y) {
                for o in 0..2 {
                    let want: f32 = (0..3).map(|i| x[i] * w[i][o]).sum();
                    assert!((y[o] - want).abs() < 1e-6);
                }
            }
            let (w, b) = (&layer.conv.weight, layer.conv.bias.as_ref().expect("bias"));
            check64("linear", &[&x, w, b], |v| linear(&v[0], &v[1], Some(&v[2])));
        }
    }
}
