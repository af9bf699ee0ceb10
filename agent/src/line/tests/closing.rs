//! When a coil without an end is over, and that a line stop is not an end.

use super::*;
use coilsight_models::verdict::{Cause, Verdict};

const HALF_HOUR: u64 = 30 * 60;

#[test]
fn a_line_stop_is_not_an_end() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 100, 70.0);
    bench.wait(24 * 3600);
    assert!(bench.heard.0.is_empty(), "no later coil, so the strip has only stopped");
    bench.rows("X", 100, 200, 70.0);
    bench.end("X", 200.0);
    assert_eq!(bench.last().verdict, Verdict::Ok);
}

#[test]
fn an_end_that_never_comes_is_told_by_a_later_coil_and_silence() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 100, 70.0);
    bench.wait(10);
    bench.start("Y", SEVEN);
    bench.rows("Y", 0, 50, 70.0);
    bench.wait(HALF_HOUR - 11);
    assert!(bench.heard.0.is_empty());
    bench.wait(1);
    let decision = bench.last();
    assert_eq!((decision.coil_id.as_str(), decision.verdict), ("X", Verdict::Review));
    assert_eq!(decision.reasons[0].cause, Cause::NoEnd);
    assert_eq!(decision.length_m, Some(100.0), "what was seen");
    bench.wait(10 * HALF_HOUR);
    assert_eq!(bench.heard.0.len(), 1, "Y is the last coil: it may only have stopped");
}

#[test]
fn a_later_coil_that_is_over_already_counts_as_later() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 100, 70.0);
    bench.start("Y", SEVEN);
    bench.rows("Y", 0, 100, 70.0);
    bench.end("Y", 100.0);
    bench.wait(HALF_HOUR);
    assert_eq!((bench.heard.0.len(), bench.last().coil_id.as_str()), (2, "X"));
}

#[test]
fn an_end_may_be_late() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 100, 70.0);
    bench.start("Y", SEVEN);
    bench.rows("Y", 0, 50, 70.0);
    bench.wait(20 * 60);
    bench.end("X", 100.0);
    assert_eq!((bench.last().coil_id.as_str(), bench.last().verdict), ("X", Verdict::Ok));
}

#[test]
fn rows_may_come_after_the_end_for_a_little_while() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 40, 70.0);
    bench.rows("X", 60, 100, 70.0);
    bench.end("X", 100.0);
    assert!(bench.heard.0.is_empty(), "a fifth of the strip is not seen yet");
    bench.wait(20);
    bench.rows("X", 40, 60, 70.0);
    assert_eq!((bench.last().verdict, bench.last().coverage.chunks), (Verdict::Ok, 1.0));
}

#[test]
fn what_does_not_come_in_time_leaves_the_coil_to_a_person() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 60, 70.0);
    bench.end("X", 100.0);
    bench.wait(30);
    assert_eq!(bench.last().verdict, Verdict::Review);
    assert!(
        matches!(bench.last().reasons[0].cause, Cause::StripUnseen { seen } if (seen - 0.6).abs() < 0.01)
    );
    bench.rows("X", 60, 100, 70.0);
    assert_eq!(bench.heard.0.len(), 1, "decided once");
}

#[test]
fn a_start_alone_is_a_pass_too() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.start("Y", SEVEN);
    bench.rows("Y", 0, 50, 70.0);
    bench.wait(HALF_HOUR);
    assert_eq!((bench.last().coil_id.as_str(), bench.last().verdict), ("X", Verdict::Review));
    assert!(bench.last().reasons.iter().any(|r| r.cause == Cause::NothingSeen));
}

#[test]
fn too_many_open_coils_close_the_most_silent() {
    let mut bench = Bench::with(Config { max_open: 3, ..Config::default() });
    for coil in ["A", "B", "C", "D"] {
        bench.start(coil, SIX);
    }
    assert_eq!((bench.heard.0.len(), bench.last().coil_id.as_str()), (1, "A"));
}

#[test]
fn a_flood_of_ids_neither_closes_a_coil_that_is_coated_nor_leaves_anything_open() {
    let mut bench = Bench::with(Config { max_open: 4, ..Config::default() });
    bench.start("GOOD", SIX);
    bench.rows("GOOD", 0, 40, 70.0);
    for i in 0..50 {
        let fate = bench.rows(&format!("ID-{i}"), 0, 1, 70.0);
        assert_eq!(fate == Fate::Used, i < 2, "{i}: {fate:?}");
        bench.start(&format!("BEGUN-{i}"), SEVEN);
    }
    assert_eq!(bench.line.open_coils().count(), 4);
    let early = |a: &Assessment| a.reasons.iter().any(|reason| reason.cause == Cause::ClosedEarly);
    assert!(bench.heard.0.iter().all(|a| early(a) && a.verdict == Verdict::Review && a.p_nok.is_none()));
    assert_eq!(bench.heard.0.len(), 97, "all but what is open has its decision");
    let mut again = bench.restart();
    assert_eq!(again.line.open_coils().count(), 4, "and a restart finds what is open, no more");
    again.rows("GOOD", 40, 70, 70.0);
    again.end("GOOD", 70.0);
    let good = again.heard.0.iter().find(|a| a.coil_id.as_str() == "GOOD").unwrap();
    assert_eq!(good.verdict, Verdict::Ok);
}
