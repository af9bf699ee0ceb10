//! How a bundle comes over the broker: the trainer offers a file, the line asks for its pieces, checks them, and
//! says what became of them. Version 1.
//!
//! | topic | from | payload | most bytes |
//! |---|---|---|---|
//! | `model/offer` | trainer | [`Offer`]; repeating it is harmless | 4 KiB |
//! | `model/want` | line | [`Want`]: pieces are sent only when asked for | 4 KiB |
//! | `model/piece` | trainer | [`Piece`], binary | 64 KiB and its head |
//! | `model/answer` | line | [`Answer`] | 16 KiB |
//! | `model/state` | line, retained | [`State`] | 16 KiB |
//!
//! The line pulls: what it has not asked for it does not keep, so a sender cannot fill it. A file is named by its
//! SHA-256 everywhere, so that nothing of another file is taken for a part of it.

mod answer;
mod piece;
mod state;

pub use super::wire::{WireFault, payload};
pub use answer::{Answer, MAX_TEXT, Stage, plain};
pub use piece::{PIECE_HEAD, PIECE_MAGIC, Piece};
pub use state::{Slot, State};

use super::wire::{Kind, check, read};
use crate::bundle::{Id, Sha256};
use serde::{Deserialize, Serialize};

/// Version of these messages' form.
pub const VERSION: u32 = 1;
/// No offer and no want is longer, bytes.
pub const MAX_OFFER: usize = 4 << 10;
/// No answer and no state is longer, bytes.
pub const MAX_ANSWER: usize = 16 << 10;
/// The least bytes in a piece, but for the last.
pub const MIN_PIECE_BYTES: u32 = 1 << 10;
/// The most bytes of the file in a piece.
pub const MAX_PIECE_BYTES: u32 = 64 << 10;
/// The most pieces that may be asked for at once.
pub const MAX_WINDOW: u32 = 8;
/// No file is longer whatever is configured, bytes: what the pieces' numbers reach.
pub const MAX_FILE: u64 = 1 << 40;

/// A topic of a bundle's way to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// [`Offer`].
    Offer,
    /// [`Want`].
    Want,
    /// [`Piece`].
    Piece,
    /// [`Answer`].
    Answer,
    /// [`State`].
    State,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Offer, Self::Want, Self::Piece, Self::Answer, Self::State];

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
            Way::Offer => ("offer", MAX_OFFER),
            Way::Want => ("want", MAX_OFFER),
            Way::Piece => ("piece", PIECE_HEAD + MAX_PIECE_BYTES as usize),
            Way::Answer => ("answer", MAX_ANSWER),
            Way::State => ("state", MAX_ANSWER),
        };
        Self { family: "model", name, max_bytes, version: VERSION }
    }
}

/// The trainer has a file for the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// [`VERSION`].
    pub version: u32,
    /// SHA-256 of the whole file: its name from here on.
    pub offer: Sha256,
    /// Its length, bytes.
    pub bytes: u64,
    /// Bytes in every piece but the last.
    pub piece_bytes: u32,
    /// The bundle's name, as the trainer says: for people. What counts stands in the signed manifest.
    pub name: Id,
    /// Its release, as the trainer says.
    pub release: u64,
}

impl Offer {
    /// Reads one.
    pub fn parse(payload: &[u8]) -> Result<Self, WireFault> {
        let offer: Self = read(Way::Offer, payload)?;
        offer.check()?;
        Ok(offer)
    }

    /// Which file a message that is no offer seems to be about: for an answer that says so.
    pub fn named(payload: &[u8]) -> Option<Sha256> {
        #[derive(Deserialize)]
        struct Named {
            offer: Sha256,
        }
        let short = Some(payload).filter(|payload| payload.len() <= MAX_OFFER)?;
        serde_json::from_slice(short).ok().map(|Named { offer }| offer)
    }

    fn check(&self) -> Result<(), WireFault> {
        let pieces = MIN_PIECE_BYTES..=MAX_PIECE_BYTES;
        check(Way::Offer, "bytes", (1..=MAX_FILE).contains(&self.bytes), "must be 1 to 1099511627776")?;
        check(Way::Offer, "piece_bytes", pieces.contains(&self.piece_bytes), "must be 1024 to 65536")
    }

    /// How many pieces it has; at least one.
    pub fn pieces(&self) -> u32 {
        u32::try_from(self.bytes.div_ceil(u64::from(self.piece_bytes.max(1)))).unwrap_or(u32::MAX)
    }

    /// Where in the file a piece begins, and how long it is; `None` beyond the end.
    pub fn place(&self, index: u32) -> Option<(u64, usize)> {
        let at = u64::from(index) * u64::from(self.piece_bytes);
        let left = self.bytes.checked_sub(at).filter(|left| *left > 0)?;
        Some((at, left.min(u64::from(self.piece_bytes)) as usize))
    }
}

/// The line asks for pieces: `count` of them, the first that it lacks at their head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// [`VERSION`].
    pub version: u32,
    /// Of which file.
    pub offer: Sha256,
    /// The first piece that the line has not stored.
    pub from: u32,
    /// How many from there on; 1 to [`MAX_WINDOW`].
    pub count: u32,
}

impl Want {
    /// Reads one.
    pub fn parse(payload: &[u8]) -> Result<Self, WireFault> {
        let want: Self = read(Way::Want, payload)?;
        check(Way::Want, "count", (1..=MAX_WINDOW).contains(&want.count), "must be 1 to 8")?;
        Ok(want)
    }
}

#[cfg(test)]
mod tests;
