//! What a finished run says of itself.

use super::RunConfig;
use crate::score::{Platt, Report};
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
    /// Where the weights came from.
    pub weight_origin: String,
    /// The contract with its numbers.
    pub prepare: PrepareSpec,
    /// From logit difference to probability, fitted on out-of-fold scores.
    pub calibration: Platt,
    /// Thresholds, chosen on out-of-fold scores.
    pub policy: Policy,
    /// Trainable values of one network.
    pub parameters: usize,
    /// What the out-of-fold scores come to under the policy. The policy was chosen on these same scores.
    pub out_of_fold: Report,
}
