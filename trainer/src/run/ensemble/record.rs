//! What `ensemble.json` says.

use crate::run::{Cost, Forward, PolicyConfig, RunFolder};
use crate::score::{Platt, Report};
use anyhow::Context;
use coilsight_models::verdict::Policy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The file that makes a folder an ensemble.
const FILE: &str = "ensemble.json";

/// Enough to use an ensemble, and to believe or doubt it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ensemble {
    /// The trainer's version.
    pub trainer: String,
    /// What it is called; the bundle is, too.
    pub name: String,
    /// Its networks. Weights sum to 1; a run of weight 0 is told and left out of a bundle.
    pub members: Vec<EnsembleMember>,
    /// The weights of the runs, in the order of [`Ensemble::runs`], learned without each fold: how sure they are.
    pub weights_without_fold: Vec<Vec<f64>>,
    /// The set that all of them were trained on.
    pub set: String,
    /// SHA-256 of its coils and labels, in hex.
    pub data_sha256: String,
    /// Coils trained on.
    pub coils: usize,
    /// NOK coils among them.
    pub nok: usize,
    /// Where the weights of its networks came from, in words.
    pub weight_origin: String,
    /// Learned values of all its networks.
    pub parameters: usize,
    /// How thresholds were chosen.
    pub policy_config: PolicyConfig,
    /// Thresholds, chosen on cross-fitted scores.
    pub policy: Policy,
    /// What the cross-fitted scores come to under the policy, which was chosen on these same scores.
    pub out_of_fold: Report,
    /// Forward in time, if all runs were cut alike: weights, calibrations and thresholds for the last stretch are learned on
    /// those before it, which are themselves ranked with equal weights.
    pub forward: Option<Forward>,
    /// What training all runs cost, where it was measured.
    pub cost: Option<Cost>,
}

/// A network of an ensemble: the final one of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsembleMember {
    /// The run's folder.
    pub run: PathBuf,
    /// The run's name.
    pub name: String,
    /// The architecture.
    pub network: String,
    /// Which of the run's members.
    pub number: usize,
    /// Its share in the mean; a run's weight is shared evenly by its members.
    pub weight: f64,
    /// From logit difference to probability: its run's.
    pub calibration: Platt,
}

/// Whether a folder holds an ensemble.
pub fn is_ensemble(path: &Path) -> bool {
    path.join(FILE).is_file()
}

impl Ensemble {
    /// Of a folder.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let file = path.join(FILE);
        let unreadable =
            || format!("{} cannot be read: make it with `coilsight-trainer ensemble`", file.display());
        serde_json::from_slice(&std::fs::read(&file).with_context(unreadable)?).with_context(unreadable)
    }

    /// Into a folder.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        crate::run::write_whole(&path.join(FILE), &serde_json::to_vec_pretty(self)?)
    }

    /// The folders of its runs, each once, in order.
    pub fn runs(&self) -> Vec<&Path> {
        let mut seen = BTreeSet::new();
        self.members.iter().map(|member| member.run.as_path()).filter(|run| seen.insert(*run)).collect()
    }

    /// Its architectures, each once.
    pub fn networks(&self) -> String {
        let all: BTreeSet<&str> = self.members.iter().map(|member| member.network.as_str()).collect();
        all.into_iter().collect::<Vec<_>>().join(" + ")
    }

    /// The run of a member, checked: its data are those that the ensemble was made of.
    pub fn run(&self, member: &EnsembleMember) -> anyhow::Result<RunFolder> {
        let folder = RunFolder::open(&member.run)?;
        let data = folder.record()?.data_sha256;
        anyhow::ensure!(
            data == self.data_sha256,
            "{} was trained again on other data since the ensemble was made: make it again",
            member.run.display()
        );
        Ok(folder)
    }
}
