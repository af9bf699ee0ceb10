//! Disks that are full or failing while the power stays on.

use std::io::ErrorKind;

use super::super::sim::{Fault, Rng, SimDisk};
use super::super::{Decided, Error, Matrix, NewDecision};
use super::{Sample, open, roomy};

#[test]
fn a_full_disk_takes_decisions_from_the_reserve() {
    let disk = SimDisk::new();
    let (archive, _) = open(&disk, roomy()).unwrap();
    let segment = archive.begin().unwrap();
    archive.append(segment, b"rows").unwrap();
    archive.sync().unwrap();
    disk.set_capacity(Some(disk.used() + 50));
    assert!(matches!(archive.append(segment, &[1; 400]), Err(Error::DiskFull { .. })));
    for n in 0..4 {
        assert_eq!(archive.decide(Sample::new(n).new_decision()).unwrap(), Decided::Recorded, "decision {n}");
        assert_eq!(archive.decision(&Sample::new(n).id).unwrap().unwrap().json, Sample::new(n).json);
    }
    assert_eq!(archive.matrix("d-0").unwrap(), Matrix::NoRoom);
    assert_eq!(archive.stats().reserve_file, 0);
    // What was refused has left nothing behind, and what was there is there.
    disk.set_capacity(None);
    archive.append(segment, b"more").unwrap();
    archive.decide(Sample::new(4).new_decision()).unwrap();
    assert_eq!(archive.stats().reserve_file, roomy().reserve_file);
    archive.sync().unwrap();
    drop(archive);
    let (archive, recovery) = open(&disk, roomy()).unwrap();
    assert_eq!((recovery.torn_bytes, recovery.gaps.len()), (0, 0));
    assert_eq!(recovery.open[0].records, [b"rows".to_vec(), b"more".to_vec()]);
    assert_eq!(archive.decisions().count(), 5);
}

#[test]
fn when_even_the_reserve_is_gone_the_decision_is_refused_and_nothing_is_spoiled() {
    let disk = SimDisk::new();
    let (archive, _) = open(&disk, roomy()).unwrap();
    archive.decide(Sample::new(3).new_decision()).unwrap();
    disk.set_capacity(Some(disk.used()));
    let refused =
        (0..100).map(|n| 4 * n + 7).find_map(|n| archive.decide(Sample::new(n).new_decision()).err());
    assert!(matches!(refused, Some(Error::DiskFull { .. })), "{refused:?}");
    disk.set_capacity(None);
    let before = archive.stats().counts.decisions;
    archive.decide(Sample::new(1).new_decision()).unwrap();
    drop(archive);
    let (_, recovery) = open(&disk, roomy()).unwrap();
    assert_eq!((recovery.counts.decisions, recovery.gaps.len(), recovery.torn_bytes), (before + 1, 0, 0));
}

/// After a failed sync nobody may be told that anything is durable; and as the system may go on showing the
/// bytes, the next start must not believe what it merely sees.
#[test]
fn a_failed_sync_stops_the_archive() {
    for (i, fault) in [
        Fault::Sync("log/"),
        Fault::Write("log/", ErrorKind::Other),
        Fault::Sync("coils/"),
        Fault::SyncDir("log"),
        Fault::SyncDir("coils"),
    ]
    .into_iter()
    .enumerate()
    {
        let disk = SimDisk::new();
        let (archive, _) = open(&disk, roomy()).unwrap();
        if i < 3 {
            archive.decide(Sample::new(0).new_decision()).unwrap();
        }
        let decided = archive.stats().counts.decisions;
        disk.fail(fault);
        let sample = Sample::new(1);
        let error = archive.decide(sample.new_decision()).unwrap_err();
        assert!(matches!(error, Error::Unsure { .. }), "{fault:?}: {error}");
        let error = archive.decide(sample.new_decision()).unwrap_err();
        assert!(error.to_string().contains("input/output error") || i == 1, "{error}");
        assert!(matches!(error, Error::Stopped { .. }));
        assert!(matches!(archive.begin(), Err(Error::Stopped { .. })));
        assert!(matches!(archive.feedback("f", None, b""), Err(Error::Stopped { .. })));
        assert!(matches!(archive.close(), Err(Error::Stopped { .. })));
        // What is known can still be asked.
        assert_eq!(archive.pass(&Sample::new(0).pass).unwrap().is_some(), i < 3);
        assert_eq!(archive.pass(&sample.pass).unwrap(), None);
        drop(archive);

        // The process starts again, with the power on, and answers; then the power goes.
        let (archive, recovery) = open(&disk, roomy()).unwrap();
        assert!(recovery.counts.decisions >= decided);
        let decided = archive.decide(NewDecision { json: b"second", ..sample.new_decision() }).unwrap();
        drop(archive);
        for seed in 0..20 {
            let (archive, _) = open(&disk.after_cut(&mut Rng(seed)), roomy()).unwrap();
            let stored = archive.pass(&sample.pass).unwrap().expect("what was answered");
            match &decided {
                Decided::Recorded => assert_eq!(stored.json, b"second", "seed {seed}, {fault:?}"),
                Decided::Known { json, .. } => assert_eq!(&stored.json, json, "seed {seed}, {fault:?}"),
            }
        }
    }
}

#[test]
fn rows_whose_sync_failed_are_not_durable_until_they_are_written_again() {
    for fault in [Fault::Sync("open/"), Fault::SyncDir("open")] {
        let disk = SimDisk::new();
        let (archive, _) = open(&disk, roomy()).unwrap();
        let segment = archive.begin().unwrap();
        archive.append(segment, &[3; 2000]).unwrap();
        disk.fail(fault);
        assert!(matches!(archive.sync(), Err(Error::Unsure { .. })));
        assert!(matches!(archive.sync(), Err(Error::Stopped { .. })));
        drop(archive);
        let (archive, recovery) = open(&disk, roomy()).unwrap();
        assert_eq!(recovery.open[0].records, [vec![3; 2000]]);
        archive.sync().unwrap();
        drop(archive);
        for seed in 0..20 {
            let (_, recovery) = open(&disk.after_cut(&mut Rng(seed)), roomy()).unwrap();
            assert_eq!(recovery.open[0].records, [vec![3; 2000]], "seed {seed}");
        }
    }
}
