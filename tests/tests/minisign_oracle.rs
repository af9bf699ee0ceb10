//! Bundle signatures against Debian's minisign: it believes ours, and what it signs is believed here, by the library
//! and through the trainer's commands.

use coilsight_models::bundle::{Limits, SignatureText, TrustedKeys, Unverified, Verified};
use coilsight_tests::programs::trainer;
use coilsight_tests::{golden_bundle, skip};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs minisign in `folder`; `None`, and said, where it is not installed.
fn minisign(test: &str, folder: &Path, arguments: &[&str]) -> Option<Output> {
    match Command::new("minisign").args(arguments).current_dir(folder).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            skip::say(test, "minisign is not installed; apt-get install minisign");
            None
        }
        Err(error) => panic!("minisign cannot be started: {error}"),
    }
}

fn says(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn minisign_believes_a_bundles_signature_and_notices_a_changed_manifest() {
    let test = "minisign_believes_a_bundles_signature_and_notices_a_changed_manifest";
    let (bundle, key) = golden_bundle();
    let unverified = Unverified::read(fs::File::open(bundle).unwrap()).unwrap();
    let front = unverified.front();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::copy(key, file("release.pub")).unwrap();
    fs::write(file("manifest.json.minisig"), front.signatures()[0].as_str()).unwrap();
    let verify = ["-V", "-H", "-p", "release.pub", "-m", "manifest.json"];

    fs::write(file("manifest.json"), front.manifest_bytes()).unwrap();
    let Some(output) = minisign(test, folder.path(), &verify) else { return };
    assert!(output.status.success(), "{}", says(&output));

    let mut changed = front.manifest_bytes().to_vec();
    changed[10] ^= 1;
    fs::write(file("manifest.json"), changed).unwrap();
    let Some(output) = minisign(test, folder.path(), &verify) else { return };
    assert!(!output.status.success(), "minisign believes a changed manifest: {}", says(&output));
}

#[test]
fn a_bundle_that_minisign_signs_is_believed() {
    let test = "a_bundle_that_minisign_signs_is_believed";
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let generate = ["-G", "-W", "-p", "line.pub", "-s", "line.key"];
    let Some(output) = minisign(test, folder.path(), &generate) else { return };
    assert!(output.status.success(), "{}", says(&output));

    // The golden bundle's files behind a front that minisign alone has signed.
    let bytes = fs::read(golden_bundle().0).unwrap();
    let unverified = Unverified::read(&bytes[..]).unwrap();
    let front = unverified.front();
    fs::write(file("manifest.json"), front.manifest_bytes()).unwrap();
    let sign = ["-S", "-s", "line.key", "-t", "release 7, approved", "-m", "manifest.json"];
    let Some(output) = minisign(test, folder.path(), &sign) else { return };
    assert!(output.status.success(), "{}", says(&output));
    let signature =
        SignatureText::from_tool(&fs::read_to_string(file("manifest.json.minisig")).unwrap()).unwrap();

    let both = front.clone().with_signature(signature).unwrap();
    let mut resigned = Vec::new();
    both.write(&mut resigned).unwrap();
    resigned.extend(&bytes[front.length() as usize..]);

    let keys = TrustedKeys::new([("line", fs::read_to_string(file("line.pub")).unwrap())]).unwrap();
    let verified = Verified::read(&resigned[..], &keys, &Limits::default()).unwrap();
    let signers: Vec<_> = verified.signers().iter().map(|s| (s.name.as_str(), s.comment.as_str())).collect();
    assert_eq!(signers, [("line", "release 7, approved")]);

    let refused = Verified::read(&bytes[..], &keys, &Limits::default());
    assert!(refused.is_err(), "a bundle without that signature is believed");
}

/// Runs the trainer, which must succeed.
fn trainer_does(folder: &Path, arguments: &[&str]) -> String {
    let output = trainer().args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", says(&output));
    says(&output)
}

#[test]
fn minisign_believes_each_of_two_signatures_that_the_trainer_put_into_a_bundle() {
    let test = "minisign_believes_each_of_two_signatures_that_the_trainer_put_into_a_bundle";
    let folder = tempfile::tempdir().unwrap();
    let (bundle, _) = golden_bundle();
    fs::copy(bundle, folder.path().join("set.coilbundle")).unwrap();
    for name in ["anna", "ben"] {
        trainer_does(folder.path(), &["keygen", name, "--no-password"]);
        trainer_does(folder.path(), &["bundle", "sign", "set.coilbundle", "--key", &format!("{name}.key")]);
    }
    trainer_does(folder.path(), &["bundle", "inspect", "set.coilbundle", "--extract", "out"]);
    // The first signature is the builder's.
    for (name, signature, believed) in
        [("anna", 1, true), ("ben", 2, true), ("anna", 2, false), ("ben", 0, false)]
    {
        let (public, signature) = (format!("{name}.pub"), format!("out/manifest.json.{signature}.minisig"));
        let verify = ["-V", "-H", "-p", &public, "-x", &signature, "-m", "out/manifest.json"];
        let Some(output) = minisign(test, folder.path(), &verify) else { return };
        assert_eq!(output.status.success(), believed, "{verify:?}: {}", says(&output));
    }
}

#[test]
fn what_minisign_signs_is_taken_by_bundle_sign_and_nothing_else() {
    let test = "what_minisign_signs_is_taken_by_bundle_sign_and_nothing_else";
    let folder = tempfile::tempdir().unwrap();
    let (bundle, _) = golden_bundle();
    fs::copy(bundle, folder.path().join("set.coilbundle")).unwrap();
    for name in ["anna", "ben"] {
        let (public, secret) = (format!("{name}.pub"), format!("{name}.key"));
        let Some(output) = minisign(test, folder.path(), &["-G", "-W", "-p", &public, "-s", &secret]) else {
            return;
        };
        assert!(output.status.success(), "{}", says(&output));
    }
    trainer_does(folder.path(), &["bundle", "inspect", "set.coilbundle", "--extract", "out"]);
    let sign = ["-S", "-s", "anna.key", "-t", "released by Anna", "-m", "out/manifest.json"];
    let Some(output) = minisign(test, folder.path(), &sign) else { return };
    assert!(output.status.success(), "{}", says(&output));

    let before = fs::read(folder.path().join("set.coilbundle")).unwrap();
    let add = |public: &str| {
        let arguments = ["bundle", "sign", "set.coilbundle", "--signature", "out/manifest.json.minisig"];
        trainer().args(arguments).args(["--public", public]).current_dir(folder.path()).output().unwrap()
    };
    let refused = add("ben.pub");
    assert!(
        !refused.status.success() && says(&refused).contains("not one of that key"),
        "{}",
        says(&refused)
    );
    assert_eq!(fs::read(folder.path().join("set.coilbundle")).unwrap(), before);
    assert!(add("anna.pub").status.success());
    let told = trainer_does(folder.path(), &["bundle", "inspect", "set.coilbundle", "--trust", "anna.pub"]);
    assert!(
        told.starts_with("The signatures suffice, by anna.") && told.contains("released by Anna"),
        "{told}"
    );
}
