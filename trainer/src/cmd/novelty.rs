//! `novelty`: how well a run's distance tells coils that something happened to from ordinary ones.

use crate::data::coils::LabelledCoil;
use crate::data::gold::load_for_training;
use crate::run::RunFolder;
use crate::run::novelty::{Change, Known, Novelty};
use crate::score::roc_auc;
use anyhow::Context;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::path::PathBuf;

/// Say how well the distance from training finds coils that something happened to.
///
/// Each fold's network and the space of its training coils look at the good coils of the fold, as they are and with
/// something done to them: a gauge dead or off, gauges mixed up, noise, half the coating.
#[derive(Debug, clap::Args)]
pub struct NoveltyArgs {
    /// The run's folder.
    run: PathBuf,
    /// The folder with the set it was trained on.
    #[arg(long)]
    data: PathBuf,
    /// Coils of each fold that are changed.
    #[arg(long, default_value_t = 100)]
    coils: usize,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Found {
    limit: f64,
    /// Distances of ordinary coils, held back: the middle one.
    ordinary_median: f64,
    /// Share of ordinary coils beyond the limit.
    ordinary_over: f64,
    /// Share of NOK coils beyond the limit.
    nok_over: f64,
    changes: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    what: &'static str,
    /// Area under the ROC curve against ordinary coils.
    auc: f64,
    /// The middle distance.
    median: f64,
    /// Share beyond the limit.
    over: f64,
}

/// Carries the subcommand out.
pub fn run(args: &NoveltyArgs) -> anyhow::Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let record = folder.record()?;
    let set = load_for_training(&args.data, &record.config.set)?;
    let limit = Novelty::read(&folder)?.context("the run has not measured novelty")?.limit;
    let nok: Vec<bool> = set.coils.iter().map(|coil| coil.nok).collect();
    let folds = record.config.split(&nok);
    let (mut ordinary, mut bad, mut changed) = (Vec::new(), Vec::new(), vec![Vec::new(); Change::ALL.len()]);
    for fold in 0..record.config.folds {
        let known = Known::of(&set, &folds, Some(fold), (&record.config, &record.prepare, &folder))?;
        let held: Vec<&LabelledCoil> =
            set.coils.iter().zip(&folds).filter(|(_, of)| **of == fold).map(|(coil, _)| coil).collect();
        let (nok, good): (Vec<&LabelledCoil>, Vec<&LabelledCoil>) = held.iter().partition(|coil| coil.nok);
        bad.extend(known.distances(&nok)?);
        ordinary.extend(known.distances(&good)?);
        let some = good.iter().step_by((good.len() / args.coils.max(1)).max(1));
        let some: Vec<&LabelledCoil> = some.copied().collect();
        for (found, change) in changed.iter_mut().zip(Change::ALL) {
            let mut rng = ChaCha8Rng::seed_from_u64(fold as u64);
            let happened = |coil: &&LabelledCoil| LabelledCoil {
                matrix: change.of(&coil.matrix, &mut rng),
                ..(*coil).clone()
            };
            let coils: Vec<LabelledCoil> = some.iter().map(happened).collect();
            found.extend(known.distances(&coils.iter().collect::<Vec<_>>())?);
        }
    }
    let over = |distances: &[f64]| {
        distances.iter().filter(|d| **d > limit).count() as f64 / distances.len().max(1) as f64
    };
    let told = |(change, distances): (Change, &Vec<f64>)| {
        let labels = [vec![false; ordinary.len()], vec![true; distances.len()]].concat();
        let auc = roc_auc(&labels, &[&ordinary[..], distances].concat()).context("no coils to compare")?;
        Ok(Told { what: change.words(), auc, median: median(distances), over: over(distances) })
    };
    let found = Found {
        limit,
        ordinary_median: median(&ordinary),
        ordinary_over: over(&ordinary),
        nok_over: over(&bad),
        changes: Change::ALL.into_iter().zip(&changed).map(told).collect::<anyhow::Result<_>>()?,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(());
    }
    println!(
        "limit {limit:.3}; out of fold, over it: {:.4} of good coils (median distance {:.3}), {:.4} of NOK",
        found.ordinary_over, found.ordinary_median, found.nok_over
    );
    println!("{:<34} {:>6} {:>8} {:>6}", "what happened", "AUC", "median", "over");
    for Told { what, auc, median, over } in &found.changes {
        println!("{what:<34} {auc:>6.3} {median:>8.2} {over:>6.3}");
    }
    Ok(())
}

fn median(distances: &[f64]) -> f64 {
    let mut sorted = distances.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
