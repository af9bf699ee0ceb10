//! A broker that loses what it had in memory: the gap is told, and the coil goes to a person.

use super::{decided, on, online, player, runtime};
use coilsight_models::message::Topics;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::gateway::listener;
use coilsight_tests::gateway::plan::Plan;
use std::time::Duration;

#[test]
fn a_broker_that_crashes_with_its_memory_is_a_gap_and_the_coil_a_persons() {
    let test = "a_broker_that_crashes_with_its_memory_is_a_gap_and_the_coil_a_persons";
    let folder = tempfile::tempdir().unwrap();
    // No persistence: what the broker holds for the agent lies in memory alone.
    let Some(mut broker) = Mosquitto::with(test, folder.path(), "allow_anonymous true\n") else { return };
    let mut agent = Agent::configure(folder.path(), broker.port, "[line]\nlate_rows_s = 1\n");
    let whole = Plan::short_coils(1, "plant/gl2", 3);
    let part = |from: usize, to: usize| Plan { messages: whole.messages[from..to].to_vec() };
    let n = whole.messages.len();
    assert!(n >= 7, "start, five batches, end");
    let send = |plan: &Plan| {
        runtime().block_on(player(broker_port(&broker), "gateway", 0.0).play(plan, &mut |_| {}))
    };
    agent.start();
    runtime().block_on(async {
        let mut ear = listener::listen(&player(broker.port, "early", 0.0), &Topics::default()).await.unwrap();
        online(&mut ear).await;
    });
    send(&part(0, 3));
    // The agent is away, and the broker holds two batches for it when it crashes.
    assert!(agent.stop().success());
    send(&part(3, 5));
    broker.kill();
    broker.again();
    let port = broker.port;
    let heard = runtime().block_on(async {
        let mut ear = listener::listen(&player(port, "listener", 0.0), &Topics::default()).await.unwrap();
        agent.start();
        let told = |heard: &[listener::Heard]| {
            on(heard, "notification")
                .iter()
                .any(|n| n["text"].as_str().unwrap_or_default().contains("forgotten"))
        };
        assert!(ear.until(Duration::from_mins(1), told).await, "the gap is told: {}", agent.log());
        player(port, "gateway", 0.0).play(&part(5, n), &mut |_| {}).await;
        // The decision, and that its record has a gap.
        let mut one = decided(1, "");
        let told = |heard: &[listener::Heard]| {
            let of_coil = |n: &serde_json::Value| n["topic"] == "gap_in_record" && !n["coil_id"].is_null();
            one(heard) && on(heard, "notification").iter().any(of_coil)
        };
        assert!(ear.until(Duration::from_mins(1), told).await, "{}", agent.log());
        ear.all()
    });
    let decision = &on(&heard, "assessment")[0];
    assert_eq!(decision["verdict"], "REVIEW");
    let reasons = decision["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason["code"] == "rows_lost"), "{reasons:?}");
    let notices = on(&heard, "notification");
    let gap = notices.iter().find(|n| n["topic"] == "gap_in_record" && !n["coil_id"].is_null()).unwrap();
    assert_eq!(gap["coil_id"], decision["coil_id"]);
    assert_ne!(gap["to_do"], "", "and what to do is said");
    assert!(agent.log().contains("forgotten this agent's session"));
}

fn broker_port(broker: &Mosquitto) -> u16 {
    broker.port
}
