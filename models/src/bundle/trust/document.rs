//! Who may do what: the keys that a line believes, their roles, and how many of a role must have signed.
//!
//! The first document of a line is put there by a person. Each further one comes as a bundle, signed by enough keys
//! of the role `trust` of the document before AND of itself, as TUF's root is (TUF specification, 5.3): so a key can be
//! exchanged without anybody at the line, and one stolen key exchanges nothing.

use super::{KeyFault, KeyRole, MAX_KEYS, TrustedKeys, public_key};
use crate::bundle::Sha256;
use crate::bundle::automatic::Automatic;
use crate::bundle::check::{MAX_RELEASE, MAX_TEXT};
use crate::bundle::signature::KeyId;
use crate::bundle::unique::once;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format of a document by which people alone release.
pub const TRUST_FORMAT: u32 = 1;
/// The format of a document with [`Roles::automatic`]: who does not know it asks to be updated.
pub const AUTOMATIC_FORMAT: u32 = 2;
/// The role of nobody.
static NOBODY: Quorum = Quorum { keys: Vec::new(), required: 1 };
/// No document is longer, bytes.
pub const MAX_TRUST_DOCUMENT: u64 = 128 << 10;
/// Most revoked keys.
const MAX_REVOKED: usize = 1024;

/// Whom a line believes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustDocument {
    /// [`TRUST_FORMAT`], or [`AUTOMATIC_FORMAT`] where the role is there.
    pub format: u32,
    /// Counts up with every document of a plant; at least 1.
    pub version: u64,
    /// Public keys (the second line of a minisign `.pub` file) by the names that people know them by.
    #[serde(deserialize_with = "once")]
    pub keys: BTreeMap<String, String>,
    /// Who may do what.
    pub roles: Roles,
    /// Keys that are never believed again. Never gets shorter.
    pub revoked: Vec<RevokedKey>,
    /// After a theft of signing keys: the newest release is forgotten and counting goes on from here, in case the
    /// thief signed a release so high that nothing would come after it.
    pub restart_release: Option<u64>,
}

/// Who may do what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Trainers: who builds sets.
    pub build: Quorum,
    /// Maintenance engineers: who releases sets and policies.
    pub release: Quorum,
    /// Who may change this document.
    pub trust: Quorum,
    /// Who releases sets without a person; nobody, unless it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<Automatic>,
}

/// So many of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quorum {
    /// Names of keys.
    pub keys: Vec<String>,
    /// How many different ones must have signed.
    pub required: usize,
}

/// A key that is never believed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedKey {
    /// The public key, as in [`TrustDocument::keys`].
    pub key: String,
    /// Since when and why, for people.
    pub why: String,
}

/// Why a document makes no sense, or does not follow another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustFault {
    /// Another format.
    #[error(
        "its format is {0}, this program reads {TRUST_FORMAT}, and {AUTOMATIC_FORMAT} where sets are released without a person"
    )]
    Format(u32),
    /// Version 0, or one that not every JSON reader can hold.
    #[error("its version is {0}, it counts from 1 to 9007199254740991")]
    Version(u64),
    /// Keys that are none, or two that are one.
    #[error("its keys cannot be used")]
    Keys(#[source] KeyFault),
    /// A role's quorum that nobody can ever meet, or that names a key twice or one that is not there.
    #[error(
        "its role {0} asks for more keys than it names, for none, or names one twice or one that it does not have"
    )]
    Quorum(KeyRole),
    /// One key that both builds and releases would make two signatures of one person.
    #[error("its key {0:?} may both build and release: give the two roles different keys")]
    BothRoles(String),
    /// Lines or days of the role that releases without a person.
    #[error(
        "its role automatic names no line, more than 64, one twice or one that is no name, or does not last from one day to a          later one at most 366 days on"
    )]
    Automatic,
    /// A key that releases without a person and has another role: one theft would be two.
    #[error(
        "its key {0:?} may release without a person and has another role: give that role a key of its own"
    )]
    NotAlone(String),
    /// A key of no role.
    #[error("its key {0:?} has no role: take it out")]
    NoRole(String),
    /// A key that is believed and revoked at once.
    #[error("its key {0:?} is revoked: take it out of the keys")]
    Revoked(String),
    /// Too many revoked keys, one twice, a text that is none, or a text on it that is empty or too long.
    #[error(
        "its list of revoked keys has more than 1024, one that is no key, one twice, or one without a reason of at most 1024 bytes"
    )]
    RevokedList,
    /// The largest release is where counting would end.
    #[error("it starts releases again at {0}, above 9007199254740991")]
    Restart(u64),
}

