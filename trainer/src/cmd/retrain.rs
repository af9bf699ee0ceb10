//! `retrain`: a candidate from what people said, and whether it is better.

use super::keygen::password;
use super::push::{PushArgs, push};
use crate::data::gold::load_for_training;
use crate::plant::Record;
use crate::release::push::Broker;
use crate::release::{self, BuildOptions, By, ReleaseSet, SecretKey, add_signature};
use crate::retrain::rule::{Outcome, Rule};
use crate::retrain::{self, Bundle, Heed, Parts};
use crate::run::RunConfig;
use anyhow::{Context, ensure};
use coilsight_models::bundle::manifest::Content;
use coilsight_models::bundle::{Place, Unverified};
use coilsight_models::message::model::State;
use coilsight_models::prepare;
use coilsight_models::verdict::Policy;
use jiff::{SignedDuration, Timestamp};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Train a candidate on what inspectors said of a line's coils, and judge it by coils that were kept apart.
///
/// Begins if a trigger of the line stands, or by the calendar (--every); else it says so and ends well, so that a timer may ask every
/// hour. A candidate is promoted only if it is not worse on coils whose chance of
/// being looked at is known AND better on NOK coils, by intervals and a level that are stated beforehand (`--rule`);
/// else it waits for a person. Everything stands in the plant's record. Releasing is an engineer's, unless the plant's trust document
/// lets a key of its own do it (`--automatic`; `trust change --help`): on the lines and days named there, under the policy that judges.
#[derive(Debug, clap::Args)]
pub struct RetrainArgs {
    /// The line.
    #[arg(long)]
    line: String,
    /// The settings of the networks, as for `train`.
    #[arg(long, value_name = "CONFIG.yaml")]
    config: PathBuf,
    /// The folder with an older set to learn from, too: the one that the settings name.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The folder for candidates: each gets one of its own in it, DIR/LINE-TIME.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The folder of the plant's record, as for `serve`.
    #[arg(long, value_name = "DIR", required_unless_present = "database")]
    record: Option<PathBuf>,
    /// The plant's record's database instead.
    #[arg(long, value_name = "URL", env = "COILSIGHT_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Begin without a trigger, too, if the last retraining is so many days ago; 0: now.
    #[arg(long, value_name = "DAYS")]
    every: Option<u32>,
    /// Not within so many hours of the last one, which had the same words to learn from. Not heeded with `--every 0`.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    pause: u32,
    /// The trainer's secret key: a promoted candidate becomes a bundle LINE-RELEASE.coilbundle in its folder.
    #[arg(long, value_name = "NAME.key", requires = "plant")]
    key: Option<PathBuf>,
    /// The plant that the bundle is for, as its lines call it (`bundle.plant`).
    #[arg(long, value_name = "PLANT", value_parser = super::meant::place)]
    plant: Option<Place>,
    /// For how many days the bundle is meant to be in use.
    #[arg(long, default_value_t = 365)]
    valid_days: u32,
    /// The key that releases without a person: what is promoted is judged and built under the policy that judges now, and signed by it,
    /// too.
    #[arg(long, value_name = "NAME.key", requires_all = ["key", "policy_of"])]
    automatic: Option<PathBuf>,
    /// The bundle that judges at the line: the newest of its set and the policies after it.
    #[arg(long, value_name = "FILE.coilbundle", requires = "automatic")]
    policy_of: Option<PathBuf>,
    /// Send what is released without a person to the line: the options of `bundle push` for the broker in one text, such as
    /// '--broker HOST --user trainer --password-file FILE'.
    #[arg(long, value_name = "OPTIONS", requires = "automatic", allow_hyphen_values = true, value_parser = way)]
    push: Option<Broker>,
    /// Leave out the words of this operator; may be repeated.
    #[arg(long, value_name = "OPERATOR")]
    without: Vec<String>,
    /// Believe this operator, though his words contradict everybody else's; may be repeated.
    #[arg(long, value_name = "OPERATOR")]
    believe: Vec<String>,
    /// Other rules, in JSON: `miss_cost`, `false_alarm_cost`, margin, level, alpha, `least_drawn`, `least_nok`.
    #[arg(long, value_name = "JSON")]
    rule: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// A broker by the options of `bundle push`; none of them holds a space.
fn way(options: &str) -> Result<Broker, clap::Error> {
    #[derive(clap::Parser)]
    struct Way {
        #[command(flatten)]
        broker: Broker,
    }
    let words = std::iter::once("--push").chain(options.split_whitespace());
    <Way as clap::Parser>::try_parse_from(words).map(|way| way.broker)
}

/// Carries the subcommand out.
pub fn run(args: &RetrainArgs) -> anyhow::Result<()> {
    let config = RunConfig::read(&args.config)?;
    let rule: Rule = args
        .rule
        .as_deref()
        .map_or(Ok(Rule::default()), serde_json::from_str)
        .context("--rule is not understood")?;
    let older = args.data.as_ref().map(|data| load_for_training(data, &config.set)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // A wrong password is told before anybody waits for a training.
    let key = args.key.as_ref().map(|key| SecretKey::open(key, password)).transpose()?;
    let automatic = args.automatic.as_ref().map(|key| SecretKey::open(key, password)).transpose()?;
    let begun = Timestamp::now();
    let (record, asked) = runtime.block_on(begin(args, begun))?;
    let Asked { reason, set, attempt, release } = match asked {
        Ok(asked) => asked,
        Err(why) => {
            let told = format!("no retraining for {}: {why}", args.line);
            let json = serde_json::json!({"line": args.line, "retraining": null, "why": why});
            println!("{}", if args.json { json.to_string() } else { told });
            return Ok(());
        }
    };
    let policy = args.policy_of.as_ref().map(|file| policy_of(file, &set)).transpose()?;
    let id = format!("{}-{}", args.line, begun.strftime("%Y%m%dT%H%M%SZ"));
    let out = args.out.join(&id);
    ensure!(!out.exists(), "{} is there already: try again in a second", out.display());
    let parts = async {
        record.retraining_begins(&id, &args.line, begun, &reason, Some(&set)).await?;
        anyhow::Ok(Parts::of(record.labelled(&args.line).await?, &set))
    };
    let parts = runtime.block_on(parts)?;
    let heed = Heed { without: args.without.clone(), believe: args.believe.clone() };
    let done = retrain::candidate(parts, older, &config, (&rule, attempt), &heed, policy.as_ref(), &out)
        .and_then(|mut report| {
            if let (Outcome::Promoted, Some(key)) = (&report.judgement.outcome, &key) {
                report.bundle = Some(build(args, (key, automatic.as_ref()), release, policy, &out)?);
            }
            Ok(report)
        });
    let bundle = done.as_ref().ok().and_then(|report| report.bundle.as_ref());
    let (outcome, why, report) = match &done {
        Ok(report) => {
            let (outcome, why) = match &report.judgement.outcome {
                Outcome::Promoted => ("promoted", promoted(bundle)),
                Outcome::Waits { why } => ("waits", why.clone()),
            };
            (outcome, why, serde_json::to_value(report)?)
        }
        Err(error) => ("failed", format!("{error:#}"), serde_json::Value::Null),
    };
    let candidate = bundle.map(|bundle| &*bundle.fingerprint);
    let ends =
        record.retraining_ends((&id, &args.line), Timestamp::now(), (outcome, &why), candidate, &report);
    runtime.block_on(ends)?;
    let report = done?;
    if let (Some(bundle), Some(broker)) = (report.bundle.as_ref().filter(|one| one.released), &args.push) {
        push(&PushArgs::quietly(bundle.file.clone(), args.line.clone(), broker.clone())).with_context(
            || format!("{} is released, and did not come to the line", bundle.file.display()),
        )?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let judgement = &report.judgement;
    println!(
        "{reason}\nlearned from {} coils of the line and {} older ones; judged by {} others ({} drawn by lot, {} NOK)",
        report.learned, report.older, judgement.coils, judgement.drawn, judgement.nok
    );
    println!("attempt {}: {outcome}: {why}", judgement.attempt);
    match (&judgement.outcome, &report.bundle) {
        (Outcome::Waits { .. }, _) => {}
        (Outcome::Promoted, None) => {
            println!("next: coilsight-trainer bundle build {}", out.join("run").display());
        }
        (Outcome::Promoted, Some(bundle)) if bundle.released && args.push.is_some() => {
            println!("{} is released without a person and lies at the line", bundle.file.display());
        }
        (Outcome::Promoted, Some(bundle)) if bundle.released => {
            println!(
                "next: coilsight-trainer bundle push {} --line {} --broker ...",
                bundle.file.display(),
                args.line
            );
        }
        (Outcome::Promoted, Some(bundle)) => println!(
            "next, for an engineer: coilsight-trainer bundle sign {0} --key ...; coilsight-trainer bundle push {0} --line {1} --broker ...",
            bundle.file.display(),
            args.line
        ),
    }
    Ok(())
}

fn promoted(bundle: Option<&Bundle>) -> String {
    let better = "not worse, and better on NOK coils".to_owned();
    bundle.map_or(better.clone(), |bundle| {
        let next = if bundle.released {
            "is released without a person"
        } else {
            "waits for an engineer's signature"
        };
        format!("{better}: release {} is built and {next}", bundle.release)
    })
}

/// The policy of the bundle that judges. That it is genuine, the line will see: it takes no other policy without a person.
fn policy_of(file: &Path, judges: &str) -> anyhow::Result<Policy> {
    let cannot = || format!("--policy-of {} cannot be read", file.display());
    let bundle =
        Unverified::read(BufReader::new(File::open(file).with_context(cannot)?)).with_context(cannot)?;
    let fingerprint = bundle.front().fingerprint().to_string();
    ensure!(
        fingerprint == judges,
        "give the bundle that judges at the line with --policy-of: that is {judges}, not {fingerprint}"
    );
    match &bundle.claimed().content {
        Content::Set(set) => {
            let same = set.prepare.values().all(|spec| spec.version == prepare::VERSION);
            ensure!(
                same,
                "the set that judges prepares coils by another version than this trainer: release by an engineer"
            );
            Ok(set.policy.clone())
        }
        Content::Policy(change) => Ok(change.policy.clone()),
        Content::Trust(_) | Content::Surfaces(_) => {
            anyhow::bail!("--policy-of names a bundle without a policy")
        }
    }
}

/// The candidate as the line's next release, signed by the trainer, and by whoever releases without a person, if that may be.
fn build(
    args: &RetrainArgs,
    (key, automatic): (&SecretKey, Option<&SecretKey>),
    release: u64,
    policy: Option<Policy>,
    out: &Path,
) -> anyhow::Result<Bundle> {
    let now = Timestamp::now();
    let days = SignedDuration::from_hours(24 * i64::from(args.valid_days));
    let line = Place::try_from(args.line.clone()).context("the line's name cannot stand in a bundle")?;
    let options = BuildOptions {
        release,
        plant: args.plant.clone().context("--plant is missing")?,
        lines: vec![line],
        floor: 0,
        now,
        not_after: now.checked_add(days).context("--valid-days is too far away")?,
        f32: Vec::new(),
    };
    let file = out.join(format!("{}-{release}.coilbundle", args.line));
    let mut set = ReleaseSet::open(&out.join("run"))?;
    set.policy = policy.unwrap_or(set.policy);
    let built = release::build(&set, key, &options, &file)?;
    if let Some(automatic) = automatic {
        let comment = format!("released without a person, by the rule of {}", out.display());
        add_signature(&file, &By::Key(automatic, &comment), &file)?;
    }
    Ok(Bundle { file, release, fingerprint: built.fingerprint.to_string(), released: automatic.is_some() })
}

/// What asks for a retraining.
struct Asked {
    reason: String,
    /// The set that judges.
    set: String,
    /// Which one it is since the last promotion.
    attempt: u32,
    /// The line's next release.
    release: u64,
}

/// The record, and what in it asks for a retraining, or why nothing does.
async fn begin(args: &RetrainArgs, now: Timestamp) -> anyhow::Result<(Record, Result<Asked, String>)> {
    let record = super::serve::open(args.record.as_ref(), args.database.as_deref()).await?;
    let lines = record.lines().await?;
    let line = lines.iter().find(|line| line.line == args.line);
    let line = line.with_context(|| format!("the plant's record has no line {}", args.line))?;
    let slots: Option<State> = line.slots.clone().and_then(|slots| serde_json::from_value(slots).ok());
    let known = slots.as_ref().and_then(|slots| Some((slots.active.as_ref()?, slots.next_release())));
    let (active, release) =
        known.context("the record does not know which set judges: the line has not said it yet")?;
    let set = active.fingerprint.to_string();
    let triggers = record.standing_triggers(&args.line).await?;
    let standing =
        triggers.into_iter().find(|(_, of, _)| *of == set).map(|(rule, _, what)| format!("{rule}: {what}"));
    let past = record.retrainings(&args.line).await?;
    let last = past.first().and_then(|one| one.begun);
    let ago = |hours: u32| {
        last.is_none_or(|last| now.duration_since(last) >= SignedDuration::from_hours(hours.into()))
    };
    let due = args.every.is_some_and(|days| ago(days.saturating_mul(24)));
    let Some(reason) = standing.or_else(|| due.then(|| "by the calendar".to_owned())) else {
        let why = "no trigger stands, and by the calendar (--every) none is due".to_owned();
        return Ok((record, Err(why)));
    };
    if args.every != Some(0) && !ago(args.pause) {
        let why = format!("the last one is less than {} hours ago (--pause)", args.pause);
        return Ok((record, Err(why)));
    }
    let since = past.iter().take_while(|one| one.outcome != "promoted");
    let attempt = since.filter(|one| one.outcome == "waits").count() + 1;
    let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
    Ok((record, Ok(Asked { reason, set, attempt, release })))
}
