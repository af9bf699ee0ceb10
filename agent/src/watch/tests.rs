//! What wakes the watch.

use super::*;
use crate::archive::{Limits, RealDisk};
use crate::config::Settings;
use crate::score::{Facts, Panels};
use crate::web::{Desk, Rejudge};
use coilsight_models::message::inbound::Label;
use coilsight_models::verdict::Verdict;
use serde_json::json;

/// The page brings the book up by itself, before the watch looks.
#[test]
fn a_word_that_the_page_has_taken_in_wakes_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let disk = |name: &str| -> Arc<dyn Disk> { Arc::new(RealDisk::new(folder.path().join(name)).unwrap()) };
    let limits = Limits { reserve_file: 4096, ..Limits::default() };
    let (archive, _) = Archive::open_without_views_folder(disk("archive"), limits).unwrap();
    let (changed, changes) = watch::channel(0);
    let parts = Parts {
        archive: Arc::new(archive),
        book: Arc::default(),
        findings: Arc::default(),
        board: Arc::default(),
        changed,
        disk: disk("watch"),
        score: score::Config::default(),
        drift: drift::Config::default(),
    };
    let desk = Desk::new(
        Settings::default(),
        Arc::clone(&parts.archive),
        Arc::clone(&parts.book),
        Arc::default(),
        Arc::clone(&parts.board),
        Arc::clone(&parts.findings),
        Rejudge::open(&disk("rejudge")).unwrap(),
        changes.clone(),
    );
    let mut round = Round {
        alarms: Alarms::open(parts.score, &parts.disk).unwrap(),
        gauges: Gauges::new(parts.drift.clone()),
        parts,
        to_look_at: VecDeque::new(),
        looked: None,
        troubles: BTreeMap::new(),
        stale: false,
        seen: 0,
        told: None,
        stopping: Arc::default(),
    };
    assert!(round.read_on() && !round.stale, "nothing has happened");
    let word = json!({
        "coil_id": "C1", "label": "OK", "operator": "Ada", "at": "2026-01-05T07:00:00Z", "known": true
    });
    desk.archive.feedback("w1", Some("d1"), word.to_string().as_bytes()).unwrap();
    desk.catch_up();
    assert!(round.read_on() && round.stale);
    assert_eq!(*changes.borrow(), 1);
}

/// Coils that passed and were drawn, of which so many are NOK.
fn passed(nok: u64) -> Vec<Judged> {
    let panel = Panels::default().of("f00", ["a"].into_iter());
    let coil = |place| {
        Judged::new(&Facts {
            place,
            at: None,
            class: None,
            order: Some((60.0, place as f64)),
            verdict: Verdict::Ok,
            by_score: Some(Verdict::Ok),
            drawn: Some(1.0),
            label: Some(if place < nok { Label::Nok } else { Label::Ok }),
            panel: &panel,
            votes: &[Some(Verdict::Ok)],
        })
    };
    (0..100).map(coil).collect()
}

#[test]
fn a_word_that_is_taken_back_takes_its_trouble_along_and_leaves_the_firing() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder.path()).unwrap());
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let mut alarms = Alarms::open(score::Config::default(), &disk).unwrap();
    alarms.ask_of(&passed(60), now).unwrap();
    let told = alarms.troubles();
    assert_eq!(
        told.keys().collect::<Vec<_>>(),
        ["score a misses", "score a score", "score ensemble misses", "score ensemble score"]
    );
    // More of the same is no news.
    alarms.ask_of(&passed(61), now).unwrap();
    assert_eq!((alarms.troubles(), alarms.all().len()), (told.clone(), 4));
    alarms.ask_of(&passed(0), now).unwrap();
    assert_eq!((alarms.troubles().len(), alarms.all().len()), (0, 4));
    // What comes back is a trouble again, in today's words, though the rule is silent.
    alarms.ask_of(&passed(62), now).unwrap();
    assert_eq!((alarms.troubles().len(), alarms.all().len()), (4, 4));
    assert!(alarms.troubles()["score a misses"].text.contains("said OK of 62"));
    // After a restart it is as it was.
    drop(alarms);
    let mut alarms = Alarms::open(score::Config::default(), &disk).unwrap();
    assert!(alarms.troubles().is_empty());
    alarms.ask_of(&passed(62), now).unwrap();
    assert_eq!((alarms.troubles().len(), alarms.all().len()), (4, 4));
}
