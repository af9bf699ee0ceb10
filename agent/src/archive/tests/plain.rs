//! The calls on a sound disk.

use std::sync::Arc;

use super::super::sim::SimDisk;
use super::super::{
    Archive, Decided, Error, FeedbackStored, Followed, MAX_JSON, MAX_KEY, MAX_ROWS, Mark, Matrix,
    NewDecision, RealDisk,
};
use super::{Sample, open, roomy, tiny};

#[test]
fn a_pass_gets_one_decision_and_its_rows_go() {
    let disk = SimDisk::new();
    let (archive, _) = open(&disk, roomy()).unwrap();
    let segment = archive.begin().unwrap();
    archive.append(segment, b"rows").unwrap();
    archive.sync().unwrap();
    let sample = Sample::new(0);
    let new = NewDecision { segment: Some(segment), ..sample.new_decision() };
    assert_eq!(archive.decide(new).unwrap(), Decided::Recorded);
    assert_eq!(archive.stats().open, 0);

    // A gateway repeats the whole coil.
    let repeated = archive.begin().unwrap();
    archive.append(repeated, b"rows").unwrap();
    let again = NewDecision { segment: Some(repeated), json: b"other", decision_id: "other", ..new };
    let known = Decided::Known { decision_id: sample.id.clone(), json: sample.json.clone() };
    assert_eq!(archive.decide(again).unwrap(), known);
    assert!(matches!(archive.append(repeated, b"more"), Err(Error::UnknownSegment { .. })));

    archive.receipts(&[&sample.id]).unwrap();
    archive.receipts(&[&sample.id]).unwrap();
    assert_eq!(archive.stats().counts.receipts, 1);
    assert_eq!(archive.outbox(10).unwrap(), []);
    assert_eq!(archive.matrix(&sample.id).unwrap(), Matrix::Kept(sample.matrix.unwrap()));
    assert_eq!(archive.feedback("f", None, b"OK").unwrap(), FeedbackStored::Recorded);
    assert_eq!(archive.feedback("f", None, b"NOK").unwrap(), FeedbackStored::Known);
    assert_eq!(archive.feedbacks().next().unwrap().unwrap().json, b"OK");
}

#[test]
fn a_decision_id_belongs_to_one_pass() {
    let (archive, _) = open(&SimDisk::new(), roomy()).unwrap();
    let sample = Sample::new(0);
    archive.decide(sample.new_decision()).unwrap();
    let other = NewDecision { pass_key: "another pass", ..sample.new_decision() };
    assert!(matches!(archive.decide(other), Err(Error::DecisionIdTaken { .. })));
    assert!(matches!(archive.receipts(&["unheard of"]), Err(Error::UnknownDecision { .. })));
    assert!(matches!(archive.matrix("unheard of"), Err(Error::UnknownDecision { .. })));
    assert_eq!(archive.pass("unheard of").unwrap(), None);
    assert_eq!(archive.passes_of("unheard of").unwrap(), Vec::<String>::new());
}

#[test]
fn a_coil_id_is_not_taken_for_the_beginning_of_another() {
    let (archive, _) = open(&SimDisk::new(), roomy()).unwrap();
    for (i, coil_id) in ["c", "c1", "c\0", "c\0\u{1}", "C", "ü", "c"].into_iter().enumerate() {
        let (id, pass) = (format!("d{i}"), format!("p{i}"));
        let sample = Sample::new(3);
        let new = NewDecision { decision_id: &id, coil_id, pass_key: &pass, ..sample.new_decision() };
        archive.decide(new).unwrap();
    }
    assert_eq!(archive.passes_of("c").unwrap(), ["p0", "p6"]);
    assert_eq!(archive.passes_of("c1").unwrap(), ["p1"]);
    assert_eq!(archive.passes_of("c\0").unwrap(), ["p2"]);
    assert_eq!(archive.outbox(2).unwrap().len(), 2);
}

#[test]
fn what_is_too_long_or_empty_is_refused() {
    let (archive, _) = open(&SimDisk::new(), roomy()).unwrap();
    let sample = Sample::new(0);
    let long = "k".repeat(MAX_KEY + 1);
    let new = sample.new_decision();
    let json = vec![b' '; MAX_JSON + 1];
    let rows = vec![0; MAX_ROWS + 1];
    let refused = [
        archive.decide(NewDecision { decision_id: &long, ..new }).unwrap_err(),
        archive.decide(NewDecision { coil_id: &long, ..new }).unwrap_err(),
        archive.decide(NewDecision { pass_key: &long, ..new }).unwrap_err(),
        archive.decide(NewDecision { json: &json, ..new }).unwrap_err(),
        archive.decide(NewDecision { matrix: Some(&rows), ..new }).unwrap_err(),
        archive.feedback("f", None, &json).unwrap_err(),
        archive.append(archive.begin().unwrap(), &rows).unwrap_err(),
    ];
    assert!(refused.iter().all(|e| matches!(e, Error::TooLarge { .. })), "{refused:?}");
    assert!(matches!(archive.decide(NewDecision { pass_key: "", ..new }), Err(Error::NoKey { .. })));

    // At the limits everything fits.
    let longest = "k".repeat(MAX_KEY);
    let new = NewDecision {
        decision_id: &longest,
        coil_id: &longest,
        pass_key: &longest,
        segment: None,
        json: &json[1..],
        matrix: Some(&rows[1..]),
    };
    assert_eq!(archive.decide(new).unwrap(), Decided::Recorded);
    assert_eq!(archive.pass(&longest).unwrap().unwrap().json, &json[1..]);
}

