//! A verified bundle at work: a prepared coil in, P(NOK) of every model and of the set out.
//!
//! Each part is evaluated once per coil, in the manifest's order, single-threaded, batch 1; models that
//! share a part share its result. What comes out is a finite probability or an error, never a guess.
//! The agent and the trainer's parity gate run this same code.

mod engine;
mod golden;
mod kernels;
mod network;

use crate::bundle::manifest::{Calibration, Source};
use crate::bundle::{FileName, Id, Verified, golden::GoldenFault, golden::GoldenSet};
use crate::coil::{CoilMatrix, Order};
use crate::prepare::PrepareSpec;
use engine::{Engine, Tensor};

pub use engine::EngineFault;
pub use golden::{GoldenRefused, GoldenReport};
pub use kernels::leave_out_faulty;

/// A loaded model set.
pub struct Session {
    prepare: PrepareSpec,
    references: Vec<Tensor>,
    parts: Vec<LoadedPart>,
    models: Vec<LoadedModel>,
    golden: GoldenSet,
    tolerance: f64,
}

/// A part with what feeds it.
struct LoadedPart {
    id: Id,
    engine: Box<dyn Engine>,
    feeds: Vec<Feed>,
    outputs: Vec<String>,
}

/// [`Source`], resolved to indices.
enum Feed {
    Image,
    Side,
    Reference(usize),
    Part(usize, usize),
}

struct LoadedModel {
    name: Id,
    part: usize,
    output: usize,
    calibration: Calibration,
    /// Share in the average; all add up to 1.
    share: f64,
}

/// What a set says of one coil.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The average of the models' P(NOK), by their weights.
    pub p_nok: f64,
    /// Each model's vote, in the manifest's order.
    pub models: Vec<ModelScore>,
}

/// What one model says of a coil.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelScore {
    /// The model's name.
    pub name: Id,
    /// Its calibrated P(NOK), 0 to 1.
    pub p_nok: f64,
    /// Its share in the average; all add up to 1.
    pub weight: f64,
}

/// Why a verified bundle cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// A part that the runtime cannot take.
    #[error("export the part {part} again with operators that the runtime supports: it cannot be loaded")]
    Part {
        /// Which.
        part: Id,
        /// Why.
        source: EngineFault,
    },
    /// A model whose output is not two logits.
    #[error("export the model {model} again with an output of shape [1, 2] (OK, NOK): it has {shape:?}")]
    Logits {
        /// Which.
        model: Id,
        /// The output's shape.
        shape: Vec<usize>,
    },
    /// A constant that holds something that is no number.
    #[error("build the bundle again: its reference {0} holds values that are not finite")]
    Reference(Id),
    /// The golden coils.
    #[error("this set cannot be checked before use: its golden coils cannot be read")]
    Golden(#[source] GoldenFault),
    /// The manifest names what the bundle does not have; verification rules this out.
    #[error("verify the bundle again: its manifest names {0}, which is not there")]
    Missing(String),
}

/// Why a coil got no score.
#[derive(Debug, thiserror::Error)]
pub enum ScoreFault {
    /// A tensor of another size than the bundle's `prepare` section gives.
    #[error("prepare the coil as the bundle says: its {what} has {found} values, {expected} are wanted")]
    Size {
        /// `image` or `side`.
        what: &'static str,
        /// Values that came.
        found: usize,
        /// Values that the networks take.
        expected: usize,
    },
    /// Not a number where there must be one.
    #[error("have the coil looked at by a person: {0} is not a finite number")]
    NotFinite(String),
    /// The runtime failed.
    #[error("have the coil looked at by a person: the part {part} could not be computed")]
    Part {
        /// Which.
        part: Id,
        /// Why.
        source: EngineFault,
    },
}

impl Session {
    /// Loads every part of a bundle. Takes its time: about 0.1 s and 20 to 60 MB for a usual network.
    pub fn open(bundle: &Verified) -> Result<Self, OpenFault> {
        let manifest = bundle.manifest();
        let mut session = Self {
            prepare: manifest.prepare.clone(),
            references: Vec::new(),
            parts: Vec::new(),
            models: Vec::new(),
            golden: GoldenSet::from_bytes(file(bundle, &manifest.golden.file)?).map_err(OpenFault::Golden)?,
            tolerance: manifest.golden.tolerance,
        };
        for reference in &manifest.references {
            let values: Vec<f32> = file(bundle, &reference.file)?
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            if !values.iter().all(|v| v.is_finite()) {
                return Err(OpenFault::Reference(reference.id.clone()));
            }
            let shape = reference.shape.iter().map(|n| *n as usize).collect();
            session.references.push(Tensor { shape, values: values.into() });
        }
        for part in &manifest.parts {
            let resolve = |source: &Source| {
                let feed = match source {
                    Source::Image => Some(Feed::Image),
                    Source::Side => Some(Feed::Side),
                    Source::Reference(id) => {
                        manifest.references.iter().position(|r| r.id == *id).map(Feed::Reference)
                    }
                    Source::Part { id, output } => session.output(id, output).map(|(p, o)| Feed::Part(p, o)),
                };
                feed.ok_or_else(|| OpenFault::Missing(source.to_string()))
            };
            let feeds = part.inputs.iter().map(|i| resolve(&i.from)).collect::<Result<Vec<_>, _>>()?;
            let names = part.inputs.iter().map(|input| input.name.as_str());
            let inputs: Vec<_> = names.zip(feeds.iter().map(|feed| session.shape(feed))).collect();
            let engine = network::Network::load(file(bundle, &part.file)?, &inputs, &part.outputs)
                .map_err(|source| OpenFault::Part { part: part.id.clone(), source })?;
            let (id, outputs) = (part.id.clone(), part.outputs.clone());
            session.parts.push(LoadedPart { id, engine: Box::new(engine), feeds, outputs });
        }
        let total: f64 = manifest.models.iter().map(|m| m.weight).sum();
        for model in &manifest.models {
            let (part, output) = session
                .output(&model.part, &model.output)
                .ok_or_else(|| OpenFault::Missing(format!("part:{}:{}", model.part, model.output)))?;
            let shape = session.shape(&Feed::Part(part, output));
            if shape != [1, 2] {
                return Err(OpenFault::Logits { model: model.name.clone(), shape });
            }
            let (name, calibration) = (model.name.clone(), model.calibration);
            session.models.push(LoadedModel { name, part, output, calibration, share: model.weight / total });
        }
        Ok(session)
    }

