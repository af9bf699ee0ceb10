//! The archive's files as a damaged disk gives them back.

mod image;

use super::judge::StandIn;
use super::mem_disk::MemDisk;
use coilsight_agent::archive::{
    Archive, Decided, Decision, Error, Feedback, Limits, Matrix, NewDecision, OpenSegment, Recovery, Waiting,
};
use coilsight_agent::line::{self, Config, Line, NotTaken, Publish};
use coilsight_models::message::assessment::Assessment;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Small files, so that a short input has many.
pub fn limits() -> Limits {
    Limits {
        cap: 32 << 20,
        reserve: 1 << 20,
        reserve_file: 64,
        log_file: 4 << 10,
        coils_file: 64 << 10,
        views_cache: 1 << 20,
    }
}

/// Opens the archive on a disk, with its views in memory.
pub fn open(disk: &MemDisk) -> Result<(Archive, Recovery), Error> {
    Archive::open_without_views_folder(Arc::new(disk.clone()), limits())
}

/// Whoever takes every decision.
#[derive(Debug, Default)]
pub struct Heard(pub Vec<Assessment>);

impl Publish for Heard {
    fn publish(&mut self, assessment: &Assessment, _: &Archive) -> Result<(), NotTaken> {
        self.0.push(assessment.clone());
        Ok(())
    }
}

/// Whatever is on the disk: it opens or says why not, a second start finds what the first found, every
/// decision that is read can be asked for, and a line over it decides what was open.
pub fn run(data: &[u8]) {
    let disk = image::disk(data);
    // With a marker the first start knows more than a later one, which has none: what the last stop left.
    let marked = disk.files().contains_key("clean");
    let (archive, first) = match open(&disk) {
        Ok(opened) => opened,
        Err(Error::Format { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let stored = Stored::read(&archive);
    drop(archive);

    let (archive, second) = open(&disk).expect("what was opened opens again");
    assert_eq!(Stored::read(&archive), stored);
    assert_eq!(opened(&second.open), opened(&first.open));
    assert_eq!(second.counts, first.counts);
    if !marked {
        assert_eq!((second.torn_bytes, &second.gaps), (0, &first.gaps));
    }
    stored.answers(&archive);
    goes_on(&archive);
    drop(archive);
    lines(&disk);
}

/// Open segments and their records; a tail that the first start cuts off is not there for the second.
fn opened(open: &[OpenSegment]) -> Vec<(String, &[Vec<u8>])> {
    open.iter().map(|segment| (format!("{:?}", segment.id), &segment.records[..])).collect()
}

/// What a walk through the log gives.
#[derive(Debug, PartialEq)]
struct Stored {
    decisions: Vec<Decision>,
    feedback: Vec<Feedback>,
}

impl Stored {
    fn read(archive: &Archive) -> Self {
        let decisions = archive.decisions().collect::<Result<_, _>>().expect("damage was told at start");
        let feedback = archive.feedbacks().collect::<Result<_, _>>().expect("damage was told at start");
        Self { decisions, feedback }
    }

    /// Everything that a walk gives is found by its keys.
    fn answers(&self, archive: &Archive) {
        let counts = archive.stats().counts;
        assert_eq!(counts.decisions, self.decisions.len() as u64);
        assert_eq!(counts.feedback, self.feedback.len() as u64);
        for Decision { decision_id, coil_id, pass_key, .. } in &self.decisions {
            let found = archive.decision(decision_id).expect("it was read").expect("it is there");
            assert_eq!(found.decision_id, *decision_id);
            let found = archive.pass(pass_key).expect("it was read").expect("it is there");
            assert_eq!(found.pass_key, *pass_key);
            assert!(archive.passes_of(coil_id).expect("they were read").contains(pass_key));
            let matrix = archive.matrix(decision_id);
            assert!(matches!(matrix, Ok(_) | Err(Error::Damaged { .. })), "{matrix:?}");
        }
        for word in &self.feedback {
            let Some(about) = &word.about else { continue };
            assert!(archive.feedback_on(about).expect("it was read").contains(word));
        }
        let waiting = archive.outbox(usize::MAX).expect("they were read");
        assert_eq!(archive.outbox_len(usize::MAX).ok(), Some(waiting.len()));
        for one in waiting {
            assert!(match one {
                Waiting::Decision(decision) => self.decisions.contains(&decision),
                Waiting::Feedback(word) => self.feedback.contains(&word),
            });
        }
    }
}

/// New things find their place behind whatever was there.
fn goes_on(archive: &Archive) {
    let new = NewDecision {
        decision_id: "new decision",
        coil_id: "new coil",
        pass_key: "new pass",
        segment: None,
        json: b"{}",
        matrix: Some(b"a matrix"),
    };
    match archive.decide(new) {
        Ok(Decided::Recorded) => {
            let matrix = archive.matrix("new decision").expect("just stored");
            assert_eq!(matrix, Matrix::Kept(b"a matrix".to_vec()));
        }
        Ok(Decided::Known { .. }) => {}
        // Somebody had the idea of that name.
        Err(Error::DecisionIdTaken { .. }) => return,
        Err(error) => panic!("{error}"),
    }
    let found = archive.pass("new pass").expect("it is read").expect("it is there");
    archive.feedback("new word", Some(&found.decision_id), b"{}").expect("there is room");
    archive.receipts(&[&found.decision_id, "new word"]).expect("they are there");
    archive.heartbeat().expect("memory takes bytes");
    let known = Decided::Known { decision_id: found.decision_id, json: found.json };
    assert_eq!(archive.decide(new).ok(), Some(known));
}

/// A line takes up what is open and decides it; the next start finds nothing open, and every decision once.
fn lines(disk: &MemDisk) {
    let (archive, recovery) = open(disk).expect("what was opened opens again");
    let before: Vec<Decision> = Stored::read(&archive).decisions;
    let mut line = match Line::new(Config::default(), archive, &recovery.open, Box::<StandIn>::default()) {
        Ok(line) => line,
        Err(line::Error::Assessment { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let tally = line.tally();
    assert!(tally.adds_up(), "{tally:#?}");
    line.finish().expect("there is room");
    assert_eq!(line.open_coils().count(), 0);
    let mut heard = Heard::default();
    match line.publish(&mut heard) {
        Ok(published) => assert_eq!(published, heard.0.len()),
        // A log that holds something else for a decision: it says which, and goes no further.
        Err(line::Error::Assessment { .. } | line::Error::Feedback { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    line.stop().expect("there is room");

    let (archive, recovery) = open(disk).expect("what was stopped opens again");
    assert_eq!(recovery.open, []);
    let after = Stored::read(&archive).decisions;
    assert!(after.starts_with(&before));
    let new: BTreeSet<&str> = after[before.len()..].iter().map(|d| d.pass_key.as_str()).collect();
    assert_eq!(new.len(), after.len() - before.len(), "a pass is decided twice");
    assert!(before.iter().all(|d| !new.contains(d.pass_key.as_str())), "a pass is decided again");
}

/// A log with a decision, feedback, a receipt; open segments; a marker; and each of them broken.
pub fn seeds() -> Vec<Vec<u8>> {
    image::seeds()
}
