//! A real broker (mosquitto) that does not let the agent do its work: each cause is said once in the log, in the
//! status if there is a connection, and by `doctor`, always with what to do.

mod certificates;
mod login;
mod permissions;
mod tls;

use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::programs;
use serde_json::Value;
use std::path::Path;

/// A failure, and what must be said about it.
struct Said<'a> {
    /// Which of the doctor's checks finds it.
    check: &'a str,
    /// What is wrong.
    text: &'a str,
    /// What to do.
    to_do: &'a str,
}

/// An agent for a broker, which tells of every try to connect; `more` is TOML after `[broker]`.
fn agent(folder: &Path, port: u16, more: &str) -> Agent {
    Agent::configure(folder, port, more).env("RUST_LOG", "coilsight_agent=debug")
}

/// Starts `agent`, lets it try again and again, and sees what it and the doctor say: this, once, and nothing else.
fn no_way(mut agent: Agent, said: &Said<'_>) {
    agent.start();
    // Two sessions, some tries each.
    agent.until_logged_times("no connection: ", 6);
    let log = agent.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains(" WARN ")).collect();
    assert_eq!(warnings.len(), 1, "one warning, not one a try:\n{log}");
    assert!(warnings[0].contains(said.text) && warnings[0].contains(said.to_do), "{}", warnings[0]);
    found(&doctor(&agent, 1), said);
    assert!(agent.stop().success(), "an orderly stop:\n{}", agent.log());
}

/// What the doctor finds, which ends with this exit code.
fn doctor(agent: &Agent, code: i32) -> Value {
    let output =
        programs::agent().args(["doctor", "--json", "--config"]).arg(agent.config()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The doctor's only fault is this one.
fn found(report: &Value, said: &Said<'_>) {
    let findings = report["findings"].as_array().unwrap();
    let faults: Vec<&Value> = findings.iter().filter(|finding| finding["grade"] == "fault").collect();
    assert_eq!((faults.len(), &report["faults"]), (1, &Value::from(1)), "{report:#}");
    let text = |key: &str| faults[0][key].as_str().unwrap().to_owned();
    assert_eq!(text("check"), said.check, "{report:#}");
    assert!(text("found").contains(said.text) && text("to_do").contains(said.to_do), "{report:#}");
}

/// A broker with these lines of configuration and a temporary folder that it shares with the agent.
fn broker(test: &str, lines: impl Fn(&Path) -> String) -> Option<(tempfile::TempDir, Mosquitto)> {
    let folder = tempfile::tempdir().unwrap();
    let broker = Mosquitto::with(test, folder.path(), &lines(folder.path()))?;
    Some((folder, broker))
}
