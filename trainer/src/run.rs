//! A training run: its settings, its folder, its folds, and what comes of them.
//!
//! | in the folder | what |
//! |---|---|
//! | `config.json` | the settings it began with; a run resumes only with these |
//! | `fold-K/member-M/` | state after each epoch, then `model.safetensors` and the fold's margins |
//! | `final/member-M/` | the same, trained on all coils: what a bundle is built of |
//! | `oof.csv` | every coil's out-of-fold score |
//! | `calibration-*` | coils to calibrate int8 on, from the training set |
//! | `run.json` | the record: data, calibration, policy, report |
//! | `gold-ledger.jsonl` | every look at a gold set |

mod config;
mod folder;
mod policy;
mod record;
mod source;
mod train;

pub use config::{ChannelConfig, PolicyConfig, PrepareConfig, RunConfig};
pub(crate) use folder::write_whole;
pub use folder::{Member, RunFolder};
pub use policy::policy;
pub use record::RunRecord;
pub use source::CoilSource;
pub(crate) use train::hex;
pub use train::train;
