//! The study as runs of `MLflow`'s file store: a folder `mlruns` with an experiment and a run for each configuration.
//!
//! Look at them with `mlflow ui --backend-store-uri FOLDER/mlruns`. To bring them to a server:
//! `mlflow-export-import`'s `export-experiment` from that store, then `import-experiment` to the server's.
//!
//! A run has the mean of each metric under the metric's own name, with `_sd`, and `_low` and `_high` of the interval by coil,
//! `_day_low` and `_day_high` by day; `cell_METRIC` has a step for each cell. Times are zero: a report tells the same whenever it is
//! made. The experiment's number and the runs' come from digests, so that several studies can lie in one folder.

use super::Told;
use super::names::{METRICS, key, school};
use crate::study::results::{Configuration, Experiment};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::PathBuf;

/// Most characters of a parameter's value (`MLflow`: 6,000) and of a tag's.
const MAX: usize = 5_000;

/// Paths below the report's folder, and what they hold.
pub fn files(told: &Told) -> Vec<(PathBuf, Vec<u8>)> {
    let results = told.results;
    let number = number(&format!("{} {}", results.name, results.data.sha256));
    let top = PathBuf::from("mlruns").join(&number);
    let place = format!("mlruns/{number}");
    let experiment = format!(
        "artifact_location: {place}\ncreation_time: 0\nexperiment_id: '{number}'\nlast_update_time: 0\nlifecycle_stage: active\nname: {}\n",
        quoted(&results.name)
    );
    let mut files = vec![(top.join("meta.yaml"), experiment.into_bytes())];
    for e in &results.experiments {
        for c in &e.configurations {
            let name = format!("{}/{}", e.name, c.name);
            let digest = Sha256::digest(format!("{} {} {name}", results.name, results.data.sha256));
            let id = digest[..16].iter().fold(String::new(), |mut id, byte| {
                let _ = write!(id, "{byte:02x}");
                id
            });
            let told_name = quoted(&name);
            let meta = format!(
                "artifact_uri: {place}/{id}/artifacts\nend_time: 0\nentry_point_name: ''\nexperiment_id: '{number}'\nlifecycle_stage: active\n\
                 run_id: '{id}'\nrun_name: {told_name}\nrun_uuid: '{id}'\nsource_name: ''\nsource_type: 4\nsource_version: ''\n\
                 start_time: 0\nstatus: 3\ntags: []\nuser_id: ''\n"
            );
            let run = top.join(&id);
            files.push((run.join("meta.yaml"), meta.into_bytes()));
            let tags = [
                ("mlflow.runName", name.clone()),
                ("mlflow.source.name", told.command.to_owned()),
                ("mlflow.note.content", e.title.clone()),
            ];
            let put =
                |folder: &str, name: &str, text: String| (run.join(folder).join(name), text.into_bytes());
            files.extend(tags.map(|(tag, text)| put("tags", tag, line(&text))));
            files.extend(
                params(told, e, c).into_iter().map(|(param, text)| put("params", &param, line(&text))),
            );
            files.extend(metrics(c).into_iter().map(|(metric, text)| put("metrics", &metric, text)));
            if let Ok(json) = serde_json::to_vec_pretty(c) {
                files.push((run.join("artifacts").join("configuration.json"), json));
            }
        }
    }
    files
}

/// A number for an experiment: eighteen digits, as `MLflow` makes them.
fn number(of: &str) -> String {
    let digest = Sha256::digest(of);
    let bytes = digest[..8].try_into().map_or(0, u64::from_be_bytes);
    (100_000_000_000_000_000 + bytes % 900_000_000_000_000_000).to_string()
}

/// A string that YAML reads as it is: JSON is YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One line, not too long.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX).collect()
}

/// A name that is a file's and that `MLflow` takes: letters, digits, `_`, `-`, `.`, and blanks.
fn file_name(text: &str) -> String {
    let own = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    text.chars().map(own).take(100).collect()
}

fn params(told: &Told, e: &Experiment, c: &Configuration) -> Vec<(String, String)> {
    let results = told.results;
    let mut params: Vec<(String, String)> = [
        ("study", results.name.clone()),
        ("experiment", e.name.clone()),
        ("configuration", c.name.clone()),
        ("school", school(e.school).into()),
        ("network", c.network.clone()),
        ("weight_origin", c.weight_origin.clone()),
        ("parameters", c.parameters.to_string()),
        ("trainable", c.trainable.to_string()),
        ("share", c.share.to_string()),
        ("data_sha256", results.data.sha256.clone()),
        ("trainer", results.trainer.clone()),
        ("seed", results.seed.to_string()),
        ("folds", results.folds.to_string()),
        ("repeats", results.repeats.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    // Prefixed: an axis may be called like one of the above.
    params.extend(
        e.axes
            .iter()
            .zip(&c.point)
            .map(|((name, _), value)| (format!("axis_{}", file_name(name)), value.clone())),
    );
    params
}

/// Lines of `time value step`.
fn metrics(c: &Configuration) -> Vec<(String, String)> {
    let mut found: Vec<(String, f64)> = Vec::new();
    let mut add =
        |name: String, value: Option<f64>| found.extend(value.filter(|v| v.is_finite()).map(|v| (name, v)));
    for m in METRICS {
        let Some(of) = c.summary.get(&m) else { continue };
        let name = key(m);
        add(name.into(), of.mean);
        add(format!("{name}_sd"), of.sd);
        for (end, interval) in [("", of.by_coil.interval), ("_day", of.by_day.interval)] {
            add(format!("{name}{end}_low"), interval.map(|i| i.low));
            add(format!("{name}{end}_high"), interval.map(|i| i.high));
        }
    }
    if let Some(forward) = &c.forward {
        add("forward_f1_nok".into(), forward.f1_nok.value);
        add("forward_roc_auc".into(), forward.roc_auc.value);
        add("forward_average_precision".into(), forward.average_precision.value);
    }
    if let Some(line) = c.on_the_line.get("all").and_then(Option::as_ref) {
        add("false_alarms_per_1000".into(), Some(line.false_alarms));
        add("misses_per_1000".into(), Some(line.misses));
    }
    add("brier".into(), Some(c.calibration.brier));
    add("ece".into(), Some(c.calibration.ece));
    let mut files: Vec<(String, String)> =
        found.into_iter().map(|(name, value)| (name, format!("0 {value} 0\n"))).collect();
    for m in METRICS {
        let mut text = String::new();
        for (step, cell) in c.cells.iter().enumerate() {
            if let Some(value) = cell.metrics.get(&m).filter(|v| v.is_finite()) {
                let _ = writeln!(text, "0 {value} {step}");
            }
        }
        if !text.is_empty() {
            files.push((format!("cell_{}", key(m)), text));
        }
    }
    files
}
