//! Signing keys: minisign's, so that Debian's `minisign` reads and checks the same files.

use anyhow::{Context, bail, ensure};
use minisign::{ErrorKind, KeyPair, SecretKeyBox};
use std::fs::OpenOptions;
use std::io::{Cursor, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// No key file is longer, bytes.
const MAX_KEY_FILE: u64 = 4096;

/// A secret key, opened.
pub struct SecretKey(minisign::SecretKey);

/// Makes a key pair: `NAME.key` (readable by its owner alone) and `NAME.pub`. Refuses to overwrite.
///
/// With a `password` the secret half is encrypted with it.
pub fn generate(folder: &Path, name: &str, password: Option<&str>) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (secret, public) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.pub")));
    for file in [&secret, &public] {
        ensure!(
            !file.exists(),
            "{} is there already: give another name, or put it away first",
            file.display()
        );
    }
    let pair = match password {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(password.into())),
        None => KeyPair::generate_unencrypted_keypair(),
    }
    .context("no key pair could be made")?;
    let comment = format!("coilsight {name}, secret: never leaves this machine");
    write_new(
        &secret,
        0o600,
        &pair.sk.to_box(Some(&comment)).context("the key cannot be kept")?.to_string(),
    )?;
    write_new(&public, 0o644, &pair.pk.to_box().context("the key cannot be kept")?.to_string())?;
    Ok((secret, public))
}

fn write_new(file: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", file.display());
    let mut opened =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(file).with_context(cannot)?;
    opened.write_all(text.as_bytes()).with_context(cannot)?;
    opened.sync_all().with_context(cannot)
}

impl SecretKey {
    /// Opens a secret key file; `password` is asked for only if the key is encrypted.
    pub fn open(file: &Path, password: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<Self> {
        let cannot = || format!("the secret key {} cannot be used", file.display());
        let size = std::fs::metadata(file).with_context(cannot)?.len();
        ensure!(size <= MAX_KEY_FILE, "{}: it is too long for a minisign secret key", cannot());
        let text = std::fs::read_to_string(file).with_context(cannot)?;
        let read = || SecretKeyBox::from_string(&text);
        match read().with_context(cannot)?.into_unencrypted_secret_key() {
            Ok(key) => return Ok(Self(key)),
            // Not encrypted, and not whole: Debian's `minisign -W` leaves the checksum out.
            Err(error) if matches!(error.kind(), ErrorKind::Verify) => {
                return Err(error).with_context(|| {
                    format!("{}: make one with `coilsight-trainer keygen`, or with a password", cannot())
                });
            }
            Err(_) => {}
        }
        match read().with_context(cannot)?.into_secret_key(Some(password()?)) {
            Ok(key) => Ok(Self(key)),
            Err(error) => bail!("{}: {error}; is the password right?", cannot()),
        }
    }

    /// One that signs what never leaves this machine, and is gone afterwards.
    pub fn throwaway() -> anyhow::Result<Self> {
        Ok(Self(KeyPair::generate_unencrypted_keypair().context("no key pair could be made")?.sk))
    }

    /// Signs bytes, prehashed; the signature covers the comment.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> anyhow::Result<String> {
        let signature = minisign::sign(None, &self.0, Cursor::new(bytes), Some(comment), None)
            .context("the key does not sign")?;
        Ok(signature.into_string())
    }

    /// The public half, as in a `.pub` file.
    pub fn public(&self) -> anyhow::Result<String> {
        let public = minisign::PublicKey::from_secret_key(&self.0).context("the key has no public half")?;
        Ok(public.to_box().context("the key has no public half")?.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coilsight_models::bundle::TrustedKeys;

    fn never() -> anyhow::Result<String> {
        bail!("no password is needed")
    }

    #[test]
    fn a_key_pair_signs_and_is_believed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (secret, public) = generate(folder.path(), "trainer", None).unwrap();
        let key = SecretKey::open(&secret, never).unwrap();
        let public = std::fs::read_to_string(public).unwrap();
        assert_eq!(key.public().unwrap().lines().last(), public.lines().last());
        assert!(TrustedKeys::new([("trainer", public)]).is_ok());
        assert!(key.sign(b"manifest", "built").unwrap().contains("trusted comment: built"));
        assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(generate(folder.path(), "trainer", None).unwrap_err().to_string().contains("there already"));
    }

    #[test]
    fn an_encrypted_key_needs_its_password() {
        let folder = tempfile::tempdir().unwrap();
        let (secret, _) = generate(folder.path(), "trainer", Some("right")).unwrap();
        assert!(SecretKey::open(&secret, || Ok("right".into())).is_ok());
        let error = SecretKey::open(&secret, || Ok("wrong".into())).err().unwrap().to_string();
        assert!(error.contains("password"), "{error}");
    }
}
