//! Refusals, other keys, disks that fail or are full, and sets that are gone.

use super::*;

#[test]
fn refusals_over_the_broker_are_named_noticed_and_in_the_trail() {
    let mut bench = Bench::new(&rules());
    for (bundle, attack) in [
        (Plant::new().set(6), "arbitrary installation"),
        (bench.plant.set(4), "rollback"),
        (bench.plant.set(1 << 52), "fast-forward"),
        (signed(&set(6, |_| ()), &[&bench.plant.trainer]), "key compromise"),
        (
            signed(&set(6, |m| m.lines = vec![place("gl9")]), &[&bench.plant.trainer, &bench.plant.anna]),
            "wrong line",
        ),
        ([bench.plant.set(6), b"more".to_vec()].concat(), "extraneous files"),
        (bench.plant.set(6)[..9000].to_vec(), "partial delivery"),
    ] {
        let words = bench.bring(&bundle);
        assert_eq!(stages(&words), [Stage::Refused], "{attack}");
        assert!(words[0].text.contains(&format!("({attack}")), "{}", words[0].text);
        assert_eq!(words[0].offer, Some(Sha256::of(&bundle)));
        let notices = bench.update.notices();
        assert!(notices.iter().any(|n| n.text.contains(attack)), "{notices:?}");
        assert!(bench.models.open("inbox/came.coilbundle").is_err(), "it does not stay");
    }
    assert_eq!((bench.active(), bench.update.state().candidate.is_none()), (Some(5), true));
    let (disk, mut seen) = (Arc::new(bench.models.clone()) as Arc<dyn Disk>, Vec::new());
    for bytes in crate::archive::Ledger::look(&disk).unwrap().entries {
        let entry: crate::slots::Entry = serde_json::from_slice(&bytes).unwrap();
        if let Event::Refused { attack, .. } = entry.event {
            seen.extend(attack);
        }
    }
    assert_eq!(seen.len(), 7, "{seen:?}");
}

#[test]
fn keys_change_over_the_broker() {
    let mut bench = Bench::new(&rules());
    let document = bench.plant.without_anna(2);
    let words = bench.bring(&signed(&trust(&document), &[&bench.plant.root]));
    assert_eq!(stages(&words), [Stage::Active]);
    let words = bench.bring(&bench.plant.set(6));
    assert!(words[0].text.contains("(key compromise)"), "{}", words[0].text);
    let by_bert = signed(&set(6, |_| ()), &[&bench.plant.trainer, &bench.plant.bert]);
    assert_eq!(stages(&bench.bring(&by_bert)), [Stage::Staged, Stage::Shadow]);
    // The document at the machine is older now; what came stays in force.
    let mut bench = bench.restart(&rules());
    assert_eq!(bench.update.state().trust.as_ref().unwrap().version, 2);
    bench.settle();
    assert_eq!(bench.update.state().candidate.as_ref().unwrap().release.release, 6);
}

#[test]
fn a_disk_that_fails_stops_updates_and_nothing_else() {
    let mut bench = Bench::new(&rules());
    bench.models.fail(crate::archive::sim::Fault::Sync("log/"));
    let words = bench.bring(&bench.plant.set(6));
    assert_eq!(stages(&words), []);
    let troubles = bench.update.troubles(None);
    assert!(troubles[0].text.contains("no bundle can be taken in"), "{troubles:?}");
    assert_eq!(bench.coil().model.release, 5);
}

#[test]
fn a_set_that_comes_while_nobody_judges_need_not_agree_with_nobody() {
    let bench = Bench::new(&rules());
    let active = bench.update.state().active.as_ref().unwrap().set;
    // The disk has lost it, and the line starts again.
    bench.models.spoil(&format!("store/{active}.coilbundle"), |bytes| bytes.truncate(100));
    let mut bench = bench.restart(&rules());
    assert!(bench.line.judge().absent().is_some());
    let words = bench.bring(&bench.plant.set(6));
    assert_eq!(stages(&words), [Stage::Staged, Stage::Active]);
    assert_eq!(bench.coil().model.release, 6);
}

