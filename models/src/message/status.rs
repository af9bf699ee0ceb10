//! How the agent is: retained, with a last will. Version 1.

use super::assessment::ModelUsed;
use super::notification::Subject;
use crate::tally::Tally;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the status's form.
pub const VERSION: u32 = 1;

/// Whether the agent is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It takes messages and decides.
    Online,
    /// It is gone: stopped, or lost (the broker says so by the last will).
    Offline,
}

/// The agent's state, retained at the broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`VERSION`].
    pub version: u32,
    /// The line.
    pub line: String,
    /// Online or offline.
    pub state: State,
    /// Version of the agent.
    pub agent: String,
    /// What follows is missing in the last will.
    #[serde(flatten)]
    pub running: Option<Running>,
}

/// How a running agent is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// By this machine's clock, if it is set.
    pub at: Option<Timestamp>,
    /// Since this process started, s.
    pub up_s: u64,
    /// What judges; `null` without a usable bundle.
    pub bundle: Option<ModelUsed>,
    /// What is not as it should be; empty if all is well.
    pub health: Vec<Trouble>,
    /// What waits where.
    pub queues: Queues,
    /// Where every message and row since the start of this process ended.
    pub sums: Tally,
    /// Decisions in the archive.
    pub decisions: u64,
    /// Room taken by the archive and its cap, bytes.
    pub archive_bytes: [u64; 2],
}

/// Something that is not as it should be, for as long as it lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What it is about.
    pub topic: Subject,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub to_do: String,
    /// The same for programs that say it in another language; without it there is only the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
}

/// A code, and what belongs to it: `{"code": "no_echo", "topic": "plant/gl2/status"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// What it is.
    pub code: String,
    /// Its particulars, by name.
    #[serde(flatten)]
    pub values: serde_json::Map<String, serde_json::Value>,
}

impl Why {
    /// A code by itself.
    pub fn of(code: &str) -> Self {
        Self { code: code.to_owned(), values: serde_json::Map::new() }
    }

    /// With a particular more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        // Plain data: becoming a value has no way to fail, and what did would be left out.
        if let Ok(value) = serde_json::to_value(value) {
            self.values.insert(name.to_owned(), value);
        }
        self
    }
}

/// What waits where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Coils that are open.
    pub open_coils: usize,
    /// Rows of open coils held in memory.
    pub open_rows: usize,
    /// Messages taken from the broker and not yet acknowledged.
    pub unacknowledged: usize,
    /// Publications that the broker has not acknowledged.
    pub unconfirmed: usize,
    /// Decisions and words that wait to be published.
    pub outbox: u64,
}
