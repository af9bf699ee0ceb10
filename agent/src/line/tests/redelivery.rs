//! At least once means again, late and out of place: what comes so never touches another pass.

use super::*;
use coilsight_models::chunk::MAX_ROWS;
use coilsight_models::tally::Reason;
use coilsight_models::verdict::Verdict;

fn end_at(coil: &str, at: &str, length_m: f64) -> serde_json::Value {
    json!({"coil_id": coil, "at": at, "length_m": length_m})
}

#[test]
fn a_repeated_pass_leaves_the_open_pass_of_the_same_coil_alone() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 100, 40.0);
    bench.say("coil/end", &end_at("X", SEVEN, 100.0));
    bench.start("X", SEVEN);
    bench.rows("X", 0, 50, 70.0);
    // The gateway restarts and repeats the first pass, then goes on with the second.
    assert_eq!(bench.start("X", SIX), Fate::Duplicate);
    assert_eq!(bench.rows("X", 0, 100, 40.0), Fate::Duplicate);
    assert_eq!(bench.say("coil/end", &end_at("X", SEVEN, 100.0)), Fate::Duplicate);
    assert_eq!(bench.rows("X", 50, 120, 70.0), Fate::Used);
    bench.say("coil/end", &end_at("X", "2026-01-05T08:00:00Z", 120.0));
    assert_eq!(bench.heard.0.len(), 2);
    assert_eq!((bench.last().verdict, bench.last().length_m), (Verdict::Ok, Some(120.0)));
}

#[test]
fn the_end_of_an_earlier_pass_does_not_end_the_open_one() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 100, 70.0);
    bench.say("coil/end", &end_at("X", SEVEN, 100.0));
    bench.start("X", SEVEN);
    bench.rows("X", 0, 100, 70.0);
    assert_eq!(bench.say("coil/end", &end_at("X", SEVEN, 100.0)), Fate::Duplicate);
    assert_eq!(bench.heard.0.len(), 1);
    bench.rows("X", 100, 200, 70.0);
    bench.say("coil/end", &end_at("X", "2026-01-05T08:00:00Z", 200.0));
    assert_eq!((bench.heard.0.len(), bench.last().length_m), (2, Some(200.0)));
}

/// A coil of 100 m that is coated again at once, to 70 g/m2; the connection has broken while the first pass's last rows,
/// of 160 g/m2, were on their way.
fn coated_again() -> Bench {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 100, 160.0);
    bench.say("coil/end", &end_at("X", SEVEN, 100.0));
    bench.start("X", SEVEN);
    bench.rows("X", 0, 60, 70.0);
    bench
}

#[test]
fn rows_of_the_pass_before_give_way_to_the_open_passs_own() {
    for restarted in [false, true] {
        let mut bench = coated_again();
        if restarted {
            bench = bench.restart();
        }
        // All of it comes again, in its order.
        assert_eq!(bench.rows("X", 0, 60, 160.0), Fate::Duplicate, "not in contradiction: known");
        bench.rows("X", 50, 100, 160.0);
        if restarted {
            bench = bench.restart();
        }
        bench.say("coil/end", &end_at("X", SEVEN, 100.0));
        assert_eq!(bench.start("X", SEVEN), Fate::Duplicate);
        assert_eq!(bench.rows("X", 0, 60, 70.0), Fate::Duplicate);
        assert_eq!(bench.rows("X", 60, 100, 70.0), Fate::Used);
        bench.say("coil/end", &end_at("X", "2026-01-05T08:00:00Z", 100.0));
        let told = bench.last();
        assert_eq!((told.verdict, told.coverage.cells, told.rows.used), (Verdict::Ok, 1.0, 400), "{told:#?}");
        assert!(told.rows.set_aside.is_empty(), "nothing conflicts: {:?}", told.rows);
        assert_eq!(bench.heard.0.len(), 2);
    }
}

#[test]
fn a_coil_played_twice_word_for_word_is_judged_twice() {
    let mut bench = Bench::new();
    for at in [SIX, SEVEN] {
        bench.start("X", at);
        assert_eq!(bench.rows("X", 0, 100, 70.0), Fate::Used);
        bench.end("X", 100.0);
        assert_eq!((bench.last().verdict, bench.last().rows.used), (Verdict::Ok, 400));
    }
    assert_eq!(bench.heard.0.len(), 2);
}

#[test]
fn a_start_that_comes_after_its_pass_was_decided_makes_no_second_pass() {
    let mut bench = Bench::new();
    bench.rows("X", 0, 100, 70.0);
    bench.say("coil/end", &end_at("X", "2026-01-05T06:10:00Z", 100.0));
    assert_eq!((bench.heard.0.len(), bench.last().verdict), (1, Verdict::Review));
    assert_eq!(bench.start("X", SIX), Fate::SetAside(Reason::AfterDecision));
    assert_eq!(bench.rows("X", 0, 100, 70.0), Fate::SetAside(Reason::AfterDecision));
    assert_eq!(bench.start("X", SEVEN), Fate::Used, "coated again, later");
}

#[test]
fn a_late_last_batch_counts_though_its_chunk_is_seen() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    // 6 rows a chunk; the last two rows of the last chunk come after the end.
    let mut early = rows("X", 0, 396, 70.0);
    for field in ["position_m", "top", "bottom"] {
        early[field].as_array_mut().unwrap().truncate(1582);
    }
    let mut late = rows("X", 395, 396, 70.0);
    for field in ["position_m", "top", "bottom"] {
        late[field].as_array_mut().unwrap().drain(..2);
    }
    bench.say("gauge", &early);
    bench.end("X", 396.0);
    assert!(bench.heard.0.is_empty(), "the rows do not reach the end yet");
    assert_eq!(bench.say("gauge", &late), Fate::Used);
    assert_eq!(bench.last().rows.used, 1584);
}

#[test]
fn rows_without_end_fill_neither_memory_nor_disk() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    let batch = |n: usize| {
        let positions: Vec<f64> = (0..500).map(|i| (500 * n + i) as f64 / 100.0).collect();
        let side = vec![[70.0; 9]; positions.len()];
        json!({"coil_id": "X", "position_m": positions, "top": side, "bottom": side})
    };
    for n in 0..MAX_ROWS / 500 {
        bench.say("gauge", &batch(n));
    }
    let open = bench.line.archive().stats().open;
    assert_eq!(bench.say("gauge", &batch(MAX_ROWS / 500)), Fate::SetAside(Reason::TooManyRows));
    assert_eq!(bench.line.archive().stats().open, open, "what is set aside takes no room");
}