#[test]
fn a_first_set_whose_takeover_was_cut_off_decides_after_the_next_start() {
    let (plant, models, archive) = (Plant::new(), SimDisk::new(), SimDisk::new());
    let mut slots = open(&models).unwrap();
    let keys = slots.believe(None, plant.whom()).unwrap();
    let path = put(&models, "first", &plant.set(5)).unwrap();
    let found = crate::slots::prepare(slots.store(), &path, &keys, &site(), slots.state()).unwrap();
    let crate::slots::Found::Judge(prepared) = found else { panic!("a set") };
    slots.stage(None, &prepared, Way::Factory).unwrap();
    drop(slots);
    let (line, update) = open_line(&archive, &models, &plant, &rules());
    let mut bench = Bench { line, update, plant, models, archive, coils: 0 };
    bench.settle();
    assert_eq!(bench.active(), Some(5));
    assert_eq!(bench.coil().model.release, 5);
}

#[test]
fn a_candidate_whose_signer_was_revoked_is_given_up() {
    let mut bench = Bench::new(&rules());
    bench.bring(&bench.plant.set(6));
    assert!(bench.update.state().candidate.is_some());
    bench.bring(&signed(&trust(&bench.plant.without_anna(2)), &[&bench.plant.root]));
    assert_eq!(bench.update.state().candidate, None);
    (0..4).for_each(|_| drop(bench.coil()));
    assert_eq!(bench.active(), Some(5), "though Anna signed that one too: people roll it back");
    // One that others signed stays.
    bench.bring(&signed(&set(7, |_| ()), &[&bench.plant.trainer, &bench.plant.bert]));
    bench.bring(&signed(&trust(&bench.plant.without_anna(3)), &[&bench.plant.root]));
    assert!(bench.update.state().candidate.is_some());
}

#[test]
fn a_rollback_takes_thresholds_for_the_set_along_and_begins_shadow_anew() {
    let rules = Rules { shadow_coils: 3, ..rules() };
    let mut bench = Bench::new(&rules);
    bench.bring(&bench.plant.set(6));
    bench.activate();
    let six = bench.update.state().active.as_ref().unwrap().set;
    bench.bring(&signed(&policy(7, six), &[&bench.plant.bert]));
    assert!(bench.update.state().candidate.is_some());
    bench.roll_back();
    assert_eq!((bench.active(), bench.update.state().candidate.clone()), (Some(5), None));
    (0..4).for_each(|_| drop(bench.coil()));
    assert_eq!(bench.active(), Some(5));
}

#[test]
fn what_never_proved_itself_is_nothing_to_go_back_to() {
    let mut bench = Bench::new(&rules());
    for release in [6, 7] {
        bench.bring(&bench.plant.set(release));
        assert_eq!(bench.activate().stage, Stage::Active);
    }
    assert_eq!(bench.update.state().last_good.as_ref().unwrap().release, 5, "6 was on probation");
}

#[test]
fn orderly_stops_are_no_sign_of_a_bad_set() {
    let rules = Rules { shadow_coils: 0, ..rules() };
    let mut bench = Bench::new(&rules);
    bench.bring(&bench.plant.set(6));
    for _ in 0..6 {
        bench.update.stop(None);
        bench = bench.restart(&rules);
    }
    assert_eq!(bench.active(), Some(6));
}

#[test]
fn a_full_disk_passes() {
    let mut bench = Bench::new(&rules());
    bench.models.fail(crate::archive::sim::Fault::Write("log/", std::io::ErrorKind::StorageFull));
    bench.bring(&bench.plant.set(6));
    assert!(bench.update.state().candidate.is_none());
    assert!(
        bench.update.notices().iter().any(|n| n.text.contains("no bundle is taken in or given up for now"))
    );
    assert_eq!(bench.coil().model.release, 5);
    bench.update.paused_until = None;
    bench.bring(&bench.plant.set(6));
    assert!(bench.update.state().candidate.is_some());
}

#[test]
fn a_thiefs_dates_and_floors_are_taken_back_with_the_count() {
    let mut bench = Bench::new(&rules());
    let far = signed(
        &set(900, |m| {
            (m.floor, m.created_at) = (900, "2034-01-01T00:00:00Z".parse().unwrap());
            m.not_after = "2035-01-01T00:00:00Z".parse().unwrap();
        }),
        &[&bench.plant.trainer, &bench.plant.anna],
    );
    bench.bring(&far);
    assert_eq!(bench.activate().stage, Stage::Active);
    bench.update.words();
    let honest = signed(&set(6, |_| ()), &[&bench.plant.trainer, &bench.plant.bert]);
    assert!(bench.bring(&honest)[0].text.contains("(rollback)"));
    let mut document = bench.plant.without_anna(2);
    document.restart_release = Some(5);
    bench.bring(&signed(&trust(&document), &[&bench.plant.root]));
    assert_eq!(stages(&bench.bring(&honest)), [Stage::Staged, Stage::Shadow]);
    assert_eq!(bench.activate().stage, Stage::Active);
    assert_eq!((bench.active(), bench.update.state().floor), (Some(6), 5));
}

