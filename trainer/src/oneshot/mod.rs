//! One-shot recognition on pictures of surfaces: a class is known from one picture of it.
//!
//! [`pictures`] reads a folder for each class. [`encoder`] makes features of pictures with a network that other pictures trained,
//! [`whiten`] learns on seen classes what pictures of one class differ in, [`recipe`] chooses on them how to compare, and
//! [`episodes`] says how well that tells unseen classes apart ([`splits`]). [`library`] is taught classes one picture at a time, [`bundle`] signs one for a line.
//! [`paper`] is the second paper's protocol.

pub mod bundle;
mod decode;
pub mod encoder;
pub mod episodes;
pub mod error;
mod expected;
pub mod features;
pub mod library;
pub mod paper;
pub mod pictures;
pub mod recipe;
pub mod splits;
#[cfg(test)]
pub mod testing;
pub mod turns;
pub mod whiten;

pub use error::OneShotError;
pub use pictures::Pictures;
