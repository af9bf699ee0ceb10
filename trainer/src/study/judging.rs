//! How long the chosen configurations take for a coil at the line: the paper's table 7 (section 5.7). Times are never the same
//! twice: they are kept apart from the results, in `judging.json`.

use super::School;
use super::last::folder;
use super::results::Results;
use crate::release::{BuildOptions, EVERY, Judging, ReleaseSet, SecretKey, build};
use crate::run::write_whole;
use anyhow::Context;
use coilsight_models::bundle::Place;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file.
pub const FILE: &str = "judging.json";

/// What was measured of a chosen configuration's final networks, as a bundle of them would be released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// Its school.
    pub school: School,
    /// `experiment/configuration`.
    pub configuration: String,
    /// Whether in f32, int8 being too far off.
    pub float: bool,
    /// The bundle's size, bytes.
    pub bytes: usize,
    /// The times; or why there are none.
    pub judging: Result<Judging, String>,
}

/// Measures the chosen ones whose final networks there are, on the coils that int8 is calibrated on.
pub fn measure(results: &Results, out: &Path) -> anyhow::Result<Vec<Judged>> {
    let key = SecretKey::throwaway()?;
    let mut judged = Vec::new();
    for chosen in &results.chosen {
        let run = folder(out, chosen);
        if !run.join("run.json").is_file() {
            continue;
        }
        let file = run.join("judging.coilbundle");
        let built = |f32: bool| {
            let now = Timestamp::now();
            let options = BuildOptions {
                release: 1,
                plant: Place::Any,
                lines: vec![Place::Any],
                floor: 0,
                now,
                not_after: now.checked_add(SignedDuration::from_hours(24)).context("a date")?,
                f32: if f32 { vec![EVERY.into()] } else { Vec::new() },
            };
            build(&ReleaseSet::open(&run)?, &key, &options, &file)
        };
        let (float, built) = match built(false) {
            Ok(built) => (false, Ok(built)),
            Err(_) => (true, built(true)),
        };
        // Nobody is to use it: its key is gone.
        let _ = std::fs::remove_file(&file);
        let (bytes, judging) = match built {
            Ok(built) => (built.bytes, Ok(built.judging)),
            Err(error) => (0, Err(format!("{error:#}"))),
        };
        let configuration = format!("{}/{}", chosen.experiment, chosen.configuration);
        judged.push(Judged { school: chosen.school, configuration, float, bytes, judging });
    }
    write_whole(&out.join(FILE), &serde_json::to_vec_pretty(&judged)?)?;
    Ok(judged)
}
