//! What frozen stages make of coils, kept on disk: computed once, used by every fold, repeat and head.
//!
//! A row belongs to a coil's content, to a draw of augmentation (k of K, or none), to the frozen stages' hash and to the
//! prepare contract. The plain way draws the same K augmentations and computes the frozen stages each time; both ways give
//! the same numbers.

mod draws;
mod source;
mod store;

pub use draws::{AS_IT_IS, Draws, draw_of};
pub use source::{KeepError, KeptSource, fill, needs, row_length};
pub use store::{Key, Store, StoreError};

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How much is kept, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepConfig {
    /// How many ways each coil is augmented in: K.
    pub draws: u32,
    /// Disk space for all that is kept, in MiB; 0 keeps nothing and computes the frozen stages each time.
    #[serde(default = "budget")]
    pub budget_mib: u64,
    /// Where; `kept` in the folder of the run when absent. Runs that share it share what they keep.
    #[serde(default)]
    pub folder: Option<PathBuf>,
}

fn budget() -> u64 {
    8192
}

#[cfg(test)]
mod tests;
