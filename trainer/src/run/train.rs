//! The procedure: folds, out-of-fold scores, calibration and policy, then the final networks.

use super::environment::Environment;
use super::folder::{Member, RunFolder};
use super::member::{self, Start, Training};
use super::{RunConfig, RunRecord, policy};
use crate::data::coils::{CoilSet, LabelledCoil};
use crate::data::folds::stratified;
use crate::fit::EpochReport;
use crate::nets::Model;
use crate::score::{Bootstrap, Judged, Platt, Report};
use crate::weights::Loaded;
use anyhow::bail;
use coilsight_models::coil::Order;
use coilsight_models::prepare::PrepareSpec;
use coilsight_models::verdict::{Policy, Verdict, judge};
use std::fmt::Write;
use std::ops::ControlFlow;

/// Coils kept in the run to calibrate int8 on.
const CALIBRATION_COILS: usize = 256;

/// What a run tells of its way.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// An epoch is over.
    Epoch(&'a EpochReport),
    /// Coils that frozen stages have made ready, of how many.
    Kept(usize, usize),
}

/// Trains a run, or goes on with one; `progress` sees every epoch and may break off.
///
/// Thresholds and calibration come from out-of-fold scores alone: every coil is scored by networks that
/// have not seen it, nor been stopped by it.
pub fn train(
    set: &CoilSet,
    config: &RunConfig,
    folder: &RunFolder,
    progress: &mut dyn FnMut(Member, Progress) -> ControlFlow<()>,
) -> anyhow::Result<RunRecord> {
    let spec = config.prepare.resolve(&set.coils)?;
    let nok: Vec<bool> = set.coils.iter().map(|coil| coil.nok).collect();
    let folds = stratified(&nok, config.folds, config.seed);
    write_calibration_set(set, folder)?;
    write_splits(set, &folds, folder)?;
    let start = Start::of(config)?;
    let environment = Environment::of(&start.place.device);
    folder.write("environment.json", &serde_json::to_vec_pretty(&environment)?)?;
    let weight_origin = start.words(config);
    let mut run = Run { set, config, spec: &spec, folder, progress, start, size: (0, 0), loaded: None };

    let mut margins = vec![Vec::with_capacity(config.members); set.coils.len()];
    for fold in 0..config.folds {
        let (held, seen): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|i| folds[*i] == fold);
        for number in 0..config.members {
            let found = run.margins(Member { fold: Some(fold), number }, &seen, &held)?;
            for (item, margin) in held.iter().zip(found) {
                margins[*item].push(margin);
            }
        }
    }
    let calibration = calibrate(&nok, &margins)?;
    let p_nok: Vec<f64> = margins
        .iter()
        .map(|m| m.iter().map(|margin| calibration.p_nok(*margin)).sum::<f64>() / m.len() as f64)
        .collect();
    let unjudged: Vec<Judged> = set.coils.iter().zip(&p_nok).map(|(c, p)| plain(c, *p)).collect();
    let policy = policy(&unjudged, &config.policy)?;
    let judged: Vec<Judged> = set.coils.iter().zip(&p_nok).map(|(c, p)| judged(c, *p, &policy)).collect();
    write_oof(set, &folds, &margins, &p_nok, folder)?;

    let all: Vec<usize> = (0..set.coils.len()).collect();
    for number in 0..config.members {
        run.margins(Member { fold: None, number }, &all, &[])?;
    }
    let record = RunRecord {
        trainer: env!("CARGO_PKG_VERSION").into(),
        config: config.clone(),
        data_sha256: hex(&set.sha256()),
        coils: set.coils.len(),
        nok: set.nok(),
        weight_origin,
        weights: run.start.origin,
        loaded: run.loaded,
        prepare: spec.clone(),
        calibration,
        policy,
        parameters: run.size.0,
        trainable: run.size.1,
        out_of_fold: Report::new(&judged, config.policy.costs.prevalence, Bootstrap::default()),
    };
    folder.write("run.json", &serde_json::to_vec_pretty(&record)?)?;
    Ok(record)
}

struct Run<'a> {
    set: &'a CoilSet,
    config: &'a RunConfig,
    spec: &'a PrepareSpec,
    folder: &'a RunFolder,
    progress: &'a mut dyn FnMut(Member, Progress) -> ControlFlow<()>,
    start: Start,
    /// Learned values, and those that training moves.
    size: (usize, usize),
    loaded: Option<Loaded>,
}

