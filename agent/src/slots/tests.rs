//! The slots through power cuts, and every check on the way into them.

use super::testing::*;
use super::*;
use crate::archive::sim::{Rng, SimDisk};
use crate::line::Judge;
use coilsight_models::bundle::manifest::Content;
use coilsight_models::bundle::{
    AUTOMATIC_FORMAT, Attack, Automatic, Builder, Limits, NeedsAPerson, Place, Quorum,
};
use coilsight_models::verdict::Threshold;
use jiff::SignedDuration;

/// The state of a line where release 5 is active and release 4 was before.
fn running(plant: &Plant) -> (SimDisk, TrustedKeys) {
    let disk = SimDisk::new();
    let mut slots = open(&disk).unwrap();
    let keys = slots.believe(None, plant.whom()).unwrap();
    for release in [4, 5] {
        install(&mut slots, &disk, &keys, &plant.set(release)).unwrap();
    }
    (disk, keys)
}

/// Stages a bundle and has it decide.
fn install(slots: &mut Slots, disk: &SimDisk, keys: &TrustedKeys, bundle: &[u8]) -> anyhow::Result<()> {
    let path = put(disk, "new", bundle)?;
    let release = match prepare(slots.store(), &path, keys, &site(), slots.state())? {
        Found::Judge(prepared) => {
            slots.stage(None, &prepared, Way::Factory)?;
            prepared.release.clone()
        }
        // Staged before the power went.
        Found::Known { .. } => slots.state().candidate.as_ref().unwrap().release.clone(),
        Found::Trust { .. } => anyhow::bail!("no set"),
    };
    slots.note(None, Event::Activated { release, why: "test".into(), by: None })?;
    Ok(slots.tidy(std::iter::empty())?)
}

/// What every check says of a bundle at a line where release 5 is active.
fn check(plant: &Plant, bundle: &[u8]) -> std::result::Result<Found, Refusal> {
    let (disk, keys) = running(plant);
    let slots = open(&disk).unwrap();
    let path = put(&disk, "new", bundle).unwrap();
    prepare(slots.store(), &path, &keys, &site(), slots.state())
}

fn stopped(plant: &Plant, bundle: &[u8]) -> Attack {
    let Err(refusal) = check(plant, bundle) else { panic!("it was taken") };
    let attack = refusal.attack().unwrap_or_else(|| panic!("{refusal} has no name"));
    assert!(refusal.to_string().contains(&attack.to_string()), "{refusal}");
    attack
}

#[test]
fn arbitrary_installation_is_refused() {
    let (plant, thief) = (Plant::new(), Plant::new());
    assert_eq!(stopped(&plant, &thief.set(6)), Attack::ArbitraryInstallation);
    assert_eq!(stopped(&plant, &signed(&set(6, |_| ()), &[])), Attack::ArbitraryInstallation);
    let mut forged = plant.set(6);
    let at = forged.windows(12).position(|w| w == b"\"release\": 6").unwrap();
    forged[at + 11] = b'7';
    assert_eq!(stopped(&plant, &forged), Attack::ArbitraryInstallation);
}

