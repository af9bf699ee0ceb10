//! A library as one signed file: what a line takes, through the one way in which bundles are verified.

use super::library::{Library, Record};
use super::pictures::SIDE;
use crate::release::{BuildOptions, SecretKey};
use crate::run::write_whole;
use anyhow::{Context, ensure};
use coilsight_models::bundle::manifest::{
    Content, Manifest, SurfaceClass, SurfaceLibrary, SurfacePrepare, SurfaceProvenance,
};
use coilsight_models::bundle::{Builder, FileName, Id, Limits, Sha256, TrustedKeys, Verified};
use coilsight_models::session::surface::Surfaces;
use std::path::Path;

/// The encoder's output: what [`super::library::encoder_of`] calls its last layer.
const OUTPUT: &str = "logits";
/// Most that a bundle's distances may differ from its library's.
const TOLERANCE: f64 = 1e-4;

/// What was built.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Built {
    /// SHA-256 of the manifest.
    pub fingerprint: Sha256,
    /// Size of the file, bytes.
    pub bytes: usize,
    /// Classes that it knows.
    pub classes: usize,
    /// References of all of them.
    pub references: usize,
    /// The largest difference of a distance from the library's, on a picture made up.
    pub differs: f64,
}

/// Signs the library in `folder` as a bundle, reads it as a line would, and writes it only if it then recognises as the library does.
pub fn build(
    folder: &Path,
    name: &Id,
    key: &SecretKey,
    options: &BuildOptions,
    out: &Path,
) -> anyhow::Result<Built> {
    let (record, onnx) = Library::read(folder)?;
    let known = !record.classes.is_empty();
    ensure!(known, "the library knows no class yet: teach it one with `coilsight-trainer oneshot add`");
    let (encoder, references) = (FileName::new("encoder.onnx")?, FileName::new("references.f32")?);
    let values = record.classes.values().flatten().flat_map(|r| &r.embedding);
    let values: Vec<u8> = values.flat_map(|v| v.to_le_bytes()).collect();
    let manifest = Manifest {
        format: 0, // the builder's
        name: name.clone(),
        release: options.release,
        floor: options.floor,
        created_at: options.now,
        not_after: options.not_after,
        plant: options.plant.clone(),
        lines: options.lines.clone(),
        requires_agent: env!("CARGO_PKG_VERSION").parse()?,
        content: Content::Surfaces(Box::new(surfaces(&record, &encoder, &references))),
        files: Vec::new(),
    };
    let builder = Builder::new(manifest).file(encoder, onnx)?.file(references, values)?;
    let layout = builder.lay_out(&Limits::default())?;
    let comment = format!("{name} release {} built by coilsight-trainer", options.release);
    let mut bytes = Vec::new();
    layout.write(&mut bytes, [key.sign(layout.manifest_bytes(), &comment)?])?;
    let keys = TrustedKeys::new([("trainer", key.public()?)])?;
    let bundle =
        Verified::read(&bytes[..], &keys, &Limits::default()).context("the bundle just built is refused")?;
    let differs = differs(&mut Library::open(folder)?, &mut Surfaces::open(&bundle)?)?;
    write_whole(out, &bytes)?;
    Ok(Built {
        fingerprint: bundle.fingerprint(),
        bytes: bytes.len(),
        classes: record.classes.len(),
        references: record.classes.values().map(Vec::len).sum(),
        differs,
    })
}

fn surfaces(record: &Record, encoder: &FileName, references: &FileName) -> SurfaceLibrary {
    let class = |(name, known): (&String, &Vec<_>)| SurfaceClass {
        name: name.clone(),
        references: known.len() as u64,
    };
    SurfaceLibrary {
        encoder: encoder.clone(),
        output: OUTPUT.into(),
        prepare: SurfacePrepare::Grey200,
        embedding: record.embedding as u64,
        measure: record.recipe.measure,
        turned_queries: record.recipe.turned_queries,
        limit: record.limit,
        references: references.clone(),
        classes: record.classes.iter().map(class).collect(),
        provenance: SurfaceProvenance {
            trainer_version: env!("CARGO_PKG_VERSION").into(),
            weight_origin: record.origin.clone(),
            learned_on: record.learned_on.clone(),
            limit_is: record.limit_is.clone(),
        },
    }
}

/// The largest difference of a distance on pictures made up: waves of two lengths, lying aslant.
fn differs(library: &mut Library, bundle: &mut Surfaces) -> anyhow::Result<f64> {
    let mut most = 0.0f64;
    for length in [5.0f64, 23.0] {
        let wave = |at: usize| (((at % SIDE) as f64 + 2.0 * (at / SIDE) as f64) / length).sin();
        let pixels: Vec<u8> = (0..SIDE * SIDE).map(|at| (127.0 + 100.0 * wave(at)) as u8).collect();
        let (wanted, found) = (library.recognise(&pixels)?, bundle.recognise(&pixels)?);
        let wanted: std::collections::BTreeMap<_, _> = wanted.distances.into_iter().collect();
        ensure!(wanted.len() == found.distances.len(), "the bundle knows other classes than the library");
        for (class, distance) in found.distances {
            let of = wanted.get(&class).with_context(|| format!("the library does not know {class:?}"))?;
            most = most.max((of - distance).abs() / of.max(1.0));
        }
    }
    ensure!(most <= TOLERANCE, "the bundle's distances differ by {most} from the library's: build it anew");
    Ok(most)
}

/// Opens a bundle that enough of `keys` signed.
pub fn open(file: &Path, keys: &TrustedKeys) -> anyhow::Result<Surfaces> {
    let reader = std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let refused = || format!("{} is not used", file.display());
    let bundle =
        Verified::read(std::io::BufReader::new(reader), keys, &Limits::default()).with_context(refused)?;
    if bundle.manifest().not_after < jiff::Timestamp::now() {
        eprintln!(
            "{} was meant to be used until {:.0}: build it anew",
            file.display(),
            bundle.manifest().not_after
        );
    }
    Surfaces::open(&bundle).with_context(refused)
}
