//! What a pass is, and that each gets exactly one decision.

use super::*;
use coilsight_models::message::inbound::Label;
use coilsight_models::tally::Reason;
use coilsight_models::verdict::{Cause, Verdict};

#[test]
fn a_coil_goes_its_way() {
    let mut bench = Bench::new();
    assert_eq!(bench.start("X", SIX), Fate::Used);
    assert_eq!(bench.rows("X", 0, 200, 70.0), Fate::Used);
    assert_eq!(bench.line.tally().rows.open, 800, "until its end a row's fate is open");
    assert_eq!(bench.end("X", 200.0), Fate::Used);
    let decision = bench.last();
    assert_eq!((decision.verdict, decision.reasons.len()), (Verdict::Ok, 0));
    assert_eq!((decision.length_m, decision.rows.used), (Some(200.0), 800));
    assert_eq!(decision.confidence, Some(decision.votes[0].confidence));
    assert_eq!(bench.line.tally().rows.used, 800);
}

#[test]
fn a_thin_coil_is_nok_and_says_where() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 120, 70.0);
    bench.rows("X", 120, 124, 40.0);
    bench.rows("X", 124, 264, 70.0);
    bench.end("X", 264.0);
    let decision = bench.last();
    assert_eq!(decision.verdict, Verdict::Nok);
    assert!(matches!(decision.reasons[0].cause, Cause::OverThreshold { .. }));
    // Both sides are thin there, so neither alone is all the evidence; what is told lies there.
    assert!(
        decision.evidence.iter().all(|e| e.from_m <= 124.0 && e.to_m >= 120.0),
        "{:?}",
        decision.evidence
    );
}

#[test]
fn a_coil_unlike_training_goes_to_a_person_with_the_models_word_beside() {
    for (thinnest, by_score) in [(70.0, Verdict::Ok), (40.0, Verdict::Nok)] {
        let mut bench = Bench::new();
        bench.start("X", SIX);
        bench.rows("X", 0, 100, 130.0);
        bench.rows("X", 100, 200, thinnest);
        bench.end("X", 200.0);
        let decision = bench.last();
        assert_eq!((decision.verdict, decision.by_score), (Verdict::Review, Some(by_score)));
        assert_eq!(decision.votes[0].verdict, by_score);
        let reason = &decision.reasons[0];
        assert_eq!(reason.cause, Cause::UnlikeTraining { distance: 9.0, limit: 3.0 });
        assert!(reason.text.contains("unlike the coils"), "{}", reason.text);
        let kept: Assessment = serde_json::from_str(&serde_json::to_string(decision).unwrap()).unwrap();
        assert_eq!(kept, *decision, "as the log keeps it");
    }
}

#[test]
fn a_repeated_pass_keeps_its_decision_and_a_new_one_gets_its_own() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.start("X", SIX);
        bench.rows("X", 0, 100, 70.0);
        bench.end("X", 100.0);
    }
    assert_eq!(bench.heard.0.len(), 1);
    let tally = bench.line.tally();
    assert_eq!((tally.messages.duplicate, tally.rows.duplicate), (3, 400));
    bench.start("X", SEVEN);
    bench.rows("X", 0, 100, 40.0);
    bench.end("X", 100.0);
    assert_eq!(bench.heard.0.len(), 2);
    assert_eq!(bench.last().verdict, Verdict::Nok);
    assert_ne!(bench.heard.0[0].decision_id, bench.heard.0[1].decision_id);
}

#[test]
fn without_a_start_or_with_senseless_order_data_a_person_decides() {
    let mut bench = Bench::new();
    bench.rows("X", 0, 100, 70.0);
    bench.end("X", 100.0);
    assert_eq!((bench.last().verdict, bench.last().pass), (Verdict::Review, None));
    assert_eq!(bench.last().by_score, Some(Verdict::Ok), "judged all the same");
    let mut absurd = start("Y", SIX);
    absurd["nominal_g_m2"] = json!(-3.0);
    bench.say("coil/start", &absurd);
    bench.rows("Y", 0, 100, 70.0);
    bench.end("Y", 100.0);
    assert_eq!(bench.last().verdict, Verdict::Review);
    assert!(matches!(bench.last().reasons[0].cause, Cause::BadOrder { .. }));
}

#[test]
fn a_start_may_come_after_rows() {
    let mut bench = Bench::new();
    bench.rows("X", 0, 50, 70.0);
    bench.start("X", SIX);
    bench.rows("X", 50, 100, 70.0);
    bench.end("X", 100.0);
    assert_eq!((bench.last().verdict, bench.last().rows.used), (Verdict::Ok, 400));
}

#[test]
fn starts_and_ends_again_are_duplicates_or_contradict() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    assert_eq!(bench.start("X", SIX), Fate::Duplicate);
    let mut other = start("X", SIX);
    other["width_mm"] = json!(1000);
    assert_eq!(bench.say("coil/start", &other), Fate::SetAside(Reason::Contradicting));
    bench.rows("X", 0, 100, 70.0);
    bench.end("X", 100.0);
    assert_eq!(bench.end("X", 100.0), Fate::Duplicate);
    assert_eq!(bench.end("X", 90.0), Fate::SetAside(Reason::AfterDecision));
    assert_eq!(bench.heard.0.len(), 1);
}

