//! A study: one setting changed at a time from a base, every change trained alike and compared with the base.

use super::config::{read_settings, yaml};
use super::{RunConfig, RunFolder};
use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;

/// Most changes of a study.
const MAX_CHANGES: usize = 100;

/// The run that others are compared with.
pub const BASE: &str = "base";

/// A study as its file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Study {
    /// The settings that are changed; beside the study's file.
    base: String,
    /// Changes that hold for all of them, the base included: a dotted key, and what it is set to.
    #[serde(default)]
    all: Map<String, Value>,
    /// Changes, by name.
    changes: Map<String, Value>,
}

/// A run of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// `base`, or the change's name.
    pub name: String,
    /// Its settings.
    pub config: RunConfig,
}

/// The runs of a study, the base first. They train folds alone, and keep the folds of the base whatever their seed.
pub fn read(path: &Path) -> anyhow::Result<Vec<Variant>> {
    let unusable = || format!("the study {} cannot be used", path.display());
    let study: Study = serde_json::from_value(yaml(&read_settings(path)?)?).with_context(unusable)?;
    let base = read_settings(&path.parent().unwrap_or(Path::new(".")).join(&study.base))?;
    variants(&study, &base).with_context(unusable)
}

fn variants(study: &Study, base: &str) -> anyhow::Result<Vec<Variant>> {
    ensure!(study.changes.len() <= MAX_CHANGES, "it has over {MAX_CHANGES} changes");
    let mut base = yaml(base)?;
    let seed = base.get("split_seed").or(base.get("seed")).cloned().unwrap_or(1.into());
    for (key, value) in [("final", false.into()), ("forward", Value::Array(Vec::new())), ("split_seed", seed)]
    {
        set(&mut base, key, &value)?;
    }
    for (key, value) in &study.all {
        set(&mut base, key, value)?;
    }
    let of = |name: &str, changes: &Map<String, Value>| -> anyhow::Result<Variant> {
        let mut settings = base.clone();
        set(&mut settings, "name", &name.into())?;
        for (key, value) in changes {
            set(&mut settings, key, value)?;
        }
        let config = RunConfig::from_value(settings).with_context(|| format!("change {name}"))?;
        Ok(Variant { name: name.into(), config })
    };
    let mut all = vec![of(BASE, &Map::new())?];
    for (name, changes) in &study.changes {
        let changes = changes.as_object().with_context(|| {
            format!("change {name} is no table: give a dotted key and a value a line, as `fit.ema: null`")
        })?;
        ensure!(name != BASE, "a change is called base: give it another name");
        let variant = of(name, changes)?;
        let same = all
            .iter()
            .find(|other| RunConfig { name: name.clone(), ..other.config.clone() } == variant.config);
        ensure!(
            same.is_none(),
            "change {name} is the same as {}",
            same.map_or("", |other| other.name.as_str())
        );
        all.push(variant);
    }
    Ok(all)
}

/// Sets what stands under a dotted key; what is set replaces what stood there whole.
pub(crate) fn set(settings: &mut Value, key: &str, value: &Value) -> anyhow::Result<()> {
    let mut at = settings;
    for part in key.split('.') {
        let table = at.as_object_mut().with_context(|| format!("{key}: what holds {part} is no table"))?;
        at = table.entry(part).or_insert_with(|| Value::Object(Map::new()));
    }
    *at = value.clone();
    Ok(())
}

/// Whether a variant's run is done; one that was made with other settings is refused.
pub fn is_done(folder: &RunFolder, variant: &Variant) -> anyhow::Result<bool> {
    if !folder.path().join("run.json").is_file() {
        return Ok(false);
    }
    let record = folder.record()?;
    ensure!(
        record.config == variant.config,
        "{} was trained with other settings: remove it, or give another folder",
        folder.path().display()
    );
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE_TEXT: &str = include_str!("../../configs/cnn.yaml");

    #[test]
    fn the_shipped_studies_are_usable_and_every_change_is_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("studies");
        for (name, least) in [("ablation", 20), ("contrastive", 6), ("transfer", 8)] {
            let all = read(&folder.join(format!("{name}.yaml"))).unwrap_or_else(|error| panic!("{error:#}"));
            assert!(all.len() > least, "{name}: {}", all.len());
            for variant in &all[1..] {
                let same = RunConfig { name: BASE.into(), ..variant.config.clone() } == all[0].config;
                assert!(!same, "{name}: {} is the base", variant.name);
            }
        }
    }

    fn study(changes: &str) -> anyhow::Result<Vec<Variant>> {
        let study = serde_json::from_value(yaml(&format!("base: cnn.yaml\nchanges:\n{changes}"))?)?;
        variants(&study, BASE_TEXT)
    }

    #[test]
    fn changes_replace_what_stood_there_and_leave_the_folds() {
        let all = study(
            "  none: { prepare.side: [], fit.ema: null }\n  seed-2: { seed: 2 }\n  \
             even: { fit.sampler: { kind: shuffled }, fit.loss.class_weights: [1, 5] }\n",
        )
        .unwrap();
        let find = |name: &str| &all.iter().find(|v| v.name == name).unwrap().config;
        assert_eq!(all[0].name, BASE);
        let base = RunConfig::parse(BASE_TEXT).unwrap();
        let expected = RunConfig {
            name: BASE.into(),
            finals: false,
            forward: Vec::new(),
            split_seed: Some(1),
            ..base.clone()
        };
        assert_eq!(*find(BASE), expected);
        assert!(find("none").prepare.side.is_empty() && find("none").fit.ema.is_none());
        assert_eq!(find("even").fit.loss.class_weights, [1.0, 5.0]);
        let nok: Vec<bool> = (0..90).map(|i| i % 9 == 0).collect();
        assert_eq!(find("seed-2").seed, 2);
        assert_eq!(find("seed-2").split(&nok), base.split(&nok));
    }

    #[test]
    fn senseless_changes_are_refused_by_name() {
        for (changes, wanted) in [
            ("  x: { fit.epoch: 3 }\n", "change x"),
            ("  x: { name.y: 3 }\n", "no table"),
            ("  x: 3\n", "change x is no table"),
            ("  base: { seed: 2 }\n", "called base"),
            ("  x: { seed: 1 }\n", "the same as base"),
        ] {
            let error = format!("{:#}", study(changes).unwrap_err());
            assert!(error.contains(wanted), "{error}");
        }
    }
}
