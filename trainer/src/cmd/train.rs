//! `train`: a run from its settings, or on with one that was broken off.

use crate::data::coils::CoilSet;
use crate::data::gold::load_for_training;
use crate::run::{Fold, Member, Progress, RunConfig, RunFolder, RunRecord, train};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Train networks on labelled coils, choose thresholds out of fold, and leave a run.
///
/// Broken off, the same command goes on from the last epoch. The settings are explained in
/// `trainer/configs/cnn.yaml`.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// The settings.
    #[arg(value_name = "CONFIG.yaml")]
    config: PathBuf,
    /// The folder with the set (SET-mean.npy, SET-std.npy, SET.csv).
    #[arg(long)]
    data: PathBuf,
    /// The folder for the run.
    #[arg(long)]
    out: PathBuf,
    /// Print the run's record as JSON.
    #[arg(long)]
    json: bool,
}

/// Carries the subcommand out.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let config = RunConfig::read(&args.config)?;
    let set = load_for_training(&args.data, &config.set)
        .with_context(|| format!("set {} of {} is not trained on", config.set, args.data.display()))?;
    let folder = RunFolder::begin(&args.out, &config)?;
    std::fs::copy(&args.config, args.out.join("args.yaml"))
        .context("cannot copy the settings into the run")?;
    let networks = config.networks();
    let record = go(&set, &config, &folder)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&record)?);
    } else {
        println!(
            "{} networks of {} parameters on {} coils ({} NOK). Out of fold, under the policy chosen there:\n{}",
            networks, record.parameters, record.coils, record.nok, record.out_of_fold
        );
        if let Some(forward) = &record.forward {
            println!("{forward}");
        }
    }
    Ok(())
}

/// Trains a run and shows how far it is.
pub(crate) fn go(set: &CoilSet, config: &RunConfig, folder: &RunFolder) -> anyhow::Result<RunRecord> {
    let bar = ProgressBar::new((config.networks() * config.fit.epochs) as u64).with_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} epochs, {elapsed} gone, {eta} to go  {msg}")?,
    );
    bar.set_message(format!("{} coils, {} NOK", set.coils.len(), set.nok()));
    let mut progress = |member: Member, progress: Progress| {
        let of = match member.fold {
            Some(Fold::Stratified(fold)) => format!("fold {}", fold + 1),
            Some(Fold::Forward(stretch)) => format!("forward {}", stretch + 1),
            None => "final".into(),
        };
        let part = match member.fold {
            Some(Fold::Stratified(fold)) => fold,
            Some(Fold::Forward(stretch)) => config.folds + stretch,
            None => config.folds + config.forward.len(),
        };
        let begun = (part * config.members + member.number) * config.fit.epochs;
        let report = match progress {
            Progress::Epoch(report) => report,
            Progress::Kept(done, all) => {
                bar.set_message(format!("{of}: frozen stages, {done} of {all} coils"));
                return ControlFlow::Continue(());
            }
        };
        bar.set_position((begun + report.epoch + 1) as u64);
        let measure = report.measure.map_or_else(String::new, |m| format!(", average precision {m:.3}"));
        bar.set_message(format!("{of}: loss {:.4}{measure}", report.train_loss));
        ControlFlow::Continue(())
    };
    let record = train(set, config, folder, &mut progress)?;
    bar.finish_and_clear();
    Ok(record)
}
