//! The procedure: folds, out-of-fold scores, calibration and policy, then the final networks.

use super::cost::{Cost, Meter, Spent};
use super::environment::Environment;
use super::folder::{Fold, Member, RunFolder};
use super::forward::{self, Forward, Stretch, stretches};
use super::member::{self, Start, Training};
use super::scores::{Scored, calibrate, judged, p_nok, plain, table};
use super::{RunConfig, RunRecord, novelty, policy};
use crate::data::coils::{CoilSet, LabelledCoil};
use crate::fit::EpochReport;
use crate::nets::Model;
use crate::score::{Bootstrap, Judged, Report};
use crate::weights::Loaded;
use coilsight_models::prepare::PrepareSpec;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;

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
    let folds = config.split(&nok);
    write_calibration_set(set, folder)?;
    write_splits(set, &folds, folder)?;
    let start = Start::of(config)?;
    let environment = Environment::of(&start.place.device);
    folder.write("environment.json", &serde_json::to_vec_pretty(&environment)?)?;
    let weight_origin = start.words(config);
    let (device, threads) = (environment.device, environment.threads);
    let stretches = stretches(set, &config.forward)?;
    let mut run = Run {
        set,
        config,
        spec: &spec,
        folder,
        progress,
        start,
        size: (0, 0),
        loaded: None,
        cost: (0, Spent::default()),
    };

    let mut margins = vec![Vec::new(); set.coils.len()];
    for fold in 0..config.folds {
        let (held, seen): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|i| folds[*i] == fold);
        let found = run.members(Some(Fold::Stratified(fold)), &seen, &held)?;
        for (item, found) in held.iter().zip(found) {
            margins[*item] = found;
        }
    }
    let calibration = calibrate(&nok, &margins)?;
    let p_nok: Vec<f64> = margins.iter().map(|margins| p_nok(&calibration, margins)).collect();
    let unjudged: Vec<Judged> = set.coils.iter().zip(&p_nok).map(|(c, p)| plain(c, *p)).collect();
    let policy = policy(&unjudged, &config.policy)?;
    let judged: Vec<Judged> = set.coils.iter().zip(&p_nok).map(|(c, p)| judged(c, *p, &policy)).collect();
    let rows = set.coils.iter().enumerate().map(|(i, coil)| Scored {
        coil,
        fold: folds[i],
        margins: &margins[i],
        p_nok: p_nok[i],
    });
    folder.write("oof.csv", table(rows)?.as_bytes())?;

    let forward = run.forward(&stretches)?;
    if config.finals {
        let all: Vec<usize> = (0..set.coils.len()).collect();
        run.members(None, &all, &[])?;
        novelty::measure(set, &folds, config, &spec, folder)?;
    }
    let (networks, spent) = run.cost;
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
        forward,
        cost: Some(Cost { networks, spent, device, threads }),
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
    /// Networks that were measured, and what they cost.
    cost: (usize, Spent),
}

impl Run<'_> {
    /// The margins of `held` by every member trained on `seen`: a coil's margins stand together.
    fn members(
        &mut self,
        fold: Option<Fold>,
        seen: &[usize],
        held: &[usize],
    ) -> anyhow::Result<Vec<Vec<f64>>> {
        let mut margins = vec![Vec::with_capacity(self.config.members); held.len()];
        for number in 0..self.config.members {
            for (coil, margin) in margins.iter_mut().zip(self.margins(Member { fold, number }, seen, held)?) {
                coil.push(margin);
            }
        }
        Ok(margins)
    }

    /// Forward in time, if the settings ask for it.
    fn forward(&mut self, stretches: &[Stretch]) -> anyhow::Result<Option<Forward>> {
        let mut margins = Vec::new();
        for (k, stretch) in stretches.iter().enumerate() {
            margins.extend(self.members(Some(Fold::Forward(k)), &stretch.seen, &stretch.judged)?);
        }
        if margins.is_empty() {
            return Ok(None);
        }
        let found = forward::Found::new(self.set, stretches, margins);
        let (calibration, p) = found.calibrated()?;
        let (report, table) =
            found.report(&self.config.policy, Bootstrap::default(), &p, &p, Some(calibration))?;
        self.folder.write("forward.csv", table.as_bytes())?;
        Ok(Some(report))
    }

    /// Trains a member on `seen` unless it is done, and gives the margins (logit NOK - logit OK) of `held`.
    fn margins(&mut self, member: Member, seen: &[usize], held: &[usize]) -> anyhow::Result<Vec<f64>> {
        let folder = self.folder.member(member)?;
        let seed = seed(self.config.seed, member);
        let (network, loaded) = self.start.network(self.config, self.spec, seed)?;
        self.size = (network.params().count(), network.params().trainable());
        self.loaded = loaded;
        if let Some(margins) = member::found(&folder)? {
            self.count(&folder)?;
            return Ok(margins);
        }
        let meter = Meter::start(&folder)?;
        let run = self.folder.path();
        let training = Training { config: self.config, spec: self.spec, run, folder: &folder, seed };
        let coils = |of: &[usize]| of.iter().map(|i| &self.set.coils[*i]).collect::<Vec<_>>();
        let progress = std::cell::RefCell::new(&mut *self.progress);
        let mut observer = |report: &EpochReport| {
            if let Err(error) = meter.note() {
                tracing::warn!("{error:#}");
            }
            (progress.borrow_mut())(member, Progress::Epoch(report))
        };
        let mut keeping = |done, of| {
            // What is kept stays: breaking off waits for the next epoch.
            let _ = (progress.borrow_mut())(member, Progress::Kept(done, of));
        };
        let found = training.run(&network, &coils(seen), &coils(held), &mut observer, &mut keeping)?;
        meter.note()?;
        member::write(&network, &folder, &found)?;
        self.count(&folder)?;
        Ok(found)
    }

    fn count(&mut self, folder: &Path) -> anyhow::Result<()> {
        if let Some(spent) = Spent::found(folder)? {
            self.cost = (self.cost.0 + 1, self.cost.1.and(spent));
        }
        Ok(())
    }
}

/// Members differ in their seed alone.
fn seed(run: u64, member: Member) -> u64 {
    let part = match member.fold {
        Some(Fold::Stratified(fold)) => fold as u64,
        Some(Fold::Forward(stretch)) => 500 + stretch as u64,
        None => 999,
    };
    run.wrapping_mul(1_000_003).wrapping_add(1000 * part).wrapping_add(member.number as u64)
}

fn write_splits(set: &CoilSet, folds: &[usize], folder: &RunFolder) -> anyhow::Result<()> {
    let mut text = String::from("coil_id,fold\n");
    for (coil, fold) in set.coils.iter().zip(folds) {
        writeln!(text, "{},{fold}", coil.id)?;
    }
    folder.write("splits.csv", text.as_bytes())
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
