//! Initial weights from a seeded generator (candle's own CPU generator cannot be seeded).

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// He-normal weights: standard deviation `sqrt(2 / fan_in)`, made for layers followed by a ReLU.
/// K. He et al., "Delving deep into rectifiers", ICCV 2015.
pub fn he_normal(rng: &mut ChaCha8Rng, count: usize, fan_in: usize) -> Vec<f32> {
    let deviation = (2.0 / fan_in.max(1) as f32).sqrt();
    match Normal::new(0.0, deviation) {
        Ok(normal) => normal.sample_iter(rng).take(count).collect(),
        // Only a non-finite deviation is refused, and this one is finite.
        Err(_) => vec![0.0; count],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::seed::{Purpose, generator};

    #[test]
    fn has_the_deviation_of_its_fan_in_and_repeats() {
        let draw = |seed| he_normal(&mut generator(seed, Purpose::Weights, 0, 0), 20_000, 8);
        let w = draw(1);
        let mean = w.iter().sum::<f32>() / 20_000.0;
        let deviation = (w.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 20_000.0).sqrt();
        assert!(mean.abs() < 0.02 && (deviation - 0.5).abs() < 0.02, "{mean} {deviation}");
        assert_eq!(w, draw(1));
        assert_ne!(w, draw(2));
    }
}
