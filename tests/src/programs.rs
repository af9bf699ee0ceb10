//! The real programs, as they are started at a line or at a desk.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `coilsight-agent`.
pub fn agent() -> Command {
    Command::new(folder().join("coilsight-agent"))
}

/// `coilsight-trainer`.
pub fn trainer() -> Command {
    Command::new(folder().join("coilsight-trainer"))
}

/// Names a folder of programs to try instead of building them.
pub const FOLDER: &str = "COILSIGHT_PROGRAMS";

/// Where the programs lie; built once a test process, in the profile that the tests are built in.
fn folder() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        if let Some(folder) = std::env::var_os(FOLDER) {
            return folder.into();
        }
        let this = std::env::current_exe().expect("a test knows its own file");
        // target/PROFILE/deps/NAME-HASH for a test, target/PROFILE/examples/NAME, target/PROFILE/NAME for a program.
        let folder = this.parent().expect("a program lies in a folder");
        let is_below = folder.file_name().is_some_and(|name| name == "deps" || name == "examples");
        let folder = if is_below { folder.parent().expect("deps lies in target/PROFILE") } else { folder };
        let folder = folder.to_owned();
        build(&folder);
        folder
    })
}

fn build(folder: &Path) {
    // With the examples, features are resolved as for `cargo test`: nothing is compiled a second time.
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--workspace", "--bins", "--examples"]);
    if folder.file_name().is_some_and(|profile| profile == "release") {
        cargo.arg("--release");
    }
    // What cargo tells this test of its own package, ring's build script would take for another build, and all behind it
    // would be compiled again.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            cargo.env_remove(name);
        }
    }
    if let Some(target) = folder.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    let status = cargo.current_dir(crate::root()).status().expect("cargo can be started");
    assert!(status.success(), "the programs could not be built");
}
