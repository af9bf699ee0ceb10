//! How a line behaves.

use coilsight_models::message::Topics;
use coilsight_models::verdict::CoverageRule;
use serde::{Deserialize, Serialize};

/// How a line behaves; the plant's defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The line's id, as it stands in assessments.
    pub id: String,
    /// Where it listens.
    pub topics: Topics,
    /// How much of a coil must have been seen.
    pub coverage: CoverageRule,
    /// A coil without an end is closed after this long without a word, once a later coil has made
    /// progress, s. Longer than any line stop.
    pub silence_s: u64,
    /// A coil whose end came before all of its rows waits this long for the others, s.
    pub late_rows_s: u64,
    /// Coils open at once; one more closes one early, for a person to look at.
    pub max_open: usize,
    /// Rows of open coils held in memory, about 150 bytes each; more close a coil early.
    pub max_open_rows: usize,
    /// The share of OK coils that is drawn by lot for a person to look at, between 0 and 1.
    pub review_share: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            id: "gl2".into(),
            topics: Topics::default(),
            coverage: CoverageRule::default(),
            silence_s: 30 * 60,
            late_rows_s: 30,
            max_open: 256,
            max_open_rows: 600_000,
            review_share: 0.02,
        }
    }
}
