//! The program's subcommands, a file each: arguments in, library calls, words for people out.

pub mod evaluate;
pub mod simulate;
pub mod train;
