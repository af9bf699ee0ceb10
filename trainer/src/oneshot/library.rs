//! A library of known classes in a folder: encoder, whitening, references, and the distance from which a picture is like nothing.
//!
//! `encoder.onnx` takes `image` `[1, 3, 200, 200]` (grey in all three channels, (x - 127) / 128) and gives the whitened embedding;
//! `library.json` has the rest. A line that runs the file in tract needs no trainer.

use super::encoder::Encoder;
use super::error::OneShotError;
use super::features::Features;
use super::pictures::{MAX_NAME, SIDE, check_name};
use super::recipe::Recipe;
use super::turns::TURNS;
use super::whiten::Whitening;
use crate::export::float;
use crate::export::folded::Op;
use crate::export::runtime::Runtime;
use crate::run::{hex, write_whole};
use crate::weights::read_file;
use anyhow::{Context, ensure};
use coilsight_models::bundle::manifest::{MAX_CLASSES, MAX_EMBEDDING, MAX_REFERENCES};
pub use coilsight_models::surface::Recognised;
use coilsight_models::surface::{plane, recognised};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The form of `library.json`.
pub const FORMAT: u32 = 1;
/// Files of a library.
const ENCODER: &str = "encoder.onnx";
const LIBRARY: &str = "library.json";
/// Bytes of `encoder.onnx`, and of `library.json`, at most.
const MAX_ENCODER: u64 = 256 << 20;
const MAX_LIBRARY: u64 = 64 << 20;
/// What `library.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`FORMAT`].
    pub format: u32,
    /// SHA-256 of `encoder.onnx`.
    pub encoder_sha256: String,
    /// Where the encoder's weights came from.
    pub origin: String,
    /// Which classes the recipe was chosen and the whitening learned on.
    pub learned_on: Vec<String>,
    /// How pictures are compared.
    pub recipe: Recipe,
    /// Values of an embedding.
    pub embedding: usize,
    /// A picture further than this from every reference is like nothing that is known.
    pub limit: f64,
    /// What the limit means.
    pub limit_is: String,
    /// References of each class.
    pub classes: BTreeMap<String, Vec<Reference>>,
}

/// A known picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// SHA-256 of its pixels.
    pub sha256: String,
    /// The mean of its embeddings in all eight ways.
    pub embedding: Vec<f32>,
}

/// An open library.
pub struct Library {
    folder: PathBuf,
    /// What it says.
    pub record: Record,
    encoder: Runtime,
}

/// The encoder with the whitening as its last layer, as ONNX.
pub fn encoder_of(encoder: &Encoder, whitening: &Whitening) -> anyhow::Result<Vec<u8>> {
    let mut net = encoder.network.fold()?;
    let (embedding, features) = whitening.matrix.shape();
    let Some(Op::Dense(dense)) = net.nodes.last_mut().map(|node| &mut node.op) else {
        anyhow::bail!("the encoder does not end in a dense layer");
    };
    ensure!(
        dense.weight.len() == dense.bias.len() * features,
        "the whitening is not of this encoder's features"
    );
    let row = |i: usize| (0..features).map(move |j| whitening.matrix[(i, j)] as f32);
    dense.weight = (0..embedding).flat_map(row).collect();
    dense.bias = (-(&whitening.matrix * &whitening.mean)).iter().map(|v| *v as f32).collect();
    Ok(float::to_onnx(&net))
}

