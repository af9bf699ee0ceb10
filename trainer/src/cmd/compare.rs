//! `compare`: runs and ensembles beside each other.

use crate::run::compare::Comparison;
use crate::run::contender::Contender;
use crate::run::write_whole;
use crate::score::Bootstrap;
use std::path::PathBuf;

/// Compare finished runs and ensembles of the same data: a row each, with intervals.
///
/// With a baseline, differences from it follow, with paired intervals: the very same coils are redrawn for
/// both, so that a difference can be told from chance.
#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// Folders of runs or ensembles.
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The run that the others are compared with.
    #[arg(long, value_name = "RUN")]
    baseline: Option<PathBuf>,
    /// Write the table there (Markdown, or JSON with --json) instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// JSON instead of Markdown.
    #[arg(long)]
    json: bool,
}

/// Carries the subcommand out.
pub fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let runs = args.runs.iter().map(|path| Contender::open(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let baseline = args.baseline.as_ref().map(|path| Contender::open(path)).transpose()?;
    let found = Comparison::of(&runs, baseline.as_ref(), Bootstrap::default())?;
    let text = if args.json { serde_json::to_string_pretty(&found)? + "\n" } else { found.to_string() };
    match &args.out {
        Some(file) => write_whole(file, text.as_bytes())?,
        None => print!("{text}"),
    }
    Ok(())
}