impl Run<'_> {
    /// Trains a member on `seen` unless it is done, and gives the margins (logit NOK - logit OK) of `held`.
    fn margins(&mut self, member: Member, seen: &[usize], held: &[usize]) -> anyhow::Result<Vec<f64>> {
        let folder = self.folder.member(member)?;
        let seed = seed(self.config.seed, member);
        let (network, loaded) = self.start.network(self.config, self.spec, seed)?;
        self.size = (network.params().count(), network.params().trainable());
        self.loaded = loaded;
        if let Some(margins) = member::found(&folder)? {
            return Ok(margins);
        }
        let run = self.folder.path();
        let training = Training { config: self.config, spec: self.spec, run, folder: &folder, seed };
        let coils = |of: &[usize]| of.iter().map(|i| &self.set.coils[*i]).collect::<Vec<_>>();
        let progress = std::cell::RefCell::new(&mut *self.progress);
        let mut observer = |report: &EpochReport| (progress.borrow_mut())(member, Progress::Epoch(report));
        let mut keeping = |done, of| {
            // What is kept stays: breaking off waits for the next epoch.
            let _ = (progress.borrow_mut())(member, Progress::Kept(done, of));
        };
        let found = training.run(&network, &coils(seen), &coils(held), &mut observer, &mut keeping)?;
        member::write(&network, &folder, &found)?;
        Ok(found)
    }
}

/// Members differ in their seed alone.
fn seed(run: u64, member: Member) -> u64 {
    run.wrapping_mul(1_000_003)
        .wrapping_add(1000 * member.fold.map_or(999, |fold| fold as u64))
        .wrapping_add(member.number as u64)
}

/// One calibration for all members: each coil counts once a member.
fn calibrate(nok: &[bool], margins: &[Vec<f64>]) -> anyhow::Result<Platt> {
    let labels: Vec<bool> = nok.iter().zip(margins).flat_map(|(n, m)| vec![*n; m.len()]).collect();
    let calibration = Platt::fit(&labels, &margins.concat(), None)?;
    if calibration.slope <= 0.0 {
        bail!(
            "the networks have learned nothing: out of fold, a higher score does not mean NOK (slope {:.3}); \
             look at the labels and the settings",
            calibration.slope
        );
    }
    Ok(calibration)
}

fn plain(coil: &LabelledCoil, p_nok: f64) -> Judged {
    Judged { nok: coil.nok, p_nok, called_nok: false, review: false, class: coil.class() }
}

/// A coil as the policy judges it by its score.
fn judged(coil: &LabelledCoil, p_nok: f64, policy: &Policy) -> Judged {
    let order: Option<&Order> = coil.order.as_ref();
    let judgement = judge(Some(p_nok), order, Vec::new(), policy);
    Judged {
        called_nok: judgement.by_score == Some(Verdict::Nok),
        review: judgement.verdict == Verdict::Review,
        ..plain(coil, p_nok)
    }
}

fn write_splits(set: &CoilSet, folds: &[usize], folder: &RunFolder) -> anyhow::Result<()> {
    let mut text = String::from("coil_id,fold\n");
    for (coil, fold) in set.coils.iter().zip(folds) {
        writeln!(text, "{},{fold}", coil.id)?;
    }
    folder.write("splits.csv", text.as_bytes())
}

fn write_oof(
    set: &CoilSet,
    folds: &[usize],
    margins: &[Vec<f64>],
    p_nok: &[f64],
    folder: &RunFolder,
) -> anyhow::Result<()> {
    let mut text = String::from("coil_id,produced_at,label,tolerance_class,fold,margins,p_nok\n");
    for (i, coil) in set.coils.iter().enumerate() {
        let margins: Vec<String> = margins[i].iter().map(ToString::to_string).collect();
        let label = if coil.nok { "NOK" } else { "OK" };
        let (class, fold, p) = (coil.class(), folds[i], p_nok[i]);
        writeln!(text, "{},{},{label},{class},{fold},{},{p}", coil.id, coil.produced_at, margins.join(" "))?;
    }
    folder.write("oof.csv", text.as_bytes())
}

/// Every k-th coil, with every NOK coil that fits: ranges must hold for both.
fn write_calibration_set(set: &CoilSet, folder: &RunFolder) -> anyhow::Result<()> {
    let nok = set.coils.iter().filter(|coil| coil.nok).take(CALIBRATION_COILS / 4);
    let rest = CALIBRATION_COILS - CALIBRATION_COILS / 4;
    let step = (set.coils.len() / rest).max(1);
    let ok = set.coils.iter().step_by(step).filter(|coil| !coil.nok).take(rest);
    let coils: Vec<LabelledCoil> = nok.chain(ok).cloned().collect();
    CoilSet { name: "calibration".into(), coils }.save(folder.path())?;
    Ok(())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
