//! Sixth call: what is decided leaves the outbox once whoever it is for has taken it.

use super::{Error, Line, Result};
use crate::archive::Archive;
use coilsight_models::message::assessment::Assessment;

/// Whoever decisions are for: standard output today, a broker tomorrow.
pub trait Publish {
    /// Hands a decision on; its matrix is in the archive. The same `decision_id` may come again after a
    /// crash.
    fn publish(&mut self, assessment: &Assessment, archive: &Archive) -> std::result::Result<(), NotTaken>;
}

/// Why a decision was not taken; it stays in the outbox.
pub type NotTaken = Box<dyn std::error::Error + Send + Sync>;

/// Decisions read from the outbox at once.
const BATCH: usize = 64;

impl Line {
    /// Publishes everything that is in the outbox, oldest first; says how many.
    pub fn publish(&mut self, to: &mut dyn Publish) -> Result<usize> {
        let mut published = 0;
        loop {
            let waiting = self.archive.outbox(BATCH)?;
            if waiting.is_empty() {
                return Ok(published);
            }
            for decision in waiting {
                let decision_id = decision.decision_id;
                let assessment = serde_json::from_slice(&decision.json)
                    .map_err(|source| Error::Assessment { decision_id: decision_id.clone(), source })?;
                to.publish(&assessment, &self.archive)
                    .map_err(|source| Error::Publish { decision_id: decision_id.clone(), source })?;
                self.archive.receipt(&decision_id)?;
                published += 1;
            }
        }
    }
}
