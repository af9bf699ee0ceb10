//! From finished runs to a signed bundle: export, parity gate, golden coils, signatures; and whose keys are believed.

mod build;
mod describe;
mod golden;
mod keys;
mod policy;
pub mod push;
mod set;
mod sign;
pub mod trust;

pub use build::{BuildOptions, Built, BuiltModel, EVERY, Judging, build};
pub use keys::{SecretKey, generate};
pub use policy::{PolicyOptions, Thresholds, lay_out_policy};
pub use set::{ReleaseModel, ReleaseSet};
pub use sign::{By, Signed, add_signature};
pub use trust::{Change, Packing};
