//! A run or an ensemble as it is compared with others: its scores of coils that it has not seen, and what it says of them.

use super::ensemble::{self, Ensemble};
use super::scores::{ScoreTable, called_nok, read_table};
use super::{Cost, Forward, RunFolder};
use crate::score::{Confusion, Report};
use anyhow::Context;
use coilsight_models::verdict::Policy;
use std::path::Path;

/// What is known of a run or an ensemble.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Its folder's name.
    pub name: String,
    /// The architecture, or those of an ensemble.
    pub network: String,
    /// Where the weights came from.
    pub weight_origin: String,
    /// Learned values of all networks that judge a coil together.
    pub parameters: usize,
    /// SHA-256 of the coils and labels, in hex.
    pub data_sha256: String,
    /// Share of NOK coils on the line that its costs are of.
    pub prevalence: f64,
    /// Its policy.
    pub policy: Policy,
    /// Out-of-fold scores.
    pub scores: ScoreTable,
    /// What they come to.
    pub out_of_fold: Report,
    /// Scores of later coils, and what they come to.
    pub forward: Option<(ScoreTable, Forward)>,
    /// What training cost.
    pub cost: Option<Cost>,
}

impl Contender {
    /// Of a folder.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let whose = || format!("{} cannot be compared", path.display());
        let found = if ensemble::is_ensemble(path) { Self::ensemble(path) } else { Self::run(path) };
        found.with_context(whose)
    }

    fn run(path: &Path) -> anyhow::Result<Self> {
        let record = RunFolder::open(path)?.record()?;
        Ok(Self {
            name: name(path),
            network: record.config.network.name(),
            weight_origin: record.weight_origin,
            parameters: record.parameters * record.config.members,
            data_sha256: record.data_sha256,
            prevalence: record.config.policy.costs.prevalence,
            policy: record.policy,
            scores: read_table(&path.join("oof.csv"))?,
            out_of_fold: record.out_of_fold,
            forward: later(path, record.forward)?,
            cost: record.cost,
        })
    }

    fn ensemble(path: &Path) -> anyhow::Result<Self> {
        let ensemble = Ensemble::read(path)?;
        Ok(Self {
            name: name(path),
            network: ensemble.networks(),
            weight_origin: ensemble.weight_origin,
            parameters: ensemble.parameters,
            data_sha256: ensemble.data_sha256,
            prevalence: ensemble.policy_config.costs.prevalence,
            policy: ensemble.policy,
            scores: read_table(&path.join("oof.csv"))?,
            out_of_fold: ensemble.out_of_fold,
            forward: later(path, ensemble.forward)?,
            cost: ensemble.cost,
        })
    }
}

fn later(path: &Path, forward: Option<Forward>) -> anyhow::Result<Option<(ScoreTable, Forward)>> {
    forward.map(|forward| Ok((read_table(&path.join("forward.csv"))?, forward))).transpose()
}

fn name(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// Right and wrong decisions on some rows of a table under a policy.
pub fn confusion(table: &ScoreTable, policy: &Policy, rows: &[usize]) -> Confusion {
    Confusion::count(rows.iter().map(|&i| (table.nok[i], called_nok(table.class[i], table.p_nok[i], policy))))
}
