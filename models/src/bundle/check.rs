//! Whether a manifest makes sense: limits, unique names, every file used, every source there before its use.

mod fault;

use super::golden::MAX_TOLERANCE;
use super::manifest::{Content, FileEntry, Manifest, ModelSet, Novelty, Part, Reference, Source};
use super::name::{FileName, Id};
use super::place::Place;
use crate::prepare::PrepareSpec;
use std::collections::{BTreeMap, BTreeSet};

pub use fault::ManifestFault;

/// Most models.
pub const MAX_MODELS: usize = 16;
/// Most parts.
pub const MAX_PARTS: usize = 64;
/// Most ways to prepare a coil.
pub const MAX_PREPARES: usize = 8;
/// Most values of all images that a coil is prepared as: 8 MiB of `f32`.
pub const MAX_PREPARED: usize = 2 * 1024 * 1024;
/// Most directions of a novelty's whitening.
pub const MAX_DIRECTIONS: u64 = 64;
/// Most files.
pub const MAX_FILES: usize = 64;
/// Most constants, inputs or outputs of a part, lines, licences, metrics.
pub const MAX_ITEMS: usize = 64;
/// Most bytes of a free text.
pub const MAX_TEXT: usize = 1024;
/// Most values of a reference tensor.
pub const MAX_REFERENCE: u64 = 4 * 1024 * 1024;
/// The largest release: the largest integer that every JSON reader holds exactly, 2^53 - 1.
pub const MAX_RELEASE: u64 = (1 << 53) - 1;

/// What a file is in a bundle; its kind decides how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// An ONNX network.
    Part,
    /// A constant tensor.
    Reference,
    /// The golden coils.
    Golden,
}

impl std::fmt::Display for FileRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Part => "a part",
            Self::Reference => "a reference",
            Self::Golden => "the golden check",
        })
    }
}

impl Manifest {
    /// Whether it makes sense, on its own.
    pub fn check(&self) -> Result<(), ManifestFault> {
        if self.format != self.content.format() {
            return Err(ManifestFault::Format(self.format));
        }
        if !(1..=MAX_RELEASE).contains(&self.release) {
            return Err(ManifestFault::Release(self.release));
        }
        if self.floor > self.release {
            return Err(ManifestFault::Floor { floor: self.floor, release: self.release });
        }
        if self.not_after <= self.created_at {
            return Err(ManifestFault::Dates { created_at: self.created_at, not_after: self.not_after });
        }
        let named = self.lines.iter().map(Place::to_string).collect::<BTreeSet<_>>();
        let star = self.lines.contains(&Place::Any);
        if !(1..=MAX_ITEMS).contains(&named.len())
            || named.len() != self.lines.len()
            || star && named.len() > 1
        {
            return Err(ManifestFault::Lines);
        }
        count("files", self.files.len(), 0, MAX_FILES)?;
        unique("file", self.files.iter().map(|f| f.name.as_str()))?;
        match &self.content {
            Content::Set(set) => set.check(&self.files)?,
            Content::Policy(change) => {
                change.policy.check().map_err(ManifestFault::Policy)?;
                text("the reason for another policy", &change.why)?;
            }
            Content::Surfaces(library) => library.check(&self.files)?,
            Content::Trust(document) => {
                document.check().map_err(ManifestFault::Trust)?;
                if document.version != self.release {
                    let (version, release) = (document.version, self.release);
                    return Err(ManifestFault::TrustVersion { version, release });
                }
            }
        }
        let roles = self.roles()?;
        match self.files.iter().find(|f| !roles.contains_key(&f.name)) {
            Some(unused) => Err(ManifestFault::Unused(format!("the file {}", unused.name))),
            None => Ok(()),
        }
    }

    /// Every file that something uses, with what it is used as.
    pub fn roles(&self) -> Result<BTreeMap<&FileName, FileRole>, ManifestFault> {
        match &self.content {
            Content::Set(set) => set.roles(),
            Content::Surfaces(library) => library.roles(),
            Content::Policy(_) | Content::Trust(_) => Ok(BTreeMap::new()),
        }
    }
}

impl ModelSet {
    /// Whether it makes sense with `files`.
    fn check(&self, files: &[FileEntry]) -> Result<(), ManifestFault> {
        self.check_prepares()?;
        self.policy.check().map_err(ManifestFault::Policy)?;
        self.check_parts()?;
        self.check_models()?;
        self.novelty.as_ref().map_or(Ok(()), |novelty| self.check_novelty(novelty))?;
        self.check_all_used()?;
        self.check_files(files)?;
        between("the golden tolerance", self.golden.tolerance, 0.0, MAX_TOLERANCE, "0 to 0.01")?;
        self.check_provenance()
    }

