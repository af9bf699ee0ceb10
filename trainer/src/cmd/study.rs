//! `study`: many configurations on the same splits, from one file to a report.

use crate::cmd::train::go;
use crate::data::coils::CoilSet;
use crate::data::gold::load_for_training;
use crate::report;
use crate::run::{Fold, RunFolder};
use crate::score::Bootstrap;
use crate::study::cell::Bench;
use crate::study::finish::{Finished, finish, write};
use crate::study::results::Gold;
use crate::study::store::{Place, Store, beside};
use crate::study::work::{Progress, Shard, work};
use crate::study::{Cell, Plan, judging, last};
use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Train many configurations on the same splits, measure them alike, and tell which are better and how sure that is.
///
/// Every network is a cell of its own, left in a store when it is done. Broken off, the same command goes on; on several
/// machines, each works on its shard (`--shard 1/3`, `2/3`, `3/3`) with the same store, and `study finish` makes the report
/// when all cells are there. Without `--shard` both are done. The file is explained in
/// `trainer/studies/paper-coil-small.yaml`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct StudyCommand {
    #[command(subcommand)]
    part: Option<Part>,
    // Optional in type alone: a part has its own.
    /// The study (`trainer/studies/paper-coil-small.yaml`).
    #[arg(value_name = "STUDY.yaml", required = true)]
    study: Option<PathBuf>,
    /// The folder with the set.
    #[arg(long, required = true)]
    data: Option<PathBuf>,
    /// The folder for what is at work, results and report.
    #[arg(long, required = true)]
    out: Option<PathBuf>,
    /// As of `study finish`.
    #[arg(long, value_name = "PLACE")]
    store: Option<Place>,
    /// Work on part I of N alone, and do not finish.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    #[command(flatten)]
    ending: Ending,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    Plan(PlanArgs),
    Finish(FinishArgs),
}

/// What a study has in common with its parts.
#[derive(Debug, clap::Args)]
struct Common {
    /// The study (`trainer/studies/paper-coil-small.yaml`).
    #[arg(value_name = "STUDY.yaml")]
    study: PathBuf,
    /// The folder with the set.
    #[arg(long)]
    data: PathBuf,
    /// The folder for what is at work, results and report.
    #[arg(long)]
    out: PathBuf,
    /// Where finished cells lie: a folder, or `s3://BUCKET/PREFIX` with keys, region and endpoint in the environment
    /// (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`). Default: `store` in OUT.
    #[arg(long, value_name = "PLACE")]
    store: Option<Place>,
}

/// How a study ends.
#[derive(Debug, clap::Args)]
struct Ending {
    /// The gold set that the best of each school are shown, once. Default: `gold`, if the data folder has it.
    #[arg(long, value_name = "NAME", conflicts_with = "no_gold")]
    gold: Option<String>,
    /// Look at no gold set.
    #[arg(long)]
    no_gold: bool,
    /// Train no final networks; then there is no look at gold, either.
    #[arg(long)]
    no_final: bool,
    /// Resamples of every interval and permutations of every test.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    draws: u32,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
}

/// Make the report of a study whose cells are all there: choose, train the chosen on all coils, look at gold once.
#[derive(Debug, clap::Args)]
struct FinishArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    ending: Ending,
}

/// Show what a study would do: its configurations and how many networks they come to.
#[derive(Debug, clap::Args)]
struct PlanArgs {
    /// The study.
    #[arg(value_name = "STUDY.yaml")]
    study: PathBuf,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Planned<'a> {
    name: &'a str,
    cells: usize,
    configurations: Vec<String>,
}

/// Carries the subcommand out.
pub fn run(args: &StudyCommand) -> anyhow::Result<()> {
    match &args.part {
        Some(Part::Plan(args)) => plan(args),
        Some(Part::Finish(args)) => end(&Opened::new(&args.common)?, &args.common, &args.ending),
        None => {
            let given =
                |path: &Option<PathBuf>| path.clone().context("STUDY.yaml, --data and --out are needed");
            let (study, data, out) = (given(&args.study)?, given(&args.data)?, given(&args.out)?);
            all(&Common { study, data, out, store: args.store.clone() }, args.shard, &args.ending)
        }
    }
}

fn plan(args: &PlanArgs) -> anyhow::Result<()> {
    let plan = Plan::read(&args.study)?;
    let named = |e: &crate::study::Experiment| {
        e.configurations.iter().map(|c| format!("{}/{}", e.name, c.name)).collect::<Vec<_>>()
    };
    let configurations = plan.experiments.iter().flat_map(named).collect();
    let planned = Planned { name: &plan.name, cells: plan.cells().len(), configurations };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&planned)?);
        return Ok(());
    }
    for name in &planned.configurations {
        println!("{name}");
    }
    println!(
        "{} configurations, each {} repeats of {} folds and {} stretches forward in time: {} networks (those of equal settings \
         once)",
        planned.configurations.len(),
        plan.repeats,
        plan.folds,
        plan.forward.len(),
        planned.cells
    );
    Ok(())
}