#[test]
fn a_wish_for_one_release_moves_no_other() {
    let mut bench = Bench::new(&rules());
    let six = bench.plant.set(6);
    bench.bring(&six);
    let wished = Command::Activate { fingerprint: fingerprint(&six) };
    bench.bring(&bench.plant.set(7));
    let refused = bench.wish(wished);
    assert!(!refused.done && refused.text.contains("release 7"), "{}", refused.text);
    assert!(refused.text.contains("is there now"), "{}", refused.text);
    assert_eq!(bench.active(), Some(5));
    assert_eq!(bench.activate().stage, Stage::Active);
    let refused = bench.wish(Command::Rollback { fingerprint: fingerprint(&six) });
    assert!(!refused.done && refused.text.contains("release 5"), "{}", refused.text);
    assert_eq!(bench.active(), Some(7));
    assert_eq!(chosen(Verb::RollBack, bench.update.state(), Some(5)).ok(), {
        bench.update.state().last_good.as_ref().map(Release::fingerprint)
    });
    assert!(chosen(Verb::RollBack, bench.update.state(), Some(6)).is_err());
}

#[test]
fn what_a_revoked_key_let_in_is_no_way_back() {
    let mut bench = Bench::new(&rules());
    let six = signed(&set(6, |_| ()), &[&bench.plant.trainer, &bench.plant.bert]);
    bench.bring(&six);
    assert_eq!(bench.activate().stage, Stage::Active);
    assert_eq!(bench.update.state().way_back().unwrap().release, 5);
    bench.bring(&signed(&trust(&bench.plant.without_anna(2)), &[&bench.plant.root]));
    let refused = bench.roll_back();
    assert!(!refused.done && refused.text.contains("is revoked"), "{}", refused.text);
    assert_eq!(bench.update.state().way_back(), None, "no rule goes there either");
    bench = bench.restart(&rules());
    assert!(!bench.roll_back().done);
    assert_eq!(bench.active(), Some(6));
}

#[test]
fn what_decided_when_its_key_was_revoked_is_no_way_back_later() {
    let mut bench = Bench::new(&rules());
    bench.bring(&signed(&trust(&bench.plant.without_anna(2)), &[&bench.plant.root]));
    assert_eq!(bench.coil().model.release, 5, "what decides, decides on");
    bench.bring(&signed(&set(6, |_| ()), &[&bench.plant.trainer, &bench.plant.bert]));
    assert_eq!(bench.activate().stage, Stage::Active);
    assert_eq!(bench.update.state().last_good.as_ref().unwrap().release, 5);
    assert!(bench.roll_back().text.contains("is revoked"));
    assert_eq!(bench.active(), Some(6));
}

#[test]
fn a_key_that_was_only_let_go_leaves_the_way_back() {
    let mut bench = Bench::new(&rules());
    bench.bring(&signed(&set(6, |_| ()), &[&bench.plant.trainer, &bench.plant.bert]));
    bench.activate();
    let mut document = bench.plant.without_anna(2);
    document.revoked.clear();
    bench.bring(&signed(&trust(&document), &[&bench.plant.root]));
    assert_eq!(bench.roll_back().stage, Stage::RolledBack);
    assert_eq!(bench.active(), Some(5));
}

#[test]
fn a_coil_bound_to_thresholds_in_no_slot_any_more_names_them() {
    let mut bench = Bench::new(&rules());
    let set = bench.update.state().active.as_ref().unwrap().set;
    let six = signed(&policy_with(6, set, 0.5), &[&bench.plant.bert]);
    bench.bring(&six);
    bench.activate();
    bench.begin("LONG");
    for release in [7, 8] {
        bench.bring(&signed(&policy_with(release, set, 0.6), &[&bench.plant.bert]));
        assert_eq!(bench.activate().stage, Stage::Active);
    }
    assert_eq!(bench.update.state().last_good.as_ref().unwrap().release, 5);
    bench = bench.restart(&rules());
    let model = bench.finish("LONG").model;
    assert_eq!((model.release, model.policy), (6, Some(fingerprint(&six).to_string())));
    assert_ne!(model.bundle, "earlier");
}
