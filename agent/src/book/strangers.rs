//! Words of people who are no operators: they count for nothing, and somebody should see who it was.

use coilsight_models::message::inbound::Feedback;
use std::collections::VecDeque;

/// Words that are kept at hand, the latest.
pub const MAX_LATEST: usize = 100;

/// How many there were, and the latest.
#[derive(Debug, Default)]
pub struct Strangers {
    count: u64,
    latest: VecDeque<Feedback>,
}

impl Strangers {
    pub(super) fn hear(&mut self, word: Feedback) {
        self.count += 1;
        if self.latest.len() >= MAX_LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back(word);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The latest, the last one first.
    pub fn latest(&self) -> impl Iterator<Item = &Feedback> {
        self.latest.iter().rev()
    }
}
