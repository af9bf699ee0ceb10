//! What goes wrong: said, survived, and over by itself.

use super::super::inlet::MAX_WAITING;
use super::*;

fn health(bench: &Bench) -> String {
    let said: Vec<String> =
        bench.station.health.troubles().into_iter().flat_map(|t| [t.text, t.to_do]).collect();
    said.join("\n")
}

#[test]
fn a_full_disk_refuses_rows_loudly_keeps_words_and_recovers_by_itself() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.coil("X", SIX, false);
    bench.say("coil/start", &start("Y", "2026-01-05T07:00:00Z"));
    let taken = bench.acknowledged.len();
    bench.disk.set_capacity(Some(bench.disk.used() + 600));
    bench.say("gauge", &rows("Y", 0, 40, 70.0));
    bench.say("gauge", &rows("Y", 40, 70, 70.0));
    bench.say("coil/end", &end("Y", 70.0));
    assert_eq!(bench.acknowledged.len(), taken, "not stored, not acknowledged");
    assert!(health(&bench).contains("rows are refused"), "{}", health(&bench));
    bench.say(
        "feedback",
        &json!({"coil_id": "X", "label": "NOK", "operator": "op", "at": "2026-01-05T09:00:00Z"}),
    );
    assert_eq!(bench.acknowledged.len(), taken + 1, "an inspector's word comes through");
    assert_eq!(bench.on("disposition").len(), 1);
    bench.disk.set_capacity(None);
    bench.step(vec![], 2);
    bench.step(vec![], 1);
    assert_eq!(bench.acknowledged.len(), taken + 4);
    assert_eq!(health(&bench), "");
    bench.confirm();
    assert_eq!(bench.on("assessment").last().unwrap()["verdict"], "OK", "nothing was lost");
}

/// A refused message is tried again as long as the disk is full: no try may leave anything behind.
#[test]
fn tries_on_a_full_disk_leave_no_files() {
    use crate::archive::Disk;
    let mut bench = Bench::new();
    bench.up(false);
    bench.disk.set_capacity(Some(bench.disk.used()));
    bench.say("coil/start", &start("Y", SIX));
    for _ in 0..20 {
        bench.step(vec![], 2);
    }
    assert_eq!(bench.disk.list("open").unwrap(), [""; 0]);
    bench.disk.set_capacity(None);
    bench.step(vec![], 2);
    assert_eq!(bench.disk.list("open").unwrap().len(), 1);
}

#[test]
fn a_session_that_the_broker_forgot_is_told_until_somebody_knows() {
    let mut bench = Bench::new();
    bench.up(false);
    assert_eq!(bench.on("notification").len(), 0, "the first time there is nothing to forget");
    bench.step(vec![], 10);
    bench.down();
    bench.up(false);
    let told = bench.on("notification");
    assert_eq!(told.len(), 2, "coils and feedback: {told:?}");
    assert!(told[0]["text"].as_str().unwrap().contains("forgotten"));
    let mut bench = bench.restart();
    bench.up(true);
    assert_eq!(bench.on("notification").len(), 2, "nobody had confirmed it");
    bench.confirm();
    let mut bench = bench.restart();
    bench.up(true);
    assert_eq!(bench.on("notification").len(), 0);
}

#[test]
fn rows_that_never_came_go_to_review_and_are_told() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.say("coil/start", &start("X", SIX));
    bench.say("gauge", &rows("X", 0, 100, 70.0));
    bench.say("gauge", &rows("X", 110, 400, 70.0));
    bench.say("coil/end", &end("X", 400.0));
    (0..31).for_each(|_| bench.step(vec![], 1));
    bench.confirm();
    let decision = &bench.on("assessment")[0];
    assert_eq!(
        (&decision["verdict"], &decision["reasons"][0]["code"]),
        (&json!("REVIEW"), &json!("rows_lost"))
    );
    assert!(bench.on("notification").iter().any(|n| n["topic"] == "gap_in_record"));
}

#[test]
fn rows_that_came_unreadable_are_not_lost_on_the_way() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.say("coil/start", &start("X", SIX));
    bench.say("gauge", &rows("X", 0, 100, 70.0));
    bench.say("gauge", &json!("cut off"));
    bench.say("gauge", &rows("X", 110, 400, 70.0));
    let mut bench = bench.restart();
    bench.up(true);
    bench.say("coil/end", &end("X", 400.0));
    (0..31).for_each(|_| bench.step(vec![], 1));
    assert_eq!(bench.on("assessment")[0]["verdict"], "OK", "by the share of chunks seen, as configured");
}

