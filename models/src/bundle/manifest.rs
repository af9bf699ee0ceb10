//! What the signatures sign: a JSON text that names every file and says how to judge with them.
//!
//! Unknown fields are refused, so no program ever ignores a rule that it does not know. A field or rule
//! added later raises [`FORMAT`]; a writer states the lowest format that has every field it uses.

use super::check::ManifestFault;
use super::error::RefusedBundle;
use super::name::{FileName, Id, Sha256};
use super::place::{Place, Version};
use super::trust::TrustDocument;
use super::unique::once;
use crate::prepare::PrepareSpec;
use crate::verdict::Policy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

pub use super::surfaces::{
    MAX_CLASSES, MAX_EMBEDDING, MAX_REFERENCES, Measure, SurfaceClass, SurfaceLibrary, SurfacePrepare,
    SurfaceProvenance,
};

/// The manifest format of everything for coils.
pub const FORMAT: u32 = 3;
/// The manifest format of [`Content::Surfaces`].
pub const SURFACES_FORMAT: u32 = 4;

/// What is signed: for whom it is, how new it is, what it brings, and every file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// As [`Content::format`] says.
    pub format: u32,
    /// What people call it.
    pub name: Id,
    /// A counter that only rises: a device does not go back behind the release it has. At least 1. Sets and policies
    /// count together; of a trust document it is the version.
    pub release: u64,
    /// No set of a lower release may be gone back to once this one was active; at most `release`, 0 for any.
    pub floor: u64,
    /// When it was built.
    pub created_at: jiff::Timestamp,
    /// Until when it is meant to be in use, after `created_at`. Past it a line warns and goes on.
    pub not_after: jiff::Timestamp,
    /// The plant it is for, or `"*"`.
    pub plant: Place,
    /// The lines it is for; `["*"]` for any.
    pub lines: Vec<Place>,
    /// The oldest agent that can use it.
    pub requires_agent: Version,
    /// What it brings.
    pub content: Content,
    /// Every file, in the order in which they follow the manifest.
    pub files: Vec<FileEntry>,
}

/// What a bundle brings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// A whole model set.
    Set(Box<ModelSet>),
    /// Other thresholds for a set that the line has.
    Policy(PolicyChange),
    /// Other keys to believe.
    Trust(Box<TrustDocument>),
    /// A library of surface classes.
    Surfaces(Box<SurfaceLibrary>),
}

impl Content {
    /// The lowest manifest format that has it: a program that does not know it asks to be updated, and older ones still read
    /// what they know.
    pub fn format(&self) -> u32 {
        match self {
            Self::Set(_) | Self::Policy(_) | Self::Trust(_) => FORMAT,
            Self::Surfaces(_) => SURFACES_FORMAT,
        }
    }
}

/// A model set: how coils become tensors, which networks judge, and what their scores mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSet {
    /// The ways in which a coil becomes tensors, by the names that the parts' inputs call them: 1 to 8.
    #[serde(deserialize_with = "once")]
    pub prepare: BTreeMap<Id, PrepareSpec>,
    /// Networks, each evaluated once per coil, in this order.
    pub parts: Vec<Part>,
    /// Voters: what reads a part's output as class logits.
    pub models: Vec<Model>,
    /// Constant inputs, such as embeddings of reference coils.
    pub references: Vec<Reference>,
    /// How a coil unlike those trained on is told, if the set can tell.
    pub novelty: Option<Novelty>,
    /// How scores become a verdict.
    pub policy: Policy,
    /// Coils with known scores, to be met before the set is used.
    pub golden: Golden,
    /// Where it comes from and how it did.
    pub provenance: Provenance,
}

/// Other thresholds for a set that stays as it is. Brings no file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    /// Fingerprint of the set that it is for; a line whose active set is another one refuses it.
    pub set: Sha256,
    /// How scores become a verdict from now on.
    pub policy: Policy,
    /// Why, for the record.
    pub why: String,
}

