//! A line and a record between which anything may get lost.

use super::*;
use crate::archive::sim::{Rng, SimDisk};
use crate::archive::{Limits, NewDecision};
use coilsight_models::coil::{CELLS, CoilId};
use coilsight_models::message::assessment::Assessment;
use coilsight_models::message::upload::{Batch, Matrix, Record, VERSION};
use serde_json::json;

const NAME: &str = "00112233445566778899aabbccddeeff";
const LINE: &str = "gl2";

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A line's archive, filled as wanted.
struct Bench {
    archive: Arc<Archive>,
    model: Assessment,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let (archive, _) = Archive::open_without_views_folder(Arc::new(SimDisk::new()), limits).unwrap();
        let model = Assessment { line: LINE.into(), ..crate::line::tests::assessment() };
        Self { archive: Arc::new(archive), model }
    }

    fn uploader(&self) -> Uploader {
        Uploader::new(Arc::clone(&self.archive), LINE.into(), NAME.into())
    }

    /// Decision `n`, published, and a word on every fourth.
    fn decide(&self, n: usize) {
        let id = format!("{n:032x}");
        let coil_id = CoilId::new(format!("GL2-{n}")).unwrap();
        let assessment = Assessment { decision_id: id.clone(), coil_id, ..self.model.clone() };
        let json = serde_json::to_vec(&assessment).unwrap();
        let matrix = vec![(n % 200) as u8; 4 * CELLS];
        let new = NewDecision {
            decision_id: &id,
            coil_id: assessment.coil_id.as_str(),
            pass_key: &id,
            segment: None,
            json: &json,
            matrix: Some(&matrix),
        };
        self.archive.decide(new).unwrap();
        self.archive.receipts(&[&id]).unwrap();
        if n.is_multiple_of(4) {
            let word = json!({"coil_id": "X", "label": "OK", "operator": "Ada", "at": "2026-01-05T07:00:00Z", "known": true});
            self.archive.feedback(&format!("w{n}"), Some(&id), &serde_json::to_vec(&word).unwrap()).unwrap();
        }
    }

    fn all(&self) -> Vec<String> {
        let followed = self.archive.follow(&mut Mark::default(), u64::MAX).unwrap();
        let id = |one: archive::Followed| match one {
            archive::Followed::Decision(decision) => decision.decision_id,
            archive::Followed::Feedback(word) => word.key,
        };
        followed.into_iter().map(id).collect()
    }
}

/// The record: takes what begins where it stands.
#[derive(Clone, Default)]
struct Plant {
    upto: Place,
    /// Names, in the order in which they came.
    kept: Vec<String>,
    shed: usize,
}

impl Plant {
    fn takes(&mut self, payload: &[u8]) -> Stored {
        let batch = Batch::parse(payload).unwrap();
        assert_eq!((&*batch.line, &*batch.log), (LINE, NAME));
        if batch.after == self.upto {
            self.upto = batch.upto;
            for record in batch.records {
                self.kept.push(match record {
                    Record::Decision { assessment, matrix } => {
                        let n = usize::from_str_radix(&assessment.decision_id, 16).unwrap();
                        match matrix.decode().unwrap() {
                            Some(matrix) => assert_eq!(matrix.to_bytes()[0], (n % 200) as u8),
                            None => self.shed += usize::from(matrix == Matrix::Shed),
                        }
                        assessment.decision_id
                    }
                    Record::Word { key, .. } => key,
                });
            }
        }
        self.says()
    }

    fn says(&self) -> Stored {
        Stored { version: VERSION, line: LINE.into(), log: NAME.into(), upto: self.upto, wait_s: None }
    }
}

fn up() -> Event {
    Event::Up { generation: 1 }
}

/// Lets both talk for some time, without losses.
fn talk(uploader: &mut Uploader, plant: &mut Plant, seconds: std::ops::Range<u64>) -> usize {
    let (mut events, mut batches) = (vec![up()], 0);
    for second in seconds {
        if let Some((_, payload)) = uploader.step(events.drain(..), at(second)).unwrap() {
            batches += 1;
            events.push(Event::Stored(plant.takes(&payload)));
        }
    }
    batches
}

#[test]
fn all_of_the_log_comes_once_and_in_order_and_what_is_new_follows() {
    let bench = Bench::new(Limits::default());
    (0..100).for_each(|n| bench.decide(n));
    let (mut uploader, mut plant) = (bench.uploader(), Plant::default());
    let batches = talk(&mut uploader, &mut plant, 0..60);
    assert_eq!(plant.kept, bench.all());
    assert_eq!((plant.kept.len(), plant.shed), (125, 0));
    assert!((4..=10).contains(&batches), "{batches} batches of at most half a MiB");
    (100..103).for_each(|n| bench.decide(n));
    assert_eq!(talk(&mut uploader, &mut plant, 60..70), 1);
    assert_eq!(plant.kept, bench.all());
    assert_eq!(talk(&mut uploader, &mut plant, 70..90), 0, "nothing new, nothing sent");
}

