//! Trains, evaluates, exports and signs the models that the line judges with.

pub mod cmd;
pub mod data;
pub mod export;
pub mod fit;
pub mod nets;
pub mod nn;
pub mod score;
pub mod simulate;
