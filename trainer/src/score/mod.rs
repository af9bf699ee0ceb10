//! How good a model's judgement of coils is: a metric a file, each with hand-worked numbers in its tests.
//!
//! NOK is the positive class throughout. A row is a coil. Metrics that a sample cannot define (a ROC curve without
//! a NOK coil, say) are `None` rather than a made-up number.

pub mod alarms;
pub mod auc;
pub mod average_precision;
pub mod bca;
pub mod blocks;
pub mod bootstrap;
pub mod brier;
pub mod calibrate;
pub mod confusion;
pub mod corrected_t;
pub mod cost_curve;
pub mod curves;
pub mod delong;
pub mod f1;
#[cfg(test)]
mod golden;
pub mod holm;
pub mod mcc;
pub mod mcnemar;
pub mod mixture;
mod normal;
pub mod paired;
pub mod permutation;
pub mod ranked;
pub mod recalibration;
pub mod reliability;
pub mod report;
pub mod threshold;
pub mod units;
pub mod wilson;

pub use alarms::OnTheLine;
pub use auc::roc_auc;
pub use average_precision::average_precision;
pub use blocks::Blocks;
pub use bootstrap::{Bootstrap, Interval};
pub use calibrate::Platt;
pub use confusion::{Class, Confusion};
pub use report::{Judged, Report};
pub use threshold::{Costs, Thresholds};
pub use units::Units;

/// Log-odds of a probability, kept finite: certainty is cut off at one in a billion.
pub(crate) fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln()
}

/// The inverse of [`logit`].
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
