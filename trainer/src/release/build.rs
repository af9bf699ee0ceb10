//! `bundle build`: a run's final networks, quantised, checked, laid out and signed.

use super::golden::choose;
use super::keys::SecretKey;
use crate::data::coils::{CoilSet, LabelledCoil};
use crate::export::folded::FoldedNet;
use crate::export::parity::{self, Parity};
use crate::export::{calibrate, float, quantise};
use crate::run::{Member, RunFolder, RunRecord, write_whole};
use crate::score::report::Estimate;
use anyhow::{Context, ensure};
use coilsight_models::bundle::golden::{GoldenCoil, GoldenSet};
use coilsight_models::bundle::manifest::{
    Calibration, FORMAT, Golden, Manifest, Metric, Model, Part, PartInput, Precision, Provenance, Source,
};
use coilsight_models::bundle::{Builder, FileName, Id, Limits, Place, Sha256, TrustedKeys, Verified};
use coilsight_models::session::Session;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;

/// How far a golden coil's P(NOK) may be off at the line. Integer layers give the same everywhere; the
/// float head may differ in its last bits.
const TOLERANCE: f64 = 1e-3;

/// What a bundle says besides what its run knows.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Its release counter.
    pub release: u64,
    /// The plant it is for.
    pub plant: Place,
    /// The lines it is for.
    pub lines: Vec<Place>,
    /// When it is built.
    pub now: Timestamp,
    /// Whether networks are released as they were trained, without int8.
    pub f32: bool,
}

/// What was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// SHA-256 of the manifest.
    pub fingerprint: Sha256,
    /// Size of the file, bytes.
    pub bytes: usize,
    /// int8 against f32, for each member.
    pub parity: Vec<Parity>,
    /// What of the int8 networks is computed in f32, and why.
    pub float: Vec<String>,
}

/// A member's network as it is released.
struct Exported {
    onnx: Vec<u8>,
    /// What of it is computed in f32, and why.
    float: Vec<String>,
}

/// Builds, signs and checks a bundle, and only then writes it.
pub fn build(
    folder: &RunFolder,
    key: &SecretKey,
    options: &BuildOptions,
    out: &Path,
) -> anyhow::Result<Built> {
    let record = folder.record()?;
    let coils = CoilSet::load(folder.path(), "calibration").context("the run's calibration coils")?.coils;
    ensure!(!coils.is_empty(), "the run has no coils to calibrate on: train it again");
    let mut models = Vec::new();
    let mut parity = Vec::new();
    for number in 0..record.config.members {
        let network = folder.network(Member { fold: None, number }, &record.prepare)?;
        let folded = network.fold()?;
        let (exported, compared) = export(&folded, &record, &coils, options.f32)
            .with_context(|| format!("member {number} of the run is not fit for release"))?;
        models.push(exported);
        parity.push(compared);
    }
    // Golden scores are what the line's own code makes of the coils, so the set is put together twice:
    // once to be asked, once with its answers.
    let unanswered: Vec<GoldenCoil> =
        coils.iter().take(1).map(|coil| golden(coil, 0.5, BTreeMap::new())).collect();
    let draft = sign(&record, options, &models, unanswered, key)?;
    let mut session = Session::open(&verify(&draft, key)?)?;
    let mut score = |coil: &LabelledCoil| session.score(&coil.matrix, coil.order.as_ref());
    let p_nok = coils.iter().map(|coil| Ok(score(coil)?.p_nok)).collect::<anyhow::Result<Vec<f64>>>()?;
    let mut answers = Vec::new();
    for coil in choose(&coils, &p_nok) {
        let scores = score(coil)?;
        let models = scores.models.into_iter().map(|model| (model.name, model.p_nok)).collect();
        answers.push(golden(coil, scores.p_nok, models));
    }
    let bytes = sign(&record, options, &models, answers, key)?;
    let bundle = verify(&bytes, key)?;
    Session::open(&bundle)?.check_golden().context("the bundle does not reproduce its own golden scores")?;
    write_whole(out, &bytes)?;
    let float = models.swap_remove(0).float;
    Ok(Built { fingerprint: bundle.fingerprint(), bytes: bytes.len(), parity, float })
}

/// ONNX of a network, int8 unless f32 is asked for, and how it compares with f32 on the calibration coils.
fn export(
    net: &FoldedNet,
    record: &RunRecord,
    coils: &[LabelledCoil],
    f32: bool,
) -> anyhow::Result<(Exported, Parity)> {
    let prepared = || {
        coils.iter().map(|coil| {
            let prepared = record.prepare.prepare(&coil.matrix, coil.order.as_ref());
            (prepared.image, prepared.side)
        })
    };
    let ranges = calibrate::observe(net, prepared())?;
    let int8 = quantise::quantise(net, &ranges)?;
    let exported = if f32 {
        Exported { onnx: float::to_onnx(net), float: vec!["all of it: it was asked for".into()] }
    } else {
        let float = int8.kept_float().iter().map(ToString::to_string).collect();
        Exported { onnx: int8.to_onnx(), float }
    };
    let parity = parity::compare(&float::to_onnx(net), &exported.onnx, prepared())?;
    Ok((exported, parity.within(parity::Limits::default())?))
}

