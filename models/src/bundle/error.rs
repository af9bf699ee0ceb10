//! Why a bundle is refused. Each message says first what to do, then what was wrong, then, where there
//! is a known attack of that kind, its name: it is read by people at the line, from a notification.

use super::attack::Attack;
use super::check::ManifestFault;
use super::framing::{FRAMING, MAX_SIGNATURES};
use super::name::{FileName, Sha256};
use super::signature::{KeyId, SignatureFault};
use super::trust::KeyRole;

/// Why a bundle was not accepted. Nothing of it was used.
#[derive(Debug, thiserror::Error)]
pub enum RefusedBundle {
    /// The source failed, not the bundle.
    #[error("Check the disk or the connection and try again: the bundle could not be read to its end")]
    Unreadable(#[source] std::io::Error),

    /// It ends too early.
    #[error(
        "Ask for the file again: it ends inside {what} ({}, or a copy that was cut off)",
        Attack::PartialDelivery
    )]
    Cut {
        /// What was being read.
        what: String,
    },

    /// It does not end where it should.
    #[error("Ask for the file again: bytes follow its last file ({})", Attack::ExtraneousFiles)]
    Trailing,

    /// Another kind of file.
    #[error("Choose a .coilbundle file: this one does not begin as a bundle does")]
    NotABundle,

    /// A container of another version.
    #[error(
        "Update this program before the models: the file is of container version {found}, this program reads {FRAMING}"
    )]
    NewerFraming {
        /// What the header says.
        found: u32,
    },

    /// A header that asks for more than the container allows.
    #[error(
        "Ask for the file again: its header claims {length} bytes of {field}, at most {most} are allowed ({}, or a damaged copy)",
        Attack::EndlessData
    )]
    BlockTooLong {
        /// Which block.
        field: &'static str,
        /// What the header says, in bytes.
        length: u64,
        /// The cap, in bytes.
        most: u32,
    },

    /// More signatures than the container allows.
    #[error(
        "Ask for the file again: its header claims {count} signatures, at most {MAX_SIGNATURES} are allowed ({}, or a damaged copy)",
        Attack::EndlessData
    )]
    TooManySignatures {
        /// What the header says.
        count: u64,
    },

    /// The lengths inside the signatures block do not add up.
    #[error(
        "Ask for the file again: its signatures do not fill their block exactly (tampering or a damaged copy)"
    )]
    SignaturesBlock,

    /// A signature that could not count whoever made it.
    #[error("Sign the bundle again: its signature number {number} is not of the kind that bundles take")]
    Signature {
        /// Counted from 1.
        number: usize,
        /// What it lacks.
        source: SignatureFault,
    },

    /// No signature.
    #[error(
        "Have the bundle signed before it is sent: it carries no signature ({})",
        Attack::ArbitraryInstallation
    )]
    Unsigned,

    /// A signature under a trusted key's id that does not hold.
    #[error(
        "Do not use this file and find out where it comes from: the signature that names the key {key:?} does not fit its content ({}: forgery, tampering or a damaged copy)",
        Attack::ArbitraryInstallation
    )]
    Forged {
        /// The trusted key's name.
        key: String,
    },

    /// Valid signatures, but of too few trusted keys.
    #[error(
        "Have the bundle signed with {required} of the keys that {}, or let the device trust the signer: valid here {}, not known here {} ({})",
        of_role(*role),
        list(signers),
        list(strangers),
        // With a part of the keys that are needed somebody could be trying what a stolen key is good for.
        if signers.is_empty() && role.is_none() { Attack::ArbitraryInstallation } else { Attack::KeyCompromise }
    )]
    TooFewSigners {
        /// Of which role; `None` where keys have no roles, or no trusted key signed at all.
        role: Option<KeyRole>,
        /// Distinct keys required.
        required: usize,
        /// Names of the trusted keys of that role whose signatures are valid.
        signers: Vec<String>,
        /// Ids of the keys that are not trusted here.
        strangers: Vec<String>,
    },

    /// Signed by a key that is never believed again.
    #[error(
        "Have the bundle signed with another key, and find out who still uses this one: {key_id} was revoked, {why} ({})",
        Attack::KeyCompromise
    )]
    RevokedSigner {
        /// The key's id.
        key_id: KeyId,
        /// Since when and why, by the trust document.
        why: String,
    },

    /// A trust document that is older than the one in force, or another one of the same version.
    #[error(
        "Make the next trust document from the one in force: this is version {version}, here is {here} ({})",
        Attack::ReplayedRevocation
    )]
    OldTrust {
        /// What the document says.
        version: u64,
        /// What is in force.
        here: u64,
    },

    /// A trust document that is not the next one.
    #[error(
        "Bring version {} of the trust document first: this is version {version}, here is {here} ({})",
        here + 1,
        Attack::FastForward
    )]
    SkippedTrust {
        /// What the document says.
        version: u64,
        /// What is in force.
        here: u64,
    },

    /// A trust document that leaves a revoked key out.
    #[error(
        "Make the trust document again with every key that was ever revoked: it leaves {key} out, which would be believed again ({})",
        Attack::ReplayedRevocation
    )]
    Unrevoked {
        /// The key.
        key: String,
    },

    /// A manifest format that this program does not know.
    #[error(
        "Update this program before the models: the manifest is of format {found}, this program reads {reads}"
    )]
    NewerFormat {
        /// What the manifest says.
        found: u32,
        /// What is read of its kind.
        reads: u32,
    },

    /// A manifest format that this program no longer reads.
    #[error(
        "Build the bundle again with the present trainer: the manifest is of format {found}, this program reads {reads}"
    )]
    OlderFormat {
        /// What the manifest says.
        found: u32,
        /// What is read of its kind.
        reads: u32,
    },

    /// JSON that is not a manifest: unknown or missing fields, values out of form.
    #[error(
        "Build the bundle again with a trainer that fits this program: the manifest does not have the fields of its format"
    )]
    ManifestText(#[source] serde_json::Error),

    /// A manifest that contradicts itself or breaks a limit.
    #[error("Correct the description of the set and build the bundle again: the manifest makes no sense")]
    Manifest(#[source] ManifestFault),

    /// Larger than the limit in force here.
    #[error(
        "Build a smaller set or raise the limit: the bundle takes {length} bytes, at most {most} are allowed here ({})",
        Attack::EndlessData
    )]
    TooLarge {
        /// What the manifest adds up to, in bytes.
        length: u64,
        /// The limit in force.
        most: u64,
    },

    /// One file larger than the limit in force for its kind.
    #[error(
        "Build a smaller set or raise the limit: {file} takes {length} bytes, a file of its kind at most {most} here ({})",
        Attack::EndlessData
    )]
    FileTooLarge {
        /// Which file.
        file: FileName,
        /// Its stated length.
        length: u64,
        /// The limit in force.
        most: u64,
    },

    /// Another bundle lies where a known one should.
    #[error(
        "Send the bundle again: the file is not the one with the fingerprint {wanted} (a damaged disk, or tampering)"
    )]
    AnotherBundle {
        /// The fingerprint that was expected.
        wanted: Sha256,
    },

    /// A file whose content is not what was signed.
    #[error(
        "Ask for the file again, and if it comes the same, find out who touched it: its file {file} does not have the SHA-256 that the manifest states ({}, or a damaged copy)",
        Attack::MixAndMatch
    )]
    FileAltered {
        /// Which file.
        file: FileName,
    },
}

