//! Reading noise.
//!
//! A gauge counts X-ray quanta: repeated readings of one place spread normally. From chunk to chunk, readings of the training
//! coils differ by 0.7 to 0.8 % (standard deviation over the gauge's median, differences of neighbours over √2), noise and
//! coating together; another few tenths are what another gauge or a faster strip would show. The paper adds Gaussian noise, too
//! (section 3.1).

use super::{AugmentConfig, Sheet};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Adds it cell by cell.
pub fn apply(config: &AugmentConfig, sheet: &mut Sheet, rng: &mut ChaCha8Rng, changes: &mut Vec<String>) {
    if config.noise > 0.0 {
        changes.push("noise".into());
        sheet.scale(|_, _| 1.0 + config.noise * rng.sample::<f64, _>(StandardNormal));
    }
}
