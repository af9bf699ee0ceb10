//! The procedure: folds, out-of-fold scores, calibration and policy, then the final networks.

use super::folder::{Member, RunFolder};
use super::{CoilSource, RunConfig, RunRecord, policy};
use crate::data::augment::AugmentConfig;
use crate::data::coils::{CoilSet, LabelledCoil};
use crate::data::folds::stratified;
use crate::fit::{EpochReport, Fit, FitConfig, Validation, predict};
use crate::nets::Model;
use crate::nets::cnn::Cnn;
use crate::score::{Bootstrap, Judged, Platt, Report, average_precision};
use anyhow::{Context, bail};
use coilsight_models::coil::Order;
use coilsight_models::prepare::PrepareSpec;
use coilsight_models::verdict::{Policy, Verdict, judge};
use std::fmt::Write;
use std::ops::ControlFlow;

/// Coils kept in the run to calibrate int8 on.
const CALIBRATION_COILS: usize = 256;
/// Of the training coils, one in this many is kept apart to stop early by; never the fold that is judged.
const EARLY_STOP_PART: usize = 10;

/// Trains a run, or goes on with one; `progress` sees every epoch and may break off.
///
/// Thresholds and calibration come from out-of-fold scores alone: every coil is scored by networks that
/// have not seen it, nor been stopped by it.
pub fn train(
    set: &CoilSet,
    config: &RunConfig,
    folder: &RunFolder,
    progress: &mut dyn FnMut(Member, &EpochReport) -> ControlFlow<()>,
) -> anyhow::Result<RunRecord> {
    let spec = config.prepare.resolve(&set.coils)?;
    let nok: Vec<bool> = set.coils.iter().map(|coil| coil.nok).collect();
    let folds = stratified(&nok, config.folds, config.seed);
    write_calibration_set(set, folder)?;
    let mut run = Run { set, config, spec: &spec, folder, progress, parameters: 0 };

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
        weight_origin: "random initialisation, trained on the set alone".into(),
        prepare: spec.clone(),
        calibration,
        policy,
        parameters: run.parameters,
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
    progress: &'a mut dyn FnMut(Member, &EpochReport) -> ControlFlow<()>,
    parameters: usize,
}

impl Run<'_> {
    /// Trains a member on `seen` unless it is done, and gives the margins (logit NOK - logit OK) of `held`.
    fn margins(&mut self, member: Member, seen: &[usize], held: &[usize]) -> anyhow::Result<Vec<f64>> {
        let folder = self.folder.member(member)?;
        let (done, weights) = (folder.join("margins.json"), folder.join("model.safetensors"));
        let seed = seed(self.config.seed, member);
        let network = Cnn::new(self.config.network.clone(), RunConfig::input(self.spec), seed)?;
        self.parameters = network.params().count();
        if done.exists() {
            let text = std::fs::read(&done).with_context(|| format!("cannot read {}", done.display()))?;
            return serde_json::from_slice(&text).with_context(|| format!("{} is damaged", done.display()));
        }
        self.fit(&network, member, seed, seen, &folder)?;
        let held = source(self.set, self.spec, held, None);
        let found = if crate::fit::Source::is_empty(&held) {
            Vec::new()
        } else {
            let logits = predict(&network, &held, seed)?.logits;
            logits.iter().map(|[ok, nok]| f64::from(*nok) - f64::from(*ok)).collect()
        };
        super::folder::write_whole(&weights, &network.params().to_bytes()?)?;
        // Last, for it says that the member is done.
        super::folder::write_whole(&done, &serde_json::to_vec(&found)?)?;
        Ok(found)
    }

    fn fit(
        &mut self,
        network: &Cnn,
        member: Member,
        seed: u64,
        seen: &[usize],
        folder: &std::path::Path,
    ) -> anyhow::Result<()> {
        let config = FitConfig { seed, ..self.config.fit.clone() };
        let (kept_apart, learned): (Vec<usize>, Vec<usize>) = if config.early_stop.is_some() {
            let nok: Vec<bool> = seen.iter().map(|i| self.set.coils[*i].nok).collect();
            let parts = stratified(&nok, EARLY_STOP_PART, seed);
            let (apart, learned): (Vec<usize>, Vec<usize>) = (0..seen.len()).partition(|i| parts[*i] == 0);
            let items = |of: Vec<usize>| of.into_iter().map(|i| seen[i]).collect();
            (items(apart), items(learned))
        } else {
            (Vec::new(), seen.to_vec())
        };
        let (set, spec) = (self.set, self.spec);
        let learned = source(set, spec, &learned, Some(&self.config.augment));
        let apart = source(set, spec, &kept_apart, None);
        let measure = |found: &Validation| {
            let nok: Vec<bool> = found.labels.iter().map(|label| *label == 1).collect();
            average_precision(&nok, &found.scores()).unwrap_or(f64::NAN)
        };
        let mut observer = |report: &EpochReport| (self.progress)(member, report);
        let fit = Fit {
            config: &config,
            train: &learned,
            validation: (!kept_apart.is_empty()).then_some(&apart as &dyn crate::fit::Source),
            measure: &measure,
            folder: Some(folder),
            observer: &mut observer,
        };
        if fit.run(network)?.broken_off {
            bail!("broken off; the same command goes on from here");
        }
        Ok(())
    }
}

fn source<'a>(
    set: &'a CoilSet,
    spec: &'a PrepareSpec,
    items: &[usize],
    augment: Option<&'a AugmentConfig>,
) -> CoilSource<'a> {
    CoilSource::new(items.iter().map(|i| &set.coils[*i]).collect(), spec, augment)
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
