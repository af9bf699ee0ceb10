//! Counts of right and wrong decisions, and what follows from them directly.

use serde::{Deserialize, Serialize};

/// The two classes of coils.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Class {
    /// Sold as ordered.
    Ok,
    /// Not to be sold as ordered: the positive class.
    Nok,
}

/// A confusion matrix with NOK as the positive class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// NOK coils called NOK.
    pub true_nok: u64,
    /// OK coils called NOK: false alarms.
    pub false_nok: u64,
    /// NOK coils called OK: misses.
    pub false_ok: u64,
    /// OK coils called OK.
    pub true_ok: u64,
}

impl Confusion {
    /// Counts pairs of (is NOK, was called NOK).
    pub fn count(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut counts = Self::default();
        for (nok, called_nok) in pairs {
            match (nok, called_nok) {
                (true, true) => counts.true_nok += 1,
                (false, true) => counts.false_nok += 1,
                (true, false) => counts.false_ok += 1,
                (false, false) => counts.true_ok += 1,
            }
        }
        counts
    }

    /// How many coils were counted.
    pub fn coils(&self) -> u64 {
        self.nok() + self.ok()
    }

    /// How many of them are NOK.
    pub fn nok(&self) -> u64 {
        self.true_nok + self.false_ok
    }

    /// How many of them are OK.
    pub fn ok(&self) -> u64 {
        self.true_ok + self.false_nok
    }

    /// Share of coils called rightly; `None` without coils.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.true_nok + self.true_ok, self.coils())
    }

    /// Of the coils called `class`, the share that is; `None` where none was called so.
    pub fn precision(&self, class: Class) -> Option<f64> {
        match class {
            Class::Nok => ratio(self.true_nok, self.true_nok + self.false_nok),
            Class::Ok => ratio(self.true_ok, self.true_ok + self.false_ok),
        }
    }

    /// Of the coils that are `class`, the share called so; `None` where there is none.
    pub fn recall(&self, class: Class) -> Option<f64> {
        match class {
            Class::Nok => ratio(self.true_nok, self.nok()),
            Class::Ok => ratio(self.true_ok, self.ok()),
        }
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_shares_by_hand() {
        // 3 found, 1 missed, 2 false alarms, 4 rightly let go.
        let pairs = [
            (true, true),
            (true, true),
            (true, true),
            (true, false),
            (false, true),
            (false, true),
            (false, false),
            (false, false),
            (false, false),
            (false, false),
        ];
        let c = Confusion::count(pairs);
        assert_eq!(c, Confusion { true_nok: 3, false_nok: 2, false_ok: 1, true_ok: 4 });
        assert_eq!(c.accuracy(), Some(0.7));
        assert_eq!(c.precision(Class::Nok), Some(0.6));
        assert_eq!(c.recall(Class::Nok), Some(0.75));
        assert_eq!(c.precision(Class::Ok), Some(0.8));
        assert_eq!(c.recall(Class::Ok), Some(4.0 / 6.0));
    }

    #[test]
    fn nothing_counted_is_nothing_known() {
        let c = Confusion::default();
        assert_eq!(c.accuracy(), None);
        assert_eq!(c.precision(Class::Nok), None);
        assert_eq!(c.recall(Class::Ok), None);
    }
}
