//! Roles, rotation, revocation: who may bring what, and who may not.

use super::*;
use crate::bundle::testing::{Key, layout, policy_change, signed, trust, trust_layout};
use crate::bundle::{Attack, Automatic, Builder, Layout, Limits, Sha256, Verified};

/// A trainer's key, two engineers', and two that may change the document.
struct Plant {
    trainer: Key,
    anna: Key,
    bert: Key,
    root: Key,
    deputy: Key,
}

impl Plant {
    fn new() -> Self {
        let key = Key::new;
        Self { trainer: key(), anna: key(), bert: key(), root: key(), deputy: key() }
    }

    fn document(&self, version: u64) -> TrustDocument {
        trust(
            version,
            &[
                ("trainer", "b", &self.trainer),
                ("anna", "r", &self.anna),
                ("bert", "r", &self.bert),
                ("root", "t", &self.root),
                ("deputy", "t", &self.deputy),
            ],
        )
    }
}

fn keys(document: &TrustDocument) -> TrustedKeys {
    TrustedKeys::of_document(document.clone()).unwrap()
}

fn read(layout: &Layout, by: &[&Key], document: &TrustDocument) -> Result<Verified, RefusedBundle> {
    Verified::read(&signed(layout, by)[..], &keys(document), &Limits::default())
}

/// Refused, as the attack that it is, and saying so.
fn stopped(layout: &Layout, by: &[&Key], document: &TrustDocument) -> Attack {
    let refused = read(layout, by, document).unwrap_err();
    let attack = refused.attack().unwrap_or_else(|| panic!("{refused} has no name"));
    assert!(refused.to_string().contains(&attack.to_string()), "{refused}");
    attack
}

fn revoke(document: &mut TrustDocument, name: &str) {
    let key = document.keys.remove(name).unwrap();
    for quorum in [&mut document.roles.build, &mut document.roles.release, &mut document.roles.trust] {
        quorum.keys.retain(|other| other != name);
    }
    document.revoked.push(RevokedKey { key, why: "stolen with a laptop on 22 November".into() });
}

#[test]
fn a_set_needs_who_builds_and_who_releases() {
    let plant = Plant::new();
    let (document, set) = (plant.document(1), layout());
    for engineer in [&plant.anna, &plant.bert] {
        let bundle = read(&set, &[&plant.trainer, engineer], &document).unwrap();
        let roles: Vec<_> = bundle.signers().iter().map(|signer| signer.roles.clone()).collect();
        assert_eq!(roles, [vec![KeyRole::Build], vec![KeyRole::Release]]);
    }
    // Below the threshold: the trainer alone, engineers alone, however many, or who changes keys.
    for by in [
        &[&plant.trainer][..],
        &[&plant.anna, &plant.bert],
        &[&plant.root, &plant.deputy],
        &[&plant.trainer, &plant.root],
    ] {
        assert_eq!(stopped(&set, by, &document), Attack::KeyCompromise);
    }
    assert_eq!(stopped(&set, &[&Key::new(), &Key::new()], &document), Attack::ArbitraryInstallation);
    let mut two = document;
    two.roles.release.required = 2;
    assert_eq!(stopped(&set, &[&plant.trainer, &plant.anna, &plant.anna], &two), Attack::KeyCompromise);
    assert!(read(&set, &[&plant.trainer, &plant.anna, &plant.bert], &two).is_ok());
}

#[test]
fn a_policy_needs_who_releases_alone() {
    let plant = Plant::new();
    let change = Builder::new(policy_change(Sha256::of(b"set"))).lay_out(&Limits::default()).unwrap();
    assert!(read(&change, &[&plant.bert], &plant.document(1)).is_ok());
    assert_eq!(stopped(&change, &[&plant.trainer], &plant.document(1)), Attack::KeyCompromise);
}

#[test]
fn keys_change_by_the_old_and_the_new() {
    let (plant, new_root) = (Plant::new(), Key::new());
    let old = plant.document(1);
    let mut next = plant.document(2);
    next.keys.insert("root".into(), new_root.public().lines().last().unwrap().into());
    next.roles.trust.keys = vec!["root".into()];
    next.keys.remove("deputy");
    let layout = trust_layout(next.clone());
    assert!(read(&layout, &[&plant.root, &new_root], &old).is_ok());
    assert!(read(&layout, &[&plant.deputy, &new_root], &old).is_ok());
    assert_eq!(stopped(&layout, &[&plant.root], &old), Attack::KeyCompromise, "not by the new");
    assert_eq!(stopped(&layout, &[&plant.root, &plant.deputy], &old), Attack::KeyCompromise);
    assert_eq!(stopped(&layout, &[&new_root], &old), Attack::ArbitraryInstallation, "not by the old");
    assert_eq!(stopped(&layout, &[&plant.anna, &new_root], &old), Attack::KeyCompromise, "by another role");
    // Not before the one between is there: a thief could leave a revocation out, or drive the count to its end.
    let mut third = next.clone();
    third.version = 3;
    assert_eq!(stopped(&trust_layout(third), &[&plant.root, &new_root], &old), Attack::FastForward);
    // Once more does nothing; another one under the same number is somebody's trick.
    assert!(read(&layout, &[&new_root], &next).is_ok());
    let mut twin = next.clone();
    twin.roles.release.keys.truncate(1);
    twin.keys.remove("bert");
    assert_eq!(stopped(&trust_layout(twin), &[&new_root], &next), Attack::ReplayedRevocation);
}

