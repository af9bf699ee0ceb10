//! A set of trained networks, quantised, checked, laid out and signed.

use super::describe::lay_out;
use super::golden::choose;
use super::keys::SecretKey;
use super::set::{ReleaseModel, ReleaseSet};
use crate::data::coils::{CoilSet, LabelledCoil};
use crate::export::parity::{self, Margins, Parity};
use crate::export::{calibrate, float, quantise};
use crate::run::write_whole;
use crate::score::sigmoid;
use anyhow::{Context, bail, ensure};
use coilsight_models::bundle::golden::{GoldenCoil, GoldenSet};
use coilsight_models::bundle::manifest::Precision;
use coilsight_models::bundle::{Id, Limits, Place, Sha256, TrustedKeys, Verified};
use coilsight_models::session::{Novelty, Session};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Most of the coils trained on that may lie beyond the limit of novelty by the released network.
const MOST_UNLIKE: f64 = 0.1;

/// What a bundle says besides what its runs know.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Its release counter.
    pub release: u64,
    /// The plant it is for.
    pub plant: Place,
    /// The lines it is for.
    pub lines: Vec<Place>,
    /// No set of a lower release may be gone back to once it was taken in; 0 for any.
    pub floor: u64,
    /// When it is built.
    pub now: Timestamp,
    /// Until when it is meant to be in use.
    pub not_after: Timestamp,
    /// The models that are released as they were trained, without int8; [`EVERY`] for all.
    pub f32: Vec<String>,
}

/// All models.
pub const EVERY: &str = "*";

/// What was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// SHA-256 of the manifest.
    pub fingerprint: Sha256,
    /// Size of the file, bytes.
    pub bytes: usize,
    /// Each model.
    pub models: Vec<BuiltModel>,
    /// As released against f32: the models' weighted average of P(NOK).
    pub parity: Parity,
    /// Coils to calibrate on that lie beyond the limit of novelty.
    pub unlike: usize,
    /// How long the line's own code takes for a coil, here.
    pub judging: Judging,
}

/// How long judging a coil takes, by the line's own code on this machine: from its matrix to P(NOK), one thread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judging {
    /// Coils judged.
    pub coils: usize,
    /// Half of them took no longer, ms.
    pub median_ms: f64,
    /// Of a hundred, 99 took no longer, ms.
    pub p99_ms: f64,
}

impl Judging {
    /// Of these times, at least one.
    fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
        Self { coils: took.len(), median_ms: at(0.5), p99_ms: at(0.99) }
    }
}

/// A model that was built.
#[derive(Clone, Debug)]
pub struct BuiltModel {
    /// What its votes are reported under.
    pub name: Id,
    /// As released against f32: its P(NOK).
    pub parity: Parity,
    /// What of it is computed in f32, and why.
    pub float: Vec<String>,
}

/// A model's network as it is released.
pub(super) struct Exported {
    pub(super) onnx: Vec<u8>,
    pub(super) precision: Precision,
    /// What of it is computed in f32, and why.
    pub(super) float: Vec<String>,
}

/// Builds, signs and checks a bundle, and only then writes it.
pub fn build(set: &ReleaseSet, key: &SecretKey, options: &BuildOptions, out: &Path) -> anyhow::Result<Built> {
    let names: Vec<&str> = set.models.iter().map(|model| model.name.as_str()).collect();
    if let Some(unknown) = options.f32.iter().find(|name| *name != EVERY && !names.contains(&name.as_str())) {
        bail!("--f32={unknown} names no model: the set has {}", names.join(", "));
    }
    let coils = calibration_coils(&set.models[0])?;
    let limits = parity::Limits::default();
    let (mut networks, mut models) = (Vec::new(), Vec::new());
    let mut average = Average::default();
    for model in &set.models {
        let f32 = options.f32.iter().any(|name| name == EVERY || name == model.name.as_str());
        let (exported, margins) = export(model, &coils, f32)?;
        let unfit = || format!("{} is not fit for release", model.name);
        let parity = Parity::of(&margins.f32, &margins.released, sigmoid)?.within(limits);
        let parity = parity.with_context(unfit)?;
        average.add(model, &margins);
        models.push(BuiltModel { name: model.name.clone(), parity, float: exported.float.clone() });
        networks.push(exported);
    }
    let parity = average.parity()?.within(limits).context("the set's average is not fit for release")?;

    // Golden scores are what the line's own code makes of the coils, so the set is put together twice:
    // once to be asked, once with its answers.
    let draft = [unanswered(&coils[0], set)];
    let mut session = Session::open(&sign(set, options, &networks, draft.to_vec(), key)?.1)?;
    let mut took = Vec::new();
    let mut score = |coil: &LabelledCoil| {
        let began = Instant::now();
        let scores = session.score(&coil.matrix, coil.order.as_ref());
        took.push(began.elapsed());
        scores
    };
    let scores = coils.iter().map(&mut score).collect::<Result<Vec<_>, _>>()?;
    let p_nok: Vec<f64> = scores.iter().map(|scores| scores.p_nok).collect();
    let unlike = scores.iter().filter(|scores| scores.novelty.as_ref().is_some_and(Novelty::is_over)).count();
    ensure!(
        unlike as f64 <= MOST_UNLIKE * coils.len() as f64,
        "{unlike} of the {} coils to calibrate on, all of them trained on, are further from training than the limit: \
         the released network's features are not those that were measured; release it in f32 (bundle build --f32), or \
         train again with policy.novelty_share 0",
        coils.len()
    );
    let mut answers = Vec::new();
    for coil in choose(&coils, &p_nok) {
        let scores = score(coil)?;
        answers.push(GoldenCoil {
            p_nok: scores.p_nok,
            models: scores.models.into_iter().map(|model| (model.name, model.p_nok)).collect(),
            distance: scores.novelty.map(|novelty| novelty.distance),
            ..unanswered(coil, set)
        });
    }
    let (bytes, bundle) = sign(set, options, &networks, answers, key)?;
    Session::open(&bundle)?.check_golden().context("the bundle does not reproduce its own golden scores")?;
    write_whole(out, &bytes)?;
    Ok(Built {
        fingerprint: bundle.fingerprint(),
        bytes: bytes.len(),
        models,
        parity,
        unlike,
        judging: Judging::of(took),
    })
}

