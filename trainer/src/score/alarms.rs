//! What a model's decisions mean on the line, where NOK coils are rare.
//!
//! A test set seldom has the line's share of NOK coils. Recall and false-alarm rate do not depend on that share;
//! precision and F1 do. Here the two rates are carried over to a stated prevalence.

use serde::{Deserialize, Serialize};

use super::{Class, Confusion};

/// The share of NOK coils on the line unless said otherwise: 3 %.
pub const LINE_PREVALENCE: f64 = 0.03;

/// Expectations per 1,000 coils at a stated share of NOK coils.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OnTheLine {
    /// The share of NOK coils assumed.
    pub prevalence: f64,
    /// NOK coils found, per 1,000 coils.
    pub found: f64,
    /// NOK coils let through, per 1,000 coils.
    pub misses: f64,
    /// OK coils stopped, per 1,000 coils.
    pub false_alarms: f64,
    /// F1 of NOK at this prevalence.
    pub f1: f64,
}

impl OnTheLine {
    /// Carries the counts over to `prevalence`; `None` unless both classes were counted.
    pub fn at(prevalence: f64, confusion: &Confusion) -> Option<Self> {
        let found = 1000.0 * prevalence * confusion.recall(Class::Nok)?;
        let misses = 1000.0 * prevalence - found;
        let false_alarms = 1000.0 * (1.0 - prevalence) * (1.0 - confusion.recall(Class::Ok)?);
        let touched = 2.0 * found + misses + false_alarms;
        let f1 = if touched > 0.0 { 2.0 * found / touched } else { 0.0 };
        Some(Self { prevalence, found, misses, false_alarms, f1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::f1::f1;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // A balanced set of 60: 27 of 30 found, 3 of 30 stopped for nothing. At 3 %: 27 found, 3 missed,
        // 970 * 0.1 = 97 false alarms, F1 = 54 / (54 + 3 + 97).
        let c = Confusion { true_nok: 27, false_nok: 3, false_ok: 3, true_ok: 27 };
        let line = OnTheLine::at(LINE_PREVALENCE, &c).unwrap();
        assert!((line.found - 27.0).abs() < 1e-9);
        assert!((line.misses - 3.0).abs() < 1e-9);
        assert!((line.false_alarms - 97.0).abs() < 1e-9);
        assert!((line.f1 - 54.0 / 154.0).abs() < 1e-12);
        assert_eq!(OnTheLine::at(0.03, &Confusion { true_ok: 4, ..Confusion::default() }), None);
    }

    proptest! {
        #[test]
        fn at_the_samples_own_share_nothing_changes(
            tp in 1_u64..90, fp in 0_u64..90, fal in 0_u64..90, tn in 1_u64..90
        ) {
            let c = Confusion { true_nok: tp, false_nok: fp, false_ok: fal, true_ok: tn };
            let line = OnTheLine::at(c.nok() as f64 / c.coils() as f64, &c).unwrap();
            prop_assert!((line.f1 - f1(&c, Class::Nok).unwrap()).abs() < 1e-12);
            prop_assert!((line.misses - 1000.0 * fal as f64 / c.coils() as f64).abs() < 1e-9);
            prop_assert!((line.false_alarms - 1000.0 * fp as f64 / c.coils() as f64).abs() < 1e-9);
        }
    }
}
