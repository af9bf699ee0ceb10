//! Activation functions.

// A vectorised loop needs its body inline, whatever the compiler thinks of its size.
#![allow(clippy::inline_always)]

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

/// What follows a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Nothing.
    Identity,
    /// max(x, 0).
    Relu,
    /// max(x, 0), at most 6.
    Relu6,
    /// x * sigmoid(x), also called swish.
    Silu,
}

impl Activation {
    /// Applies it to each value, on any device and in any float type.
    pub fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Identity => Ok(x.clone()),
            Self::Relu => x.relu(),
            Self::Relu6 => x.relu()?.minimum(6.0),
            Self::Silu => x.silu(),
        }
    }

    /// Its value.
    #[inline(always)]
    pub(super) fn value(self, z: f32) -> f32 {
        match self {
            Self::Identity => z,
            Self::Relu => z.max(0.0),
            Self::Relu6 => z.clamp(0.0, 6.0),
            Self::Silu => z * sigmoid(z),
        }
    }

    /// Its derivative; 0 where a ReLU bends.
    #[inline(always)]
    pub(super) fn derivative(self, z: f32) -> f32 {
        match self {
            Self::Identity => 1.0,
            Self::Relu => f32::from(u8::from(z > 0.0)),
            Self::Relu6 => f32::from(u8::from(z > 0.0 && z < 6.0)),
            Self::Silu => {
                let s = sigmoid(z);
                s * (1.0 + z * (1.0 - s))
            }
        }
    }
}

/// 1 / (1 + exp(-z)), of operations that a compiler turns into whole registers, all of them exact or rounded once:
/// the same bits on every processor. Off by less than 3e-7 of its value.
#[inline(always)]
fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + exp(-z))
}

/// exp, from 2^n times a polynomial (S. Moshier's coefficients in Cephes, `expf`).
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Added and subtracted, it rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    // Beyond these bounds 2^n would leave the range of exponents.
    let x = x.clamp(-87.3, 88.3);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2.0 - n * LN_2.1;
    let mut p = 1.987_569_1e-4;
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + c;
    }
    let two_to_n = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (p * r * r + r + 1.0) * two_to_n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradcheck::{check64, values};
    use candle_core::{DType, Device};

    const ALL: [Activation; 4] =
        [Activation::Identity, Activation::Relu, Activation::Relu6, Activation::Silu];

    #[test]
    fn gradients_agree_with_differences() {
        // -9 to 9, so that both bends of a ReLU6 lie within.
        let x = (values((3, 9), 1) * 9.0).expect("spread");
        for activation in ALL {
            check64(&format!("{activation:?}"), &[&x], |v| activation.apply(&v[0]));
        }
    }

    #[test]
    fn scalar_forms_agree_with_the_tensors() {
        let z: Vec<f32> = (-4000..4000).map(|i| i as f32 * 0.03).chain([-1e4, 1e4]).collect();
        let exact = Tensor::from_slice(&z, z.len(), &Device::Cpu).and_then(|t| t.to_dtype(DType::F64));
        let exact = candle_core::Var::from_tensor(&exact.expect("values")).expect("var");
        for activation in ALL {
            let y = activation.apply(&exact).expect("forward");
            let slope = y.sum_all().and_then(|s| s.backward()).expect("backward");
            let slope = slope.get(&exact).expect("gradient").to_vec1::<f64>().expect("values");
            for ((z, y), d) in z.iter().zip(y.to_vec1::<f64>().expect("values")).zip(slope) {
                let near = |found: f32, wanted: f64| {
                    (f64::from(found) - wanted).abs() <= 1e-6 * (1.0 + wanted.abs())
                };
                assert!(near(activation.value(*z), y), "{activation:?} {z} {y}");
                // At the bends candle says 1 or a half; we say 0, as PyTorch does.
                let bends = matches!(activation, Activation::Relu | Activation::Relu6);
                let bend = bends && (*z == 0.0 || *z == 6.0);
                let right = d.is_nan() || bend || near(activation.derivative(*z), d);
                assert!(right, "{activation:?}' {z} {d}");
            }
        }
    }
}