#[test]
fn a_revoked_key_stays_revoked() {
    let plant = Plant::new();
    let (first, mut second) = (plant.document(1), plant.document(2));
    revoke(&mut second, "anna");
    let roots = [&plant.root, &plant.deputy];
    assert!(read(&trust_layout(second.clone()), &roots, &first).is_ok());
    // At the threshold: with the trainer's key and hers a thief could release anything. Now not.
    let set = layout();
    assert!(read(&set, &[&plant.trainer, &plant.anna], &first).is_ok());
    let refused = read(&set, &[&plant.trainer, &plant.anna], &second).unwrap_err();
    assert!(
        matches!(&refused, RefusedBundle::RevokedSigner { why, .. } if why.contains("laptop")),
        "{refused}"
    );
    assert_eq!(refused.attack(), Some(Attack::KeyCompromise));
    // Her signature beside enough others does no harm.
    assert!(read(&set, &[&plant.trainer, &plant.anna, &plant.bert], &second).is_ok());

    // The old list, replayed; a new one that has forgotten her; one that takes her in again.
    assert_eq!(stopped(&trust_layout(first), &roots, &second), Attack::ReplayedRevocation);
    let forgetful = plant.document(3);
    assert_eq!(stopped(&trust_layout(forgetful.clone()), &roots, &second), Attack::ReplayedRevocation);
    let both = TrustDocument { revoked: second.revoked.clone(), ..forgetful };
    assert_eq!(both.check(), Err(TrustFault::Revoked("anna".into())));
}

#[test]
fn documents_that_make_no_sense_are_refused() {
    let plant = Plant::new();
    let fault = |change: &dyn Fn(&mut TrustDocument)| {
        let mut document = plant.document(1);
        change(&mut document);
        let text = serde_json::to_vec(&document).unwrap();
        let unread = TrustDocument::parse(&text).unwrap_err();
        let TrustUnread::Senseless(fault) = unread else { panic!("{unread}") };
        fault
    };
    assert_eq!(fault(&|d| d.format = 2), TrustFault::Format(2));
    assert_eq!(fault(&|d| d.version = 0), TrustFault::Version(0));
    assert_eq!(fault(&|d| d.restart_release = Some(u64::MAX)), TrustFault::Restart(u64::MAX));
    assert_eq!(fault(&|d| d.roles.build.required = 2), TrustFault::Quorum(KeyRole::Build));
    assert_eq!(fault(&|d| d.roles.trust.required = 0), TrustFault::Quorum(KeyRole::Trust));
    assert_eq!(fault(&|d| d.roles.release.keys.push("anna".into())), TrustFault::Quorum(KeyRole::Release));
    assert_eq!(fault(&|d| d.roles.release.keys.push("nobody".into())), TrustFault::Quorum(KeyRole::Release));
    assert_eq!(fault(&|d| d.roles.build.keys.push("anna".into())), TrustFault::BothRoles("anna".into()));
    assert_eq!(fault(&|d| d.roles.release.keys.truncate(1)), TrustFault::NoRole("bert".into()));
    assert!(matches!(
        fault(&|d| _ = d.keys.insert("trainer".into(), d.keys["anna"].clone())),
        TrustFault::Keys(KeyFault::SameKey(..))
    ));
    let revoked = |key: &str, why: &str| RevokedKey { key: key.into(), why: why.into() };
    let stranger = Key::new().public().lines().last().unwrap().to_string();
    assert_eq!(fault(&|d| d.revoked = vec![revoked("RWQ", "why")]), TrustFault::RevokedList);
    assert_eq!(fault(&|d| d.revoked = vec![revoked(&stranger, "")]), TrustFault::RevokedList);
    assert_eq!(fault(&|d| d.revoked = vec![revoked(&stranger, "a"); 2]), TrustFault::RevokedList);
    assert!(matches!(TrustDocument::parse(&vec![b' '; 200 << 10]), Err(TrustUnread::TooLong(_))));
    assert!(matches!(TrustDocument::parse(b"{}"), Err(TrustUnread::Text(_))));
    let twice = br#"{"format": 1, "version": 1, "keys": {"a": "x", "a": "y"}}"#;
    assert!(TrustDocument::parse(twice).is_err());
}

