//! A study with the real program: killed at any moment and started again, cut into shards, or in one go, the same results byte for
//! byte; cells that are missing, foreign or damaged are refused; gold is looked at once.

use coilsight_tests::programs::trainer;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// A folder with data, gold, and the study.
fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        std::fs::write(folder.join("base.yaml"), include_str!("../slurm/base.yaml")).unwrap();
        std::fs::write(folder.join("study.yaml"), include_str!("../slurm/study.yaml")).unwrap();
        for (name, seed) in [("train", "3"), ("gold", "4")] {
            let mut simulate = trainer();
            simulate.args(["simulate", "coils", "--count", "120", "--nok-share", "0.4", "--seed", seed]);
            right(simulate.args(["--short", "--name", name, "--out"]).arg(folder.join("data")));
        }
        folder
    })
}

fn study(out: &Path, more: &[&str]) -> Command {
    let mut command = trainer();
    command.arg("study").args(more.first().filter(|word| **word == "finish"));
    command.arg(made().join("study.yaml")).arg("--data").arg(made().join("data")).arg("--out").arg(out);
    command.args(more.iter().filter(|word| **word != "finish")).env("RAYON_NUM_THREADS", "2");
    command
}

fn right(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn refusal(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(!output.status.success(), "{command:?} was not refused");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Results of the study in one go, without final networks.
fn whole() -> &'static [u8] {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let out = tempfile::tempdir().unwrap();
        right(study(out.path(), &["--no-final", "--draws", "100"]).stderr(Stdio::null()));
        std::fs::read(out.path().join("results.json")).unwrap()
    })
}

fn results(out: &Path) -> Vec<u8> {
    std::fs::read(out.join("results.json")).unwrap()
}

#[test]
fn a_study_tells_every_configuration_and_looks_at_gold_once() {
    let out = tempfile::tempdir().unwrap();
    right(&mut study(out.path(), &["--draws", "100"]));
    assert!(results(out.path()) == whole(), "final networks and gold change no result");
    let told: Value = serde_json::from_slice(whole()).unwrap();
    let names: Vec<&str> = told["experiments"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|e| e["configurations"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()))
        .collect();
    assert_eq!(names, ["pool=avg-max", "pool=avg", "share=1", "share=0.5"]);
    let first = &told["experiments"][0]["configurations"][0];
    assert_eq!(first["cells"].as_array().unwrap().len(), 4);
    assert!(first["summary"]["roc_auc"]["mean"].as_f64().unwrap() > 0.6, "{}", first["summary"]["roc_auc"]);
    assert!(first["forward"]["roc_auc"]["value"].is_f64());
    let halved = &told["experiments"][1]["configurations"][1];
    assert_eq!((halved["share"].as_f64(), halved["parameters"] == first["parameters"]), (Some(0.5), true));
    assert_eq!(told["chosen"].as_array().unwrap().len(), 2);
    assert_eq!(told["between"].as_array().unwrap().len(), 1);

    // Two schools, a look each; finishing again looks at what was seen, not at gold.
    let ledger = || std::fs::read_to_string(out.path().join("gold-ledger.jsonl")).unwrap().lines().count();
    let gold = std::fs::read(out.path().join("gold.json")).unwrap();
    assert_eq!(ledger(), 2);
    right(&mut study(out.path(), &["finish", "--draws", "100"]));
    assert_eq!((ledger(), std::fs::read(out.path().join("gold.json")).unwrap()), (2, gold.clone()));
    let other = String::from_utf8(gold).unwrap().replace("pooling/pool", "pooling/other");
    std::fs::write(out.path().join("gold.json"), other).unwrap();
    let error = refusal(&mut study(out.path(), &["finish", "--draws", "100"]));
    assert!(error.contains("another choice"), "{error}");
}

#[test]
fn killed_again_and_again_it_comes_to_the_same_bytes() {
    let out = tempfile::tempdir().unwrap();
    let mut killed = 0;
    for wait in (20..).step_by(35) {
        let mut child = study(out.path(), &["--no-final", "--draws", "100"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        // Whenever it is: between two cells, in one, in an epoch, or while results are written.
        std::thread::sleep(Duration::from_millis(wait));
        if child.try_wait().unwrap().is_some_and(|status| status.success()) {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    assert!(killed >= 3, "only killed {killed} times");
    assert!(results(out.path()) == whole());
    let left = std::fs::read_dir(out.path().join("at-work")).unwrap().count();
    assert_eq!(left, 0, "what was at work is cleared away");
}

#[test]
fn three_shards_at_once_come_to_the_same_bytes() {
    let out = tempfile::tempdir().unwrap();
    let shards: Vec<_> = ["1/3", "2/3", "3/3"]
        .iter()
        .map(|shard| {
            let mut command = study(out.path(), &["--shard", shard]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts")
        })
        .collect();
    for shard in shards {
        let output = shard.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    right(&mut study(out.path(), &["finish", "--no-final", "--draws", "100"]));
    assert!(results(out.path()) == whole());
}

#[test]
fn missing_foreign_and_damaged_cells_are_refused() {
    let out = tempfile::tempdir().unwrap();
    right(&mut study(out.path(), &["--shard", "1/3"]));
    let finish = || study(out.path(), &["finish", "--no-final", "--draws", "100"]);
    let error = refusal(&mut finish());
    assert!(
        error.contains("16 of 24 cells are missing") && error.contains("coilsight-trainer study"),
        "{error}"
    );
    right(&mut study(out.path(), &["--no-final", "--draws", "100"]));
    let cells = out.path().join("store/cells");
    std::fs::write(cells.join("0123456789abcdef.json"), "{}").unwrap();
    let error = refusal(&mut finish());
    assert!(error.contains("not of this study") && error.contains("0123456789abcdef"), "{error}");
    std::fs::remove_file(cells.join("0123456789abcdef.json")).unwrap();
    let one = std::fs::read_dir(&cells).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read_to_string(&one).unwrap();
    for (damage, wanted) in [
        (whole[..whole.len() / 2].to_owned(), "damaged"),
        (whole.replacen("\"trainer\":\"", "\"trainer\":\"9.", 1), "mixed"),
        (whole.replacen("\"margins\":[", "\"margins\":[0.5,", 1), "every coil"),
        (whole.replacen("\"data_sha256\":\"", "\"data_sha256\":\"0", 1), "another cell"),
    ] {
        assert_ne!(damage, whole);
        std::fs::write(&one, damage).unwrap();
        let error = refusal(&mut finish());
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    std::fs::write(&one, &whole).unwrap();
    right(&mut finish());
}
