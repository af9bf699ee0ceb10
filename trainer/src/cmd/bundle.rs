//! `bundle`: from a run to a signed bundle, and what is in one.

use super::keygen::password;
use crate::release::{BuildOptions, BuiltModel, EVERY, ReleaseSet, SecretKey, build};
use anyhow::Context;
use clap::Subcommand;
use coilsight_models::bundle::manifest::{Content, ModelSet};
use coilsight_models::bundle::{Place, Unverified};
use coilsight_models::verdict::Policy;
use jiff::{SignedDuration, Timestamp};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Model bundles: build and look into them.
#[derive(Debug, Subcommand)]
pub enum BundleCommand {
    /// Quantise a finished run's networks, check them, and sign them as a bundle.
    Build {
        /// The run's folder.
        run: PathBuf,
        /// The secret key that signs (`coilsight-trainer keygen`).
        #[arg(long, value_name = "NAME.key")]
        key: PathBuf,
        /// The bundle to write.
        #[arg(long, value_name = "FILE.coilbundle")]
        out: PathBuf,
        /// The release counter: larger than that of every bundle before.
        #[arg(long)]
        release: u64,
        /// The plant it is for; `*` for any.
        #[arg(long, default_value = "*")]
        plant: String,
        /// A line it is for; may be repeated; `*` for any.
        #[arg(long = "line", default_value = "*")]
        lines: Vec<String>,
        /// Release a model in f32, as it was trained: for one that int8 changes too much. `--f32=MODEL` may be
        /// repeated; `--f32` alone means all of them.
        #[arg(long, value_name = "MODEL", num_args = 0..=1, require_equals = true, default_missing_value = EVERY)]
        f32: Vec<String>,
        /// When it is built, instead of now: equal inputs then give equal bytes, but for the signature.
        #[arg(long, value_name = "RFC3339")]
        created_at: Option<Timestamp>,
        /// For how many days it is meant to be in use: past them the line warns, and goes on.
        #[arg(long, default_value_t = 365)]
        valid_days: u32,
        /// Forbid going back to releases below this one, for instance because they have a fault.
        #[arg(long, default_value_t = 0)]
        floor: u64,
        /// Print what was built as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what a bundle says of itself. Nothing is checked: that is `coilsight-agent bundle verify`.
    Inspect {
        /// The bundle.
        bundle: PathBuf,
        /// Put the manifest and the signatures into this folder, for `minisign -V` to check.
        #[arg(long, value_name = "DIR")]
        extract: Option<PathBuf>,
        /// Print the manifest as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Carries the subcommand out.
pub fn run(command: &BundleCommand) -> anyhow::Result<()> {
    match command {
        BundleCommand::Build {
            run,
            key,
            out,
            release,
            plant,
            lines,
            f32,
            created_at,
            valid_days,
            floor,
            json,
        } => {
            let place = |text: &String| Place::try_from(text.clone()).context("a plant's or line's name");
            let now = created_at.unwrap_or_else(Timestamp::now);
            let days = SignedDuration::from_hours(24 * i64::from(*valid_days));
            let options = BuildOptions {
                release: *release,
                plant: place(plant)?,
                lines: lines.iter().map(place).collect::<Result<_, _>>()?,
                floor: *floor,
                now,
                not_after: now.checked_add(days).context("--valid-days is too far away")?,
                f32: f32.clone(),
            };
            let key = SecretKey::open(key, password)?;
            let set = ReleaseSet::open(run)?;
            let built = build(&set, &key, &options, out)?;
            if *json {
                let (fingerprint, bytes) = (built.fingerprint.to_string(), built.bytes);
                let model = |m: &BuiltModel| serde_json::json!({"name": m.name, "parity": m.parity, "float": m.float});
                let models: Vec<_> = built.models.iter().map(model).collect();
                let told = serde_json::json!({
                    "fingerprint": fingerprint, "bytes": bytes, "parity": built.parity, "models": models, "unlike": built.unlike,
                });
                println!("{told}");
                return Ok(());
            }
            println!("{} release {release}, {} bytes, {}", out.display(), built.bytes, built.fingerprint);
            let parities = built.models.iter().map(|m| (m.name.as_str(), &m.parity));
            for (name, p) in parities.chain([("the set", &built.parity)]) {
                println!(
                    "{name}: P(NOK) as released differs from f32 by {:.4} in the mean and {:.4} at most, on {} coils",
                    p.mean, p.max, p.coils
                );
            }
            for model in &built.models {
                for kept in &model.float {
                    println!("{}: f32: {kept}", model.name);
                }
            }
            match &set.novelty {
                Some((at, novelty)) => println!(
                    "coils further than {:.2} from those trained on, by the features of {}, go to REVIEW: {} of the {} above",
                    novelty.limit, set.models[*at].name, built.unlike, built.parity.coils
                ),
                None => println!(
                    "the run has not measured novelty: no coil goes to REVIEW for being unlike training"
                ),
            }
            Ok(())
        }
        BundleCommand::Inspect { bundle, extract, json } => inspect(bundle, extract.as_deref(), *json),
    }
}

fn inspect(path: &Path, extract: Option<&Path>, json: bool) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let bundle = Unverified::read(BufReader::new(file))?;
    let (front, claimed) = (bundle.front(), bundle.claimed());
    if let Some(folder) = extract {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let write = |name: String, bytes: &[u8]| {
            let file = folder.join(name);
            std::fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))
        };
        write("manifest.json".into(), front.manifest_bytes())?;
        for (i, signature) in front.signatures().iter().enumerate() {
            write(format!("manifest.json.{i}.minisig"), signature.as_str().as_bytes())?;
        }
    }
    if json {
        println!("{}", serde_json::to_string_pretty(claimed)?);
        return Ok(());
    }
    println!("Not verified; this is what it says of itself:");
    println!("  {} release {}, built {}", claimed.name, claimed.release, claimed.created_at);
    let lines: Vec<String> = claimed.lines.iter().map(ToString::to_string).collect();
    println!(
        "  for plant {}, lines {}; agent {} or later",
        claimed.plant,
        lines.join(", "),
        claimed.requires_agent
    );
    for signature in front.signatures() {
        println!("  signed with key {}: {}", signature.key_id(), signature.trusted_comment());
    }
    println!("  to be used until {}; nothing below release {} after it", claimed.not_after, claimed.floor);
    match &claimed.content {
        Content::Set(set) => inspect_set(set)?,
        Content::Policy(change) => {
            println!("  other thresholds for the set {}: {}", change.set, change.why);
            inspect_policy(&change.policy);
        }
        Content::Trust(document) => println!("{}", serde_json::to_string_pretty(document)?),
    }
    for file in &claimed.files {
        println!("  {} {} bytes", file.name, file.length);
    }
    println!("  fingerprint {}", front.fingerprint());
    Ok(())
}

