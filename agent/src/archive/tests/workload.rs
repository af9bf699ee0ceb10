//! A scripted shift, and a model of what the archive must answer after each of its calls.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::sim::{Rng, SimDisk};
use super::super::{Archive, Decided, Error, Limits, Matrix, NewDecision, Recovery, Result, SegmentId};
use super::{Sample, open};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Appends to one of three coils that may be open, beginning its segment if need be.
    Append(usize, usize),
    Sync,
    Discard(usize),
    /// Decides the next pass, on the rows of a coil if that is open.
    Decide(usize),
    /// Decides a pass again.
    DecideAgain(usize),
    Feedback(usize),
    Receipt(usize),
    /// Orderly stop and start.
    Reopen,
    /// The process is killed and starts again; the power stays on.
    Kill,
}

/// A script of `n` calls.
pub fn script(seed: u64, n: usize) -> Vec<Op> {
    let mut rng = Rng(seed);
    (0..n)
        .map(|_| match rng.below(20) {
            0..=5 => Op::Append(rng.below(3), 1 + rng.below(900)),
            6..=8 => Op::Sync,
            9 => Op::Discard(rng.below(3)),
            10..=13 => Op::Decide(rng.below(3)),
            14 => Op::DecideAgain(rng.below(9)),
            15 => Op::Feedback(rng.below(9)),
            16 | 17 => Op::Receipt(rng.below(40)),
            18 => Op::Reopen,
            _ => Op::Kill,
        })
        .collect()
}

#[derive(Debug, Clone)]
struct Rows {
    id: SegmentId,
    appended: Vec<Vec<u8>>,
    synced: Option<usize>,
}

#[derive(Debug, Clone, Default)]
struct Model {
    decided: usize,
    received: BTreeSet<usize>,
    feedback: Vec<usize>,
    open: BTreeMap<usize, Rows>,
    rows: u64,
}

/// A disk, the archive on it, and what it must know.
pub struct World {
    pub disk: SimDisk,
    pub archive: Option<Archive>,
    limits: Limits,
    views: Option<PathBuf>,
    model: Model,
    /// Calls that found no room on the disk.
    pub refused: usize,
}

impl World {
    pub fn new(disk: SimDisk, limits: Limits) -> Self {
        Self { disk, archive: None, limits, views: None, model: Model::default(), refused: 0 }
    }

    /// With views in sled under this folder.
    pub fn with_views(self, folder: &Path) -> Self {
        Self { views: Some(folder.to_owned()), ..self }
    }

    /// The same knowledge on another disk, with the archive not yet open.
    pub fn on(&self, disk: SimDisk) -> Self {
        let (limits, views, model) = (self.limits.clone(), self.views.clone(), self.model.clone());
        Self { disk, archive: None, limits, views, model, refused: 0 }
    }

    /// Opens the archive and holds what it found against the model. `in_flight` is the call that the cut
    /// came into: it may have happened or not, nothing between. Returns whether it did.
    pub fn start(&mut self, in_flight: Option<Op>) -> Result<bool> {
        let (archive, recovery) = match &self.views {
            Some(folder) => Archive::open(Arc::new(self.disk.clone()), folder, self.limits.clone())?,
            None => open(&self.disk, self.limits.clone())?,
        };
        let happened = self.reconcile(&archive, &recovery, in_flight);
        self.archive = Some(archive);
        self.check();
        Ok(happened)
    }

