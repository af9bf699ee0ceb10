//! From a trained network to a model file: the folded form, and what is written from it.
//!
//! [`float::to_onnx`] writes f32. [`calibrate::observe`] looks at activations on calibration coils, and
//! [`quantise::to_onnx`] writes int8 with what it found; [`parity::compare`] then says whether that may be released.

pub mod calibrate;
pub mod float;
pub mod folded;
mod grouped;
mod kept;
pub mod onnx;
pub mod parity;
mod qlinear;
pub mod quantise;
pub mod reference;
pub mod runtime;
mod scales;

pub use grouped::GroupedConv;
pub use kept::KeptFloat;

#[cfg(test)]
mod tests;
