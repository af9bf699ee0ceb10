//! Beside the coil's way: inspectors' words, kept for ever, each once.

use super::pass::short_hex;
use super::{Line, Result};
use crate::archive::FeedbackStored;
use coilsight_models::message::inbound::Feedback;
use coilsight_models::tally::{Fate, Reason};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Feedback as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedbackRecord {
    /// What was said.
    #[serde(flatten)]
    pub feedback: Feedback,
    /// Whether the coil was known here when it was said; words on unknown coils are kept apart.
    pub known: bool,
}

impl Line {
    /// Keeps an inspector's word. The same word twice is one; contradicting words are both kept, for
    /// people change their mind and disagree.
    pub(super) fn feedback(&mut self, feedback: &Feedback) -> Result<Fate> {
        let id = &feedback.coil_id;
        let known = self.open.contains_key(id) || !self.archive.passes_of(id.as_str())?.is_empty();
        let record = FeedbackRecord { feedback: feedback.clone(), known };
        // Plain data: writing them to memory has no way to fail.
        let said = serde_json::to_vec(feedback).expect("feedback becomes JSON");
        let json = serde_json::to_vec(&record).expect("feedback becomes JSON");
        let key = short_hex(&Sha256::digest(&said));
        Ok(match self.archive.feedback(&key, &json)? {
            FeedbackStored::Known => Fate::Duplicate,
            FeedbackStored::Recorded if known => Fate::Used,
            FeedbackStored::Recorded => Fate::SetAside(Reason::UnknownCoil),
        })
    }
}
