//! A cell: one network of a study, trained and asked for the coils that it has not seen.

use super::plan::{Cell, Plan};
use super::store::Store;
use crate::data::coils::CoilSet;
use crate::data::folds::{portion, stratified};
use crate::fit::EpochReport;
use crate::nets::Model;
use crate::run::{Fold, KeepProgress, Meter, RunConfig, Spent, Start, Stretch, Training, hex, stretches};
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// The folder of a store that holds cells.
pub const FOLDER: &str = "cells";

/// A finished cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// The study.
    pub study: String,
    /// `experiment/configuration`; of several that come to the same settings, the first.
    pub configuration: String,
    /// Counted from 0.
    pub repeat: usize,
    /// `fold-K` or `forward-K`.
    pub fold: String,
    /// The trainer's version.
    pub trainer: String,
    /// SHA-256 of the coils and labels, in hex.
    pub data_sha256: String,
    /// The architecture.
    pub network: String,
    /// Where its weights came from.
    pub weight_origin: String,
    /// Learned values, frozen ones included.
    pub parameters: usize,
    /// Those that training moved.
    pub trainable: usize,
    /// Epochs trained.
    pub epochs: usize,
    /// Logit NOK - logit OK of the coils judged, in the set's order.
    pub margins: Vec<f64>,
    /// What it cost. The only thing that differs from one training to the next.
    pub cost: Cost,
}

/// What a cell cost, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Time and memory.
    #[serde(flatten)]
    pub spent: Spent,
    /// Where the network lived.
    pub device: String,
    /// Threads.
    pub threads: usize,
}

/// The coils of a cell, by row of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Given to the network.
    pub seen: Vec<usize>,
    /// Judged by it.
    pub held: Vec<usize>,
}

/// All that the cells of a study have in common.
pub struct Bench<'a> {
    plan: &'a Plan,
    set: &'a CoilSet,
    data_sha256: String,
    nok: Vec<bool>,
    forward: Vec<Stretch>,
    out: PathBuf,
    starts: HashMap<String, Start>,
}

