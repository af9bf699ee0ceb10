//! Another customer for the same coil.
//!
//! A coil that is NOK for one class is NOK for every stricter one, and one that is OK is OK for every more lenient one.

use super::AugmentConfig;
use coilsight_models::coil::{Order, ToleranceClass};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Draws a class, and keeps it if the label still holds.
pub fn apply(
    config: &AugmentConfig,
    order: Order,
    nok: bool,
    rng: &mut ChaCha8Rng,
    changes: &mut Vec<String>,
) -> Order {
    if !rng.random_bool(config.other_class) {
        return order;
    }
    let class = ToleranceClass::ALL[rng.random_range(0..ToleranceClass::ALL.len())];
    // Strictest first: A < B < C.
    let holds = if nok { class <= order.tolerance_class() } else { class >= order.tolerance_class() };
    match Order::new(order.nominal_g_m2(), class, order.width_mm()) {
        Ok(other) if holds && other != order => {
            changes.push(format!("other_class {class}"));
            other
        }
        _ => order,
    }
}
