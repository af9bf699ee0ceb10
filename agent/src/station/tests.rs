//! The line at work, with a test as its broker, its disk and its time.

mod outgoing;
mod trouble;

use super::*;
use crate::archive::sim::SimDisk;
use crate::archive::{Archive, Limits};
use crate::broker::Delivery;
use crate::line::Config;
use crate::line::tests::{ThinSpotJudge, end, rows, start};
use coilsight_models::message::assessment::Assessment;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A station, and the broker that a test plays.
struct Bench {
    station: Station,
    disk: SimDisk,
    folder: Arc<tempfile::TempDir>,
    now: Duration,
    wall: Option<Timestamp>,
    generation: u64,
    packet: u16,
    acknowledged: Vec<u16>,
    published: Vec<Publication>,
    hung_up: Vec<u64>,
    confirmed: BTreeSet<u64>,
}

fn open(disk: &SimDisk, folder: &tempfile::TempDir, limits: Limits) -> Station {
    let (archive, recovery) = Archive::open_without_views_folder(Arc::new(disk.clone()), limits).unwrap();
    let line =
        Line::new(Config::default(), archive, &recovery.open, Box::new(ThinSpotJudge::default())).unwrap();
    Station::new(line, Sessions::open(folder.path().join("sessions.json"), "broker:1883", "c"), true)
}

fn limits() -> Limits {
    Limits { reserve_file: 4096, ..Limits::default() }
}

impl Bench {
    fn new() -> Self {
        Self::with(limits())
    }

    fn with(limits: Limits) -> Self {
        let (disk, folder) = (SimDisk::new(), Arc::new(tempfile::tempdir().unwrap()));
        let station = open(&disk, &folder, limits);
        Self {
            station,
            disk,
            folder,
            now: Duration::ZERO,
            wall: "2026-01-05T10:00:00Z".parse().ok(),
            generation: 0,
            packet: 0,
            acknowledged: Vec::new(),
            published: Vec::new(),
            hung_up: Vec::new(),
            confirmed: BTreeSet::new(),
        }
    }

    /// The process dies and another begins.
    fn restart(self) -> Self {
        let Self { station, disk, folder, .. } = self;
        drop(station);
        let station = open(&disk, &folder, limits());
        let fresh = Self::new();
        Self { station, disk, folder, generation: 100, ..fresh }
    }

    fn step(&mut self, events: Vec<Event>, waited: u64) {
        let waited = Duration::from_secs(waited);
        self.now += waited;
        let time = Time { since_start: self.now, waited, wall: self.wall };
        for act in self.station.step(events, time).unwrap() {
            match act {
                Act::Acknowledge { generation, packet, .. } => {
                    assert_eq!(generation, self.generation, "an acknowledgement of another connection");
                    self.acknowledged.push(packet);
                }
                Act::HangUp { generation, .. } => self.hung_up.push(generation),
                Act::Publish { generation, publication } => {
                    assert_eq!(generation, self.generation);
                    self.published.push(publication);
                }
            }
        }
    }

    fn up(&mut self, known: bool) {
        self.generation += 1;
        let generation = self.generation;
        let up = [Role::Line, Role::Words].map(|role| Event::Up { role, generation, known });
        self.step(up.to_vec(), 0);
    }

    fn down(&mut self) {
        let why = Trouble { topic: Subject::Broker, text: "gone".into(), to_do: "wait".into(), why: None };
        let down = [Role::Line, Role::Words].map(|role| Event::Down { role, why: why.clone() });
        self.step(down.to_vec(), 0);
    }

    fn delivery(&mut self, role: Role, topic: &str, payload: &Value) -> Event {
        self.packet += 1;
        Event::Delivered(Delivery {
            role,
            generation: self.generation,
            packet: self.packet,
            topic: format!("plant/gl2/{topic}"),
            payload: payload.to_string().into_bytes().into(),
        })
    }

    fn say(&mut self, topic: &str, payload: &Value) {
        let role = if topic == "feedback" { Role::Words } else { Role::Line };
        let event = self.delivery(role, topic, payload);
        self.step(vec![event], 0);
    }

    /// A whole coil of 70 m, with a thin spot or without.
    fn coil(&mut self, id: &str, at: &str, thin: bool) {
        self.say("coil/start", &start(id, at));
        self.say("gauge", &rows(id, 0, 40, 70.0));
        self.say("gauge", &rows(id, 40, 70, if thin { 40.0 } else { 70.0 }));
        self.say("coil/end", &end(id, 70.0));
    }

    /// The broker takes everything that was published and not yet taken.
    fn confirm(&mut self) {
        loop {
            let generation = self.generation;
            let taken: Vec<u64> =
                self.published.iter().map(|p| p.token).filter(|t| !self.confirmed.contains(t)).collect();
            if taken.is_empty() {
                return;
            }
            self.confirmed.extend(&taken);
            let events = taken.into_iter().map(|token| Event::Confirmed { generation, token }).collect();
            self.step(events, 0);
        }
    }

