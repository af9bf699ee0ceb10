//! What the permanent log holds: decisions, inspectors' feedback, and receipts for what was published.
//!
//! Texts are `[u16 length][bytes]`, numbers little-endian, the JSON is what remains. A layout never changes:
//! another one gets another kind, and a version that does not know a kind passes over it.

use super::coils::MatrixAt;
use super::error::{Error, Result};
use super::frame::MAX_PAYLOAD;

/// No key or id is longer, in bytes.
pub const MAX_KEY: usize = 1024;
/// No JSON document in the log is longer, in bytes.
pub const MAX_JSON: usize = MAX_PAYLOAD - 8 * 1024;

const DECISION: u8 = 1;
const FEEDBACK: u8 = 2;
const RECEIPTS: u8 = 3;

/// What became of a decision's matrix when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatrixNote {
    /// The pass had none.
    Absent,
    /// There was no room for it.
    NoRoom,
    /// It was stored here.
    At(MatrixAt),
}

/// A record of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// A pass and its one decision.
    Decision {
        /// The decision's id.
        decision_id: &'a str,
        /// The coil's id.
        coil_id: &'a str,
        /// The pass's key.
        pass_key: &'a str,
        /// The segment that held its rows; 0 for none.
        segment: u64,
        /// Its matrix.
        matrix: MatrixNote,
        /// The decision itself.
        json: &'a [u8],
    },
    /// What an inspector said.
    Feedback {
        /// Tells it from every other feedback.
        key: &'a str,
        /// The decision it is about; empty if it is about none that is known.
        about: &'a str,
        /// The feedback itself.
        json: &'a [u8],
    },
    /// Decisions, or words on them, have been taken by whom they were meant for.
    Receipts {
        /// Decisions' ids and feedback's keys.
        ids: Ids<'a>,
    },
}

/// Ids in a row, as they are stored: one record for all, so that a power cut leaves all or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids<'a>(&'a [u8]);

impl<'a> Ids<'a> {
    /// The bytes of a row of ids.
    pub fn encode<'b>(ids: impl Iterator<Item = &'b str>) -> Vec<u8> {
        let mut out = Vec::new();
        ids.for_each(|id| put_text(&mut out, id));
        out
    }

    /// Over bytes that [`Ids::encode`] made.
    pub fn over(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The ids.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        let mut rest = self.0;
        std::iter::from_fn(move || text(&mut rest))
    }
}

impl<'a> Record<'a> {
    /// Kind and payload of its frame.
    pub fn encode(&self) -> (u8, Vec<u8>) {
        let mut out = Vec::new();
        let kind = match *self {
            Record::Decision { decision_id, coil_id, pass_key, segment, matrix, json } => {
                put_text(&mut out, decision_id);
                put_text(&mut out, coil_id);
                put_text(&mut out, pass_key);
                out.extend_from_slice(&segment.to_le_bytes());
                match matrix {
                    MatrixNote::Absent => out.push(0),
                    MatrixNote::NoRoom => out.push(1),
                    MatrixNote::At(at) => {
                        out.push(2);
                        out.extend_from_slice(&at.file.to_le_bytes());
                        out.extend_from_slice(&at.offset.to_le_bytes());
                        out.extend_from_slice(&at.length.to_le_bytes());
                        out.extend_from_slice(&at.crc.to_le_bytes());
                    }
                }
                out.extend_from_slice(json);
                DECISION
            }
            Record::Feedback { key, about, json } => {
                put_text(&mut out, key);
                put_text(&mut out, about);
                out.extend_from_slice(json);
                FEEDBACK
            }
            Record::Receipts { ids } => {
                out.extend_from_slice(ids.0);
                RECEIPTS
            }
        };
        (kind, out)
    }

    /// Reads a payload; `None` if this version does not know the kind or its layout.
    pub fn decode(kind: u8, payload: &'a [u8]) -> Option<Self> {
        let rest = &mut { payload };
        match kind {
            DECISION => {
                let (decision_id, coil_id, pass_key) = (text(rest)?, text(rest)?, text(rest)?);
                let segment = u64::from_le_bytes(*take(rest)?);
                let matrix = match take::<1>(rest)?[0] {
                    0 => MatrixNote::Absent,
                    1 => MatrixNote::NoRoom,
                    2 => MatrixNote::At(MatrixAt {
                        file: u32::from_le_bytes(*take(rest)?),
                        offset: u64::from_le_bytes(*take(rest)?),
                        length: u32::from_le_bytes(*take(rest)?),
                        crc: u32::from_le_bytes(*take(rest)?),
                    }),
                    _ => return None,
                };
                Some(Record::Decision { decision_id, coil_id, pass_key, segment, matrix, json: rest })
            }
            FEEDBACK => Some(Record::Feedback { key: text(rest)?, about: text(rest)?, json: rest }),
            RECEIPTS => {
                let ids = Ids(rest);
                while !rest.is_empty() {
                    text(rest)?;
                }
                Some(Record::Receipts { ids })
            }
            _ => None,
        }
    }
}

/// Refuses a key that is empty or too long.
pub fn check_key(what: &'static str, key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::NoKey { what });
    }
    check_size(what, key.len(), MAX_KEY)
}

/// Refuses what is too long.
pub fn check_size(what: &'static str, bytes: usize, limit: usize) -> Result<()> {
    if bytes > limit { Err(Error::TooLarge { what, bytes, limit }) } else { Ok(()) }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(head)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let len = usize::from(u16::from_le_bytes(*take(rest)?));
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    std::str::from_utf8(head).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_decision_comes_back(
            ids in proptest::array::uniform3("\\PC{1,64}"), segment: u64, json: Vec<u8>,
            at in proptest::option::of((any::<u32>(), any::<u64>(), any::<u32>(), any::<u32>())),
        ) {
            let matrix = at.map_or(MatrixNote::NoRoom, |(file, offset, length, crc)| {
                MatrixNote::At(MatrixAt { file, offset, length, crc })
            });
            let record = Record::Decision {
                decision_id: &ids[0], coil_id: &ids[1], pass_key: &ids[2], segment, matrix, json: &json,
            };
            let (kind, payload) = record.encode();
            prop_assert_eq!(Record::decode(kind, &payload), Some(record));
        }

        #[test]
        fn no_payload_is_a_panic(kind in 0u8..6, payload: Vec<u8>) {
            if let Some(record) = Record::decode(kind, &payload) {
                prop_assert_eq!(record.encode(), (kind, payload.clone()));
            }
        }
    }
}