    /// How a coil becomes what [`Self::scores`] takes.
    pub fn prepare(&self) -> &PrepareSpec {
        &self.prepare
    }

    /// Prepares and scores a coil.
    pub fn score(&mut self, matrix: &CoilMatrix, order: Option<&Order>) -> Result<Scores, ScoreFault> {
        let prepared = self.prepare.prepare(matrix, order);
        self.scores(&prepared.image, &prepared.side)
    }

    /// Scores a prepared coil: `image` is `[C][264][18]` row-major, `side` has one value a side value.
    pub fn scores(&mut self, image: &[f32], side: &[f32]) -> Result<Scores, ScoreFault> {
        let image = input("image", image, self.shape(&Feed::Image))?;
        let side = input("side", side, self.shape(&Feed::Side))?;
        let mut done: Vec<Vec<Tensor>> = Vec::with_capacity(self.parts.len());
        for part in &mut self.parts {
            let feeds: Vec<&Tensor> = part
                .feeds
                .iter()
                .map(|feed| match feed {
                    Feed::Image => &image,
                    Feed::Side => &side,
                    Feed::Reference(at) => &self.references[*at],
                    Feed::Part(part, output) => &done[*part][*output],
                })
                .collect();
            let outputs = part
                .engine
                .run(&feeds)
                .map_err(|source| ScoreFault::Part { part: part.id.clone(), source })?;
            for (name, output) in part.outputs.iter().zip(&outputs) {
                if !output.values.iter().all(|v| v.is_finite()) {
                    return Err(ScoreFault::NotFinite(format!("part:{}:{name}", part.id)));
                }
            }
            done.push(outputs);
        }
        let vote = |model: &LoadedModel| {
            let logits = &done[model.part][model.output].values;
            let p_nok = model.calibration.p_nok(f64::from(logits[1]) - f64::from(logits[0]));
            ModelScore { name: model.name.clone(), p_nok, weight: model.share }
        };
        let models: Vec<ModelScore> = self.models.iter().map(vote).collect();
        let p_nok = models.iter().map(|m| m.p_nok * m.weight).sum::<f64>().clamp(0.0, 1.0);
        if p_nok.is_nan() {
            return Err(ScoreFault::NotFinite("P(NOK)".to_string()));
        }
        Ok(Scores { p_nok, models })
    }

    /// Index of a part and of an output of it, among the parts loaded so far.
    fn output(&self, id: &Id, output: &str) -> Option<(usize, usize)> {
        let part = self.parts.iter().position(|p| p.id == *id)?;
        Some((part, self.parts[part].outputs.iter().position(|name| name == output)?))
    }

    /// The shape of what a feed gives.
    fn shape(&self, feed: &Feed) -> Vec<usize> {
        match feed {
            Feed::Image => [&[1], &self.prepare.image_shape()[..]].concat(),
            Feed::Side => vec![1, self.prepare.side.len()],
            Feed::Reference(at) => self.references[*at].shape.clone(),
            Feed::Part(part, output) => self.parts[*part].engine.shapes()[*output].clone(),
        }
    }
}

/// A file that verification has found to be there.
fn file<'a>(bundle: &'a Verified, name: &FileName) -> Result<&'a [u8], OpenFault> {
    bundle.file(name).ok_or_else(|| OpenFault::Missing(format!("the file {name}")))
}

/// Outside numbers as a tensor: as many as wanted, all of them finite.
fn input(what: &'static str, values: &[f32], shape: Vec<usize>) -> Result<Tensor, ScoreFault> {
    let expected = shape.iter().product();
    if values.len() != expected {
        return Err(ScoreFault::Size { what, found: values.len(), expected });
    }
    if !values.iter().all(|v| v.is_finite()) {
        return Err(ScoreFault::NotFinite(format!("a value of the {what}")));
    }
    Ok(Tensor { shape, values: values.into() })
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({} models in {} parts)", self.models.len(), self.parts.len())
    }
}

#[cfg(test)]
mod onnx;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
