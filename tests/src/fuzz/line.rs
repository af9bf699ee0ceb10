//! A whole stream of messages through the line, with power cuts and waits between them.
//!
//! Bytes are steps of a small grammar: a few coils, a few times, and now and then bytes as they come, so
//! that a fuzzer finds orders of events, not JSON.

mod grammar;

use super::archive::{Heard, open};
use super::judge::StandIn;
use super::mem_disk::MemDisk;
use coilsight_agent::line::{Config, Line, Now};
use coilsight_models::message::inbound::{Inbound, parse};
use coilsight_models::message::{Kind, Topics};
use coilsight_models::tally::{Fate, Reason};
use grammar::Step;
use std::collections::BTreeSet;
use std::time::Duration;

/// Few coils at once, so that one too many is at hand.
fn config() -> Config {
    Config { max_open: 3, ..Config::default() }
}

/// A line on a disk, what it has published, and what it owes.
struct Bench {
    disk: MemDisk,
    /// `None` only while it is being started again.
    line: Option<Line>,
    heard: Heard,
    now: Duration,
    /// Passes by coil and start that were taken up and must get their decision.
    owed: BTreeSet<(String, String)>,
    /// Coils that were open: they must get a decision.
    heard_of: BTreeSet<String>,
}

/// The sums add up after every message; at the end every pass that was taken up has one decision, and
/// nothing is open.
pub fn run(data: &[u8]) {
    let disk = MemDisk::default();
    let line = Some(start(&disk));
    let (heard, now) = (Heard::default(), Duration::ZERO);
    let mut bench = Bench { disk, line, heard, now, owed: BTreeSet::new(), heard_of: BTreeSet::new() };
    for step in grammar::steps(data) {
        match step {
            Step::Say { topic, payload } => bench.say(&topic, &payload),
            Step::Wait(time) => bench.wait(time),
            Step::Publish => bench.publish(),
            Step::Cut => bench.restart(false),
            Step::Stop => bench.restart(true),
        }
    }
    bench.end();
}

fn start(disk: &MemDisk) -> Line {
    let (archive, recovery) = open(disk).expect("what the line writes can be read");
    assert_eq!((recovery.torn_bytes, recovery.gaps), (0, vec![]));
    Line::new(config(), archive, &recovery.open, Box::<StandIn>::default()).expect("its journal can be read")
}

impl Bench {
    fn line(&mut self) -> &mut Line {
        self.line.as_mut().expect("the line runs")
    }

    fn now(&self) -> Now {
        Now { elapsed: self.now, wall: None }
    }

    fn say(&mut self, topic: &str, payload: &[u8]) {
        let now = self.now();
        let before = self.line().tally().messages.received;
        let fate = self.line().take(topic, payload, now).expect("there is room");
        let tally = self.line().tally();
        assert!(tally.adds_up(), "{tally:#?}");
        assert_eq!(tally.messages.received, before + 1);
        assert!(self.line().open_coils().count() <= config().max_open);
        let open: Vec<String> = self.line().open_coils().map(ToString::to_string).collect();
        self.heard_of.extend(open);
        self.note(topic, payload, fate);
    }

    /// A start that was taken up names a pass.
    fn note(&mut self, topic: &str, payload: &[u8], fate: Fate) {
        let late = matches!(fate, Fate::SetAside(Reason::AfterDecision | Reason::Contradicting));
        let kind = Topics::default().kind(topic);
        let Some(kind) = kind.filter(|kind| !late && matches!(kind, Kind::Start | Kind::Matrix)) else {
            return;
        };
        let start = match parse(kind, payload) {
            Ok(Inbound::Start(start)) => start,
            Ok(Inbound::WholeCoil(coil)) => coil.start,
            _ => return assert!(matches!(fate, Fate::SetAside(_)), "{fate:?}"),
        };
        self.owed.insert((start.coil_id.to_string(), start.at.to_string()));
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        let now = self.now();
        self.line().tick(now).expect("there is room");
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

    fn end(&mut self) {
        self.line().finish().expect("there is room");
        assert_eq!(self.line().open_coils().count(), 0);
        let tally = self.line().tally();
        assert!(tally.adds_up() && tally.rows.open == 0, "{tally:#?}");
        self.publish();
        let heard = &self.heard.0;
        let ids: BTreeSet<&str> = heard.iter().map(|a| a.decision_id.as_str()).collect();
        assert_eq!(ids.len(), heard.len(), "a decision twice");
        assert!(heard.iter().all(|a| a.rows.adds_up()));
        for (coil, at) in &self.owed {
            let is_it = |pass: &&_| is(pass, coil, at);
            assert_eq!(heard.iter().filter(is_it).count(), 1, "decisions on {coil} of {at}");
        }
        for coil in &self.heard_of {
            assert!(heard.iter().any(|a| a.coil_id.as_str() == coil), "no decision on {coil}");
        }
        let stored = self.line().archive().decisions().count();
        assert_eq!(stored, self.heard.0.len());
        self.restart(true);
        assert_eq!(self.line().open_coils().count(), 0);
    }
}

/// Whether an assessment is the one on a pass.
fn is(a: &coilsight_models::message::assessment::Assessment, coil: &str, at: &str) -> bool {
    a.coil_id.as_str() == coil && a.pass.is_some_and(|pass| pass.to_string() == at)
}

/// Shifts with a weld, repetitions, a coil coated twice, line stops and cuts.
pub fn seeds() -> Vec<Vec<u8>> {
    grammar::seeds()
}
