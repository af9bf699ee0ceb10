//! The sums: every message and every row ends in exactly one of used, duplicate, set aside (reason).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Why a message, a row or a value was set aside. What is set aside is counted, and the rest goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The line of a recording is no JSON object with a topic and a payload.
    NotARecordingLine,
    /// A topic that the line does not listen to.
    UnknownTopic,
    /// More bytes than a message of its kind may have.
    Oversized,
    /// No JSON: cut off, garbage, or not in UTF-8.
    Malformed,
    /// It makes this program fail: please report it.
    Poisonous,
    /// JSON, but a field that the message cannot do without is missing or of the wrong kind.
    MissingField,
    /// The coil id breaks the rules (length, printable, no path, no markup).
    BadCoilId,
    /// A time that is no RFC 3339 time.
    BadTime,
    /// A length that no coil has.
    BadLength,
    /// A label that is neither OK nor NOK, an operator without a name, or a remark too long.
    BadFeedback,
    /// A matrix that is not 264 x 18.
    WrongShape,
    /// A row that has not 9 readings a side, or no position.
    WrongWidth,
    /// A position that is negative, not a number or beyond any coil.
    BadPosition,
    /// Negative, not a number, or beyond twice the order.
    AbsurdValue,
    /// The same position again with other readings: the first stands.
    Conflicting,
    /// The same coil's end or start again, saying something else: the first stands.
    Contradicting,
    /// A row beyond the coil's length.
    BeyondLength,
    /// It came after its pass had been decided.
    AfterDecision,
    /// Of a coil without a start, when more is open than may be: it goes to a person.
    TooMuchOpen,
    /// More rows than any coil has.
    TooManyRows,
    /// Feedback for a coil that is not known here: kept apart.
    UnknownCoil,
    /// Feedback of somebody who is not among the operators: kept apart, and about nothing.
    UnknownOperator,
    /// Feedback on a decision that has as many words as it takes: kept apart.
    TooManyWords,
    /// The line has no use for it (yet): surface pictures.
    NotHandled,
}

/// Where a message or a row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It counts.
    Used,
    /// The same thing had come before.
    Duplicate,
    /// It does not count, for this reason.
    SetAside(Reason),
}

/// How many things ended where. `received` is the sum of all the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All that came.
    pub received: u64,
    /// What counts.
    pub used: u64,
    /// What had come before.
    pub duplicate: u64,
    /// Rows of coils that are still open: where the coil ends says where they end.
    #[serde(default)]
    pub open: u64,
    /// What does not count, by reason.
    pub set_aside: BTreeMap<Reason, u64>,
}

impl Counts {
    /// Counts one thing that ended as `fate`.
    pub fn add(&mut self, fate: Fate) {
        self.add_many(fate, 1);
    }

    /// Counts `n` things that ended as `fate`.
    pub fn add_many(&mut self, fate: Fate, n: u64) {
        if n == 0 {
            return;
        }
        self.received += n;
        match fate {
            Fate::Used => self.used += n,
            Fate::Duplicate => self.duplicate += n,
            Fate::SetAside(reason) => *self.set_aside.entry(reason).or_default() += n,
        }
    }

    /// Whether everything received ended in exactly one place.
    pub fn adds_up(&self) -> bool {
        self.received == self.used + self.duplicate + self.open + self.set_aside.values().sum::<u64>()
    }
}

impl AddAssign<&Counts> for Counts {
    fn add_assign(&mut self, other: &Counts) {
        self.received += other.received;
        self.used += other.used;
        self.duplicate += other.duplicate;
        self.open += other.open;
        for (reason, n) in &other.set_aside {
            *self.set_aside.entry(*reason).or_default() += n;
        }
    }
}

/// The sums of messages, rows and single readings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Messages.
    pub messages: Counts,
    /// Rows across the strip; those of a message that could not be read are not known.
    pub rows: Counts,
    /// Single readings inside rows that were used: `used` was read, `absurd_value` set aside; `null`
    /// (no reading) is not received.
    pub readings: Counts,
}

impl Tally {
    /// Whether all three add up.
    pub fn adds_up(&self) -> bool {
        self.messages.adds_up() && self.rows.adds_up() && self.readings.adds_up()
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Tally) {
        self.messages += &other.messages;
        self.rows += &other.rows;
        self.readings += &other.readings;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_notice_when_they_do_not() {
        let mut counts = Counts::default();
        counts.add(Fate::Used);
        counts.add_many(Fate::SetAside(Reason::Malformed), 2);
        counts.add(Fate::Duplicate);
        assert!(counts.adds_up());
        assert_eq!(counts.received, 4);
        counts.used += 1;
        assert!(!counts.adds_up());
    }
}
