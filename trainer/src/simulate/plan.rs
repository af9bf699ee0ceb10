//! What to simulate, and what came of it.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::data::npy::NpyError;

/// The most coils of one run.
pub const MAX_COILS: u64 = 100_000;

/// What to simulate. Equal plans give equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// How many coils.
    pub count: u64,
    /// Where the randomness comes from.
    pub seed: u64,
    /// The chance that a coil is NOK.
    pub nok_share: f64,
    /// Flaws of any severity per coil, on average; most of them are borne by any customer.
    pub flaws_per_coil: f64,
    /// Coils of 500 to 900 m instead of 900 to 2,800 m, for recordings that ship.
    pub short: bool,
    /// In recordings: a coil's last messages come after the first of its successor, as around a weld.
    pub interleave: bool,
    /// In recordings: the line stands still for 25 minutes in the middle of the third coil.
    pub line_stop: bool,
    /// When the first coil starts.
    pub start: Timestamp,
    /// What coil ids begin with.
    pub id_prefix: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            count: 100,
            seed: 1,
            nok_share: 0.03,
            flaws_per_coil: 0.8,
            short: false,
            interleave: true,
            line_stop: true,
            // A Monday, at the start of the early shift: 2026-03-02T06:00:00Z.
            start: Timestamp::constant(1_772_431_200, 0),
            id_prefix: "SIM".to_owned(),
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Coils written.
    pub coils: u64,
    /// NOK coils among them.
    pub nok: u64,
}

/// Why nothing could be simulated.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// Too few or too many coils.
    #[error("between 1 and {MAX_COILS} coils can be simulated at once, not {0}")]
    Count(u64),
    /// The share of NOK coils is no share.
    #[error("the share of NOK coils must lie between 0 and 1, not {0}")]
    NokShare(f64),
    /// More or fewer flaws than the model is meant for.
    #[error("flaws per coil must lie between 0.05 and 10, not {0}: NOK coils need some, OK coils bear few")]
    Flaws(f64),
    /// Coil ids would break the plant interface's rule.
    #[error("coil ids cannot begin with {prefix:?}; use up to 32 letters, digits, '-' or '_'")]
    IdPrefix {
        /// What was given.
        prefix: String,
    },
    /// The name of the files would lead elsewhere.
    #[error("{name:?} is no plain file name; use letters, digits, '-', '_' and '.'")]
    Name {
        /// What was given.
        name: String,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A table cannot be written.
    #[error("cannot write {}", path.display())]
    Table {
        /// Which file.
        path: PathBuf,
        /// What the writer said.
        source: csv::Error,
    },
    /// A matrix file cannot be written.
    #[error("cannot write the matrices")]
    Matrix(#[from] NpyError),
}

impl Plan {
    /// Whether it can be carried out, under files called `name`.
    pub(super) fn check(&self, name: &str) -> Result<(), SimulateError> {
        if !(1..=MAX_COILS).contains(&self.count) {
            return Err(SimulateError::Count(self.count));
        }
        if !(0.0..=1.0).contains(&self.nok_share) {
            return Err(SimulateError::NokShare(self.nok_share));
        }
        if !(0.05..=10.0).contains(&self.flaws_per_coil) {
            return Err(SimulateError::Flaws(self.flaws_per_coil));
        }
        let plain = |text: &str, also: &str| {
            let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || also.contains(c);
            !text.is_empty() && text.chars().all(fine)
        };
        if !plain(&self.id_prefix, "") || self.id_prefix.len() > 32 {
            return Err(SimulateError::IdPrefix { prefix: self.id_prefix.clone() });
        }
        if !plain(name, ".") || name.starts_with('.') {
            return Err(SimulateError::Name { name: name.to_owned() });
        }
        Ok(())
    }
}
