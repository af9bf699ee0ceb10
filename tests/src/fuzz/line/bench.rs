//! A line on a disk in memory, what it has published, and what it owes.

use super::super::archive::{Heard, open};
use super::super::judge::StandIn;
use super::super::mem_disk::MemDisk;
use super::grammar::Step;
use coilsight_agent::line::{Config, Line, Now, PassKey};
use coilsight_models::message::assessment::Assessment;
use coilsight_models::message::inbound::{Inbound, Start, parse};
use coilsight_models::message::{Kind, Topics};
use coilsight_models::tally::{Fate, Reason};
use std::collections::BTreeSet;
use std::time::Duration;

pub struct Bench {
    disk: MemDisk,
    /// `None` only while it is being started again.
    line: Option<Line>,
    heard: Heard,
    now: Duration,
    /// Passes by coil and start that were taken up and must get their decision.
    owed: BTreeSet<(String, String)>,
    /// Coils that were open: they must get a decision.
    heard_of: BTreeSet<String>,
    /// As many coils have been open as may be.
    pub was_full: bool,
}

/// Few coils at once, so that one too many is at hand.
fn config() -> Config {
    Config { max_open: 3, ..Config::default() }
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
        let (heard, now) = (Heard::default(), Duration::ZERO);
        Self { disk, line, heard, now, owed: BTreeSet::new(), heard_of: BTreeSet::new(), was_full: false }
    }

    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Say { topic, payload, rows } => self.say(topic, payload, *rows),
            Step::Wait(time) => {
                self.now += *time;
                let now = self.now();
                self.line().tick(now).expect("there is room");
            }
            Step::Publish => self.publish(),
            Step::Cut => self.restart(false),
            Step::Stop => self.restart(true),
        }
    }

    fn line(&mut self) -> &mut Line {
        self.line.as_mut().expect("the line runs")
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
        let fate = self.line().take(topic, payload, now).expect("there is room");
        let tally = self.line().tally();
        assert!(tally.adds_up(), "{tally:#?}");
        assert_eq!(tally.messages.received, before.messages.received + 1);
        if let Some(rows) = rows.filter(|_| fate != Fate::SetAside(Reason::BadCoilId)) {
            assert_eq!(tally.rows.received, before.rows.received + rows, "rows are lost or counted twice");
        }
        assert!(!decided || fate == Fate::Duplicate, "a decided pass begins again: {fate:?}");

        let open: Vec<String> = self.line().open_coils().map(ToString::to_string).collect();
        assert!(open.len() <= config().max_open);
        self.was_full |= open.len() == config().max_open;
        self.heard_of.extend(open);
        // A start that was taken up names a pass.
        let late = matches!(fate, Fate::SetAside(Reason::AfterDecision | Reason::Contradicting));
        if let Some(start) = start.filter(|_| !late) {
            self.owed.insert((start.coil_id.to_string(), start.at.to_string()));
        }
    }

    fn publish(&mut self) {
        self.line().commit().expect("memory syncs");
        let mut heard = Heard::default();
        self.line().publish(&mut heard).expect("what was decided is an assessment");
        self.heard.0.append(&mut heard.0);
    }

    /// Stops in good order or drops dead, and starts on what the disk holds: what was open is open still.
    fn restart(&mut self, in_order: bool) {
        let line = self.line.take().expect("the line runs");
        let open: Vec<String> = line.open_coils().map(ToString::to_string).collect();
        if in_order {
            line.stop().expect("memory syncs");
        } else {
            drop(line);
        }
        self.now = Duration::ZERO;
        self.line = Some(start(&self.disk));
        let found: Vec<String> = self.line().open_coils().map(ToString::to_string).collect();
        assert_eq!(found, open, "a start finds other coils open");
    }

    /// Closes what is open and gives every decision that was told.
    pub fn end(mut self) -> Vec<Assessment> {
        self.line().finish().expect("there is room");
        assert_eq!(self.line().open_coils().count(), 0);
        let tally = self.line().tally();
        assert!(tally.adds_up() && tally.rows.open == 0, "{tally:#?}");
        assert_eq!(self.line().archive().stats().open, 0, "rows of decided coils stay on the disk");
        self.publish();
        let told = std::mem::take(&mut self.heard.0);
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
        told
    }
}
