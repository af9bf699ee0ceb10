//! Whose models are believed: the trusted keys of this machine, and a bundle verified against them.

use crate::slots::Provisioned;
use anyhow::{Context, bail};
use coilsight_models::bundle::{
    Here, KEY_FOLDER, Limits, MAX_TRUST_DOCUMENT, TrustDocument, TrustedKeys, Verified, read_key_files,
};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// The key that signs the demo's bundle. It is public together with its secret half, so it is believed
/// in the demo and nowhere else.
pub const DEMO_KEY: &str = include_str!("../demo/demo-only.pub");

/// Reads public keys from files and folders (every `*.pub` in them); without any, from
/// `COILSIGHT_TRUST` or [`KEY_FOLDER`].
pub fn keys(paths: &[PathBuf], environment: Option<PathBuf>) -> anyhow::Result<TrustedKeys> {
    let usual = [environment.unwrap_or_else(|| KEY_FOLDER.into())];
    let paths = if paths.is_empty() { &usual[..] } else { paths };
    let keys = read_key_files(paths)?;
    if let Some((name, _)) = keys.iter().find(|(_, text)| key_line(text) == key_line(DEMO_KEY)) {
        bail!(
            "take {name}.pub away: it is the demo's key, whose secret half anyone can read; it is believed in \
             `coilsight-agent demo` and nowhere else"
        );
    }
    TrustedKeys::new(keys).with_context(|| {
        let shown: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
        format!(
            "no trusted key in {}: give the trainer's public key with --trust FILE.pub, or put it there",
            shown.join(", ")
        )
    })
}

/// Whom `path` says to believe: a trust document, or keys without roles.
pub fn whom(path: &Path) -> anyhow::Result<Provisioned> {
    let inside = path.join("trust.json");
    let document = if inside.is_file() { inside } else { path.to_owned() };
    if document.extension().is_none_or(|extension| extension != "json") {
        return Ok(Provisioned::Keys(keys(&[path.to_owned()], None)?));
    }
    let read = || -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(&document)?.take(MAX_TRUST_DOCUMENT + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes =
        read().with_context(|| format!("the trust document {} cannot be read", document.display()))?;
    let parsed = TrustDocument::parse(&bytes)
        .with_context(|| format!("the trust document {} cannot be used", document.display()))?;
    if let Some((name, _)) = parsed.keys.iter().find(|(_, key)| Some(key.as_str()) == key_line(DEMO_KEY)) {
        bail!(
            "take {name} out of {}: it is the demo's key, whose secret half anyone can read",
            document.display()
        );
    }
    Ok(Provisioned::Document(Box::new(parsed)))
}

/// The line of a public key file that holds the key.
fn key_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

/// Reads and verifies a bundle file, and checks that it is meant for this line and agent, and for this plant where one
/// is known.
pub fn bundle(path: &Path, keys: &TrustedKeys, plant: Option<&str>, line: &str) -> anyhow::Result<Verified> {
    let file = File::open(path).with_context(|| format!("cannot open the bundle {}", path.display()))?;
    let refused = || format!("the bundle {} is refused", path.display());
    let verified = Verified::read(BufReader::new(file), keys, &Limits::default()).with_context(refused)?;
    is_for_here(&verified, plant, line).with_context(refused)?;
    Ok(verified)
}

/// Whether a verified bundle is meant for this line and agent, and for this plant; without one, whatever plant it is for.
/// Releases are not compared: nothing here knows what a line had.
pub fn is_for_here(bundle: &Verified, plant: Option<&str>, line: &str) -> anyhow::Result<()> {
    let agent = env!("CARGO_PKG_VERSION").parse().context("this program's version is no version")?;
    let meant = bundle.manifest().plant.to_string();
    let here = Here {
        plant: plant.unwrap_or(&meant),
        line,
        agent,
        newest_release: None,
        signed_time: None,
        clock: None,
        active_set: None,
    };
    bundle.manifest().is_for(&here)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::testing;

    #[test]
    fn the_demo_key_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("friend.pub"), DEMO_KEY).unwrap();
        let error = keys(&[folder.path().to_owned()], None).unwrap_err().to_string();
        assert!(error.contains("demo's key"), "{error}");
    }

    #[test]
    fn a_set_of_another_plant_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (plant, file) = (testing::Plant::new(), folder.path().join("set.coilbundle"));
        let set = testing::set(1, |manifest| manifest.plant = testing::place("hagen"));
        std::fs::write(&file, testing::signed(&set, &[&plant.trainer, &plant.anna])).unwrap();
        let keys = TrustedKeys::of_document(plant.document(1)).unwrap();
        assert!(bundle(&file, &keys, Some("hagen"), "gl2").is_ok());
        assert!(bundle(&file, &keys, None, "gl2").is_ok());
        let error = bundle(&file, &keys, Some("works"), "gl2").unwrap_err();
        assert!(format!("{error:#}").contains("hagen"), "{error:#}");
        assert!(bundle(&file, &keys, Some("hagen"), "gl3").is_err());
    }

    #[test]
    fn without_a_key_it_says_where_one_belongs() {
        let folder = tempfile::tempdir().unwrap();
        let error = keys(&[], Some(folder.path().to_owned())).unwrap_err().to_string();
        assert!(error.contains("--trust"), "{error}");
    }
}
