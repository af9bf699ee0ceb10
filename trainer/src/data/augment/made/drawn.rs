//! A simulated flaw, as the line would have coated with it.
//!
//! Flaws are the simulator's ([`crate::simulate::kind`] names them), with its frequencies, sizes and strengths. Each acts on knife
//! pressure, distance, slot or film; the wiping model ([`crate::simulate::wiping`]) says by what factor the weight of a row
//! changes, and the chunk gets the rows' mean factor and their spread. The regulation of weight, which takes long flaws back slowly, is left out.

use super::Change;
use crate::data::coils::LabelledCoil;
use crate::simulate::ROW_M;
use crate::simulate::flaw::{Effect, Flaw};
use crate::simulate::line::{Setup, gauge_places_mm};
use crate::simulate::wiping::{SLOT_MM, coating_g_m2, pressure_kpa};
use coilsight_models::coil::{CHUNKS, GAUGES, Order, SIDE_GAUGES};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Draws a flaw for a coil of this length and order, on a line set up for the order.
pub fn flaw(coil: &LabelledCoil, order: &Order, rng: &mut ChaCha8Rng) -> Change {
    let length_m = coil.length_m.max(CHUNKS as f64 * ROW_M);
    let setup = Setup::draw(order, None, rng);
    let Some(flaw) = Flaw::draw(length_m, order.width_mm(), &BTreeMap::new(), rng) else {
        return Change::none("drawn_defects".into());
    };
    let line = Wiping::new(order, &setup);
    let mut change = Change::none(format!("drawn_defects {:?}", flaw.kind));
    let rows_of = |metres: f64| (metres / length_m * CHUNKS as f64).clamp(0.0, CHUNKS as f64);
    let (first, last) = (rows_of(flaw.from_m).floor() as usize, rows_of(flaw.to_m).ceil() as usize);
    for chunk in first..last {
        let row = |metres: f64| (metres / ROW_M).ceil() as usize;
        let chunk_m = length_m / CHUNKS as f64;
        let rows = row(chunk as f64 * chunk_m)..row((chunk + 1) as f64 * chunk_m);
        let n = rows.len().max(1) as f64;
        let (mut sum, mut squares) = ([0.0; GAUGES], [0.0; GAUGES]);
        for row in rows {
            let mut effect = Effect::NONE;
            flaw.act(row as f64 * ROW_M, &line.places_mm, &mut effect, rng);
            for column in 0..GAUGES {
                let off = line.factor(&effect, column) - 1.0;
                sum[column] += off;
                squares[column] += off * off;
            }
        }
        for column in 0..GAUGES {
            let mean = sum[column] / n;
            change.factor[chunk * GAUGES + column] = 1.0 + mean;
            change.spread[chunk * GAUGES + column] = (squares[column] / n - mean * mean).max(0.0).sqrt();
        }
    }
    change
}

/// A line that coats to order.
struct Wiping {
    places_mm: [f64; SIDE_GAUGES],
    speed: f64,
    distance_mm: f64,
    pressure: f64,
    weight: f64,
}

impl Wiping {
    fn new(order: &Order, setup: &Setup) -> Self {
        let weight = setup.margin * order.nominal_g_m2();
        let (speed, distance_mm) = (setup.speed, setup.distance_mm);
        let pressure = pressure_kpa(weight, speed, distance_mm);
        // What the model gives at this pressure, which has a floor.
        let weight = coating_g_m2(speed, pressure, distance_mm, SLOT_MM);
        Self { places_mm: gauge_places_mm(order.width_mm()), speed, distance_mm, pressure, weight }
    }

    /// Weight with an effect over weight without.
    fn factor(&self, effect: &Effect, column: usize) -> f64 {
        let (slot, shift, knife) =
            (effect.slot[column], effect.shift_mm[column], effect.pressure[column / SIDE_GAUGES]);
        let film = effect.film[column].max(0.0);
        if (slot, shift, knife) == (1.0, 0.0, 1.0) {
            return film;
        }
        let distance = self.distance_mm + shift;
        film * coating_g_m2(self.speed, self.pressure * knife, distance, SLOT_MM * slot) / self.weight
    }
}
