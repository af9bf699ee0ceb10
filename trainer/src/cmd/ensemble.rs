//! `ensemble`: unlike networks, averaged by weights learned out of fold.

use crate::data::gold::load_for_training;
use crate::run::RunFolder;
use crate::run::ensemble::{Request, build};
use anyhow::Context;
use std::path::PathBuf;

/// Make an ensemble of finished runs on the same coils and folds.
///
/// Weights (0 or more, together 1) are learned on out-of-fold probabilities by least log loss, with a small
/// pull towards equal ones. What is reported is cross-fitted: the coils of a fold are judged by weights and
/// calibrations of the other folds. `evaluate`, `compare` and `bundle build` take its folder as they take a run's.
#[derive(Debug, clap::Args)]
pub struct EnsembleArgs {
    /// Folders of runs.
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    runs: Vec<PathBuf>,
    /// The folder with the set that the runs were trained on.
    #[arg(long)]
    data: PathBuf,
    /// The ensemble's folder.
    #[arg(long)]
    out: PathBuf,
    /// What it is called.
    #[arg(long, default_value = "ensemble")]
    name: String,
    /// Print its record as JSON.
    #[arg(long)]
    json: bool,
}

/// Carries the subcommand out.
pub fn run(args: &EnsembleArgs) -> anyhow::Result<()> {
    let named = args.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c));
    let begins = args.name.starts_with(|c: char| c.is_ascii_alphanumeric());
    anyhow::ensure!(
        named && begins && args.name.len() <= 48,
        "--name is {:?}: give lower-case letters, digits, - and ., at most 48",
        args.name
    );
    let set = &RunFolder::open(&args.runs[0])?.config()?.set;
    let set = load_for_training(&args.data, set)
        .with_context(|| format!("set {set} of {} is not trained on", args.data.display()))?;
    let made = build(&Request { runs: &args.runs, name: &args.name, out: &args.out }, &set)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&made)?);
        return Ok(());
    }
    for member in &made.members {
        println!(
            "{:.3}  {} (network {} of {})",
            member.weight,
            member.name,
            member.number,
            member.run.display()
        );
    }
    println!("Cross-fitted, under the policy chosen there:\n{}", made.out_of_fold);
    if let Some(forward) = &made.forward {
        println!("{forward}");
    }
    Ok(())
}
