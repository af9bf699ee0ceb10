//! The agent's configuration: one tree, each part its own piece, from a file and the environment over it.
//! Unknown keys are refused: a key that is misspelt would otherwise be a default that nobody chose.

use crate::archive;
use crate::broker::Broker;
use crate::broker::config::BadBroker;
use crate::line;
use crate::score::BadKey;
use crate::update::Rules;
use crate::{drift, score, upload, web};
use coilsight_models::bundle::KEY_FOLDER;
use config::{Environment, FileFormat, Value, ValueKind};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where the file lies unless another is named.
pub const FILE: &str = "/etc/coilsight/agent.toml";
/// Variables `COILSIGHT__PART__KEY` stand over the file.
pub const PREFIX: &str = "COILSIGHT";
/// A longer file is no configuration, bytes.
const MAX_FILE: u64 = 256 << 10;
/// More room than any appliance has, MiB.
const MAX_MIB: u64 = 1 << 20;
/// More coils in shadow or on probation than anyone waits for.
const MAX_SHADOW: usize = 10_000;

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the archive lies, and what else must survive a restart.
    pub state: PathBuf,
    /// The line.
    pub line: line::Config,
    /// The plant's broker.
    pub broker: Broker,
    /// Whose bundles are believed, and the set that the machine was delivered with.
    pub bundle: Bundle,
    /// How other sets take over.
    pub update: Rules,
    /// What is kept.
    pub archive: Room,
    /// The page, its REST interface, and who may write there.
    pub web: web::Config,
    /// Where decisions and words go beside the plant's broker.
    pub upload: upload::Config,
    /// When inspectors' words say that the models do badly.
    pub score: score::Config,
    /// When gauges and inputs are no longer what they were.
    pub drift: drift::Config,
}

/// Whose bundles are believed, and the first set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bundle {
    /// The set that the machine was delivered with: judges if none was ever taken in.
    pub file: PathBuf,
    /// Who is believed: a trust document (`*.json`), a folder that holds one called `trust.json`, or, without roles, a
    /// public key or a folder of `*.pub`.
    pub trust: PathBuf,
    /// The plant, as bundles call it.
    pub plant: String,
}

/// How much room the archive may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Room {
    /// Disk use, all files together, MiB.
    pub cap_mib: u64,
    /// The last part of it, kept for decisions and feedback, MiB.
    pub reserve_mib: u64,
    /// Memory for finding things, MiB.
    pub cache_mib: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state: "/var/lib/coilsight".into(),
            line: line::Config::default(),
            broker: Broker::default(),
            bundle: Bundle::default(),
            update: Rules::default(),
            archive: Room::default(),
            web: web::Config::default(),
            upload: upload::Config::default(),
            score: score::Config::default(),
            drift: drift::Config::default(),
        }
    }
}

