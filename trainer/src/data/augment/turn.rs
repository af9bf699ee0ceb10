//! The strip turned, and its sides exchanged: what an inspector says does not depend on it.
//!
//! A coil is unwound from either end, and can be turned over; the gauges stand alike on both sides. Flips are the paper's
//! (section 3.1); a side swap exchanges all of top and bottom, so that what lies opposite stays opposite.

use super::{AugmentConfig, Sheet};
use coilsight_models::coil::{CHUNKS, GAUGES, SIDE_GAUGES};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Turns it as the settings say.
pub fn apply(config: &AugmentConfig, sheet: &mut Sheet, rng: &mut ChaCha8Rng, changes: &mut Vec<String>) {
    let mut toss = |name: &str, probability| {
        let thrown = rng.random_bool(probability);
        if thrown {
            changes.push(name.into());
        }
        thrown
    };
    let flip_length = toss("flip_length", config.flip_length);
    let flip_width = toss("flip_width", config.flip_width);
    let swap_sides = toss("swap_sides", config.swap_sides);
    if !(flip_length || flip_width || swap_sides) {
        return;
    }
    let from = |chunk: usize, column: usize| {
        let (mut side, mut gauge) = (column / SIDE_GAUGES, column % SIDE_GAUGES);
        let chunk = if flip_length { CHUNKS - 1 - chunk } else { chunk };
        if flip_width {
            gauge = SIDE_GAUGES - 1 - gauge;
        }
        if swap_sides {
            side = 1 - side;
        }
        chunk * GAUGES + side * SIDE_GAUGES + gauge
    };
    for plane in [&mut sheet.mean, &mut sheet.std] {
        let before = plane.clone();
        for (to, cell) in plane.iter_mut().enumerate() {
            *cell = before[from(to / GAUGES, to % GAUGES)];
        }
    }
}
