//! Let in, and not allowed to do everything. A broker need not say so: what it acknowledges and throws away is
//! noticed because it does not come back.

use super::{Said, agent, broker, doctor, found};
use coilsight_models::message::Topics;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::{Mosquitto, dynamic_security, passwords};
use coilsight_tests::gateway::listener;
use coilsight_tests::gateway::plan::Plan;
use coilsight_tests::gateway::player::Player;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// mosquitto 2.0.11 acknowledges what it throws away, unless it may queue without limit: then it hangs up (it counts
/// what is queued against 0).
const ACKNOWLEDGES: &str = "max_queued_messages 1000";
const HANGS_UP: &str = "max_queued_messages 0";

const PATIENCE: Duration = Duration::from_mins(1);

/// A broker that lets `bench` do everything, and `agent` read the plant's topics and write these;
/// with `more` lines of configuration.
fn allows(test: &str, more: &str, write: &[&str]) -> Option<(tempfile::TempDir, Mosquitto)> {
    broker(test, |folder| {
        let passwords = passwords(folder, &[("agent", "secret"), ("bench", "secret")]);
        let mut rules = "user bench\ntopic readwrite #\nuser agent\ntopic read plant/gl2/#\n".to_owned();
        rules.extend(write.iter().map(|topic| format!("topic write plant/gl2/{topic}\n")));
        std::fs::write(folder.join("acl"), rules).unwrap();
        let acl = folder.join("acl");
        format!("password_file {}\nacl_file {}\n{more}\n", passwords.display(), acl.display())
    })
}

fn agent_of(folder: &Path, port: u16) -> Agent {
    let file = folder.join("password");
    std::fs::write(&file, "secret\n").unwrap();
    agent(folder, port, &format!("username = \"agent\"\npassword_file = \"{}\"", file.display()))
}

fn bench(port: u16, name: &str) -> Player {
    let login = Some(("bench".into(), "secret".into()));
    Player { host: "127.0.0.1".into(), port, client_id: format!("bench-{name}"), login, speed: 0.0 }
}

/// What the status's health says, once it says this.
fn status_says(port: u16, text: &str) {
    status_says_to(&bench(port, "ear"), text);
}

fn status_says_to(player: &Player, text: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let topics = Topics::default();
        let mut ear = listener::listen(player, &topics).await.unwrap();
        let status = topics.full(&topics.status);
        let says = |payload: &[u8]| {
            let status: Value = serde_json::from_slice(payload).unwrap_or_default();
            let health = status["health"].as_array().cloned().unwrap_or_default();
            health.iter().any(|trouble| trouble["text"].as_str().is_some_and(|t| t.contains(text)))
        };
        let heard =
            ear.until(PATIENCE, |all| all.iter().any(|m| m.topic == status && says(&m.payload))).await;
        assert!(heard, "the status does not say: {text}");
    });
}

/// One coil, so that there is a decision to publish.
fn one_coil(port: u16) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plan = Plan::short_coils(1, "plant/gl2", 1);
    runtime.block_on(bench(port, "gateway").play(&plan, &mut |_| {}));
}

fn only_warning(agent: &Agent, said: &Said<'_>) {
    agent.until_logged(said.text);
    let log = agent.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains(" WARN ")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains(said.text) && warnings[0].contains(said.to_do), "{}", warnings[0]);
}

#[test]
fn no_permission_to_write_assessments() {
    let test = "no_permission_to_write_assessments";
    let Some((folder, broker)) = allows(test, ACKNOWLEDGES, &["status", "notification", "disposition"])
    else {
        return;
    };
    let mut agent = agent_of(folder.path(), broker.port);
    agent.start();
    agent.until_logged_times("connected to the broker", 2);
    one_coil(broker.port);
    let to_do = "allow this agent's user to write plant/gl2/assessment";
    let text = "takes what this agent publishes to plant/gl2/assessment and passes nothing on";
    only_warning(&agent, &Said { check: "", text, to_do });
    status_says(broker.port, text);
    let text = "does not let this agent publish to plant/gl2/assessment";
    found(&doctor(&agent, 1), &Said { check: "publish", text, to_do });
}

#[test]
fn no_permission_to_write_the_status() {
    let test = "no_permission_to_write_the_status";
    let Some((folder, broker)) = allows(test, ACKNOWLEDGES, &["assessment", "notification", "disposition"])
    else {
        return;
    };
    let mut agent = agent_of(folder.path(), broker.port);
    agent.start();
    let to_do = "allow this agent's user to write plant/gl2/status";
    let text = "takes what this agent publishes to plant/gl2/status and passes nothing on";
    only_warning(&agent, &Said { check: "", text, to_do });
    let text = "does not let this agent publish to plant/gl2/status";
    let report = doctor(&agent, 1);
    found(&report, &Said { check: "publish", text, to_do });
    // Nor what becomes of bundles: a line judges without them.
    let bundles = report["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == "bundles");
    let bundles = bundles.unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!(bundles["grade"], "warning", "{report:#}");
    assert!(bundles["to_do"].as_str().unwrap().contains("plant/gl2/model/want"), "{report:#}");
}

#[test]
fn no_permission_and_a_broker_that_hangs_up() {
    let test = "no_permission_and_a_broker_that_hangs_up";
    let Some((folder, broker)) = allows(test, HANGS_UP, &["status", "notification"]) else { return };
    let mut agent = agent_of(folder.path(), broker.port);
    agent.start();
    agent.until_logged_times("connected to the broker", 2);
    one_coil(broker.port);
    let text = "the broker ends the connection soon after it begins";
    agent.until_logged(text);
    only_warning(&agent, &Said { check: "", text, to_do: "run `coilsight-agent doctor`" });
    status_says(broker.port, text);
    let report = doctor(&agent, 1);
    assert_eq!(report["faults"], 2, "{report:#}");
    let findings = report["findings"].as_array().unwrap();
    let faults: Vec<&Value> = findings.iter().filter(|finding| finding["grade"] == "fault").collect();
    // Its refusal may be lost as it hangs up.
    for (fault, topic) in faults.iter().zip(["assessment", "disposition"]) {
        let to_do = format!("allow this agent's user to write plant/gl2/{topic} at the broker");
        assert!(fault["to_do"].as_str().unwrap().contains(&to_do), "{report:#}");
    }
}

#[test]
fn a_refused_subscription() {
    let test = "a_refused_subscription";
    let Some(plugin) = dynamic_security(test) else { return };
    let lines = |folder: &Path| {
        let rules = plugin.rules(folder, "agent", "secret", &["plant/gl2/feedback", "plant/gl2/coil/end"]);
        format!("plugin {}\nplugin_opt_config_file {}\n", plugin.library().display(), rules.display())
    };
    let Some((folder, broker)) = broker(test, lines) else { return };
    let mut agent = agent_of(folder.path(), broker.port);
    agent.start();
    for topic in ["plant/gl2/coil/end", "plant/gl2/feedback"] {
        agent.until_logged(&format!(
            "does not let this agent listen to {topic}: allow this agent's user to read {topic}"
        ));
    }
    let text = "does not let this agent listen to plant/gl2/coil/end, plant/gl2/feedback";
    found(
        &doctor(&agent, 1),
        &Said { check: "listen", text, to_do: "at the broker, then restart the agent" },
    );
    // The plugin knows one user here.
    let mut agent_as_bench = bench(broker.port, "ear");
    agent_as_bench.login = Some(("agent".into(), "secret".into()));
    status_says_to(&agent_as_bench, "does not let this agent listen to plant/gl2/feedback");
}
