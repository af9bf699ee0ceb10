//! Adding a signature to a bundle that is there: all or nothing, and only to a file that is whole.

use super::keys::SecretKey;
use anyhow::{Context, bail, ensure};
use coilsight_models::bundle::{
    Front, KeyId, Limits, Manifest, SignatureText, TrustedKeys, Unverified, VerifiedFront,
};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

/// Longest comment, bytes.
const MAX_COMMENT: usize = 1024;

/// What a signature was added to.
#[derive(Debug)]
pub struct Signed {
    /// The key that signed.
    pub key_id: KeyId,
    /// The bundle's front with all its signatures.
    pub front: Front,
    /// What was signed.
    pub manifest: Manifest,
}

/// Whose signature is added.
pub enum By<'a> {
    /// This key signs now; the signature covers the comment, too.
    Key(&'a SecretKey, &'a str),
    /// A tool signed `manifest.json` elsewhere: the text of its `.minisig` and of the public key.
    Tool {
        /// The signature file's text.
        signature: &'a str,
        /// The public key file's text, to see that it fits.
        public: &'a str,
    },
}

/// Adds a signature to the bundle `file` and writes it to `out`, which may be `file` itself.
///
/// The file is read to its end first: nobody puts a name under what is cut, altered or has something appended.
/// `out` is either what it was or the whole new bundle.
pub fn add_signature(file: &Path, by: &By, out: &Path) -> anyhow::Result<Signed> {
    let cannot = || format!("cannot read {}", file.display());
    let mut reader = BufReader::new(File::open(file).with_context(cannot)?);
    let unverified = Unverified::read(&mut reader)?;
    let (front, manifest) = (unverified.front(), unverified.claimed());
    let (text, public) = match by {
        By::Key(key, comment) => {
            let plain =
                !comment.is_empty() && comment.len() <= MAX_COMMENT && !comment.contains(char::is_control);
            ensure!(plain, "give a comment of one line and at most {MAX_COMMENT} bytes");
            (key.sign(front.manifest_bytes(), comment)?, key.public()?)
        }
        By::Tool { signature, public } => ((*signature).to_string(), (*public).to_string()),
    };
    let signature = SignatureText::from_tool(&text)
        .context("sign manifest.json with minisign 0.10 or later: this signature is not taken")?;
    let key_id = signature.key_id();
    if front.signatures().iter().any(|there| there.key_id() == key_id) {
        bail!("nothing is to be done: {} is signed with the key {key_id} already", file.display());
    }
    let signed = front.clone().with_signature(signature)?;
    let mut bytes = Vec::new();
    signed.write(&mut bytes)?;
    let only = TrustedKeys::new([("the key given", public)]).context("the public key is not taken")?;
    VerifiedFront::read(&bytes[..], &only, &Limits::default()).with_context(|| {
        format!("sign the manifest.json of {}: this signature is not one of that key over it", file.display())
    })?;

    let mut beside = beside(out)?;
    let cannot_write = || format!("cannot write {}", out.display());
    let mut writer = BufWriter::new(beside.as_file_mut());
    writer.write_all(&bytes).with_context(cannot_write)?;
    copy_files(&mut reader, &mut writer, manifest)
        .with_context(|| format!("ask for {} again: it is not signed as it is", file.display()))?;
    writer.flush().with_context(cannot_write)?;
    drop(writer);
    beside.as_file().sync_all().with_context(cannot_write)?;
    beside.persist(out).with_context(cannot_write)?;
    Ok(Signed { key_id, front: signed, manifest: manifest.clone() })
}

/// A file beside `out` that takes its place at the end.
fn beside(out: &Path) -> anyhow::Result<tempfile::NamedTempFile> {
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Nothing in a bundle is secret, and others must read it.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    tempfile::Builder::new()
        .permissions(readable)
        .tempfile_in(folder)
        .with_context(|| format!("cannot write into {}", folder.display()))
}

/// Copies a bundle's files and holds each against the manifest.
fn copy_files(reader: &mut impl Read, writer: &mut impl Write, manifest: &Manifest) -> anyhow::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    for file in &manifest.files {
        let (mut left, mut digest) = (file.length, Sha256::new());
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let n = reader.read(&mut buffer[..most])?;
            ensure!(n > 0, "it ends inside its file {} (partial delivery)", file.name);
            digest.update(&buffer[..n]);
            writer.write_all(&buffer[..n])?;
            left -= n as u64;
        }
        let found: [u8; 32] = digest.finalize().into();
        ensure!(
            found == *file.sha256.as_bytes(),
            "its file {} is not what the manifest says (mix and match, or a damaged copy)",
            file.name
        );
    }
    ensure!(reader.read(&mut buffer[..1])? == 0, "bytes follow its last file (extraneous files)");
    Ok(())
}

#[cfg(test)]
mod tests;
