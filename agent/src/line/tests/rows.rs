//! Where rows and readings end.

use super::*;
use coilsight_models::tally::Reason;
use coilsight_models::verdict::{Cause, Verdict};
use proptest::prelude::*;

#[test]
fn rows_again_are_duplicates_and_other_readings_conflict() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 100, 70.0);
    assert_eq!(bench.rows("X", 0, 25, 70.0), Fate::Duplicate);
    assert_eq!(bench.rows("X", 0, 25, 71.0), Fate::SetAside(Reason::Conflicting));
    bench.end("X", 100.0);
    let rows = &bench.last().rows;
    assert_eq!((rows.used, rows.duplicate, rows.set_aside[&Reason::Conflicting]), (400, 100, 100));
}

#[test]
fn rows_past_the_end_and_narrow_ones_are_counted() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 110, 70.0);
    let mut narrow = rows("X", 110, 112, 70.0);
    narrow["top"][0] = json!(vec![70.0; 7]);
    bench.say("gauge", &narrow);
    bench.end("X", 100.0);
    let rows = &bench.last().rows;
    assert_eq!((rows.used, rows.set_aside[&Reason::BeyondLength]), (400, 47));
    assert_eq!(rows.set_aside[&Reason::WrongWidth], 1);
}

#[test]
fn a_gauge_that_talks_nonsense_costs_its_readings_not_its_neighbours() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    let mut batch = rows("X", 0, 100, 70.0);
    for i in 0..400 {
        batch["top"][i][4] = json!(-40.0);
        batch["top"][i][5] = json!(141.0); // over twice the order of 70
    }
    bench.say("gauge", &batch);
    bench.end("X", 100.0);
    let decision = bench.last();
    assert_eq!(decision.verdict, Verdict::Review);
    let Cause::BlindGauges { gauges } = &decision.reasons[0].cause else { panic!("{:?}", decision.reasons) };
    assert_eq!(gauges.iter().map(ToString::to_string).collect::<Vec<_>>(), ["top 5", "top 6"]);
    assert_eq!(decision.rows.used, 400);
    assert_eq!(bench.line.tally().readings.set_aside[&Reason::AbsurdValue], 800);
}

#[test]
fn garbage_is_counted_by_reason() {
    let mut bench = Bench::new();
    assert_eq!(bench.say_bytes("gauge", b"{\"coil_id\": \"X\", \"pos"), Fate::SetAside(Reason::Malformed));
    assert_eq!(bench.say_bytes("gauge", &vec![0; 300_000]), Fate::SetAside(Reason::Oversized));
    assert_eq!(bench.say_bytes("weather", b"{}"), Fate::SetAside(Reason::UnknownTopic));
    assert_eq!(bench.say_bytes("surface/X/top/1.5", b"\xff\xd8"), Fate::SetAside(Reason::NotHandled));
    let tally = bench.line.tally();
    assert_eq!((tally.messages.received, tally.messages.set_aside.len()), (4, 4));
}

/// Anything a gateway might do with two coils: pieces in any order, again, cut, or missing.
fn messages() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let coil = prop::sample::select(vec!["X", "Y"]);
    let at = prop::sample::select(vec![SIX, SEVEN]);
    let one = (coil, at, 0u32..10, 0u8..8, 0usize..400).prop_map(|(coil, at, piece, kind, cut)| {
        let (topic, message) = match kind {
            0 => ("coil/start", start(coil, at)),
            1 => ("coil/end", end(coil, 50.0)),
            2 => ("coil/end", end(coil, 40.0)),
            3 => ("gauge", rows(coil, 5 * piece, 5 * piece + 5, 71.0)),
            _ => ("gauge", rows(coil, 5 * piece, 5 * piece + 5, 70.0)),
        };
        let mut bytes = message.to_string().into_bytes();
        if kind == 7 {
            bytes.truncate(cut);
        }
        (topic.to_string(), bytes)
    });
    prop::collection::vec(one, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The sums add up after every message (checked in `say_bytes`), no pass is decided twice, and what
    /// is left open is decided when the recording is over.
    #[test]
    fn every_message_and_row_ends_in_one_place_and_every_pass_once(messages in messages()) {
        let mut bench = Bench::new();
        for (topic, bytes) in &messages {
            bench.say_bytes(topic, bytes);
        }
        bench.line.finish().unwrap();
        bench.line.publish(&mut bench.heard).unwrap();
        let tally = bench.line.tally();
        prop_assert!(tally.adds_up());
        prop_assert_eq!(tally.rows.open, 0);
        prop_assert_eq!(tally.messages.received as usize, messages.len());
        let mut ids: Vec<_> = bench.heard.0.iter().map(|a| a.decision_id.clone()).collect();
        let mut passes: Vec<_> = bench.heard.0.iter()
            .filter_map(|a| a.pass.map(|at| (a.coil_id.clone(), at))).collect();
        let (n, m) = (ids.len(), passes.len());
        ids.sort(); ids.dedup(); passes.sort(); passes.dedup();
        prop_assert_eq!((ids.len(), passes.len()), (n, m));
    }
}
