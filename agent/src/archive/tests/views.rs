//! Views in sled: whatever becomes of their folder, the answers stay the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::super::log::Location;
use super::super::sim::{Rng, SimDisk};
use super::super::views::{Views, key};
use super::super::{Archive, Disk, Recovery, ViewsFound};
use super::workload::{Op, World, script};
use super::{Sample, roomy};

const COUNT: usize = 60;

struct Site {
    disk: SimDisk,
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        Self { disk: SimDisk::new(), folder: tempfile::tempdir().unwrap() }
    }

    fn views(&self) -> PathBuf {
        self.folder.path().join("views")
    }

    fn open(&self) -> (Archive, Recovery) {
        Archive::open(Arc::new(self.disk.clone()), self.views(), roomy()).unwrap()
    }

    /// With so many decisions, closed in good order.
    fn filled(n: usize) -> Self {
        let site = Self::new();
        site.add(0..n);
        site
    }

    fn add(&self, range: std::ops::Range<usize>) {
        let (archive, _) = self.open();
        for n in range {
            archive.decide(Sample::new(n).new_decision()).unwrap();
            archive.feedback(&format!("f-{n}"), None, b"OK").unwrap();
            if n % 5 != 0 {
                archive.receipts(&[&format!("d-{n}")]).unwrap();
            }
        }
        archive.close().unwrap();
    }

    /// The views' files.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.views()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }

    /// Opens, asks everything, and closes; whether the views were trusted.
    fn answers(&self, n: usize) -> bool {
        let (archive, recovery) = self.open();
        check(&archive, n);
        archive.close().unwrap();
        recovery.views == ViewsFound::Trusted
    }
}

