//! The report of a study: one HTML file that needs nothing else, tables for spreadsheets, and runs for `MLflow`.
//!
//! Pure: what is told comes from [`Results`], from the look at gold, from what cells cost, and from pictures of coils. The same
//! input gives the same bytes. Figures are SVG written here rather than by plotters: their letters stay text in the reader's font
//! and their colours follow the page, light, dark or printed.

mod answer;
mod base64;
mod chosen;
mod errors;
mod experiment;
mod figures;
#[cfg(test)]
mod fixture;
mod gold;
mod html;
pub mod mlflow;
mod names;
mod rows;
mod svg;
mod tables;
#[cfg(test)]
mod tests;
mod text;

use crate::plot::Heatmap;
use crate::study::School;
use crate::study::judging::Judged;
use crate::study::results::{Cost, Gold, Results};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// A coil that a chosen configuration judges wrongly.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Of which school's configuration.
    pub school: School,
    /// As in [`crate::study::results::Wrong`].
    pub coil_id: String,
    /// The strip.
    pub map: Heatmap,
    /// What each cell of `[264][18]` gives to the log-odds of NOK, row-major; positive speaks for NOK.
    pub evidence: Option<Vec<f64>>,
}

/// What a report tells.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// What the study comes to.
    pub results: &'a Results,
    /// The look at gold, if there was one.
    pub gold: Option<&'a Gold>,
    /// By configuration; those that are missing were not measured.
    pub costs: &'a [Cost],
    /// How long the chosen ones take for a coil; empty if their final networks were not trained.
    pub judging: &'a [Judged],
    /// In order.
    pub pictures: &'a [Picture],
    /// The command line that made it.
    pub command: &'a str,
}

/// Writes `report.html`, `cells.csv`, `configurations.csv` and the folder `mlruns` (see [`mlflow`]) into a folder that exists, each
/// file whole or not at all. Returns the files, `report.html` first.
pub fn write(out: &Path, told: &Told) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = vec![
        (PathBuf::from("report.html"), html::page(told)?.into_bytes()),
        ("cells.csv".into(), rows::cells(told.results)?),
        ("configurations.csv".into(), rows::configurations(told)?),
    ];
    files.extend(mlflow::files(told));
    let mut written = Vec::new();
    for (name, bytes) in files {
        let file = out.join(name);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        crate::run::write_whole(&file, &bytes)?;
        written.push(file);
    }
    Ok(written)
}