fn golden(coil: &LabelledCoil, p_nok: f64, models: BTreeMap<Id, f64>) -> GoldenCoil {
    GoldenCoil { id: coil.id.clone(), matrix: coil.matrix.clone(), order: coil.order, p_nok, models }
}

/// Lays out and signs.
fn sign(
    record: &RunRecord,
    options: &BuildOptions,
    models: &[Exported],
    mut coils: Vec<GoldenCoil>,
    key: &SecretKey,
) -> anyhow::Result<Vec<u8>> {
    let names: Vec<Id> = (0..models.len())
        .map(|i| Id::new(format!("{}-{i}", record.config.name)))
        .collect::<Result<_, _>>()?;
    for coil in &mut coils {
        // A draft has no answers yet; whatever stands there is not looked at.
        for name in &names {
            coil.models.entry(name.clone()).or_insert(0.5);
        }
    }
    let limits = Limits::default();
    let mut builder = Builder::new(manifest(record, options, &names, models)?);
    for (i, model) in models.iter().enumerate() {
        builder = builder.file(onnx_name(i)?, model.onnx.clone())?;
    }
    builder = builder.file(golden_name()?, GoldenSet::new(coils)?.to_bytes()?)?;
    let layout = builder.lay_out(&limits)?;
    let comment = format!("{} release {} built by coilsight-trainer", record.config.name, options.release);
    let signature = key.sign(layout.manifest_bytes(), &comment)?;
    let mut bytes = Vec::new();
    layout.write(&mut bytes, [signature])?;
    Ok(bytes)
}

fn verify(bytes: &[u8], key: &SecretKey) -> anyhow::Result<Verified> {
    let keys = TrustedKeys::new([("trainer", key.public()?)])?;
    Verified::read(bytes, &keys, &Limits::default()).context("the bundle just built is refused")
}

fn onnx_name(i: usize) -> anyhow::Result<FileName> {
    Ok(FileName::new(format!("model-{i}.onnx"))?)
}

fn golden_name() -> anyhow::Result<FileName> {
    Ok(FileName::new("golden.coils")?)
}

fn manifest(
    record: &RunRecord,
    options: &BuildOptions,
    names: &[Id],
    exported: &[Exported],
) -> anyhow::Result<Manifest> {
    let mut inputs = vec![PartInput { name: "image".into(), from: Source::Image }];
    if !record.prepare.side.is_empty() {
        inputs.push(PartInput { name: "side".into(), from: Source::Side });
    }
    let mut parts = Vec::new();
    let mut models = Vec::new();
    let calibration = Calibration { scale: record.calibration.slope, offset: record.calibration.offset };
    for (i, (name, exported)) in names.iter().zip(exported).enumerate() {
        let id = Id::new(format!("net-{i}"))?;
        parts.push(Part {
            id: id.clone(),
            file: onnx_name(i)?,
            inputs: inputs.clone(),
            outputs: vec!["logits".into()],
            precision: Precision::Int8,
            float: exported.float.clone(),
        });
        let (kind, output) = (record.config.network.name(), "logits".into());
        models.push(Model { name: name.clone(), kind, part: id, output, calibration, weight: 1.0 });
    }
    Ok(Manifest {
        format: FORMAT,
        name: Id::new(record.config.name.clone())?,
        release: options.release,
        created_at: options.now,
        plant: options.plant.clone(),
        lines: options.lines.clone(),
        requires_agent: env!("CARGO_PKG_VERSION").parse()?,
        prepare: record.prepare.clone(),
        parts,
        models,
        references: Vec::new(),
        policy: record.policy.clone(),
        golden: Golden { file: golden_name()?, tolerance: TOLERANCE },
        provenance: provenance(record)?,
        files: Vec::new(),
    })
}

fn provenance(record: &RunRecord) -> anyhow::Result<Provenance> {
    let all = &record.out_of_fold.overall;
    let told: [(&str, &Estimate); 5] = [
        ("out_of_fold_f1_nok", &all.f1_nok),
        ("out_of_fold_average_precision", &all.average_precision),
        ("out_of_fold_roc_auc", &all.roc_auc),
        ("out_of_fold_recall_nok", &all.recall_nok),
        ("out_of_fold_false_alarms_per_1000", &all.false_alarms_per_1000),
    ];
    let metrics = told
        .into_iter()
        .filter_map(|(name, estimate)| {
            let (value, interval) = (estimate.value?, estimate.interval?);
            Some((name.to_owned(), Metric { value, low: interval.low, high: interval.high }))
        })
        .collect();
    Ok(Provenance {
        trainer_version: record.trainer.clone(),
        run: record.config.name.clone(),
        data_sha256: Sha256::try_from(record.data_sha256.clone()).context("the run's digest of its data")?,
        set_name: record.config.set.clone(),
        coils: record.coils as u64,
        nok: record.nok as u64,
        seed: record.config.seed,
        weight_origin: record.weight_origin.clone(),
        licences: vec!["MIT OR Apache-2.0".into()],
        metrics,
    })
}
