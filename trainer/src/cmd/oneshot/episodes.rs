//! `oneshot episodes`: N-way k-shot recognition of classes that nothing was learned from.

use crate::oneshot::Pictures;
use crate::oneshot::encoder::{Encoder, WEIGHTS};
use crate::oneshot::episodes::Episodes;
use crate::oneshot::features::{Features, KINDS, STAGES};
use crate::oneshot::paper;
use crate::oneshot::recipe::candidates;
use crate::oneshot::splits::{self, AllClasses, Outcome};
use crate::run::write_whole;
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Recognise classes from a picture or a few of each, in episodes, with a pre-trained encoder.
///
/// Layers, shrinkage of the whitening and distance are chosen by episodes among the seen classes alone, and whitening is learned
/// on them alone; every choice and its score is written down. Episodes then ask about unseen classes only, and about all classes
/// together, some of which the whitening has seen. Last, everything is learned on all classes and held-back pictures are told
/// apart.
///
/// The seen classes are the paper's (`rolled-in_scale`, patches, inclusion) if they are there and nothing else is said;
/// --all-splits takes every half of the classes in turn.
#[derive(Debug, clap::Args)]
pub struct EpisodesArgs {
    /// The folder with a folder of pictures for each class.
    #[arg(long)]
    data: PathBuf,
    /// Other pictures of the same classes, which episodes are drawn from in place of those that are learned from.
    #[arg(long)]
    test: Option<PathBuf>,
    /// Where features, scores and figures go.
    #[arg(long)]
    out: PathBuf,
    /// The seen classes.
    #[arg(long, value_name = "CLASS", num_args = 1.., conflicts_with = "all_splits")]
    seen: Vec<String>,
    /// Every half of the classes is the seen one once.
    #[arg(long)]
    all_splits: bool,
    /// Reference pictures of each class.
    #[arg(long, default_value_t = 1)]
    shots: usize,
    /// Pictures of each class that an episode asks about.
    #[arg(long, default_value_t = 15)]
    queries: usize,
    /// Episodes.
    #[arg(long, default_value_t = 1000)]
    episodes: usize,
    /// Seed of the episodes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The encoder: `efficientnet-lite0`, `-lite1` or `-lite2` (`coilsight-trainer weights fetch`).
    #[arg(long, default_value = WEIGHTS)]
    weights: String,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    encoder: String,
    learned_from: usize,
    asked_about: usize,
    episodes: Episodes,
    splits: Vec<Outcome>,
    all_classes: AllClasses,
}

/// Carries the subcommand out.
pub fn run(args: &EpisodesArgs) -> anyhow::Result<()> {
    let pictures = Pictures::read(&args.data)?;
    let test = args.test.as_deref().map(Pictures::read).transpose()?;
    if let Some(test) = &test {
        anyhow::ensure!(
            test.classes == pictures.classes,
            "the classes of --test ({}) are not those of --data ({})",
            test.classes.join(", "),
            pictures.classes.join(", ")
        );
    }
    let encoder = Encoder::of(&args.weights, &STAGES, &KINDS)?;
    let learn = features_of(&encoder, &pictures, &args.out)?;
    let ask = test.as_ref().map(|test| features_of(&encoder, test, &args.out)).transpose()?;
    let episodes = Episodes {
        ways: pictures.classes.len(),
        shots: args.shots,
        queries: args.queries,
        count: args.episodes,
        seed: args.seed,
    };
    let splits = splits(args, &pictures)?;
    let tried = candidates(&learn);
    let steps = splits.iter().map(|seen| seen.len() * tried.len()).sum();
    let bar = bar(steps, "choices")?;
    let mut outcomes = Vec::new();
    for seen in &splits {
        let outcome = splits::split(&learn, ask.as_ref(), seen, &tried, &episodes, |n| bar.inc(n as u64))?;
        outcomes.push(outcome);
    }
    bar.finish_and_clear();
    let report = Report {
        encoder: encoder.origin.to_string(),
        learned_from: pictures.all.len(),
        asked_about: test.as_ref().map_or(pictures.all.len(), |test| test.all.len()),
        episodes,
        all_classes: splits::all_classes(&learn, ask.as_ref(), &outcomes[0].recipe, args.seed)?,
        splits: outcomes,
    };
    let json = serde_json::to_string_pretty(&report)?;
    write_whole(&args.out.join("episodes.json"), json.as_bytes())?;
    let text = markdown(&report, &pictures.classes);
    write_whole(&args.out.join("episodes.md"), text.as_bytes())?;
    print!("{}", if args.json { json + "\n" } else { text });
    Ok(())
}

