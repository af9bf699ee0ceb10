//! A batch of what a line has decided and heard, in the order of its log.

use super::super::assessment::Assessment;
use super::super::wire::{WireFault, check, named, read};
use super::super::word::FeedbackRecord;
use super::{Place, Way};
use crate::coil::CoilMatrix;
use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

/// No batch has more records.
pub const MAX_RECORDS: usize = 256;

/// What a line's log says between two places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// [`super::VERSION`].
    pub version: u32,
    /// The line.
    pub line: String,
    /// The log's own name, drawn when it began: a machine that was set up anew begins another.
    pub log: String,
    /// Where it begins: all before was said to be stored.
    pub after: Place,
    /// Where it ends; behind `after`.
    pub upto: Place,
    /// Decisions and words between them, oldest first; none if nothing there concerns the record.
    pub records: Vec<Record>,
}

/// An entry of a line's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A decision: its id names it.
    Decision {
        /// As it was published.
        assessment: Box<Assessment>,
        /// What it was made of.
        matrix: Matrix,
    },
    /// An inspector's word: its key names it.
    Word {
        /// Its name: the disposition's id.
        key: String,
        /// The decision that it is about; `null` if it is about none.
        about: Option<String>,
        /// As it is kept.
        word: Box<FeedbackRecord>,
    },
}

/// A coil's matrix, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Matrix {
    /// [`CoilMatrix::to_bytes`] in base 64.
    Kept {
        /// The 19,008 bytes.
        data: String,
    },
    /// The line's disk had no room, or needed it for later coils: matrices are shed first.
    Shed,
    /// The coil had none.
    None,
}

impl Matrix {
    /// Of [`CoilMatrix::to_bytes`].
    pub fn of(bytes: &[u8]) -> Self {
        Self::Kept { data: Base64::encode_string(bytes) }
    }

    /// The matrix, if there is one.
    pub fn decode(&self) -> Result<Option<CoilMatrix>, WireFault> {
        let Self::Kept { data } = self else { return Ok(None) };
        let value = |why| WireFault::Value { kind: Way::Batch.into(), field: "matrix.data", why };
        let bytes = Base64::decode_vec(data).map_err(|_| value("must be base 64"))?;
        let matrix = CoilMatrix::from_bytes(&bytes).map_err(|_| value("must be a matrix of 264 x 18"))?;
        Ok(Some(matrix))
    }
}

impl Batch {
    /// Reads one; every matrix in it is known to decode.
    pub fn parse(payload: &[u8]) -> Result<Self, WireFault> {
        let way = Way::Batch;
        let batch: Self = read(way, payload)?;
        named(way, "line", &batch.line)?;
        named(way, "log", &batch.log)?;
        check(way, "upto", batch.upto > batch.after, "must lie behind `after`")?;
        check(way, "records", batch.records.len() <= MAX_RECORDS, "must be at most 256")?;
        for record in &batch.records {
            match record {
                Record::Decision { assessment, matrix } => {
                    named(way, "decision_id", &assessment.decision_id)?;
                    check(way, "line", assessment.line == batch.line, "must be the same in all records")?;
                    matrix.decode()?;
                }
                Record::Word { key, about, .. } => {
                    named(way, "key", key)?;
                    about.as_deref().map_or(Ok(()), |about| named(way, "about", about))?;
                }
            }
        }
        Ok(batch)
    }
}

/// Whether a batch whose `records` have so many bytes of JSON still takes one of `next`. Batches are kept short (512 KiB),
/// for what gets lost is sent again; the longest record that a log can hold (1 MiB and its matrix) goes alone.
pub fn fits(records: usize, bytes: usize, next: usize) -> bool {
    records == 0 || (records < MAX_RECORDS && bytes + next <= Way::Batch.max_bytes() / 8)
}
