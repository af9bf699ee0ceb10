//! What a study does: its file, and the configurations and cells that follow from it.
//!
//! A configuration is a point of an experiment's grid; a cell is a configuration, a repeat and a fold: one network, trained and
//! asked for the coils that it has not seen. Configurations that come to the same settings share their cells.

use crate::run::ablation::set;
use crate::run::{Fold, RunConfig, hex, read_settings, yaml};
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::path::Path;

use super::results::Metric;

/// Most configurations of a study.
const MAX_CONFIGURATIONS: usize = 10_000;
/// The key of the share of training coils, which is the study's and not a run's.
const SHARE: &str = "share";

/// A study.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Seed of splits and networks.
    pub seed: u64,
    /// Folds of a repeat.
    pub folds: usize,
    /// Repeats, each with other folds.
    pub repeats: usize,
    /// Shares of the set at which it is also cut in time; none: `[]`.
    pub forward: Vec<f64>,
    /// What configurations are chosen by.
    pub select: Metric,
    /// The set of the data folder.
    pub set: String,
    /// In the file's order.
    pub experiments: Vec<Experiment>,
}

/// An experiment: a grid of configurations.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// What it asks, for people.
    pub title: String,
    /// The school that its configurations are of.
    pub school: School,
    /// Axes in order: name, and labels of its values.
    pub axes: Vec<(String, Vec<String>)>,
    /// Axes over which the best is taken before others are compared.
    pub tuned: Vec<String>,
    /// The grid; the first axis moves slowest.
    pub configurations: Vec<Configuration>,
}

/// What a configuration stands for in the paper's comparison; the best of each school is finished and looks at gold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum School {
    /// Weights that somebody trained on photographs.
    Transfer,
    /// A Siamese network.
    Contrastive,
    /// A network trained from scratch.
    Baseline,
}

/// A point of a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// `frozen=3,size=s`, or `only` in a grid without axes.
    pub name: String,
    /// Its label on each axis.
    pub point: Vec<String>,
    /// Share of the training coils that it is given.
    pub share: f64,
    /// How its networks are trained.
    pub config: RunConfig,
}

/// A cell: which network of which configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The experiment.
    pub experiment: usize,
    /// Its configuration.
    pub configuration: usize,
    /// The repeat; 0 forward in time.
    pub repeat: usize,
    /// What is judged.
    pub fold: Fold,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StudyFile {
    name: String,
    #[serde(default = "one")]
    seed: u64,
    #[serde(default = "five")]
    folds: usize,
    #[serde(default = "ten")]
    repeats: usize,
    #[serde(default = "halves_and_quarters")]
    forward: Vec<f64>,
    #[serde(default = "f1")]
    select: Metric,
    experiments: Vec<ExperimentFile>,
}

fn one() -> u64 {
    1
}
fn five() -> usize {
    5
}
fn ten() -> usize {
    10
}
fn halves_and_quarters() -> Vec<f64> {
    vec![0.5, 0.75]
}
fn f1() -> Metric {
    Metric::F1Nok
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExperimentFile {
    name: String,
    title: String,
    school: School,
    /// Settings that are changed; beside the study's file.
    base: String,
    /// Changes that hold for all configurations.
    #[serde(default)]
    all: Map<String, Value>,
    #[serde(default)]
    axes: Vec<AxisFile>,
}

/// An axis: values of one key, or named cases that set several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AxisFile {
    name: String,
    key: Option<String>,
    #[serde(default)]
    values: Vec<Value>,
    #[serde(default)]
    cases: Vec<CaseFile>,
    /// Whether the best along it is taken before others are compared.
    #[serde(default)]
    tune: bool,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    name: String,
    set: Map<String, Value>,
}

impl AxisFile {
    fn cases(&self) -> anyhow::Result<Vec<CaseFile>> {
        let cases = match &self.key {
            None => self.cases.clone(),
            Some(key) => {
                ensure!(self.cases.is_empty(), "axis {} has a key and cases: give one of them", self.name);
                let case = |value: &Value| CaseFile {
                    name: label(value),
                    set: Map::from_iter([(key.clone(), value.clone())]),
                };
                self.values.iter().map(case).collect()
            }
        };
        let names: HashSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        ensure!(
            !cases.is_empty() && names.len() == cases.len(),
            "axis {} needs values or cases, each once: `key: network.freeze, values: [0, 3]`",
            self.name
        );
        Ok(cases)
    }
}

