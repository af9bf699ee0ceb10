//! `oneshot paper`: the second paper's two tables beside ours.

use crate::oneshot::Pictures;
use crate::oneshot::paper::choices::CHOICES;
use crate::oneshot::paper::run::{ALIKE, AUC, DIFFERENT, HALF, PARTS, Paper, Trained};
use crate::oneshot::paper::{Part, Training};
use crate::run::{hex, write_whole};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// No network of the paper is longer, bytes: it has 40 million weights.
const MAX_WEIGHTS: u64 = 256 << 20;

/// Repeat the protocol of the second paper (one-shot recognition of steel surface defects with a Siamese network).
///
/// The Siamese network learns pairs of `rolled-in_scale`, patches and inclusion, and is asked about pairs of crazing, `pitted_surface`
/// and scratches, where chance is a half; the classifier and table 3 take 80 % of all six. Every part is kept in the folder
/// when it is done, and is not repeated when the command is given again.
#[derive(Debug, clap::Args)]
pub struct PaperArgs {
    /// The folder with a folder of pictures for each class.
    #[arg(long)]
    data: PathBuf,
    /// Where figures and the Siamese network's weights go.
    #[arg(long)]
    out: PathBuf,
    /// Only these parts, in this order.
    #[arg(long, value_parser = PARTS, num_args = 1..)]
    only: Vec<String>,
    /// Seed of weights, draws and splits.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Fewer epochs than the paper's 100 and 120: for a first look, and told in the results.
    #[arg(long)]
    epochs: Option<usize>,
    /// Judge the Siamese networks that lie in the folder again, without training.
    #[arg(long)]
    judge_again: bool,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

/// What a part was computed from: a part of another set, seed or length is not taken for this one.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Kept {
    pictures: String,
    epochs: usize,
    part: Part,
}

/// Carries the subcommand out.
pub fn run(args: &PaperArgs) -> anyhow::Result<()> {
    let pictures = Pictures::read(&args.data)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let paper = Paper::of(&pictures, args.seed, args.epochs);
    let digest = hex(&pictures.digest());
    let wanted: Vec<&str> =
        if args.only.is_empty() { PARTS.to_vec() } else { args.only.iter().map(|p| &**p).collect() };
    for name in wanted {
        let epochs = paper.epochs(name);
        let file = args.out.join(format!("{name}.json"));
        let weights = args.out.join(format!("{name}.safetensors"));
        let kept =
            read(&file)?.filter(|k| k.pictures == digest && k.epochs == epochs && k.part.seed == args.seed);
        let trained = match kept {
            Some(kept) if args.judge_again && weights.exists() => {
                let weights = crate::weights::read_file(&weights, MAX_WEIGHTS)?;
                Some(Trained { weights, losses: kept.part.losses })
            }
            Some(_) => continue,
            None => None,
        };
        let bar = ProgressBar::new(epochs as u64).with_prefix(name.to_owned()).with_style(
            ProgressStyle::with_template("{prefix} {bar:30} epoch {pos}/{len}, {msg}, {eta} to go")?,
        );
        let done = paper.part(name, trained, &mut |report| {
            tracing::info!(part = name, epoch = report.epoch, loss = report.train_loss);
            bar.set_message(format!("loss {:.4}", report.train_loss));
            bar.inc(1);
        })?;
        bar.finish_and_clear();
        if let Some(bytes) = done.weights {
            write_whole(&weights, &bytes)?;
        }
        let kept = Kept { pictures: digest.clone(), epochs, part: done.part };
        write_whole(&file, serde_json::to_string_pretty(&kept)?.as_bytes())?;
    }
    let mut parts = Vec::new();
    for name in PARTS {
        parts.extend(read(&args.out.join(format!("{name}.json")))?.filter(|k| k.pictures == digest));
    }
    let text = markdown(&parts);
    write_whole(&args.out.join("paper.md"), text.as_bytes())?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&parts)?);
    } else {
        print!("{text}");
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Option<Kept>> {
    if !file.exists() {
        return Ok(None);
    }
    let bytes = crate::weights::read_file(file, 1 << 20)?;
    let kept = serde_json::from_slice(&bytes);
    kept.with_context(|| format!("{} is not of this command: move it away", file.display())).map(Some)
}

fn markdown(parts: &[Kept]) -> String {
    let mut text = String::from(
        "| table | what | chance | paper | here (95 % interval) | the interval |\n|---|---|---|---|---|---|\n",
    );
    for (table, names) in [(2, ["neighbour", "siamese", "cnn"]), (3, ["siamese-all", "cnn", ""])] {
        for kept in names.iter().filter_map(|name| parts.iter().find(|k| k.part.name == *name)) {
            let Part { title, chance, paper, ours, interval, .. } = &kept.part;
            let (chance, ours) = (100.0 * chance, ours.percent());
            let _ = writeln!(text, "| {table} | {title} | {chance:.2} | {paper:.2} | {ours} | {interval} |");
        }
    }
    text.push_str("\n| Siamese network | margin as limit, as the paper: pairs of one class | of two | half the margin as limit: all pairs | area under the curve |\n|---|---|---|---|---|\n");
    for part in parts.iter().map(|kept| &kept.part).filter(|part| part.more.contains_key(AUC)) {
        let at = |name| 100.0 * part.more.get(name).copied().unwrap_or(f64::NAN);
        let (name, area) = (&part.name, at(AUC) / 100.0);
        let _ = writeln!(
            text,
            "| {name} | {:.2} | {:.2} | {:.2} | {area:.4} |",
            at(ALIKE),
            at(DIFFERENT),
            at(HALF)
        );
    }
    let short = |k: &&Kept| {
        let whole = if k.part.name == "cnn" { Training::cnn(0) } else { Training::siamese(0) };
        k.part.name != "neighbour" && k.epochs < whole.epochs
    };
    for kept in parts.iter().filter(short) {
        let _ = writeln!(
            text,
            "\n{} was trained for {} epochs only: no repetition of the paper.",
            kept.part.name, kept.epochs
        );
    }
    text.push_str("\nAll in percent but the area. Of pairs, half are of one class and half of two: chance is a half. A pair is judged to be of one class where its distance is under the margin.\n");
    text.push_str("\n| where the paper is silent | here |\n|---|---|\n");
    for (open, chosen) in CHOICES {
        let _ = writeln!(text, "| {open} | {chosen} |");
    }
    text
}
