//! Drift: whether the gauges, the strip, the orders or the models' scores are no longer what they were when coils
//! were first judged here; the models' scores, when the active set began to.
//!
//! Pure but for [`References`]: no clock, no archive, no thread. Who feeds it gives each judged coil as [`Columns`]; [`Watch`] keeps the first
//! of them as the reference and the newest as the window, and [`Watch::report`] says what a person should know.
//!
//! - [`columns`]: what is kept of a coil, some 300 bytes.
//! - [`distance`]: the figures people know (Kolmogorov-Smirnov, chi-square, Wasserstein, Jensen-Shannon, PSI), as
//!   Evidently computes them. They are shown. They do not decide.
//! - [`adjusted`]: what decides: the same order mix on both sides, as many coils as are worth one that is independent
//!   of the others, Holm's correction over all columns, and a least size of effect.
//! - [`neighbours`] and [`gauges`]: each gauge against what the other seventeen make one expect, coil by coil.
//! - [`References`]: new references that people took on purpose.
//! - [`watch`], [`report`], [`told`]: the sums, their form, and the words for it.
//!
//! What it finds how fast, and how often it is wrong, stands in `docs/measurements.md`.

pub mod adjusted;
pub mod columns;
mod config;
pub mod distance;
pub mod gauges;
#[cfg(test)]
mod golden;
pub mod neighbours;
mod references;
pub mod report;
mod special;
#[cfg(test)]
mod tests;
mod told;
pub mod watch;

pub use columns::{BadColumns, Columns, Kind, Seen};
pub use config::Config;
pub use references::{Of, References, Renewal};
pub use report::{Finding, Report};
pub use watch::{Coil, Watch};