    fn on(&self, topic: &str) -> Vec<Value> {
        let topic = format!("plant/gl2/{topic}");
        let on = self.published.iter().filter(|p| p.topic == topic);
        on.map(|p| serde_json::from_slice(&p.payload).unwrap()).collect()
    }

    fn waiting(&self) -> usize {
        self.station.line().archive().outbox_len(1000).unwrap()
    }
}

const SIX: &str = "2026-01-05T06:00:00Z";

#[test]
fn what_is_stored_is_acknowledged_in_order() {
    let mut bench = Bench::new();
    bench.up(false);
    let events: Vec<_> =
        [("coil/start", start("X", SIX)), ("gauge", rows("X", 0, 40, 70.0)), ("gauge", json!("no rows"))]
            .iter()
            .map(|(topic, payload)| bench.delivery(Role::Line, topic, payload))
            .collect();
    let before = bench.disk.ops();
    bench.step(events, 0);
    assert_eq!(bench.acknowledged, [1, 2, 3], "what is set aside is acknowledged too");
    assert!(bench.disk.ops() > before);
    assert_eq!(bench.station.line().tally().messages.set_aside.values().sum::<u64>(), 1);
}

#[test]
fn what_is_not_stored_is_not_acknowledged() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.say("coil/start", &start("X", SIX));
    bench.disk.fail(crate::archive::sim::Fault::Sync("open/"));
    let event = bench.delivery(Role::Line, "gauge", &rows("X", 0, 40, 70.0));
    let time = Time { since_start: bench.now, waited: Duration::ZERO, wall: None };
    assert!(
        bench.station.step([event], time).is_err(),
        "the process ends, and a new one reads the disk again"
    );
}

#[test]
fn deliveries_of_an_earlier_connection_die_with_it() {
    let mut bench = Bench::new();
    bench.up(false);
    let late = bench.delivery(Role::Line, "coil/start", &start("X", SIX));
    bench.down();
    bench.up(true);
    bench.step(vec![late], 0);
    assert_eq!(bench.acknowledged, [0u16; 0]);
    assert_eq!(bench.station.line().open_coils().count(), 0);
}

#[test]
fn words_wait_for_the_rows_before_them() {
    let mut bench = Bench::new();
    bench.up(false);
    let word = json!({"coil_id": "X", "label": "OK", "operator": "op", "at": SIX});
    let events = vec![
        bench.delivery(Role::Words, "feedback", &word),
        bench.delivery(Role::Line, "coil/start", &start("X", SIX)),
    ];
    bench.step(events, 0);
    assert_eq!(bench.acknowledged, [2, 1], "so the coil is known when the word is heard");
    assert_eq!(bench.on("disposition").len(), 1);
}

#[test]
fn the_lines_time_stands_still_while_the_broker_is_away() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.say("coil/start", &start("X", SIX));
    bench.say("coil/start", &start("Y", "2026-01-05T07:00:00Z"));
    bench.say("gauge", &rows("Y", 0, 40, 70.0));
    bench.down();
    (0..4000).for_each(|_| bench.step(vec![], 1));
    bench.up(true);
    assert_eq!(bench.on("assessment").len(), 0);
    (0..1801).for_each(|_| bench.step(vec![], 1));
    assert_eq!(bench.on("assessment").len(), 1, "half an hour of listening");
}

#[test]
fn this_machines_clock_changes_no_decision() {
    let clocks: [fn(usize) -> Option<&'static str>; 4] = [
        |_| Some("2026-01-05T10:00:00Z"),
        |_| None,
        |_| Some("1970-01-01T00:00:07Z"),
        |i| Some(if i % 2 == 0 { "2031-01-05T10:00:00Z" } else { "2001-01-05T10:00:00Z" }),
    ];
    let told = clocks.map(|clock| {
        let mut bench = Bench::new();
        bench.up(false);
        let no_start = [("gauge", rows("X", 0, 70, 70.0)), ("coil/end", end("X", 70.0))];
        // The start of X comes after X was decided without it; then X again, later.
        let late = [("coil/start", start("X", SIX)), ("gauge", rows("X", 0, 70, 70.0))];
        let again = [
            ("coil/start", start("X", "2026-01-05T12:00:00Z")),
            ("gauge", rows("X", 0, 70, 40.0)),
            ("coil/end", json!({"coil_id": "X", "at": "2026-01-05T12:10:00Z", "length_m": 70.0})),
            ("coil/start", start("Y", SIX)),
            ("coil/start", start("Z", SIX)),
            ("gauge", rows("Z", 0, 70, 40.0)),
        ];
        for (i, (topic, payload)) in no_start.iter().chain(&late).chain(&again).enumerate() {
            bench.wall = clock(i).and_then(|at| at.parse().ok());
            bench.say(topic, payload);
        }
        (0..1801).for_each(|_| bench.step(vec![], 1));
        bench.confirm();
        let mut decisions = bench.on("assessment");
        for decision in &mut decisions {
            decision["timing"] = Value::Null;
        }
        decisions
    });
    assert_eq!(told[0].len(), 3, "X without a start, X again, and Y of which nothing came");
    for told_by in &told {
        assert_eq!(*told_by, told[0]);
    }
}
