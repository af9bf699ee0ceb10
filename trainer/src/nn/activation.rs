//! Activation functions.

use candle_core::{Result, Tensor};

/// What follows a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// max(x, 0).
    Relu,
}

impl Activation {
    /// Applies it to each value.
    pub fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Identity => Ok(x.clone()),
            Self::Relu => x.relu(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradcheck::{check_step, values};

    #[test]
    fn gradients_agree_with_differences() {
        let x = values((3, 5), 1);
        for activation in [Activation::Identity, Activation::Relu] {
            check_step("activation", &[&x], 1e-3, |v| activation.apply(&v[0]));
        }
        let y = Activation::Relu.apply(&values(4, 0)).and_then(|y| y.to_vec1::<f32>()).expect("values");
        assert!(y.iter().all(|v| *v >= 0.0) && y.contains(&0.0) && y.iter().any(|v| *v > 0.0));
    }
}
