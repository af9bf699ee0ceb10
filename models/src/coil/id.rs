//! A coil's name: opaque text that can do no harm.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A coil's name as the plant gives it: opaque, 1 to 64 printable characters, no path, no markup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CoilId(String);

/// Why a text is no [`CoilId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCoilId {
    /// Nothing in it.
    #[error("a coil id must not be empty")]
    Empty,
    /// More than 64 characters.
    #[error("a coil id has at most 64 characters")]
    TooLong,
    /// A control character, markup, a path separator, or white space at an end.
    #[error("a coil id holds letters, digits, inner spaces and any of - _ . : # + * ( ) [ ] @ , = only")]
    Character,
    /// It begins as a hidden file or a parent folder would.
    #[error("a coil id must not begin with a dot")]
    Dot,
}

impl CoilId {
    /// Most characters of an id.
    pub const MAX: usize = 64;

    /// Checks `text` and keeps it as it is.
    pub fn new(text: impl Into<String>) -> Result<Self, BadCoilId> {
        let text = text.into();
        if text.is_empty() {
            return Err(BadCoilId::Empty);
        }
        if text.len() > Self::MAX * 4 || text.chars().count() > Self::MAX {
            return Err(BadCoilId::TooLong);
        }
        if text.starts_with('.') {
            return Err(BadCoilId::Dot);
        }
        let fine = |c: char| c.is_alphanumeric() || " -_.:#+*()[]@,=".contains(c);
        if text.trim() != text || !text.chars().all(fine) {
            return Err(BadCoilId::Character);
        }
        Ok(Self(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CoilId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CoilId {
    type Error = BadCoilId;
    fn try_from(text: String) -> Result<Self, BadCoilId> {
        Self::new(text)
    }
}

impl From<CoilId> for String {
    fn from(id: CoilId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_of_plants_pass_and_markup_and_paths_do_not() {
        for good in ["GL2-2500000", "a", "Bund 7 (neu)", "Ä-12:3", "x.1#2+3"] {
            assert!(CoilId::new(good).is_ok(), "{good}");
        }
        for bad in
            ["", " a", "a ", "../a", "a/b", "a\\b", "<img src=x>", "a&b", "a\nb", "a\u{202e}b", "'x", ".h"]
        {
            assert!(CoilId::new(bad).is_err(), "{bad:?}");
        }
        assert!(CoilId::new("x".repeat(64)).is_ok());
        assert_eq!(CoilId::new("x".repeat(65)), Err(BadCoilId::TooLong));
    }

    proptest! {
        #[test]
        fn an_accepted_id_is_harmless(text in "\\PC{0,80}") {
            if let Ok(id) = CoilId::new(text) {
                prop_assert!(!id.as_str().contains(['/', '\\', '<', '>', '&', '"', '\'', '`', '\0', '\n']));
            }
        }
    }
}
