//! The program's subcommands, a file each: arguments in, library calls, words for people out.

pub mod ablate;
pub mod adapt;
pub mod bundle;
pub mod compare;
pub mod ensemble;
pub mod evaluate;
pub mod history;
pub mod keygen;
mod meant;
pub mod novelty;
pub mod oneshot;
pub mod parity;
pub mod preview;
pub mod push;
pub mod references;
pub mod retrain;
pub mod serve;
pub mod simulate;
pub mod study;
pub mod train;
pub mod trust;
pub mod weights;