    fn reconcile(&mut self, archive: &Archive, recovery: &Recovery, in_flight: Option<Op>) -> bool {
        assert_eq!(recovery.gaps, [], "a power cut is no damage");
        let found: BTreeMap<SegmentId, &Vec<Vec<u8>>> =
            recovery.open.iter().map(|o| (o.id, &o.records)).collect();
        let model = &mut self.model;
        let happened = match in_flight {
            Some(Op::Decide(slot)) => {
                let sample = Sample::new(model.decided);
                let decided = archive.pass(&sample.pass).expect("a pass").is_some();
                if decided {
                    model.decided += 1;
                    model.open.remove(&slot);
                }
                decided
            }
            Some(Op::Feedback(n)) => {
                let known = archive.feedbacks().any(|f| f.expect("feedback").key == format!("f-{n}"));
                if known && !model.feedback.contains(&n) {
                    model.feedback.push(n);
                }
                known
            }
            Some(Op::Receipt(n)) => {
                let waits = archive.outbox(1000).expect("outbox").iter().any(|w| w.id() == format!("d-{n}"));
                if n < model.decided && !waits {
                    model.received.insert(n);
                }
                !waits
            }
            Some(Op::Discard(slot)) => match model.open.get(&slot) {
                Some(rows) if found.contains_key(&rows.id) => false,
                _ => {
                    model.open.remove(&slot);
                    true
                }
            },
            _ => false,
        };
        let mut open = BTreeMap::new();
        for (slot, rows) in std::mem::take(&mut model.open) {
            let Some(records) = found.get(&rows.id) else {
                assert_eq!(rows.synced, None, "a synced segment is gone");
                continue;
            };
            let synced = rows.synced.unwrap_or(0);
            assert!(records.len() >= synced, "{synced} records were synced, {} are there", records.len());
            assert_eq!(records[..synced], rows.appended[..synced], "synced rows");
            let mut rest = rows.appended[synced..].iter();
            assert!(
                records[synced..].iter().all(|r| rest.any(|a| a == r)),
                "rows that nobody wrote, or in disorder"
            );
            open.insert(
                slot,
                Rows { id: rows.id, appended: (*records).clone(), synced: Some(records.len()) },
            );
        }
        model.open = open;
        let known: BTreeSet<SegmentId> = model.open.values().map(|rows| rows.id).collect();
        let extra: Vec<_> = found.iter().filter(|(id, _)| !known.contains(id)).collect();
        // Only a segment that was being begun may be there without anybody knowing.
        let being_begun =
            matches!(in_flight, Some(Op::Append(..))) && extra.iter().all(|(_, rows)| rows.is_empty());
        assert!(extra.is_empty() || being_begun, "segments that nobody has open: {extra:?}");
        for (id, _) in extra {
            archive.discard(*id).expect("discard");
        }
        happened
    }

    pub fn decided(&self) -> usize {
        self.model.decided
    }

    fn archive(&self) -> &Archive {
        self.archive.as_ref().expect("an open archive")
    }

    /// Does a call. One that finds no room on the disk changes nothing.
    pub fn run(&mut self, op: Op) -> Result<()> {
        match self.call(op) {
            Err(Error::DiskFull { .. }) => {
                self.refused += 1;
                Ok(())
            }
            done => done,
        }
    }

    fn call(&mut self, op: Op) -> Result<()> {
        match op {
            Op::Append(slot, len) => {
                let id = match self.model.open.get(&slot) {
                    Some(rows) => rows.id,
                    None => self.archive().begin()?,
                };
                let rows = Rng(self.model.rows).bytes(len);
                let entry = self.model.open.entry(slot);
                entry.or_insert_with(|| Rows { id, appended: Vec::new(), synced: None });
                self.model.rows += 1;
                // Even what was refused or cut off may have left its bytes.
                match self.archive().append(id, &rows) {
                    Err(Error::Full { .. }) => return Ok(()),
                    Err(error @ Error::DiskFull { .. }) => return Err(error),
                    done => {
                        if let Some(open) = self.model.open.get_mut(&slot) {
                            open.appended.push(rows);
                        }
                        done?;
                    }
                }
            }
            Op::Sync => {
                self.archive().sync()?;
                self.model.open.values_mut().for_each(|rows| rows.synced = Some(rows.appended.len()));
            }
            Op::Discard(slot) => {
                if let Some(id) = self.model.open.get(&slot).map(|rows| rows.id) {
                    self.archive().discard(id)?;
                    self.model.open.remove(&slot);
                    self.model.open.values_mut().for_each(|rows| rows.synced = Some(rows.appended.len()));
                }
            }
            Op::Decide(slot) => {
                let sample = Sample::new(self.model.decided);
                let segment = self.model.open.get(&slot).map(|rows| rows.id);
                let decided = self.archive().decide(NewDecision { segment, ..sample.new_decision() })?;
                assert_eq!(decided, Decided::Recorded);
                self.model.decided += 1;
                self.model.open.remove(&slot);
            }
            Op::DecideAgain(n) if n < self.model.decided => self.decide_again(n)?,
            Op::Feedback(n) => {
                self.archive().feedback(&format!("f-{n}"), None, format!("word {n}").as_bytes())?;
                if !self.model.feedback.contains(&n) {
                    self.model.feedback.push(n);
                }
            }
            Op::Receipt(n) if n < self.model.decided => {
                self.archive().receipts(&[&format!("d-{n}")])?;
                self.model.received.insert(n);
            }
            Op::DecideAgain(_) | Op::Receipt(_) => {}
            Op::Reopen => {
                if let Some(archive) = &self.archive {
                    archive.close()?;
                }
                self.model.open.values_mut().for_each(|rows| rows.synced = Some(rows.appended.len()));
                self.archive = None;
                self.start(None)?;
            }
            Op::Kill => {
                self.archive = None;
                self.start(None)?;
            }
        }
        Ok(())
    }

