//! The live agent on a real broker (mosquitto): what it acknowledged is never lost, every pass has one decision,
//! whatever is killed. The long forms run with `COILSIGHT_FULL=1` (`./test --full`) and print figures.

mod flood;
mod gap;
mod orderly;
mod survive;
mod swaps;
mod week;

use coilsight_agent::archive::{Archive, Limits, RealDisk};
use coilsight_models::message::Topics;
use coilsight_models::message::assessment::Assessment;
use coilsight_tests::gateway::check::{self, Decisions, Told};
use coilsight_tests::gateway::listener::{Ear, Heard};
use coilsight_tests::gateway::plan::Plan;
use coilsight_tests::gateway::player::Player;
use coilsight_tests::{golden_bundle, programs};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Whether the long forms run.
fn full() -> bool {
    std::env::var_os("COILSIGHT_FULL").is_some()
}

fn player(port: u16, name: &str, speed: f64) -> Player {
    Player { host: "127.0.0.1".into(), port, client_id: format!("bench-{name}"), login: None, speed }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What an undisturbed replay of the same messages decides.
fn undisturbed(plan: &Plan, folder: &Path) -> Decisions {
    let recording = folder.join("plan.jsonl");
    plan.write(&recording).unwrap();
    let (bundle, key) = golden_bundle();
    let mut replay = programs::agent();
    replay.arg("replay").arg(&recording).arg("--bundle").arg(bundle).arg("--trust").arg(key).arg("--json");
    let output = replay.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    check::expected(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

/// Decisions in the archive of an agent that was stopped; each once, each confirmed by the broker.
fn archived(state: &Path) -> Decisions {
    let disk = RealDisk::new(state.join("archive")).unwrap();
    let (archive, recovery) = Archive::open(Arc::new(disk), state.join("views"), Limits::default()).unwrap();
    assert_eq!(recovery.gaps, []);
    let mut decisions = Decisions::new();
    for decision in archive.decisions() {
        let decision = decision.unwrap();
        let assessment: Assessment = serde_json::from_slice(&decision.json).unwrap();
        let before = decisions.insert(decision.decision_id, Told::of(&assessment));
        assert_eq!(before, None, "a decision is there twice");
    }
    assert_eq!(archive.outbox_len(10).unwrap(), 0, "something was never confirmed");
    archive.close().unwrap();
    decisions
}

/// Waits until the agent says that it is there: what is sent from now on finds its session.
async fn online(ear: &mut Ear) {
    let online =
        |heard: &[Heard]| on(heard, "status").last().is_some_and(|status| status["state"] == "online");
    assert!(ear.until(Duration::from_mins(1), online).await, "the agent does not come");
}

fn assessments() -> String {
    let topics = Topics::default();
    topics.full(&topics.assessment)
}

/// Whether `wanted` decisions, each once, were heard on coils whose id begins with `prefix`; looks at each message
/// once.
fn decided(wanted: usize, prefix: &'static str) -> impl FnMut(&[Heard]) -> bool {
    let (mut seen, mut from, topic) = (BTreeSet::new(), 0, assessments());
    move |heard| {
        for message in heard[from..].iter().filter(|message| message.topic == topic) {
            let assessment: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
            if assessment["coil_id"].as_str().is_some_and(|id| id.starts_with(prefix)) {
                seen.insert(assessment["decision_id"].as_str().unwrap().to_owned());
            }
        }
        from = heard.len();
        seen.len() >= wanted
    }
}

/// What was heard on a topic, as JSON.
fn on(heard: &[Heard], topic: &str) -> Vec<serde_json::Value> {
    let topic = format!("{}/{topic}", Topics::default().prefix);
    let on = heard.iter().filter(|message| message.topic == topic);
    on.map(|message| serde_json::from_slice(&message.payload).unwrap()).collect()
}
