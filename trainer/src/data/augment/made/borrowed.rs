//! A real NOK coil's flaw on another coil.
//!
//! A flaw is what a NOK coil deviates from its own gauges' medians, where that is remarkable (from 4 %, in full from 8 %, five and ten
//! times what coils of the training set spread by): strip that is as it should be lends nothing. It is moved along the strip, and
//! across it unless it lies at an edge, and made up to half as strong again. A thin head or tail comes of
//! the weld: where it is the flaw it stays there, else it is not lent.
//! It is lent to coils of the same or a stricter class alone: NOK for one class is NOK for every stricter one.

use super::Change;
use crate::data::augment::Sheet;
use crate::data::coils::LabelledCoil;
use coilsight_models::coil::{CELLS, CHUNKS, GAUGES, Order, SIDE_GAUGES, ToleranceClass};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Deviations up to this are not the flaw's.
const FROM: f64 = 0.04;
/// Deviations from this on are.
const FULL: f64 = 0.08;
/// Chunks at either end that count as head and tail.
const END: usize = 8;
/// Farthest that a flaw is moved along the strip, chunks: a quarter of it.
const FARTHEST: i64 = CHUNKS as i64 / 4;
/// Farthest that a flaw is moved across, gauges.
const FARTHEST_ACROSS: i64 = 2;
/// Strongest that a flaw is made.
const STRONGEST: f64 = 1.5;

/// A coil that lends its flaw.
pub struct Donor {
    id: String,
    class: ToleranceClass,
    /// Relative deviation cell by cell, 0 where nothing is remarkable.
    deviation: Vec<f64>,
    /// Standard deviation inside the chunk over the gauge's median, where the deviation is not 0.
    spread: Vec<f64>,
    /// Whether it must stay at an end; at an edge.
    at_end: bool,
    at_edge: bool,
}

impl Donor {
    /// All NOK coils with an order and a remarkable deviation.
    pub fn of(coils: &[&LabelledCoil]) -> Vec<Self> {
        coils.iter().filter(|coil| coil.nok).filter_map(|coil| Self::from(coil)).collect()
    }

    fn from(coil: &LabelledCoil) -> Option<Self> {
        let class = coil.order?.tolerance_class();
        let sheet = Sheet::of(&coil.matrix);
        let medians = sheet.medians();
        let (mut deviation, mut spread) = (vec![0.0; CELLS], vec![0.0; CELLS]);
        for cell in (0..CELLS).filter(|cell| sheet.read(*cell)) {
            let median = medians[cell % GAUGES];
            let off = sheet.mean[cell] / median - 1.0;
            let part = ((off.abs() - FROM) / (FULL - FROM)).clamp(0.0, 1.0);
            deviation[cell] = part * off;
            spread[cell] = part * sheet.std[cell] / median;
        }
        let at_end = share(&deviation, |chunk, _| !(END..CHUNKS - END).contains(&chunk))?;
        if !at_end {
            // What a thin head or tail adds to a flaw elsewhere is not moved with it.
            deviation[..END * GAUGES].fill(0.0);
            deviation[(CHUNKS - END) * GAUGES..].fill(0.0);
        }
        let at_edge = share(&deviation, |_, column| [0, SIDE_GAUGES - 1].contains(&(column % SIDE_GAUGES)))?;
        Some(Self { id: coil.id.to_string(), class, deviation, spread, at_end, at_edge })
    }
}

/// Whether more than half of a deviation lies within some chunks and columns; `None` where there is none at all.
fn share(deviation: &[f64], within: impl Fn(usize, usize) -> bool) -> Option<bool> {
    let inside = |cell: usize| within(cell / GAUGES, cell % GAUGES);
    let total: f64 = deviation.iter().map(|d| d.abs()).sum();
    let part: f64 = (0..CELLS).filter(|cell| inside(*cell)).map(|cell| deviation[cell].abs()).sum();
    (total > 0.0).then_some(part > 0.5 * total)
}

/// Draws a donor and a place; `None` if no coil of this class or a more lenient one has a flaw to lend.
pub fn flaw(donors: &[Donor], order: &Order, rng: &mut ChaCha8Rng) -> Option<Change> {
    let fitting: Vec<&Donor> = donors.iter().filter(|donor| donor.class >= order.tolerance_class()).collect();
    let donor = fitting.choose(rng)?;
    let (mut along, mut across) =
        (rng.random_range(-FARTHEST..=FARTHEST), rng.random_range(-FARTHEST_ACROSS..=FARTHEST_ACROSS));
    if donor.at_end {
        along = 0;
    }
    if donor.at_edge {
        across = 0;
    }
    let strength = rng.random_range(1.0..=STRONGEST);
    let how =
        format!("borrowed_defects of {}, {along:+} chunks, {across:+} gauges, x{strength:.2}", donor.id);
    let mut change = Change::none(how);
    for cell in 0..CELLS {
        let (chunk, column) = ((cell / GAUGES) as i64 - along, cell % GAUGES);
        let gauge = (column % SIDE_GAUGES) as i64 - across;
        if (0..CHUNKS as i64).contains(&chunk) && (0..SIDE_GAUGES as i64).contains(&gauge) {
            let from = chunk as usize * GAUGES + column / SIDE_GAUGES * SIDE_GAUGES + gauge as usize;
            change.factor[cell] = (1.0 + strength * donor.deviation[from]).max(0.0);
            change.spread[cell] = if donor.deviation[from] == 0.0 { 0.0 } else { donor.spread[from] };
        }
    }
    Some(change)
}
