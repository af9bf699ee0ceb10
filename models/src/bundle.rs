//! A bundle (`.coilbundle`): a model set in one signed file, and the one way to verify it.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `COILSGHT` |
//! | 4 | container version, 1; all numbers are little-endian `u32` |
//! | 4 | number of signatures, at most 16 |
//! | 4 | length of the signatures block, at most 64 KiB |
//! | 4 | length of the manifest, at most 1 MiB |
//! | .. | signatures: each a length and the text of a minisign signature, prehashed |
//! | .. | the manifest: JSON, exactly the bytes that are signed ([`Manifest`]) |
//! | .. | the files, back to back, in the manifest's order; nothing follows |
//!
//! The manifest states every file's length and SHA-256, so a signature over it covers the whole. Only
//! header and signatures are interpreted before the signatures are checked. It brings a model set, other
//! thresholds for one, other keys to believe, or a library of surfaces ([`manifest::Content`]); who must have signed depends on that
//! ([`TrustDocument`]).
//!
//! [`Builder`] lays a bundle out, [`Verified`] is what a device works with, [`Unverified`] is for
//! looking at. Being genuine is not being meant for this device: ask [`Manifest::is_for`].

mod attack;
mod automatic;
mod build;
mod check;
mod ed25519;
mod error;
mod framing;
pub mod golden;
mod key_files;
pub mod manifest;
mod name;
mod place;
mod read;
mod signature;
mod surfaces;
mod trust;
mod unique;
mod verify;

pub use attack::Attack;
pub use automatic::{Automatic, Judging, NeedsAPerson};
pub use build::{BuildFault, Builder, Layout};
pub use check::{
    FileRole, MAX_DIRECTIONS, MAX_FILES, MAX_MODELS, MAX_PARTS, MAX_RELEASE, MAX_TEXT, ManifestFault,
};
pub use ed25519::{HalfFault, PointFault};
pub use error::RefusedBundle;
pub use framing::Front;
pub use key_files::{KEY_FOLDER, KeyFileFault, read_key_files};
pub use manifest::Manifest;
pub use name::{BadName, FileName, Id, Sha256};
pub use place::{BadPlace, Here, MOST_AHEAD, NotForHere, OLDEST_AGENT, Place, Version};
pub use signature::{Half, KeyId, SignatureFault, SignatureText};
pub use trust::{
    AUTOMATIC_FORMAT, KeyFault, KeyRole, MAX_TRUST_DOCUMENT, Quorum, RevokedKey, Roles, Signer, TRUST_FORMAT,
    TrustDocument, TrustFault, TrustUnread, TrustedKeys,
};
pub use verify::{Limits, Unverified, Verified, VerifiedFront};

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
