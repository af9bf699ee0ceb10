//! Bytes that rot on the disk.

use proptest::prelude::*;

use super::super::frame::{self, Frames, HEADER, Place, Step, Stream};
use super::super::sim::{Fault, SimDisk};
use super::super::views::Views;
use super::super::{Archive, Disk, Error, Gap, GapKind, NewDecision};
use super::{Sample, open, roomy};

const LOG: &str = "log/00000001.log";

/// An archive with `n` decisions and the ends of their records.
fn filled(n: usize) -> (SimDisk, Archive, Vec<u64>) {
    let disk = SimDisk::new();
    let (archive, _) = open(&disk, roomy()).unwrap();
    let mut ends = vec![0];
    for i in 0..n {
        archive.decide(Sample::new(i).new_decision()).unwrap();
        ends.push(disk.open(LOG).unwrap().size().unwrap());
    }
    (disk, archive, ends)
}

fn ids(archive: &Archive) -> Vec<String> {
    archive.decisions().filter_map(Result::ok).map(|d| d.decision_id).collect()
}

#[test]
fn damage_in_the_middle_is_a_gap_and_no_end() {
    for byte in 0..9 {
        let (disk, archive, ends) = filled(5);
        drop(archive);
        // In its length, checksum, kind or payload.
        let at = ends[2] + if byte == 8 { 40 } else { byte };
        disk.spoil(LOG, |bytes| bytes[at as usize] ^= 0x41);
        let (archive, recovery) = open(&disk, roomy()).unwrap();
        let gap = Gap { file: 1, offset: ends[2], bytes: ends[3] - ends[2], kind: GapKind::Damaged };
        assert_eq!(recovery.gaps, [gap]);
        assert_eq!(recovery.torn_bytes, 0);
        assert_eq!(ids(&archive), ["d-0", "d-1", "d-3", "d-4"]);
        assert_eq!(archive.pass(&Sample::new(4).pass).unwrap().unwrap().json, Sample::new(4).json);
        archive.decide(Sample::new(5).new_decision()).unwrap();
        drop(archive);
        let (archive, recovery) = open(&disk, roomy()).unwrap();
        assert_eq!((recovery.gaps.len(), ids(&archive).len()), (1, 5));
    }
}

/// A dead block costs the records in it, not the start of the appliance, and nothing is cut off for it.
#[test]
fn a_block_that_cannot_be_read_is_a_gap() {
    for block in 0..4 {
        let (disk, archive, ends) = filled(60);
        drop(archive);
        let len = ends[60];
        assert!(len > 3 * 4096, "{len} bytes");
        let dead = block * 4096..((block + 1) * 4096).min(len);
        disk.fail(Fault::Read(LOG, dead.start, dead.end));
        let (archive, recovery) = open(&disk, roomy()).unwrap();
        assert_eq!((recovery.torn_bytes, recovery.gaps.len()), (0, 1), "block {block}");
        let lost = |n: usize| ends[n] < dead.end && ends[n + 1] > dead.start;
        for n in 0..60 {
            let found = archive.pass(&Sample::new(n).pass).unwrap();
            assert_eq!(found.is_none(), lost(n), "decision {n}, block {block}");
        }
        let left = (0..60).filter(|&n| !lost(n)).count();
        assert_eq!(ids(&archive).len(), left);
        archive.decide(Sample::new(60).new_decision()).unwrap();
        assert_eq!(ids(&archive).len(), left + 1);
    }
}

#[test]
fn the_torn_end_is_cut_off_and_told() {
    let (disk, archive, ends) = filled(3);
    drop(archive);
    disk.spoil(LOG, |bytes| bytes.extend_from_slice(&[1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 9]));
    let (archive, recovery) = open(&disk, roomy()).unwrap();
    assert_eq!((recovery.torn_bytes, recovery.gaps.len()), (12, 0));
    assert_eq!(disk.open(LOG).unwrap().size().unwrap(), ends[3]);
    assert_eq!(ids(&archive).len(), 3);
}

