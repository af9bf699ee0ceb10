//! Every network's way with the real programs: trained for a moment, exported, compared, bundled, signed, and used on a
//! recording by the agent.
//!
//! `COILSIGHT_PROBES` names a folder for what ONNX Runtime is then asked (`./test` does so). The large networks of both families
//! run with `COILSIGHT_FULL=1`.

use coilsight_tests::programs::{agent, trainer};
use coilsight_tests::skip;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// How far f32 ONNX in tract may be from the training engine, which sums in another order: logits (of the logit where
/// that is more than 1) and P(NOK).
const ENGINE: f64 = 1e-4;

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}\n{told}");
    output
}

/// Coils, a recording and keys, made once.
fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let mut simulate = trainer();
        simulate.args(["simulate", "coils", "--count", "32", "--nok-share", "0.5", "--seed", "5", "--short"]);
        run(simulate.args(["--name", "train", "--out"]).arg(folder.join("data")));
        let mut simulate = trainer();
        simulate.args(["simulate", "recording", "--count", "2", "--short", "--name", "shift", "--out"]);
        run(simulate.arg(folder.join("shift")));
        run(trainer().args(["keygen", "trainer", "--no-password", "--out"]).arg(folder.join("keys")));
        folder
    })
}

/// A learning rate at which a moment's training changes a small network.
const QUICK: f64 = 0.002;
/// One that leaves a large network's activations in ranges that eight bits can hold: the parity gate lets no other through.
const GENTLE: f64 = 0.0003;

/// What of the parity gate is borne.
#[derive(Clone, Copy, PartialEq)]
enum Gate {
    /// It lets int8 through.
    Passes,
    /// It may refuse int8: EfficientNet-Lites, hardly trained, have batch norms that leave nothing that eight bits can
    /// hold. The network is then released in f32, as a user would.
    MayRefuse,
}

/// Trains, compares, bundles and replays a network; `rest` are further settings.
fn try_out(name: &str, network: &str, rate: f64, rest: &str, gate: Gate) {
    let folder = made();
    let at = |what: &str| folder.join(format!("{name}{what}"));
    let settings = format!(
        "
name: {name}
folds: 2
forward: []
prepare:
  layout: beside
  channels:
    - {{ signal: deviation, shift: 0.05, scale: 10, low: -3, high: 3 }}
    - {{ signal: gauge_deviation, shift: 0, scale: 15, low: -4, high: 4 }}
    - {{ signal: spread, shift: 0.018, scale: 80, low: -1, high: 4 }}
  side: [nominal, class_a]
network: {network}
fit:
  epochs: 4
  epoch_items: 32
  batch: 8
  sampler: {{ kind: balanced, nok_share: 0.5 }}
  optimizer: {{ learning_rate: {rate} }}
  early_stop: null
augment: {{ flip_length: 0.5, swap_sides: 0.5, gauge_gain: 0.01 }}
{rest}"
    );
    std::fs::write(at(".yaml"), settings).expect("settings");
    let mut train = trainer();
    train.arg("train").arg(at(".yaml")).arg("--data").arg(folder.join("data")).arg("--out").arg(at(""));
    run(&mut train);
    for file in ["args.yaml", "config.json", "environment.json", "splits.csv", "oof.csv", "run.json"] {
        assert!(at("").join(file).is_file(), "{name}: {file}");
    }
    for file in ["best.safetensors", "last.safetensors", "results.csv"] {
        assert!(at("").join("final/member-0").join(file).is_file(), "{name}: {file}");
    }
    compare(name);
    let mut build = trainer();
    build.args(["bundle", "build"]).arg(at("")).arg("--key").arg(folder.join("keys/trainer.key"));
    build.args(["--release", "1", "--plant", "*", "--line", "*", "--out"]).arg(at(".coilbundle"));
    let mut built = build.output().expect("the program starts");
    let refused = String::from_utf8_lossy(&built.stderr).contains("P(NOK) of the int8 export");
    if refused && gate == Gate::MayRefuse {
        println!("{name}: int8 is refused, released in f32");
        built = run(build.arg("--f32"));
    }
    assert!(built.status.success(), "{name}: {}", String::from_utf8_lossy(&built.stderr));
    let mut replay = agent();
    replay.arg("replay").arg(folder.join("shift/shift.jsonl")).arg("--bundle").arg(at(".coilbundle"));
    let out = run(replay.arg("--json").arg("--trust").arg(folder.join("keys/trainer.pub")));
    let text = String::from_utf8(out.stdout).expect("text");
    let decisions: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("a decision")).collect();
    assert_eq!(decisions.len(), 2, "{name}");
    assert!(decisions.iter().all(|d| d["p_nok"].is_number()), "{name}: {decisions:?}");
    std::fs::remove_dir_all(at("")).expect("large");
}

