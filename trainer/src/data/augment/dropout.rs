//! Gauges and stretches of the strip that give no reading.
//!
//! In the training coils no gauge is dead, and one coil in ten has gaps of 3 to 69 chunks in a gauge or a few; on a line
//! gauges die and stay dead for shifts, and whole batches of rows are lost on their way (plant interface). Whoever judges there
//! must have seen it. The last gauge that reads is never taken.

use super::{AugmentConfig, Sheet};
use coilsight_models::coil::{CHUNKS, GAUGES, Gauge};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::ops::{Range, RangeInclusive};

/// Chunks of a gauge's gap: from the shortest that the training coils have to a quarter of the strip.
const GAP: RangeInclusive<usize> = 3..=CHUNKS / 4;
/// Chunks lost for all gauges: a batch of rows to a tenth of the strip.
const LOST: RangeInclusive<usize> = 1..=CHUNKS / 10;

/// Takes readings away as the settings say.
pub fn apply(config: &AugmentConfig, sheet: &mut Sheet, rng: &mut ChaCha8Rng, changes: &mut Vec<String>) {
    // Each is drawn whether it is used or not: one setting leaves the others' draws as they were.
    let dead: [bool; GAUGES] = std::array::from_fn(|_| rng.random_bool(config.gauge_dropout));
    let gaps: [(bool, Range<usize>); GAUGES] =
        std::array::from_fn(|_| (rng.random_bool(config.gap_dropout), stretch(GAP, rng)));
    let (lost, rows) = (rng.random_bool(config.lost_chunks), stretch(LOST, rng));
    let reads = |sheet: &Sheet, column: usize| (0..CHUNKS).any(|chunk| sheet.read(chunk * GAUGES + column));
    let mut alive = (0..GAUGES).filter(|column| reads(sheet, *column)).count();
    for (column, (gap, chunks)) in gaps.into_iter().enumerate() {
        if dead[column] && alive > 1 && reads(sheet, column) {
            alive -= 1;
            changes.push(format!("gauge_dropout {}", Gauge::of_column(column)));
            (0..CHUNKS).for_each(|chunk| sheet.blind(chunk, column));
        } else if gap {
            changes.push(format!("gap_dropout {}", Gauge::of_column(column)));
            chunks.for_each(|chunk| sheet.blind(chunk, column));
        }
    }
    if lost {
        changes.push(format!("lost_chunks {} to {}", rows.start, rows.end));
        rows.for_each(|chunk| (0..GAUGES).for_each(|column| sheet.blind(chunk, column)));
    }
}

/// A stretch of some chunks somewhere on the strip.
fn stretch(lengths: RangeInclusive<usize>, rng: &mut ChaCha8Rng) -> Range<usize> {
    let length = rng.random_range(lengths);
    let first = rng.random_range(0..=CHUNKS - length);
    first..first + length
}
