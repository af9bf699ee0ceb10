//! From a finished run to a signed bundle: export, parity gate, golden coils, signature.

mod build;
mod golden;
mod keys;

pub use build::{BuildOptions, Built, build};
pub use keys::{SecretKey, generate};