#[test]
fn a_broker_that_passes_nothing_on_is_noticed() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.confirm();
    bench.step(vec![], 5);
    bench.step(vec![Event::Echo { topic: "plant/gl2/status".into() }], 5);
    bench.coil("X", SIX, false);
    bench.confirm();
    bench.step(vec![Event::Echo { topic: "plant/gl2/status".into() }], 5);
    (0..4).for_each(|_| bench.step(vec![], 5));
    let said = health(&bench);
    assert!(said.contains("plant/gl2/assessment") && !said.contains("to plant/gl2/status"), "{said}");
    bench.step(vec![Event::Echo { topic: "plant/gl2/assessment".into() }], 1);
    assert!(!health(&bench).contains("plant/gl2/assessment"));
}

#[test]
fn refused_topics_and_a_lost_broker_are_in_the_health_once_each() {
    let mut bench = Bench::new();
    bench.up(false);
    let refused = ["plant/gl2/gauge", "plant/gl2/coil/end"].map(String::from).to_vec();
    bench.step(vec![Event::Subscribed { role: Role::Line, refused }], 0);
    let said = health(&bench);
    assert!(said.contains("does not let this agent listen to plant/gl2/gauge, plant/gl2/coil/end"), "{said}");
    bench.step(vec![], 10);
    bench.down();
    assert_eq!(health(&bench).matches("gone").count(), 1, "both sessions, one trouble");
    bench.up(true);
    assert!(!health(&bench).contains("gone"));
    bench.step(vec![Event::Subscribed { role: Role::Line, refused: Vec::new() }], 0);
    assert_eq!(health(&bench), "");
}

#[test]
fn connections_that_do_not_last_are_one_trouble_until_one_does() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.up(true);
        bench.step(vec![], 2);
        assert!(bench.station.health.fresh().is_empty(), "told when it began, and no more");
        bench.down();
        assert_eq!(health(&bench).matches("soon after it begins").count(), 1, "{}", health(&bench));
    }
    bench.up(true);
    assert!(health(&bench).contains("soon after it begins"), "not over yet");
    (0..3).for_each(|_| bench.step(vec![], 5));
    assert_eq!(health(&bench), "");
}

#[test]
fn proof_of_work_needs_models_and_disk_but_not_room() {
    let mut bench = Bench::new();
    let mut judged = 0;
    bench.station.prove(&mut judged).unwrap();
    bench.disk.set_capacity(Some(bench.disk.used()));
    bench.station.prove(&mut judged).unwrap();
    bench.disk.set_capacity(None);
    bench.disk.fail(crate::archive::sim::Fault::Sync("alive"));
    assert!(bench.station.prove(&mut judged).is_err());
}

#[test]
fn a_broker_that_sends_without_end_must_keep_what_cannot_be_stored() {
    let mut bench = Bench::new();
    bench.up(false);
    bench.disk.set_capacity(Some(bench.disk.used()));
    for i in 0..400 {
        let event = bench.delivery(Role::Line, "coil/start", &start(&format!("X{i}"), SIX));
        bench.step(vec![event], 0);
    }
    assert_eq!(bench.station.rows.waiting.len(), MAX_WAITING);
    assert_eq!((&bench.hung_up[..], &bench.acknowledged[..]), (&[][..], &[][..]), "the connection stays");
    bench.disk.set_capacity(None);
    (0..20).for_each(|_| bench.step(vec![], 1));
    let kept: Vec<u16> = (1..=MAX_WAITING as u16).collect();
    assert_eq!(bench.acknowledged, kept, "in order, and nothing behind what was dropped");
    assert_eq!(bench.hung_up, [1], "the rest is to be had by connecting again");
}

/// A message that nobody can tell whose it is counts for every open coil, and once, however often it is refused.
#[test]
fn what_cannot_be_read_is_counted_once_on_a_full_disk() {
    let mut bench = Bench::new();
    bench.up(false);
    for coil in ["A", "B", "C"] {
        bench.say("coil/start", &start(coil, SIX));
        bench.say("gauge", &rows(coil, 0, 10, 70.0));
    }
    // Room for what it says of one coil, and not of three.
    bench.disk.set_capacity(Some(bench.disk.used() + 15));
    bench.say("gauge", &json!({}));
    bench.step(vec![], 2);
    bench.disk.set_capacity(None);
    bench.step(vec![], 2);
    for coil in ["A", "B", "C"] {
        // 50 rows at the usual quarter of a metre explain 12.5 m, and 30 m are missing.
        bench.say("gauge", &rows(coil, 40, 66, 70.0));
        bench.say("coil/end", &end(coil, 66.0));
    }
    let mut bench = bench.restart();
    bench.up(true);
    for _ in 0..31 {
        bench.step(vec![], 1);
    }
    bench.confirm();
    let told = bench.on("assessment");
    assert_eq!(told.len(), 3);
    for assessment in told {
        let lost = assessment["reasons"].as_array().unwrap().iter().find(|r| r["code"] == "rows_lost");
        assert_eq!(lost.expect("rows are lost")["metres"], 17.5, "{assessment}");
    }
}
