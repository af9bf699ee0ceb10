//! The inspector at the line: gauge rows in, verdicts out, nothing lost, nothing decided twice.
//!
//! [`mod@line`] is a coil's way from message to decision, [`archive`] what must outlive a power cut,
//! [`trust`] whose models are believed, [`replay`] and [`demo`] put a recording through the line.

pub mod archive;
pub mod demo;
pub mod line;
pub mod recording;
pub mod replay;
pub mod show;
pub mod trust;
