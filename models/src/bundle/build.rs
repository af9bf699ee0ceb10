//! Laying out a bundle. Signing is the caller's: secret keys never come here.

use super::check::ManifestFault;
use super::error::RefusedBundle;
use super::framing::Front;
use super::manifest::{FileEntry, Manifest};
use super::name::{FileName, Sha256};
use super::signature::{SignatureFault, SignatureText};
use super::verify::Limits;
use std::io::{self, Write};

/// Why a bundle cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildFault {
    /// The manifest contradicts itself or the files.
    #[error("correct the description of the set: the manifest makes no sense")]
    Manifest(#[source] ManifestFault),
    /// The same file twice.
    #[error("give each file a name of its own: {0} is there twice")]
    FileTwice(FileName),
    /// No device would take it.
    #[error("make the set smaller: no device would take the bundle")]
    Limits(#[source] RefusedBundle),
    /// A text that is no usable signature.
    #[error("sign with minisign's present format: signature number {number} cannot be used")]
    Signature {
        /// Counted from 1.
        number: usize,
        /// What it lacks.
        source: SignatureFault,
    },
    /// The sink failed.
    #[error("check the disk: the bundle could not be written")]
    Write(#[source] io::Error),
}

/// Collects a manifest and its files.
#[derive(Clone, Debug)]
pub struct Builder {
    manifest: Manifest,
    files: Vec<(FileName, Vec<u8>)>,
}

impl Builder {
    /// Starts from everything but `format` and `files`, which are filled in here.
    pub fn new(manifest: Manifest) -> Self {
        let format = manifest.content.format();
        Self { manifest: Manifest { format, files: Vec::new(), ..manifest }, files: Vec::new() }
    }

    /// Adds a file; files are laid out in the order of these calls.
    pub fn file(mut self, name: FileName, bytes: Vec<u8>) -> Result<Self, BuildFault> {
        if self.files.iter().any(|(other, _)| *other == name) {
            return Err(BuildFault::FileTwice(name));
        }
        let entry = FileEntry { name: name.clone(), length: bytes.len() as u64, sha256: Sha256::of(&bytes) };
        self.manifest.files.push(entry);
        self.files.push((name, bytes));
        Ok(self)
    }

    /// Fixes the bytes to sign. Refuses what [`super::Verified`] would refuse.
    pub fn lay_out(self, limits: &Limits) -> Result<Layout, BuildFault> {
        let bytes = self.manifest.to_bytes().map_err(BuildFault::Manifest)?;
        let front = Front::new(Vec::new(), bytes).map_err(BuildFault::Limits)?;
        limits.check(front.length(), &self.manifest).map_err(BuildFault::Limits)?;
        Ok(Layout { front, files: self.files })
    }
}

/// A bundle whose bytes are fixed and that waits for its signatures.
#[derive(Debug)]
pub struct Layout {
    front: Front,
    files: Vec<(FileName, Vec<u8>)>,
}

impl Layout {
    /// The exact bytes to sign, prehashed, as `minisign -S` does.
    pub fn manifest_bytes(&self) -> &[u8] {
        self.front.manifest_bytes()
    }

    /// Writes the bundle with signatures as a signing tool wrote them. Without any it is well-formed, and
    /// refused everywhere.
    pub fn write<T: AsRef<str>>(
        &self,
        writer: &mut impl Write,
        signatures: impl IntoIterator<Item = T>,
    ) -> Result<(), BuildFault> {
        let mut front = self.front.clone();
        for (at, text) in signatures.into_iter().enumerate() {
            let signature = SignatureText::from_tool(text.as_ref())
                .map_err(|source| BuildFault::Signature { number: at + 1, source })?;
            front = front.with_signature(signature).map_err(BuildFault::Limits)?;
        }
        front.write(writer).map_err(BuildFault::Write)?;
        for (_, bytes) in &self.files {
            writer.write_all(bytes).map_err(BuildFault::Write)?;
        }
        writer.flush().map_err(BuildFault::Write)
    }
}
