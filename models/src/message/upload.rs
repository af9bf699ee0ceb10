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

pub use super::wire::{WireFault, payload};
pub use batch::{Batch, MAX_RECORDS, Matrix, Record, fits};
pub use report::{MAX_ROWS, Performance, Report, Trigger};

use super::wire::{Kind, named, read};
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
        Kind::from(self).name
    }

    /// The most bytes that a payload may have.
    pub fn max_bytes(self) -> usize {
        Kind::from(self).max_bytes
    }
}

impl From<Way> for Kind {
    fn from(way: Way) -> Self {
        let (name, max_bytes) = match way {
            Way::Batch => ("batch", 4 << 20),
            Way::Stored => ("stored", 4 << 10),
            Way::Report => ("report", 256 << 10),
        };
        Self { family: "upload", name, max_bytes, version: VERSION }
    }
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
        named(Way::Stored, "line", &stored.line)?;
        named(Way::Stored, "log", &stored.log)?;
        Ok(stored)
    }
}
