//! What stands in the line's slots: retained at the broker, so that a trainer that was installed anew finds out
//! which release comes next.

use super::super::wire::{WireFault, named, read};
use super::Way;
use crate::bundle::{Id, Sha256};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A set in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Its name.
    pub name: Id,
    /// Its release.
    pub release: u64,
    /// What it is called by.
    pub fingerprint: Sha256,
}

/// The line's slots and counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// [`super::VERSION`].
    pub version: u32,
    /// The line.
    pub line: String,
    /// What decides.
    pub active: Option<Slot>,
    /// What is kept for its turn, or judges in shadow.
    pub candidate: Option<Slot>,
    /// What the line goes back to.
    pub last_good: Option<Slot>,
    /// The highest release ever accepted; 0 for none. The next must be higher.
    pub newest_release: u64,
    /// The latest signed time ever accepted.
    pub newest_time: Option<Timestamp>,
    /// Version of the trust document in force; 0 for none.
    pub trust_version: u64,
    /// By the line's clock, if it is set.
    pub at: Option<Timestamp>,
}

impl State {
    /// Reads one.
    pub fn parse(payload: &[u8]) -> Result<Self, WireFault> {
        let state: Self = read(Way::State, payload)?;
        named(Way::State, "line", &state.line)?;
        Ok(state)
    }

    /// The release that comes next.
    pub fn next_release(&self) -> u64 {
        self.newest_release.saturating_add(1)
    }
}
