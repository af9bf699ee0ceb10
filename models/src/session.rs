//! A verified bundle at work: a prepared coil in, P(NOK) of every model and of the set out.
//!
//! Each part is evaluated once per coil, in the manifest's order, single-threaded, batch 1; models that
//! share a part share its result. What comes out is a finite probability or an error, never a guess.
//! The agent and the trainer's parity gate run this same code.

mod engine;
mod golden;
mod kernels;
mod network;
mod novelty;
pub mod surface;

use crate::bundle::manifest::{Calibration, Source};
use crate::bundle::{FileName, Id, Verified, golden::GoldenFault, golden::GoldenSet};
use crate::coil::{CoilMatrix, Order};
use crate::prepare::{PrepareSpec, Prepared};
use engine::{Engine, Tensor};

pub use engine::EngineFault;
pub use golden::{GoldenRefused, GoldenReport};
pub use kernels::leave_out_faulty;
pub use novelty::Novelty;

/// A loaded model set.
pub struct Session {
    /// In the order of their names.
    prepares: Vec<(Id, PrepareSpec)>,
    references: Vec<Tensor>,
    parts: Vec<LoadedPart>,
    models: Vec<LoadedModel>,
    novelty: Option<novelty::Measure>,
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
    Image(usize),
    Side(usize),
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
    /// How unlike the coils trained on it is, if the set can tell.
    pub novelty: Option<Novelty>,
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
    /// Thresholds or keys alone.
    #[error("choose a bundle that brings a model set: this one brings none")]
    NotASet,
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
    /// A part whose features are not as many as the set's novelty measures.
    #[error(
        "build the bundle again: its novelty measures {features} features, the part {part} gives the shape {shape:?}"
    )]
    Features {
        /// Which.
        part: Id,
        /// Of its output.
        shape: Vec<usize>,
        /// As many as the centre has.
        features: usize,
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
        let set = bundle.manifest().set().ok_or(OpenFault::NotASet)?;
        let mut session = Self {
            prepares: set.prepare.clone().into_iter().collect(),
            references: Vec::new(),
            parts: Vec::new(),
            models: Vec::new(),
            novelty: None,
            golden: GoldenSet::from_bytes(file(bundle, &set.golden.file)?).map_err(OpenFault::Golden)?,
            tolerance: set.golden.tolerance,
        };
        for reference in &set.references {
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
        for part in &set.parts {
            let resolve = |source: &Source| {
                let feed = match source {
                    Source::Image(id) => session.prepare(id).map(Feed::Image),
                    Source::Side(id) => session.prepare(id).map(Feed::Side),
                    Source::Reference(id) => {
                        set.references.iter().position(|r| r.id == *id).map(Feed::Reference)
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
        let total: f64 = set.models.iter().map(|m| m.weight).sum();
        for model in &set.models {
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
        let novelty = set.novelty.as_ref();
        let measure = |novelty| novelty::Measure::open(&session, novelty, &set.references);
        session.novelty = novelty.map(measure).transpose()?;
        Ok(session)
    }

    /// Prepares a coil in every way that the set knows, once, and scores it.
    pub fn score(&mut self, matrix: &CoilMatrix, order: Option<&Order>) -> Result<Scores, ScoreFault> {
        let prepared = self.prepares.iter().map(|(_, spec)| spec.prepare(matrix, order)).collect();
        self.scores(prepared)
    }

    /// Scores a coil, prepared in each of `self.prepares`.
    fn scores(&mut self, prepared: Vec<Prepared>) -> Result<Scores, ScoreFault> {
        let (mut images, mut sides) = (Vec::new(), Vec::new());
        for (at, Prepared { image, side }) in prepared.into_iter().enumerate() {
            images.push(self.input(&Feed::Image(at), image)?);
            sides.push(self.input(&Feed::Side(at), side)?);
        }
        let mut done: Vec<Vec<Tensor>> = Vec::with_capacity(self.parts.len());
        for part in &mut self.parts {
            let feeds: Vec<&Tensor> = part
                .feeds
                .iter()
                .map(|feed| match feed {
                    Feed::Image(at) => &images[*at],
                    Feed::Side(at) => &sides[*at],
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
        let novelty = self.novelty.as_ref().map(|measure| measure.of(&self.references, &done));
        if novelty.is_some_and(|novelty| !novelty.distance.is_finite()) {
            return Err(ScoreFault::NotFinite("the distance from the coils trained on".to_string()));
        }
        Ok(Scores { p_nok, models, novelty })
    }

    /// Index of a way to prepare.
    fn prepare(&self, id: &Id) -> Option<usize> {
        self.prepares.iter().position(|(name, _)| name == id)
    }

    /// Prepared numbers as a tensor, all of them finite.
    fn input(&self, feed: &Feed, values: Vec<f32>) -> Result<Tensor, ScoreFault> {
        if !values.iter().all(|v| v.is_finite()) {
            return Err(ScoreFault::NotFinite("a value of the prepared coil".to_string()));
        }
        Ok(Tensor { shape: self.shape(feed), values: values.into() })
    }

    /// Index of a part and of an output of it, among the parts loaded so far.
    fn output(&self, id: &Id, output: &str) -> Option<(usize, usize)> {
        let part = self.parts.iter().position(|p| p.id == *id)?;
        Some((part, self.parts[part].outputs.iter().position(|name| name == output)?))
    }

    /// The shape of what a feed gives.
    fn shape(&self, feed: &Feed) -> Vec<usize> {
        match feed {
            Feed::Image(at) => [&[1], &self.prepares[*at].1.image_shape()[..]].concat(),
            Feed::Side(at) => vec![1, self.prepares[*at].1.side.len()],
            Feed::Reference(at) => self.references[*at].shape.clone(),
            Feed::Part(part, output) => self.parts[*part].engine.shapes()[*output].clone(),
        }
    }
}

/// A file that verification has found to be there.
fn file<'a>(bundle: &'a Verified, name: &FileName) -> Result<&'a [u8], OpenFault> {
    bundle.file(name).ok_or_else(|| OpenFault::Missing(format!("the file {name}")))
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
