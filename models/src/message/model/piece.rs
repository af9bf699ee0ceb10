//! A piece of an offered file, as it travels: the file's name, the piece's number, then bytes.

use super::super::wire::{WireFault, check, short};
use super::{MAX_PIECE_BYTES, Way};
use crate::bundle::Sha256;

/// How every piece begins.
pub const PIECE_MAGIC: &[u8; 8] = b"CPIECE1\n";
/// Bytes before a piece's content: magic 8, SHA-256 of the file 32, number 4 (little-endian).
pub const PIECE_HEAD: usize = 8 + 32 + 4;

/// A part of a file; its bytes are borrowed from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// SHA-256 of the whole file.
    pub offer: Sha256,
    /// Counted from 0.
    pub index: u32,
    /// At least one byte, at most [`MAX_PIECE_BYTES`].
    pub data: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Reads one.
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireFault> {
        short(Way::Piece, payload)?;
        let head = || {
            let (offer, rest) = payload.strip_prefix(PIECE_MAGIC)?.split_first_chunk::<32>()?;
            let (index, data) = rest.split_first_chunk::<4>()?;
            Some((offer, index, data))
        };
        let why = "must be that of a piece, whole";
        let no_head = WireFault::Value { kind: Way::Piece.into(), field: "its head", why };
        let (offer, index, data) = head().ok_or(no_head)?;
        check(Way::Piece, "its content", !data.is_empty(), "must not be empty")?;
        Ok(Self { offer: Sha256::from_bytes(*offer), index: u32::from_le_bytes(*index), data })
    }

    /// The message that carries it.
    pub fn payload(&self) -> Vec<u8> {
        debug_assert!(!self.data.is_empty() && self.data.len() <= MAX_PIECE_BYTES as usize);
        let mut payload = Vec::with_capacity(PIECE_HEAD + self.data.len());
        payload.extend_from_slice(PIECE_MAGIC);
        payload.extend_from_slice(self.offer.as_bytes());
        payload.extend_from_slice(&self.index.to_le_bytes());
        payload.extend_from_slice(self.data);
        payload
    }
}
