//! A pass: one coil going over the line once, named by its coil id and its start's time.

use super::before::Before;
use crate::archive::SegmentId;
use coilsight_models::chunk::{Position, Row, Strip};
use coilsight_models::coil::{CoilId, CoilMatrix, MAX_READING, Order, OrderFault};
use coilsight_models::message::inbound::{Start, WholeCoil};
use coilsight_models::tally::{Counts, Fate, Reason};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::time::Duration;

/// A pass's name: gets one decision, ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassKey {
    /// By its start.
    Started(CoilId, Timestamp),
    /// Its start was not heard: the n-th of this coil's passes that ended so, from 0.
    Unheard(CoilId, u64),
}

impl PassKey {
    /// The coil.
    pub fn coil_id(&self) -> &CoilId {
        match self {
            Self::Started(id, _) | Self::Unheard(id, _) => id,
        }
    }

    /// When it began, if that was heard.
    pub fn started_at(&self) -> Option<Timestamp> {
        match self {
            Self::Started(_, at) => Some(*at),
            Self::Unheard(..) => None,
        }
    }
}

/// As the archive knows it. What follows the last `@` has none, so no two passes share a text.
impl fmt::Display for PassKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(id, at) => write!(f, "{id}@{at}"),
            Self::Unheard(id, n) => write!(f, "{id}@unheard-{n}"),
        }
    }
}

impl std::str::FromStr for PassKey {
    type Err = BadPassKey;

    fn from_str(text: &str) -> Result<Self, BadPassKey> {
        let bad = || BadPassKey(text.to_owned());
        let (id, pass) = text.rsplit_once('@').ok_or_else(bad)?;
        let id = CoilId::new(id).map_err(|_| bad())?;
        match pass.strip_prefix("unheard-") {
            Some(n) => n.parse().map(|n| Self::Unheard(id, n)).map_err(|_| bad()),
            None => pass.parse().map(|at| Self::Started(id, at)).map_err(|_| bad()),
        }
    }
}

/// A text that is no [`PassKey`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} names no pass: the archive was written by something else")]
pub struct BadPassKey(String);

/// A decision's name, from its line and pass: the same pass always gets the same, on any machine.
pub fn decision_id(line: &str, pass: &PassKey) -> String {
    let mut hash = Sha256::new();
    hash.update(b"coilsight decision 1\0");
    hash.update(line.as_bytes());
    hash.update(b"\0");
    hash.update(pass.to_string().as_bytes());
    short_hex(&hash.finalize())
}

