//! The line over a disk that loses power: what was committed is there, and no pass is decided twice.
//!
//! A short shift is cut at many of its disk operations. Whoever sends the messages keeps what was not
//! acknowledged and sends it again, at times with what went before; in the end every pass must have the
//! decision, the score and the matrix of the shift that was never cut.

use super::*;
use crate::archive::Matrix;
use crate::archive::sim::{Rng, SimDisk};
use coilsight_models::verdict::Verdict;
use std::collections::BTreeMap;

/// Messages between two commits: what a cut may take back.
const COMMIT_EVERY: usize = 4;

/// A decision without what may differ from run to run: times and the count of repeats.
type Told = (String, Verdict, Option<f64>, Option<f64>, Matrix);

/// Four coils and a matrix: a weld where two interleave, a thin spot, rows in disorder and after the end,
/// a start and an end that never come, an id used again, an inspector's word.
fn shift() -> Vec<(String, Vec<u8>)> {
    let mut messages = Vec::new();
    let mut say = |topic: &str, message: &serde_json::Value| {
        messages.push((format!("plant/gl2/{topic}"), message.to_string().into_bytes()));
    };
    say("coil/start", &start("A", SIX));
    say("gauge", &rows("A", 0, 40, 70.0));
    say("gauge", &rows("A", 60, 80, 71.0));
    say("gauge", &rows("A", 40, 60, 72.0));
    say("coil/start", &start("B", "2026-01-05T06:10:00Z"));
    say("gauge", &rows("B", 0, 30, 70.0));
    say("gauge", &rows("A", 80, 100, 70.0));
    say("coil/end", &end("A", 100.0));
    say("gauge", &rows("B", 30, 35, 40.0));
    say("gauge", &rows("B", 60, 80, 69.0));
    say("coil/end", &end("B", 80.0));
    say("gauge", &rows("B", 35, 60, 70.0));
    say("feedback", &json!({"coil_id": "A", "label": "NOK", "operator": "op-1", "at": SEVEN}));
    // No start; and one whose end never comes.
    say("gauge", &rows("C", 0, 70, 70.0));
    say("coil/end", &end("C", 70.0));
    say("coil/start", &start("D", "2026-01-05T06:30:00Z"));
    say("gauge", &rows("D", 0, 66, 68.0));
    let mut whole = start("E", "2026-01-05T06:40:00Z");
    whole["length_m"] = json!(900.0);
    whole["mean"] = json!(vec![vec![70.0; 18]; 264]);
    whole["std"] = json!(vec![vec![1.5; 18]; 264]);
    say("coil/matrix", &whole);
    say("coil/start", &start("A", "2026-01-05T08:00:00Z"));
    say("gauge", &rows("A", 0, 66, 70.5));
    say("coil/end", &json!({"coil_id": "A", "at": "2026-01-05T08:10:00Z", "length_m": 66.0}));
    messages
}

/// Who sends, and what has been heard of the decisions.
struct Plant {
    messages: Vec<(String, Vec<u8>)>,
    /// Messages before this one are acknowledged.
    acknowledged: usize,
    heard: Heard,
}

impl Plant {
    fn new() -> Self {
        Self { messages: shift(), acknowledged: 0, heard: Heard::default() }
    }

    /// Sends from `from` on until the shift is over or the power gone; says whether it is over.
    fn run(&mut self, disk: &SimDisk, from: usize) -> bool {
        let limits = Limits { reserve_file: 4096, ..Limits::default() };
        let Ok((archive, recovery)) = Archive::open_without_views_folder(Arc::new(disk.clone()), limits)
        else {
            return false;
        };
        assert_eq!(recovery.gaps, [], "a power cut is no damage");
        let judge = Box::new(ThinSpotJudge::default());
        let Ok(mut line) = Line::new(Config::default(), archive, &recovery.open, judge) else { return false };
        for i in from..self.messages.len() {
            let (topic, payload) = &self.messages[i];
            let now = Now { elapsed: Duration::from_millis(i as u64), wall: None };
            let taken = line.take(topic, payload, now).and_then(|_| line.publish(&mut self.heard));
            if taken.is_err() {
                return false;
            }
            if (i + 1) % COMMIT_EVERY == 0 {
                if line.commit().is_err() {
                    return false;
                }
                self.acknowledged = self.acknowledged.max(i + 1);
            }
        }
        let done = line.finish().and_then(|()| line.publish(&mut self.heard));
        let tally = line.tally();
        assert!(tally.adds_up(), "{tally:#?}");
        assert_eq!(tally.messages.received as usize, self.messages.len() - from);
        done.and_then(|_| line.stop()).is_ok()
    }
}

