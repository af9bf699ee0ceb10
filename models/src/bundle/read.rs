//! Readers that bound what outside input can make us hold, and that hash while they read.

use super::error::RefusedBundle;
use super::name::Sha256;
use sha2::Digest;
use std::io::{self, Read};

/// First reservation for a block of a stated length: memory grows with what arrives, not with what is claimed.
const FIRST_RESERVE: u64 = 64 * 1024;

/// Reads exactly `length` bytes of `what`. The caller has checked `length` against a cap.
pub(super) fn exactly(reader: &mut impl Read, length: u64, what: &str) -> Result<Vec<u8>, RefusedBundle> {
    let mut bytes = Vec::with_capacity(length.min(FIRST_RESERVE) as usize);
    reader.take(length).read_to_end(&mut bytes).map_err(RefusedBundle::Unreadable)?;
    if (bytes.len() as u64) < length {
        return Err(RefusedBundle::Cut { what: what.to_string() });
    }
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// Refuses whatever comes after the last file.
pub(super) fn end(reader: &mut impl Read) -> Result<(), RefusedBundle> {
    let mut one = Vec::new();
    reader.take(1).read_to_end(&mut one).map_err(RefusedBundle::Unreadable)?;
    if one.is_empty() { Ok(()) } else { Err(RefusedBundle::Trailing) }
}

/// Passes bytes through and hashes them on the way.
pub(super) struct Hashing<R> {
    inner: R,
    hasher: sha2::Sha256,
}

impl<R: Read> Hashing<R> {
    /// Hashes from here on.
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hasher: sha2::Sha256::new() }
    }

    /// The digest of what was read.
    pub(super) fn digest(self) -> Sha256 {
        Sha256::from_bytes(self.hasher.finalize().into())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_of_length_reserves_little() {
        let mut short: &[u8] = b"abc";
        let refused = exactly(&mut short, 1 << 40, "manifest").unwrap_err();
        assert!(matches!(refused, RefusedBundle::Cut { what } if what == "manifest"));
    }

    #[test]
    fn hashing_sees_just_what_is_read() {
        let mut hashing = Hashing::new(&b"abcdef"[..]);
        exactly(&mut hashing, 3, "x").unwrap();
        assert_eq!(hashing.digest(), Sha256::of(b"abc"));
    }

    #[test]
    fn an_end_is_an_end() {
        assert!(end(&mut &b""[..]).is_ok());
        assert!(matches!(end(&mut &b"x"[..]), Err(RefusedBundle::Trailing)));
    }
}
