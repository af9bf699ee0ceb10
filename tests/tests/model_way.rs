//! A model's way with the real programs: coils simulated, a run trained and resumed, a bundle built, signed,
//! verified and used on a recording; and each way in which a bundle must not get in.

use coilsight_tests::programs::{agent, trainer};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Small enough to train in seconds, otherwise of the same kind as the shipped settings.
const SETTINGS: &str = "
name: small
folds: 2
prepare:
  layout: stacked
  channels:
    - { signal: deviation, shift: 0.05, scale: 10, low: -3, high: 3 }
    - { signal: spread, shift: 0.018, scale: 80, low: -1, high: 4 }
  side: [nominal, class_a]
network:
  backbone:
    kind: cnn
    filters: [4, 8]
    pools: [{ after: 1, kernel: [4, 1] }]
    head: { features: [avg, max], hidden: 8, side_skip: true, feature_norm: true }
fit:
  epochs: 3
  epoch_items: 192
  batch: 16
  sampler: { kind: balanced, nok_share: 0.5 }
  optimizer: { learning_rate: 0.01 }
  ema: 0.9
  early_stop: null
augment: { flip_length: 0.5, swap_sides: 0.5, gauge_gain: 0.01 }
";

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}\n{told}");
    output
}

/// What a command says as it refuses.
fn refusal(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(!output.status.success(), "{command:?} was not refused");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON on standard output")
}

/// A folder with data, a trained run, keys and a bundle, made once.
fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let at = |name: &str| folder.join(name);
        std::fs::write(at("small.yaml"), SETTINGS).unwrap();
        for (name, seed) in [("train", "3"), ("gold", "4")] {
            let mut simulate = trainer();
            simulate.args(["simulate", "coils", "--count", "160", "--nok-share", "0.5", "--seed", seed]);
            run(simulate.args(["--short", "--name", name, "--out"]).arg(at("data")));
        }
        run(train(&folder, "run"));
        run(trainer().args(["keygen", "trainer", "--no-password", "--out"]).arg(at("keys")));
        run(build(&folder, "run", "small.coilbundle"));
        folder
    })
}

fn train<'a>(folder: &Path, name: &str) -> &'a mut Command {
    let mut command = trainer();
    command.arg("train").arg(folder.join("small.yaml")).arg("--data").arg(folder.join("data"));
    command.arg("--json").arg("--out").arg(folder.join(name));
    Box::leak(Box::new(command))
}

fn build<'a>(folder: &Path, name: &str, out: &str) -> &'a mut Command {
    let mut command = trainer();
    command
        .args(["bundle", "build"])
        .arg(folder.join(name))
        .arg("--key")
        .arg(folder.join("keys/trainer.key"));
    command
        .args(["--release", "7", "--plant", "*", "--line", "gl2", "--json", "--out"])
        .arg(folder.join(out));
    Box::leak(Box::new(command))
}

fn verify<'a>(bundle: &Path, key: &Path) -> &'a mut Command {
    let mut command = agent();
    command.args(["bundle", "verify"]).arg(bundle).arg("--trust").arg(key);
    Box::leak(Box::new(command))
}

#[test]
fn a_run_says_what_it_is_and_resumes_only_as_it_began() {
    let folder = made();
    let again = json(&run(train(folder, "run")));
    assert_eq!((again["coils"].as_u64(), again["trainer"].is_string()), (Some(160), true));
    let ap = again["out_of_fold"]["overall"]["average_precision"]["value"].as_f64().unwrap();
    assert!(ap > 0.6, "half of the coils are NOK: {ap}");
    let other = SETTINGS.replace("epochs: 3", "epochs: 4");
    std::fs::write(folder.join("other.yaml"), other).unwrap();
    let mut changed = trainer();
    changed.arg("train").arg(folder.join("other.yaml")).arg("--data").arg(folder.join("data"));
    assert!(refusal(changed.arg("--out").arg(folder.join("run"))).contains("begun with other settings"));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let folder = made();
    let mut again = json(&run(train(folder, "run-again")));
    let mut first: Value =
        serde_json::from_slice(&std::fs::read(folder.join("run/run.json")).unwrap()).unwrap();
    // All but what the clock says.
    for record in [&mut first, &mut again] {
        assert!(record["cost"].take().is_object());
    }
    assert_eq!(again, first);
    let weights =
        |name: &str| std::fs::read(folder.join(name).join("final/member-0/best.safetensors")).unwrap();
    assert!(weights("run") == weights("run-again"), "other weights");
}

