//! `oneshot bundle`: a library as one signed file.

use crate::cmd::keygen::password;
use crate::cmd::meant::MeantFor;
use crate::oneshot::bundle::build;
use crate::release::{BuildOptions, SecretKey};
use anyhow::Context;
use coilsight_models::bundle::{BadName, Id};
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;

/// Sign a library as a bundle: encoder, references, and how they are compared.
///
/// It is read back as a line would read it, and written only if it recognises as the library does.
#[derive(Debug, clap::Args)]
pub struct BundleArgs {
    /// The library's folder.
    #[arg(long)]
    library: PathBuf,
    /// The bundle to write.
    #[arg(long, value_name = "FILE.coilbundle")]
    out: PathBuf,
    /// The secret key that signs (`coilsight-trainer keygen`).
    #[arg(long, value_name = "NAME.key")]
    key: PathBuf,
    /// What people call it.
    #[arg(long, default_value = "surfaces", value_parser = id)]
    name: Id,
    /// The release counter: larger than that of every bundle before.
    #[arg(long)]
    release: u64,
    /// Where it may be used.
    #[command(flatten)]
    meant: MeantFor,
    /// When it is built, instead of now: equal inputs then give equal bytes, but for the signature.
    #[arg(long, value_name = "RFC3339")]
    created_at: Option<Timestamp>,
    /// For how many days it is meant to be in use.
    #[arg(long, default_value_t = 365)]
    valid_days: u32,
    /// Print what was built as JSON.
    #[arg(long)]
    json: bool,
}

fn id(text: &str) -> Result<Id, BadName> {
    Id::new(text)
}

/// Carries the subcommand out.
pub fn run(args: &BundleArgs) -> anyhow::Result<()> {
    let now = args.created_at.unwrap_or_else(Timestamp::now);
    let days = SignedDuration::from_hours(24 * i64::from(args.valid_days));
    let options = BuildOptions {
        release: args.release,
        plant: args.meant.plant.clone(),
        lines: args.meant.lines.clone(),
        floor: 0,
        now,
        not_after: now.checked_add(days).context("--valid-days is too far away")?,
        f32: Vec::new(),
    };
    let key = SecretKey::open(&args.key, password)?;
    let built = build(&args.library, &args.name, &key, &options, &args.out)?;
    if args.json {
        println!("{}", serde_json::to_string(&built)?);
        return Ok(());
    }
    println!("{} release {}, {} bytes, {}", args.out.display(), args.release, built.bytes, built.fingerprint);
    println!("{}", args.meant);
    println!(
        "{} classes, {} references; distances differ from the library's by {:.1e} at most",
        built.classes, built.references, built.differs
    );
    Ok(())
}