#[test]
fn the_same_coil_begun_again_ends_what_was_open() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 100, 70.0);
    bench.start("X", SEVEN);
    assert_eq!(bench.last().verdict, Verdict::Review);
    assert!(bench.last().reasons.iter().any(|r| r.cause == Cause::NoEnd));
    bench.rows("X", 0, 100, 70.0);
    bench.end("X", 100.0);
    assert_eq!((bench.heard.0.len(), bench.last().verdict), (2, Verdict::Ok));
}

fn matrix(coil: &str, chunks: usize) -> serde_json::Value {
    let mut message = start(coil, SIX);
    message["length_m"] = json!(900.0);
    message["mean"] = json!(vec![vec![70.0; 18]; chunks]);
    message["std"] = json!(vec![vec![1.5; 18]; chunks]);
    message
}

#[test]
fn a_matrix_is_a_whole_pass_and_a_misshapen_one_is_a_persons() {
    let mut bench = Bench::new();
    assert_eq!(bench.say("coil/matrix", &matrix("X", 264)), Fate::Used);
    assert_eq!((bench.last().verdict, bench.last().length_m), (Verdict::Ok, Some(900.0)));
    assert_eq!(bench.say("coil/matrix", &matrix("X", 264)), Fate::Duplicate);
    assert_eq!(bench.say("coil/matrix", &matrix("Y", 263)), Fate::SetAside(Reason::WrongShape));
    assert_eq!((bench.last().verdict, bench.last().p_nok), (Verdict::Review, None));
    assert_eq!(bench.last().reasons[0].cause, Cause::WrongShape);
}

#[test]
fn hostile_ids_never_get_in() {
    let mut bench = Bench::new();
    for id in ["<img src=x onerror=alert(1)>", "../../etc/passwd", "a\u{0}b"] {
        assert_eq!(bench.start(id, SIX), Fate::SetAside(Reason::BadCoilId));
    }
    assert_eq!(bench.line.open_coils().count(), 0);
}

#[test]
fn feedback_is_kept_once_and_unknown_coils_apart() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    let word =
        |coil: &str, label: &str| json!({"coil_id": coil, "label": label, "operator": "op-1", "at": SEVEN});
    assert_eq!(bench.say("feedback", &word("X", "OK")), Fate::Used);
    assert_eq!(bench.say("feedback", &word("X", "OK")), Fate::Duplicate);
    assert_eq!(bench.say("feedback", &word("X", "NOK")), Fate::Used, "people change their mind");
    assert_eq!(bench.say("feedback", &word("Z", "OK")), Fate::SetAside(Reason::UnknownCoil));
    let kept: Vec<crate::words::FeedbackRecord> =
        bench.line.archive().feedbacks().map(|f| serde_json::from_slice(&f.unwrap().json).unwrap()).collect();
    assert_eq!(kept.len(), 3);
    assert_eq!((kept[1].feedback.label, kept[1].known, kept[2].known), (Label::Nok, true, false));
}

#[test]
fn a_decision_takes_so_many_words_and_sets_the_others_aside() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    let word = |n: usize| json!({"coil_id": "X", "label": "OK", "operator": "op-1", "at": SEVEN, "remark": format!("word {n}")});
    for n in 0..crate::words::MAX_WORDS {
        assert_eq!(bench.say("feedback", &word(n)), Fate::Used);
    }
    assert_eq!(bench.say("feedback", &word(100)), Fate::SetAside(Reason::TooManyWords));
    for n in [0, 100] {
        assert_eq!(bench.say("feedback", &word(n)), Fate::Duplicate);
    }
    bench.rows("X", 0, 100, 70.0);
    bench.end("X", 100.0);
    let decision = &bench.last().decision_id;
    assert_eq!(bench.line.archive().feedback_on(decision).unwrap().len(), crate::words::MAX_WORDS);
}

#[test]
fn after_a_cut_open_coils_go_on_and_decided_ones_stay() {
    let mut bench = Bench::new();
    bench.start("X", SIX);
    bench.rows("X", 0, 60, 70.0);
    bench.start("Y", SEVEN);
    bench.rows("Y", 0, 100, 70.0);
    bench.end("Y", 100.0);
    let mut bench = bench.restart();
    assert_eq!(bench.rows("X", 50, 100, 70.0), Fate::Used, "redelivered rows are known, new ones count");
    bench.end("X", 100.0);
    assert_eq!(bench.end("Y", 100.0), Fate::Duplicate);
    assert_eq!(bench.heard.0.len(), 2);
    assert_eq!((bench.last().coil_id.as_str(), bench.last().verdict), ("X", Verdict::Ok));
    assert_eq!(bench.last().rows.used, 400);
}