#[test]
fn the_bundle_judges_as_the_run_does_and_gold_is_on_record() {
    let folder = made();
    let evaluate = |of: &str, set: &str| {
        let mut command = trainer();
        command.arg("evaluate").arg(folder.join(of)).args(["--json", "--set", set, "--data"]);
        command.arg(folder.join("data")).arg("--trust").arg(folder.join("keys/trainer.pub"));
        json(&run(&mut command))
    };
    let (run, bundle) = (evaluate("run", "train"), evaluate("small.coilbundle", "train"));
    let found = |e: &Value| e["report"]["overall"]["roc_auc"]["value"].as_f64().unwrap();
    assert!((found(&run) - found(&bundle)).abs() < 0.02, "{} {}", found(&run), found(&bundle));
    assert_eq!(run["looks_at_gold"], Value::Null);
    assert_eq!(evaluate("run", "gold")["looks_at_gold"], 1);
    assert_eq!(evaluate("run", "gold")["looks_at_gold"], 2);
    let ledger = std::fs::read_to_string(folder.join("run/gold-ledger.jsonl")).unwrap();
    assert_eq!(ledger.lines().count(), 2);
}

#[test]
fn gold_is_not_trained_on_even_under_another_name() {
    let folder = made();
    let hidden = tempfile::tempdir().unwrap();
    for part in ["-mean.npy", "-std.npy", ".csv"] {
        let gold = folder.join("data").join(format!("gold{part}"));
        std::fs::copy(&gold, hidden.path().join(format!("train{part}"))).unwrap();
        std::fs::copy(&gold, hidden.path().join(format!("gold{part}"))).unwrap();
    }
    let mut command = trainer();
    command.arg("train").arg(folder.join("small.yaml")).arg("--data").arg(hidden.path());
    let told = refusal(command.arg("--out").arg(hidden.path().join("run")));
    assert!(told.contains("gold set"), "{told}");
}

#[test]
fn a_signed_bundle_is_used_on_a_recording() {
    let folder = made();
    let key = folder.join("keys/trainer.pub");
    run(verify(&folder.join("small.coilbundle"), &key));
    let mut simulate = trainer();
    simulate.args(["simulate", "recording", "--count", "3", "--short", "--name", "shift", "--out"]);
    run(simulate.arg(folder.join("shift")));
    let mut replay = agent();
    replay.arg("replay").arg(folder.join("shift/shift.jsonl")).arg("--bundle");
    let out = run(replay.arg(folder.join("small.coilbundle")).arg("--json").arg("--trust").arg(&key));
    let decisions: Vec<Value> = String::from_utf8(out.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).expect("a decision a line"))
        .collect();
    assert_eq!(decisions.len(), 3);
    assert!(decisions.iter().all(|d| d["model"]["release"] == 7 && d["p_nok"].is_number()));
    let sums: Value = serde_json::from_slice(&out.stderr).expect("the sums on standard error");
    assert_eq!((&sums["adds_up"], &sums["decisions"]), (&Value::Bool(true), &Value::from(3)));
}

#[test]
fn what_is_not_signed_whole_and_meant_for_here_is_refused() {
    let folder = made();
    let key = folder.join("keys/trainer.pub");
    let good = std::fs::read(folder.join("small.coilbundle")).unwrap();
    let bad = |name: &str, bytes: &[u8]| {
        let file = folder.join(name);
        std::fs::write(&file, bytes).unwrap();
        refusal(verify(&file, &key))
    };
    let mut changed = good.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    assert!(bad("changed.coilbundle", &changed).contains("SHA-256"));
    bad("cut.coilbundle", &good[..good.len() - 1]);
    bad("longer.coilbundle", &[&good[..], b"x"].concat());
    bad("empty.coilbundle", b"");
    run(trainer().args(["keygen", "stranger", "--no-password", "--out"]).arg(folder.join("keys")));
    let told = refusal(verify(&folder.join("small.coilbundle"), &folder.join("keys/stranger.pub")));
    assert!(told.contains("refused"), "{told}");
    let elsewhere = refusal(verify(&folder.join("small.coilbundle"), &key).args(["--line", "gl9"]));
    assert!(elsewhere.contains("gl9"), "{elsewhere}");
    let demo = coilsight_tests::root().join("agent/demo");
    let told =
        refusal(verify(&demo.join("demo.coilbundle"), &demo.join("demo-only.pub")).args(["--line", "demo"]));
    assert!(told.contains("demo's key"), "{told}");
}