impl Library {
    /// Makes a library without classes in a folder that does not exist or is empty.
    pub fn make(folder: &Path, encoder: &[u8], mut record: Record) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let empty = std::fs::read_dir(folder)?.next().is_none();
        ensure!(empty, "{} is not empty: a library is made in a folder of its own", folder.display());
        record.format = FORMAT;
        record.encoder_sha256 = hex(&Sha256::digest(encoder));
        write_whole(&folder.join(ENCODER), encoder)?;
        write_whole(&folder.join(LIBRARY), &serde_json::to_vec_pretty(&record)?)?;
        Self::open(folder)
    }

    /// Opens a library and checks that it holds together.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let (record, onnx) = Self::read(folder)?;
        let encoder = Runtime::load(&onnx)?;
        Ok(Self { folder: folder.to_owned(), record, encoder })
    }

    /// What a library says, and its encoder as ONNX.
    pub fn read(folder: &Path) -> anyhow::Result<(Record, Vec<u8>)> {
        let refused = |why: String| OneShotError::Library { path: folder.to_owned(), why };
        let record = read_file(&folder.join(LIBRARY), MAX_LIBRARY)?;
        let record: Record = serde_json::from_slice(&record).map_err(|e| {
            refused(format!("{LIBRARY} is damaged or of another version ({e}): make it anew"))
        })?;
        record.check().map_err(refused)?;
        let onnx = read_file(&folder.join(ENCODER), MAX_ENCODER)?;
        if hex(&Sha256::digest(&onnx)) != record.encoder_sha256 {
            return Err(
                refused(format!("{ENCODER} is not the one that {LIBRARY} names: make it anew")).into()
            );
        }
        Ok((record, onnx))
    }

    /// Teaches a class by one more picture ([`SIDE`] x [`SIDE`]); kept at once. Says whether the picture was new.
    pub fn add(&mut self, class: &str, pixels: &[u8]) -> anyhow::Result<bool> {
        check_name(class)?;
        let sha256 = hex(&Sha256::digest(pixels));
        let holder = self.record.classes.iter().find(|(_, known)| known.iter().any(|r| r.sha256 == sha256));
        if let Some((holder, _)) = holder {
            ensure!(holder == class, "this very picture is known as {holder:?} already");
            return Ok(false);
        }
        let embedding = self.embed(pixels, true)?;
        let mut record = self.record.clone();
        record.classes.entry(class.to_owned()).or_default().push(Reference { sha256, embedding });
        let refused = |why| OneShotError::Library { path: self.folder.clone(), why };
        record.check().map_err(refused)?;
        write_whole(&self.folder.join(LIBRARY), &serde_json::to_vec_pretty(&record)?)?;
        self.record = record;
        Ok(true)
    }

    /// What a picture ([`SIDE`] x [`SIDE`]) is, by the nearest class' mean of references.
    pub fn recognise(&mut self, pixels: &[u8]) -> anyhow::Result<Recognised> {
        let known = !self.record.classes.is_empty();
        ensure!(known, "the library knows no class yet: teach it one with `coilsight-trainer oneshot add`");
        let query = self.embed(pixels, self.record.recipe.turned_queries)?;
        Ok(self.record.judge(query))
    }

    fn embed(&mut self, pixels: &[u8], turns: bool) -> anyhow::Result<Vec<f32>> {
        ensure!(pixels.len() == SIDE * SIDE, "a picture has {} pixels, not {}", SIDE * SIDE, pixels.len());
        let ways = if turns { TURNS } else { 1 };
        let mut mean = vec![0.0; self.record.embedding];
        for turn in 0..ways {
            let found = self.encoder.run(&plane(pixels, turn), &[])?.into_iter().next().unwrap_or_default();
            ensure!(
                found.len() == mean.len() && found.iter().all(|v| v.is_finite()),
                "the encoder gave {} values where {} finite ones were expected",
                found.len(),
                mean.len()
            );
            mean.iter_mut().zip(found).for_each(|(m, v)| *m += v / ways as f32);
        }
        Ok(mean)
    }
}

impl Record {
    fn check(&self) -> Result<(), String> {
        let reference =
            |r: &Reference| r.embedding.len() == self.embedding && r.embedding.iter().all(|v| v.is_finite());
        if self.format != FORMAT {
            return Err(format!(
                "its format is {}, this program reads {FORMAT}: bring them to one version",
                self.format
            ));
        }
        if self.embedding == 0
            || self.embedding > MAX_EMBEDDING
            || !(self.limit.is_finite() && self.limit > 0.0)
        {
            return Err(format!(
                "its embedding ({}) or limit ({}) is out of range",
                self.embedding, self.limit
            ));
        }
        if self.classes.len() > MAX_CLASSES || self.classes.values().any(|of| of.len() > MAX_REFERENCES) {
            return Err(format!("it may have {MAX_CLASSES} classes of {MAX_REFERENCES} references each"));
        }
        if let Some(name) = self.classes.keys().find(|name| check_name(name).is_err()) {
            let short: String = name.chars().take(MAX_NAME).collect();
            return Err(format!("{short:?} cannot be the name of a class"));
        }
        let empty = self.classes.iter().find(|(_, of)| of.is_empty() || !of.iter().all(reference));
        empty.map_or(Ok(()), |(name, _)| Err(format!("the references of {name:?} are damaged")))
    }

    fn judge(&self, query: Vec<f32>) -> Recognised {
        let classes =
            self.classes.iter().map(|(name, known)| (name.as_str(), known.iter().map(|r| &r.embedding[..])));
        recognised(self.recipe.measure, self.limit, query, classes)
    }
}

/// The distance under which this share of pictures lies from one reference of their own class, where that class was not among
/// those that the whitening was learned on: each class of `members` in turn.
pub fn limit(
    features: &Features,
    members: &[Vec<usize>],
    recipe: &Recipe,
    share: f64,
) -> Result<f64, OneShotError> {
    let mut distances = Vec::new();
    for left_out in 0..members.len() {
        let others: Vec<usize> =
            (0..members.len()).filter(|c| *c != left_out).flat_map(|c| members[c].clone()).collect();
        let whitening = recipe.within(features, &others)?.whitening(recipe.shrinkage)?;
        let own = &members[left_out];
        let prepared = recipe.prepare(features, own, &whitening);
        for reference in 0..own.len() {
            let known = prepared.mean(&[reference]);
            let asked = (0..own.len()).filter(|k| *k != reference);
            distances.extend(asked.map(|k| f64::from(prepared.distance(k, &known))));
        }
    }
    distances.sort_by(f64::total_cmp);
    let at = (distances.len() as f64 * share) as usize;
    let few =
        || OneShotError::Numbers { what: "limit", why: "two classes of two pictures are needed".into() };
    distances.get(at.min(distances.len().saturating_sub(1))).copied().filter(|d| *d > 0.0).ok_or_else(few)
}

#[cfg(test)]
#[path = "library/tests.rs"]
mod tests;
