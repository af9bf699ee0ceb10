//! Words that were said while the coil was still on the line: its decision comes behind them in the log.

use crate::words::FeedbackRecord;
use std::collections::VecDeque;

/// Words that are waited with: a line has few coils open, and few people at them.
const MAX_EARLY: usize = 1_000;

/// Words on decisions that are not known yet, oldest first; beyond their bound the oldest go.
#[derive(Debug, Default)]
pub(super) struct Early(VecDeque<Word>);

#[derive(Debug)]
struct Word {
    about: Box<str>,
    key: Box<str>,
    record: FeedbackRecord,
}

impl Early {
    pub fn keep(&mut self, about: &str, key: &str, record: FeedbackRecord) {
        if self.0.len() >= MAX_EARLY {
            self.0.pop_front();
        }
        self.0.push_back(Word { about: about.into(), key: key.into(), record });
    }

    /// Those on a decision, by key, in the order in which they were heard; they are waited with no longer.
    pub fn on(&mut self, decision_id: &str) -> Vec<(Box<str>, FeedbackRecord)> {
        if !self.0.iter().any(|word| &*word.about == decision_id) {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.0).into_iter();
        let (now, later): (Vec<_>, Vec<_>) = all.partition(|word| &*word.about == decision_id);
        self.0 = later.into();
        now.into_iter().map(|word| (word.key, word.record)).collect()
    }
}