const A: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const FILE: &str = "untrusted comment: minisign public key E7620F1842B4E81F
RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3
";

#[test]
fn keys_come_as_a_file_or_a_line() {
    for text in [A, FILE] {
        let keys = TrustedKeys::new([("release", text)]).unwrap();
        let (name, id) = keys.names().next().unwrap();
        assert_eq!((name, id.to_string().as_str()), ("release", "E7620F1842B4E81F"));
    }
}

#[test]
fn one_key_under_two_names_is_one_key() {
    assert!(matches!(TrustedKeys::new([("a", A), ("b", FILE)]), Err(KeyFault::SameKey(..))));
    // Another key id in front of the same point does not make another key.
    let other_id = A.replace("RWQf6", "RWQe6");
    assert!(matches!(TrustedKeys::new([("a", A), ("b", other_id.as_str())]), Err(KeyFault::SameKey(..))));
}

#[test]
fn sets_that_make_no_sense_are_refused() {
    let none: [(&str, &str); 0] = [];
    assert_eq!(TrustedKeys::new(none).unwrap_err(), KeyFault::Count(0));
    assert_eq!(TrustedKeys::new([("", A)]).unwrap_err(), KeyFault::Name(String::new()));
    for bad in ["", "RWQ", "hello", &A.replace("RWQ", "RUQ"), &A.replace("RWQ", "XWQ"), &"x".repeat(9999)] {
        assert_eq!(TrustedKeys::new([("a", bad)]).unwrap_err(), KeyFault::NotAKey("a".into()), "{bad}");
    }
    let keys = TrustedKeys::new([("a", A)]).unwrap();
    assert!(matches!(keys.clone().require(0), Err(KeyFault::Required { .. })));
    assert!(matches!(keys.require(2), Err(KeyFault::Required { .. })));
}

/// The document with a key that may release sets for line gl2 without a person.
fn with_robot(plant: &Plant, robot: &Key) -> TrustDocument {
    let mut document = plant.document(1);
    document.format = AUTOMATIC_FORMAT;
    document.keys.insert("robot".into(), robot.public().lines().last().unwrap().into());
    document.roles.automatic = Some(Automatic {
        signers: Quorum { keys: vec!["robot".into()], required: 1 },
        lines: vec!["gl2".into()],
        from: "2026-11-01T00:00:00Z".parse().unwrap(),
        until: "2027-02-01T00:00:00Z".parse().unwrap(),
    });
    document
}

#[test]
fn who_releases_without_a_person_releases_sets_alone_and_under_limits() {
    let (plant, robot) = (Plant::new(), Key::new());
    let document = with_robot(&plant, &robot);
    let set = layout();
    let by_itself = read(&set, &[&plant.trainer, &robot], &document).unwrap();
    assert_eq!(by_itself.automatic(), document.roles.automatic.as_ref());
    // A person's signature lifts the limits.
    let both = read(&set, &[&plant.trainer, &robot, &plant.anna], &document).unwrap();
    assert_eq!(both.automatic(), None);
    // Off, unless it is said; never without the trainer; nothing else than sets.
    assert_eq!(stopped(&set, &[&plant.trainer, &robot], &plant.document(1)), Attack::KeyCompromise);
    assert_eq!(stopped(&set, &[&robot], &document), Attack::KeyCompromise);
    let change = Builder::new(policy_change(Sha256::of(b"set"))).lay_out(&Limits::default()).unwrap();
    assert_eq!(stopped(&change, &[&plant.trainer, &robot], &document), Attack::KeyCompromise);
    let mut next = document.clone();
    next.version = 2;
    assert_eq!(stopped(&trust_layout(next), &[&robot, &plant.trainer], &document), Attack::KeyCompromise);
}

#[test]
fn documents_without_the_role_are_as_they_were() {
    let plant = Plant::new();
    let text = serde_json::to_string(&plant.document(1)).unwrap();
    assert!(!text.contains("automatic"), "{text}");
    let fault = |change: &dyn Fn(&mut TrustDocument)| {
        let mut document = with_robot(&plant, &Key::new());
        change(&mut document);
        document.check().unwrap_err()
    };
    assert_eq!(fault(&|d| d.format = TRUST_FORMAT), TrustFault::Format(TRUST_FORMAT));
    assert_eq!(fault(&|d| d.roles.automatic.as_mut().unwrap().lines.clear()), TrustFault::Automatic);
    let quorum = fault(&|d| d.roles.automatic.as_mut().unwrap().signers.keys.clear());
    assert_eq!(quorum, TrustFault::Quorum(KeyRole::Automatic));
    let shared = fault(&|d| d.roles.release.keys.push("robot".into()));
    assert_eq!(shared, TrustFault::NotAlone("robot".into()));
}
