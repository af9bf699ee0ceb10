//! `adapt`: whether looking at later coils, unlabelled, helps to judge them.

use crate::data::gold::load_for_training;
use crate::run::RunFolder;
use crate::run::adapt::adapt;
use crate::run::compare::{Comparison, ForwardTable};
use crate::run::contender::Contender;
use crate::score::Bootstrap;
use std::path::PathBuf;

/// Judge forward in time with a run's networks as they were trained, with batch norm statistics of the
/// later coils, and with CORAL; no label of a later coil is looked at.
#[derive(Debug, clap::Args)]
pub struct AdaptArgs {
    /// The run, trained with `forward`.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The folder with the set that it was trained on.
    #[arg(long)]
    data: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Carries the subcommand out.
pub fn run(args: &AdaptArgs) -> anyhow::Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let set = load_for_training(&args.data, &folder.config()?.set)?;
    let run = Contender::open(&args.run)?;
    let ways: Vec<Contender> = adapt(&set, &folder)?
        .into_iter()
        .map(|adapted| Contender {
            name: adapted.way.name().into(),
            forward: Some((adapted.scores, adapted.forward)),
            ..run.clone()
        })
        .collect();
    let found = Comparison::of(&ways, ways.first(), Bootstrap::default())?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        print!("{}", ForwardTable(&found));
    }
    Ok(())
}
