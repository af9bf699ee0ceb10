//! Public keys in files and folders, as they lie at a line and at a workstation.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where a machine's trusted keys lie unless it is told otherwise.
pub const KEY_FOLDER: &str = "/etc/coilsight/trusted.d";
/// No public key file is longer, bytes.
const MAX_KEY_FILE: u64 = 4096;

/// Why a key file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileFault {
    /// Nothing is there.
    #[error(
        "Give the trainer's public key with --trust FILE.pub, or put it into {KEY_FOLDER}: there is nothing at {}",
        .0.display()
    )]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("Make {} readable: it cannot be read", path.display())]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No key is so long.
    #[error("Take {} away: it is too long for a minisign public key", .0.display())]
    TooLong(PathBuf),
}

/// Reads key files, and every `*.pub` of folders: the names that people know the keys by, and their texts,
/// for [`TrustedKeys::new`](super::TrustedKeys::new).
pub fn read_key_files(paths: &[PathBuf]) -> Result<Vec<(String, String)>, KeyFileFault> {
    let mut keys = Vec::new();
    for path in paths {
        for file in files(path)? {
            let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            keys.push((name, read(&file)?));
        }
    }
    Ok(keys)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, KeyFileFault> {
    if !path.exists() {
        return Err(KeyFileFault::Missing(path.to_owned()));
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let fault = |source| KeyFileFault::Read { path: path.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fault)? {
        let file = entry.map_err(fault)?.path();
        if file.extension().is_some_and(|extension| extension == "pub") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<String, KeyFileFault> {
    let fault = |source| KeyFileFault::Read { path: file.to_owned(), source };
    let mut text = String::new();
    File::open(file).map_err(fault)?.take(MAX_KEY_FILE + 1).read_to_string(&mut text).map_err(fault)?;
    if text.len() as u64 > MAX_KEY_FILE { Err(KeyFileFault::TooLong(file.to_owned())) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_give_their_keys_in_order_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("b.pub", "two"), ("a.pub", "one"), ("a.key", "secret")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let keys = read_key_files(&[folder.path().to_owned()]).unwrap();
        assert_eq!(keys, [("a".into(), "one".into()), ("b".into(), "two".into())]);
        assert_eq!(read_key_files(&[folder.path().join("b.pub")]).unwrap(), keys[1..]);
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = read_key_files(&[folder.path().join("none.pub")]).unwrap_err();
        assert!(matches!(missing, KeyFileFault::Missing(_)) && missing.to_string().contains("--trust"));
        let big = folder.path().join("big.pub");
        std::fs::write(&big, "x".repeat(5000)).unwrap();
        assert!(matches!(read_key_files(std::slice::from_ref(&big)), Err(KeyFileFault::TooLong(_))));
        std::fs::write(&big, [0xff, 0xfe]).unwrap();
        assert!(matches!(read_key_files(&[big]), Err(KeyFileFault::Read { .. })));
    }
}
