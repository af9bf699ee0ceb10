//! Golden coils: a handful whose scores the line must reproduce before it uses a set.

use crate::data::coils::LabelledCoil;

/// Golden coils of a bundle: enough to feel every layer, few enough to be quick on a small box.
pub const GOLDEN_COILS: usize = 8;

/// Which coils: those whose P(NOK) lies at equal steps of rank, the least and the largest among them.
///
/// Around the middle networks are most easily moved, at the ends activations are the largest.
pub fn choose<'a>(coils: &'a [LabelledCoil], p_nok: &[f64]) -> Vec<&'a LabelledCoil> {
    let mut ranked: Vec<usize> = (0..coils.len()).collect();
    ranked.sort_by(|a, b| p_nok[*a].total_cmp(&p_nok[*b]));
    let count = GOLDEN_COILS.min(coils.len());
    (0..count).map(|i| &coils[ranked[i * (ranked.len() - 1) / (count - 1).max(1)]]).collect()
}
