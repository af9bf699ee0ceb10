//! Beside the coil's way: inspectors' words, kept for ever, each once, and what they make of a decision.

use super::pass::{PassKey, decision_id, short_hex};
use super::{Error, Line, Result};
use crate::archive::{self, FeedbackStored};
use coilsight_models::coil::CoilId;
use coilsight_models::message::disposition::{self, Disposition};
use coilsight_models::message::inbound::Feedback;
use coilsight_models::tally::{Fate, Reason};
use jiff::Timestamp;
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
        let about = self.is_about(&feedback.coil_id, feedback.at)?;
        let record = FeedbackRecord { feedback: feedback.clone(), known: about.is_some() };
        // Plain data: writing them to memory has no way to fail.
        let said = serde_json::to_vec(feedback).expect("feedback becomes JSON");
        let json = serde_json::to_vec(&record).expect("feedback becomes JSON");
        let key = short_hex(&Sha256::digest(&said));
        Ok(match self.archive.feedback(&key, about.as_deref(), &json)? {
            FeedbackStored::Known => Fate::Duplicate,
            FeedbackStored::Recorded if about.is_some() => Fate::Used,
            FeedbackStored::Recorded => Fate::SetAside(Reason::UnknownCoil),
        })
    }

    /// The decision that a word said at `at` is about: on the coil's last pass that had begun by then, the open
    /// one included; on its first if none had, for clocks differ. `None` if the coil is not known.
    fn is_about(&self, coil: &CoilId, at: Timestamp) -> Result<Option<String>> {
        let mut passes = Vec::new();
        for key in self.archive.passes_of(coil.as_str())? {
            passes.push(key.parse::<PassKey>()?);
        }
        if let Some(open) = self.open.get(coil) {
            passes.push(self.key(open)?);
        }
        let begun = |pass: &&PassKey| pass.started_at().is_none_or(|started| started <= at);
        let pass = passes.iter().rev().find(begun).or(passes.first());
        Ok(pass.map(|pass| decision_id(&self.config.id, pass)))
    }

    /// What a kept word makes of the decision that it is about.
    pub fn disposition(&self, word: &archive::Feedback) -> Result<Option<Disposition>> {
        let Some(decision_id) = &word.about else { return Ok(None) };
        let Feedback { coil_id, label, operator, at, remark } = read(word)?;
        let (mut before, mut after) = (None::<(Timestamp, String, bool)>, None::<(Timestamp, String)>);
        let mut seen = false;
        for other in self.archive.feedback_on(decision_id)? {
            if other.key == word.key {
                seen = true;
                continue;
            }
            let said = read(&other)?;
            // Of two words of the same moment, the one heard later is the later.
            if said.at < at || (said.at == at && !seen) {
                if before.as_ref().is_none_or(|(latest, ..)| *latest <= said.at) {
                    before = Some((said.at, other.key, said.label != label));
                }
            } else if !seen && after.as_ref().is_none_or(|(latest, _)| *latest <= said.at) {
                after = Some((said.at, other.key));
            }
        }
        Ok(Some(Disposition {
            version: disposition::VERSION,
            disposition_id: word.key.clone(),
            decision_id: decision_id.clone(),
            line: self.config.id.clone(),
            coil_id,
            label,
            by: operator,
            at,
            remark,
            supersedes: before.filter(|(.., otherwise)| *otherwise).map(|(_, id, _)| id),
            superseded_by: after.map(|(_, id)| id),
        }))
    }
}

fn read(word: &archive::Feedback) -> Result<Feedback> {
    serde_json::from_slice::<FeedbackRecord>(&word.json)
        .map(|record| record.feedback)
        .map_err(|source| Error::Feedback { key: word.key.clone(), source })
}
