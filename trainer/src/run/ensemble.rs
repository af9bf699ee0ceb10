//! An ensemble of unlike networks: P(NOK) of several runs, averaged by weights that were learned out of fold.
//!
//! Every network keeps its run's own calibration; the line computes Σ wᵢ·pᵢ and puts the policy on it. What is reported is
//! cross-fitted: the coils of a fold are scored with calibrations and weights of the other folds, so no coil has a say in
//! the weights that it is judged by. The weights that are released are learned on all of them.

mod build;
mod record;

pub use build::{Request, build};
pub use record::{Ensemble, EnsembleMember, is_ensemble};
