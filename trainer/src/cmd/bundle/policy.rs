//! `bundle policy`: other thresholds for a set, without a trainer.

use crate::release::{PolicyOptions, Thresholds, lay_out_policy};
use anyhow::Context;
use coilsight_models::verdict::Threshold;
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;

/// Make a bundle with other thresholds for a set that judges already. No network changes.
///
/// What is not given stays as the set has it. The bundle waits for its signatures: those who release suffice
/// (`bundle sign`). A line takes it only while that very set is active.
#[derive(Debug, clap::Args)]
pub struct PolicyArgs {
    /// The set's bundle.
    #[arg(value_name = "SET.coilbundle")]
    set: PathBuf,
    /// The release counter, above the set's: sets and policies count together.
    #[arg(long)]
    release: u64,
    /// Why, one line, for the record.
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Class A: P(NOK) from which on a coil goes to REVIEW, from which on it is NOK, and up to which it goes to REVIEW.
    #[arg(long, value_name = "REVIEW_FROM,NOK_FROM,REVIEW_TO", value_parser = threshold)]
    a: Option<Threshold>,
    /// Class B, likewise.
    #[arg(long, value_name = "REVIEW_FROM,NOK_FROM,REVIEW_TO", value_parser = threshold)]
    b: Option<Threshold>,
    /// Class C, likewise.
    #[arg(long, value_name = "REVIEW_FROM,NOK_FROM,REVIEW_TO", value_parser = threshold)]
    c: Option<Threshold>,
    /// Coils of unknown class, likewise.
    #[arg(long, value_name = "REVIEW_FROM,NOK_FROM,REVIEW_TO", value_parser = threshold)]
    unknown: Option<Threshold>,
    /// For how many days it is meant to be in use: past them the line warns, and goes on.
    #[arg(long, default_value_t = 365)]
    valid_days: u32,
    /// The bundle to write.
    #[arg(long, value_name = "FILE.coilbundle")]
    out: PathBuf,
}

fn threshold(text: &str) -> anyhow::Result<Threshold> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|number| number.trim().parse()).collect();
    match numbers.as_deref() {
        Ok(&[review_from, nok_from, review_to]) => Ok(Threshold { nok_from, review_from, review_to }),
        _ => anyhow::bail!("write three numbers such as 0.4,0.5,0.6"),
    }
}

/// Carries the subcommand out.
pub fn run(args: &PolicyArgs) -> anyhow::Result<()> {
    let (now, days) = (Timestamp::now(), SignedDuration::from_hours(24 * i64::from(args.valid_days)));
    let options = PolicyOptions {
        release: args.release,
        why: args.why.clone(),
        now,
        not_after: now.checked_add(days).context("--valid-days is too far away")?,
    };
    let thresholds = Thresholds { a: args.a, b: args.b, c: args.c, unknown: args.unknown };
    let (fingerprint, policy) = lay_out_policy(&args.set, &thresholds, &options, &args.out)?;
    println!("{} release {} is written, fingerprint {fingerprint}", args.out.display(), args.release);
    super::inspect::show_policy(&policy);
    println!(
        "Next: `coilsight-trainer bundle sign {} --key NAME.key` by those who release",
        args.out.display()
    );
    Ok(())
}
