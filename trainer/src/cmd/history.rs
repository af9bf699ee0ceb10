//! `history`: what the plant's record knows of a coil, a set of models or a line.

use crate::plant::{Happened, History, Query, Record, Told};
use anyhow::ensure;
use coilsight_models::message::inbound::Label;
use serde_json::json;
use std::path::PathBuf;

/// Show the history of a coil, of a set of models, or of a line, from the plant's record.
///
/// A coil: every pass, what was decided by which set, and what people said of it. A set, by its fingerprint or how that begins: where it judged, how it
/// did, which retraining led to it, what asked for another. A line: what happened, latest first.
#[derive(Debug, clap::Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    of: Of,
    /// The folder of the plant's record, as for `serve`.
    #[arg(long, value_name = "DIR", required_unless_present = "database")]
    record: Option<PathBuf>,
    /// The plant's record's database instead.
    #[arg(long, value_name = "URL", env = "COILSIGHT_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// A coil's id.
    #[arg(long, value_name = "ID")]
    coil: Option<String>,
    /// A set's fingerprint, or its first characters.
    #[arg(long, value_name = "FINGERPRINT")]
    model: Option<String>,
    /// A line.
    #[arg(long, value_name = "LINE")]
    line: Option<String>,
}

/// Carries the subcommand out.
pub fn run(args: &HistoryArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let record = super::serve::open(args.record.as_ref(), args.database.as_deref()).await?;
        match (&args.of.coil, &args.of.model, &args.of.line) {
            (Some(coil), ..) => of_coil(&record, coil, args.json).await,
            (_, Some(model), _) => of_model(&record, model, args.json).await,
            (.., line) => of_line(&record, line.as_deref().unwrap_or_default(), args.json).await,
        }
    })
}

async fn of_coil(record: &Record, coil_id: &str, as_json: bool) -> anyhow::Result<()> {
    let query = Query { coil_id: Some(coil_id.to_owned()), ..Query::default() };
    let mut passes = record.coils(&query).await?;
    ensure!(
        !passes.is_empty(),
        "the plant's record has no coil {coil_id}: is its line sending (upload.enabled)?"
    );
    passes.reverse();
    let mut told = Vec::new();
    for pass in &passes {
        told.extend(record.coil(&pass.line, &pass.decision_id).await?);
    }
    if as_json {
        println!("{}", serde_json::to_string_pretty(&json!({"coil_id": coil_id, "passes": told}))?);
        return Ok(());
    }
    for (pass, Told { words, .. }) in passes.iter().zip(&told) {
        let p_nok = pass.p_nok.map_or_else(String::new, |p| format!(", P(NOK) {p:.3}"));
        let set = pass.set.as_deref().map_or("no set", short);
        println!("{}  line {}: {}{p_nok}, by {set}", when(pass.closed), pass.line, pass.verdict);
        for word in words {
            let label = match word.label {
                Some(Label::Ok) => "OK",
                Some(Label::Nok) => "NOK",
                None => "takes it back",
            };
            let withdrawn = if word.withdrawn { " (taken back)" } else { "" };
            println!("{}    {}: {label}{withdrawn}", when(Some(word.at)), word.by);
        }
        let stands = pass.label.as_deref().unwrap_or("nobody has said what it is");
        println!("    stands: {stands}");
    }
    Ok(())
}

async fn of_model(record: &Record, model: &str, as_json: bool) -> anyhow::Result<()> {
    let known = record.models(None).await?;
    let mut sets: Vec<&str> = known.iter().map(|of| &*of.set).filter(|set| set.starts_with(model)).collect();
    sets.sort_unstable();
    sets.dedup();
    ensure!(
        sets.len() < 2,
        "{model} is how {} fingerprints begin: give more of it ({})",
        sets.len(),
        sets.join(", ")
    );
    let set = sets.first().copied().unwrap_or(model);
    let of = record.model(set).await?;
    ensure!(
        !of.is_empty(),
        "the plant's record has no set {model}: no line used it, and no retraining led to it"
    );
    if as_json {
        println!("{}", serde_json::to_string_pretty(&of)?);
        return Ok(());
    }
    let History { lines, retrainings, performance, triggers, history } = of;
    println!("{set}");
    for on in lines {
        let slot = on.slot.map_or_else(String::new, |slot| format!(", {slot} now"));
        println!("  {} on line {}: {} coils, {} with a label{slot}", on.name, on.line, on.coils, on.labelled);
    }
    let newest = performance.first().and_then(|row| row.at);
    for row in performance.iter().filter(|row| row.at == newest && row.tolerance_class.is_empty()) {
        let share = |share: Option<f64>| {
            share.map_or_else(|| "?".to_owned(), |share| format!("{:.1}", 100.0 * share))
        };
        println!(
            "  {} over {}: {} % right ({} to {}), {} of {} coils with a label",
            row.judge,
            row.window,
            share(row.score),
            share(row.low),
            share(row.high),
            row.labelled,
            row.coils
        );
    }
    for one in triggers {
        let holds = if one.holds { "holds" } else { "over" };
        println!("  {}  asked for another ({holds}): {}", when(one.at), one.what);
    }
    for one in retrainings {
        let led = if one.candidate.as_deref() == Some(set) { "it was made" } else { "to replace it" };
        println!("  {}  retraining {} ({led}): {}", when(one.begun), one.id, one.outcome);
    }
    tell(&history);
    Ok(())
}

async fn of_line(record: &Record, line: &str, as_json: bool) -> anyhow::Result<()> {
    let known = record.lines().await?;
    ensure!(known.iter().any(|of| of.line == line), "the plant's record has no line {line}");
    let history = record.history(Some(line), None).await?;
    if as_json {
        println!("{}", serde_json::to_string_pretty(&json!({"line": line, "history": history}))?);
    } else {
        tell(&history);
    }
    Ok(())
}

fn tell(history: &[Happened]) {
    for one in history {
        println!("  {}  {}: {}", when(one.at), one.kind, one.what);
    }
}

fn short(set: &str) -> &str {
    set.get(..12).unwrap_or(set)
}

fn when(at: Option<jiff::Timestamp>) -> String {
    at.map_or_else(|| "at no known time".to_owned(), |at| at.strftime("%F %T").to_string())
}
