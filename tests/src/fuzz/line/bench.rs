//! A line on a disk in memory, what it has published, and what it owes.

use super::super::archive::open;
use super::super::judge::StandIn;
use super::super::mem_disk::MemDisk;
use super::grammar::Step;
use coilsight_agent::archive::Disk;
use coilsight_agent::line::{Config, Error, Line, Now, Outgoing, PassKey};
use coilsight_models::message::assessment::Assessment;
use coilsight_models::message::disposition::Disposition;
use coilsight_models::message::inbound::{Inbound, Start, parse};
use coilsight_models::message::{Kind, Topics};
use coilsight_models::tally::{Fate, Reason};
use std::collections::BTreeSet;
use std::time::Duration;

pub struct Bench {
    disk: MemDisk,
    /// `None` only while it is being started again.
    line: Option<Line>,
    told: Vec<Assessment>,
    now: Duration,
    /// Passes by coil and start that were taken up and must get their decision.
    owed: BTreeSet<(String, String)>,
    /// Coils that were open: they must get a decision.
    heard_of: BTreeSet<String>,
    /// Words that must each become a disposition, and those that did.
    words: u64,
    dispositions: Vec<Disposition>,
    /// Open coils of which a start was heard.
    started: BTreeSet<String>,
    /// Coils on which a word was said while they were open without a start: such a pass gets another name
    /// if its start comes after all, and the word stays with the first.
    named_late: BTreeSet<String>,
    /// The disk has been full.
    was_full: bool,
    /// Payloads that could not be read.
    garbage: BTreeSet<Vec<u8>>,
    /// What a restart forgets has come to matter: which coil was heard of last when one was closed for want
    /// of room, that rows are a repetition while a later pass of their coil is open, that garbage came before.
    pub forgetful: bool,
}

/// Few coils at once, so that one too many is at hand.
fn config() -> Config {
    Config { max_open: 3, max_open_rows: 1000, ..Config::default() }
}

fn start(disk: &MemDisk) -> Line {
    let (archive, recovery) = open(disk).expect("what the line writes can be read");
    assert_eq!((recovery.torn_bytes, recovery.gaps), (0, vec![]));
    Line::new(config(), archive, &recovery.open, Box::<StandIn>::default()).expect("its journal can be read")
}

/// The start that a message says or holds.
fn start_in(topic: &str, payload: &[u8]) -> Option<Start> {
    let kind = Topics::default().kind(topic).filter(|kind| matches!(kind, Kind::Start | Kind::Matrix))?;
    match parse(kind, payload) {
        Ok(Inbound::Start(start)) => Some(start),
        Ok(Inbound::WholeCoil(coil)) => Some(coil.start),
        _ => None,
    }
}

