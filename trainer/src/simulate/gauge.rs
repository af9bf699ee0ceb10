//! What eighteen gauges make of the film: noise, calibration, and now and then nothing.
//!
//! X-ray fluorescence gauges count photons: over the fifth of a second that half a metre of strip takes, that leaves
//! something over a per cent of the weight, and a little background. Gain and zero drift over weeks and are set back
//! by calibration.

use std::f64::consts::TAU;

use coilsight_models::coil::GAUGES;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::line::Film;
use super::{Stream, rng};

/// Relative noise of a row.
const COUNTING: f64 = 0.013;
/// Noise without any zinc, g/m2.
const BACKGROUND: f64 = 0.3;
/// Coils between two calibrations.
const CALIBRATION_COILS: u64 = 400;

/// The gauges on one coil.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauges {
    /// Reading over weight.
    pub gain: [f64; GAUGES],
    /// Reading without zinc, g/m2.
    pub zero: [f64; GAUGES],
    /// A gauge that reads nothing on this coil.
    pub dead: Option<usize>,
    /// Gauge (column), first row and number of rows without a reading.
    pub dropouts: Vec<(usize, usize, usize)>,
}

impl Gauges {
    /// Of a line (`seed`) at its `index`th coil of this many rows. Calibration depends on the index alone, so that
    /// neighbouring coils share it; what fails is drawn from `coil`.
    pub fn draw(seed: u64, index: u64, rows: usize, coil: &mut ChaCha8Rng) -> Self {
        let mut period = rng(seed, Stream::Gauges, index / CALIBRATION_COILS);
        let worn = (index % CALIBRATION_COILS) as f64 / CALIBRATION_COILS as f64;
        let mut normal = |deviation: f64| deviation * period.sample::<f64, _>(StandardNormal);
        // Set to within half a per cent, wandering another one until the next calibration, warmer and colder by day.
        let gain = std::array::from_fn(|_| {
            let (set, drift, phase) = (normal(0.005), normal(0.01), normal(1.0));
            1.0 + set + drift * worn + 0.002 * (TAU * (worn * 16.0 + phase)).sin()
        });
        let zero = std::array::from_fn(|_| normal(0.25));
        let dead = (coil.random::<f64>() < 0.006).then(|| coil.random_range(0..GAUGES));
        let mut dropouts = Vec::new();
        while coil.random::<f64>() < 0.25 {
            let length = 1 + (120.0 * coil.random::<f64>().powi(2)) as usize;
            dropouts.push((coil.random_range(0..GAUGES), coil.random_range(0..rows), length));
        }
        Self { gain, zero, dead, dropouts }
    }

    /// Readings in g/m2, to the hundredth, not a number where there is none. The scale ends at `most`.
    pub fn read(&self, film: &Film, most: f64, rng: &mut ChaCha8Rng) -> Vec<[f32; GAUGES]> {
        let mut rows: Vec<[f32; GAUGES]> = film
            .rows
            .iter()
            .map(|row| {
                std::array::from_fn(|g| {
                    let weight = f64::from(row[g]);
                    let deviation = (COUNTING * weight).hypot(BACKGROUND);
                    let noisy = weight + deviation * rng.sample::<f64, _>(StandardNormal);
                    let reading = (self.gain[g] * noisy + self.zero[g]).clamp(0.0, most);
                    ((100.0 * reading).round() / 100.0) as f32
                })
            })
            .collect();
        for &(gauge, first, length) in &self.dropouts {
            for row in rows.iter_mut().skip(first).take(length) {
                row[gauge] = f32::NAN;
            }
        }
        if let Some(gauge) = self.dead {
            for row in &mut rows {
                row[gauge] = f32::NAN;
            }
        }
        rows
    }
}
