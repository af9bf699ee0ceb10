//! From finished runs to a signed bundle: export, parity gate, golden coils, signature.

mod build;
mod describe;
mod golden;
mod keys;
mod set;

pub use build::{BuildOptions, Built, BuiltModel, EVERY, build};
pub use keys::{SecretKey, generate};
pub use set::{ReleaseModel, ReleaseSet};