fn check(archive: &Archive, count: usize) {
    for n in 0..count {
        let sample = Sample::new(n);
        let stored = archive.pass(&sample.pass).unwrap().expect("a decision");
        assert_eq!((&stored.decision_id, &stored.json), (&sample.id, &sample.json));
        assert_eq!(archive.decision(&sample.id).unwrap(), Some(stored));
    }
    assert_eq!(archive.pass(&Sample::new(count).pass).unwrap(), None);
    let passes: Vec<_> = (0..count).step_by(3).map(|n| Sample::new(n).pass).collect();
    assert_eq!(archive.passes_of("coil-0").unwrap(), passes);
    let outbox: Vec<_> = archive.outbox(1000).unwrap().into_iter().map(|w| w.id().to_owned()).collect();
    assert_eq!(outbox, (0..count).step_by(5).map(|n| format!("d-{n}")).collect::<Vec<_>>());
    assert!(!archive.stats().views_in_memory);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn after_an_orderly_stop_they_are_trusted() {
    let site = Site::filled(COUNT);
    for _ in 0..5 {
        assert!(site.answers(COUNT));
    }
    // Once only: a start that is not followed by an orderly stop leaves nothing to trust.
    drop(site.open());
    assert!(!site.answers(COUNT));
    assert!(site.answers(COUNT));
}

#[test]
fn whatever_happens_to_a_file_of_theirs_they_are_built_again() {
    let site = Site::filled(COUNT);
    let names: Vec<PathBuf> = site.files();
    assert!(!names.is_empty());
    let mut rng = Rng(7);
    for i in 0..names.len() {
        for way in 0..6 {
            // Building again makes another folder, with files of the same kind.
            let path = site.files()[i.min(site.files().len() - 1)].clone();
            let mut bytes = fs::read(&path).unwrap();
            let at = rng.below(bytes.len());
            match way {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << rng.below(8),
                1 if !bytes.is_empty() => bytes.truncate(at),
                2 if !bytes.is_empty() => {
                    bytes[at] ^= 0x10;
                    bytes[at..].fill(0);
                }
                3 => bytes.extend_from_slice(&[0; 512]),
                4 => {
                    fs::remove_file(&path).unwrap();
                    assert!(!site.answers(COUNT), "{path:?} removed");
                    continue;
                }
                _ => bytes.insert(at, 0x55),
            }
            fs::write(&path, bytes).unwrap();
            assert!(!site.answers(COUNT), "{path:?} changed in way {way} at byte {at}");
        }
    }
    fs::remove_dir_all(site.views()).unwrap();
    assert!(!site.answers(COUNT));
    assert!(site.answers(COUNT));
}

#[test]
fn an_older_copy_is_not_believed() {
    let site = Site::filled(COUNT);
    let kept = site.folder.path().join("kept");
    copy(&site.views(), &kept);
    let marker = site.disk.open("clean").unwrap();
    let mut old_marker = vec![0; marker.size().unwrap() as usize];
    marker.read_at(&mut old_marker, 0).unwrap();
    site.add(COUNT..COUNT + 5);

    fs::remove_dir_all(site.views()).unwrap();
    copy(&kept, &site.views());
    assert!(!site.answers(COUNT + 5), "an older folder");

    fs::remove_dir_all(site.views()).unwrap();
    copy(&kept, &site.views());
    site.disk.spoil("clean", |bytes| *bytes = old_marker);
    assert!(!site.answers(COUNT + 5), "an older folder and the marker that goes with it");

    site.disk.spoil("clean", |bytes| bytes[12] ^= 1);
    assert!(!site.answers(COUNT + 5), "a spoiled marker");
    assert!(site.answers(COUNT + 5));
}

#[test]
fn views_that_lead_astray_are_found_out() {
    let site = Site::filled(COUNT);
    let (archive, _) = site.open();
    let wrong = [
        Location { file: 1, offset: 0 },
        Location { file: 1, offset: 17 },
        Location { file: 9, offset: 1 << 60 },
    ];
    for at in wrong {
        archive.with_views(|views| {
            views.put(key::pass(&Sample::new(5).pass), key::place(at)).unwrap();
            views.put(key::pass(&Sample::new(COUNT).pass), key::place(at)).unwrap();
        });
        check(&archive, COUNT);
        archive.with_views(|views| views.put(key::at(&key::coil("coil-0"), at), Vec::new()).unwrap());
        check(&archive, COUNT);
        archive.with_views(|views| views.put(key::decision("d-3"), b"nonsense".to_vec()).unwrap());
        check(&archive, COUNT);
    }
    assert_eq!(archive.stats().gaps, 0);
}

#[test]
fn views_that_fail_are_replaced() {
    let site = Site::filled(COUNT);
    let (archive, _) = site.open();
    archive.with_views(|views| *views = Views::failing());
    check(&archive, COUNT);
    // In the middle of a decision, too.
    archive.with_views(|views| *views = Views::failing());
    archive.decide(Sample::new(COUNT).new_decision()).unwrap();
    archive.with_views(|views| *views = Views::failing());
    assert_eq!(archive.passes_of("coil-0").unwrap().len(), COUNT / 3 + 1);
    archive.close().unwrap();
    assert!(matches!(site.open().1.views, ViewsFound::Trusted));
}

#[test]
fn without_a_folder_they_live_in_memory() {
    let site = Site::new();
    fs::write(site.views(), b"a file where a folder should be").unwrap();
    let (archive, _) = site.open();
    archive.decide(Sample::new(0).new_decision()).unwrap();
    assert!(archive.stats().views_in_memory);
    archive.close().unwrap();
    let (archive, recovery) = site.open();
    assert!(matches!(recovery.views, ViewsFound::Rebuilt { .. }));
    assert_eq!(archive.pass(&Sample::new(0).pass).unwrap().unwrap().decision_id, "d-0");
}

/// Power cuts with sled on the disk: what it left is kept, damaged, older or gone.
#[test]
fn cuts_leave_the_views_in_any_state() {
    for seed in 500..506 {
        let folder = tempfile::tempdir().unwrap();
        let (views, kept) = (folder.path().join("views"), folder.path().join("kept"));
        let ops = script(seed, 120);
        let mut rng = Rng(seed);
        let mut world = World::new(SimDisk::new(), roomy()).with_views(&views);
        let (mut in_flight, mut at) = (None, 0);
        loop {
            let happened = world.start(in_flight).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            if in_flight.is_some() && (happened || matches!(in_flight, Some(Op::Append(..)))) {
                at += 1;
            }
            world.disk.cut_after(20 + rng.below(120) as u64);
            let Some(stopped) = ops.iter().skip(at).position(|&op| world.run(op).is_err()) else { break };
            at += stopped;
            in_flight = Some(ops[at]);
            world.archive = None;
            match rng.below(4) {
                0 => drop(fs::remove_dir_all(&views)),
                1 if kept.is_dir() => {
                    fs::remove_dir_all(&views).unwrap();
                    copy(&kept, &views);
                }
                2 => {
                    drop(fs::remove_dir_all(&kept));
                    copy(&views, &kept);
                }
                _ => {}
            }
            let disk = world.disk.after_cut(&mut rng);
            world = world.on(disk);
        }
        world.check();
    }
}