fn calibration_coils(model: &ReleaseModel) -> anyhow::Result<Vec<LabelledCoil>> {
    let folder = model.folder.path();
    let coils = CoilSet::load(folder, "calibration").context("the run's calibration coils")?.coils;
    ensure!(!coils.is_empty(), "{} has no coils to calibrate on: train it again", folder.display());
    Ok(coils)
}

/// A model's network as ONNX, int8 unless f32 is asked for, with its margins and those of f32 on `coils`.
fn export(model: &ReleaseModel, coils: &[LabelledCoil], f32: bool) -> anyhow::Result<(Exported, Margins)> {
    let record = &model.record;
    let prepared = |coil: &LabelledCoil| {
        let prepared = record.prepare.prepare(&coil.matrix, coil.order.as_ref());
        (prepared.image, prepared.side)
    };
    let net = model.folder.network(model.member(), &record.prepare)?.fold()?;
    let plain = float::to_onnx(&net);
    let exported = if f32 {
        let float = vec!["all of it: it was asked for".into()];
        Exported { onnx: plain.clone(), precision: Precision::F32, float }
    } else {
        let own = calibration_coils(model)?;
        let int8 = quantise::quantise(&net, &calibrate::observe(&net, own.iter().map(prepared))?)?;
        let float = int8.kept_float().iter().map(ToString::to_string).collect();
        Exported { onnx: int8.to_onnx(), precision: Precision::Int8, float }
    };
    let margins = parity::margins(&plain, &exported.onnx, coils.iter().map(prepared))?;
    Ok((exported, margins))
}

/// The models' weighted average of P(NOK), coil by coil.
#[derive(Default)]
struct Average {
    f32: Vec<f64>,
    released: Vec<f64>,
    weight: f64,
}

impl Average {
    fn add(&mut self, model: &ReleaseModel, margins: &Margins) {
        for (sums, margins) in [(&mut self.f32, &margins.f32), (&mut self.released, &margins.released)] {
            sums.resize(margins.len(), 0.0);
            for (sum, margin) in sums.iter_mut().zip(margins) {
                *sum += model.weight * model.calibration.p_nok(*margin);
            }
        }
        self.weight += model.weight;
    }

    fn parity(&self) -> Result<Parity, parity::ParityError> {
        Parity::of(&self.f32, &self.released, |sum| sum / self.weight)
    }
}

/// A golden coil whose scores are not known yet; whatever stands there is not looked at.
fn unanswered(coil: &LabelledCoil, set: &ReleaseSet) -> GoldenCoil {
    GoldenCoil {
        id: coil.id.clone(),
        matrix: coil.matrix.clone(),
        order: coil.order,
        p_nok: 0.5,
        models: set.models.iter().map(|model| (model.name.clone(), 0.5)).collect::<BTreeMap<_, _>>(),
        distance: None,
    }
}

/// Lays out, signs, and verifies as a device would.
fn sign(
    set: &ReleaseSet,
    options: &BuildOptions,
    networks: &[Exported],
    coils: Vec<GoldenCoil>,
    key: &SecretKey,
) -> anyhow::Result<(Vec<u8>, Verified)> {
    let layout = lay_out(set, options, networks, &GoldenSet::new(coils)?)?;
    let comment = format!("{} release {} built by coilsight-trainer", set.name, options.release);
    let signature = key.sign(layout.manifest_bytes(), &comment)?;
    let mut bytes = Vec::new();
    layout.write(&mut bytes, [signature])?;
    let keys = TrustedKeys::new([("trainer", key.public()?)])?;
    let bundle =
        Verified::read(&bytes[..], &keys, &Limits::default()).context("the bundle just built is refused")?;
    Ok((bytes, bundle))
}
