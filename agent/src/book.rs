//! The book: what is asked of every coil all day, in memory. The page's lists, the scores and the watch over drift
//! read it; the truth stays in the archive.
//!
//! It holds the newest [`MAX_COILS`] decisions, some 300 bytes each, in the order in which they were stored. It is
//! filled by walking the archive's log and kept up by following it ([`crate::archive::Archive::follow`]): nobody who
//! decides or says something has to think of it.

mod coil;
mod early;
mod list;
mod similar;
mod strangers;
#[cfg(test)]
mod tests;

pub use coil::{Coil, Vote};
pub use list::{Counts, Page, Query, Queue};
pub use similar::{Signature, Similar};
pub use strangers::Strangers;

use crate::archive::{self, Archive, Decision, Feedback, Followed, Mark};
use crate::words::FeedbackRecord;
use coilsight_models::message::assessment::Assessment;
use coilsight_models::verdict::Verdict;
use early::Early;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Decisions that are kept at hand.
pub const MAX_COILS: usize = 200_000;
/// Coils whose look is kept at hand, to find similar ones.
pub const MAX_SIGNATURES: usize = 5_000;

/// A coil's place in the book: grows with every decision.
pub type Seq = u64;

/// The newest decisions, by place, and what is asked of them.
#[derive(Debug, Default)]
pub struct Book {
    coils: VecDeque<Coil>,
    /// The place of the first of `coils`.
    first: Seq,
    places: HashMap<u128, Seq>,
    review: BTreeSet<Seq>,
    drawn: BTreeSet<Seq>,
    signatures: BTreeMap<Seq, Signature>,
    /// Names of models and fingerprints of sets: few, and in every coil.
    names: BTreeSet<Arc<str>>,
    /// Words on decisions that are not known yet.
    early: Early,
    /// Words of people who are no operators.
    strangers: Strangers,
    /// Grows with everything that is taken in.
    revision: u64,
    /// How far the archive's log is read; whoever holds it reads on.
    mark: Arc<Mutex<Mark>>,
}

/// Has a book take in what the archive has stored since the last time, at most about `bytes` of it; says whether there
/// may be more. Readers wait only while it is taken in, not while the archive is asked.
pub fn catch_up(book: &RwLock<Book>, archive: &Archive, bytes: u64) -> archive::Result<bool> {
    let mark = Arc::clone(&book.read().unwrap_or_else(PoisonError::into_inner).mark);
    // Held to the end: what was stored first is taken in first.
    let mut mark = mark.lock().unwrap_or_else(PoisonError::into_inner);
    let followed = archive.follow(&mut mark, bytes)?;
    if followed.is_empty() {
        return Ok(false);
    }
    let mut book = book.write().unwrap_or_else(PoisonError::into_inner);
    for one in &followed {
        book.take(one);
    }
    Ok(true)
}

impl Book {
    /// Takes in what was stored next. What cannot be read is left out: it can be asked for in the archive.
    pub fn take(&mut self, one: &Followed) {
        match one {
            Followed::Decision(decision) => self.decided(decision),
            Followed::Feedback(word) => self.said(word),
        }
    }

    fn decided(&mut self, decision: &Decision) {
        let Ok(assessment) = serde_json::from_slice::<Assessment>(&decision.json) else {
            tracing::warn!(decision_id = decision.decision_id, "a decision of a form that is not known here");
            return;
        };
        self.revision += 1;
        let mut coil = Coil::of(&assessment, &mut |name| self.names_of(name));
        for (key, record) in self.early.on(&coil.decision_id) {
            coil.words.hear(&key, record);
        }
        let at = self.first + self.coils.len() as Seq;
        self.places.insert(key(&coil.decision_id), at);
        self.coils.push_back(coil);
        self.queue(at);
        while self.coils.len() > MAX_COILS {
            self.drop_oldest();
        }
    }

    fn names_of(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    fn drop_oldest(&mut self) {
        let Some(coil) = self.coils.pop_front() else { return };
        let at = self.first;
        self.first += 1;
        self.places.remove(&key(&coil.decision_id));
        self.review.remove(&at);
        self.drawn.remove(&at);
        self.signatures.remove(&at);
    }

    fn said(&mut self, word: &Feedback) {
        let Ok(mut record) = serde_json::from_slice::<FeedbackRecord>(&word.json) else {
            tracing::warn!(key = word.key, "a word of a form that is not known here");
            return;
        };
        self.revision += 1;
        if record.quarantined {
            self.strangers.hear(record.feedback);
            return;
        }
        let Some(about) = word.about.as_deref() else { return };
        // Remarks are long, and asked for a coil at a time: in the archive.
        record.feedback.remark = None;
        let Some(at) = self.place(about) else {
            return self.early.keep(about, &word.key, record);
        };
        self.coils[(at - self.first) as usize].words.hear(&word.key, record);
        self.queue(at);
    }

    /// Puts a coil into the queues that it belongs to, and takes it out of the others.
    fn queue(&mut self, at: Seq) {
        let coil = &self.coils[(at - self.first) as usize];
        let silent = coil.words.label().is_none();
        let (review, drawn) = (coil.verdict == Verdict::Review, coil.drawn.is_some());
        for (queue, belongs) in [(&mut self.review, review && silent), (&mut self.drawn, drawn && silent)] {
            if belongs {
                queue.insert(at);
            } else {
                queue.remove(&at);
            }
        }
    }

    /// How a decided coil looks, to find similar ones.
    pub fn sign(&mut self, decision_id: &str, signature: Signature) {
        let Some(at) = self.place(decision_id) else { return };
        self.signatures.insert(at, signature);
        while self.signatures.len() > MAX_SIGNATURES {
            self.signatures.pop_first();
        }
    }

    /// The place of a decision.
    pub fn place(&self, decision_id: &str) -> Option<Seq> {
        self.places.get(&key(decision_id)).copied().filter(|at| {
            // Two names with one hash: the later has it, and the other is not found here.
            self.get(*at).is_some_and(|coil| &*coil.decision_id == decision_id)
        })
    }

    /// The coil at a place.
    pub fn get(&self, at: Seq) -> Option<&Coil> {
        self.coils.get(usize::try_from(at.checked_sub(self.first)?).ok()?)
    }

    /// All that are at hand, oldest first.
    pub fn coils(&self) -> impl DoubleEndedIterator<Item = &Coil> + ExactSizeIterator {
        self.coils.iter()
    }

    /// The place of the oldest that is at hand, and the place behind the newest.
    pub fn span(&self) -> std::ops::Range<Seq> {
        self.first..self.first + self.coils.len() as Seq
    }

    /// Words kept of people who are no operators: how many, and the latest.
    pub fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    /// Grows with everything that is taken in.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

/// A decision's name as a number: it is 16 bytes in hex, and anything else is hashed.
fn key(decision_id: &str) -> u128 {
    if decision_id.len() == 32
        && let Ok(number) = u128::from_str_radix(decision_id, 16)
    {
        return number;
    }
    let hash = Sha256::digest(decision_id);
    hash.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}
