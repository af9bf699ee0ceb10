//! What wakes the watch.

use super::*;
use crate::archive::{Limits, RealDisk};
use crate::config::Settings;
use crate::web::{Desk, Rejudge};
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
