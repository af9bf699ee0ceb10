//! `evaluate`: what a run, an ensemble or a bundle makes of a set of coils.

use crate::data::coils::{CoilSet, LabelledCoil};
use crate::data::gold::{Ledger, Look, is_gold};
use crate::fit::predict;
use crate::run::ensemble::{Ensemble, is_ensemble};
use crate::run::{CoilSource, Member, RunFolder, hex};
use crate::score::alarms::LINE_PREVALENCE;
use crate::score::{Bootstrap, Judged, Platt, Report};
use anyhow::Context;
use coilsight_models::bundle::{KEY_FOLDER, Limits, TrustedKeys, Verified, read_key_files};
use coilsight_models::chunk::Coverage;
use coilsight_models::session::{Novelty, Session};
use coilsight_models::verdict::{Cause, CoverageRule, Policy, Verdict, coverage_causes, judge};
use jiff::Timestamp;
use serde::Serialize;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Judge a set of labelled coils with a run, an ensemble or a bundle, and say how good that is.
///
/// A run or an ensemble is judged with its final networks in the training engine, a bundle with the very code of the
/// line, which sends coils unlike training to REVIEW, too. REVIEW is reported apart and counted as the class underneath. A look at a set whose name begins
/// with `gold` is entered in the ledger of the run (or beside the bundle) before anything is shown.
#[derive(Debug, clap::Args)]
pub struct EvaluateArgs {
    /// A run's or an ensemble's folder, or a bundle.
    #[arg(value_name = "RUN_OR_BUNDLE")]
    of: PathBuf,
    /// The folder with the set.
    #[arg(long)]
    data: PathBuf,
    /// The set: NAME-mean.npy, NAME-std.npy, NAME.csv.
    #[arg(long, value_name = "NAME")]
    set: String,
    /// Public key, or folder of keys, whose bundles are believed. Default: the folder named by
    /// `COILSIGHT_TRUST`, or `/etc/coilsight/trusted.d`.
    #[arg(long, value_name = "KEY.pub")]
    trust: Vec<PathBuf>,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Evaluation {
    of: String,
    set: String,
    data_sha256: String,
    coils: usize,
    looks_at_gold: Option<usize>,
    report: Report,
}

/// Carries the subcommand out.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    let set = CoilSet::load(&args.data, &args.set)
        .with_context(|| format!("set {} of {} cannot be judged", args.set, args.data.display()))?;
    let looks_at_gold = enter_look(args, &set)?;
    let judged: Vec<Judged> = if args.of.is_dir() {
        let (p_nok, policy) =
            if is_ensemble(&args.of) { by_ensemble(&args.of, &set)? } else { by_run(&args.of, &set)? };
        let coils = set.coils.iter().zip(&p_nok);
        coils.map(|(coil, p)| as_the_line_would(coil, *p, None, &policy)).collect()
    } else {
        by_bundle(args, &set)?
    };
    let evaluation = Evaluation {
        of: args.of.display().to_string(),
        set: args.set.clone(),
        data_sha256: hex(&set.sha256()),
        coils: set.coils.len(),
        looks_at_gold,
        report: Report::new(&judged, LINE_PREVALENCE, Bootstrap::default()),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&evaluation)?);
    } else {
        println!("{} on {}: {} coils, {} NOK", evaluation.of, args.set, evaluation.coils, set.nok());
        if let Some(looks) = looks_at_gold {
            println!("this is look number {looks} at a gold set; it is in the ledger");
        }
        println!("{}", evaluation.report);
    }
    Ok(())
}

fn enter_look(args: &EvaluateArgs, set: &CoilSet) -> anyhow::Result<Option<usize>> {
    if !is_gold(&args.set) {
        return Ok(None);
    }
    let look = Look {
        at: Timestamp::now(),
        set: args.set.clone(),
        data: hex(&set.sha256()),
        of: args.of.display().to_string(),
        command: std::env::args().collect::<Vec<_>>().join(" "),
    };
    Ok(Some(Ledger::of(&args.of).enter(&look)?))
}

