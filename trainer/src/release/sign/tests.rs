use super::*;
use crate::release::trust::{self, tests::Keys};
use coilsight_models::bundle::{KeyRole, RefusedBundle, Verified};

fn read(file: &Path, keys: &TrustedKeys) -> Result<Verified, RefusedBundle> {
    Verified::read(File::open(file).unwrap(), keys, &Limits::default())
}

/// A trust document as a bundle that nobody has signed: a bundle without files is the smallest one there is.
fn unsigned(keys: &Keys) -> std::path::PathBuf {
    let document = keys.document(&[("anna", KeyRole::Trust), ("ben", KeyRole::Trust)], 2);
    let file = keys.folder().join("next.coilbundle");
    trust::pack(&document, &trust::Packing::for_tests(), &file).unwrap();
    file
}

#[test]
fn two_people_sign_one_after_the_other() {
    let keys = Keys::new(&["anna", "ben", "trainer", "release"]);
    let file = unsigned(&keys);
    let trusted = TrustedKeys::new(["anna", "ben"].map(|name| (name, keys.public(name)))).unwrap();
    let both = trusted.require(2).unwrap();
    assert!(matches!(read(&file, &both), Err(RefusedBundle::Unsigned)));

    let signed = add_signature(&file, &By::Key(&keys.open("anna"), "annual change"), &file).unwrap();
    assert_eq!(signed.front.signatures().len(), 1);
    assert!(matches!(read(&file, &both), Err(RefusedBundle::TooFewSigners { .. })));

    let other = keys.folder().join("signed.coilbundle");
    add_signature(&file, &By::Key(&keys.open("ben"), "seen"), &other).unwrap();
    let comments: Vec<_> =
        read(&other, &both).unwrap().signers().iter().map(|s| (s.name.clone(), s.comment.clone())).collect();
    assert_eq!(comments, [("anna".into(), "annual change".into()), ("ben".into(), "seen".into())]);
    // The first file is as it was.
    assert!(matches!(read(&file, &both), Err(RefusedBundle::TooFewSigners { .. })));
}

#[test]
fn one_key_signs_once() {
    let keys = Keys::new(&["anna", "ben", "trainer", "release"]);
    let file = unsigned(&keys);
    let sign = || add_signature(&file, &By::Key(&keys.open("anna"), "once"), &file);
    sign().unwrap();
    let before = std::fs::read(&file).unwrap();
    assert!(sign().unwrap_err().to_string().starts_with("nothing is to be done"));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_signature_over_something_else_is_not_added() {
    let keys = Keys::new(&["anna", "ben", "trainer", "release"]);
    let file = unsigned(&keys);
    let before = std::fs::read(&file).unwrap();
    let over_another = keys.open("anna").sign(b"another manifest", "seen").unwrap();
    let front = Unverified::read(File::open(&file).unwrap()).unwrap().front().clone();
    let right = keys.open("anna").sign(front.manifest_bytes(), "seen").unwrap();
    let add = |signature: &str, public: &str| {
        add_signature(&file, &By::Tool { signature, public: &keys.public(public) }, &file)
    };
    for (signature, public) in [(&over_another, "anna"), (&right, "ben")] {
        assert!(format!("{:#}", add(signature, public).unwrap_err()).contains("not one of that key"));
    }
    assert!(add("no signature", "anna").is_err());
    assert_eq!(std::fs::read(&file).unwrap(), before);
    add(&right, "anna").unwrap();
}

#[test]
fn what_is_not_whole_is_not_signed() {
    let keys = Keys::new(&["anna", "ben", "trainer", "release"]);
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/golden/pair.coilbundle");
    let good = std::fs::read(golden).unwrap();
    let file = keys.folder().join("copy.coilbundle");
    let key = keys.open("release");
    let attempt = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let error = format!("{:#}", add_signature(&file, &By::Key(&key, "released"), &file).unwrap_err());
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "touched");
        assert_eq!(std::fs::read_dir(keys.folder()).unwrap().count(), 9, "something is left behind");
        error
    };
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert!(attempt(&altered).contains("mix and match"));
    assert!(attempt(&good[..good.len() - 1]).contains("partial delivery"));
    assert!(attempt(&[&good[..], b"x"].concat()).contains("extraneous files"));
    std::fs::write(&file, &good).unwrap();
    assert!(add_signature(&file, &By::Key(&key, "two\nlines"), &file).is_err());
    assert!(add_signature(&file, &By::Key(&key, "released"), &file).is_ok());
}