#[test]
fn rows_are_refused_before_the_reserve_and_decisions_are_not() {
    let disk = SimDisk::new();
    let (archive, _) = open(&disk, tiny()).unwrap();
    let segment = archive.begin().unwrap();
    let refused = (0..100).find_map(|_| archive.append(segment, &[7; 900]).err());
    assert!(matches!(refused, Some(Error::Full { .. })), "{refused:?}");
    assert!(archive.stats().used <= tiny().cap - tiny().reserve);
    for n in 0..20 {
        assert_eq!(archive.decide(Sample::new(n).new_decision()).unwrap(), Decided::Recorded);
    }
    archive.feedback("f", None, b"OK").unwrap();
    let stats = archive.stats();
    assert!(stats.used <= stats.cap && stats.files_dropped > 0, "{stats:?}");
    assert_eq!(stats.used, disk.used() - super::super::recover::FORMAT_BYTES);

    // Once the rows are gone, rows are taken again.
    archive.discard(segment).unwrap();
    let segment = archive.begin().unwrap();
    archive.append(segment, &[7; 900]).unwrap();
}

#[test]
fn feedback_cannot_fill_the_disk_but_decisions_may() {
    let (archive, _) = open(&SimDisk::new(), tiny()).unwrap();
    let refused = (0..1000).find_map(|n| archive.feedback(&format!("f{n}"), None, &[b' '; 500]).err());
    assert!(matches!(refused, Some(Error::Full { .. })), "{refused:?}");
    assert_eq!(archive.decide(Sample::new(0).new_decision()).unwrap(), Decided::Recorded);
    assert_eq!(archive.matrix(&Sample::new(0).id).unwrap(), Matrix::NoRoom);
    assert_eq!(archive.stats().matrices_refused, 1);
    archive.receipts(&[&Sample::new(0).id]).unwrap();
}

#[test]
fn one_process_has_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || Arc::new(RealDisk::new(folder.path().join("archive")).unwrap());
    let (first, _) = Archive::open_without_views_folder(disk(), roomy()).unwrap();
    let second = Archive::open_without_views_folder(disk(), roomy()).unwrap_err();
    assert!(matches!(second, Error::Locked { .. }), "{second}");
    drop(first);
    Archive::open_without_views_folder(disk(), roomy()).unwrap();
}

#[test]
fn after_the_orderly_stop_everything_is_refused() {
    let (archive, _) = open(&SimDisk::new(), roomy()).unwrap();
    archive.close().unwrap();
    assert!(matches!(archive.begin(), Err(Error::Closed)));
    assert!(matches!(archive.decide(Sample::new(0).new_decision()), Err(Error::Closed)));
    assert!(matches!(archive.pass("p"), Err(Error::Closed)));
    assert!(matches!(archive.close(), Err(Error::Closed)));
}

#[test]
fn another_format_is_not_touched() {
    let disk = SimDisk::new();
    drop(open(&disk, roomy()).unwrap());
    disk.spoil("FORMAT", |bytes| *bytes = b"coilsight-archive 2\n".to_vec());
    let error = open(&disk, roomy()).unwrap_err();
    assert!(error.to_string().contains("coilsight-archive 2"), "{error}");
}

#[test]
fn a_decision_and_a_word_under_one_name_both_leave_the_outbox() {
    let disk = SimDisk::new();
    let sample = Sample::new(0);
    {
        let (archive, _) = open(&disk, roomy()).unwrap();
        archive.decide(sample.new_decision()).unwrap();
        archive.feedback(&sample.id, Some(&sample.id), b"word").unwrap();
        assert_eq!(
            (archive.outbox(9).unwrap().len(), archive.feedback_on(&sample.id).unwrap().len()),
            (2, 1)
        );
    }
    let (archive, _) = open(&disk, roomy()).unwrap();
    assert_eq!(archive.outbox(9).unwrap().len(), 2, "after a start over the log too");
    archive.receipts(&[&sample.id]).unwrap();
    assert_eq!(archive.outbox_len(9).unwrap(), 0);
    drop(archive);
    let (archive, _) = open(&disk, roomy()).unwrap();
    assert_eq!(archive.outbox_len(9).unwrap(), 0);
}

#[test]
fn whoever_follows_hears_everything_once_in_the_logs_order() {
    let disk = SimDisk::new();
    let (archive, _) = open(&disk, tiny()).unwrap();
    let (mut mark, mut heard) = (Mark::default(), Vec::new());
    assert_eq!(archive.follow(&mut mark, 1000).unwrap(), []);
    for n in 0..30 {
        archive.decide(Sample::new(n).new_decision()).unwrap();
        archive.feedback(&format!("f-{n}"), None, b"OK").unwrap();
        archive.receipts(&[&format!("d-{n}")]).unwrap();
        // Whoever comes seldom and takes little at a time is behind for a while.
        if n % 3 == 0 {
            heard.extend(archive.follow(&mut mark, 300).unwrap());
        }
    }
    assert!(heard.len() < 50, "no bound was kept");
    while let more = archive.follow(&mut mark, 300).unwrap()
        && !more.is_empty()
    {
        heard.extend(more);
    }
    let ids: Vec<String> = heard
        .iter()
        .map(|one| match one {
            Followed::Decision(decision) => decision.decision_id.clone(),
            Followed::Feedback(word) => word.key.clone(),
        })
        .collect();
    let all: Vec<String> = (0..30).flat_map(|n| [format!("d-{n}"), format!("f-{n}")]).collect();
    assert_eq!(ids, all);
    // A mark outlives the archive: the files stay.
    drop(archive);
    let (archive, _) = open(&disk, tiny()).unwrap();
    archive.feedback("later", None, b"NOK").unwrap();
    assert_eq!(archive.follow(&mut mark, 300).unwrap().len(), 1);
}
