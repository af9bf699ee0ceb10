//! Names and digests inside a bundle: types that cannot hold a path, markup or a half-written hash.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Most characters of an [`Id`] or a [`FileName`].
pub const MAX_NAME: usize = 64;

/// Why a text is no [`Id`], [`FileName`] or [`Sha256`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Not of the form that ids and file names have.
    #[error("{0:?} is no name: 1 to 64 of a-z 0-9 . _ - and the first a letter or a digit")]
    Name(String),
    /// Not 64 lower-case hexadecimal digits.
    #[error("{0:?} is no SHA-256: 64 of 0-9 a-f")]
    Digest(String),
}

/// Shows outside text in a message without letting it fill the screen.
fn shown(text: &str) -> String {
    text.chars().take(MAX_NAME + 1).collect()
}

/// The id of a part, a model, a reference or the bundle: `[a-z0-9][a-z0-9._-]{0,63}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// Checks `text` and keeps it as it is.
    pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
        let text = text.into();
        let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if first && text.len() <= MAX_NAME && text.bytes().all(rest) {
            Ok(Self(text))
        } else {
            Err(BadName::Name(shown(&text)))
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a file in a bundle. It has [`Id`]'s form: no folder, no parent, nothing hidden.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(Id);

impl FileName {
    /// Checks `text` and keeps it as it is.
    pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
        Id::new(text).map(Self)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A SHA-256 digest; as text, 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// A digest that is already known.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl TryFrom<String> for Sha256 {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        let bad = || BadName::Digest(shown(&text));
        if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(bad());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Id {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        Self::new(text)
    }
}

impl TryFrom<String> for FileName {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        Self::new(text)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_name_is_never_a_path() {
        for good in ["conv.onnx", "a", "0", "golden-coils.bin", "a..b"] {
            assert!(FileName::new(good).is_ok(), "{good}");
        }
        for bad in
            ["", ".", "..", "../a", "a/b", "a\\b", "/etc/passwd", ".hidden", "-rf", "A", "a b", "ä", "a\0"]
        {
            assert!(FileName::new(bad).is_err(), "{bad:?}");
        }
        assert!(FileName::new("x".repeat(64)).is_ok());
        assert!(FileName::new("x".repeat(65)).is_err());
    }

    #[test]
    fn digests_print_as_sha256sum_does() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256::of(b"").to_string(), empty);
        assert_eq!(Sha256::try_from(empty.to_string()), Ok(Sha256::of(b"")));
        assert!(Sha256::try_from(empty.to_uppercase()).is_err());
        assert!(Sha256::try_from(format!("+{}", &empty[1..])).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            let _ = Sha256::try_from(text.clone());
            if let Ok(name) = FileName::new(text) {
                prop_assert_eq!(std::path::Path::new(name.as_str()).components().count(), 1);
            }
        }
    }
}
