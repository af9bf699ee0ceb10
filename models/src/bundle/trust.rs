//! Whom a device believes: named public keys, and how many of them must have signed.

use super::error::RefusedBundle;
use super::framing::Front;
use super::signature::{KeyId, base64};

/// Most trusted keys.
pub const MAX_KEYS: usize = 64;
/// Longest text of a public key file, in bytes.
const MAX_KEY_TEXT: usize = 4 * 1024;
/// Longest name of a key, in bytes.
const MAX_KEY_NAME: usize = 64;

/// Why a set of keys is no set to trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Empty, too long, or with control characters.
    #[error("give each trusted key a name of 1 to 64 printable characters; {0:?} is none")]
    Name(String),
    /// Two keys under one name.
    #[error("give each trusted key a name of its own: two are called {0:?}")]
    SameName(String),
    /// Not a minisign public key.
    #[error(
        "give the minisign public key file of {0:?} (two lines, the second begins RW): this text is none"
    )]
    NotAKey(String),
    /// One key twice would count as two signers.
    #[error("remove one of {0:?} and {1:?}: both are the same key")]
    SameKey(String, String),
    /// No keys, or more than 64.
    #[error("trust 1 to 64 keys, not {0}")]
    Count(usize),
    /// A number of signers that can never be met, or none.
    #[error("require 1 to {keys} signers, as there are {keys} keys, not {required}")]
    Required {
        /// What was asked for.
        required: usize,
        /// Keys there are.
        keys: usize,
    },
}

/// A public key under the name that people know it by.
#[derive(Clone, Debug)]
struct TrustedKey {
    name: String,
    id: KeyId,
    point: [u8; 32],
    key: minisign_verify::PublicKey,
}

/// Named minisign public keys, and the number of distinct ones that must have signed (m of n).
#[derive(Clone, Debug)]
pub struct TrustedKeys {
    keys: Vec<TrustedKey>,
    required: usize,
}

/// A trusted key whose signature over a bundle is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The name that the device knows the key by.
    pub name: String,
    /// The key's id.
    pub key_id: KeyId,
    /// What the signer wrote beside the signature; the signature covers it.
    pub comment: String,
}

