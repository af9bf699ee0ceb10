//! What comes after a good signature: `[u16 length][manifest][files]`, signed with the demo's key.
//!
//! The SHA-256 of each file is set right first, so that a fuzzer can change files and manifest alike.

use super::GENUINE;
use coilsight_models::bundle::{
    Builder, FileName, Front, Limits, RefusedBundle, Sha256, SignatureText, TrustedKeys, Verified,
};
use minisign::{SecretKey, SecretKeyBox};
use serde_json::Value;
use std::sync::OnceLock;

/// The demo's key pair is public, and believed in the demo and here alone.
fn key() -> &'static (SecretKey, TrustedKeys) {
    static KEY: OnceLock<(SecretKey, TrustedKeys)> = OnceLock::new();
    KEY.get_or_init(|| {
        let secret = include_str!("../../../../agent/demo/demo-only.key");
        let secret = SecretKeyBox::from_string(secret).expect("a key file");
        let public = include_str!("../../../../agent/demo/demo-only.pub");
        let trusted = TrustedKeys::new([("demo", public)]).expect("a public key");
        (secret.into_unencrypted_secret_key().expect("a key without a password"), trusted)
    })
}

/// Small enough that a stated length is worth trying to pass.
const LIMITS: Limits = Limits { total: 64 << 10, part: 48 << 10 };

pub fn run(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let (manifest, files) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let manifest = with_digests(manifest, files);
    let (secret, trusted) = key();
    let signature = minisign::sign(None, secret, &manifest[..], None, None).expect("the demo's key signs");
    let signature = SignatureText::from_tool(&signature.into_string()).expect("a signature");
    let Ok(front) = Front::new(vec![signature], manifest.clone()) else {
        return assert!(manifest.len() > 1 << 20);
    };
    let mut bundle = Vec::new();
    front.write(&mut bundle).expect("memory takes bytes");
    bundle.extend_from_slice(files);
    match Verified::read(&bundle[..], trusted, &LIMITS) {
        Ok(verified) => accepted(&verified, files),
        Err(
            refused @ (RefusedBundle::Unsigned
            | RefusedBundle::Forged { .. }
            | RefusedBundle::TooFewSigners { .. }
            | RefusedBundle::Signature { .. }
            | RefusedBundle::Unreadable(_)),
        ) => panic!("a good signature is refused: {refused}"),
        Err(_) => {}
    }
}

/// The manifest with the digest of each file that is there in full, if it can be told which they are.
fn with_digests(manifest: &[u8], mut files: &[u8]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(manifest) else { return manifest.to_vec() };
    let Some(entries) = value.get_mut("files").and_then(Value::as_array_mut) else {
        return manifest.to_vec();
    };
    for entry in entries {
        let length = entry.get("length").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let Some((file, rest)) = length.and_then(|length| files.split_at_checked(length)) else { break };
        if let Some(digest) = entry.get_mut("sha256") {
            *digest = Sha256::of(file).to_string().into();
        }
        files = rest;
    }
    serde_json::to_vec(&value).expect("JSON becomes JSON")
}

/// Every byte belongs to the file that the manifest says, and the set can be laid out again.
fn accepted(verified: &Verified, mut files: &[u8]) {
    let manifest = verified.manifest();
    assert_eq!(manifest.check(), Ok(()));
    let mut builder = Builder::new(manifest.clone());
    for entry in &manifest.files {
        let (file, rest) = files.split_at(entry.length as usize);
        assert_eq!(verified.file(&entry.name), Some(file));
        builder = builder.file(entry.name.clone(), file.to_vec()).expect("names are there once");
        files = rest;
    }
    assert!(files.is_empty(), "bytes that no file has");
    assert_eq!(verified.file(&FileName::new("none.such").expect("a name")), None);
    let layout = builder.lay_out(&Limits::default()).expect("what is verified can be built");
    assert_eq!(serde_json::from_slice(layout.manifest_bytes()).ok().as_ref(), Some(manifest));
}

pub fn seeds() -> Vec<Vec<u8>> {
    let genuine = Front::read(&mut &GENUINE[..]).expect("the genuine bundle has a front");
    let value: Value = serde_json::from_slice(genuine.manifest_bytes()).expect("a manifest is JSON");
    let manifest = serde_json::to_vec(&value).expect("JSON becomes JSON");
    let files = &GENUINE[genuine.length() as usize..];
    let (small, length) = smaller(value);
    let seed = |manifest: &[u8], files: &[u8]| {
        let length = (manifest.len() as u16).to_le_bytes();
        [&length[..], manifest, files].concat()
    };
    vec![seed(&manifest, files), seed(&small, &vec![7; length])]
}

/// The same manifest with files of a few bytes (what is fuzzed is how they are taken, not what they hold),
/// and how many they are.
fn smaller(mut manifest: Value) -> (Vec<u8>, usize) {
    let references: Vec<Value> =
        manifest["content"]["set"]["references"].as_array().cloned().unwrap_or_default();
    let mut total = 0;
    for entry in manifest["files"].as_array_mut().expect("a manifest has files") {
        if !references.iter().any(|reference| reference["file"] == entry["name"]) {
            entry["length"] = 4.into();
        }
        total += entry["length"].as_u64().expect("a file has a length");
    }
    (serde_json::to_vec(&manifest).expect("JSON becomes JSON"), total as usize)
}
