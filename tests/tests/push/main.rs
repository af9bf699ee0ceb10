//! The trainer's `bundle push` over a real mosquitto: lines that are cut, refusals, encryption. At the other end is
//! the agent's receiver behind the agent's own session, in this process.

mod access;
mod agents;
mod busy;
#[path = "../broker_refuses/certificates.rs"]
#[allow(dead_code)]
mod certificates;
mod cutter;
mod line;
mod state;
mod tls;

use coilsight_models::message::model::Stage;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::{golden_bundle, programs};
use cutter::Cutter;
use line::{Line, Verdict};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

const MIB: usize = 1 << 20;

/// A file that begins as the golden bundle does, and so long.
fn bundle(folder: &Path, bytes: usize) -> PathBuf {
    let mut content = std::fs::read(golden_bundle().0).unwrap();
    let mut noise = 1_u64;
    while content.len() < bytes {
        noise = noise.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        content.extend_from_slice(&noise.to_be_bytes()[..4]);
    }
    content.truncate(bytes);
    let path = folder.join("set.coilbundle");
    std::fs::write(&path, content).unwrap();
    path
}

/// `bundle push FILE --json`, under way.
fn push(file: &Path, port: u16, more: &[&str]) -> Child {
    let mut trainer = programs::trainer();
    trainer.args(["bundle", "push"]).arg(file).args(["--line", "gl2", "--json"]);
    if !more.contains(&"--timeout") {
        trainer.args(["--timeout", "120"]);
    }
    trainer.arg("--broker").arg(format!("127.0.0.1:{port}")).args(more);
    trainer.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What it printed as JSON, and whether it ended well.
fn told(output: &Output) -> (serde_json::Value, bool) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let told = serde_json::from_str(&stdout);
    let told = told.unwrap_or_else(|_| panic!("{stdout}\n{}", String::from_utf8_lossy(&output.stderr)));
    (told, output.status.success())
}

/// Pushes a file of so many MiB; the trainer's connection is cut after each of these MiB, the line's after those.
fn over_cut_lines(test: &str, mib: usize, trainers: &[usize], lines: &[usize]) {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    let file = bundle(folder.path(), mib * MIB);
    let trainer_way = Cutter::start(broker.port, trainers.iter().map(|at| at * MIB).collect());
    let line_way = Cutter::start(broker.port, lines.iter().map(|at| at * MIB).collect());
    let line = Line::start(line_way.port, folder.path(), Verdict::Stage);
    let began = std::time::Instant::now();
    let (told, fine) = told(&push(&file, trainer_way.port, &[]).wait_with_output().unwrap());
    let seconds = began.elapsed().as_secs_f64();
    let seen = line.stop();
    assert!(fine, "{told:#}");
    assert_eq!((told["state"].as_str(), told["reached"].as_bool()), (Some("staged"), Some(true)), "{told:#}");
    assert_eq!(seen.complete, [std::fs::read(&file).unwrap()], "what is complete is what was pushed");
    assert_eq!((trainer_way.cuts(), line_way.cuts()), (trainers.len(), lines.len()));
    let sent = trainer_way.carried() as f64 / (mib * MIB) as f64;
    println!(
        "{test}: {mib} MiB in {seconds:.1} s, sent {sent:.2} times over {} connections",
        trainers.len() + 1
    );
    assert!(sent < 1.5, "{sent:.2} times the file: what was stored is not sent again");
}

#[test]
fn twenty_mib_over_a_connection_that_is_cut_five_times() {
    over_cut_lines("twenty_mib_over_a_connection_that_is_cut_five_times", 20, &[2, 5, 9, 13, 18], &[]);
}

#[test]
fn the_line_loses_its_broker_as_well() {
    over_cut_lines("the_line_loses_its_broker_as_well", 8, &[1, 5], &[2, 3, 6]);
}

#[test]
fn a_refusal_is_shown_word_for_word() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start("a_refusal_is_shown_word_for_word", folder.path()) else { return };
    let file = bundle(folder.path(), 3 * MIB);
    let line = Line::start(broker.port, folder.path(), Verdict::RefuseFront);
    let output = push(&file, broker.port, &[]).wait_with_output().unwrap();
    let seen = line.stop();
    let (told, fine) = told(&output);
    assert!(!fine);
    assert_eq!(
        (told["state"].as_str(), told["reached"].as_bool()),
        (Some("refused"), Some(false)),
        "{told:#}"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("{}: {}", line::TO_DO, line::TEXT)), "{said}");
    assert_eq!(seen.complete.len(), 0);
    assert!(seen.pieces <= 16, "{} pieces of 48: the front was enough", seen.pieces);
}

#[test]
fn a_line_that_is_not_there_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start("a_line_that_is_not_there_is_said_to_be", folder.path()) else {
        return;
    };
    let file = bundle(folder.path(), MIB);
    let output = push(&file, broker.port, &["--timeout", "1"]).wait_with_output().unwrap();
    let (told, fine) = told(&output);
    assert!(!fine && told["state"].is_null(), "{told:#}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("look whether the line's agent runs"), "{said}");
}

#[test]
fn nobody_at_the_brokers_address_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = bundle(folder.path(), MIB);
    let port = coilsight_tests::broker::free_port();
    let output = push(&file, port, &[]).wait_with_output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("no connection to the broker at 127.0.0.1:{port}")), "{said}");
}

#[test]
fn a_push_waits_for_its_turn_to_decide() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start("a_push_waits_for_its_turn_to_decide", folder.path()) else { return };
    let file = bundle(folder.path(), MIB);
    let line = Line::start(broker.port, folder.path(), Verdict::StageThen(Stage::Active));
    let (told, fine) = told(&push(&file, broker.port, &["--wait", "active"]).wait_with_output().unwrap());
    assert!(fine && told["state"] == "active", "{told:#}");
    drop(line);
}
