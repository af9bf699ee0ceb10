//! `retrain`: a candidate from what people said, and whether it is better.

use crate::data::gold::load_for_training;
use crate::plant::Record;
use crate::retrain::rule::{Outcome, Rule};
use crate::retrain::{self, Parts};
use crate::run::RunConfig;
use anyhow::{Context, bail};
use jiff::Timestamp;
use std::path::PathBuf;

/// Train a candidate on what inspectors said of a line's coils, and judge it by coils that were kept apart.
///
/// Begins if a trigger of the line stands, or with --calendar. A candidate is promoted only if it is not worse on coils whose chance of
/// being looked at is known AND better on NOK coils, by intervals and a level that are stated beforehand (`--rule`);
/// else it waits for a person. Everything stands in the plant's record. Building, signing and releasing are steps of their own.
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
    /// The folder for the candidate.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The folder of the plant's record, as for `serve`.
    #[arg(long, value_name = "DIR", required_unless_present = "database")]
    record: Option<PathBuf>,
    /// The plant's record's database instead.
    #[arg(long, value_name = "URL", env = "COILSIGHT_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Begin without a trigger: weekly, say.
    #[arg(long)]
    calendar: bool,
    /// Other rules, in JSON: `miss_cost`, `false_alarm_cost`, margin, level, alpha, `least_drawn`, `least_nok`.
    #[arg(long, value_name = "JSON")]
    rule: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
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
    let (record, reason, set, attempt) = runtime.block_on(begin(args))?;
    let id = format!("{}-{:016x}", args.line, rand::random::<u64>());
    let begun = async {
        record.retraining_begins(&id, &args.line, Timestamp::now(), &reason, Some(&set)).await?;
        anyhow::Ok(Parts::of(record.labelled(&args.line).await?, &set))
    };
    let parts = runtime.block_on(begun)?;
    let done = retrain::candidate(parts, older, &config, &rule, attempt, &args.out);
    let (outcome, why, report) = match &done {
        Ok(report) => {
            let (outcome, why) = match &report.judgement.outcome {
                Outcome::Promoted => ("promoted", "not worse, and better on NOK coils".to_owned()),
                Outcome::Waits { why } => ("waits", why.clone()),
            };
            (outcome, why, serde_json::to_value(report)?)
        }
        Err(error) => ("failed", format!("{error:#}"), serde_json::Value::Null),
    };
    let ends = record.retraining_ends((&id, &args.line), Timestamp::now(), (outcome, &why), None, &report);
    runtime.block_on(ends)?;
    let report = done?;
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
    if judgement.outcome == Outcome::Promoted {
        println!("next: coilsight-trainer bundle build {}", args.out.join("run").display());
    }
    Ok(())
}

/// The record, what asks for it, the set that judges, and which attempt it is since the last promotion.
async fn begin(args: &RetrainArgs) -> anyhow::Result<(Record, String, String, u32)> {
    let record = super::serve::open(args.record.as_ref(), args.database.as_deref()).await?;
    let lines = record.lines().await?;
    let line = lines.iter().find(|line| line.line == args.line);
    let line = line.with_context(|| format!("the plant's record has no line {}", args.line))?;
    let active = line.slots.as_ref().and_then(|slots| slots["active"]["fingerprint"].as_str());
    let set =
        active.context("the record does not know which set judges: the line has not said it yet")?.to_owned();
    let triggers = record.standing_triggers(&args.line).await?;
    let standing =
        triggers.into_iter().find(|(_, of, _)| *of == set).map(|(rule, _, what)| format!("{rule}: {what}"));
    let Some(reason) = standing.or_else(|| args.calendar.then(|| "by the calendar".to_owned())) else {
        bail!(
            "nothing asks for new models of {}: no trigger stands (--calendar begins without one)",
            args.line
        )
    };
    let past = record.retrainings(&args.line).await?;
    let since = past.iter().take_while(|one| one.outcome != "promoted");
    let attempt = since.filter(|one| one.outcome == "waits").count() + 1;
    Ok((record, reason, set, u32::try_from(attempt).unwrap_or(u32::MAX)))
}
