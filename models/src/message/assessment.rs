//! What the plant hears: one assessment a pass, immutable. Version 1.

use crate::chunk::Coverage;
use crate::coil::{CoilId, Gauge, Order, Side};
use crate::tally::Counts;
use crate::verdict::{Cause, Verdict};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the assessment's form.
pub const VERSION: u32 = 1;

/// The decision on a pass, as it is stored and published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// [`VERSION`].
    pub version: u32,
    /// The decision's own name: the same pass always gets the same.
    pub decision_id: String,
    /// The line.
    pub line: String,
    /// The coil.
    pub coil_id: CoilId,
    /// When the pass began by its start; `null` if no start was heard.
    pub pass: Option<Timestamp>,
    /// OK, NOK or REVIEW.
    pub verdict: Verdict,
    /// OK or NOK by the threshold alone; `null` without a score.
    pub by_score: Option<Verdict>,
    /// The ensemble's P(NOK), between 0 and 1; `null` without a score.
    pub p_nok: Option<f64>,
    /// The ensemble's confidence: the weighted mean of its models'.
    pub confidence: Option<f64>,
    /// What each model says.
    pub votes: Vec<Vote>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Where on the strip the evidence lies, strongest first; empty for OK.
    pub evidence: Vec<Evidence>,
    /// What was ordered, if it is known.
    pub order: Option<Order>,
    /// Length of the strip, m, by its end or by what was seen.
    pub length_m: Option<f64>,
    /// How much of the coil was seen.
    pub coverage: Coverage,
    /// Where the pass's rows ended.
    pub rows: Counts,
    /// What judged it.
    pub model: ModelUsed,
    /// Whether this OK coil was drawn at random for a person to look at: what becomes of these says how many NOK coils
    /// pass as OK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<Drawn>,
    /// When and how fast.
    pub timing: Timing,
}

/// A draw by lot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    /// The share of OK coils that was drawn at the time, between 0 and 1: what one drawn coil stands for.
    pub share: f64,
}

/// One model's word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// The model's name in its bundle.
    pub model: String,
    /// OK or NOK by the policy's threshold.
    pub verdict: Verdict,
    /// Its P(NOK).
    pub p_nok: f64,
    /// The probability of the class it says.
    pub confidence: f64,
    /// Its weight in the ensemble.
    pub weight: f64,
}

/// A cause, as a code for programs and as text for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// For programs.
    #[serde(flatten)]
    pub cause: Cause,
    /// For people.
    pub text: String,
}

impl From<Cause> for Reason {
    fn from(cause: Cause) -> Self {
        Self { text: cause.to_string(), cause }
    }
}

/// A stretch of the strip that speaks for NOK.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// From here, m along the strip.
    pub from_m: f64,
    /// To here.
    pub to_m: f64,
    /// On this side.
    pub side: Side,
    /// Under these gauges.
    pub gauges: Vec<Gauge>,
    /// By how much the log-odds of NOK fall if this stretch is made unremarkable.
    pub weight: f64,
    /// What P(NOK) would then be.
    pub p_nok_without: f64,
    /// Mean deviation from the ordered weight there, in per cent; `null` without an order.
    pub deviation_percent: Option<f64>,
}

/// Which bundle judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsed {
    /// The bundle's name.
    pub bundle: String,
    /// Its release counter.
    pub release: u64,
    /// SHA-256 of the set's manifest, in hex.
    pub fingerprint: String,
    /// SHA-256 of the manifest that brought other thresholds for it, in hex, if any did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Version of the matrix-to-tensor contract.
    pub prepare: u32,
    /// The agent's version.
    pub agent: String,
}

/// When, by the line's messages, and how long it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// When the pass was closed, by the plant's time, if the plant gave any.
    pub closed_at: Option<Timestamp>,
    /// When the pass ended, by its end.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// From closing to verdict, ms.
    pub judged_in_ms: f64,
}