impl Default for Bundle {
    fn default() -> Self {
        Self {
            file: "/var/lib/coilsight/model.coilbundle".into(),
            trust: KEY_FOLDER.into(),
            plant: "plant".into(),
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        let archive::Limits { cap, reserve, views_cache, .. } = archive::Limits::default();
        Self { cap_mib: cap >> 20, reserve_mib: reserve >> 20, cache_mib: views_cache >> 20 }
    }
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No file.
    #[error("the configuration {0} cannot be read: give one with --config FILE")]
    Missing(PathBuf, #[source] std::io::Error),
    /// A file that is none.
    #[error("the configuration {0} is longer than {MAX_FILE} bytes: is it the right file?")]
    TooLong(PathBuf),
    /// Not understood.
    #[error("the configuration is not understood: correct the key that is named, or remove it")]
    Syntax(#[source] config::ConfigError),
    /// The broker's part.
    #[error("the configuration makes no sense")]
    Broker(#[from] BadBroker),
    /// Another part.
    #[error("the configuration makes no sense: {key} {why}")]
    Sense {
        /// Which key.
        key: &'static str,
        /// What it must be.
        why: &'static str,
    },
}

/// A setting and where its value comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Origin {
    /// The key, with dots.
    pub key: String,
    /// Its value.
    pub value: serde_json::Value,
    /// A file, `the environment`, or `default`.
    pub from: String,
}

/// Settings, and where each comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is in force.
    pub settings: Settings,
    origins: Vec<Origin>,
}

impl Loaded {
    /// Reads a file; the environment stands over it.
    pub fn read(file: &Path) -> Result<Self, Fault> {
        let length = std::fs::metadata(file).map_err(|e| Fault::Missing(file.to_owned(), e))?.len();
        if length > MAX_FILE {
            return Err(Fault::TooLong(file.to_owned()));
        }
        Self::build(config::File::from(file).format(FileFormat::Toml), environment())
    }

    /// The same from a text, with nothing over it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let nothing = environment().source(Some(std::collections::HashMap::new()));
        Self::build(config::File::from_str(text, FileFormat::Toml), nothing)
    }

    fn build(
        file: impl config::Source + Send + Sync + 'static,
        environment: Environment,
    ) -> Result<Self, Fault> {
        let builder = config::Config::builder().add_source(Boxed(Box::new(file))).add_source(environment);
        let config = builder.build().map_err(Fault::Syntax)?;
        let given = config.cache.clone();
        let settings: Settings = config.try_deserialize().map_err(Fault::Syntax)?;
        settings.check()?;
        let mut origins = Vec::new();
        let all = serde_json::to_value(&settings).expect("settings become JSON");
        flatten(String::new(), &all, Some(&given), &mut origins);
        Ok(Self { settings, origins })
    }

    /// Every setting with its origin.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }
}

/// Sources of any kind behind one type.
#[derive(Debug)]
struct Boxed(Box<dyn config::Source + Send + Sync>);

impl config::Source for Boxed {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        self.0.clone_into_box()
    }

    fn collect(&self) -> Result<config::Map<String, Value>, config::ConfigError> {
        self.0.collect()
    }
}

fn environment() -> Environment {
    Environment::with_prefix(PREFIX).prefix_separator("__").separator("__").try_parsing(true)
}

fn flatten(key: String, value: &serde_json::Value, given: Option<&Value>, out: &mut Vec<Origin>) {
    if let serde_json::Value::Object(fields) = value {
        for (name, value) in fields {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let given = given.and_then(|given| match &given.kind {
                ValueKind::Table(table) => table.get(name),
                _ => None,
            });
            flatten(key, value, given, out);
        }
        return;
    }
    let from = given.map_or("default", |given| given.origin().unwrap_or("the configuration")).to_owned();
    out.push(Origin { key, value: value.clone(), from });
}

impl Settings {
    fn check(&self) -> Result<(), Fault> {
        self.broker.check()?;
        self.score.check().map_err(|BadKey { key, why }| Fault::Sense { key, why })?;
        self.drift.check().map_err(|(key, why)| Fault::Sense { key, why })?;
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let coverage = &self.line.coverage;
        let prefix = &self.line.topics.prefix;
        for (fine, key, why) in [
            (!self.line.id.trim().is_empty(), "line.id", "must not be empty"),
            (self.line.silence_s >= 1, "line.silence_s", "must be at least 1"),
            (self.line.max_open >= 4, "line.max_open", "must be at least 4: two coils meet at every weld"),
            (
                self.line.max_open_rows >= 20_000,
                "line.max_open_rows",
                "must be at least 20000: one long coil",
            ),
            (share(coverage.min_chunks), "line.coverage.min_chunks", "must lie between 0 and 1"),
            (share(coverage.min_gauges), "line.coverage.min_gauges", "must lie between 0 and 1"),
            (share(coverage.min_cells), "line.coverage.min_cells", "must lie between 0 and 1"),
            (coverage.max_missing_m >= 0.0, "line.coverage.max_missing_m", "must not be negative"),
            (share(self.line.review_share), "line.review_share", "must lie between 0 and 1"),
            (
                !prefix.is_empty() && !prefix.contains(['+', '#']),
                "line.topics.prefix",
                "must be a topic without + or #",
            ),
            (
                self.archive.cap_mib > self.archive.reserve_mib && self.archive.reserve_mib >= 1,
                "archive.cap_mib",
                "must be greater than archive.reserve_mib, which must be at least 1",
            ),
            (share(self.update.min_agreement), "update.min_agreement", "must lie between 0 and 1"),
            (share(self.update.max_not_ok), "update.max_not_ok", "must lie between 0 and 1"),
            (self.update.max_judge_ms > 0.0, "update.max_judge_ms", "must be above 0"),
            (self.update.shadow_coils <= MAX_SHADOW, "update.shadow_coils", "must be at most 10000"),
            (self.update.probation_coils <= MAX_SHADOW, "update.probation_coils", "must be at most 10000"),
            ((1..=4096).contains(&self.update.max_mib), "update.max_mib", "must be 1 to 4096"),
            (self.update.max_hours >= 1, "update.max_hours", "must be at least 1"),
            ((1..=86_400).contains(&self.upload.report_s), "upload.report_s", "must be 1 to 86400"),
            ((1..=168).contains(&self.web.shift_hours), "web.shift_hours", "must be 1 to 168"),
            (self.archive.cap_mib <= MAX_MIB, "archive.cap_mib", "must be at most 1048576 (a tebibyte)"),
            (self.archive.cache_mib <= MAX_MIB, "archive.cache_mib", "must be at most 1048576 (a tebibyte)"),
        ] {
            if !fine {
                return Err(Fault::Sense { key, why });
            }
        }
        Ok(())
    }

