//! A push while the line runs: no decision waits for it.

use super::agents::agent;
use super::{MIB, push, told};
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::bundles::{believed, large, signed};
use coilsight_tests::programs;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// No decision may come later after its coil's end, ms. Alone it takes tens of them; a busy machine is slower.
const BOUND_MS: f64 = 1000.0;

/// Coils at a hundred times the line's speed: a coil every few tenths of a second.
fn shift(port: u16, seed: &str) -> Child {
    let folder = Path::new(programs::agent().get_program()).parent().unwrap().to_owned();
    let mut gateway = Command::new(folder.join("bench-gateway"));
    gateway.args(["--broker", &format!("127.0.0.1:{port}"), "--coils", "12", "--speed", "100", "--json"]);
    gateway.args(["--seed", seed, "--prefix", "plant/gl2"]);
    gateway.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// How long decisions took, ms: the median and the worst.
fn took(gateway: Child) -> (f64, f64, f64) {
    let output = gateway.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["decisions"], report["wanted"], "{report:#}");
    let ms = |which: &str| report["end_to_decision_ms"][which].as_f64().unwrap();
    (ms("median"), ms("worst"), report["seconds"].as_f64().unwrap())
}

#[test]
fn a_push_under_a_running_line_delays_no_decision() {
    let test = "a_push_under_a_running_line_delays_no_decision";
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    let (port, folder) = (broker.port, folder.path());
    let key = believed(folder);
    let factory = signed(folder, "factory", &key, |_| ());
    let mut gl2 = agent(folder, "gl2", port, &factory);
    let alone = took(shift(port, "1"));
    let set = large(folder, "set", &key, 20 * MIB, |manifest| manifest["release"] = json!(2));
    let gateway = shift(port, "2");
    let pushed = told(&push(&set, port, &[]).wait_with_output().unwrap());
    let busy = took(gateway);
    assert!(pushed.1, "{:#}", pushed.0);
    println!(
        "{test}: from a coil's end to its decision, ms: {:.0} in the median, {:.0} at worst; under a push of 20 MiB ({:.1} of {:.1} s) \
         {:.0} and {:.0}",
        alone.0,
        alone.1,
        pushed.0["took_s"].as_f64().unwrap_or_default(),
        busy.2,
        busy.0,
        busy.1
    );
    assert!(busy.1 < BOUND_MS, "{} ms", busy.1);
    assert!(gl2.stop().success());
}
