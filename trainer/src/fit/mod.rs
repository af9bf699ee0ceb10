//! Training: losses, optimiser, schedule, sampling, early stop, and the loop that can be stopped and resumed.

mod config;
mod early_stop;
mod ema;
mod error;
mod in_place;
mod loss;
mod optimizer;
mod predict;
mod run;
mod sampler;
mod schedule;
mod source;
mod state;

pub use config::{FitConfig, TwoStage};
pub use early_stop::{EarlyStop, EarlyStopConfig};
pub use ema::Ema;
pub use error::FitError;
pub use loss::{LossConfig, Stage, cross_entropy};
pub use optimizer::{AdamW, AdamWConfig};
pub use predict::{Validation, embeddings, predict, settle, settled_items};
pub use run::{EpochReport, Fit, Outcome};
pub use sampler::{Sampler, SamplerConfig};
pub use schedule::Schedule;
pub use source::{Batch, Source, item_generator};
pub use state::MAX_STATE;
