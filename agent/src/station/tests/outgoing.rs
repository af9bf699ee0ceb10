//! What goes out, and when it leaves the outbox.

use super::*;
use crate::operators::Operators;
use coilsight_models::tally::Reason;

#[test]
fn a_decision_leaves_the_outbox_when_the_broker_has_taken_all_of_it() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.coil("X", SIX, true);
    let [assessment] = &bench.on("assessment")[..] else { panic!("one decision") };
    assert_eq!(assessment["verdict"], "NOK");
    let notices = bench.on("notification");
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0]["decision_id"], assessment["decision_id"]);
    let tokens: Vec<u64> =
        bench.published.iter().filter(|p| !p.topic.ends_with("status")).map(|p| p.token).collect();
    let generation = bench.generation;
    bench.step(vec![Event::Confirmed { generation, token: tokens[0] }], 0);
    assert_eq!(bench.waiting(), 1, "half of it is not all of it");
    bench.step(vec![Event::Confirmed { generation: generation - 1, token: tokens[1] }], 0);
    assert_eq!(bench.waiting(), 1, "a confirmation of another connection is none");
    bench.step(vec![Event::Confirmed { generation, token: tokens[1] }], 0);
    assert_eq!(bench.waiting(), 0);
}

#[test]
fn what_was_not_taken_goes_out_again_under_the_same_id() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.coil("X", SIX, false);
    bench.down();
    bench.up(true);
    let first = bench.on("assessment");
    assert_eq!(first.len(), 2);
    assert_eq!(first[0], first[1]);
    let mut bench = bench.restart();
    bench.up(true);
    assert_eq!(bench.on("assessment"), first[..1]);
    bench.confirm();
    let mut bench = bench.restart();
    bench.up(true);
    assert_eq!(bench.on("assessment").len(), 0);
}

#[test]
fn little_is_on_its_way_at_once_and_all_arrives() {
    let mut bench = Bench::new();
    bench.up(false);
    for i in 0..30 {
        bench.coil(&format!("X{i}"), SIX, i % 3 == 0);
    }
    assert!(bench.published.len() <= 8, "{}", bench.published.len());
    bench.confirm();
    assert_eq!((bench.on("assessment").len(), bench.waiting()), (30, 0));
    assert_eq!(bench.on("notification").len(), 10);
}

#[test]
fn a_word_becomes_a_disposition_and_a_correction_names_what_it_supersedes() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.coil("X", SIX, false);
    let word = |label: &str, at: &str| json!({"coil_id": "X", "label": label, "operator": "op-1", "at": at});
    bench.say("feedback", &word("NOK", "2026-01-05T09:00:00Z"));
    bench.say("feedback", &word("NOK", "2026-01-05T09:00:00Z"));
    bench.say("feedback", &word("OK", "2026-01-05T09:30:00Z"));
    bench.say("feedback", &word("NOK", "2026-01-05T09:10:00Z"));
    bench.say("feedback", &json!({"coil_id": "unheard of", "label": "OK", "operator": "op", "at": SIX}));
    bench.confirm();
    let decision = &bench.on("assessment")[0]["decision_id"];
    let said = bench.on("disposition");
    assert_eq!(said.len(), 3, "the same word twice is one, and an unknown coil has no decision");
    assert!(said.iter().all(|d| d["decision_id"] == *decision));
    assert_eq!(said[0]["supersedes"], Value::Null);
    assert_eq!(said[1]["supersedes"], said[0]["disposition_id"]);
    assert_eq!(said[2]["superseded_by"], said[1]["disposition_id"], "heard last, said before");
    assert_eq!(bench.waiting(), 0);
}

#[test]
fn a_word_that_is_taken_back_goes_out_too_and_says_what_stands_then() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.coil("X", SIX, false);
    let word = |label: &str, at: &str| json!({"coil_id": "X", "label": label, "operator": "op-1", "at": at});
    bench.say("feedback", &word("OK", "2026-01-05T09:00:00Z"));
    bench.confirm();
    let first = bench.on("disposition")[0].clone();
    let about = first["decision_id"].as_str().unwrap();
    // As the page keeps them.
    let keep = |key: &str, label: &str, at: &str, withdraws: Option<&str>| {
        let mut record = word(label, at);
        record["known"] = json!(true);
        record["source"] = json!("page");
        record["withdraws"] = json!(withdraws);
        bench.station.line().archive().feedback(key, Some(about), record.to_string().as_bytes()).unwrap();
    };
    keep("second", "NOK", "2026-01-05T10:00:00Z", None);
    keep("third", "NOK", "2026-01-05T10:00:05Z", Some("second"));
    keep("fourth", "OK", "2026-01-05T10:00:09Z", first["disposition_id"].as_str());
    bench.step(Vec::new(), 1);
    bench.confirm();
    let said = bench.on("disposition");
    let told = |n: usize| (said[n]["label"].clone(), said[n]["supersedes"].clone());
    assert_eq!(told(1), (json!("NOK"), first["disposition_id"].clone()));
    assert_eq!(told(2), (json!("OK"), json!("second")), "what was said before stands again");
    assert_eq!(told(3), (Value::Null, first["disposition_id"].clone()), "nobody's word stands");
}

#[test]
fn words_of_strangers_are_kept_and_told_and_count_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new();
    // Nobody is in the roster.
    bench.station.believe(Arc::new(Operators::of(folder.path().join("operators.json"))));
    bench.up(false);
    bench.coil("X", SIX, false);
    let word = |at: &str| json!({"coil_id": "X", "label": "OK", "operator": "mallory", "at": at});
    bench.say("feedback", &word("2026-01-05T09:00:00Z"));
    bench.say("feedback", &word("2026-01-05T09:01:00Z"));
    bench.confirm();
    assert_eq!(bench.on("disposition").len(), 0);
    let told = bench.on("notification").into_iter().filter(|n| n["topic"] == "words").count();
    assert_eq!(told, 1, "once, however many words");
    let sums = bench.station.line().tally().messages;
    assert_eq!((sums.set_aside[&Reason::UnknownOperator], sums.adds_up()), (2, true));
    assert_eq!(bench.station.line().archive().feedbacks().count(), 2);
}

#[test]
fn the_status_is_retained_and_comes_with_every_connection() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.confirm();
    bench.down();
    bench.up(true);
    let status = bench.on("status");
    assert_eq!(status.len(), 2);
    assert_eq!(
        (&status[1]["state"], &status[1]["sums"]["messages"]["received"]),
        (&json!("online"), &json!(0))
    );
    assert!(bench.published.iter().filter(|p| p.topic.ends_with("status")).all(|p| p.retain));
    let farewell = bench.station.farewell().unwrap();
    let Some(Act::Publish { publication, .. }) = farewell.last() else { panic!("a last word") };
    let status: Value = serde_json::from_slice(&publication.payload).unwrap();
    assert_eq!(status["state"], "offline");
}

#[test]
fn an_assessment_is_what_the_archive_has() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.coil("X", SIX, false);
    let published: Assessment = serde_json::from_value(bench.on("assessment")[0].clone()).unwrap();
    let kept = bench.station.line().archive().decision(&published.decision_id).unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<Assessment>(&kept.json).unwrap(), published);
}