/// One ONNX network. Several models may read one part: shared stages are computed once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its id.
    pub id: Id,
    /// Its ONNX file.
    pub file: FileName,
    /// Where each ONNX input comes from; all of the graph's inputs.
    pub inputs: Vec<PartInput>,
    /// The ONNX outputs in use.
    pub outputs: Vec<String>,
    /// What its weights and arithmetic are.
    pub precision: Precision,
    /// What of an int8 part is computed in `f32`, and why. For people.
    pub float: Vec<String>,
}

/// An input of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartInput {
    /// The ONNX input's name.
    pub name: String,
    /// What is fed to it.
    pub from: Source,
}

/// Number format of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 8-bit integers.
    Int8,
    /// 32-bit floating point.
    F32,
}

/// What feeds an input; as text `image:ID`, `side:ID`, `reference:ID` or `part:ID:OUTPUT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// The coil as an image `[1, C, H, W]`, prepared as the named spec says.
    Image(Id),
    /// The coil's order data `[1, S]`, prepared as the named spec says.
    Side(Id),
    /// A constant of the bundle.
    Reference(Id),
    /// An output of an earlier part.
    Part {
        /// The part's id.
        id: Id,
        /// The ONNX output's name.
        output: String,
    },
}

/// A text that is no [`Source`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a source is image:ID, side:ID, reference:ID or part:ID:OUTPUT, not {0:?}")]
pub struct BadSource(String);

impl TryFrom<String> for Source {
    type Error = BadSource;
    fn try_from(text: String) -> Result<Self, BadSource> {
        let bad = || BadSource(text.chars().take(80).collect());
        let mut pieces = text.splitn(3, ':');
        let (Some(kind), Some(id)) = (pieces.next(), pieces.next()) else { return Err(bad()) };
        let id = Id::new(id).map_err(|_| bad())?;
        match (kind, pieces.next()) {
            ("image", None) => Ok(Self::Image(id)),
            ("side", None) => Ok(Self::Side(id)),
            ("reference", None) => Ok(Self::Reference(id)),
            ("part", Some(output)) if !output.is_empty() => Ok(Self::Part { id, output: output.to_string() }),
            _ => Err(bad()),
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(id) => write!(f, "image:{id}"),
            Self::Side(id) => write!(f, "side:{id}"),
            Self::Reference(id) => write!(f, "reference:{id}"),
            Self::Part { id, output } => write!(f, "part:{id}:{output}"),
        }
    }
}

/// A voter of the set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What its votes are reported under.
    pub name: Id,
    /// Its architecture, for people: `cnn`, `yolov8n-cls`, `siamese`.
    pub kind: String,
    /// The part whose output it reads.
    pub part: Id,
    /// That output: `[1, 2]` logits, class 0 OK, class 1 NOK.
    pub output: String,
    /// From logits to a probability.
    pub calibration: Calibration,
    /// Its share in the average, against the other models' weights; finite and above 0.
    pub weight: f64,
}

/// `P(NOK) = sigmoid(scale * (z_nok - z_ok) + offset)`: Platt's scaling on the logit difference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Finite and above 0: a negative one would turn OK and NOK round.
    pub scale: f64,
    /// Finite.
    pub offset: f64,
}

impl Calibration {
    /// The logits as they are.
    pub const IDENTITY: Self = Self { scale: 1.0, offset: 0.0 };

    /// P(NOK) of a logit difference `z_nok - z_ok`.
    pub fn p_nok(&self, difference: f64) -> f64 {
        1.0 / (1.0 + (-(self.scale * difference + self.offset)).exp())
    }
}

/// A constant tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// What inputs name it by.
    pub id: Id,
    /// Raw little-endian `f32`, row-major.
    pub file: FileName,
    /// Its shape.
    pub shape: Vec<u64>,
}