/// A value as it is told in names: short, without what file names and URLs dislike.
fn label(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(label).collect::<Vec<_>>().join("-"),
        other => other.to_string(),
    };
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() || ".-+".contains(c) { c } else { '_' })
        .take(40)
        .collect()
}

impl Plan {
    /// Reads a study's file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let unusable = || format!("the study {} cannot be used", path.display());
        let folder = path.parent().unwrap_or(Path::new("."));
        let base = |name: &str| read_settings(&folder.join(name));
        Self::parse(&read_settings(path)?, &base).with_context(unusable)
    }

    /// From text; `base` gives the text of settings by the name that the study has for them.
    fn parse(text: &str, base: &dyn Fn(&str) -> anyhow::Result<String>) -> anyhow::Result<Self> {
        let file: StudyFile = serde_json::from_value(yaml(text)?)?;
        ensure!((2..=100).contains(&file.folds), "folds is {}: give 2 to 100", file.folds);
        ensure!((1..=1000).contains(&file.repeats), "repeats is {}: give 1 to 1000", file.repeats);
        ensure!(!file.experiments.is_empty(), "it has no experiments");
        let mut experiments: Vec<Experiment> = Vec::new();
        for of in &file.experiments {
            named(&of.name)?;
            ensure!(experiments.iter().all(|e| e.name != of.name), "two experiments are called {}", of.name);
            let found = experiment(&file, of, base).with_context(|| format!("experiment {}", of.name))?;
            experiments.push(found);
        }
        let all: usize = experiments.iter().map(|e| e.configurations.len()).sum();
        ensure!(all <= MAX_CONFIGURATIONS, "it has {all} configurations: at most {MAX_CONFIGURATIONS}");
        let first = &experiments[0].configurations[0].config;
        let set = first.set.clone();
        let configs = || experiments.iter().flat_map(|e| &e.configurations).map(|c| &c.config);
        ensure!(configs().all(|c| c.set == set), "its configurations are trained on different sets");
        ensure!(
            configs().all(|c| c.policy == first.policy),
            "its configurations have different policies: thresholds by other costs are not compared"
        );
        let StudyFile { name, seed, folds, repeats, forward, select, .. } = file;
        named(&name)?;
        Ok(Self { name, seed, folds, repeats, forward, select, set, experiments })
    }

    /// All cells, in order: experiments, configurations, repeats, folds, then forward in time. Of configurations that come to
    /// the same settings, the first one's.
    pub fn cells(&self) -> Vec<Cell> {
        let mut seen = HashSet::new();
        let mut cells = Vec::new();
        for (e, experiment) in self.experiments.iter().enumerate() {
            for (c, configuration) in experiment.configurations.iter().enumerate() {
                if seen.insert(configuration.digest()) {
                    let cell = |repeat, fold| Cell { experiment: e, configuration: c, repeat, fold };
                    cells.extend(self.folds().map(|(repeat, fold)| cell(repeat, fold)));
                }
            }
        }
        cells
    }

    /// Repeats and folds of every configuration.
    pub fn folds(&self) -> impl Iterator<Item = (usize, Fold)> {
        let (folds, forward) = (self.folds, self.forward.len());
        let shuffled = (0..self.repeats).flat_map(move |r| (0..folds).map(move |f| (r, Fold::Stratified(f))));
        shuffled.chain((0..forward).map(|k| (0, Fold::Forward(k))))
    }

    /// `experiment/configuration` of a cell.
    pub fn path(&self, cell: &Cell) -> String {
        format!("{}/{}", self.experiments[cell.experiment].name, self.configuration(cell).name)
    }

    /// A cell's configuration.
    pub fn configuration(&self, cell: &Cell) -> &Configuration {
        &self.experiments[cell.experiment].configurations[cell.configuration]
    }
}