#[test]
fn endless_data_are_refused() {
    let plant = Plant::new();
    let mut endless = plant.set(6);
    endless[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(stopped(&plant, &endless), Attack::EndlessData);
    let (disk, keys) = running(&plant);
    let slots = open(&disk).unwrap();
    let path = put(&disk, "new", &plant.set(6)).unwrap();
    let small = Site { limits: Limits { total: 4096, part: 4096 }, ..site() };
    let refused = prepare(slots.store(), &path, &keys, &small, slots.state()).err().unwrap();
    assert_eq!(refused.attack(), Some(Attack::EndlessData));
}

#[test]
fn extraneous_files_are_refused() {
    let plant = Plant::new();
    let mut longer = plant.set(6);
    longer.extend_from_slice(b"and more");
    assert_eq!(stopped(&plant, &longer), Attack::ExtraneousFiles);
}

#[test]
fn fast_forward_is_refused_and_can_be_made_good() {
    let plant = Plant::new();
    assert_eq!(stopped(&plant, &plant.set((1 << 53) - 1)), Attack::FastForward);
    assert!(check(&plant, &plant.set(5 + 10_000)).is_ok());
    // Within the bound a thief of keys can still go far; a new trust document starts the count again.
    let (disk, keys) = running(&plant);
    let mut slots = open(&disk).unwrap();
    install(&mut slots, &disk, &keys, &plant.set(9000)).unwrap();
    let mut document = plant.document(2);
    document.restart_release = Some(5);
    slots.believe(None, Provisioned::Document(Box::new(document))).unwrap();
    install(&mut slots, &disk, &keys, &plant.set(6)).unwrap();
    assert_eq!(slots.state().active.as_ref().unwrap().release, 6);
}

#[test]
fn freeze_is_refused_by_signed_time_and_noticed_by_the_clock() {
    let plant = Plant::new();
    let old = signed(
        &set(6, |m| {
            m.not_after = m.created_at;
            m.created_at -= SignedDuration::from_hours(24);
        }),
        &[&plant.trainer, &plant.anna],
    );
    // The sets that were here were signed at the very end of its time: not past it.
    assert!(check(&plant, &old).is_ok());
    let older = signed(
        &set(6, |m| {
            m.not_after = m.created_at - SignedDuration::from_secs(1);
            m.created_at -= SignedDuration::from_hours(24);
        }),
        &[&plant.trainer, &plant.anna],
    );
    assert_eq!(stopped(&plant, &older), Attack::Freeze);
    let (disk, _) = running(&plant);
    let slots = open(&disk).unwrap();
    let active = slots.state().active.as_ref().unwrap();
    let signed_time = slots.state().signed_time;
    assert!(!is_past(active, None, signed_time));
    assert!(!is_past(active, Some(active.not_after), signed_time));
    assert!(is_past(active, Some(active.not_after + SignedDuration::from_secs(1)), signed_time));
    // A clock that stands in the past does not hide it.
    let later = Some(active.not_after + SignedDuration::from_secs(1));
    assert!(is_past(active, Some(Timestamp::UNIX_EPOCH), later));
}

#[test]
fn mix_and_match_is_refused() {
    let plant = Plant::new();
    let (six, five) = (plant.set(6), plant.set(5));
    // The front of one release, a network of which a byte is another's.
    let mut mixed = six.clone();
    *mixed.last_mut().unwrap() ^= 1;
    assert_eq!(stopped(&plant, &mixed), Attack::MixAndMatch);
    // Thresholds for another set than the one that decides.
    let for_six = signed(&policy(7, fingerprint(&six)), &[&plant.anna]);
    assert_eq!(stopped(&plant, &for_six), Attack::MixAndMatch);
    assert!(check(&plant, &signed(&policy(7, fingerprint(&five)), &[&plant.anna])).is_ok());
}

#[test]
fn rollback_is_refused() {
    let plant = Plant::new();
    assert_eq!(stopped(&plant, &plant.set(3)), Attack::Rollback);
    // Another set under the number of the one that is here.
    let twin = signed(&set(5, |m| m.floor = 1), &[&plant.trainer, &plant.anna]);
    assert_eq!(stopped(&plant, &twin), Attack::Rollback);
    // The very same is no attack: it is here.
    assert!(matches!(check(&plant, &plant.set(5)), Ok(Found::Known { release: 5, .. })));
    assert!(matches!(check(&plant, &plant.set(4)), Ok(Found::Known { release: 4, .. })));
}

#[test]
fn key_compromise_below_the_threshold_and_at_it() {
    let plant = Plant::new();
    let six = set(6, |_| ());
    for stolen in
        [&[&plant.trainer][..], &[&plant.anna], &[&plant.anna, &plant.bert], &[&plant.root, &plant.anna]]
    {
        assert_eq!(stopped(&plant, &signed(&six, stolen)), Attack::KeyCompromise);
    }
    // With enough keys a thief is whoever they belong to, until they are revoked.
    let (disk, _) = running(&plant);
    let mut slots = open(&disk).unwrap();
    let without = Provisioned::Document(Box::new(plant.without_anna(2)));
    let keys = slots.believe(None, without).unwrap();
    let path = put(&disk, "new", &plant.set(6)).unwrap();
    let refused = prepare(slots.store(), &path, &keys, &site(), slots.state()).err().unwrap();
    assert_eq!(refused.attack(), Some(Attack::KeyCompromise));
    assert!(refused.to_string().contains("stolen"), "{refused}");
    // What was released with it before judges on, and so it does after a restart.
    drop(slots);
    let slots = open(&disk).unwrap();
    assert!(open_judge(slots.store(), slots.state().active.as_ref().unwrap()).is_ok());
}

#[test]
fn the_wrong_line_is_refused() {
    let plant = Plant::new();
    let signers = [&plant.trainer, &plant.anna];
    let other_line = signed(&set(6, |m| m.lines = vec![place("gl3")]), &signers);
    let other_plant = signed(&set(6, |m| m.plant = place("linz")), &signers);
    assert_eq!(stopped(&plant, &other_line), Attack::WrongLine);
    assert_eq!(stopped(&plant, &other_plant), Attack::WrongLine);
}

#[test]
fn partial_files_are_refused() {
    let plant = Plant::new();
    let whole = plant.set(6);
    assert_eq!(stopped(&plant, &whole[..whole.len() - 1]), Attack::PartialDelivery);
    // Two stretches exchanged: every byte is there, none where it belongs.
    let mut exchanged = whole.clone();
    let front = coilsight_models::bundle::Unverified::read(&whole[..]).unwrap().front().length() as usize;
    let half = (whole.len() - front) / 2;
    for at in front..front + half {
        exchanged.swap(at, at + half);
    }
    assert_ne!(exchanged, whole);
    assert_eq!(stopped(&plant, &exchanged), Attack::MixAndMatch);
}

#[test]
fn an_old_revocation_replayed_is_refused() {
    let plant = Plant::new();
    let (disk, _) = running(&plant);
    let mut slots = open(&disk).unwrap();
    let keys = slots.believe(None, Provisioned::Document(Box::new(plant.without_anna(3)))).unwrap();
    let refused = |document: &TrustDocument| {
        let path = put(&disk, "keys", &signed(&trust(document), &[&plant.root])).unwrap();
        let refused = prepare(slots.store(), &path, &keys, &site(), slots.state()).err().unwrap();
        assert_eq!(refused.attack(), Some(Attack::ReplayedRevocation), "{refused}");
    };
    refused(&plant.document(1));
    refused(&plant.without_anna(2));
    refused(&plant.document(4));
    // At the machine, too, only what is newer counts.
    let mut slots = slots;
    slots.believe(None, Provisioned::Document(Box::new(plant.document(1)))).unwrap();
    assert_eq!(slots.state().trust.as_ref().unwrap().version, 3);
}

/// A line where release 5 is active and sets may be released without a person from now on.
fn automatic(plant: &Plant, robot: &Key) -> (SimDisk, TrustedKeys) {
    let (disk, _) = running(plant);
    let mut slots = open(&disk).unwrap();
    let mut document = plant.document(2);
    document.format = AUTOMATIC_FORMAT;
    document.keys.insert("robot".into(), robot.line());
    let created_at = GENUINE.manifest().created_at;
    document.roles.automatic = Some(Automatic {
        signers: Quorum { keys: vec!["robot".into()], required: 1 },
        lines: vec!["gl2".into()],
        from: created_at,
        until: created_at + SignedDuration::from_hours(24),
    });
    let keys = slots.believe(None, Provisioned::Document(Box::new(document))).unwrap();
    (disk, keys)
}

#[test]
fn without_a_person_only_weights_change() {
    let plant = Plant::new();
    let robot = Key::new("robot");
    let by_itself = |builder: &Builder| signed(builder, &[&plant.trainer, &robot]);
    let (disk, keys) = automatic(&plant, &robot);
    let slots = open(&disk).unwrap();
    let comes = |bundle: &[u8], site: &Site, slots: &Slots, keys: &TrustedKeys| {
        let path = put(&disk, "new", bundle).unwrap();
        prepare(slots.store(), &path, keys, site, slots.state())
    };
    let refused = |bundle: &[u8], site: &Site| match comes(bundle, site, &slots, &keys) {
        Err(Refusal::NeedsAPerson(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was taken"),
    };
    let good = by_itself(&set(6, |_| ()));
    let Ok(Found::Judge(prepared)) = comes(&good, &site(), &slots, &keys) else { panic!("it is refused") };
    assert!(prepared.gist.why.starts_with("released without a person: "), "{}", prepared.gist.why);

    let other_policy = by_itself(&set(6, |m| set_of(m).policy.miss_cost += 1.0));
    assert_eq!(refused(&other_policy, &site()), NeedsAPerson::Policy);
    let floor = by_itself(&set(6, |m| m.floor = 6));
    assert_eq!(refused(&floor, &site()), NeedsAPerson::Floor { floor: 6, release: 5 });
    let late = Site { clock: Some(GENUINE.manifest().created_at + SignedDuration::from_hours(25)), ..site() };
    assert!(matches!(refused(&good, &late), NeedsAPerson::Days { .. }));
    let elsewhere = by_itself(&set(6, |m| m.lines = vec![Place::Any]));
    let other_line = Site { line: "gl3".into(), ..site() };
    assert!(matches!(refused(&elsewhere, &other_line), NeedsAPerson::Line { .. }));
    // Beside what it lacks an engineer's signature is all that it needs.
    let released =
        signed(&set(6, |m| set_of(m).policy.miss_cost += 1.0), &[&plant.trainer, &robot, &plant.anna]);
    assert!(comes(&released, &site(), &slots, &keys).is_ok());
}

#[test]
fn without_a_person_the_policy_that_judges_is_the_one_that_counts() {
    let plant = Plant::new();
    let robot = Key::new("robot");
    let (disk, keys) = automatic(&plant, &robot);
    let mut slots = open(&disk).unwrap();
    let active = slots.state().active.clone().unwrap();
    install(&mut slots, &disk, &keys, &signed(&policy(6, active.set), &[&plant.anna])).unwrap();
    let path = put(&disk, "new", &signed(&set(7, |_| ()), &[&plant.trainer, &robot])).unwrap();
    let refused = prepare(slots.store(), &path, &keys, &site(), slots.state()).err().unwrap();
    assert!(matches!(refused, Refusal::NeedsAPerson(NeedsAPerson::Policy)), "{refused}");
    let alike = Threshold { nok_from: 0.999, review_from: 0.999, review_to: 0.999 };
    let same = set(7, |m| set_of(m).policy.b = alike);
    let path = put(&disk, "new", &signed(&same, &[&plant.trainer, &robot])).unwrap();
    assert!(prepare(slots.store(), &path, &keys, &site(), slots.state()).is_ok());
}

#[test]
fn the_first_set_needs_a_person() {
    let (plant, robot) = (Plant::new(), Key::new("robot"));
    let (_, keys) = automatic(&plant, &robot);
    let disk = SimDisk::new();
    let slots = open(&disk).unwrap();
    let path = put(&disk, "new", &signed(&set(6, |_| ()), &[&plant.trainer, &robot])).unwrap();
    let refused = prepare(slots.store(), &path, &keys, &site(), slots.state()).err().unwrap();
    assert!(matches!(refused, Refusal::NeedsAPerson(NeedsAPerson::First)), "{refused}");
}

#[test]
fn keys_without_roles_cannot_be_changed_by_a_bundle() {
    let plant = Plant::new();
    let disk = SimDisk::new();
    let slots = open(&disk).unwrap();
    let keys = TrustedKeys::new([("root", plant.root.line())]).unwrap();
    let path = put(&disk, "keys", &signed(&trust(&plant.document(2)), &[&plant.root])).unwrap();
    let refused = prepare(slots.store(), &path, &keys, &site(), slots.state()).err().unwrap();
    assert_eq!(refused.attack(), Some(Attack::KeyCompromise));
}

#[test]
fn another_policy_judges_with_the_same_networks() {
    let plant = Plant::new();
    let (disk, keys) = running(&plant);
    let mut slots = open(&disk).unwrap();
    let change = policy(6, fingerprint(&plant_set_of(&slots)));
    install(&mut slots, &disk, &keys, &signed(&change, &[&plant.bert])).unwrap();
    let active = slots.state().active.clone().unwrap();
    assert_eq!((active.release, active.policy.is_some()), (6, true));
    let judge = open_judge(slots.store(), &active).unwrap();
    assert_eq!(judge.policy().b.nok_from, 0.999);
    assert_eq!(judge.binding(), active.binding());
    let Content::Set(_) =
        &coilsight_models::bundle::Unverified::read(&plant_set_of(&slots)[..]).unwrap().claimed().content
    else {
        panic!("the set under it stays")
    };
}

/// The bytes of the active set.
fn plant_set_of(slots: &Slots) -> Vec<u8> {
    let mut bytes = Vec::new();
    let set = slots.state().active.as_ref().unwrap().set;
    std::io::Read::read_to_end(&mut slots.store().bundle(set).unwrap(), &mut bytes).unwrap();
    bytes
}

#[test]
fn one_process_has_the_slots() {
    let disk = SimDisk::new();
    let _slots = open(&disk).unwrap();
    assert!(matches!(open(&disk), Err(Error::Locked)));
}

/// The life of a set: staged, in shadow, active, rolled back, and the next one.
fn life(disk: &SimDisk, plant: &Plant, sixth: &[u8], seventh: &[u8]) -> anyhow::Result<()> {
    let mut slots = open(disk)?;
    let keys = slots.believe(None, plant.whom())?;
    let path = put(disk, "six", sixth)?;
    if let Found::Judge(six) = prepare(slots.store(), &path, &keys, &site(), slots.state())? {
        slots.stage(None, &six, Way::Factory)?;
        let say = Say { by_score: None, p_nok: Some(0.5), took_ms: 1.0 };
        for coil in ["a", "b"] {
            let (active, candidate) = (say.clone(), say.clone());
            slots.note(None, Event::Shadowed { decision_id: coil.into(), active, candidate })?;
        }
        let from = slots.state().active.clone().unwrap();
        let release = six.release.clone();
        slots.note(None, Event::Activated { release: release.clone(), why: "test".into(), by: None })?;
        slots.tidy([from.binding()].into_iter())?;
        slots.note(None, Event::RolledBack { from: release, to: from, why: "test".into(), by: None })?;
        slots.tidy(std::iter::empty())?;
    }
    install(&mut slots, disk, &keys, seventh)
}

/// After any cut there is one active set, it can be loaded, counters have not run back, and everything goes on.
#[test]
fn a_power_cut_at_any_step_leaves_one_active_set() {
    let plant = Plant::new();
    let (sixth, seventh) = (plant.set(6), plant.set(7));
    let fresh = || running(&plant).0;
    let whole = fresh();
    let before = whole.ops();
    life(&whole, &plant, &sixth, &seventh).unwrap();
    let ops = whole.ops() - before;
    assert!(ops > 30, "{ops}");
    let mut rng = Rng(20_261_122);
    for at in 1..=ops {
        for _ in 0..4 {
            let disk = fresh();
            disk.cut_after(at);
            assert!(life(&disk, &plant, &sixth, &seventh).is_err(), "cut at {at}");
            let found = disk.after_cut(&mut rng);
            let slots = open(&found).unwrap();
            let state = slots.state();
            let active = state.active.clone().unwrap();
            assert!([5, 6, 7].contains(&active.release), "cut at {at}: {active}");
            assert!(slots.gaps().is_empty(), "cut at {at}: {:?}", slots.gaps());
            assert!(state.newest.is_some_and(|(newest, _)| newest >= 5), "cut at {at}");
            for release in
                [Some(&active), state.last_good.as_ref(), state.candidate.as_ref().map(|c| &c.release)]
            {
                let Some(release) = release else { continue };
                let judge = open_judge(slots.store(), release);
                assert!(judge.is_ok(), "cut at {at}: {release}: {:?}", judge.err());
            }
            drop(slots);
            // What was cut off is done again, or was done.
            match life(&found, &plant, &sixth, &seventh) {
                Ok(()) => {}
                Err(error) => {
                    let known = error.downcast_ref::<Refusal>();
                    assert!(
                        matches!(known, Some(Refusal::GivenUp { .. } | Refusal::NotForHere(_))),
                        "cut at {at}: {error:#}"
                    );
                    let mut slots = open(&found).unwrap();
                    let keys = slots.believe(None, plant.whom()).unwrap();
                    if slots.state().active.as_ref().unwrap().release < 7 {
                        install(&mut slots, &found, &keys, &seventh).unwrap();
                    }
                }
            }
            assert_eq!(open(&found).unwrap().state().active.as_ref().unwrap().release, 7);
        }
    }
}

#[test]
fn the_trail_is_read_beside_its_writer() {
    let plant = Plant::new();
    let (disk, _) = running(&plant);
    let slots = open(&disk).unwrap();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let read = Ledger::look(&shared).unwrap();
    assert_eq!(State::of(&read.entries), *slots.state());
    assert_eq!(State::of(&[b"of a later version".to_vec()]).unknown, 1);
}
