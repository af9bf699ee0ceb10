//! What eighteen gauges make of the film: noise, calibration, ageing, and now and then nothing.
//!
//! X-ray fluorescence gauges count photons: over the fifth of a second that half a metre of strip takes, that leaves
//! something over a per cent of the weight, and a little background. Gain and zero drift over weeks and are set back
//! by calibration; as a tube ages, counts fall and noise grows.

use std::f64::consts::TAU;

use coilsight_models::coil::GAUGES;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::line::Film;
use super::period::Place;
use super::{Stream, rng};

/// Relative noise of a row.
const COUNTING: f64 = 0.013;
/// Noise without any zinc, g/m2.
const BACKGROUND: f64 = 0.3;

/// The gauges on one coil.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauges {
    /// Reading over weight.
    pub gain: [f64; GAUGES],
    /// Reading without zinc, g/m2.
    pub zero: [f64; GAUGES],
    /// Factor on the noise of new gauges.
    pub noise: f64,
    /// Gauges that read nothing on this coil.
    pub dead: Vec<usize>,
    /// Gauge (column), first row and number of rows without a reading.
    pub dropouts: Vec<(usize, usize, usize)>,
}

impl Gauges {
    /// Of a line (`seed`) at its `index`th coil of this many rows. Calibration depends on the index and the plan
    /// alone, so that neighbouring coils share it; what fails is drawn from `coil`.
    pub(super) fn draw(seed: u64, index: u64, place: &Place<'_>, rows: usize, coil: &mut ChaCha8Rng) -> Self {
        let plan = &place.period.gauges;
        let mut set = rng(seed, Stream::Gauges, index / plan.calibrate_every);
        let worn = (index % plan.calibrate_every) as f64 / plan.calibrate_every as f64;
        let mut normal = |deviation: f64| deviation * set.sample::<f64, _>(StandardNormal);
        let planned = plan.gains(place.progress);
        // Wandering until the next calibration, warmer and colder by day: every 25 coils or so.
        let gain = std::array::from_fn(|g| {
            let (set, drift, phase) = (normal(plan.calibration), normal(plan.ageing), normal(1.0));
            let day = 0.002 * (TAU * ((index % 25) as f64 / 25.0 + phase)).sin();
            planned[g] * (1.0 + set + drift * worn + day)
        });
        let zero = std::array::from_fn(|_| normal(0.25));
        let mut dead = plan.dead.clone();
        if coil.random::<f64>() < plan.dead_share {
            dead.push(coil.random_range(0..GAUGES));
        }
        dead.sort_unstable();
        dead.dedup();
        let mut dropouts = Vec::new();
        while coil.random::<f64>() < 0.25 {
            let length = 1 + (120.0 * coil.random::<f64>().powi(2)) as usize;
            dropouts.push((coil.random_range(0..GAUGES), coil.random_range(0..rows), length));
        }
        Self { gain, zero, noise: plan.noise(place.progress), dead, dropouts }
    }

    /// Readings in g/m2, to the hundredth, not a number where there is none. The scale ends at `most`.
    pub fn read(&self, film: &Film, most: f64, rng: &mut ChaCha8Rng) -> Vec<[f32; GAUGES]> {
        let mut rows: Vec<[f32; GAUGES]> = film
            .rows
            .iter()
            .map(|row| {
                std::array::from_fn(|g| {
                    let weight = f64::from(row[g]);
                    let deviation = self.noise * (COUNTING * weight).hypot(BACKGROUND);
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
        for &gauge in &self.dead {
            for row in &mut rows {
                row[gauge] = f32::NAN;
            }
        }
        rows
    }
}
