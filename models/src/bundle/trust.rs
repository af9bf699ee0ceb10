//! Whom a device believes: named public keys, their roles, and how many of a role must have signed.

mod document;

pub use document::{
    AUTOMATIC_FORMAT, MAX_TRUST_DOCUMENT, Quorum, RevokedKey, Roles, TRUST_FORMAT, TrustDocument, TrustFault,
    TrustUnread,
};

use super::automatic::Automatic;
use super::ed25519::{PointFault, check_point};
use super::error::RefusedBundle;
use super::framing::Front;
use super::manifest::Content;
use super::signature::{KeyId, SignatureText, base64};
use serde::{Deserialize, Serialize};

/// Most trusted keys.
pub(super) const MAX_KEYS: usize = 64;
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
    /// A key for which others than its owner can sign, or one in an encoding that no tool makes.
    #[error("remove the key {name:?} and find out who made it: it is {fault} (key compromise)")]
    Weak {
        /// The key's name.
        name: String,
        /// What is wrong with it.
        fault: PointFault,
    },
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

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRole {
    /// Build sets: a trainer's.
    Build,
    /// Release sets and policies to lines: a maintenance engineer's.
    Release,
    /// Say which keys are believed.
    Trust,
    /// Release sets without a person, within limits ([`Automatic`]).
    Automatic,
}

impl KeyRole {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Build, Self::Release, Self::Trust, Self::Automatic];

    /// What it lets a key do, in words.
    pub(super) fn deed(self) -> &'static str {
        match self {
            Self::Build => "build sets",
            Self::Release => "release to lines",
            Self::Trust => "say which keys are believed",
            Self::Automatic => "release to lines without a person",
        }
    }
}

impl std::fmt::Display for KeyRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Build => "build",
            Self::Release => "release",
            Self::Trust => "trust",
            Self::Automatic => "automatic",
        })
    }
}

/// A public key under the name that people know it by.
#[derive(Clone, Debug)]
struct TrustedKey {
    name: String,
    public: PublicKey,
}

/// A public key: its id, its curve point, and the crate's own form.
#[derive(Clone, Debug)]
struct PublicKey {
    id: KeyId,
    point: [u8; 32],
    key: minisign_verify::PublicKey,
}

/// Named minisign public keys, and which of them must have signed.
#[derive(Clone, Debug)]
pub struct TrustedKeys {
    keys: Vec<TrustedKey>,
    rule: Rule,
}

/// Who must have signed.
#[derive(Clone, Debug)]
enum Rule {
    /// So many of the keys, whatever the bundle brings: for looking at bundles, away from a line.
    Any(usize),
    /// Keys by role, as the document says.
    Roles(Box<TrustDocument>),
}

/// A trusted key whose signature over a bundle is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The name that the device knows the key by.
    pub name: String,
    /// The key's id.
    pub key_id: KeyId,
    /// What it may do; nothing in particular where keys have no roles.
    pub roles: Vec<KeyRole>,
    /// What the signer wrote beside the signature; the signature covers it.
    pub comment: String,
}

/// Whose signatures a front carries.
struct Signatures {
    valid: Vec<Signer>,
    /// Ids of keys that are not trusted.
    strangers: Vec<KeyId>,
}

impl TrustedKeys {
    /// Takes `(name, text)` of public keys, the text as in a `.pub` file or its second line alone. Any one of them
    /// must have signed, until [`Self::require`] says more.
    pub fn new<N: Into<String>, T: AsRef<str>>(
        keys: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, KeyFault> {
        let mut trusted = Self { keys: Vec::new(), rule: Rule::Any(1) };
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
            Ok(Self { rule: Rule::Any(required), ..self })
        } else {
            Err(KeyFault::Required { required, keys })
        }
    }

    /// The keys of a document, each believed for its roles alone.
    pub fn of_document(document: TrustDocument) -> Result<Self, TrustFault> {
        document.check()?;
        let keys = document.keys.iter().map(|(name, key)| (name.clone(), key.clone()));
        let trusted = Self::new(keys).map_err(TrustFault::Keys)?;
        Ok(Self { rule: Rule::Roles(Box::new(document)), ..trusted })
    }

    /// The document that gives the keys their roles, if they have any.
    pub fn document(&self) -> Option<&TrustDocument> {
        match &self.rule {
            Rule::Roles(document) => Some(document),
            Rule::Any(_) => None,
        }
    }