/// How far a coil's features lie from those of the coils trained on: `|W (f - m)| / sqrt(R)`, the Mahalanobis
/// distance along R directions of feature space, about 1 for a coil like the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Novelty {
    /// The part that gives the features.
    pub part: Id,
    /// Its output: features `f`, `[1, F]`.
    pub output: String,
    /// The reference `m`, `[F]`: the features' mean.
    pub centre: Id,
    /// The reference `W`, `[R, F]`, at most 64 rows: the directions, each divided by the spread along it.
    pub whitening: Id,
    /// A coil further away goes to a person; finite and above 0.
    pub limit: f64,
}

/// Coils with known scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// A [`super::golden::GoldenSet`].
    pub file: FileName,
    /// How far a probability may lie from the trainer's; at most 0.01.
    pub tolerance: f64,
}

/// Where a set comes from. For people and for the record; nothing is judged by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The trainer's version.
    pub trainer_version: String,
    /// The training run.
    pub run: String,
    /// Digest of the training data.
    pub data_sha256: Sha256,
    /// Name of the training data.
    pub set_name: String,
    /// Coils trained on.
    pub coils: u64,
    /// NOK coils among them.
    pub nok: u64,
    /// Seed of the run.
    pub seed: u64,
    /// What the weights were before training: `scratch`, or whose.
    pub weight_origin: String,
    /// Licences of code and weights that the set is bound by.
    pub licences: Vec<String>,
    /// How it did, by name of the metric.
    #[serde(deserialize_with = "once")]
    pub metrics: BTreeMap<String, Metric>,
}

/// An estimate with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name.
    pub name: FileName,
    /// Its length in bytes.
    pub length: u64,
    /// Its digest.
    pub sha256: Sha256,
}

impl Manifest {
    /// The model set, if it brings one.
    pub fn set(&self) -> Option<&ModelSet> {
        match &self.content {
            Content::Set(set) => Some(set),
            Content::Policy(_) | Content::Trust(_) | Content::Surfaces(_) => None,
        }
    }

    /// Reads a manifest and checks that it makes sense. Says nothing about who wrote it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, RefusedBundle> {
        /// What every format has.
        #[derive(Deserialize)]
        struct Any {
            format: u32,
            #[serde(default)]
            content: serde_json::Value,
        }
        let any: Any = serde_json::from_slice(bytes).map_err(RefusedBundle::ManifestText)?;
        let reads = if any.content.get("surfaces").is_some() { SURFACES_FORMAT } else { FORMAT };
        if any.format < reads {
            return Err(RefusedBundle::OlderFormat { found: any.format, reads });
        }
        if any.format > reads {
            return Err(RefusedBundle::NewerFormat { found: any.format, reads });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(RefusedBundle::ManifestText)?;
        manifest.check().map_err(RefusedBundle::Manifest)?;
        Ok(manifest)
    }

    /// The text that is signed: indented JSON with a line feed at its end.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, ManifestFault> {
        self.check()?;
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|_| ManifestFault::Unwritable)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_four_forms() {
        for text in ["image:grey", "side:grey", "reference:ok", "part:trunk:features", "part:trunk:a:b/c"] {
            assert_eq!(Source::try_from(text.to_string()).unwrap().to_string(), text);
        }
        for bad in [
            "",
            "image",
            "side",
            "Image:a",
            "image:",
            "image:a:b",
            "reference",
            "reference:",
            "reference:../x",
            "part:a",
            "part:a:",
        ] {
            assert!(Source::try_from(bad.to_string()).is_err(), "{bad}");
        }
    }

    #[test]
    fn calibration_is_platts() {
        assert_eq!(Calibration::IDENTITY.p_nok(0.0), 0.5);
        let shifted = Calibration { scale: 2.0, offset: -1.0 };
        assert!((shifted.p_nok(1.0) - 0.731_058_578_630_004_9).abs() < 1e-15);
        assert_eq!(shifted.p_nok(1e9), 1.0);
        assert_eq!(shifted.p_nok(-1e9), 0.0);
    }
}
