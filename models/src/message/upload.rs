//! How decisions, their matrices and inspectors' words come from a line to the plant's record, and how the record says
//! what it has stored. Version 1.
//!
//! | topic | from | payload | most bytes |
//! |---|---|---|---|
//! | `upload/batch` | line | [`Batch`]: what stands in the line's log between two places | 4 MiB |
//! | `upload/stored` | record | [`Stored`]: the place up to which everything is durable there | 4 KiB |
//! | `upload/report` | line, retained | [`Report`]: how its models do, and what asks for new ones | 256 KiB |
//!
//! The line's own log is the buffer: nothing is kept twice. A line sends one batch at a time and goes on when the record
//! has said that it is durable; without a word it sends the same batch again. The record alone says where to go on:
//! whatever place it names, the line continues there. A record that was restored from a backup names an earlier
//! place and is sent what it has lost; a batch that does not begin where the record stands is answered by that place
//! and otherwise passed over. So nothing is missed, and nothing is stored twice.

mod batch;
mod report;

#[cfg(test)]
mod tests;

pub use batch::{Batch, MAX_RECORDS, Matrix, Record, fits};
pub use report::{MAX_ROWS, Performance, Report, Trigger};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of these messages' form.
pub const VERSION: u32 = 1;

/// A topic of the way up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// [`Batch`].
    Batch,
    /// [`Stored`].
    Stored,
    /// [`Report`].
    Report,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Batch, Self::Stored, Self::Report];

    /// The last part of its topic.
    pub fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Stored => "stored",
            Self::Report => "report",
        }
    }

    /// The most bytes that a payload may have.
    pub fn max_bytes(self) -> usize {
        match self {
            Self::Batch => 4 << 20,
            Self::Stored => 4 << 10,
            Self::Report => 256 << 10,
        }
    }
}

/// Why a message on the way up is not taken.
#[derive(Debug, thiserror::Error)]
pub enum WireFault {
    /// Longer than any good one.
    #[error("an upload/{topic} message has {bytes} bytes, at most {most} are allowed", topic = .way.name(), most = .way.max_bytes())]
    TooLong {
        /// Which topic.
        way: Way,
        /// Its length.
        bytes: usize,
    },
    /// Not JSON, or not of this form.
    #[error("an upload/{topic} message is not understood", topic = .way.name())]
    Form {
        /// Which topic.
        way: Way,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// Of a version that this program does not know.
    #[error("an upload/{topic} message is of version {found}, this program reads {VERSION}: update the older of the two programs", topic = .way.name())]
    Version {
        /// Which topic.
        way: Way,
        /// What it says.
        found: u32,
    },
    /// A value that cannot be.
    #[error("an upload/{topic} message makes no sense: {field} {why}", topic = .way.name())]
    Value {
        /// Which topic.
        way: Way,
        /// Which field.
        field: &'static str,
        /// What it must be.
        why: &'static str,
    },
}

/// A place in a line's log, which only grows: by file, then by byte. The log begins at the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The file's number.
    pub file: u32,
    /// The byte in it.
    pub offset: u64,
}

/// The record's word: all before this place is durable. The line goes on there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// [`VERSION`].
    pub version: u32,
    /// The line.
    pub line: String,
    /// The log that the place is in: [`Batch::log`].
    pub log: String,
    /// Up to here everything is durable.
    pub upto: Place,
    /// Nothing more before so many seconds have gone by: the record is short of something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_s: Option<u32>,
}

impl Stored {
    /// Reads one.
    pub fn parse(payload: &[u8]) -> Result<Self, WireFault> {
        let stored: Self = read(Way::Stored, payload)?;
        name(Way::Stored, "line", &stored.line)?;
        name(Way::Stored, "log", &stored.log)?;
        Ok(stored)
    }
}

/// A message as JSON. These are plain structures of texts and numbers: nothing in them can fail to become JSON.
pub fn payload(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("a message on the way up becomes JSON")
}

/// Reads a message in JSON, its version first.
fn read<T: DeserializeOwned>(way: Way, payload: &[u8]) -> Result<T, WireFault> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    if payload.len() > way.max_bytes() {
        return Err(WireFault::TooLong { way, bytes: payload.len() });
    }
    let form = |source| WireFault::Form { way, source };
    let Versioned { version: found } = serde_json::from_slice(payload).map_err(form)?;
    if found != VERSION {
        return Err(WireFault::Version { way, found });
    }
    serde_json::from_slice(payload).map_err(form)
}

fn check(way: Way, field: &'static str, fine: bool, why: &'static str) -> Result<(), WireFault> {
    if fine { Ok(()) } else { Err(WireFault::Value { way, field, why }) }
}

fn name(way: Way, field: &'static str, name: &str) -> Result<(), WireFault> {
    let fine = !name.is_empty() && name.len() <= 64 && !name.contains(char::is_control);
    check(way, field, fine, "must be a name of 1 to 64 bytes")
}