/// The first 16 bytes of a hash, in hex.
pub(crate) fn short_hex(hash: &[u8]) -> String {
    hash.iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A coil of which fewer rows came has hardly begun.
const FEW_ROWS: usize = 100;

/// What a gateway that chunks by itself sent.
#[derive(Clone, Debug)]
pub(super) enum Given {
    /// A matrix.
    Matrix(CoilMatrix),
    /// A matrix that could not be used.
    Unusable(Reason),
}

/// A pass that has no decision yet.
#[derive(Debug)]
pub(super) struct OpenPass {
    pub coil_id: CoilId,
    /// Where its rows are kept; nowhere if it is closed as soon as it is heard of.
    pub segment: Option<SegmentId>,
    /// The set that judges it, to its end.
    pub bound: String,
    /// Its start, if it was heard.
    pub start: Option<Start>,
    /// Its length by its end, m.
    pub end: Option<f64>,
    /// When it ended, by its end.
    pub ended_at: Option<Timestamp>,
    /// Its rows so far.
    pub strip: Strip,
    /// Rows of the coil's pass before.
    pub before: Before,
    /// Where a row lies that the pass before had, too: until another comes for its place it stands.
    pub doubtful: BTreeSet<Position>,
    /// Instead of rows.
    pub given: Option<Given>,
    /// Rows that ended already: duplicates and what was set aside.
    pub rows: Counts,
    /// Rows that came while it was open and could not be read: they explain what is missing.
    pub unreadable: u64,
    /// Readings that were set aside when they came.
    pub readings: Counts,
    /// When the line last heard of it.
    pub heard: Duration,
    /// The line's step at which it was last heard of.
    pub step: u64,
    /// The line's step at which it was opened.
    pub opened: u64,
    /// It is closed before it is over.
    pub early: bool,
    /// A coil that began later has been closed already.
    pub overtaken: bool,
}

impl OpenPass {
    pub fn new(
        coil_id: CoilId,
        segment: Option<SegmentId>,
        bound: String,
        heard: Duration,
        step: u64,
    ) -> Self {
        Self {
            coil_id,
            segment,
            bound,
            start: None,
            end: None,
            ended_at: None,
            strip: Strip::default(),
            before: Before::default(),
            doubtful: BTreeSet::new(),
            given: None,
            rows: Counts::default(),
            unreadable: 0,
            readings: Counts::default(),
            heard,
            step,
            opened: step,
            early: false,
            overtaken: false,
        }
    }

    /// Its order data, or what is wrong with them; `None` if no start was heard.
    pub fn order(&self) -> Option<Result<Order, OrderFault>> {
        self.start.as_ref().map(|start| start.order)
    }

    /// The most a reading may be and be believed, g/m2.
    pub fn max_reading(&self) -> f64 {
        self.order().and_then(Result::ok).map_or(MAX_READING, |order| order.max_reading())
    }

    /// Whether a row changes what is known.
    pub fn is_news(&self, row: &Row) -> bool {
        self.strip.at(row.position).is_none() || self.gives_way(row)
    }

    /// Whether what lies at the row's place is the pass before's, and the row is not.
    pub fn gives_way(&self, row: &Row) -> bool {
        self.doubtful.contains(&row.position) && !self.before.has(row)
    }

    /// Takes a row. One that the pass before had, too, is that one delivered again, or a bench plays a coil twice: only what
    /// else comes for its place can tell.
    pub fn lay(&mut self, row: &Row) -> Fate {
        if self.gives_way(row) {
            self.doubtful.remove(&row.position);
            self.strip.replace(row);
            self.rows.add(Fate::Duplicate);
            return Fate::Used;
        }
        match self.strip.add(row) {
            fate if !self.before.has(row) => fate,
            Fate::Used => {
                self.doubtful.insert(row.position);
                Fate::Used
            }
            Fate::SetAside(Reason::Conflicting) => Fate::Duplicate,
            fate => fate,
        }
    }

    /// Metres of the strip that neither came nor were among what came and could not be read.
    pub fn lost_m(&self) -> f64 {
        let length_m = self.end.or_else(|| self.strip.seen_length_m());
        let Some(length_m) = length_m.filter(|_| self.given.is_none()) else { return 0.0 };
        let explained = self.unreadable as f64 * self.strip.step_m();
        (self.strip.missing_m(length_m) - explained).max(0.0)
    }

    /// Whether next to nothing is known of it.
    pub fn is_hardly_begun(&self) -> bool {
        self.strip.len() < FEW_ROWS && self.given.is_none()
    }

    /// Whether nothing more is awaited: its end is known, and its rows leave no hole up to there.
    pub fn is_complete(&self) -> bool {
        self.given.is_some() || self.end.is_some_and(|length_m| self.strip.missing_m(length_m) == 0.0)
    }

    /// The coil as the gateway has it, whole.
    pub fn take_whole(&mut self, coil: WholeCoil) {
        self.end = coil.length_m;
        self.start = Some(coil.start);
        self.readings.add_many(Fate::SetAside(Reason::AbsurdValue), coil.absurd_cells);
        self.given = Some(coil.matrix.map_or_else(Given::Unusable, Given::Matrix));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_keeps_its_decisions_name() {
        let id = CoilId::new("GL2-1").unwrap();
        let at = "2026-01-05T06:00:00Z".parse().unwrap();
        let pass = PassKey::Started(id.clone(), at);
        assert_eq!(pass.to_string(), "GL2-1@2026-01-05T06:00:00Z");
        for key in [pass.clone(), PassKey::Unheard(CoilId::new("a@b@").unwrap(), 7)] {
            assert_eq!(key.to_string().parse::<PassKey>().unwrap(), key);
        }
        let same = PassKey::Started(id.clone(), "2026-01-05T07:00:00+01:00".parse().unwrap());
        assert_eq!(
            decision_id("gl2", &pass),
            decision_id("gl2", &same),
            "the same moment, written otherwise"
        );
        assert_ne!(decision_id("gl2", &pass), decision_id("gl3", &pass));
        assert_ne!(decision_id("gl2", &pass), decision_id("gl2", &PassKey::Unheard(id, 0)));
    }
}
