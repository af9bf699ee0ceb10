//! What a finished run says of itself.

use super::RunConfig;
use super::cost::Cost;
use super::forward::Forward;
use crate::score::{Platt, Report};
use crate::weights::{Loaded, Origin};
use coilsight_models::prepare::PrepareSpec;
use coilsight_models::verdict::Policy;
use serde::{Deserialize, Serialize};

/// `run.json`: enough to use the networks, and to believe or doubt them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The trainer's version.
    pub trainer: String,
    /// The settings.
    pub config: RunConfig,
    /// SHA-256 of the coils and labels, in hex.
    pub data_sha256: String,
    /// Coils trained on.
    pub coils: usize,
    /// NOK coils among them.
    pub nok: usize,
    /// Where the weights came from, in words.
    pub weight_origin: String,
    /// The same in parts.
    pub weights: Origin,
    /// What of them was loaded; absent for random ones.
    pub loaded: Option<Loaded>,
    /// The contract with its numbers.
    pub prepare: PrepareSpec,
    /// From logit difference to probability, fitted on out-of-fold scores.
    pub calibration: Platt,
    /// Thresholds, chosen on out-of-fold scores.
    pub policy: Policy,
    /// Learned values of one network, frozen ones included.
    pub parameters: usize,
    /// Those that training moved.
    pub trainable: usize,
    /// What the out-of-fold scores come to under the policy. The policy was chosen on these same scores.
    pub out_of_fold: Report,
    /// What judging forward in time comes to, if it was asked for.
    #[serde(default)]
    pub forward: Option<Forward>,
    /// What training cost; absent from records of old runs.
    #[serde(default)]
    pub cost: Option<Cost>,
}
