//! An ordinary day: start, work, an inspector's word, stop; and what the broker says of an agent that is lost.

use super::{decided, on, player, runtime};
use coilsight_models::message::Topics;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::gateway::listener::{self, Heard};
use coilsight_tests::gateway::plan::{Message, Plan};
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);

fn state_is(heard: &[Heard], state: &str) -> bool {
    on(heard, "status").last().is_some_and(|status| status["state"] == state)
}

#[test]
fn a_healthy_day_logs_no_warning_and_ends_in_order() {
    let test = "a_healthy_day_logs_no_warning_and_ends_in_order";
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    let mut agent = Agent::configure(folder.path(), broker.port, "");
    agent.start();
    let plan = Plan::short_coils(3, "plant/gl2", 5);
    let last = plan.messages.last().unwrap().clone();
    let word =
        json!({"coil_id": "B5-000001", "label": "NOK", "operator": "op-7", "at": "2026-03-02T08:00:00Z"});
    let word = Plan {
        messages: vec![Message {
            topic: "plant/gl2/feedback".into(),
            payload: word.to_string().into_bytes(),
            after: Duration::ZERO,
            ..last
        }],
    };
    let port = broker.port;
    let heard = runtime().block_on(async {
        let mut ear = listener::listen(&player(port, "listener", 0.0), &Topics::default()).await.unwrap();
        assert!(ear.until(SOON, |heard| state_is(heard, "online")).await, "{}", agent.log());
        player(port, "gateway", 0.0).play(&plan, &mut |_| {}).await;
        assert!(ear.until(SOON, decided(3, "")).await, "{}", agent.log());
        player(port, "gateway", 0.0).play(&word, &mut |_| {}).await;
        assert!(ear.until(SOON, |heard| !on(heard, "disposition").is_empty()).await, "{}", agent.log());
        assert!(agent.stop().success(), "{}", agent.log());
        assert!(ear.until(SOON, |heard| state_is(heard, "offline")).await);
        ear.all()
    });
    let disposition = &on(&heard, "disposition")[0];
    let decisions = on(&heard, "assessment");
    let of = decisions.iter().find(|d| d["coil_id"] == "B5-000001").unwrap();
    assert_eq!((&disposition["decision_id"], &disposition["label"]), (&of["decision_id"], &json!("NOK")));
    let farewell = on(&heard, "status").pop().unwrap();
    assert_eq!(farewell["sums"]["messages"]["received"], plan.messages.len() + 1);
    assert_eq!(farewell["queues"]["outbox"], 0);
    let log = agent.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    assert_eq!(log.matches("store: decided").count(), 3, "one line a coil: {log}");
}

#[test]
fn a_lost_agent_is_offline_by_its_last_will() {
    let test = "a_lost_agent_is_offline_by_its_last_will";
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    let mut agent = Agent::configure(folder.path(), broker.port, "");
    agent.start();
    let port = broker.port;
    runtime().block_on(async {
        let mut ear = listener::listen(&player(port, "listener", 0.0), &Topics::default()).await.unwrap();
        assert!(ear.until(SOON, |heard| state_is(heard, "online")).await, "{}", agent.log());
        agent.kill();
        assert!(ear.until(SOON, |heard| state_is(heard, "offline")).await);
        agent.start();
        assert!(ear.until(SOON, |heard| state_is(heard, "online")).await, "{}", agent.log());
    });
}
