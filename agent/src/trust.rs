//! Whose models are believed: the trusted keys of this machine, and a bundle verified against them.

use anyhow::{Context, bail, ensure};
use coilsight_models::bundle::{Here, Limits, TrustedKeys, Verified};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Where keys are looked for unless the command line or `COILSIGHT_TRUST` says otherwise.
pub const FOLDER: &str = "/etc/coilsight/trusted.d";
/// The key that signs the demo's bundle. It is public together with its secret half, so it is believed
/// in the demo and nowhere else.
pub const DEMO_KEY: &str = include_str!("../demo/demo-only.pub");
/// No public key file is longer, bytes.
const MAX_KEY_FILE: u64 = 4096;

/// Reads public keys from files and folders (every `*.pub` in them); without any, from
/// `COILSIGHT_TRUST` or [`FOLDER`].
pub fn keys(paths: &[PathBuf], environment: Option<PathBuf>) -> anyhow::Result<TrustedKeys> {
    let usual = [environment.unwrap_or_else(|| FOLDER.into())];
    let paths = if paths.is_empty() { &usual[..] } else { paths };
    let mut keys = Vec::new();
    for path in paths {
        for file in files(path)? {
            let name = file.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
            let text = read(&file)?;
            ensure!(
                secret(&text) != secret(DEMO_KEY),
                "take {} away: it is the demo's key, whose secret half anyone can read; it is believed in \
                 `coilsight-agent demo` and nowhere else",
                file.display()
            );
            keys.push((name, text));
        }
    }
    TrustedKeys::new(keys).with_context(|| {
        let shown: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
        format!(
            "no trusted key in {}: give the trainer's public key with --trust FILE.pub, or put it there",
            shown.join(", ")
        )
    })
}

/// The line of a public key file that holds the key.
fn secret(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        ensure!(
            path.exists(),
            "there is no trusted key at {}: give the trainer's public key with --trust FILE.pub, or put it \
             into {FOLDER}",
            path.display()
        );
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.with_context(|| format!("cannot list {}", path.display()))?.path();
        if file.extension().is_some_and(|e| e == "pub") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let opened = File::open(file).with_context(|| format!("cannot open the key {}", file.display()))?;
    opened
        .take(MAX_KEY_FILE + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read the key {}", file.display()))?;
    if text.len() as u64 > MAX_KEY_FILE {
        bail!("{} is too long for a minisign public key", file.display());
    }
    Ok(text)
}

/// Reads and verifies a bundle file, and checks that it is meant for this line and agent.
pub fn bundle(path: &Path, keys: &TrustedKeys, line: &str) -> anyhow::Result<Verified> {
    let file = File::open(path).with_context(|| format!("cannot open the bundle {}", path.display()))?;
    let refused = || format!("the bundle {} is refused", path.display());
    let verified = Verified::read(BufReader::new(file), keys, &Limits::default()).with_context(refused)?;
    is_for_here(&verified, line).with_context(refused)?;
    Ok(verified)
}

/// Whether a verified bundle is meant for this line and agent.
pub fn is_for_here(bundle: &Verified, line: &str) -> anyhow::Result<()> {
    let agent = env!("CARGO_PKG_VERSION").parse().context("this program's version is no version")?;
    // Plant and release counter become this device's own once it takes bundles in by itself.
    let plant = bundle.manifest().plant.to_string();
    bundle.manifest().is_for(&Here { plant: &plant, line, agent, newest_release: None })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_key_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("friend.pub"), DEMO_KEY).unwrap();
        let error = keys(&[folder.path().to_owned()], None).unwrap_err().to_string();
        assert!(error.contains("demo's key"), "{error}");
    }

    #[test]
    fn without_a_key_it_says_where_one_belongs() {
        let folder = tempfile::tempdir().unwrap();
        let error = keys(&[], Some(folder.path().to_owned())).unwrap_err().to_string();
        assert!(error.contains("--trust"), "{error}");
        let error = keys(&[folder.path().join("none.pub")], None).unwrap_err().to_string();
        assert!(error.contains("none.pub"), "{error}");
    }

    #[test]
    fn oversized_key_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("big.pub");
        std::fs::write(&file, "x".repeat(5000)).unwrap();
        assert!(keys(&[file], None).unwrap_err().to_string().contains("too long"));
    }
}
