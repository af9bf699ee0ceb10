//! Nothing is skipped silently: cargo swallows what a passing test prints, so `./test` gives a file to
//! write skips into and repeats them at its end.

use std::fs::OpenOptions;
use std::io::Write;

/// Names the file that skips are appended to.
pub const FILE: &str = "COILSIGHT_SKIPPED";

/// Says that a test is skipped, and why.
pub fn say(test: &str, why: &str) {
    let line = format!("SKIPPED {test}: {why}\n");
    eprint!("{line}");
    let Some(path) = std::env::var_os(FILE) else { return };
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        // One write a line: tests run side by side.
        .and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        panic!("{FILE} names {}, which cannot be written: {error}", path.display());
    }
}
