//! The inspector at the line: gauge rows in, verdicts out, nothing lost, nothing decided twice.
//!
//! [`mod@line`] is a coil's way from message to decision, [`archive`] what must outlive a power cut, [`broker`] the
//! plant's broker, [`station`] the line at work between them, and [`app`] the running program; [`doctor`] looks at what it needs. [`trust`] says whose
//! models are believed; [`replay`] and [`demo`] put a recording through the line.

pub mod app;
pub mod archive;
pub mod book;
pub mod broker;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod doctor;
pub mod drift;
pub mod line;
pub mod log;
pub mod manage;
pub mod operators;
pub mod receive;
pub mod recording;
pub mod replay;
pub mod say;
pub mod score;
pub mod show;
pub mod slots;
pub mod station;
pub mod systemd;
pub mod trust;
pub mod update;
pub mod upload;
pub mod watch;
pub mod web;
pub mod words;