    /// The archive's limits.
    pub fn limits(&self) -> archive::Limits {
        archive::Limits {
            cap: self.archive.cap_mib << 20,
            reserve: self.archive.reserve_mib << 20,
            views_cache: self.archive.cache_mib << 20,
            ..archive::Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_the_default_and_origins_are_told() {
        let loaded = Loaded::parse("[broker]\nhost = \"broker.plant\"\n[line]\nsilence_s = 60\n").unwrap();
        assert_eq!(loaded.settings.broker.host, "broker.plant");
        assert_eq!(loaded.settings.line.silence_s, 60);
        assert_eq!(loaded.settings.broker.port, 1883);
        let from = |key: &str| loaded.origins().iter().find(|o| o.key == key).unwrap().from.clone();
        assert_eq!(from("broker.port"), "default");
        assert_ne!(from("broker.host"), "default");
        assert!(loaded.origins().iter().any(|o| o.key == "line.topics.gauge"));
    }

    #[test]
    fn unknown_keys_and_nonsense_are_refused_by_name() {
        let refused = |text: &str| crate::say::chain(&Loaded::parse(text).unwrap_err());
        assert!(refused("[broker]\nhots = \"x\"\n").contains("hots"));
        assert!(refused("[brokre]\nhost = \"x\"\n").contains("brokre"));
        assert!(refused("[line]\nmax_open = 1\n").contains("line.max_open"));
        assert!(refused("[broker]\nport = \"many\"\n").contains("broker.port"));
        assert!(refused("[line.coverage]\nmin_chunks = 7\n").contains("min_chunks"));
        // In bytes it would be more than 64 bits hold, and so next to nothing.
        assert!(
            refused("[archive]\ncap_mib = 17592186044417\nreserve_mib = 1\n").contains("archive.cap_mib")
        );
        assert!(refused("[archive]\ncache_mib = 17592186044416\n").contains("archive.cache_mib"));
        assert!(refused("not toml").contains("not understood"));
    }

    #[test]
    fn the_file_is_found_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.toml");
        assert!(matches!(Loaded::read(&file), Err(Fault::Missing(..))));
        std::fs::write(&file, "[line]\nid = \"gl7\"\n").unwrap();
        let loaded = Loaded::read(&file).unwrap();
        assert_eq!(loaded.settings.line.id, "gl7");
        let origin = loaded.origins().iter().find(|o| o.key == "line.id").unwrap();
        assert!(origin.from.contains("agent.toml"), "{origin:?}");
        std::fs::write(&file, vec![b'#'; MAX_FILE as usize + 1]).unwrap();
        assert!(matches!(Loaded::read(&file), Err(Fault::TooLong(_))));
    }
}
