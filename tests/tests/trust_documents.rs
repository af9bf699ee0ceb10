//! Keys through the trainer's commands: a first document, a release by two machines, a stolen key.

use coilsight_tests::golden_bundle;
use coilsight_tests::programs::trainer;
use std::fs;
use std::path::Path;
use std::process::Output;

fn says(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs the trainer with a line as a person types it.
fn try_it(folder: &Path, line: &str) -> Output {
    trainer().args(line.split_whitespace()).current_dir(folder).output().unwrap()
}

fn does(folder: &Path, line: &str) -> String {
    let output = try_it(folder, line);
    assert!(output.status.success(), "{line}: {}", says(&output));
    says(&output)
}

fn refuses(folder: &Path, line: &str, because: &str) {
    let output = try_it(folder, line);
    assert!(!output.status.success() && says(&output).contains(because), "{line}: {}", says(&output));
}

/// A plant with a trainer, two who release and three of whom two change keys.
fn plant() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["trainer", "anna", "ben", "carl", "anna-2"] {
        does(folder.path(), &format!("keygen {name} --no-password"));
    }
    does(
        folder.path(),
        "trust new --build trainer.pub --release anna.pub --release ben.pub --trust anna.pub --trust ben.pub \
         --trust carl.pub --require trust=2 --out trust-1.json",
    );
    folder
}

#[test]
fn a_set_is_believed_once_builder_and_releaser_signed_it() {
    let folder = plant();
    let at = folder.path();
    fs::copy(golden_bundle().0, at.join("set.coilbundle")).unwrap();
    let inspect = "bundle inspect set.coilbundle --trust trust-1.json";
    for (key, believed) in [("trainer", false), ("carl", false), ("anna", true)] {
        does(at, &format!("bundle sign set.coilbundle --key {key}.key"));
        let told = does(at, inspect);
        assert_eq!(told.starts_with("The signatures suffice"), believed, "after {key}: {told}");
    }
    assert!(does(at, inspect).contains("trainer (build)"));
    refuses(at, "bundle sign set.coilbundle --key anna.key", "nothing is to be done");
}

#[test]
fn thresholds_need_no_builder() {
    let folder = plant();
    let at = folder.path();
    fs::copy(golden_bundle().0, at.join("set.coilbundle")).unwrap();
    let told = does(
        at,
        "bundle policy set.coilbundle --release 1000 --why Sunday --b 0.5,0.6,0.7 --out p.coilbundle",
    );
    assert!(told.contains("class B: NOK from P(NOK) 0.600, REVIEW from 0.500 to 0.700"), "{told}");
    let inspect = "bundle inspect p.coilbundle --trust trust-1.json";
    assert!(does(at, inspect).contains("(arbitrary installation)"));
    does(at, "bundle sign p.coilbundle --key ben.key --comment called-by-the-shift");
    assert!(does(at, inspect).starts_with("The signatures suffice, by ben"));
    for bad in ["0.5,0.4,0.7", "0.5,0.6", "a,b,c"] {
        let line =
            format!("bundle policy set.coilbundle --release 1001 --why x --b {bad} --out q.coilbundle");
        assert!(!try_it(at, &line).status.success(), "{bad}");
    }
}

#[test]
fn a_stolen_key_is_revoked_by_two_others_and_stays_so() {
    let folder = plant();
    let at = folder.path();
    does(
        at,
        "trust revoke trust-1.json --key anna --why stolen --with anna-2.pub --restart-release 12 --out trust-2.json",
    );
    does(at, "trust pack trust-2.json --plant works --line * --out trust-2.coilbundle");
    let suffices = |old: &str| {
        let told = does(at, &format!("bundle inspect trust-2.coilbundle --trust {old}"));
        assert!(told.contains("is revoked: stolen") && told.contains("counted on from 12"), "{told}");
        told.starts_with("The signatures suffice")
    };
    // The thief and one more: enough of the old document, not of the new one.
    does(at, "bundle sign trust-2.coilbundle --key anna.key");
    does(at, "bundle sign trust-2.coilbundle --key ben.key");
    assert!(!suffices("trust-1.json"));
    does(at, "bundle sign trust-2.coilbundle --key carl.key");
    assert!(suffices("trust-1.json"));

    refuses(at, "trust change trust-2.json --add release=anna.pub --out trust-3.json", "revoked");
    refuses(at, "trust rotate trust-2.json --key anna --with carl.pub --out trust-3.json", "none called");
    refuses(at, "trust change trust-2.json --remove ben --out trust-2.json", "there already");
    refuses(at, "trust change trust-2.json --require trust=9 --out trust-3.json", "--require trust=N");
    refuses(
        at,
        "trust change trust-2.json --add boss=ben.pub --out trust-3.json",
        "build, release, trust and automatic",
    );
    refuses(at, "trust change trust-2.json --out trust-3.json", "say what is to change");
    refuses(at, "trust pack trust-2.json --plant works --out t.coilbundle", "--line <LINE>");
    // Who has only version 1 made another version 2: it is no successor of this one.
    does(at, "trust change trust-1.json --remove ben --out other-2.json");
    does(at, "trust pack other-2.json --plant works --line gl2 --out other-2.coilbundle");
    for key in ["anna", "ben", "carl", "anna-2"] {
        does(at, &format!("bundle sign other-2.coilbundle --key {key}.key"));
    }
    let told = does(at, "bundle inspect other-2.coilbundle --trust trust-2.json");
    assert!(told.contains("(replayed revocation)"), "{told}");
}

#[test]
fn the_help_of_each_command_teaches() {
    let at = Path::new(".");
    for (command, words) in [
        ("bundle sign --help", "minisign -S"),
        ("bundle inspect --help", "--trust"),
        ("trust --help", "put there by hand"),
        ("trust new --help", "Two engineers"),
        ("trust revoke --help", "lost or stolen"),
        ("trust pack --help", "bundle sign"),
    ] {
        let told = does(at, command);
        assert!(told.contains(words), "{command}: {told}");
    }
}
