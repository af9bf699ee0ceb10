//! Bundles of other releases, lines and sizes, made of the golden one and signed by keys of the test's own.

use crate::golden_bundle;
use coilsight_models::bundle::{Front, Sha256, SignatureText};
use minisign::KeyPair;
use serde_json::{Value, json};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The golden set under another manifest, signed with another key.
pub fn signed(folder: &Path, name: &str, key: &KeyPair, change: impl Fn(&mut Value)) -> PathBuf {
    large(folder, name, key, 0, change)
}

/// The same with so many bytes more, which mean nothing: its first network gets a long description.
pub fn large(folder: &Path, name: &str, key: &KeyPair, more: usize, change: impl Fn(&mut Value)) -> PathBuf {
    let golden = std::fs::read(golden_bundle().0).expect("a test bundle");
    let front = Front::read(&mut &*golden).expect("a test bundle");
    let mut manifest: Value = serde_json::from_slice(front.manifest_bytes()).expect("a test bundle");
    change(&mut manifest);
    let files = &golden[front.length() as usize..];
    let first = manifest["files"][0]["length"].as_u64().expect("a test bundle") as usize;
    let mut network = files[..first].to_vec();
    if more > 0 {
        // ModelProto.doc_string, field 6: its length as a varint, then text.
        network.push(6 << 3 | 2);
        let mut left = more;
        while left > 0x7f {
            network.push(left as u8 | 0x80);
            left >>= 7;
        }
        network.push(left as u8);
        network.resize(network.len() + more, b'x');
        manifest["files"][0]["length"] = json!(network.len());
        manifest["files"][0]["sha256"] = json!(Sha256::of(&network));
    }
    let bytes = serde_json::to_vec(&manifest).expect("a test bundle");
    let signature =
        minisign::sign(None, &key.sk, Cursor::new(&bytes), Some("test"), None).expect("a test bundle");
    let signature = SignatureText::from_tool(&signature.into_string()).expect("a test bundle");
    let mut bundle = Vec::new();
    Front::new(vec![signature], bytes).expect("a test bundle").write(&mut bundle).expect("a test bundle");
    bundle.extend_from_slice(&network);
    bundle.extend_from_slice(&files[first..]);
    let path = folder.join(name);
    std::fs::write(&path, bundle).expect("a test bundle");
    path
}

/// A key that both lines believe.
pub fn believed(folder: &Path) -> KeyPair {
    let key = KeyPair::generate_unencrypted_keypair().expect("a test bundle");
    std::fs::create_dir(folder.join("trust")).expect("a test bundle");
    std::fs::write(folder.join("trust/test.pub"), key.pk.to_box().expect("a test bundle").to_string())
        .expect("a test bundle");
    key
}