/// The training engine against f32 ONNX in tract; what ONNX Runtime is asked goes to the probes.
fn compare(name: &str) {
    let mut parity = trainer();
    parity.arg("parity").arg(made().join(name)).arg("--json").arg("--data").arg(made().join("data"));
    if let Some(probes) = std::env::var_os("COILSIGHT_PROBES") {
        parity.arg("--probe").arg(PathBuf::from(probes).join(name));
    }
    let found: Value = serde_json::from_slice(&run(&mut parity).stdout).expect("JSON");
    let off = found["engine_to_f32_logit"].as_f64().expect("a number");
    println!("{name}: logits {off:.1e} off, P(NOK) int8 {} off at most", found["f32_to_int8_p_max"]);
    let p = found["engine_to_f32_p"].as_f64().expect("a number");
    assert!(off <= ENGINE && p <= ENGINE, "{name}: {found}");
}

fn yolov8(size: &str) -> String {
    format!("{{ backbone: {{ kind: yolov8-cls, size: {size} }} }}")
}

fn lite(size: usize) -> String {
    format!("{{ weights: {}, backbone: {{ kind: efficientnet-lite, size: {size} }} }}", lite_weights(size))
}

/// Genuine weights where they were fetched: those have statistics that a moment's training does not make.
fn lite_weights(size: usize) -> String {
    let list = run(trainer().args(["weights", "list", "--json"])).stdout;
    let list: Value = serde_json::from_slice(&list).expect("JSON");
    let here = list[size]["here"].is_string();
    if here { format!("efficientnet-lite{size}") } else { "random".into() }
}

#[test]
fn yolov8n_reaches_the_line() {
    try_out("yolov8n", &yolov8("n"), GENTLE, "", Gate::Passes);
}

#[test]
fn efficientnet_lite0_with_frozen_stages_kept_reaches_the_line() {
    let weights = lite_weights(0);
    let network = format!(
        "{{ weights: {weights}, freeze: 4, backbone: {{ kind: efficientnet-lite, size: 0, \
         head: {{ stages: [2, 5, 8], features: [avg, max], feature_norm: true }} }} }}"
    );
    try_out("efficientnet-lite0", &network, QUICK, "keep: { draws: 2 }", Gate::MayRefuse);
}

#[test]
fn a_siamese_network_reaches_the_line() {
    let network = "{ siamese: { embedding: 16 }, backbone: { kind: cnn, filters: [8, 8, 12], \
                   pools: [{ after: 1, kernel: [2, 2] }, { after: 2, kernel: [2, 2] }], head: { features: [avg, max] } } }";
    try_out("siamese", network, QUICK, "", Gate::Passes);
}

#[test]
fn a_siamese_network_judged_by_the_cosine_reaches_the_line() {
    let network = "{ siamese: { embedding: 8, distance: cosine, loss: { kind: supervised, temperature: 0.5 }, \
                   references: { average: nearest } }, backbone: { kind: cnn, filters: [8, 8, 12], \
                   pools: [{ after: 1, kernel: [2, 2] }, { after: 2, kernel: [2, 2] }], head: { features: [avg, max] } } }";
    try_out("siamese-cosine", network, QUICK, "", Gate::Passes);
}

#[test]
fn the_second_papers_encoder_reaches_the_line() {
    try_out("surface", "{ siamese: { embedding: 5 }, backbone: { kind: surface } }", QUICK, "", Gate::Passes);
}

/// Whether what takes minutes is wanted; says so if not.
fn is_full(test: &str) -> bool {
    let full = std::env::var_os("COILSIGHT_FULL").is_some();
    if !full {
        skip::say(test, "run by ./test --full");
    }
    full
}

#[test]
fn the_large_yolov8_reach_the_line() {
    if is_full("the large YOLOv8 reach the line") {
        for size in ["s", "m", "l", "x"] {
            try_out(&format!("yolov8{size}"), &yolov8(size), GENTLE, "", Gate::Passes);
        }
    }
}

#[test]
fn the_large_efficientnet_lites_reach_the_line() {
    if is_full("the large EfficientNet-Lites reach the line") {
        for size in 1..5 {
            try_out(&format!("efficientnet-lite{size}"), &lite(size), QUICK, "", Gate::MayRefuse);
        }
    }
}