/// Features of pictures, from the folder if they are there.
pub fn features_of(encoder: &Encoder, pictures: &Pictures, out: &Path) -> anyhow::Result<Features> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let bar = bar(pictures.all.len(), "features")?;
    let features = Features::of(encoder, pictures, out, |n| bar.inc(n as u64));
    bar.finish_and_clear();
    features
}

/// Progress of so many steps.
pub fn bar(steps: usize, what: &'static str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len}, {eta} to go")?;
    Ok(ProgressBar::new(steps as u64).with_prefix(what).with_style(style))
}

/// The seen classes of each split; the first is the one that was asked for, or the paper's.
fn splits(args: &EpisodesArgs, pictures: &Pictures) -> anyhow::Result<Vec<Vec<usize>>> {
    if !args.seen.is_empty() {
        return Ok(vec![pictures.places(&args.seen)?]);
    }
    let papers = pictures.places(&paper::SEEN).ok();
    if !args.all_splits {
        let why = "say which classes are seen (--seen), or take all splits (--all-splits)";
        return Ok(vec![papers.context(why)?]);
    }
    let mut all = splits::halves(pictures.classes.len());
    if let Some(mut papers) = papers {
        papers.sort_unstable();
        all.sort_by_key(|seen| *seen != papers);
    }
    Ok(all)
}

fn percent(accuracy: &crate::oneshot::episodes::Accuracy) -> String {
    format!("{:.2} ± {:.2}", 100.0 * accuracy.mean, 100.0 * accuracy.half_width)
}

fn markdown(report: &Report, classes: &[String]) -> String {
    let Report { encoder, learned_from, asked_about, episodes, splits, all_classes } = report;
    let mut text = format!(
        "Encoder: {encoder}, nothing of it trained. Learned from {learned_from} pictures, asked about {asked_about}.\n\
         {} episodes, {} shot, {} pictures of each class asked about; ± is half the 95 % interval of the mean over episodes.\n\n\
         | seen classes | chosen on them | among them | unseen classes only | all {} classes, whitened on the seen |\n\
         |---|---|---|---|---|\n",
        episodes.count,
        episodes.shots,
        episodes.queries,
        classes.len()
    );
    let names = |of: &[usize]| of.iter().map(|c| &*classes[*c]).collect::<Vec<_>>().join(", ");
    for split in splits {
        let (seen, unseen, all) =
            (100.0 * split.scores[0].accuracy, percent(&split.unseen), percent(&split.all));
        let _ =
            writeln!(text, "| {} | {} | {seen:.2} | {unseen} | {all} |", names(&split.seen), split.recipe);
    }
    if let Some(over) = splits::over_splits(splits) {
        let _ = writeln!(
            text,
            "\nOver {} splits of the classes: unseen {}; all {} (percent; mean and bootstrap over splits, 95 %).",
            splits.len(),
            over.unseen.percent(),
            over.all.percent()
        );
    }
    let AllClasses { right, asked, share, how, .. } = all_classes;
    let _ = writeln!(
        text,
        "\nAll classes known from all their pictures: {right} of {asked} right, {} % (Wilson's 95 %); {how}.",
        share.percent()
    );
    text
}