impl RefusedBundle {
    /// The attack that this stops, by the name it has in TUF's and Uptane's lists; `None` where it is a plain fault.
    pub fn attack(&self) -> Option<Attack> {
        Some(match self {
            Self::Cut { .. } => Attack::PartialDelivery,
            Self::Trailing => Attack::ExtraneousFiles,
            Self::BlockTooLong { .. }
            | Self::TooManySignatures { .. }
            | Self::TooLarge { .. }
            | Self::FileTooLarge { .. } => Attack::EndlessData,
            Self::Unsigned | Self::Forged { .. } => Attack::ArbitraryInstallation,
            Self::TooFewSigners { role: None, signers, .. } if signers.is_empty() => {
                Attack::ArbitraryInstallation
            }
            Self::TooFewSigners { .. } | Self::RevokedSigner { .. } => Attack::KeyCompromise,
            Self::OldTrust { .. } | Self::Unrevoked { .. } => Attack::ReplayedRevocation,
            Self::SkippedTrust { .. } => Attack::FastForward,
            Self::FileAltered { .. } => Attack::MixAndMatch,
            Self::Unreadable(_)
            | Self::NotABundle
            | Self::NewerFraming { .. }
            | Self::SignaturesBlock
            | Self::Signature { .. }
            | Self::NewerFormat { .. }
            | Self::OlderFormat { .. }
            | Self::ManifestText(_)
            | Self::AnotherBundle { .. }
            | Self::Manifest(_) => return None,
        })
    }
}

/// Which keys are asked for.
fn of_role(role: Option<KeyRole>) -> String {
    role.map_or_else(|| "this device trusts".into(), |role| format!("may {} (role {role})", role.deed()))
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_begin_with_what_to_do() {
        let refused = RefusedBundle::TooFewSigners {
            role: None,
            required: 2,
            signers: vec!["lab".into()],
            strangers: vec![],
        };
        assert_eq!(
            refused.to_string(),
            "Have the bundle signed with 2 of the keys that this device trusts, or let the device trust the \
             signer: valid here lab, not known here none (key compromise)"
        );
        let altered = RefusedBundle::FileAltered { file: FileName::new("conv.onnx").unwrap() };
        assert!(altered.to_string().starts_with("Ask for the file again"));
        assert!(altered.to_string().ends_with("(mix and match, or a damaged copy)"));
    }
}
