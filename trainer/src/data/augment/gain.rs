//! Gauges that read a little more or less than there is.
//!
//! X-ray gauges drift by a per cent or two between calibrations; that the paper's small changes stand for calibration is
//! its own reason for them (section 3.1). Within a coil's half hour a gauge's gain follows its temperature: `gauge_drift` is a
//! smooth curve along the coil, `Σ cos(kπx + φ) a / k`, k = 1 to 3, of the standard deviation that is set, about zero.

use super::{AugmentConfig, Sheet, normal};
use coilsight_models::coil::{CHUNKS, GAUGES};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::{PI, TAU};

/// `coil_gain` and `gauge_gain`: one factor for each gauge.
pub fn calibration(
    config: &AugmentConfig,
    sheet: &mut Sheet,
    rng: &mut ChaCha8Rng,
    changes: &mut Vec<String>,
) {
    let coil = normal(config.coil_gain, rng);
    let gains: [f64; GAUGES] = std::array::from_fn(|_| 1.0 + coil + normal(config.gauge_gain, rng));
    if config.coil_gain > 0.0 {
        changes.push(format!("coil_gain {:+.1} %", 100.0 * coil));
    }
    if config.gauge_gain > 0.0 {
        changes.push("gauge_gain".into());
    }
    if config.coil_gain > 0.0 || config.gauge_gain > 0.0 {
        sheet.scale(|_, column| gains[column]);
    }
}

/// Waves of a drift, half periods on the coil.
const WAVES: usize = 3;

/// `gauge_drift`: a factor for each gauge that changes along the coil.
pub fn drift(config: &AugmentConfig, sheet: &mut Sheet, rng: &mut ChaCha8Rng, changes: &mut Vec<String>) {
    if config.gauge_drift == 0.0 {
        return;
    }
    changes.push("gauge_drift".into());
    // A cosine of random phase has a variance of a half.
    let power: f64 = (1..=WAVES).map(|k| 0.5 / (k * k) as f64).sum();
    let deviation = config.gauge_drift / power.sqrt();
    let waves: [[(f64, f64); WAVES]; GAUGES] = std::array::from_fn(|_| {
        std::array::from_fn(|_| (normal(deviation, rng), rng.random_range(0.0..TAU)))
    });
    sheet.scale(|chunk, column| {
        let x = chunk as f64 / (CHUNKS - 1) as f64;
        let wave = |(k, (size, phase)): (usize, &(f64, f64))| {
            let k = (k + 1) as f64;
            size / k * (k * PI * x + phase).cos()
        };
        1.0 + waves[column].iter().enumerate().map(wave).sum::<f64>()
    });
}
