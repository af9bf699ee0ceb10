//! Gold is gold: coils of a gold set never come near training, tuning or calibration.
//!
//! A set is gold if its name begins with `gold`. What counts is the coating, not the name: a gold coil
//! under another name is refused all the same. Looks at gold are for reports, and each is on record.

use super::coils::{CoilSet, CoilSetError, LabelledCoil};
use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// Whether a set of this name is for final reports alone.
pub fn is_gold(name: &str) -> bool {
    name.to_ascii_lowercase().starts_with("gold")
}

/// Content hashes of every gold coil that can be found beside the data.
#[derive(Debug, Default)]
pub struct GoldGuard {
    hashes: HashSet<[u8; 32]>,
}

impl GoldGuard {
    /// Of every gold set in a folder.
    pub fn of_folder(folder: &Path) -> anyhow::Result<Self> {
        let mut guard = Self::default();
        for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(name) = name.strip_suffix(".csv").filter(|name| is_gold(name)) {
                let set = CoilSet::load(folder, name).with_context(|| {
                    format!("the gold set {name} must be readable to keep its coils apart")
                })?;
                guard.hashes.extend(set.coils.iter().map(|coil| coil.matrix.content_hash()));
            }
        }
        Ok(guard)
    }

    /// Gold coils known.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Refuses coils that are in a gold set.
    pub fn check(&self, coils: &[LabelledCoil]) -> anyhow::Result<()> {
        let gold: Vec<&str> = coils
            .iter()
            .filter(|coil| self.hashes.contains(&coil.matrix.content_hash()))
            .map(|coil| coil.id.as_str())
            .collect();
        ensure!(
            gold.is_empty(),
            "take these coils out of the set: {} of them are in a gold set, which is for final reports only \
             (the first is {}); a model that has seen them proves nothing",
            gold.len(),
            gold[0]
        );
        Ok(())
    }
}

/// Loads a set to train, tune or calibrate on: no gold set, and no gold coil in it.
pub fn load_for_training(folder: &Path, name: &str) -> anyhow::Result<CoilSet> {
    if is_gold(name) {
        bail!("choose another set: {name} is a gold set, which is for final reports only");
    }
    let set = CoilSet::load(folder, name).map_err(|e: CoilSetError| e)?;
    GoldGuard::of_folder(folder)?.check(&set.coils)?;
    Ok(set)
}

/// An entry of the ledger: somebody looked at a gold set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// When, by this machine's clock.
    pub at: Timestamp,
    /// At which set.
    pub set: String,
    /// SHA-256 of its coils and labels, in hex.
    pub data: String,
    /// What was evaluated.
    pub of: String,
    /// The command.
    pub command: String,
}

/// The ledger of looks at gold: one JSON object a line, only ever appended to.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
}

impl Ledger {
    /// In a run's folder, or beside a bundle.
    pub fn of(run_or_bundle: &Path) -> Self {
        let path = if run_or_bundle.is_dir() {
            run_or_bundle.join("gold-ledger.jsonl")
        } else {
            run_or_bundle.with_extension("gold-ledger.jsonl")
        };
        Self { path }
    }

    /// The looks so far.
    pub fn looks(&self) -> anyhow::Result<Vec<Look>> {
        let unreadable = || format!("the ledger {} cannot be read", self.path.display());
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file.with_context(unreadable)?,
        };
        BufReader::new(file)
            .lines()
            .map(|line| serde_json::from_str(&line.with_context(unreadable)?).with_context(unreadable))
            .collect()
    }

    /// Enters a look before anything is shown; returns how many there are now.
    pub fn enter(&self, look: &Look) -> anyhow::Result<usize> {
        let before = self.looks()?.len();
        let cannot = || format!("the look cannot be entered in {}, so nothing is shown", self.path.display());
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).with_context(cannot)?;
        let mut line = serde_json::to_string(look)?;
        line.push('\n');
        file.write_all(line.as_bytes()).with_context(cannot)?;
        file.sync_all().with_context(cannot)?;
        Ok(before + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coilsight_models::coil::{CELLS, CoilId, CoilMatrix};

    fn coil(id: &str, level: u16) -> LabelledCoil {
        LabelledCoil {
            id: CoilId::new(id).unwrap(),
            produced_at: String::new(),
            matrix: CoilMatrix::from_hundredths(vec![level; CELLS], vec![100; CELLS]).unwrap(),
            order: None,
            length_m: 900.0,
            nok: false,
        }
    }

    #[test]
    fn a_gold_coil_is_refused_whatever_it_is_called() {
        let guard = GoldGuard { hashes: [coil("gold-7", 7000).matrix.content_hash()].into() };
        assert!(guard.check(&[coil("a", 7001)]).is_ok());
        let error = guard.check(&[coil("a", 7001), coil("renamed", 7000)]).unwrap_err().to_string();
        assert!(error.contains("renamed"), "{error}");
    }

    #[test]
    fn a_gold_set_is_no_training_set() {
        for name in ["gold", "gold2", "GOLD-later"] {
            let error = load_for_training(Path::new("."), name).unwrap_err().to_string();
            assert!(error.contains("gold"), "{error}");
        }
    }

    #[test]
    fn every_look_is_entered() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(folder.path());
        let look = Look {
            at: "2026-11-22T03:00:00Z".parse().unwrap(),
            set: "gold".into(),
            data: "00".into(),
            of: "run".into(),
            command: "evaluate".into(),
        };
        assert_eq!(ledger.enter(&look).unwrap(), 1);
        assert_eq!(ledger.enter(&look).unwrap(), 2);
        assert_eq!(ledger.looks().unwrap(), [look.clone(), look]);
    }
}
