//! `references`: what other references would have made of a trained Siamese network.

use crate::data::gold::load_for_training;
use crate::run::RunFolder;
use crate::run::references::{compare, table, variants};
use anyhow::Context;
use std::path::PathBuf;

/// Judge a Siamese run's folds again with other references, out of fold, without training.
///
/// Compares numbers of references (1, 3, 5, 10), ways to choose them (k-means, medoids, random), mean and nearest, and
/// distances, one changed at a time from the run's own settings.
#[derive(Debug, clap::Args)]
pub struct ReferencesArgs {
    /// The run's folder; coils of folds that are not trained yet are left out.
    #[arg(value_name = "RUN")]
    of: PathBuf,
    /// The folder with the set that the run was trained on.
    #[arg(long)]
    data: PathBuf,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

/// Carries the subcommand out.
pub fn run(args: &ReferencesArgs) -> anyhow::Result<()> {
    let folder = RunFolder::open(&args.of)?;
    let config = folder.config()?;
    let set = load_for_training(&args.data, &config.set)
        .with_context(|| format!("set {} of {} cannot be judged", config.set, args.data.display()))?;
    let ways = config.network.siamese.map(variants).unwrap_or_default();
    let rows = compare(&folder, &set, &ways)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("{} out of fold, 95 % intervals\n", args.of.display());
        print!("{}", table(&rows));
    }
    Ok(())
}