#[test]
fn after_an_orderly_stop_a_broken_end_is_damage() {
    let (disk, archive, ends) = filled(3);
    archive.close().unwrap();
    disk.spoil(LOG, |bytes| bytes[ends[2] as usize + 20] ^= 1);
    let (archive, recovery) = open(&disk, roomy()).unwrap();
    assert_eq!(recovery.torn_bytes, 0);
    let gap = Gap { file: 1, offset: ends[2], bytes: ends[3] - ends[2], kind: GapKind::Damaged };
    assert_eq!(recovery.gaps, [gap]);
    archive.decide(Sample::new(3).new_decision()).unwrap();
    assert_eq!(ids(&archive), ["d-0", "d-1", "d-3"]);
    archive.close().unwrap();
    disk.spoil(LOG, |bytes| bytes.truncate(ends[1] as usize));
    let (_, recovery) = open(&disk, roomy()).unwrap();
    assert!(recovery.gaps.iter().any(|gap| gap.kind == GapKind::Shortened), "{:?}", recovery.gaps);
}

#[test]
fn a_missing_log_file_is_a_gap() {
    let limits = || super::tiny();
    let disk = SimDisk::new();
    let (archive, _) = open(&disk, limits()).unwrap();
    for i in 0..24 {
        archive.decide(Sample::new(i).new_decision()).unwrap();
    }
    drop(archive);
    let before = disk.list("log").unwrap();
    assert!(before.len() > 2);
    disk.remove("log/00000002.log").unwrap();
    let (archive, recovery) = open(&disk, limits()).unwrap();
    assert_eq!(recovery.gaps, [Gap { file: 2, offset: 0, bytes: 0, kind: GapKind::Missing }]);
    assert!(ids(&archive).contains(&"d-0".to_owned()) && ids(&archive).contains(&"d-23".to_owned()));
}

/// A folder's block rots too: a name far off is neither followed nor makes all before it missing.
#[test]
fn a_file_with_a_far_number_is_a_gap_by_itself() {
    let (disk, archive, _) = filled(3);
    drop(archive);
    for path in ["log/90000001.log", "log/4294967295.log", "coils/4294967295.seg", "open/4294967295.rows"] {
        disk.create(path).unwrap().write_at(b"what it held", 0).unwrap();
    }
    let (archive, recovery) = open(&disk, roomy()).unwrap();
    let gap = Gap { file: 90_000_001, offset: 0, bytes: 12, kind: GapKind::Damaged };
    assert_eq!(recovery.gaps, [gap]);
    archive.begin().unwrap();
    archive.decide(Sample::new(3).new_decision()).unwrap();
    drop(archive);
    let (archive, recovery) = open(&disk, roomy()).unwrap();
    assert_eq!((recovery.open.len(), ids(&archive).len()), (1, 4));
    assert!(!super::exists(&disk, "log/00000002.log"));
}

/// What was lost for a while and said again is there twice: its receipt must still end its waiting.
#[test]
fn a_word_that_comes_back_leaves_the_outbox() {
    let (disk, archive, ends) = filled(1);
    archive.feedback("w", Some("d-0"), b"{}").unwrap();
    archive.decide(Sample::new(1).new_decision()).unwrap();
    drop(archive);
    let rot = |bytes: &mut Vec<u8>| bytes[ends[1] as usize + 12] ^= 1;
    disk.spoil(LOG, rot);
    let (archive, recovery) = open(&disk, roomy()).unwrap();
    assert_eq!(recovery.gaps.len(), 1);
    archive.feedback("w", None, b"{}").unwrap();
    drop(archive);
    disk.spoil(LOG, rot);
    let (archive, _) = open(&disk, roomy()).unwrap();
    archive.receipts(&["d-0", "d-1", "w"]).unwrap();
    assert_eq!(archive.outbox(9).unwrap(), []);
}

