//! `oneshot library`, `oneshot add` and `oneshot recognise`: classes that are taught a picture at a time.

use super::episodes::features_of;
use crate::cmd::bundle::keys;
use crate::oneshot::Pictures;
use crate::oneshot::bundle;
use crate::oneshot::encoder::{Encoder, WEIGHTS};
use crate::oneshot::features::{KINDS, STAGES};
use crate::oneshot::library::{Library, Recognised, Record, encoder_of, limit};
use crate::oneshot::pictures::read_picture;
use crate::oneshot::recipe::{candidates, choose};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Make a library that knows no class yet, but what pictures of one class usually differ in.
///
/// That is learned on a folder of pictures by class, and layers, shrinkage and distance are chosen on them, as `oneshot episodes`
/// does. The library carries the encoder as ONNX with the whitening as its last layer. Its limit, beyond which a picture is like
/// nothing that is known, is calibrated on the same classes, each in turn taken for a new one.
#[derive(Debug, clap::Args)]
pub struct LibraryArgs {
    /// The folder with a folder of pictures for each class to learn from.
    #[arg(long)]
    data: PathBuf,
    /// Learn from these classes only.
    #[arg(long, value_name = "CLASS", num_args = 1..)]
    seen: Vec<String>,
    /// The library's folder, new or empty.
    #[arg(long)]
    library: PathBuf,
    /// Where computed features are kept for another time.
    #[arg(long)]
    out: PathBuf,
    /// The share of pictures of a new class that its one reference should still recognise.
    #[arg(long, default_value_t = 0.95)]
    accepted: f64,
    /// The encoder: `efficientnet-lite0`, `-lite1` or `-lite2` (`coilsight-trainer weights fetch`).
    #[arg(long, default_value = WEIGHTS)]
    weights: String,
}

/// Teach a library a class by a picture of it, or by some.
#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// What the class is called.
    name: String,
    /// Pictures of it.
    #[arg(required = true)]
    pictures: Vec<PathBuf>,
    /// The library's folder.
    #[arg(long)]
    library: PathBuf,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

/// Say of pictures which of a library's classes they are, or that they are like nothing that it knows.
#[derive(Debug, clap::Args)]
pub struct RecogniseArgs {
    /// The pictures.
    #[arg(required = true)]
    pictures: Vec<PathBuf>,
    /// The library's folder.
    #[arg(long, required_unless_present = "bundle")]
    library: Option<PathBuf>,
    /// A signed library instead (`coilsight-trainer oneshot bundle`).
    #[arg(long, value_name = "FILE.coilbundle", conflicts_with = "library", requires = "trusted")]
    bundle: Option<PathBuf>,
    /// Whose signatures on the bundle count: a trust document, a public key or a folder of keys.
    #[arg(long, value_name = "KEYS", requires = "bundle")]
    trusted: Option<PathBuf>,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

/// Carries `oneshot library` out.
pub fn make(args: &LibraryArgs) -> anyhow::Result<()> {
    let in_range = args.accepted > 0.0 && args.accepted < 1.0;
    anyhow::ensure!(in_range, "--accepted is {}: it must be between 0 and 1", args.accepted);
    let pictures = Pictures::read(&args.data)?;
    let names = if args.seen.is_empty() { pictures.classes.clone() } else { args.seen.clone() };
    let members: Vec<Vec<usize>> =
        pictures.places(&names)?.into_iter().map(|class| pictures.of(class)).collect();
    let whole = Encoder::of(&args.weights, &STAGES, &KINDS)?;
    let features = features_of(&whole, &pictures, &args.out)?;
    let tried = candidates(&features);
    let bar = super::episodes::bar(tried.len() * members.len(), "choices")?;
    let scores = choose(&features, &members, &tried, |n| bar.inc(n as u64))?;
    bar.finish_and_clear();
    let (recipe, accuracy) = (scores[0].recipe.clone(), scores[0].accuracy);
    let whitening = recipe.within(&features, &members.concat())?.whitening(recipe.shrinkage)?;
    let limit = limit(&features, &members, &recipe, args.accepted)?;
    let encoder = Encoder::of(&args.weights, &recipe.stages, &recipe.kinds)?;
    let record = Record {
        format: 0,
        encoder_sha256: String::new(),
        origin: encoder.origin.to_string(),
        learned_on: names,
        embedding: whitening.mean.len(),
        limit,
        limit_is: format!(
            "{} of the pictures of a seen class lay nearer to one picture of it, the class being new to the whitening",
            args.accepted
        ),
        recipe,
        classes: BTreeMap::new(),
    };
    let library = Library::make(&args.library, &encoder_of(&encoder, &whitening)?, record)?;
    let Record { recipe, learned_on, .. } = &library.record;
    println!("{}: {recipe}; limit {limit:.3}", args.library.display());
    println!("learned on {} (episodes among them: {:.2} %)", learned_on.join(", "), 100.0 * accuracy);
    println!("teach it: coilsight-trainer oneshot add NAME PICTURE --library {}", args.library.display());
    Ok(())
}

/// Carries `oneshot add` out.
pub fn add(args: &AddArgs) -> anyhow::Result<()> {
    let mut library = Library::open(&args.library)?;
    let mut new = 0;
    for path in &args.pictures {
        new += usize::from(library.add(&args.name, &read_picture(path)?)?);
    }
    let references = library.record.classes.get(&args.name).map_or(0, Vec::len);
    if args.json {
        println!("{}", json!({ "class": args.name, "new": new, "references": references }));
    } else {
        println!("{}: {new} new, {references} in all; {} classes", args.name, library.record.classes.len());
    }
    Ok(())
}

/// Carries `oneshot recognise` out.
pub fn recognise(args: &RecogniseArgs) -> anyhow::Result<()> {
    let mut recognise = recogniser(args)?;
    let mut all = Vec::new();
    for path in &args.pictures {
        let found = recognise(&read_picture(path)?)?;
        if !args.json {
            let nearest =
                found.distances.first().map(|(name, d)| format!("{name} at {d:.3}")).unwrap_or_default();
            match &found.class {
                Some(class) => println!("{}  {class}  ({nearest}, limit {:.3})", path.display(), found.limit),
                None => println!(
                    "{}  like nothing that is known  (nearest {nearest}, limit {:.3})",
                    path.display(),
                    found.limit
                ),
            }
        }
        all.push(json!({ "picture": path, "found": found }));
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(())
}

type Recogniser = Box<dyn FnMut(&[u8]) -> anyhow::Result<Recognised>>;

/// The library or the bundle that is asked.
fn recogniser(args: &RecogniseArgs) -> anyhow::Result<Recogniser> {
    match (&args.library, &args.bundle, &args.trusted) {
        (Some(folder), ..) => {
            let mut library = Library::open(folder)?;
            Ok(Box::new(move |pixels| library.recognise(pixels)))
        }
        (None, Some(file), Some(trusted)) => {
            let mut bundle = bundle::open(file, &keys(trusted)?)?;
            Ok(Box::new(move |pixels| Ok(bundle.recognise(pixels)?)))
        }
        _ => anyhow::bail!("give --library DIR, or --bundle FILE with --trusted KEYS"),
    }
}
