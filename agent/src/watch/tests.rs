//! What wakes the watch, and what it finds.

mod agreement;
mod drawn;
mod references;

use super::*;
use crate::archive::{Limits, RealDisk};
use crate::config::Settings;
use crate::score::{Facts, Panels};
use crate::web::{Desk, Rejudge};
use coilsight_models::message::inbound::Label;
use coilsight_models::verdict::Verdict;
use serde_json::json;
use std::path::Path;

fn disk(folder: &Path, name: &str) -> Arc<dyn Disk> {
    Arc::new(RealDisk::new(folder.join(name)).unwrap())
}

/// Over what a folder holds.
fn parts(folder: &Path) -> Parts {
    let limits = Limits { reserve_file: 4096, ..Limits::default() };
    let (archive, _) = Archive::open_without_views_folder(disk(folder, "archive"), limits).unwrap();
    Parts {
        archive: Arc::new(archive),
        book: Arc::default(),
        findings: Arc::new(Findings::over(References::open(&disk(folder, "references")).unwrap())),
        board: Arc::default(),
        changed: watch::channel(0).0,
        disk: disk(folder, "watch"),
        score: score::Config::default(),
        drift: drift::Config::default(),
        review_share: 0.02,
    }
}

fn round(parts: Parts) -> Round {
    Round {
        alarms: Alarms::open(parts.score, &parts.disk).unwrap(),
        drawing: Drawing::new(parts.score.drawn, parts.review_share),
        gauges: Gauges::new(parts.drift.clone()),
        renewals: 0,
        renewed: VecDeque::new(),
        parts,
        to_look_at: VecDeque::new(),
        looked: None,
        troubles: BTreeMap::new(),
        stale: false,
        seen: 0,
        told: None,
        stopping: Arc::default(),
    }
}

/// The page brings the book up by itself, before the watch looks.
#[test]
fn a_word_that_the_page_has_taken_in_wakes_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let mut round = round(parts(folder.path()));
    let changes = round.parts.changed.subscribe();
    let desk = Desk::new(
        Settings::default(),
        Arc::clone(&round.parts.archive),
        Arc::clone(&round.parts.book),
        Arc::default(),
        Arc::clone(&round.parts.board),
        Arc::clone(&round.parts.findings),
        Rejudge::open(&disk(folder.path(), "rejudge")).unwrap(),
        changes.clone(),
    );
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
