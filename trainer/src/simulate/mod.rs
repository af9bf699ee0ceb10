//! A hot-dip galvanizing line in small: it makes coils to train on and recordings to replay, where a plant's own
//! may not be had.
//!
//! The strip leaves a zinc bath with a film of liquid zinc, and two air knives wipe it to weight. What the gauges
//! downstream read follows from knife pressure and distance, strip speed, the strip's shape between the knives, and
//! what goes wrong there. A module for each link of the chain:
//!
//! | module | what | source |
//! |---|---|---|
//! | [`wiping`] | coating weight from speed, pressure, distance and slot | Thornton & Graff 1976, Tuck 1983, Ellen & Tu 1984, Elsaadawy et al. 2007 |
//! | [`mod@line`] | speed, pressure and shape along a coil; the regulation of weight | common practice; plain integral control over a transport delay |
//! | [`kind`] | the kinds of defect, a table | a line's catalogue of defects and papers, named there |
//! | [`flaw`] | what goes wrong on a coil, where and how badly | |
//! | [`gauge`] | what is measured of it: noise, calibration, ageing, gaps | X-ray fluorescence gauges' counting noise |
//! | [`customer`], [`period`] | who orders what, and what changes from one period to the next | |
//! | [`inspector`] | OK or NOK, as inspectors rule | minimum at a single spot as in EN 10346, stricter and laxer by customer |
//! | [`plan`] | what to simulate, as a file, with limits | `trainer/scenarios` |
//! | [`mod@coil`] | one coil, from its seed | |
//! | [`picture`] | a coil of every kind of defect, to look at | |
//! | [`dataset`], [`truth`], [`mod@recording`] | files of them, and what was really there | plant interface |
//!
//! Figures are round ones for a line of this kind. Bow, edge, margin and wander were set after a look at the first moments
//! of one line's coils; nothing else was taken from a plant's data. Full references:
//! - J. A. Thornton, H. F. Graff, An analytical description of the jet finishing process for hot-dip metallic coatings
//!   on strip, Metallurgical Transactions B 7 (1976).
//! - E. O. Tuck, Continuous coating with gravity and jet stripping, Physics of Fluids 26 (1983).
//! - C. H. Ellen, C. V. Tu, An analysis of jet stripping of liquid coatings, Journal of Fluids Engineering 106 (1984).
//! - E. A. Elsaadawy et al., Coating weight model for the continuous hot-dip galvanizing process, Metallurgical and
//!   Materials Transactions B 38 (2007).

pub mod coil;
pub mod customer;
pub mod dataset;
mod error;
pub mod flaw;
pub mod gauge;
pub mod inspector;
pub mod kind;
pub mod line;
pub mod period;
pub mod picture;
pub mod plan;
pub mod recording;
mod table;
pub mod truth;
pub mod wiping;

#[cfg(test)]
mod tests;

pub use coil::{Coil, coil};
pub use dataset::coils;
pub use error::SimulateError;
pub use plan::{Plan, Summary};
pub use recording::recording;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Metres between rows across the strip (plant interface).
pub const ROW_M: f64 = 0.5;

/// What a stream of randomness is for: nothing that one draws moves what another draws.
#[derive(Debug, Clone, Copy)]
enum Stream {
    /// What is ordered for a run of coils.
    Campaign = 1,
    /// A coil.
    Coil = 2,
    /// The gauges' calibration over months.
    Gauges = 3,
    /// Who tells the appliance what, and when.
    Feedback = 4,
    /// What inspectors make of a coil.
    Inspectors = 5,
}

/// Randomness for one purpose and one index, whatever was drawn before and on whatever thread.
fn rng(seed: u64, stream: Stream, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((stream as u64) << 56 | index);
    rng
}
