//! What goes out, and when it leaves the outbox.

use super::*;

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
