//! The one way from bytes to a bundle that may be used. Agent, trainer and every tool come through here.
//!
//! In this order, and stopping at the first thing wrong: framing, signatures over the manifest's exact
//! bytes, the manifest itself, whether those who signed may bring what it brings, each file's length and
//! then its digest, the end.

use super::automatic::Automatic;
use super::check::{FileRole, MAX_REFERENCE};
use super::error::RefusedBundle;
use super::framing::Front;
use super::golden::MAX_GOLDEN_BYTES;
use super::manifest::Manifest;
use super::name::{FileName, Sha256};
use super::read;
use super::trust::{Signer, TrustedKeys};
use std::collections::BTreeMap;
use std::io::Read;

/// How large a bundle may be on this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All of it, bytes.
    pub total: u64,
    /// One ONNX file, bytes.
    pub part: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: 256 * 1024 * 1024, part: 128 * 1024 * 1024 }
    }
}

impl Limits {
    /// Checks what a manifest adds up to, behind `front` bytes, before any of it is read.
    pub(super) fn check(&self, front: u64, manifest: &Manifest) -> Result<(), RefusedBundle> {
        let roles = manifest.roles().map_err(RefusedBundle::Manifest)?;
        let mut length = front;
        for file in &manifest.files {
            length = length.saturating_add(file.length);
            let most = match roles.get(&file.name) {
                Some(FileRole::Reference) => 4 * MAX_REFERENCE,
                Some(FileRole::Golden) => MAX_GOLDEN_BYTES,
                Some(FileRole::Part) | None => self.part,
            };
            if file.length > most {
                return Err(RefusedBundle::FileTooLarge {
                    file: file.name.clone(),
                    length: file.length,
                    most,
                });
            }
        }
        if length > self.total {
            return Err(RefusedBundle::TooLarge { length, most: self.total });
        }
        Ok(())
    }
}

/// A bundle that was signed by enough trusted keys and is, to the byte, what they signed.
///
/// Nothing but [`Verified::read`] makes one.
#[derive(Debug)]
pub struct Verified {
    front: Front,
    manifest: Manifest,
    signers: Vec<Signer>,
    automatic: Option<Automatic>,
    files: BTreeMap<FileName, Vec<u8>>,
}

impl Verified {
    /// Reads a bundle to its end and verifies it.
    ///
    /// Holds at most the manifest and the files in memory, never more than has arrived and never more
    /// than `limits` allow; a refusal drops it all.
    pub fn read(mut reader: impl Read, keys: &TrustedKeys, limits: &Limits) -> Result<Self, RefusedBundle> {
        let front = VerifiedFront::read(&mut reader, keys, limits)?;
        Self::files(reader, front)
    }

    fn files(mut reader: impl Read, front: VerifiedFront) -> Result<Self, RefusedBundle> {
        let VerifiedFront { front, manifest, signers, automatic } = front;
        let mut files = BTreeMap::new();
        for file in &manifest.files {
            let mut hashing = read::Hashing::new(&mut reader);
            let bytes = read::exactly(&mut hashing, file.length, &format!("its file {}", file.name))?;
            if hashing.digest() != file.sha256 {
                return Err(RefusedBundle::FileAltered { file: file.name.clone() });
            }
            files.insert(file.name.clone(), bytes);
        }
        read::end(&mut reader)?;
        Ok(Self { front, manifest, signers, automatic, files })
    }

    /// Reads a bundle that was verified before: its `fingerprint` stands in a record that the device trusts as much as
    /// itself, and says what was signed to the byte. Keys that have since been revoked do not matter.
    pub fn read_known(
        mut reader: impl Read,
        fingerprint: Sha256,
        limits: &Limits,
    ) -> Result<Self, RefusedBundle> {
        let front = Front::read(&mut reader)?;
        if front.fingerprint() != fingerprint {
            return Err(RefusedBundle::AnotherBundle { wanted: fingerprint });
        }
        let manifest = Manifest::parse(front.manifest_bytes())?;
        limits.check(front.length(), &manifest)?;
        Self::files(reader, VerifiedFront { front, manifest, signers: Vec::new(), automatic: None })
    }

    /// What was signed.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// A file's content.
    pub fn file(&self, name: &FileName) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// The trusted keys that signed.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// The limits of whoever released it, if that was no person: what takes it in must look whether it keeps to them.
    pub fn automatic(&self) -> Option<&Automatic> {
        self.automatic.as_ref()
    }

    /// SHA-256 of the manifest's bytes: one bundle, one fingerprint, however often it is signed.
    pub fn fingerprint(&self) -> Sha256 {
        self.front.fingerprint()
    }

    /// The signatures and the exact bytes that they sign, for other tools to check.
    pub fn front(&self) -> &Front {
        &self.front
    }
}

/// A front that was signed by enough trusted keys: what can be known of a bundle before its files have come.
#[derive(Debug)]
pub struct VerifiedFront {
    front: Front,
    manifest: Manifest,
    signers: Vec<Signer>,
    automatic: Option<Automatic>,
}

impl VerifiedFront {
    /// Reads and verifies a front, and leaves the files unread.
    pub fn read(mut reader: impl Read, keys: &TrustedKeys, limits: &Limits) -> Result<Self, RefusedBundle> {
        Self::of(Front::read(&mut reader)?, keys, limits)
    }

    /// Verifies a front that was read.
    pub fn of(front: Front, keys: &TrustedKeys, limits: &Limits) -> Result<Self, RefusedBundle> {
        let signers = keys.signers(&front)?;
        let manifest = Manifest::parse(front.manifest_bytes())?;
        let automatic = keys.suffice(&front, &manifest.content)?.cloned();
        limits.check(front.length(), &manifest)?;
        Ok(Self { front, manifest, signers, automatic })
    }

    /// What was signed.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Bytes of the whole bundle.
    pub fn total(&self) -> u64 {
        self.manifest.files.iter().fold(self.front.length(), |sum, file| sum.saturating_add(file.length))
    }
}

/// What a bundle says of itself, unproven: for showing to people, never for judging coils.
#[derive(Debug)]
pub struct Unverified {
    front: Front,
    manifest: Manifest,
}

impl Unverified {
    /// Reads front and manifest; leaves the files unread and every signature unchecked.
    pub fn read(mut reader: impl Read) -> Result<Self, RefusedBundle> {
        let front = Front::read(&mut reader)?;
        let manifest = Manifest::parse(front.manifest_bytes())?;
        Ok(Self { front, manifest })
    }

    /// What the bundle claims.
    pub fn claimed(&self) -> &Manifest {
        &self.manifest
    }

    /// The signatures and the bytes that they are said to sign.
    pub fn front(&self) -> &Front {
        &self.front
    }
}
