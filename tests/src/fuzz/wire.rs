//! What holds for all messages between our own programs.

use coilsight_models::message::wire::{Kind, WireFault};
use std::fmt::Debug;

/// What was read, if it was taken; too long are those, and only those, that are longer than is allowed.
pub fn taken<T>(kind: impl Into<Kind>, data: &[u8], parsed: Result<T, WireFault>) -> Option<T> {
    let kind = kind.into();
    let too_long = data.len() > kind.max_bytes;
    match parsed {
        Ok(taken) => {
            assert!(!too_long, "{kind}: {} bytes", data.len());
            Some(taken)
        }
        Err(fault) => {
            assert_eq!(too_long, matches!(fault, WireFault::TooLong { .. }), "{kind}: {fault}");
            None
        }
    }
}

/// Said again, it is read as the same.
pub fn again<T: PartialEq + Debug>(
    kind: impl Into<Kind>,
    said: &[u8],
    first: &T,
    parse: impl Fn(&[u8]) -> Result<T, WireFault>,
) {
    if said.len() <= kind.into().max_bytes {
        assert_eq!(parse(said).as_ref().ok(), Some(first));
    }
}
