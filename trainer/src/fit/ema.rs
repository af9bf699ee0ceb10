//! An exponential moving average of the weights, evaluated in place of the weights themselves.

use super::in_place::follow;
use crate::nn::params::{Params, Snapshot};
use candle_core::Result;

/// Averages of what training moves.
#[derive(Debug, Clone)]
pub struct Ema {
    decay: f64,
    averages: Snapshot,
}

impl Ema {
    /// Starts at the present values.
    pub fn new(decay: f64, params: &Params) -> Result<Self> {
        Ok(Self { decay, averages: params.snapshot()? })
    }

    /// Takes up where another run stopped.
    pub fn resumed(decay: f64, averages: Snapshot) -> Self {
        Self { decay, averages }
    }

    /// Moves the averages towards the present values. Early on the decay is `(1 + step) / (10 + step)` where that is
    /// less, so that the initial weights are forgotten quickly. `step` counts from 0.
    pub fn update(&mut self, params: &Params, step: usize) -> Result<()> {
        let decay = self.decay.min((1.0 + step as f64) / (10.0 + step as f64));
        for (name, var) in params.moving() {
            if let Some(average) = self.averages.get_mut(name) {
                follow(average, &var.as_detached_tensor(), decay, false)?;
            }
        }
        Ok(())
    }

    /// The averages by name.
    pub fn averages(&self) -> &Snapshot {
        &self.averages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::params::Builder;
    use crate::nn::seed::{Purpose, generator};
    use candle_core::Tensor;

    #[test]
    fn averages_parameters_and_buffers() {
        let mut params = Params::default();
        let mut rng = generator(1, Purpose::Weights, 0, 0);
        let mut builder = Builder::new(&mut params, &mut rng);
        let vars = [builder.constant("a", 1, 1.0).expect("a"), builder.buffer("b", 1, 1.0).expect("b")];
        let mut ema = Ema::new(0.15, &params).expect("ema");
        for var in &vars {
            var.set(&Tensor::new(&[3.0f32], var.device()).expect("t")).expect("set");
        }
        // Decay 0.1 at first, then (1 + 1) / 11 > 0.15: 0.15.
        for (step, want) in [(0, 0.1 + 0.9 * 3.0), (1, 0.15 * 2.8 + 0.85 * 3.0)] {
            ema.update(&params, step).expect("update");
            for name in ["a", "b"] {
                let found = ema.averages()[name].to_vec1::<f32>().expect("values")[0];
                assert!((found - want).abs() < 1e-6, "{found} {want}");
            }
        }
    }
}
