//! A training run: its settings, its folder, its folds, and what comes of them.
//!
//! | in the folder | what |
//! |---|---|
//! | `args.yaml` | the settings as they were given |
//! | `config.json` | the settings it began with, every default written out; a run resumes only with these |
//! | `environment.json` | program, machine and threads it ran on |
//! | `splits.csv` | the fold of every coil |
//! | `fold-K/member-M/` | state after each epoch, then `best.safetensors`, `last.safetensors`, `results.csv` and the fold's margins |
//! | `forward-K/member-M/` | the same, trained on what was made before stretch K of time |
//! | `final/member-M/` | the same, trained on all coils: what a bundle is built of |
//! | `oof.csv` | every coil's out-of-fold score |
//! | `forward.csv` | the scores of later coils by networks that learned from earlier ones |
//! | `novelty.csv`, `novelty.json` | every coil's out-of-fold distance from training; the final network's centre, directions and limit |
//! | `kept/` | what frozen stages give, unless it is kept elsewhere |
//! | `calibration-*` | coils to calibrate int8 on, from the training set |
//! | `run.json` | the record: data, calibration, policy, reports, cost |
//! | `gold-ledger.jsonl` | every look at a gold set |

pub mod ablation;
pub mod adapt;
pub mod compare;
mod config;
pub mod contender;
mod cost;
pub mod ensemble;
mod environment;
mod folder;
mod forward;
mod member;
pub mod novelty;
mod policy;
mod record;
pub mod references;
mod scores;
mod source;
mod train;

pub use config::{ChannelConfig, PolicyConfig, PrepareConfig, RunConfig};
pub(crate) use config::{read_settings, yaml};
pub(crate) use cost::Meter;
pub use cost::{Cost, Spent};
pub(crate) use folder::write_whole;
pub use folder::{Fold, Member, RunFolder};
pub use forward::{Forward, StretchRecord};
pub(crate) use forward::{Found, Stretch, stretches};
pub(crate) use member::{KeepProgress, Start, Training};
pub use novelty::Novelty;
pub use policy::policy;
pub use record::RunRecord;
pub(crate) use scores::{ScoreTable, read_table};
pub use source::{Augmentation, CoilSource, content};
pub(crate) use train::hex;
pub use train::{Progress, train};