    fn roles(&self) -> Result<BTreeMap<&FileName, FileRole>, ManifestFault> {
        let parts = self.parts.iter().map(|p| (&p.file, FileRole::Part));
        let references = self.references.iter().map(|r| (&r.file, FileRole::Reference));
        let mut roles = BTreeMap::new();
        for (file, role) in parts.chain(references).chain([(&self.golden.file, FileRole::Golden)]) {
            match roles.insert(file, role) {
                // Two parts may run one network on different inputs; nothing else shares a file.
                Some(before) if before != role || role != FileRole::Part => {
                    return Err(ManifestFault::FileRoles(file.clone()));
                }
                _ => {}
            }
        }
        Ok(roles)
    }

    fn check_prepares(&self) -> Result<(), ManifestFault> {
        count("ways to prepare a coil", self.prepare.len(), 1, MAX_PREPARES)?;
        for (id, spec) in &self.prepare {
            spec.check().map_err(|source| ManifestFault::Prepare { id: id.clone(), source })?;
        }
        let values = |spec: &PrepareSpec| spec.image_shape().iter().product::<usize>();
        let values = self.prepare.values().map(values).sum();
        count("values in the images of a coil", values, 1, MAX_PREPARED)
    }

    fn check_parts(&self) -> Result<(), ManifestFault> {
        count("parts", self.parts.len(), 1, MAX_PARTS)?;
        count("references", self.references.len(), 0, MAX_ITEMS)?;
        unique("part", self.parts.iter().map(|p| p.id.as_str()))?;
        unique("reference", self.references.iter().map(|r| r.id.as_str()))?;
        for (at, part) in self.parts.iter().enumerate() {
            count("inputs of a part", part.inputs.len(), 1, MAX_ITEMS)?;
            count("outputs of a part", part.outputs.len(), 1, MAX_ITEMS)?;
            unique("input", part.inputs.iter().map(|i| i.name.as_str()))?;
            unique("output", part.outputs.iter().map(String::as_str))?;
            part.outputs.iter().try_for_each(|name| text("an output's name", name))?;
            count("texts on what of a part is f32", part.float.len(), 0, MAX_ITEMS)?;
            part.float.iter().try_for_each(|why| text("a text on what of a part is f32", why))?;
            for input in &part.inputs {
                text("an input's name", &input.name)?;
                if !self.offers(&input.from, &self.parts[..at]) {
                    return Err(ManifestFault::Unknown {
                        user: format!("the part {}", part.id),
                        used: input.from.to_string(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether `source` is there for a part that has `earlier` before it.
    fn offers(&self, source: &Source, earlier: &[Part]) -> bool {
        match source {
            Source::Image(id) => self.prepare.contains_key(id),
            Source::Side(id) => self.prepare.get(id).is_some_and(|spec| !spec.side.is_empty()),
            Source::Reference(id) => self.reference(id).is_some(),
            Source::Part { id, output } => gives(earlier, id, output),
        }
    }

    fn reference(&self, id: &Id) -> Option<&Reference> {
        self.references.iter().find(|r| r.id == *id)
    }

    fn check_models(&self) -> Result<(), ManifestFault> {
        count("models", self.models.len(), 1, MAX_MODELS)?;
        unique("model", self.models.iter().map(|m| m.name.as_str()))?;
        for model in &self.models {
            text("a model's kind", &model.kind)?;
            if !gives(&self.parts, &model.part, &model.output) {
                return Err(ManifestFault::Unknown {
                    user: format!("the model {}", model.name),
                    used: format!("part:{}:{}", model.part, model.output),
                });
            }
            let of = |what: &str| format!("the {what} of the model {}", model.name);
            above_zero(of("weight"), model.weight)?;
            above_zero(of("calibration's scale"), model.calibration.scale)?;
            between(of("calibration's offset"), model.calibration.offset, -1e6, 1e6, "a finite number")?;
        }
        Ok(())
    }

    fn check_novelty(&self, novelty: &Novelty) -> Result<(), ManifestFault> {
        let unknown = |used: String| ManifestFault::Unknown { user: "novelty".into(), used };
        if !gives(&self.parts, &novelty.part, &novelty.output) {
            return Err(unknown(format!("part:{}:{}", novelty.part, novelty.output)));
        }
        let shape = |id: &Id| match self.reference(id) {
            Some(reference) => Ok(reference.shape.as_slice()),
            None => Err(unknown(format!("reference:{id}"))),
        };
        let (centre, whitening) = (shape(&novelty.centre)?, shape(&novelty.whitening)?);
        match (centre, whitening) {
            ([features], [directions, columns])
                if features == columns && (1..=MAX_DIRECTIONS.min(*features)).contains(directions) => {}
            _ => {
                let (centre, whitening) = (centre.to_vec(), whitening.to_vec());
                return Err(ManifestFault::NoveltyShapes { centre, whitening });
            }
        }
        above_zero("the limit of novelty".into(), novelty.limit)
    }

    /// No part, reference, output or way to prepare that nothing needs: it would be carried and computed for nothing.
    fn check_all_used(&self) -> Result<(), ManifestFault> {
        let mut sources: BTreeSet<String> =
            self.models.iter().map(|m| format!("part:{}:{}", m.part, m.output)).collect();
        if let Some(Novelty { part, output, centre, whitening, .. }) = &self.novelty {
            let references = [centre, whitening].map(|id| format!("reference:{id}"));
            sources.extend(references.into_iter().chain([format!("part:{part}:{output}")]));
        }
        for part in self.parts.iter().rev() {
            for output in &part.outputs {
                let name = format!("part:{}:{output}", part.id);
                if !sources.contains(&name) {
                    return Err(ManifestFault::Unused(name));
                }
            }
            sources.extend(part.inputs.iter().map(|i| i.from.to_string()));
        }
        let unread =
            |id: &&Id| ["image", "side"].iter().all(|kind| !sources.contains(&format!("{kind}:{id}")));
        if let Some(id) = self.prepare.keys().find(unread) {
            return Err(ManifestFault::Unused(format!("prepare:{id}")));
        }
        let unused = |r: &&Reference| !sources.contains(&format!("reference:{}", r.id));
        match self.references.iter().find(unused) {
            Some(reference) => Err(ManifestFault::Unused(format!("reference:{}", reference.id))),
            None => Ok(()),
        }
    }

    fn check_files(&self, files: &[FileEntry]) -> Result<(), ManifestFault> {
        let length_of = |name: &FileName| files.iter().find(|f| f.name == *name).map(|f| f.length);
        if let Some((missing, role)) = self.roles()?.iter().find(|(name, _)| length_of(name).is_none()) {
            return Err(ManifestFault::Unknown {
                user: role.to_string(),
                used: format!("the file {missing}"),
            });
        }
        for reference in &self.references {
            let values = reference.shape.iter().try_fold(1u64, |n, side| n.checked_mul(*side));
            let fits = |n: &u64| (1..=MAX_REFERENCE).contains(n) && length_of(&reference.file) == Some(n * 4);
            if reference.shape.is_empty() || reference.shape.len() > 6 || !values.as_ref().is_some_and(fits) {
                return Err(ManifestFault::Shape(reference.id.clone()));
            }
        }
        Ok(())
    }

    fn check_provenance(&self) -> Result<(), ManifestFault> {
        let p = &self.provenance;
        for (what, value) in [
            ("the trainer's version", &p.trainer_version),
            ("the run's name", &p.run),
            ("the data set's name", &p.set_name),
            ("the weights' origin", &p.weight_origin),
        ] {
            text(what, value)?;
        }
        if p.nok > p.coils {
            return Err(ManifestFault::Provenance { coils: p.coils, nok: p.nok });
        }
        count("licences", p.licences.len(), 0, MAX_ITEMS)?;
        count("metrics", p.metrics.len(), 0, MAX_ITEMS)?;
        p.licences.iter().try_for_each(|licence| text("a licence", licence))?;
        for (name, metric) in &p.metrics {
            text("a metric's name", name)?;
            let rule = "it must be finite and lie in its interval";
            between(format!("the metric {name}"), metric.value, metric.low, metric.high, rule)?;
            if !(metric.low.is_finite() && metric.high.is_finite()) {
                return Err(ManifestFault::Number { what: name.clone(), value: metric.high, rule });
            }
        }
        Ok(())
    }
}

/// Whether one of `parts` has this output.
fn gives(parts: &[Part], id: &Id, output: &str) -> bool {
    parts.iter().any(|part| part.id == *id && part.outputs.iter().any(|name| name == output))
}

pub(super) fn count(
    what: &'static str,
    found: usize,
    least: usize,
    most: usize,
) -> Result<(), ManifestFault> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(ManifestFault::Count { what, found, least, most })
    }
}

pub(super) fn unique<'a>(
    what: &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), ManifestFault> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(ManifestFault::Twice { what, name: name.chars().take(80).collect() });
        }
    }
    Ok(())
}

pub(super) fn text(what: &'static str, text: &str) -> Result<(), ManifestFault> {
    if text.is_empty() || text.len() > MAX_TEXT || text.contains(char::is_control) {
        return Err(ManifestFault::Text { what });
    }
    Ok(())
}

pub(super) fn above_zero(what: String, value: f64) -> Result<(), ManifestFault> {
    let rule = "it must be above 0 and at most a million";
    if value > 0.0 {
        between(what, value, 0.0, 1e6, rule)
    } else {
        Err(ManifestFault::Number { what, value, rule })
    }
}

fn between(
    what: impl Into<String>,
    value: f64,
    low: f64,
    high: f64,
    rule: &'static str,
) -> Result<(), ManifestFault> {
    if value >= low && value <= high {
        Ok(())
    } else {
        Err(ManifestFault::Number { what: what.into(), value, rule })
    }
}

#[cfg(test)]
mod tests;
