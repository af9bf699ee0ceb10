//! How a line's models do by what inspectors say, and what asks for new ones.

use super::super::wire::{WireFault, check, named, read};
use super::Way;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// No report has more rows of figures, and no more triggers.
pub const MAX_ROWS: usize = 256;
/// No text in it is longer, bytes.
const MAX_TEXT: usize = 2048;

/// The newest figures and triggers of a line: retained, so that the record has them whenever it begins to listen. What was
/// in an earlier report and is not in this one stays in the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`super::VERSION`].
    pub version: u32,
    /// The line.
    pub line: String,
    /// By the line's clock.
    pub at: Timestamp,
    /// Fingerprint of the set that decides.
    pub set: String,
    /// Figures, a row a judge and tolerance class.
    pub performance: Vec<Performance>,
    /// The newest triggers, latest first.
    pub triggers: Vec<Trigger>,
}

/// How one judge does on one tolerance class: the paper's `mperformance`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// The set's fingerprint; `null` for the line as a whole.
    pub set: Option<String>,
    /// The model's name in its set; `ensemble` for all together, `line` for what went out.
    pub judge: String,
    /// The tolerance class; `null` for all.
    pub tolerance_class: Option<String>,
    /// Over which coils: `200c`, `30d`, `all`.
    pub window: String,
    /// Coils in the window.
    pub coils: u64,
    /// Coils with a word that stands.
    pub labelled: u64,
    /// Share judged right, weighted for having been drawn; `null` without enough words.
    pub score: Option<f64>,
    /// The score's 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Mean of the shares right among OK and among NOK coils.
    pub balanced_accuracy: Option<f64>,
    /// Matthews correlation coefficient.
    pub mcc: Option<f64>,
}

/// A rule that says that the models do badly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The rule.
    pub rule: String,
    /// The model's name in its set; `null` for all together.
    pub model: Option<String>,
    /// The set's fingerprint.
    pub set: String,
    /// When it was noticed.
    pub at: Timestamp,
    /// Whether it still holds: words that were taken back take it back.
    pub holds: bool,
    /// What was seen, for people.
    pub text: String,
    /// What they can do.
    pub to_do: String,
}

impl Report {
    /// Reads one.
    pub fn parse(payload: &[u8]) -> Result<Self, WireFault> {
        let way = Way::Report;
        let report: Self = read(way, payload)?;
        named(way, "line", &report.line)?;
        let few = report.performance.len() <= MAX_ROWS && report.triggers.len() <= MAX_ROWS;
        check(way, "performance", few, "and triggers must have at most 256 rows")?;
        let short = |text: &str| text.len() <= MAX_TEXT;
        let texts = report.triggers.iter().all(|t| short(&t.text) && short(&t.to_do) && short(&t.rule));
        check(way, "triggers", texts, "must have texts of at most 2048 bytes")?;
        for performance in &report.performance {
            named(way, "judge", &performance.judge)?;
            named(way, "window", &performance.window)?;
        }
        Ok(report)
    }
}