    /// The keys' names and ids, in the order given.
    pub fn names(&self) -> impl Iterator<Item = (&str, KeyId)> {
        self.keys.iter().map(|k| (k.name.as_str(), k.public.id))
    }

    fn add(&mut self, name: String, text: &str) -> Result<(), KeyFault> {
        if name.is_empty() || name.len() > MAX_KEY_NAME || name.contains(char::is_control) {
            return Err(KeyFault::Name(name.chars().take(MAX_KEY_NAME).collect()));
        }
        let public = public_key(text).map_err(|()| KeyFault::NotAKey(name.clone()))?;
        if let Err(fault) = check_point(&public.point) {
            return Err(KeyFault::Weak { name, fault });
        }
        for other in &self.keys {
            if other.name == name {
                return Err(KeyFault::SameName(name));
            }
            if other.public.point == public.point {
                return Err(KeyFault::SameKey(other.name.clone(), name));
            }
        }
        self.keys.push(TrustedKey { name, public });
        Ok(())
    }

    /// The distinct trusted keys that validly signed `front`'s manifest: at least one, or a refusal.
    ///
    /// What the manifest brings, and so whose signatures it needs, is not known before it is read; and it is not read
    /// before somebody who is trusted signed it. [`Self::suffice`] comes after.
    ///
    /// A signature by a key that is not trusted here neither helps nor harms: that is how a new key is
    /// brought in while old devices know only the old one. A signature under a trusted key's id that
    /// does not hold is an attack or damage, and refused whatever else is there.
    pub(super) fn signers(&self, front: &Front) -> Result<Vec<Signer>, RefusedBundle> {
        if front.signatures().is_empty() {
            return Err(RefusedBundle::Unsigned);
        }
        let Signatures { valid, strangers } = self.signatures(front)?;
        if valid.is_empty() {
            // Nobody here knows whoever signed: what it brings does not matter.
            return Err(self.too_few(front, None, self.least(), &valid, &strangers));
        }
        Ok(valid)
    }

    /// Whether those who signed `front` may bring `content`; the limits that it must keep to, where no person has released it.
    pub(super) fn suffice(
        &self,
        front: &Front,
        content: &Content,
    ) -> Result<Option<&Automatic>, RefusedBundle> {
        let Signatures { valid, strangers } = self.signatures(front)?;
        let document = match &self.rule {
            Rule::Any(required) if valid.len() < *required => {
                return Err(self.too_few(front, None, *required, &valid, &strangers));
            }
            Rule::Any(_) => return Ok(None),
            Rule::Roles(document) => document,
        };
        let roles: &[KeyRole] = match content {
            Content::Set(_) | Content::Surfaces(_) => &[KeyRole::Build, KeyRole::Release],
            Content::Policy(_) => &[KeyRole::Release],
            Content::Trust(_) => &[KeyRole::Trust],
        };
        let of = |role| valid.iter().filter(move |signer| signer.roles.contains(&role)).cloned();
        for role in roles {
            let of_role: Vec<Signer> = of(*role).collect();
            let required = document.quorum(*role).required;
            if of_role.len() < required {
                let automatic = document.roles.automatic.as_ref().filter(|automatic| {
                    let alone = matches!(content, Content::Set(_)) && *role == KeyRole::Release;
                    alone && of(KeyRole::Automatic).count() >= automatic.signers.required
                });
                if automatic.is_some() {
                    return Ok(automatic);
                }
                return Err(self.too_few(front, Some(*role), required, &of_role, &strangers));
            }
        }
        match content {
            Content::Trust(next) => Self::follows(document, next, front).map(|()| None),
            Content::Set(_) | Content::Policy(_) | Content::Surfaces(_) => Ok(None),
        }
    }