    fn decide_again(&self, n: usize) -> Result<()> {
        let sample = Sample::new(n);
        let decided = self.archive().decide(NewDecision {
            decision_id: "another",
            json: b"another",
            ..sample.new_decision()
        })?;
        assert_eq!(decided, Decided::Known { decision_id: sample.id, json: sample.json });
        Ok(())
    }

    /// Asks the archive everything.
    pub fn check(&self) {
        let archive = self.archive();
        let mut coils: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut waiting = Vec::new();
        let mut retention_is_past = false;
        for n in 0..self.model.decided {
            let sample = Sample::new(n);
            let stored = archive.pass(&sample.pass).expect("pass").expect("an acknowledged decision");
            assert_eq!((&stored.decision_id, &stored.json), (&sample.id, &sample.json));
            assert_eq!(archive.decision(&sample.id).expect("decision"), Some(stored));
            match (archive.matrix(&sample.id).expect("matrix"), sample.matrix) {
                (Matrix::Kept(found), Some(matrix)) => {
                    assert_eq!(found, matrix);
                    retention_is_past = true;
                }
                (Matrix::Dropped, Some(_)) => assert!(!retention_is_past, "retention drops the oldest"),
                (Matrix::NoRoom, Some(_)) | (Matrix::Absent, None) => {}
                (found, _) => panic!("{found:?} for decision {n}"),
            }
            coils.entry(sample.coil).or_default().push(sample.pass);
            if !self.model.received.contains(&n) {
                waiting.push(sample.id);
            }
            self.decide_again(n).expect("decide again");
        }
        assert!(archive.pass(&Sample::new(self.model.decided).pass).expect("pass").is_none());
        for (coil, passes) in coils {
            assert_eq!(archive.passes_of(&coil).expect("passes"), passes);
        }
        let outbox: Vec<_> =
            archive.outbox(1000).expect("outbox").into_iter().map(|w| w.id().to_owned()).collect();
        assert_eq!(outbox, waiting);
        let all: Vec<_> = archive.decisions().map(|d| d.expect("decision").decision_id).collect();
        assert_eq!(all, (0..self.model.decided).map(|n| format!("d-{n}")).collect::<Vec<_>>());
        let feedback: Vec<_> =
            archive.feedbacks().map(|f| f.expect("feedback")).map(|f| (f.key, f.json)).collect();
        let expected: Vec<_> = self
            .model
            .feedback
            .iter()
            .map(|n| (format!("f-{n}"), format!("word {n}").into_bytes()))
            .collect();
        assert_eq!(feedback, expected);
        let counts = archive.stats().counts;
        assert_eq!(counts.decisions as usize, self.model.decided);
        assert_eq!(counts.receipts as usize, self.model.received.len());
    }
}
