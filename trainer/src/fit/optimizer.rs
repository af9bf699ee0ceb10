//! AdamW: adaptive moments with decoupled weight decay (I. Loshchilov, F. Hutter, ICLR 2019).

use super::FitError;
use super::in_place::{Step, follow, step};
use crate::nn::params::Params;
use candle_core::{Result, Tensor, Var, backprop::GradStore};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings of the optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
    /// Learning rate, before the schedule's factor.
    pub learning_rate: f64,
    /// Decay of weights towards zero, times the learning rate. Biases and batch norms (parameters of one axis) have none.
    pub weight_decay: f64,
    /// Decay of the mean gradient.
    pub beta1: f64,
    /// Decay of the mean squared gradient.
    pub beta2: f64,
    /// Added to the root of the mean square.
    pub epsilon: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { learning_rate: 2e-3, weight_decay: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl AdamWConfig {
    pub(super) fn check(&self) -> std::result::Result<(), FitError> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        let rules: [(&'static str, f64, bool, &'static str); 5] = [
            ("learning_rate", self.learning_rate, positive(self.learning_rate), "it must be positive"),
            (
                "weight_decay",
                self.weight_decay,
                self.weight_decay == 0.0 || positive(self.weight_decay),
                "it must not be negative",
            ),
            ("beta1", self.beta1, (0.0..1.0).contains(&self.beta1), "it must be at least 0 and less than 1"),
            ("beta2", self.beta2, (0.0..1.0).contains(&self.beta2), "it must be at least 0 and less than 1"),
            ("epsilon", self.epsilon, positive(self.epsilon), "it must be positive"),
        ];
        match rules.into_iter().find(|(.., good, _)| !good) {
            Some((what, value, _, rule)) => Err(FitError::Setting { what, value, rule }),
            None => Ok(()),
        }
    }
}

/// The optimiser with its moments, by parameter name.
#[derive(Debug, Clone)]
pub struct AdamW {
    config: AdamWConfig,
    step: usize,
    moments: BTreeMap<String, (Tensor, Tensor)>,
}

impl AdamW {
    /// With all moments zero.
    pub fn new(config: AdamWConfig, params: &Params) -> Result<Self> {
        let zero = |(name, var): (&String, &Var)| {
            Ok((
                name.clone(),
                (var.as_detached_tensor().zeros_like()?, var.as_detached_tensor().zeros_like()?),
            ))
        };
        Ok(Self { config, step: 0, moments: params.vars().iter().map(zero).collect::<Result<_>>()? })
    }

    /// Moves every parameter that has a gradient; `factor` comes from the schedule.
    pub fn step(&mut self, params: &Params, grads: &GradStore, factor: f64) -> Result<()> {
        self.step += 1;
        let AdamWConfig { learning_rate, weight_decay, beta1, beta2, epsilon } = self.config;
        let rate = learning_rate * factor;
        let correct1 = 1.0 - beta1.powi(self.step as i32);
        let correct2 = 1.0 - beta2.powi(self.step as i32);
        for (name, (mean, square)) in &mut self.moments {
            let var = &params.vars()[name];
            let Some(grad) = grads.get(var) else { continue };
            follow(mean, grad, beta1, false)?;
            follow(square, grad, beta2, true)?;
            let decay = if var.rank() > 1 { rate * weight_decay } else { 0.0 };
            let (keep, rate) = (1.0 - decay, rate / correct1);
            step(var, mean, square, Step { keep, rate, correction: correct2, epsilon })?;
        }
        Ok(())
    }

    /// Steps taken so far.
    pub fn steps(&self) -> usize {
        self.step
    }

    /// Mean and mean square of each parameter's gradient.
    pub fn moments(&self) -> &BTreeMap<String, (Tensor, Tensor)> {
        &self.moments
    }

    /// Takes up where another run stopped.
    pub fn resume(&mut self, step: usize, moments: BTreeMap<String, (Tensor, Tensor)>) {
        self.step = step;
        self.moments = moments;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::params::Builder;
    use crate::nn::seed::{Purpose, generator};

    /// Two steps by hand, on a matrix (decays) and on a bias (does not).
    #[test]
    fn agrees_with_hand_worked_steps_and_spares_biases_from_decay() {
        let mut params = Params::default();
        let mut rng = generator(1, Purpose::Weights, 0, 0);
        let mut builder = Builder::new(&mut params, &mut rng);
        let w = builder.he("w", &[1, 1], 1).expect("w");
        let b = builder.constant("b", 1, 2.0).expect("b");
        w.set(&Tensor::full(2.0f32, (1, 1), w.device()).expect("full")).expect("set");
        let config = AdamWConfig { learning_rate: 0.1, weight_decay: 0.5, ..AdamWConfig::default() };
        let mut adam = AdamW::new(config, &params).expect("adam");
        let (mut pw, mut pb) = (2.0f64, 2.0f64);
        let (mut m, mut v) = ([0.0f64; 2], [0.0f64; 2]);
        for t in 1..=2 {
            // The loss w^2 / 2 + 3 b has gradients w and 3.
            let loss = (w.sqr().and_then(|s| s.sum_all()? * 0.5)).expect("loss");
            let loss = (loss + (b.sum_all().expect("sum") * 3.0).expect("times")).expect("plus");
            adam.step(&params, &loss.backward().expect("backward"), 0.5).expect("step");
            for (i, (p, g, decay)) in
                [(&mut pw, None, 0.05 * 0.5), (&mut pb, Some(3.0), 0.0)].into_iter().enumerate()
            {
                let g = g.unwrap_or(*p);
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let change = 0.05 * (m[i] / (1.0 - 0.9f64.powi(t)))
                    / ((v[i] / (1.0 - 0.999f64.powi(t))).sqrt() + 1e-8);
                *p = *p * (1.0 - decay) - change;
            }
        }
        let found = |v: &Var| f64::from(v.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values")[0]);
        assert!((found(&w) - pw).abs() < 1e-5, "{} {pw}", found(&w));
        assert!((found(&b) - pb).abs() < 1e-5, "{} {pb}", found(&b));
        assert_eq!(adam.steps(), 2);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        AdamWConfig::default().check().expect("default");
        for config in [
            AdamWConfig { learning_rate: 0.0, ..AdamWConfig::default() },
            AdamWConfig { learning_rate: f64::NAN, ..AdamWConfig::default() },
            AdamWConfig { weight_decay: -1.0, ..AdamWConfig::default() },
            AdamWConfig { beta2: 1.0, ..AdamWConfig::default() },
        ] {
            assert!(matches!(config.check(), Err(FitError::Setting { .. })));
        }
    }
}
