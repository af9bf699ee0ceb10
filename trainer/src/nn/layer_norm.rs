//! Layer normalisation over the last axis.

use super::params::Builder;
use super::{Pass, seen};
use candle_core::{D, Result, Tensor, Var};

/// Added to the variance (PyTorch's default).
pub const EPSILON: f64 = 1e-5;

/// A layer normalisation: each row of the last axis gets mean 0 and variance 1, then a learned scale and shift.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    /// Learned scale, `[channels]`.
    pub gamma: Var,
    /// Learned shift, `[channels]`.
    pub beta: Var,
    /// Whether it learns.
    pub trainable: bool,
}

impl LayerNorm {
    /// `NAME.weight` 1, `NAME.bias` 0.
    pub fn new(builder: &mut Builder, name: &str, channels: usize) -> Result<Self> {
        Ok(Self {
            gamma: builder.constant(&format!("{name}.weight"), channels, 1.0)?,
            beta: builder.constant(&format!("{name}.bias"), channels, 0.0)?,
            trainable: true,
        })
    }

    /// Normalises `[.., channels]`.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let tracked = pass.is_train() && self.trainable;
        layer_norm(x, &seen(&self.gamma, tracked), &seen(&self.beta, tracked))
    }
}

/// As a function, of operations whose gradients candle has right (its own `layer_norm` has none).
pub fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + EPSILON)?.sqrt()?)?.broadcast_mul(gamma)?.broadcast_add(beta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradcheck::{check64, values};
    use candle_core::Device;

    #[test]
    fn agrees_with_hand_worked_numbers() {
        let x = Tensor::new(&[[1.0f64, 3.0], [5.0, 5.0]], &Device::Cpu).expect("x");
        let (gamma, beta) = (
            Tensor::new(&[2.0f64, 1.0], &Device::Cpu).expect("gamma"),
            Tensor::new(&[0.5f64, 0.0], &Device::Cpu).expect("beta"),
        );
        let y = layer_norm(&x, &gamma, &beta).and_then(|y| y.to_vec2::<f64>()).expect("forward");
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-4, "{a} {b}");
        near(y[0][0], -1.5);
        near(y[0][1], 1.0);
        near(y[1][0], 0.5);
        near(y[1][1], 0.0);
    }

    #[test]
    fn gradients_agree_with_differences() {
        for shape in [(1, 17, 2, 3), (2, 9, 1, 5), (1, 8, 9, 4)] {
            let (gamma, beta) = (values(shape.3, 2), values(shape.3, 3));
            check64("layer norm", &[&values(shape, 1), &gamma, &beta], |v| layer_norm(&v[0], &v[1], &v[2]));
        }
    }
}