impl TrustedKeys {
    /// Takes `(name, text)` of public keys, the text as in a `.pub` file or its second line alone.
    /// One signer is required until [`Self::require`] says more.
    pub fn new<N: Into<String>, T: AsRef<str>>(
        keys: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, KeyFault> {
        let mut trusted = Self { keys: Vec::new(), required: 1 };
        for (name, text) in keys {
            trusted.add(name.into(), text.as_ref())?;
        }
        match trusted.keys.len() {
            1..=MAX_KEYS => Ok(trusted),
            n => Err(KeyFault::Count(n)),
        }
    }

    /// Asks for signatures of `required` distinct keys.
    pub fn require(self, required: usize) -> Result<Self, KeyFault> {
        let keys = self.keys.len();
        if (1..=keys).contains(&required) {
            Ok(Self { required, ..self })
        } else {
            Err(KeyFault::Required { required, keys })
        }
    }

    /// How many distinct keys must have signed.
    pub fn required(&self) -> usize {
        self.required
    }

    /// The keys' names and ids, in the order given.
    pub fn names(&self) -> impl Iterator<Item = (&str, KeyId)> {
        self.keys.iter().map(|k| (k.name.as_str(), k.id))
    }

    fn add(&mut self, name: String, text: &str) -> Result<(), KeyFault> {
        if name.is_empty() || name.len() > MAX_KEY_NAME || name.contains(char::is_control) {
            return Err(KeyFault::Name(name.chars().take(MAX_KEY_NAME).collect()));
        }
        let Some((id, point, key)) = public_key(text) else {
            return Err(KeyFault::NotAKey(name));
        };
        for other in &self.keys {
            if other.name == name {
                return Err(KeyFault::SameName(name));
            }
            if other.point == point {
                return Err(KeyFault::SameKey(other.name.clone(), name));
            }
        }
        self.keys.push(TrustedKey { name, id, point, key });
        Ok(())
    }

    /// The distinct trusted keys that validly signed `front`'s manifest; enough of them, or a refusal.
    ///
    /// A signature by a key that is not trusted here neither helps nor harms: that is how a new key is
    /// brought in while old devices know only the old one. A signature under a trusted key's id that
    /// does not hold is an attack or damage, and refused whatever else is there.
    pub(super) fn signers(&self, front: &Front) -> Result<Vec<Signer>, RefusedBundle> {
        if front.signatures().is_empty() {
            return Err(RefusedBundle::Unsigned);
        }
        let mut signers: Vec<Signer> = Vec::new();
        let mut strangers = Vec::new();
        for signature in front.signatures() {
            let claimed: Vec<_> = self.keys.iter().filter(|k| k.id == signature.key_id()).collect();
            let valid =
                |k: &&&TrustedKey| k.key.verify(front.manifest_bytes(), signature.parsed(), false).is_ok();
            match (claimed.first(), claimed.iter().find(valid)) {
                (None, _) => strangers.push(signature.key_id().to_string()),
                (Some(first), None) => return Err(RefusedBundle::Forged { key: first.name.clone() }),
                (_, Some(key)) if signers.iter().any(|s| s.name == key.name) => {}
                (_, Some(key)) => signers.push(Signer {
                    name: key.name.clone(),
                    key_id: key.id,
                    comment: signature.trusted_comment().to_string(),
                }),
            }
        }
        if signers.len() < self.required {
            let signers = signers.into_iter().map(|s| s.name).collect();
            return Err(RefusedBundle::TooFewSigners { required: self.required, signers, strangers });
        }
        Ok(signers)
    }
}

/// Reads a public key file, or its second line alone: id, curve point and the crate's own form.
fn public_key(text: &str) -> Option<(KeyId, [u8; 32], minisign_verify::PublicKey)> {
    if text.len() > MAX_KEY_TEXT {
        return None;
    }
    let line = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with("untrusted comment:"))?;
    let key = minisign_verify::PublicKey::from_base64(line).ok()?;
    let raw: [u8; 42] = base64(line)?.try_into().ok()?;
    let (algorithm, rest) = raw.split_first_chunk::<2>()?;
    let (id, point) = rest.split_first_chunk::<8>()?;
    (algorithm == b"Ed").then_some((KeyId(*id), point.try_into().ok()?, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const FILE: &str = "untrusted comment: minisign public key E7620F1842B4E81F
RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3
";

    #[test]
    fn keys_come_as_a_file_or_a_line() {
        for text in [A, FILE] {
            let keys = TrustedKeys::new([("release", text)]).unwrap();
            let (name, id) = keys.names().next().unwrap();
            assert_eq!((name, id.to_string().as_str()), ("release", "E7620F1842B4E81F"));
        }
    }

    #[test]
    fn one_key_under_two_names_is_one_key() {
        assert!(matches!(TrustedKeys::new([("a", A), ("b", FILE)]), Err(KeyFault::SameKey(..))));
        // Another key id in front of the same point does not make another key.
        let other_id = A.replace("RWQf6", "RWQe6");
        assert!(matches!(TrustedKeys::new([("a", A), ("b", other_id.as_str())]), Err(KeyFault::SameKey(..))));
    }

    #[test]
    fn sets_that_make_no_sense_are_refused() {
        let none: [(&str, &str); 0] = [];
        assert_eq!(TrustedKeys::new(none).unwrap_err(), KeyFault::Count(0));
        assert_eq!(TrustedKeys::new([("", A)]).unwrap_err(), KeyFault::Name(String::new()));
        for bad in ["", "RWQ", "hello", &A.replace("RWQ", "RUQ"), &A.replace("RWQ", "XWQ"), &"x".repeat(9999)]
        {
            assert_eq!(TrustedKeys::new([("a", bad)]).unwrap_err(), KeyFault::NotAKey("a".into()), "{bad}");
        }
        let keys = TrustedKeys::new([("a", A)]).unwrap();
        assert!(matches!(keys.clone().require(0), Err(KeyFault::Required { .. })));
        assert!(matches!(keys.require(2), Err(KeyFault::Required { .. })));
    }
}