impl TrustDocument {
    /// Reads a document and checks that it makes sense. Says nothing about who wrote it.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustUnread> {
        if bytes.len() as u64 > MAX_TRUST_DOCUMENT {
            return Err(TrustUnread::TooLong(bytes.len()));
        }
        let document: Self = serde_json::from_slice(bytes).map_err(TrustUnread::Text)?;
        document.check().map_err(TrustUnread::Senseless)?;
        Ok(document)
    }

    /// SHA-256 of its content, as compact JSON with its fields in their order: one document, one digest, however its file
    /// is spaced. Two people who read the same one to each other believe the same keys.
    pub fn sha256(&self) -> Sha256 {
        // Texts and numbers: they become JSON.
        Sha256::of(&serde_json::to_vec(self).expect("a document becomes JSON"))
    }

    /// Whether it makes sense, on its own.
    pub fn check(&self) -> Result<(), TrustFault> {
        let automatic = self.roles.automatic.as_ref();
        if self.format != automatic.map_or(TRUST_FORMAT, |_| AUTOMATIC_FORMAT) {
            return Err(TrustFault::Format(self.format));
        }
        if !(1..=MAX_RELEASE).contains(&self.version) {
            return Err(TrustFault::Version(self.version));
        }
        if let Some(release) = self.restart_release.filter(|release| *release > MAX_RELEASE) {
            return Err(TrustFault::Restart(release));
        }
        TrustedKeys::new(self.keys.iter().map(|(n, k)| (n.clone(), k))).map_err(TrustFault::Keys)?;
        if automatic.is_some_and(|role| !role.is_sound()) {
            return Err(TrustFault::Automatic);
        }
        for role in self.roles() {
            let Quorum { keys, required } = self.quorum(role);
            let twice = (1..keys.len()).any(|at| keys[..at].contains(&keys[at]));
            let known = keys.iter().all(|name| self.keys.contains_key(name));
            if twice || !known || keys.len() > MAX_KEYS || !(1..=keys.len()).contains(required) {
                return Err(TrustFault::Quorum(role));
            }
        }
        for name in self.keys.keys() {
            let has = |role| self.quorum(role).keys.contains(name);
            if has(KeyRole::Build) && has(KeyRole::Release) {
                return Err(TrustFault::BothRoles(name.clone()));
            }
            if has(KeyRole::Automatic) && self.roles_of(name).count() > 1 {
                return Err(TrustFault::NotAlone(name.clone()));
            }
            if !KeyRole::ALL.into_iter().any(has) {
                return Err(TrustFault::NoRole(name.clone()));
            }
        }
        self.check_revoked()
    }

    fn check_revoked(&self) -> Result<(), TrustFault> {
        let fine = |why: &str| !why.is_empty() && why.len() <= MAX_TEXT && !why.contains(char::is_control);
        let mut points: Vec<[u8; 32]> = Vec::new();
        for revoked in &self.revoked {
            let point = revoked.point().ok_or(TrustFault::RevokedList)?;
            if points.contains(&point) || !fine(&revoked.why) || points.len() >= MAX_REVOKED {
                return Err(TrustFault::RevokedList);
            }
            points.push(point);
        }
        let believed =
            self.keys.iter().find(|(_, key)| public_key(key).is_ok_and(|key| points.contains(&key.point)));
        believed.map_or(Ok(()), |(name, _)| Err(TrustFault::Revoked(name.clone())))
    }

    /// The quorum of a role; one that is never met where the document does not have the role.
    pub fn quorum(&self, role: KeyRole) -> &Quorum {
        match role {
            KeyRole::Build => &self.roles.build,
            KeyRole::Release => &self.roles.release,
            KeyRole::Trust => &self.roles.trust,
            KeyRole::Automatic => self.roles.automatic.as_ref().map_or(&NOBODY, |role| &role.signers),
        }
    }

    /// The roles that it has.
    pub fn roles(&self) -> impl Iterator<Item = KeyRole> {
        KeyRole::ALL.into_iter().filter(|role| *role != KeyRole::Automatic || self.roles.automatic.is_some())
    }

    /// The roles of a key.
    pub fn roles_of(&self, name: &str) -> impl Iterator<Item = KeyRole> {
        KeyRole::ALL.into_iter().filter(move |role| self.quorum(*role).keys.iter().any(|key| key == name))
    }

    /// A key that `self` revokes and `next` does not.
    pub fn forgotten_by<'a>(&'a self, next: &Self) -> Option<&'a RevokedKey> {
        let kept = |old: &&RevokedKey| !next.revoked.iter().any(|new| new.point() == old.point());
        self.revoked.iter().find(kept)
    }
}

impl RevokedKey {
    fn point(&self) -> Option<[u8; 32]> {
        public_key(&self.key).ok().map(|key| key.point)
    }

    /// The key's id, as signatures claim it.
    pub fn key_id(&self) -> Option<KeyId> {
        public_key(&self.key).ok().map(|key| key.id)
    }
}

/// Why a trust document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TrustUnread {
    /// No document is so long.
    #[error("give a trust document: {0} bytes are too many for one")]
    TooLong(usize),
    /// JSON that is none.
    #[error("give a trust document as `coilsight-trainer trust new` writes it: this text is none")]
    Text(#[source] serde_json::Error),
    /// It contradicts itself.
    #[error("correct the trust document: it makes no sense")]
    Senseless(#[source] TrustFault),
}