impl Bench {
    pub fn new() -> Self {
        let disk = MemDisk::default();
        let line = Some(start(&disk));
        Self {
            disk,
            line,
            told: Vec::new(),
            now: Duration::ZERO,
            owed: BTreeSet::new(),
            heard_of: BTreeSet::new(),
            words: 0,
            dispositions: Vec::new(),
            started: BTreeSet::new(),
            named_late: BTreeSet::new(),
            was_full: false,
            garbage: BTreeSet::new(),
            forgetful: false,
        }
    }

    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Say { topic, payload, rows } => self.say(topic, payload, *rows),
            Step::Wait(time) => {
                self.now += *time;
                let now = self.now();
                self.with_room(|line| line.tick(now));
            }
            Step::Full(room) => {
                self.was_full = true;
                self.disk.set_room(*room);
            }
            Step::Publish => self.publish(),
            Step::Cut => self.restart(false),
            Step::Stop => self.restart(true),
        }
    }

    fn line(&mut self) -> &mut Line {
        self.line.as_mut().expect("the line runs")
    }

    /// What is refused for want of room has not happened, and happens once there is some.
    fn with_room<T>(&mut self, work: impl Fn(&mut Line) -> Result<T, Error>) -> T {
        let before = self.line().tally().messages;
        match work(self.line()) {
            Err(error) if error.is_full() => {
                assert_eq!(self.line().tally().messages, before, "counted, and refused");
                assert!(self.line().tally().adds_up());
                self.disk.set_room(usize::MAX);
                work(self.line()).expect("there is room again")
            }
            done => done.expect("memory does what it is asked"),
        }
    }

    fn now(&self) -> Now {
        Now { elapsed: self.now, wall: None }
    }

    fn say(&mut self, topic: &str, payload: &[u8], rows: Option<u64>) {
        let now = self.now();
        let start = start_in(topic, payload);
        let key = start.as_ref().map(|start| PassKey::Started(start.coil_id.clone(), start.at).to_string());
        let archive = self.line().archive();
        let decided = key.is_some_and(|key| archive.pass(&key).expect("it is read").is_some());

        let before = self.line().tally();
        let fate = self.with_room(|line| line.take(topic, payload, now));
        let tally = self.line().tally();
        assert!(tally.adds_up(), "{tally:#?}");
        assert_eq!(tally.messages.received, before.messages.received + 1);
        if let Some(rows) = rows.filter(|_| fate != Fate::SetAside(Reason::BadCoilId)) {
            assert_eq!(tally.rows.received, before.rows.received + rows, "rows are lost or counted twice");
        }
        assert_ne!(fate, Fate::SetAside(Reason::Poisonous), "{}", String::from_utf8_lossy(payload));
        let is_garbage = rows.is_none() && Topics::default().kind(topic) == Some(Kind::Gauge);
        self.forgetful |= is_garbage && !self.garbage.insert(payload.to_vec());
        assert!(!decided || fate == Fate::Duplicate, "a decided pass begins again: {fate:?}");
        let is_open =
            |start: &Start| self.line.iter().flat_map(Line::open_coils).any(|id| *id == start.coil_id);
        self.forgetful |= decided && start.as_ref().is_some_and(is_open);

        let open: Vec<String> = self.line().open_coils().map(ToString::to_string).collect();
        let segments = self.disk.list("open").expect("a folder");
        assert_eq!(segments.len(), open.len(), "{open:?} in {segments:?}");
        assert!(open.len() <= config().max_open);
        self.forgetful |= self.line().closed_early() > 0;
        if fate == Fate::Used && Topics::default().kind(topic) == Some(Kind::Feedback) {
            self.words += 1;
            let unnamed = open.iter().filter(|coil| !self.started.contains(*coil));
            self.named_late.extend(unnamed.cloned());
        }
        if fate == Fate::Used {
            self.started.extend(start.iter().map(|start| start.coil_id.to_string()));
        }
        self.started.retain(|coil| open.contains(coil));
        self.heard_of.extend(open);
        // A start that was taken up names a pass.
        let late = matches!(fate, Fate::SetAside(Reason::AfterDecision | Reason::Contradicting));
        if let Some(start) = start.filter(|_| !late) {
            self.owed.insert((start.coil_id.to_string(), start.at.to_string()));
        }
    }

    fn publish(&mut self) {
        self.with_room(Line::commit);
        self.with_room(Line::prove);
        loop {
            let waiting = self.line().outbox(5).expect("what waits can be read");
            let ids: Vec<&str> = waiting.iter().map(|(id, _)| id.as_str()).collect();
            self.with_room(|line| line.taken(&ids));
            if ids.is_empty() {
                return;
            }
            for (_, outgoing) in waiting {
                match outgoing {
                    Outgoing::Assessment(assessment) => self.told.push(*assessment),
                    Outgoing::Disposition(disposition) => self.dispositions.push(*disposition),
                }
            }
        }
    }

    /// Stops in good order or drops dead, and starts on what the disk holds: what was open is open still.
    fn restart(&mut self, in_order: bool) {
        let line = self.line.take().expect("the line runs");
        let open: Vec<String> = line.open_coils().map(ToString::to_string).collect();
        // A start on a full disk is another matter.
        self.disk.set_room(usize::MAX);
        if in_order {
            line.stop().expect("memory syncs");
        } else {
            drop(line);
        }
        self.now = Duration::ZERO;
        self.line = Some(start(&self.disk));
        let found: Vec<String> = self.line().open_coils().map(ToString::to_string).collect();
        // But for those that lacked nothing but room on the disk: the start closes them.
        assert!(found.iter().all(|coil| open.contains(coil)), "a start finds other coils open");
        assert!(self.was_full || found == open, "a start finds {found:?} open, and {open:?} were");
    }

    /// Closes what is open and gives every decision that was told.
    pub fn end(mut self) -> Vec<Assessment> {
        self.with_room(Line::finish);
        assert_eq!(self.line().open_coils().count(), 0);
        let tally = self.line().tally();
        assert!(tally.adds_up() && tally.rows.open == 0, "{tally:#?}");
        assert_eq!(self.line().archive().stats().open, 0, "rows of decided coils stay on the disk");
        self.publish();
        let told = std::mem::take(&mut self.told);
        let ids: BTreeSet<&str> = told.iter().map(|a| a.decision_id.as_str()).collect();
        assert_eq!(ids.len(), told.len(), "a decision twice");
        assert_eq!(self.line().archive().decisions().count(), told.len());
        assert!(told.iter().all(|a| a.rows.adds_up()));
        for (coil, at) in &self.owed {
            let is_it = |a: &&Assessment| {
                a.coil_id.as_str() == coil && a.pass.is_some_and(|pass| pass.to_string() == *at)
            };
            assert_eq!(told.iter().filter(is_it).count(), 1, "decisions on {coil} of {at}");
        }
        for coil in &self.heard_of {
            assert!(told.iter().any(|a| a.coil_id.as_str() == coil), "no decision on {coil}");
        }
        self.restart(true);
        assert_eq!(self.line().open_coils().count(), 0);
        self.words_are_dispositions(&ids);
        told
    }

    /// Every word on a coil is told once, about a decision that there is.
    fn words_are_dispositions(&self, decisions: &BTreeSet<&str>) {
        let ids: BTreeSet<&str> = self.dispositions.iter().map(|d| d.disposition_id.as_str()).collect();
        assert_eq!((ids.len(), ids.len() as u64), (self.dispositions.len(), self.words));
        let settled = |d: &&Disposition| !self.named_late.contains(d.coil_id.as_str());
        for disposition in self.dispositions.iter().filter(settled) {
            assert!(decisions.contains(disposition.decision_id.as_str()), "on no decision: {disposition:?}");
        }
    }
}
