//! An inspector's word as a line keeps it, and as it travels to the plant's record.

use super::inbound::Feedback;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Feedback as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedbackRecord {
    /// What was said.
    #[serde(flatten)]
    pub feedback: Feedback,
    /// Whether the coil was known on the line when it was said; words on unknown coils are kept apart.
    pub known: bool,
    /// When it was heard, by the line's clock, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// How it came.
    #[serde(default)]
    pub source: Source,
    /// Said by somebody who is not among the operators: kept apart, and about nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quarantined: bool,
    /// The word that this one takes back; its label is then that word's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraws: Option<String>,
}

/// How a word came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Over the plant's broker.
    #[default]
    Mqtt,
    /// By the operators' page, or its REST interface.
    Page,
}
