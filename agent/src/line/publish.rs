//! Sixth call: what is decided leaves the outbox once whoever it is for has taken it.

use super::{Error, Line, Result};
use crate::archive::{Archive, Decision, Waiting};
use coilsight_models::message::assessment::Assessment;
use coilsight_models::message::disposition::Disposition;

/// Whoever decisions are handed to, one by one: standard output, a test.
pub trait Publish {
    /// Hands a decision on; its matrix is in the archive. The same `decision_id` may come again after a
    /// crash.
    fn publish(&mut self, assessment: &Assessment, archive: &Archive) -> std::result::Result<(), NotTaken>;
}

/// Why a decision was not taken; it stays in the outbox.
pub type NotTaken = Box<dyn std::error::Error + Send + Sync>;

/// Something that waits to be handed on.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// A decision.
    Assessment(Box<Assessment>),
    /// What an inspector made of one.
    Disposition(Box<Disposition>),
}

/// What is read from the outbox at once.
const BATCH: usize = 64;

impl Line {
    /// The first `limit` things in the outbox, oldest first, each with the name that its receipt bears.
    pub fn outbox(&self, limit: usize) -> Result<Vec<(String, Outgoing)>> {
        let mut waiting = Vec::new();
        for one in self.archive.outbox(limit)? {
            let id = one.id().to_owned();
            let outgoing = match one {
                Waiting::Decision(decision) => Some(Outgoing::Assessment(Box::new(read(&decision)?))),
                Waiting::Feedback(word) => {
                    self.disposition(&word)?.map(|word| Outgoing::Disposition(Box::new(word)))
                }
            };
            waiting.extend(outgoing.map(|outgoing| (id, outgoing)));
        }
        Ok(waiting)
    }

    /// Notes that these were taken: they leave the outbox.
    pub fn taken(&self, ids: &[&str]) -> Result<()> {
        Ok(self.archive.receipts(ids)?)
    }

    /// Publishes every decision that is in the outbox, oldest first; says how many. Words on decisions are taken
    /// as read: whoever takes decisions one by one has no use for them.
    pub fn publish(&mut self, to: &mut dyn Publish) -> Result<usize> {
        let mut published = 0;
        loop {
            let waiting = self.outbox(BATCH)?;
            if waiting.is_empty() {
                return Ok(published);
            }
            for (id, outgoing) in &waiting {
                if let Outgoing::Assessment(assessment) = outgoing {
                    to.publish(assessment, &self.archive)
                        .map_err(|source| Error::Publish { decision_id: id.clone(), source })?;
                    published += 1;
                }
                self.taken(&[id])?;
            }
        }
    }
}

fn read(decision: &Decision) -> Result<Assessment> {
    serde_json::from_slice(&decision.json)
        .map_err(|source| Error::Assessment { decision_id: decision.decision_id.clone(), source })
}