impl<'a> Bench<'a> {
    /// For a study of a set; what cells are at work on lies in `out`.
    pub fn new(plan: &'a Plan, set: &'a CoilSet, out: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            plan,
            set,
            data_sha256: hex(&set.sha256()),
            nok: set.coils.iter().map(|coil| coil.nok).collect(),
            forward: stretches(set, &plan.forward)?,
            out: out.to_owned(),
            starts: HashMap::new(),
        })
    }

    /// The set.
    pub fn set(&self) -> &'a CoilSet {
        self.set
    }

    /// SHA-256 of the coils and labels, in hex.
    pub fn data_sha256(&self) -> &str {
        &self.data_sha256
    }

    /// Where a cell lies in a store: by everything that decides what it comes to.
    pub fn name(&self, cell: &Cell) -> String {
        let Plan { seed, folds, forward, .. } = self.plan;
        let settings = self.plan.configuration(cell).digest();
        let split = match cell.fold {
            Fold::Stratified(fold) => (cell.repeat, fold, *folds, None),
            Fold::Forward(stretch) => (0, stretch, 0, Some(forward)),
        };
        let identity = serde_json::to_vec(&(seed, &self.data_sha256, settings, split)).unwrap_or_default();
        format!("{FOLDER}/{}.json", &hex(&Sha256::digest(identity))[..32])
    }

    /// The fold of each coil in a repeat.
    pub fn folds(&self, repeat: usize) -> Vec<usize> {
        stratified(&self.nok, self.plan.folds, self.plan.seed.wrapping_mul(1009).wrapping_add(repeat as u64))
    }

    /// The stretches of time.
    pub fn forward(&self) -> &[Stretch] {
        &self.forward
    }

    /// A cell's coils. A share of them is the same for all configurations, and has its share of NOK coils.
    pub fn split(&self, cell: &Cell) -> Split {
        let Split { seen, held } = match cell.fold {
            Fold::Stratified(fold) => {
                let folds = self.folds(cell.repeat);
                let (held, seen) = (0..folds.len()).partition(|i| folds[*i] == fold);
                Split { seen, held }
            }
            Fold::Forward(k) => {
                Split { seen: self.forward[k].seen.clone(), held: self.forward[k].judged.clone() }
            }
        };
        let nok: Vec<bool> = seen.iter().map(|i| self.nok[*i]).collect();
        let share = self.plan.configuration(cell).share;
        let kept = portion(&nok, share, self.plan.seed);
        Split { seen: kept.into_iter().map(|i| seen[i]).collect(), held }
    }

    /// Networks of one split have the same seed, whatever their configuration.
    fn seed(&self, cell: &Cell) -> u64 {
        let part = match cell.fold {
            Fold::Stratified(fold) => (1000 * cell.repeat + fold) as u64,
            Fold::Forward(stretch) => 900_000_000 + stretch as u64,
        };
        self.plan.seed.wrapping_mul(1_000_003).wrapping_add(part)
    }

    /// A finished cell, if it is there and whole.
    pub fn find(&self, store: &Store, cell: &Cell) -> anyhow::Result<Option<Done>> {
        let name = self.name(cell);
        let Some(bytes) = store.get(&name)? else { return Ok(None) };
        let done: Done = serde_json::from_slice(&bytes).with_context(|| {
            format!("{name} in the store {} is damaged: remove it, and it is computed again", store.name())
        })?;
        ensure!(
            done.margins.len() == self.split(cell).held.len() && done.margins.iter().all(|m| m.is_finite()),
            "{name} in the store {} does not hold a finite score of every coil that it judges: remove it, and it is computed \
             again",
            store.name()
        );
        Ok(Some(done))
    }

    /// Trains a cell, or goes on with it, and puts it into the store.
    pub fn work(
        &mut self,
        store: &Store,
        cell: &Cell,
        observer: &mut dyn FnMut(&EpochReport) -> ControlFlow<()>,
        keeping: KeepProgress,
    ) -> anyhow::Result<()> {
        let plan = self.plan;
        let whose = || plan.path(cell);
        let name = self.name(cell);
        let done = self.train(cell, &name, observer, keeping).with_context(whose)?;
        store.put(&name, serde_json::to_vec(&done)?)?;
        self.clear(cell)
    }

    /// Removes what a cell's training kept: it is in the store.
    pub fn clear(&self, cell: &Cell) -> anyhow::Result<()> {
        let folder = self.folder(&self.name(cell));
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.with_context(|| format!("cannot remove {}", folder.display())),
        }
    }

    /// Where a cell's training keeps its state after every epoch.
    fn folder(&self, name: &str) -> PathBuf {
        self.out.join("at-work").join(name.trim_start_matches("cells/").trim_end_matches(".json"))
    }

    fn train(
        &mut self,
        cell: &Cell,
        name: &str,
        observer: &mut dyn FnMut(&EpochReport) -> ControlFlow<()>,
        keeping: KeepProgress,
    ) -> anyhow::Result<Done> {
        let mut config: RunConfig = self.plan.configuration(cell).config.clone();
        if let Some(keep) = &mut config.keep {
            keep.folder.get_or_insert_with(|| self.out.join("kept"));
        }
        let seed = self.seed(cell);
        let spec = config.prepare.resolve(&self.set.coils)?;
        let begins = format!("{} on {:?}", config.network.weights, config.device);
        if !self.starts.contains_key(&begins) {
            self.starts.insert(begins.clone(), Start::of(&config)?);
        }
        let start = &self.starts[&begins];
        let (network, _) = start.network(&config, &spec, seed)?;
        let folder = self.folder(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let meter = Meter::start(&folder)?;
        let split = self.split(cell);
        let coils = |of: &[usize]| of.iter().map(|i| &self.set.coils[*i]).collect::<Vec<_>>();
        let training = Training { config: &config, spec: &spec, run: &self.out, folder: &folder, seed };
        let mut noted = |report: &EpochReport| {
            if let Err(error) = meter.note() {
                tracing::warn!("{error:#}");
            }
            observer(report)
        };
        let margins =
            training.run(&network, &coils(&split.seen), &coils(&split.held), &mut noted, keeping)?;
        meter.note()?;
        let epochs = csv::Reader::from_path(folder.join("results.csv"))?.into_records().count();
        let spent = Spent::found(&folder)?.unwrap_or_default();
        Ok(Done {
            study: self.plan.name.clone(),
            configuration: self.plan.path(cell),
            repeat: cell.repeat,
            fold: cell.fold.name(),
            trainer: env!("CARGO_PKG_VERSION").into(),
            data_sha256: self.data_sha256.clone(),
            network: config.network.name(),
            weight_origin: start.words(&config),
            parameters: network.params().count(),
            trainable: network.params().trainable(),
            epochs,
            margins,
            cost: Cost {
                spent,
                device: format!("{:?}", start.place.device.location()),
                threads: rayon::current_num_threads(),
            },
        })
    }
}