    /// Whether `next`, which the keys of `document` signed, may take its place.
    fn follows(document: &TrustDocument, next: &TrustDocument, front: &Front) -> Result<(), RefusedBundle> {
        // The same once more does nothing.
        if next.version < document.version || (next.version == document.version && next != document) {
            return Err(RefusedBundle::OldTrust { version: next.version, here: document.version });
        }
        // One after the other: what an earlier one revoked is not passed over, and no thief of keys drives the count to
        // its end.
        if next.version > document.version + 1 {
            return Err(RefusedBundle::SkippedTrust { version: next.version, here: document.version });
        }
        if let Some(forgotten) = document.forgotten_by(next) {
            return Err(RefusedBundle::Unrevoked { key: forgotten.key.clone() });
        }
        let new = Self::of_document(next.clone())
            .map_err(|fault| RefusedBundle::Manifest(super::check::ManifestFault::Trust(fault)))?;
        let Signatures { valid, strangers } = new.signatures(front)?;
        let of_role: Vec<Signer> = valid.into_iter().filter(|s| s.roles.contains(&KeyRole::Trust)).collect();
        let required = next.quorum(KeyRole::Trust).required;
        if of_role.len() < required {
            return Err(new.too_few(front, Some(KeyRole::Trust), required, &of_role, &strangers));
        }
        Ok(())
    }

    /// The least number of signatures with which anything is taken.
    fn least(&self) -> usize {
        match &self.rule {
            Rule::Any(required) => *required,
            Rule::Roles(document) => [KeyRole::Build, KeyRole::Release, KeyRole::Trust]
                .map(|role| document.quorum(role).required)
                .into_iter()
                .min()
                .unwrap_or(1),
        }
    }

    fn too_few(
        &self,
        front: &Front,
        role: Option<KeyRole>,
        required: usize,
        valid: &[Signer],
        strangers: &[KeyId],
    ) -> RefusedBundle {
        let revoked = self.document().map(|document| document.revoked.as_slice()).unwrap_or_default();
        // Whoever merely claims a revoked key's id is a stranger.
        let signed = |key: &&RevokedKey| {
            let Ok(public) = public_key(&key.key) else { return false };
            let by = |s: &&SignatureText| s.key_id() == public.id;
            let valid =
                |s: &SignatureText| public.key.verify(front.manifest_bytes(), s.parsed(), false).is_ok();
            front.signatures().iter().filter(by).any(valid)
        };
        if let Some(key) = revoked.iter().find(signed)
            && let Some(key_id) = key.key_id()
        {
            return RefusedBundle::RevokedSigner { key_id, why: key.why.clone() };
        }
        RefusedBundle::TooFewSigners {
            role,
            required,
            signers: valid.iter().map(|signer| signer.name.clone()).collect(),
            strangers: strangers.iter().map(ToString::to_string).collect(),
        }
    }

    fn signatures(&self, front: &Front) -> Result<Signatures, RefusedBundle> {
        let mut found = Signatures { valid: Vec::new(), strangers: Vec::new() };
        for signature in front.signatures() {
            let claimed: Vec<_> = self.keys.iter().filter(|k| k.public.id == signature.key_id()).collect();
            let valid = |k: &&&TrustedKey| {
                k.public.key.verify(front.manifest_bytes(), signature.parsed(), false).is_ok()
            };
            match (claimed.first(), claimed.iter().find(valid)) {
                (None, _) => found.strangers.push(signature.key_id()),
                (Some(first), None) => return Err(RefusedBundle::Forged { key: first.name.clone() }),
                (_, Some(key)) if found.valid.iter().any(|s| s.name == key.name) => {}
                (_, Some(key)) => found.valid.push(Signer {
                    name: key.name.clone(),
                    key_id: key.public.id,
                    roles: self.document().map_or_else(Vec::new, |d| d.roles_of(&key.name).collect()),
                    comment: signature.trusted_comment().to_string(),
                }),
            }
        }
        Ok(found)
    }
}

/// Reads a public key file, or its second line alone.
fn public_key(text: &str) -> Result<PublicKey, ()> {
    let read = || {
        if text.len() > MAX_KEY_TEXT {
            return None;
        }
        let comment = |l: &&str| l.starts_with("untrusted comment:");
        let line = text.lines().map(str::trim).find(|l| !l.is_empty() && !comment(l))?;
        let key = minisign_verify::PublicKey::from_base64(line).ok()?;
        let raw: [u8; 42] = base64(line)?.try_into().ok()?;
        let (algorithm, rest) = raw.split_first_chunk::<2>()?;
        let (id, point) = rest.split_first_chunk::<8>()?;
        let (id, point) = (KeyId(*id), point.try_into().ok()?);
        (algorithm == b"Ed").then_some(PublicKey { id, point, key })
    };
    read().ok_or(())
}

#[cfg(test)]
mod tests;
