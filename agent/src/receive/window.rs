//! Which pieces are there: all up to one, and some of the few after it.

use coilsight_models::message::model::MAX_WINDOW;

/// Pieces that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The first that is not.
    pub first: u32,
    /// Bit n: whether piece `first + n` is; bit 0 never is.
    beyond: u32,
}

impl Window {
    /// All before `first` are there.
    pub fn from(first: u32) -> Self {
        Self { first, beyond: 0 }
    }

    /// Whether a piece is one of those that may be taken now: not there, and not too far ahead.
    pub fn lacks(self, index: u32) -> bool {
        index.checked_sub(self.first).is_some_and(|n| n < MAX_WINDOW && self.beyond & (1 << n) == 0)
    }

    /// A piece that it lacks is there now.
    pub fn put(&mut self, index: u32) {
        debug_assert!(self.lacks(index));
        self.beyond |= 1 << (index - self.first);
        let run = self.beyond.trailing_ones();
        self.first += run;
        self.beyond >>= run;
    }

    /// How many are there.
    pub fn count(self) -> u32 {
        self.first + self.beyond.count_ones()
    }
}