/// The views were the last to know the pass: it must not be decided again.
#[test]
fn a_decision_that_rots_while_running_is_not_made_again() {
    let (disk, archive, ends) = filled(4);
    disk.spoil(LOG, |bytes| bytes[ends[1] as usize + 30] ^= 1);
    let sample = Sample::new(1);
    for _ in 0..2 {
        let error = archive.decide(NewDecision { decision_id: "new", ..sample.new_decision() }).unwrap_err();
        assert!(matches!(&error, Error::Damaged { offset, .. } if *offset == ends[1]), "{error}");
    }
    assert!(archive.pass(&sample.pass).is_err());
    archive.with_views(|views| *views = Views::failing());
    assert!(archive.pass(&sample.pass).is_err(), "known still after the views were built again");
    assert_eq!(archive.stats().gaps, 1);
    assert_eq!(archive.pass(&Sample::new(2).pass).unwrap().unwrap().decision_id, "d-2");
    assert_eq!(ids(&archive), ["d-0", "d-2", "d-3"]);
}

#[test]
fn a_walk_tells_of_damage_and_goes_on() {
    let (disk, archive, ends) = filled(4);
    disk.spoil(LOG, |bytes| bytes[ends[1] as usize + 30] ^= 1);
    let walk: Vec<_> = archive.decisions().collect();
    assert_eq!(walk.len(), 4);
    assert!(matches!(&walk[1], Err(Error::Damaged { offset, .. }) if *offset == ends[1]));
    assert_eq!(walk[3].as_ref().unwrap().decision_id, "d-3");
}

#[test]
fn a_rotten_matrix_is_an_error_and_not_other_bytes() {
    let (disk, archive, _) = filled(3);
    disk.spoil("coils/00000001.seg", |bytes| bytes[100] ^= 1);
    let error = archive.matrix("d-0").unwrap_err();
    assert!(error.to_string().contains("coils/00000001.seg is damaged at byte 0"), "{error}");
    assert!(archive.matrix("d-1").is_ok());
}

#[test]
fn a_frame_counts_only_where_it_was_written() {
    let place = Place { stream: Stream::Log, file: 1 };
    let (frame, _) = frame::encode(place, 0, 1, b"a record");
    let disk = SimDisk::new();
    let file = disk.create("f").unwrap();
    file.write_at(&frame, 0).unwrap();
    file.write_at(&frame, frame.len() as u64).unwrap();
    assert!(frame::read_one(file.as_ref(), place, 0).unwrap().is_some());
    assert!(frame::read_one(file.as_ref(), place, frame.len() as u64).unwrap().is_none());
    assert!(frame::read_one(file.as_ref(), Place { file: 2, ..place }, 0).unwrap().is_none());
    assert!(frame::read_one(file.as_ref(), Place { stream: Stream::Open, ..place }, 0).unwrap().is_none());
}

proptest! {
    /// Whatever bytes a file has, every one is in a record, in damage or in the tail, and records are those written.
    #[test]
    fn every_byte_is_accounted_for(
        records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8),
        spoiled in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        tail in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let place = Place { stream: Stream::Open, file: 9 };
        let disk = SimDisk::new();
        let file = disk.create("f").unwrap();
        let mut bytes = Vec::new();
        let mut written = Vec::new();
        for record in &records {
            written.push((bytes.len() as u64, record.clone()));
            bytes.extend(frame::encode(place, bytes.len() as u64, 1, record).0);
        }
        bytes.extend_from_slice(&tail);
        let mut touched = Vec::new();
        for (index, value) in &spoiled {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            if bytes[at] != *value {
                touched.push(at as u64);
            }
            bytes[at] = *value;
        }
        file.write_at(&bytes, 0).unwrap();
        let mut frames = Frames::new(file, place, bytes.len() as u64);
        let mut at = 0;
        let mut found = Vec::new();
        loop {
            match frames.step().unwrap() {
                Step::Record { offset, payload, .. } => {
                    prop_assert_eq!(offset, at);
                    at += (HEADER + payload.len()) as u64;
                    found.push((offset, payload.to_vec()));
                }
                Step::Damaged { offset, bytes } | Step::Tail { offset, bytes, .. } => {
                    prop_assert_eq!(offset, at);
                    prop_assert!(bytes > 0);
                    at += bytes;
                }
                Step::End => break,
            }
        }
        prop_assert_eq!(at, bytes.len() as u64);
        prop_assert!(found.iter().all(|record| written.contains(record)));
        for record in &written {
            let range = record.0..record.0 + (HEADER + record.1.len()) as u64;
            prop_assert!(touched.iter().any(|at| range.contains(at)) || found.contains(record));
        }
    }
}