impl Configuration {
    /// SHA-256 of everything in the study that decides what its networks learn, besides seed, split and data.
    pub fn digest(&self) -> String {
        // What a run trains besides its folds, and what it is called, changes no network.
        let config = RunConfig { name: "cell".into(), ..self.config.clone() };
        let text = serde_json::to_vec(&(config, self.share)).unwrap_or_default();
        hex(&Sha256::digest(text))
    }
}

fn named(name: &str) -> anyhow::Result<()> {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    ensure!(
        plain && !name.is_empty() && name.len() <= 48,
        "the name {name:?} is not usable: give lower-case letters, digits and -, at most 48"
    );
    Ok(())
}

fn experiment(
    study: &StudyFile,
    of: &ExperimentFile,
    base: &dyn Fn(&str) -> anyhow::Result<String>,
) -> anyhow::Result<Experiment> {
    let mut settings = yaml(&base(&of.base)?)?;
    let seed = study.seed;
    // Folds and final networks are the study's.
    for (key, value) in [
        ("seed", seed.into()),
        ("split_seed", Value::Null),
        ("folds", study.folds.into()),
        ("members", 1.into()),
        ("final", false.into()),
        ("forward", serde_json::to_value(&study.forward)?),
        ("name", of.name.clone().into()),
    ] {
        set(&mut settings, key, &value)?;
    }
    let mut share = 1.0;
    let change = |settings: &mut Value, share: &mut f64, key: &str, value: &Value| -> anyhow::Result<()> {
        let studys = ["seed", "split_seed", "folds", "members", "final", "forward", "name", "set"];
        ensure!(
            !studys.contains(&key),
            "{key} is the study's own: set it at the head of the file, or leave it out"
        );
        if key == SHARE {
            *share = value.as_f64().filter(|s| *s > 0.0 && *s <= 1.0).with_context(|| {
                format!("share is {value}: give the share of training coils, over 0 and at most 1")
            })?;
            return Ok(());
        }
        set(settings, key, value)
    };
    for (key, value) in &of.all {
        change(&mut settings, &mut share, key, value)?;
    }
    let axes: Vec<(&AxisFile, Vec<CaseFile>)> =
        of.axes.iter().map(|axis| Ok((axis, axis.cases()?))).collect::<anyhow::Result<_>>()?;
    let mut grid = vec![(Vec::new(), settings, share)];
    for (axis, cases) in &axes {
        let mut next = Vec::with_capacity(grid.len() * cases.len());
        for (point, settings, share) in &grid {
            for case in cases {
                let (mut point, mut settings, mut share): (Vec<String>, _, _) =
                    (point.clone(), settings.clone(), *share);
                point.push(case.name.clone());
                for (key, value) in &case.set {
                    change(&mut settings, &mut share, key, value)
                        .with_context(|| format!("axis {}, {}", axis.name, case.name))?;
                }
                next.push((point, settings, share));
            }
            ensure!(next.len() <= MAX_CONFIGURATIONS, "it has over {MAX_CONFIGURATIONS} configurations");
        }
        grid = next;
    }
    let configuration = |(point, settings, share): (Vec<String>, Value, f64)| {
        let parts = axes.iter().zip(&point).map(|((axis, _), label)| format!("{}={label}", axis.name));
        let name = parts.collect::<Vec<_>>().join(",");
        let name = if name.is_empty() { "only".into() } else { name };
        let config = RunConfig::from_value(settings).with_context(|| format!("configuration {name}"))?;
        Ok(Configuration { name, point, share, config })
    };
    Ok(Experiment {
        name: of.name.clone(),
        title: of.title.clone(),
        school: of.school,
        tuned: of.axes.iter().filter(|axis| axis.tune).map(|axis| axis.name.clone()).collect(),
        configurations: grid.into_iter().map(configuration).collect::<anyhow::Result<_>>()?,
        axes: axes
            .iter()
            .map(|(axis, cases)| (axis.name.clone(), cases.iter().map(|c| c.name.clone()).collect()))
            .collect(),
    })
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
