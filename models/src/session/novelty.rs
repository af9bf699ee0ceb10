//! How far a coil lies from the coils that a network was trained on: the Mahalanobis distance of its features along
//! the whitened directions that the bundle brings.

use super::{OpenFault, Session, Tensor};
use crate::bundle::{Id, manifest};

/// How unlike the coils trained on a coil is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Novelty {
    /// `|W (f - m)| / sqrt(R)`: about 1 for a coil like the others.
    pub distance: f64,
    /// Up to here it is like them.
    pub limit: f64,
}

impl Novelty {
    /// Whether a person should look at the coil for this alone.
    pub fn is_over(&self) -> bool {
        self.distance > self.limit
    }
}

/// [`manifest::Novelty`], resolved to indices.
pub(super) struct Measure {
    part: usize,
    output: usize,
    centre: usize,
    whitening: usize,
    limit: f64,
}

impl Measure {
    /// Finds what the manifest names; `references` are those of the session, in the manifest's order.
    pub(super) fn open(
        session: &Session,
        novelty: &manifest::Novelty,
        references: &[manifest::Reference],
    ) -> Result<Self, OpenFault> {
        let manifest::Novelty { part, output, centre, whitening, limit } = novelty;
        let missing = |what: String| OpenFault::Missing(what);
        let (part, at) =
            session.output(part, output).ok_or_else(|| missing(format!("part:{part}:{output}")))?;
        let reference = |id: &Id| {
            let found = references.iter().position(|r| r.id == *id);
            found.ok_or_else(|| missing(format!("reference:{id}")))
        };
        let measure = Self {
            part,
            output: at,
            centre: reference(centre)?,
            whitening: reference(whitening)?,
            limit: *limit,
        };
        let features = session.references[measure.centre].values.len();
        let shape = session.parts[part].engine.shapes()[at].clone();
        if shape != [1, features] {
            return Err(OpenFault::Features { part: session.parts[part].id.clone(), shape, features });
        }
        Ok(measure)
    }

    /// The distance of a coil whose parts gave `outputs`, summed in `f64`.
    pub(super) fn of(&self, references: &[Tensor], outputs: &[Vec<Tensor>]) -> Novelty {
        let features = &outputs[self.part][self.output].values;
        let centre = &references[self.centre].values;
        let whitening = &references[self.whitening].values;
        let off: Vec<f64> = features.iter().zip(centre).map(|(f, m)| f64::from(*f) - f64::from(*m)).collect();
        let along =
            |direction: &[f32]| -> f64 { direction.iter().zip(&off).map(|(w, d)| f64::from(*w) * d).sum() };
        let squares: f64 = whitening.chunks_exact(off.len()).map(|w| along(w).powi(2)).sum();
        let directions = whitening.len() / off.len();
        Novelty { distance: (squares / directions as f64).sqrt(), limit: self.limit }
    }
}
