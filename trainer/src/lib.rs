//! Trains, evaluates, exports and signs the models that the line judges with.
//!
//! [`data`] reads labelled coils and keeps gold apart, [`nn`], [`nets`] and [`fit`] are the training engine,
//! [`run`] is the procedure from settings to thresholds, [`score`] says how good it is, [`export`] writes
//! ONNX, [`study`] repeats a paper's work, [`release`] signs, [`plot`] draws, and [`simulate`] makes coils where there are none.

pub mod cmd;
pub mod data;
pub mod device;
pub mod export;
pub mod fit;
pub mod kept;
pub mod nets;
pub mod nn;
pub mod oneshot;
pub mod plant;
pub mod plot;
pub mod release;
pub mod report;
pub mod retrain;
pub mod run;
pub mod score;
pub mod simulate;
pub mod study;
pub mod threads;
pub mod weights;
