//! NOK coils made of OK ones: a flaw that the rare class lacks, on strip that it never ran over.
//!
//! Made coils stand beside the training coils as coils of their own, a fixed number of them: an item keeps its label, samplers
//! and references see them as any other NOK coil, what frozen stages give for them can be kept, and every draw changes
//! them further. They are made of the coils that a network trains on and of no others, never of those that judge it.
//! The OK coil stays, too: the pair differs by the flaw alone.
//!
//! The label must be true. A made coil is NOK because its flaw by itself is worse than what made real coils of its class NOK
//! ([`severity()`], by default worse than half of them); flaws that are not are drawn anew. Flaws come from two places:
//!
//! - [`drawn`]: a simulated flaw of a galvanizing line, through the physics of wiping, row by row.
//! - [`borrowed`]: what a real NOK coil of the same or a more lenient class deviates from its own gauges' medians. The paper warns
//!   of cut and paste because a coating defect's signature is subtle (section 3.1); here nothing is cut, a deviation is faded
//!   in over what the coil shows itself, and measured whether it did any good.

pub mod borrowed;
pub mod drawn;
mod severity;
#[cfg(test)]
mod tests;

use super::{AugmentConfig, Sheet};
use crate::data::coils::LabelledCoil;
use crate::nn::seed::{Purpose, generator};
use coilsight_models::coil::{CELLS, Order, ToleranceClass};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
pub use severity::severity;

/// Flaws drawn for a coil before it is left alone.
const ATTEMPTS: usize = 200;

/// A NOK coil that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The coil, called as the OK one was.
    pub coil: LabelledCoil,
    /// What was done to it.
    pub how: String,
}

/// What a flaw does to each cell.
pub struct Change {
    /// Factor on the mean.
    pub factor: Vec<f64>,
    /// What the flaw adds to the spread inside the chunk, over the mean; root of the sum of squares.
    pub spread: Vec<f64>,
    /// What it is.
    pub how: String,
}

impl Change {
    /// No change.
    fn none(how: String) -> Self {
        Self { factor: vec![1.0; CELLS], spread: vec![0.0; CELLS], how }
    }

    /// A coil with it. Gaps stay gaps; nothing exceeds twice the order, which a line would not believe.
    fn on(&self, coil: &LabelledCoil, order: &Order) -> LabelledCoil {
        let mut sheet = Sheet::of(&coil.matrix);
        let most = 100.0 * order.max_reading();
        for cell in 0..CELLS {
            if sheet.read(cell) {
                let mean = (sheet.mean[cell] * self.factor[cell]).clamp(1.0, most);
                sheet.std[cell] = sheet.std[cell].hypot(self.spread[cell] * sheet.mean[cell]);
                sheet.mean[cell] = mean;
            }
        }
        LabelledCoil { matrix: sheet.into_matrix(), nok: true, ..coil.clone() }
    }
}

/// Makes NOK coils of training coils as the settings say; which, follows from the seed and the coils.
///
/// OK coils without an order, and those of a class of which no NOK coil is there to measure by, are left alone.
pub fn make(coils: &[&LabelledCoil], config: &AugmentConfig, seed: u64) -> Vec<Made> {
    if config.drawn_defects == 0.0 && config.borrowed_defects == 0.0 {
        return Vec::new();
    }
    let bars = ToleranceClass::ALL.map(|class| bar(coils, class, config.made_severity));
    let hosts: Vec<(&LabelledCoil, Order, f64)> = coils
        .iter()
        .filter(|coil| !coil.nok)
        .filter_map(|coil| coil.order.map(|order| (*coil, order)))
        .filter_map(|(coil, order)| Some((coil, order, bars[order.tolerance_class() as usize]?)))
        .collect();
    let donors = borrowed::Donor::of(coils);
    let kinds: [(u64, f64, &Flaws); 2] = [
        (1, config.drawn_defects, &|coil, order, rng| Some(drawn::flaw(coil, order, rng))),
        (2, config.borrowed_defects, &|_, order, rng| borrowed::flaw(&donors, order, rng)),
    ];
    let mut made = Vec::new();
    for (kind, share, flaws) in kinds {
        let mut chosen: Vec<usize> = (0..hosts.len()).collect();
        chosen.shuffle(&mut generator(seed, Purpose::Made, kind, u64::MAX));
        chosen.truncate((share * hosts.len() as f64).round() as usize);
        let one = |host: &usize| {
            let (coil, order, bar) = hosts[*host];
            let mut rng = generator(seed, Purpose::Made, kind, *host as u64);
            bad_enough(coil, &order, bar, flaws, &mut rng)
        };
        made.par_extend(chosen.par_iter().filter_map(one));
    }
    made
}

/// Draws flaws for a coil.
type Flaws<'a> = dyn Fn(&LabelledCoil, &Order, &mut ChaCha8Rng) -> Option<Change> + Sync + 'a;

/// The first flaw that is bad enough, on its coil.
fn bad_enough(
    coil: &LabelledCoil,
    order: &Order,
    bar: f64,
    flaws: &Flaws,
    rng: &mut ChaCha8Rng,
) -> Option<Made> {
    let before = severity(&coil.matrix, order);
    (0..ATTEMPTS).find_map(|_| {
        let change = flaws(coil, order, rng)?;
        let coil = change.on(coil, order);
        let enough = severity(&coil.matrix, order) - before >= bar;
        enough.then_some(Made { coil, how: change.how })
    })
}

/// The quantile of the severity of a class's NOK coils, at least one cell a tenth too thin; `None` if there are none.
fn bar(coils: &[&LabelledCoil], class: ToleranceClass, quantile: f64) -> Option<f64> {
    let of = |coil: &&LabelledCoil| {
        let order = coil.order.filter(|order| coil.nok && order.tolerance_class() == class)?;
        Some(severity(&coil.matrix, &order))
    };
    let mut severities: Vec<f64> = coils.iter().filter_map(of).collect();
    severities.sort_by(f64::total_cmp);
    let at = (quantile * severities.len().saturating_sub(1) as f64).round() as usize;
    severities.get(at).map(|bar| bar.max(0.1))
}
