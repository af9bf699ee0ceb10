//! `ablate`: what each setting is worth.

use crate::cmd::train::go;
use crate::data::gold::load_for_training;
use crate::run::RunFolder;
use crate::run::ablation::{BASE, Variant, is_done, read};
use crate::run::compare::Comparison;
use crate::run::contender::Contender;
use crate::run::write_whole;
use crate::score::Bootstrap;
use anyhow::ensure;
use std::path::PathBuf;

/// Train the changes that a study lists, each beside the same base, and compare them with it.
///
/// Runs that are done are left alone: broken off, the same command goes on. The comparison is written to
/// `table.md` and `table.json` after every run.
#[derive(Debug, clap::Args)]
pub struct AblateArgs {
    /// The study: a base, and changes of settings by dotted keys (`trainer/studies/ablation.yaml`).
    #[arg(value_name = "STUDY.yaml")]
    study: PathBuf,
    /// The folder with the set.
    #[arg(long)]
    data: PathBuf,
    /// The folder for the runs.
    #[arg(long)]
    out: PathBuf,
    /// Train this change alone, or these; the base always is.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

/// Carries the subcommand out.
pub fn run(args: &AblateArgs) -> anyhow::Result<()> {
    let mut variants = read(&args.study)?;
    for name in &args.only {
        let known = variants.iter().any(|variant| variant.name == *name);
        ensure!(known, "{} has no change {name}", args.study.display());
    }
    let wanted = |variant: &Variant| variant.name == BASE || args.only.contains(&variant.name);
    variants.retain(|variant| args.only.is_empty() || wanted(variant));
    let set = load_for_training(&args.data, &variants[0].config.set)?;
    let mut done: Vec<Contender> = Vec::new();
    for (i, variant) in variants.iter().enumerate() {
        eprintln!("{} of {}: {}", i + 1, variants.len(), variant.name);
        let folder = RunFolder::begin(&args.out.join(&variant.name), &variant.config)?;
        if !is_done(&folder, variant)? {
            go(&set, &variant.config, &folder)?;
        }
        done.push(Contender::open(folder.path())?);
        let found = Comparison::of(&done, done.first(), Bootstrap::default())?;
        write_whole(&args.out.join("table.md"), found.to_string().as_bytes())?;
        write_whole(&args.out.join("table.json"), &serde_json::to_vec_pretty(&found)?)?;
    }
    print!("{}", Comparison::of(&done, done.first(), Bootstrap::default())?);
    Ok(())
}