/// Every decision on the disk.
fn told(disk: &SimDisk) -> BTreeMap<String, Told> {
    let (archive, _) = Archive::open_without_views_folder(Arc::new(disk.clone()), Limits::default()).unwrap();
    let mut told = BTreeMap::new();
    for decision in archive.decisions() {
        let decision = decision.unwrap();
        let a: Assessment = serde_json::from_slice(&decision.json).unwrap();
        let matrix = archive.matrix(&decision.decision_id).unwrap();
        let one = (decision.pass_key, a.verdict, a.p_nok, a.length_m, matrix);
        assert_eq!(told.insert(decision.decision_id, one), None, "a decision is there twice");
    }
    archive.close().unwrap();
    told
}

fn uncut() -> (BTreeMap<String, Told>, u64) {
    let disk = SimDisk::new();
    let mut plant = Plant::new();
    assert!(plant.run(&disk, 0));
    let ops = disk.ops();
    let told = told(&disk);
    let verdict = |key: &str| told.values().find(|t| t.0.starts_with(key)).map(|t| t.1);
    assert_eq!(told.len(), 6);
    assert_eq!(verdict("A@2026-01-05T06"), Some(Verdict::Ok));
    assert_eq!(verdict("A@2026-01-05T08"), Some(Verdict::Ok));
    assert_eq!(verdict("B@"), Some(Verdict::Nok));
    assert_eq!(verdict("C@unheard-0"), Some(Verdict::Review));
    assert_eq!(verdict("D@"), Some(Verdict::Review));
    assert_eq!(verdict("E@"), Some(Verdict::Ok));
    (told, ops)
}

/// The shift, with the power going at disk operation `first` and, in some lives, again and again.
fn cut(expected: &BTreeMap<String, Told>, first: u64, rng: &mut Rng) {
    let mut disk = SimDisk::new();
    let mut plant = Plant::new();
    let mut from = 0;
    for life in 0.. {
        if life == 0 {
            disk.cut_after(first);
        } else if life < 4 && rng.below(3) == 0 {
            disk.cut_after(1 + rng.below(120) as u64);
        }
        if plant.run(&disk, from) {
            break;
        }
        disk = disk.after_cut(rng);
        // What was not acknowledged comes again, at times with some of what went before it.
        let again = if rng.coin() { rng.below(6) } else { 0 };
        from = plant.acknowledged.saturating_sub(again);
    }
    // The power may go during or after the orderly stop as well.
    let told = told(&disk.after_cut(rng));
    for (id, one) in expected {
        assert_eq!(told.get(id).map(|t| (&t.0, t.1, t.2, t.3)), Some((&one.0, one.1, one.2, one.3)));
        assert!(told[id].4 == one.4, "{}: another matrix", one.0);
    }
    assert_eq!(told.len(), expected.len());
    for assessment in &plant.heard.0 {
        let kept = &told[&assessment.decision_id];
        assert_eq!((assessment.verdict, assessment.p_nok), (kept.1, kept.2), "published otherwise before");
    }
    let heard = |id: &String| plant.heard.0.iter().any(|a| a.decision_id == *id);
    assert!(expected.keys().all(heard), "a decision was never published");
}

#[test]
fn every_pass_is_decided_once_and_as_ever_wherever_the_power_goes() {
    let (expected, ops) = uncut();
    assert!(ops > 60, "{ops} operations: too few to be worth it");
    for first in 1..=ops {
        for outcome in 0..6 {
            let seed = first << 8 | outcome;
            let run = std::panic::AssertUnwindSafe(|| cut(&expected, first, &mut Rng(seed)));
            let done = std::panic::catch_unwind(run);
            assert!(done.is_ok(), "cut at operation {first}, outcome {outcome}: see above");
        }
    }
}

#[test]
fn the_whole_shift_again_changes_nothing() {
    let (expected, _) = uncut();
    let disk = SimDisk::new();
    let mut plant = Plant::new();
    assert!(plant.run(&disk, 0));
    let published = plant.heard.0.len();
    assert!(plant.run(&disk, 0));
    assert_eq!(told(&disk), expected);
    assert_eq!(plant.heard.0.len(), published, "nothing is published again");
}

#[test]
fn what_was_not_committed_and_is_not_sent_again_is_not_made_up() {
    let disk = SimDisk::new();
    let mut plant = Plant::new();
    plant.messages.truncate(2);
    disk.cut_after(1000);
    assert!(plant.run(&disk, 0));
    let told = told(&disk);
    assert_eq!(told.len(), 1);
    let Some((_, verdict, _, length_m, _)) = told.into_values().next() else { return };
    assert_eq!((verdict, length_m), (Verdict::Review, Some(40.0)));
}
