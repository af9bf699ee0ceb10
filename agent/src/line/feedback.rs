//! Beside the coil's way: inspectors' words, kept for ever, each once, and what they make of a decision.

use super::pass::{PassKey, decision_id, short_hex};
use super::{Error, Line, Result};
use crate::archive::{self, FeedbackStored};
use crate::words::{self, FeedbackRecord, MAX_WORDS, Source};
use coilsight_models::coil::CoilId;
use coilsight_models::message::disposition::{self, Disposition};
use coilsight_models::message::inbound::Feedback;
use coilsight_models::tally::{Fate, Reason};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

impl Line {
    /// Keeps an inspector's word. The same word twice is one; contradicting words are both kept, for
    /// people change their mind and disagree. A stranger's word is kept too, about nothing.
    pub(super) fn feedback(&mut self, feedback: &Feedback) -> Result<Fate> {
        let quarantined = !self.operators.knows(&feedback.operator);
        let about = self.is_about(&feedback.coil_id, feedback.at)?;
        // On a decision that has too many the next is kept about nothing, too: each costs all that are there.
        let full = about.as_deref().map_or(Ok(false), |id| self.takes_no_more_on(id))?;
        let record = FeedbackRecord {
            feedback: feedback.clone(),
            known: about.is_some(),
            heard_at: self.now.wall,
            source: Source::Mqtt,
            quarantined,
            withdraws: None,
        };
        let about = about.filter(|_| !quarantined && !full);
        // Plain data: writing them to memory has no way to fail.
        let said = serde_json::to_vec(feedback).expect("feedback becomes JSON");
        let json = serde_json::to_vec(&record).expect("feedback becomes JSON");
        let key = short_hex(&Sha256::digest(&said));
        let stored = self.archive.feedback(&key, about.as_deref(), &json)?;
        if quarantined && stored == FeedbackStored::Recorded {
            self.quarantined += 1;
        }
        Ok(match stored {
            FeedbackStored::Known => Fate::Duplicate,
            FeedbackStored::Recorded if quarantined => Fate::SetAside(Reason::UnknownOperator),
            FeedbackStored::Recorded if full => Fate::SetAside(Reason::TooManyWords),
            FeedbackStored::Recorded if about.is_some() => Fate::Used,
            FeedbackStored::Recorded => Fate::SetAside(Reason::UnknownCoil),
        })
    }

    /// Whether a decision takes no more words.
    fn takes_no_more_on(&self, decision_id: &str) -> Result<bool> {
        let kept = self.archive.feedback_on(decision_id)?;
        // Nearly all have a few; only the others are looked at.
        if kept.len() < MAX_WORDS {
            return Ok(false);
        }
        let bad = |source| Error::Feedback { key: decision_id.to_owned(), source };
        Ok(words::read(&kept).map_err(bad)?.are_full())
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
        let bad = |source| Error::Feedback { key: word.key.clone(), source };
        let record: FeedbackRecord = serde_json::from_slice(&word.json).map_err(bad)?;
        let words = words::read(&self.archive.feedback_on(decision_id)?).map_err(bad)?;
        // As it was when it was heard: a disposition that is sent again says the same.
        let Some(then) = words.up_to(&word.key) else { return Ok(None) };
        let Some((this, stands)) = then.all().last().zip(Some(then.standing())) else { return Ok(None) };
        let overruled = |by: &str| (by != this.disposition_id).then(|| by.to_owned());
        let (label, superseded_by) = match this.label {
            Some(label) => (Some(label), stands.and_then(|word| overruled(&word.disposition_id))),
            None => (stands.and_then(|word| word.label), None),
        };
        Ok(Some(Disposition {
            version: disposition::VERSION,
            disposition_id: word.key.clone(),
            decision_id: decision_id.clone(),
            line: self.config.id.clone(),
            coil_id: record.feedback.coil_id,
            label,
            by: this.by.clone(),
            at: this.at,
            remark: this.remark.clone(),
            supersedes: this.supersedes.clone(),
            superseded_by,
        }))
    }
}