#[test]
fn batches_and_answers_get_lost_and_lines_restart() {
    for seed in 0..20 {
        let bench = Bench::new(Limits::default());
        let mut rng = Rng(seed);
        let (mut uploader, mut plant) = (bench.uploader(), Plant::default());
        let (mut events, mut n) = (vec![up()], 0);
        for second in 0..3000 {
            if second < 1500 && rng.below(20) == 0 {
                bench.decide(n);
                n += 1;
            }
            match rng.below(60) {
                0 => events.push(Event::Down),
                1..=5 => events.push(up()),
                6 => (uploader, events) = (bench.uploader(), vec![up()]),
                _ => {}
            }
            let Some((_, payload)) = uploader.step(events.drain(..), at(second)).unwrap() else { continue };
            if rng.below(3) > 0 {
                let stored = plant.takes(&payload);
                // An answer comes, is lost, or comes twice.
                (0..rng.below(3)).for_each(|_| events.push(Event::Stored(stored.clone())));
            }
        }
        talk(&mut uploader, &mut plant, 3000..4000);
        assert_eq!(plant.kept, bench.all(), "seed {seed}");
    }
}

#[test]
fn a_record_from_a_backup_is_sent_what_it_lost() {
    let bench = Bench::new(Limits::default());
    (0..100).for_each(|n| bench.decide(n));
    let (mut uploader, mut plant) = (bench.uploader(), Plant::default());
    talk(&mut uploader, &mut plant, 0..2);
    let backup = plant.clone();
    assert!((1..100).contains(&backup.kept.len()));
    talk(&mut uploader, &mut plant, 2..60);
    plant = backup;
    bench.decide(100);
    talk(&mut uploader, &mut plant, 60..120);
    assert_eq!(plant.kept, bench.all());
}

#[test]
fn a_place_that_the_log_does_not_have_begins_it_anew() {
    let bench = Bench::new(Limits::default());
    bench.decide(0);
    let mut uploader = bench.uploader();
    let (_, first) = uploader.step([up()], at(0)).unwrap().expect("a batch");
    let beyond = Stored { upto: Place { file: 9, offset: 9 }, ..Plant::default().says() };
    assert_eq!(uploader.step([Event::Stored(beyond)], at(0)).unwrap(), None, "not at once");
    let (_, again) = uploader.step([], at(2)).unwrap().expect("a batch");
    assert_eq!(first, again);
    // Another line's, and another log's: not heard.
    for stored in [
        Stored { line: "gl3".into(), ..Plant::default().says() },
        Stored { log: "other".into(), upto: Place { file: 1, offset: 1 }, ..Plant::default().says() },
    ] {
        assert_eq!(uploader.step([Event::Stored(stored)], at(3)).unwrap(), None);
    }
}

#[test]
fn without_an_answer_waits_grow_and_somebody_is_told() {
    let bench = Bench::new(Limits::default());
    bench.decide(0);
    let mut uploader = bench.uploader();
    let mut sent = Vec::new();
    let mut events = vec![up()];
    for second in 0..4000 {
        if uploader.step(events.drain(..), at(second)).unwrap().is_some() {
            sent.push(second);
        }
        assert_eq!(uploader.is_unanswered(at(second)), second >= SILENT.as_secs());
    }
    assert_eq!(sent[..6], [0, 15, 45, 105, 225, 465]);
    assert!(sent.windows(2).all(|pair| pair[1] - pair[0] <= LONGEST.as_secs()));
    // The record is back, and says where it stands.
    assert_eq!(uploader.step([Event::Stored(Plant::default().says())], at(3998)).unwrap(), None);
    assert!(uploader.step([], at(3999)).unwrap().is_some());
    // A new connection, and it is sent at once; the record is short of something, and is obeyed, to a degree.
    assert!(uploader.step([up()], at(4000)).unwrap().is_some());
    let busy = Stored { wait_s: Some(100), ..Plant::default().says() };
    assert_eq!(uploader.step([Event::Stored(busy)], at(4001)).unwrap(), None);
    assert!(!uploader.is_unanswered(at(4001)));
    assert_eq!(uploader.step([], at(4100)).unwrap(), None);
    assert!(uploader.step([], at(4101)).unwrap().is_some());
}

#[test]
fn matrices_are_shed_first_and_decisions_never() {
    let limits = Limits {
        cap: 1 << 20,
        reserve: 400 << 10,
        reserve_file: 0,
        coils_file: 100 << 10,
        log_file: 1 << 20,
        ..Limits::default()
    };
    let bench = Bench::new(limits);
    (0..60).for_each(|n| bench.decide(n));
    let (mut uploader, mut plant) = (bench.uploader(), Plant::default());
    talk(&mut uploader, &mut plant, 0..60);
    assert_eq!(plant.kept, bench.all());
    assert!((20..60).contains(&plant.shed), "{} of 60 matrices shed", plant.shed);
}

#[test]
fn the_logs_name_is_drawn_once() {
    let disk = SimDisk::new();
    let drawn = name(&disk, || [7; 16]).unwrap();
    assert_eq!(drawn, "07".repeat(16));
    assert_eq!(name(&disk, || [8; 16]).unwrap(), drawn);
    let cut = disk.after_cut(&mut Rng(1));
    assert_eq!(name(&cut, || [8; 16]).unwrap(), drawn, "it was durable");
    disk.spoil("log-name", |bytes| bytes.truncate(3));
    assert_eq!(name(&disk, || [8; 16]).unwrap(), "08".repeat(16));
}
