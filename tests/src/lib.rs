//! What acceptance tests share: where the data and the programs are, and a word on what was not tested.

pub mod agent;
pub mod broker;
pub mod bundles;
pub mod fuzz;
pub mod gateway;
pub mod postgres;
pub mod programs;
pub mod record;
pub mod shift;
pub mod skip;
pub mod uplink;

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ lies in the repository").to_owned()
}

/// A file of the shared data (`COILSIGHT_DATA`, or `../shared/data` beside the repository), or `None`
/// after saying that `test` is skipped for want of it.
pub fn data(test: &str, file: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("COILSIGHT_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let path = folder.join(file);
    if path.exists() {
        return Some(path);
    }
    skip::say(test, &format!("there is no {}; set COILSIGHT_DATA to the data's folder", path.display()));
    None
}

/// A small bundle that the repository keeps for tests, and the public key that signs it.
pub fn golden_bundle() -> (PathBuf, PathBuf) {
    let golden = root().join("models/golden");
    (golden.join("pair.coilbundle"), golden.join("release.pub"))
}
