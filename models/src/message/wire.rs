//! What the messages that our own programs send each other share: a longest length on every topic, JSON with a version, and
//! why one is not taken.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What comes on a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What its topics begin with, of those of the line.
    pub family: &'static str,
    /// The last part of its topic.
    pub name: &'static str,
    /// The most bytes that a payload may have.
    pub max_bytes: usize,
    /// The version of its form that this program reads and writes.
    pub version: u32,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.family, self.name)
    }
}

/// Why such a message is not taken.
#[derive(Debug, thiserror::Error)]
pub enum WireFault {
    /// Longer than any good one.
    #[error("a message on {kind} has {bytes} bytes, at most {most} are allowed", most = .kind.max_bytes)]
    TooLong {
        /// What it is.
        kind: Kind,
        /// Its length.
        bytes: usize,
    },
    /// Not JSON, or not of this form.
    #[error("a message on {kind} is not understood")]
    Form {
        /// What it is.
        kind: Kind,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// Of a version that this program does not know.
    #[error("a message on {kind} is of version {found}, this program reads {read}: update the older of the two programs", read = .kind.version)]
    Version {
        /// What it is.
        kind: Kind,
        /// What it says.
        found: u32,
    },
    /// A value that cannot be.
    #[error("a message on {kind} makes no sense: {field} {why}")]
    Value {
        /// What it is.
        kind: Kind,
        /// Which field.
        field: &'static str,
        /// What it must be.
        why: &'static str,
    },
}

/// A message as JSON. These are plain structures of texts and numbers: nothing in them can fail to become JSON.
pub fn payload(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("a message between our programs becomes JSON")
}

/// A payload that is short enough.
pub(super) fn short(kind: impl Into<Kind>, payload: &[u8]) -> Result<(), WireFault> {
    let (kind, bytes) = (kind.into(), payload.len());
    if bytes <= kind.max_bytes { Ok(()) } else { Err(WireFault::TooLong { kind, bytes }) }
}

/// Reads a message in JSON, its version first.
pub(super) fn read<T: DeserializeOwned>(kind: impl Into<Kind>, payload: &[u8]) -> Result<T, WireFault> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let kind = kind.into();
    short(kind, payload)?;
    let form = |source| WireFault::Form { kind, source };
    let Versioned { version: found } = serde_json::from_slice(payload).map_err(form)?;
    if found != kind.version {
        return Err(WireFault::Version { kind, found });
    }
    serde_json::from_slice(payload).map_err(form)
}

/// A value that makes sense.
pub(super) fn check(
    kind: impl Into<Kind>,
    field: &'static str,
    fine: bool,
    why: &'static str,
) -> Result<(), WireFault> {
    if fine { Ok(()) } else { Err(WireFault::Value { kind: kind.into(), field, why }) }
}

/// A name that can be stored and shown.
pub(super) fn named(kind: impl Into<Kind>, field: &'static str, name: &str) -> Result<(), WireFault> {
    let fine = !name.is_empty() && name.len() <= 64 && !name.contains(char::is_control);
    check(kind, field, fine, "must be a name of 1 to 64 bytes")
}
