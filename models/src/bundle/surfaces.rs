//! A library of surface classes in a manifest: what an encoder makes of pictures, and the pictures that are known.

use super::check::{FileRole, MAX_ITEMS, MAX_REFERENCE, ManifestFault, above_zero, count, text, unique};
use super::manifest::FileEntry;
use super::name::FileName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most classes.
pub const MAX_CLASSES: usize = 256;
/// Most references of a class.
pub const MAX_REFERENCES: usize = 64;
/// Most values of an embedding.
pub const MAX_EMBEDDING: usize = 8192;

/// Surfaces that are recognised from one picture of each class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurfaceLibrary {
    /// The ONNX file of the encoder: its one input `image` `[1, 3, 200, 200]`.
    pub encoder: FileName,
    /// Its ONNX output: the embedding, `[1, embedding]`.
    pub output: String,
    /// How a picture becomes the input.
    pub prepare: SurfacePrepare,
    /// Values of an embedding: 1 to [`MAX_EMBEDDING`].
    pub embedding: u64,
    /// What distance is.
    pub measure: Measure,
    /// Whether a picture to recognise is looked at in all eight ways that it can lie (the mean of their embeddings), as references
    /// were, or as it lies.
    pub turned_queries: bool,
    /// A picture further than this from every class is like nothing that is known; finite and above 0.
    pub limit: f64,
    /// The known embeddings, class after class: raw little-endian `f32`, `[references of all classes, embedding]`.
    pub references: FileName,
    /// The classes, in the order of `references`: 1 to [`MAX_CLASSES`].
    pub classes: Vec<SurfaceClass>,
    /// Where it comes from.
    pub provenance: SurfaceProvenance,
}

/// How a picture becomes the encoder's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SurfacePrepare {
    /// Grey, the middle square brought to 200 x 200 pixels, `(x - 127) / 128` in all three channels.
    #[serde(rename = "grey-200")]
    Grey200,
}

/// What distance is between whitened features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Of the points.
    Euclidean,
    /// Of their directions from the mean of the known classes.
    Cosine,
}

/// A class that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurfaceClass {
    /// What it is called.
    pub name: String,
    /// How many references it has: 1 to [`MAX_REFERENCES`].
    pub references: u64,
}

/// Where a library comes from. For people and for the record; nothing is judged by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurfaceProvenance {
    /// The trainer's version.
    pub trainer_version: String,
    /// Where the encoder's weights came from.
    pub weight_origin: String,
    /// The classes that the whitening was learned on.
    pub learned_on: Vec<String>,
    /// What the limit means.
    pub limit_is: String,
}

impl SurfaceLibrary {
    /// Whether it makes sense with `files`.
    pub(super) fn check(&self, files: &[FileEntry]) -> Result<(), ManifestFault> {
        text("an output's name", &self.output)?;
        above_zero("the limit of the library".into(), self.limit)?;
        let most = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        count("values of an embedding", most(self.embedding), 1, MAX_EMBEDDING)?;
        count("classes of surfaces", self.classes.len(), 1, MAX_CLASSES)?;
        unique("class", self.classes.iter().map(|class| class.name.as_str()))?;
        for class in &self.classes {
            text("a class' name", &class.name)?;
            count("references of a class", most(class.references), 1, MAX_REFERENCES)?;
        }
        let p = &self.provenance;
        text("the trainer's version", &p.trainer_version)?;
        text("the weights' origin", &p.weight_origin)?;
        text("what the limit means", &p.limit_is)?;
        count("classes learned on", p.learned_on.len(), 0, MAX_CLASSES.max(MAX_ITEMS))?;
        p.learned_on.iter().try_for_each(|name| text("a class learned on", name))?;
        for (name, role) in self.roles()? {
            let Some(found) = files.iter().find(|file| file.name == *name) else {
                return Err(ManifestFault::Unknown {
                    user: role.to_string(),
                    used: format!("the file {name}"),
                });
            };
            // Bounded above: 256 x 64 x 8192 values do not overflow.
            let values = self.embedding * self.classes.iter().map(|class| class.references).sum::<u64>();
            if role == FileRole::Reference && (values > MAX_REFERENCE || found.length != 4 * values) {
                return Err(ManifestFault::SurfaceReferences { values, length: found.length });
            }
        }
        Ok(())
    }

    /// Its files.
    pub(super) fn roles(&self) -> Result<BTreeMap<&FileName, FileRole>, ManifestFault> {
        if self.encoder == self.references {
            return Err(ManifestFault::FileRoles(self.encoder.clone()));
        }
        Ok(BTreeMap::from([(&self.encoder, FileRole::Part), (&self.references, FileRole::Reference)]))
    }
}
