//! The manifest of a set to be released, and the files that it names.

use super::build::{BuildOptions, Exported};
use super::set::ReleaseSet;
use anyhow::ensure;
use coilsight_models::bundle::golden::GoldenSet;
use coilsight_models::bundle::manifest::{
    Calibration, Content, FORMAT, Golden, Manifest, Model, ModelSet, Novelty, Part, PartInput, Reference,
    Source,
};
use coilsight_models::bundle::{Builder, FileName, Id, Layout, Limits};

/// How far a golden coil's P(NOK) may be off at the line. Integer layers give the same everywhere; the
/// float head may differ in its last bits.
const TOLERANCE: f64 = 1e-3;

/// Lays out a bundle of `networks`, one for each model of the set.
pub(super) fn lay_out(
    set: &ReleaseSet,
    options: &BuildOptions,
    networks: &[Exported],
    golden: &GoldenSet,
) -> anyhow::Result<Layout> {
    let (manifest, references) = manifest(set, options, networks)?;
    let mut builder = Builder::new(manifest);
    for (at, network) in networks.iter().enumerate() {
        builder = builder.file(network_file(at)?, network.onnx.clone())?;
    }
    for (file, values) in references {
        builder = builder.file(file, values.iter().flat_map(|v| v.to_le_bytes()).collect())?;
    }
    builder = builder.file(golden_file()?, golden.to_bytes()?)?;
    Ok(builder.lay_out(&Limits::default())?)
}

fn network_file(at: usize) -> anyhow::Result<FileName> {
    Ok(FileName::new(format!("model-{at}.onnx"))?)
}

fn golden_file() -> anyhow::Result<FileName> {
    Ok(FileName::new("golden.coils")?)
}

type Constants = Vec<(FileName, Vec<f32>)>;

fn manifest(
    set: &ReleaseSet,
    options: &BuildOptions,
    networks: &[Exported],
) -> anyhow::Result<(Manifest, Constants)> {
    let (prepare, prepares) = set.prepares()?;
    let (mut parts, mut models) = (Vec::new(), Vec::new());
    for (at, (model, network)) in set.models.iter().zip(networks).enumerate() {
        let (id, prepared) = (Id::new(format!("net-{at}"))?, &prepares[at]);
        let mut inputs = vec![PartInput { name: "image".into(), from: Source::Image(prepared.clone()) }];
        if !model.record.prepare.side.is_empty() {
            inputs.push(PartInput { name: "side".into(), from: Source::Side(prepared.clone()) });
        }
        let measured = set.novelty.as_ref().is_some_and(|(of, _)| *of == at);
        let outputs = if measured { &["logits", "features"][..] } else { &["logits"] };
        parts.push(Part {
            id: id.clone(),
            file: network_file(at)?,
            inputs,
            outputs: outputs.iter().map(ToString::to_string).collect(),
            precision: network.precision,
            float: network.float.clone(),
        });
        models.push(Model {
            name: model.name.clone(),
            kind: model.record.config.network.name(),
            part: id,
            output: "logits".into(),
            calibration: Calibration { scale: model.calibration.slope, offset: model.calibration.offset },
            weight: model.weight,
        });
    }
    let mut references = Vec::new();
    let mut files = Vec::new();
    let mut constant = |name: &str, shape: &[usize], values: &[f32]| -> anyhow::Result<Id> {
        ensure!(shape.iter().product::<usize>() == values.len(), "{name} is damaged: train the run again");
        let (id, file) = (Id::new(name)?, FileName::new(format!("{name}.f32"))?);
        let shape = shape.iter().map(|n| *n as u64).collect();
        references.push(Reference { id: id.clone(), file: file.clone(), shape });
        files.push((file, values.to_vec()));
        Ok(id)
    };
    let novelty = match &set.novelty {
        None => None,
        Some((at, found)) => Some(Novelty {
            part: Id::new(format!("net-{at}"))?,
            output: "features".into(),
            centre: constant("novelty.centre", &[found.centre.len()], &found.centre)?,
            whitening: constant(
                "novelty.whitening",
                &[found.directions, found.centre.len()],
                &found.whitening,
            )?,
            limit: found.limit,
        }),
    };
    let manifest = Manifest {
        format: FORMAT,
        name: set.name.clone(),
        release: options.release,
        floor: options.floor,
        created_at: options.now,
        not_after: options.not_after,
        plant: options.plant.clone(),
        lines: options.lines.clone(),
        requires_agent: env!("CARGO_PKG_VERSION").parse()?,
        content: Content::Set(Box::new(ModelSet {
            prepare,
            parts,
            models,
            references,
            novelty,
            policy: set.policy.clone(),
            golden: Golden { file: golden_file()?, tolerance: TOLERANCE },
            provenance: set.provenance()?,
        })),
        files: Vec::new(),
    };
    Ok((manifest, files))
}
