//! A verified library of surface classes at work: a grey picture in, the nearest known class out.

use super::engine::{Engine, EngineFault, Tensor};
use super::network::Network;
use crate::bundle::Verified;
use crate::bundle::manifest::{Content, SurfaceLibrary};
use crate::surface::{Recognised, SIDE, TURNS, plane, recognised};

/// A loaded library.
pub struct Surfaces {
    library: SurfaceLibrary,
    encoder: Box<dyn Engine>,
    references: Vec<f32>,
}

/// Why a library cannot be loaded or a picture not be recognised.
#[derive(Debug, thiserror::Error)]
pub enum SurfaceFault {
    /// Models or keys for coils.
    #[error("choose a bundle that brings a library of surfaces: this one brings none")]
    NotSurfaces,
    /// The manifest names what the bundle does not have; verification rules this out.
    #[error("verify the bundle again: its manifest names a file that is not there")]
    Missing,
    /// A network that the runtime cannot take, or that failed.
    #[error("build the library again: its encoder cannot be run")]
    Encoder(#[source] EngineFault),
    /// An encoder that gives something else than embeddings.
    #[error("build the library again: its encoder gives the shape {found:?} where [1, {wanted}] was stated")]
    Shape {
        /// Of the output.
        found: Vec<usize>,
        /// Values of an embedding.
        wanted: u64,
    },
    /// References that are no numbers.
    #[error("build the library again: its references hold values that are not finite")]
    Reference,
    /// A picture of another size.
    #[error("bring the picture to 200 x 200 grey pixels: it has {0} bytes")]
    Picture(usize),
    /// An embedding that is no number.
    #[error("have the picture looked at by a person: the encoder gave values that are not finite")]
    NotFinite,
}

impl Surfaces {
    /// Loads the encoder and the references of a bundle.
    pub fn open(bundle: &Verified) -> Result<Self, SurfaceFault> {
        let Content::Surfaces(library) = &bundle.manifest().content else {
            return Err(SurfaceFault::NotSurfaces);
        };
        let file = |name| bundle.file(name).ok_or(SurfaceFault::Missing);
        let references: Vec<f32> = file(&library.references)?
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        if !references.iter().all(|v| v.is_finite()) {
            return Err(SurfaceFault::Reference);
        }
        let inputs = [("image", vec![1, 3, SIDE, SIDE])];
        let outputs = [library.output.clone()];
        let encoder =
            Network::load(file(&library.encoder)?, &inputs, &outputs).map_err(SurfaceFault::Encoder)?;
        let found = encoder.shapes().concat();
        if found != [1, usize::try_from(library.embedding).unwrap_or(usize::MAX)] {
            return Err(SurfaceFault::Shape { found, wanted: library.embedding });
        }
        Ok(Self { library: (**library).clone(), encoder: Box::new(encoder), references })
    }

    /// What a grey picture `[200, 200]`, row-major, is.
    pub fn recognise(&mut self, pixels: &[u8]) -> Result<Recognised, SurfaceFault> {
        if pixels.len() != SIDE * SIDE {
            return Err(SurfaceFault::Picture(pixels.len()));
        }
        let ways = if self.library.turned_queries { TURNS } else { 1 };
        let length = self.library.embedding as usize;
        let mut mean = vec![0.0; length];
        for turn in 0..ways {
            let image = Tensor { shape: vec![1, 3, SIDE, SIDE], values: plane(pixels, turn).into() };
            let found = self.encoder.run(&[&image]).map_err(SurfaceFault::Encoder)?;
            let found = found.iter().flat_map(|tensor| tensor.values.iter());
            mean.iter_mut().zip(found).for_each(|(m, v)| *m += v / ways as f32);
        }
        if !mean.iter().all(|v| v.is_finite()) {
            return Err(SurfaceFault::NotFinite);
        }
        let mut rest = self.references.as_slice();
        let classes: Vec<_> = self
            .library
            .classes
            .iter()
            .map(|class| {
                let own;
                (own, rest) = rest.split_at(class.references as usize * length);
                (class.name.as_str(), own.chunks_exact(length))
            })
            .collect();
        Ok(recognised(self.library.measure, self.library.limit, mean, classes))
    }
}

impl std::fmt::Debug for Surfaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Surfaces({} classes)", self.library.classes.len())
    }
}

#[cfg(test)]
#[path = "surface/tests.rs"]
mod tests;
