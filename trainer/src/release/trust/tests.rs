use super::*;
use crate::release::{SecretKey, generate};

/// Key pairs in a folder that lives as long as a test.
pub(in crate::release) struct Keys(tempfile::TempDir);

impl Keys {
    pub(in crate::release) fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            generate(folder.path(), name, None).unwrap();
        }
        Self(folder)
    }

    pub(in crate::release) fn folder(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}.pub"))
    }

    pub(in crate::release) fn public(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    pub(in crate::release) fn open(&self, name: &str) -> SecretKey {
        SecretKey::open(&self.folder().join(format!("{name}.key")), || bail!("it has no password")).unwrap()
    }

    fn roles(&self, keys: &[(&str, KeyRole)]) -> Change {
        Change {
            add: keys.iter().map(|(name, role)| (*role, self.file(name))).collect(),
            ..Change::default()
        }
    }

    /// Keys by role and how many sign documents; `trainer` builds and `release` releases.
    pub(in crate::release) fn document(&self, keys: &[(&str, KeyRole)], trust: usize) -> TrustDocument {
        let mut change = self.roles(&[("trainer", KeyRole::Build), ("release", KeyRole::Release)]);
        change.add.extend(self.roles(keys).add);
        change.require.push((KeyRole::Trust, trust));
        first(&change).unwrap()
    }
}

impl Packing {
    pub(in crate::release) fn for_tests() -> Self {
        Self {
            plant: Place::Any,
            lines: vec![Place::Any],
            now: "2026-11-22T08:00:00Z".parse().unwrap(),
            not_after: "2027-11-22T08:00:00Z".parse().unwrap(),
        }
    }
}

const TRUST: KeyRole = KeyRole::Trust;

#[test]
fn a_first_document_is_version_1_and_reads_back() {
    let keys = Keys::new(&["trainer", "release", "anna", "ben"]);
    let document = keys.document(&[("anna", TRUST), ("ben", TRUST)], 2);
    assert_eq!((document.version, document.roles.trust.required), (1, 2));
    let file = keys.folder().join("trust-1.json");
    write(&document, &file).unwrap();
    assert_eq!(read(&file).unwrap(), document);
    assert!(write(&document, &file).unwrap_err().to_string().contains("there already"));
    let bundle = keys.folder().join("trust-1.coilbundle");
    pack(&document, &Packing::for_tests(), &bundle).unwrap();
    assert_eq!(read(&bundle).unwrap(), document);
}

#[test]
fn a_role_without_keys_or_with_too_few_is_refused_with_what_to_say() {
    let keys = Keys::new(&["trainer", "release", "anna"]);
    let roles = [("trainer", KeyRole::Build), ("release", KeyRole::Release)];
    let error = first(&keys.roles(&roles)).unwrap_err().to_string();
    assert!(error.contains("--trust NAME.pub"), "{error}");
    let mut change = keys.roles(&[roles[0], roles[1], ("anna", TRUST)]);
    change.require.push((TRUST, 2));
    assert!(first(&change).unwrap_err().to_string().contains("would have 1 keys and require 2"));
    // Who builds does not release what was built.
    let both = [roles[0], ("trainer", KeyRole::Release), ("anna", TRUST)];
    assert!(first(&keys.roles(&both)).is_err());
}

#[test]
fn a_rotated_key_hands_its_roles_on_and_a_revoked_one_is_kept_in_the_list() {
    let keys = Keys::new(&["trainer", "release", "anna", "ben", "anna-2027", "carl"]);
    let old = keys.document(&[("anna", TRUST), ("ben", TRUST), ("anna", KeyRole::Release)], 2);
    let rotated = exchange(&old, "anna", &keys.file("anna-2027"), None, None).unwrap();
    assert_eq!(rotated.version, 2);
    assert_eq!(rotated.roles.trust.keys, ["ben", "anna-2027"]);
    assert_eq!(rotated.roles.release.keys, ["release", "anna-2027"]);
    assert!(rotated.revoked.is_empty() && !rotated.keys.contains_key("anna"));

    let stolen = exchange(&rotated, "ben", &keys.file("carl"), Some("laptop stolen"), Some(40)).unwrap();
    assert_eq!((stolen.version, stolen.restart_release), (3, Some(40)));
    assert_eq!(stolen.roles.trust.keys, ["anna-2027", "carl"]);
    let line = keys.public("ben").lines().last().unwrap().to_string();
    assert_eq!(stolen.revoked, [RevokedKey { key: line, why: "laptop stolen".into() }]);

    // It stays revoked, cannot come back, and the restart is not said again.
    let later = next(&stolen, &keys.roles(&[("release", TRUST)])).unwrap();
    assert_eq!((later.restart_release, &later.revoked), (None, &stolen.revoked));
    let error = format!("{:#}", next(&stolen, &keys.roles(&[("ben", TRUST)])).unwrap_err());
    assert!(error.contains("revoked"), "{error}");
}

#[test]
fn slips_are_refused_by_name() {
    let keys = Keys::new(&["trainer", "release", "anna", "ben"]);
    let old = keys.document(&[("anna", TRUST), ("ben", TRUST)], 2);
    let fault = |change: Change| format!("{:#}", next(&old, &change).unwrap_err());
    let gone = Change { remove: vec!["bob".into()], ..Change::default() };
    assert!(fault(gone).contains("none called \"bob\""));
    let mute = Change { revoke: vec!["anna".into()], ..Change::default() };
    assert!(fault(mute).contains("--why"));
    let few = Change { revoke: vec!["anna".into()], why: "lost".into(), ..Change::default() };
    assert!(fault(few).contains("--require trust=N"));
    // Another key in a file of a known name.
    let others = Keys::new(&["anna"]);
    assert!(fault(others.roles(&[("anna", TRUST)])).contains("another key as \"anna\""));
    assert!(fault(keys.roles(&[("nobody", TRUST)])).contains("nobody.pub"));
    assert!(exchange(&old, "bob", &keys.file("ben"), None, None).is_err());
}

#[test]
fn what_is_no_document_is_refused() {
    let keys = Keys::new(&["trainer", "release", "anna"]);
    let file = keys.folder().join("x");
    for text in ["", "{}", "[1, 2]", &"x".repeat(200_000), "COILSGHT and nothing more"] {
        std::fs::write(&file, text).unwrap();
        assert!(read(&file).is_err(), "{}", text.len());
    }
    let set = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/golden/pair.coilbundle");
    assert!(read(Path::new(set)).unwrap_err().to_string().contains("brings none"));
}
