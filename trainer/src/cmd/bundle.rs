//! `bundle`: from a run to a signed bundle, further signatures, and what is in one.

mod inspect;
mod policy;
mod sign;

pub use inspect::keys;

use super::keygen::password;
use super::meant::MeantFor;
use crate::release::{BuildOptions, BuiltModel, EVERY, Judging, ReleaseSet, SecretKey, build};
use anyhow::Context;
use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;

/// Model bundles: build, sign and look into them.
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
        /// Where it may be used.
        #[command(flatten)]
        meant: MeantFor,
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
    // A text here would take the place of the struct's, which is the command's help.
    #[allow(missing_docs)]
    Sign(sign::SignArgs),
    #[allow(missing_docs)]
    Policy(policy::PolicyArgs),
    #[allow(missing_docs)]
    Inspect(inspect::InspectArgs),
    #[allow(missing_docs)]
    Push(super::push::PushArgs),
}

/// Carries the subcommand out.
pub fn run(command: &BundleCommand) -> anyhow::Result<()> {
    match command {
        BundleCommand::Build { run, key, out, release, meant, f32, created_at, valid_days, floor, json } => {
            let now = created_at.unwrap_or_else(Timestamp::now);
            let days = SignedDuration::from_hours(24 * i64::from(*valid_days));
            let options = BuildOptions {
                release: *release,
                plant: meant.plant.clone(),
                lines: meant.lines.clone(),
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
                    "judging": built.judging,
                });
                println!("{told}");
                return Ok(());
            }
            println!("{} release {release}, {} bytes, {}", out.display(), built.bytes, built.fingerprint);
            println!("{meant}");
            let parities = built.models.iter().map(|m| (m.name.as_str(), &m.parity));
            for (name, p) in parities.chain([("the set", &built.parity)]) {
                println!(
                    "{name}: P(NOK) as released differs from f32 by {:.4} in the mean and {:.4} at most, on {} coils",
                    p.mean, p.max, p.coils
                );
            }
            let Judging { coils, median_ms, p99_ms } = built.judging;
            println!(
                "judging took {median_ms:.1} ms in the median and {p99_ms:.1} ms in 99 %, over {coils} coils on this machine"
            );
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
        BundleCommand::Sign(args) => sign::run(args),
        BundleCommand::Policy(args) => policy::run(args),
        BundleCommand::Inspect(args) => inspect::run(args),
        BundleCommand::Push(args) => super::push::push(args),
    }
}