struct Opened {
    plan: Plan,
    set: CoilSet,
    store: Store,
}

impl Opened {
    fn new(common: &Common) -> anyhow::Result<Self> {
        let plan = Plan::read(&common.study)?;
        let set = load_for_training(&common.data, &plan.set)
            .with_context(|| format!("set {} of {} is not studied", plan.set, common.data.display()))?;
        std::fs::create_dir_all(&common.out)
            .with_context(|| format!("cannot make {}", common.out.display()))?;
        let store = Store::open(&common.store.clone().unwrap_or_else(|| beside(&common.out)))?;
        Ok(Self { plan, set, store })
    }
}

fn all(common: &Common, shard: Option<Shard>, ending: &Ending) -> anyhow::Result<()> {
    let opened = &Opened::new(common)?;
    let Opened { plan, set, store } = opened;
    let mut bench = Bench::new(plan, set, &common.out)?;
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} networks, {elapsed} gone, {eta} to go  {msg}",
    )?);
    let mut progress = |progress: Progress| {
        match progress {
            Progress::Cells(done, of) => {
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            }
            Progress::Epoch(cell, report) => bar.set_message(format!(
                "{}, {}: epoch {}, loss {:.4}",
                plan.path(cell),
                told(cell),
                report.epoch + 1,
                report.train_loss
            )),
            Progress::Kept(done, of) => bar.set_message(format!("frozen stages, {done} of {of} coils")),
        }
        ControlFlow::Continue(())
    };
    work(plan, &mut bench, store, shard.unwrap_or_default(), &mut progress)?;
    bar.finish_and_clear();
    if let Some(shard) = shard {
        println!(
            "shard {}/{} is done; when all are: coilsight-trainer study finish (the same study, data and store)",
            shard.number, shard.of
        );
        return Ok(());
    }
    end(opened, common, ending)
}

fn told(cell: &Cell) -> String {
    match cell.fold {
        Fold::Stratified(fold) => format!("repeat {} fold {}", cell.repeat + 1, fold + 1),
        Fold::Forward(stretch) => format!("forward {}", stretch + 1),
    }
}

fn end(opened: &Opened, common: &Common, ending: &Ending) -> anyhow::Result<()> {
    let Opened { plan, set, store } = opened;
    let bench = Bench::new(plan, set, &common.out)?;
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} configurations measured, {elapsed} gone",
    )?);
    let finished = finish(
        plan,
        &bench,
        store,
        Bootstrap { draws: ending.draws, ..Bootstrap::default() },
        &|done, of| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        },
    )?;
    bar.finish_and_clear();
    write(&common.out, &finished)?;
    let gold = if ending.no_final { None } else { finals(opened, &finished, common, ending)? };
    let judging =
        if ending.no_final { Vec::new() } else { judging::measure(&finished.results, &common.out)? };
    let told = report::Told {
        results: &finished.results,
        judging: &judging,
        gold: gold.as_ref(),
        costs: &finished.costs,
        pictures: &last::pictures(&finished.results, set, &common.out)?,
        command: &last::command_line(std::env::args()),
    };
    let written = report::write(&common.out, &told)?;
    if ending.json {
        println!("{}", serde_json::to_string_pretty(&finished.results)?);
    } else {
        print!("{}", crate::study::tell::Told { results: &finished.results, gold: gold.as_ref() });
        if let Some(page) = written.first() {
            println!("\nThe report is {}; tables and runs for MLflow lie beside it.", page.display());
        }
    }
    Ok(())
}

/// Trains the chosen ones on all coils, and looks at gold if there is any.
fn finals(
    opened: &Opened,
    finished: &Finished,
    common: &Common,
    ending: &Ending,
) -> anyhow::Result<Option<Gold>> {
    for chosen in &finished.results.chosen {
        let config = last::settings(&opened.plan, chosen)?;
        let folder = RunFolder::begin(&last::folder(&common.out, chosen), &config)?;
        if !folder.path().join("run.json").is_file() {
            eprintln!("training {}/{} on all coils", chosen.experiment, chosen.configuration);
            go(&opened.set, &config, &folder)?;
        }
    }
    let Some(name) = gold_set(&common.data, ending)? else { return Ok(None) };
    last::look(&finished.results, &common.out, &common.data, &name).map(Some)
}

fn gold_set(data: &Path, ending: &Ending) -> anyhow::Result<Option<String>> {
    let there = |name: &str| data.join(format!("{name}.csv")).is_file();
    match &ending.gold {
        _ if ending.no_gold => Ok(None),
        Some(name) => {
            ensure!(there(name), "{} has no set {name}: give another --gold, or --no-gold", data.display());
            Ok(Some(name.clone()))
        }
        None => Ok(there("gold").then(|| "gold".to_owned())),
    }
}
