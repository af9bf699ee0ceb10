//! What is fuzzed: every parser of bytes that come from outside, with what must hold whatever they are.
//!
//! A target is a function over any bytes that panics where something does not hold. `tests/fuzz` runs them
//! under libFuzzer, `tests/tests/fuzz_corpora.rs` over what that has found. A new one takes a function and
//! a line in [`TARGETS`]; the test of the corpora then says which file of `tests/fuzz` is missing.

pub mod archive;
pub mod bundle;
pub mod coil;
pub mod config;
pub mod guard;
pub mod inbound;
pub mod journal;
mod judge;
pub mod keys;
pub mod line;
mod mem_disk;
pub mod model;
pub mod mutate;
pub mod recording;
pub mod upload;
mod wire;

/// A parser and its rules, as a fuzzer takes them.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: of its binary and of its corpus.
    pub name: &'static str,
    /// Panics where something does not hold.
    pub run: fn(&[u8]),
    /// Inputs to begin with, so that nobody waits for a fuzzer to invent a good message.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "archive", run: archive::run, seeds: archive::seeds },
    Target { name: "bundle", run: bundle::run, seeds: bundle::seeds },
    Target { name: "coil", run: coil::run, seeds: coil::seeds },
    Target { name: "config", run: config::run, seeds: config::seeds },
    Target { name: "guard", run: guard::run, seeds: guard::seeds },
    Target { name: "inbound", run: inbound::run, seeds: inbound::seeds },
    Target { name: "journal", run: journal::run, seeds: journal::seeds },
    Target { name: "keys", run: keys::run, seeds: keys::seeds },
    Target { name: "line", run: line::run, seeds: line::seeds },
    Target { name: "model", run: model::run, seeds: model::seeds },
    Target { name: "recording", run: recording::run, seeds: recording::seeds },
    Target { name: "upload", run: upload::run, seeds: upload::seeds },
];