/// A coil as the line judges it by its score.
pub fn as_the_line_would(
    coil: &LabelledCoil,
    p_nok: f64,
    novelty: Option<Novelty>,
    policy: &Policy,
) -> Judged {
    let mut causes = coverage_causes(&Coverage::of(&coil.matrix), &CoverageRule::default());
    if let Some(Novelty { distance, limit }) = novelty.filter(Novelty::is_over) {
        causes.push(Cause::UnlikeTraining { distance, limit });
    }
    let judgement = judge(Some(p_nok), coil.order.as_ref(), causes, policy);
    Judged {
        nok: coil.nok,
        p_nok,
        called_nok: judgement.by_score == Some(Verdict::Nok),
        review: judgement.verdict == Verdict::Review,
        class: coil.class(),
    }
}

/// P(NOK) of each coil by a run's final networks, and the run's policy.
pub fn by_run(path: &Path, set: &CoilSet) -> anyhow::Result<(Vec<f64>, Policy)> {
    let folder = RunFolder::open(path)?;
    let record = folder.record()?;
    let mut p_nok = vec![0.0; set.coils.len()];
    for number in 0..record.config.members {
        let weight = 1.0 / record.config.members as f64;
        add_network(&mut p_nok, &folder, number, (weight, &record.calibration), set)?;
    }
    Ok((p_nok, record.policy))
}

fn by_ensemble(path: &Path, set: &CoilSet) -> anyhow::Result<(Vec<f64>, Policy)> {
    let ensemble = Ensemble::read(path)?;
    let mut p_nok = vec![0.0; set.coils.len()];
    for member in ensemble.members.iter().filter(|member| member.weight > 0.0) {
        let folder = ensemble.run(member)?;
        add_network(&mut p_nok, &folder, member.number, (member.weight, &member.calibration), set)?;
    }
    Ok((p_nok, ensemble.policy))
}

/// Adds what a run's final network makes of the coils, by its weight.
fn add_network(
    p_nok: &mut [f64],
    folder: &RunFolder,
    number: usize,
    (weight, calibration): (f64, &Platt),
    set: &CoilSet,
) -> anyhow::Result<()> {
    let prepare = folder.record()?.prepare;
    let source = CoilSource::new(set.coils.iter().collect(), &prepare, None);
    let network = folder.network(Member { fold: None, number }, &prepare)?;
    for (p, [ok, nok]) in p_nok.iter_mut().zip(predict(&network, &source, 0)?.logits) {
        *p += weight * calibration.p_nok(f64::from(nok) - f64::from(ok));
    }
    Ok(())
}

fn by_bundle(args: &EvaluateArgs, set: &CoilSet) -> anyhow::Result<Vec<Judged>> {
    let usual = std::env::var_os("COILSIGHT_TRUST").map_or_else(|| KEY_FOLDER.into(), PathBuf::from);
    let trust = if args.trust.is_empty() { std::slice::from_ref(&usual) } else { &args.trust };
    let keys =
        TrustedKeys::new(read_key_files(trust)?).context("say whose bundle is believed: --trust KEY.pub")?;
    let file = File::open(&args.of).with_context(|| format!("cannot open {}", args.of.display()))?;
    let bundle = Verified::read(BufReader::new(file), &keys, &Limits::default())
        .with_context(|| format!("the bundle {} is refused", args.of.display()))?;
    let mut session = Session::open(&bundle)?;
    session.check_golden()?;
    let policy = &bundle.manifest().set().context("the bundle brings no model set")?.policy;
    let judge = |coil: &LabelledCoil| {
        let scores = session.score(&coil.matrix, coil.order.as_ref())?;
        Ok(as_the_line_would(coil, scores.p_nok, scores.novelty, policy))
    };
    set.coils.iter().map(judge).collect()
}
