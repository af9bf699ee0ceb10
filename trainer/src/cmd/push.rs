//! `bundle push`: sends a bundle to a line, and says what the line makes of it. `line`: what a line has in its slots.

use crate::release::push::{self, Awaited, Broker, BundleFile, End, Push, Word};
use anyhow::{bail, ensure};
use clap::Args;
use coilsight_models::message::Topics;
use coilsight_models::message::model::{Slot, Stage};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Which line, and by which broker.
#[derive(Debug, Args)]
struct At {
    /// The line, as its agent calls it.
    #[arg(long, value_name = "LINE")]
    line: String,
    /// What stands before the line's topics [default: plant/LINE].
    #[arg(long, value_name = "TOPIC")]
    prefix: Option<String>,
    #[command(flatten)]
    broker: Broker,
}

impl At {
    fn topics(&self) -> anyhow::Result<Topics> {
        let prefix = self.prefix.clone().unwrap_or_else(|| format!("plant/{}", self.line));
        let plain = !prefix.is_empty() && !prefix.contains(['+', '#', '\0']);
        ensure!(plain, "give a topic without + and #, not {prefix:?}");
        Ok(Topics { prefix, ..Topics::default() })
    }
}

/// Send a bundle to a line over the plant's broker, and hear what the line makes of it.
///
/// Ends well only if the line has done what `--wait` says; a refusal is shown in the line's own words.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The bundle.
    bundle: PathBuf,
    #[command(flatten)]
    at: At,
    /// What to wait for: staged: verified and kept at the line; active: it decides.
    #[arg(long, value_enum, default_value = "staged")]
    wait: Awaited,
    /// Give up after this long.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    timeout: u64,
    /// Print the line's last word as JSON.
    #[arg(long)]
    json: bool,
    /// Print nothing that ends well.
    #[arg(skip)]
    quiet: bool,
}

impl PushArgs {
    /// A bundle to a line of the usual topics, until it is staged there.
    pub(super) fn quietly(bundle: PathBuf, line: String, broker: Broker) -> Self {
        let at = At { line, prefix: None, broker };
        Self { bundle, at, wait: Awaited::Staged, timeout: 3600, json: false, quiet: true }
    }
}

/// Show what a line has in its slots, and which release comes next.
#[derive(Debug, Args)]
pub struct LineArgs {
    #[command(flatten)]
    at: At,
    /// Print the line's state as JSON.
    #[arg(long)]
    json: bool,
}

/// Carries `bundle push` out.
pub fn push(args: &PushArgs) -> anyhow::Result<()> {
    let began = Instant::now();
    let file = BundleFile::open(&args.bundle)?;
    let topics = args.at.topics()?;
    let mut push = Push::new(file.offer.clone(), file.fingerprint, args.wait);
    let line = &args.at.line;
    let bar = ProgressBar::new(file.offer.bytes)
        .with_style(ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}, {eta} to go  {wide_msg}")?);
    let mut said = None;
    let mut tell = |push: &Push, lost: Option<&str>| {
        bar.set_position((u64::from(push.have()) * u64::from(file.offer.piece_bytes)).min(file.offer.bytes));
        if let Some(lost) = lost {
            bar.set_message(format!("connecting again: {lost}"));
            return;
        }
        let word = push.word();
        if word != said.as_ref() {
            said = word.cloned();
            if let Some(word) = word {
                bar.set_message(word.text.clone());
                // What lasts, or a person must act on, stays on the screen.
                if !matches!(word.stage, Stage::Receiving | Stage::Refused) {
                    bar.println(format!("{line}: {}: {word}", name(word.stage)));
                }
            }
        }
    };
    let longest = Duration::from_secs(args.timeout);
    let done = push::run(&file, &mut push, &args.at.broker, &topics, longest, &mut tell);
    bar.finish_and_clear();
    let word = match push.ended() {
        Some(End::Reached(word) | End::Refused(word)) => Some(word),
        None => push.word(),
    };
    if args.json {
        let reached = matches!(push.ended(), Some(End::Reached(_)));
        println!("{}", json(&file, word, reached, began.elapsed()));
    }
    done?;
    match push.ended() {
        Some(End::Reached(word)) => {
            if !args.json && !args.quiet {
                println!("{line}: {}: {word}", name(word.stage));
            }
            Ok(())
        }
        Some(End::Refused(word)) => bail!("{line}: {}: {word}", name(word.stage)),
        None => bail!("{line} has not had its last word: please report this"),
    }
}

fn name(stage: Stage) -> String {
    serde_json::to_value(stage)
        .ok()
        .and_then(|name| Some(name.as_str()?.replace('_', " ")))
        .unwrap_or_default()
}

fn json(file: &BundleFile, word: Option<&Word>, reached: bool, took: Duration) -> serde_json::Value {
    serde_json::json!({
        "offer": file.offer.offer,
        "fingerprint": file.fingerprint,
        "name": file.offer.name,
        "release": file.offer.release,
        "bytes": file.offer.bytes,
        "reached": reached,
        "state": word.map(|word| word.stage),
        "text": word.map(|word| &word.text),
        "to_do": word.map(|word| &word.to_do),
        "took_s": took.as_secs_f64(),
    })
}

/// Carries `line` out.
pub fn line(args: &LineArgs) -> anyhow::Result<()> {
    let topics = args.at.topics()?;
    let Some(state) = push::read_state(&args.at.broker, &topics)? else {
        bail!(
            "start the line's agent once, or correct --line, --prefix and what the broker lets this user read: \
             it keeps no state of {}",
            args.at.line
        );
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&state)?);
        return Ok(());
    }
    let slot = |slot: &Option<Slot>| match slot {
        Some(slot) => format!("{} release {}, {}", slot.name, slot.release, slot.fingerprint),
        None => "nothing".to_owned(),
    };
    println!("{}:", state.line);
    println!("  active     {}", slot(&state.active));
    println!("  candidate  {}", slot(&state.candidate));
    println!("  last good  {}", slot(&state.last_good));
    println!("  the next release is {} or higher", state.next_release());
    Ok(())
}
