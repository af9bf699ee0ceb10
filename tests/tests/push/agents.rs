//! Two real agents and the trainer on one broker: what is pushed to one line takes over there, and leaves the other
//! alone; what must not get in is refused in the agent's own words.

use super::cutter::Cutter;
use super::{MIB, push, told};
use coilsight_models::message::model::State;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::bundles::{believed, large, signed};
use coilsight_tests::programs;
use minisign::KeyPair;
use serde_json::json;
use std::path::Path;

/// An agent of a line, started, that believes `key` and was delivered with `factory`.
pub fn agent(folder: &Path, line: &str, port: u16, factory: &Path) -> Agent {
    agent_with(folder, line, port, factory, "")
}

/// The same with more lines in its configuration, after `[broker]`.
pub fn agent_with(folder: &Path, line: &str, port: u16, factory: &Path, more: &str) -> Agent {
    let own = folder.join(line);
    std::fs::create_dir(&own).unwrap();
    let text = |path: &Path| path.display().to_string();
    let mut agent = Agent::configure(&own, port, &format!("client_id = \"{line}\"\n{more}"))
        .env("COILSIGHT__LINE__ID", line)
        .env("COILSIGHT__LINE__TOPICS__PREFIX", &format!("plant/{line}"))
        .env("COILSIGHT__BUNDLE__TRUST", &text(&folder.join("trust")))
        .env("COILSIGHT__BUNDLE__FILE", &text(factory))
        .env("COILSIGHT__UPDATE__SHADOW_COILS", "0");
    agent.start();
    agent.until_logged_times("connected to the broker", 3);
    agent
}

/// The release that decides, as `coilsight-trainer line` reads it.
fn active(line: &str, port: u16) -> u64 {
    let broker = format!("127.0.0.1:{port}");
    let output =
        programs::trainer().args(["line", "--line", line, "--broker", &broker, "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    State::parse(&output.stdout).unwrap().active.expect("a set that decides").release
}

#[test]
fn a_push_takes_over_on_one_line_and_leaves_the_other_alone() {
    let test = "a_push_takes_over_on_one_line_and_leaves_the_other_alone";
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    let (port, folder) = (broker.port, folder.path());
    let key = believed(folder);
    let factory = signed(folder, "factory", &key, |manifest| manifest["lines"] = json!(["gl2", "gl3"]));
    let (mut gl2, mut gl3) = (agent(folder, "gl2", port, &factory), agent(folder, "gl3", port, &factory));
    assert_eq!((active("gl2", port), active("gl3", port)), (1, 1));

    let second = signed(folder, "second", &key, |manifest| manifest["release"] = json!(2));
    for _ in 0..2 {
        // The second time it is there already, and is not sent again.
        let (told, fine) = told(&push(&second, port, &["--wait", "active"]).wait_with_output().unwrap());
        assert!(fine && told["state"] == "active", "{told:#}");
    }
    assert_eq!((active("gl2", port), active("gl3", port)), (2, 1));

    let refused = |file: &Path, line: &str, text: &str| {
        let to = format!("plant/{line}");
        let output = push(file, port, &["--prefix", &to]).wait_with_output().unwrap();
        let (told, fine) = told(&output);
        assert!(!fine && told["state"] == "refused", "{told:#}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(text), "{said}");
    };
    refused(&second, "gl3", "(wrong line)");
    let old = signed(folder, "old", &key, |manifest| manifest["name"] = json!("another"));
    refused(&old, "gl2", "(rollback)");
    let stranger = KeyPair::generate_unencrypted_keypair().unwrap();
    let strange = signed(folder, "strange", &stranger, |manifest| manifest["release"] = json!(3));
    refused(&strange, "gl2", "(arbitrary installation)");
    let mut longer = std::fs::read(signed(folder, "longer", &key, |m| m["release"] = json!(3))).unwrap();
    longer.extend_from_slice(b"more");
    std::fs::write(folder.join("longer"), &longer).unwrap();
    refused(&folder.join("longer"), "gl2", "(endless data)");
    longer.truncate(longer.len() - 5);
    std::fs::write(folder.join("longer"), &longer).unwrap();
    refused(&folder.join("longer"), "gl2", "(partial delivery)");
    assert_eq!((active("gl2", port), active("gl3", port)), (2, 1));
    assert!(gl2.stop().success() && gl3.stop().success());
}

#[test]
fn twenty_mib_for_a_real_line_over_a_connection_that_is_cut_five_times() {
    let test = "twenty_mib_for_a_real_line_over_a_connection_that_is_cut_five_times";
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    let folder = folder.path();
    let key = believed(folder);
    let factory = signed(folder, "factory", &key, |_| ());
    let mut gl2 = agent(folder, "gl2", broker.port, &factory);
    let before = gl2.memory().1;
    let set = large(folder, "set", &key, 20 * MIB, |manifest| manifest["release"] = json!(2));
    let way = Cutter::start(broker.port, [2, 5, 9, 13, 18].map(|at| at * MIB).to_vec());
    let began = std::time::Instant::now();
    let (told, fine) = told(&push(&set, way.port, &[]).wait_with_output().unwrap());
    assert!(fine, "{told:#}\n{}", gl2.log());
    assert_eq!(way.cuts(), 5);
    let (seconds, memory) = (began.elapsed().as_secs_f64(), gl2.memory().1);
    println!(
        "{test}: {seconds:.1} s to {}, the agent's memory at most {} MiB, before {} MiB",
        told["state"],
        memory / MIB as u64,
        before / MIB as u64
    );
    assert!(gl2.stop().success());
}