fn inspect_set(set: &ModelSet) -> anyhow::Result<()> {
    for model in &set.models {
        println!("  model {} ({}), weight {}", model.name, model.kind, model.weight);
    }
    for part in &set.parts {
        println!("  network {}: {}", part.id, serde_json::to_string(&part.precision)?.trim_matches('"'));
        for kept in &part.float {
            println!("    f32: {kept}");
        }
    }
    for (name, spec) in &set.prepare {
        let (channels, side) = (spec.channels.len(), spec.side.len());
        println!("  coils as {name}: {:?}, {channels} channels, {side} side values", spec.layout);
    }
    if let Some(novelty) = &set.novelty {
        println!("  REVIEW beyond distance {:.3} of features of {}", novelty.limit, novelty.part);
    }
    inspect_policy(&set.policy);
    let p = &set.provenance;
    println!("  trained on {} coils ({} NOK) of {}, {}", p.coils, p.nok, p.set_name, p.weight_origin);
    for (name, m) in &p.metrics {
        println!("  {name}: {:.3} [{:.3}, {:.3}]", m.value, m.low, m.high);
    }
    Ok(())
}

fn inspect_policy(policy: &Policy) {
    for (class, t) in ["A", "B", "C"].iter().zip([policy.a, policy.b, policy.c]) {
        println!(
            "  class {class}: NOK from P(NOK) {:.3}, REVIEW from {:.3} to {:.3}",
            t.nok_from, t.review_from, t.review_to
        );
    }
}
