//! Coils as items to train on or to validate with.

use crate::data::augment::AugmentConfig;
use crate::data::coils::LabelledCoil;
use crate::fit::Source;
use coilsight_models::prepare::PrepareSpec;
use rand_chacha::ChaCha8Rng;

/// Coils through the contract, changed at every draw if `augment` says so.
pub struct CoilSource<'a> {
    coils: Vec<&'a LabelledCoil>,
    spec: &'a PrepareSpec,
    augment: Option<&'a AugmentConfig>,
}

impl<'a> CoilSource<'a> {
    /// Over some coils.
    pub fn new(
        coils: Vec<&'a LabelledCoil>,
        spec: &'a PrepareSpec,
        augment: Option<&'a AugmentConfig>,
    ) -> Self {
        Self { coils, spec, augment }
    }
}

impl Source for CoilSource<'_> {
    fn len(&self) -> usize {
        self.coils.len()
    }

    fn label(&self, item: usize) -> usize {
        usize::from(self.coils[item].nok)
    }

    fn draw(&self, item: usize, _: usize, rng: &mut ChaCha8Rng, image: &mut [f32], side: &mut [f32]) {
        let coil = self.coils[item];
        let prepared = match self.augment {
            None => self.spec.prepare(&coil.matrix, coil.order.as_ref()),
            Some(augment) => {
                let (matrix, order) = augment.draw(&coil.matrix, coil.order, coil.nok, rng);
                self.spec.prepare(&matrix, order.as_ref())
            }
        };
        // Channels first in the contract and in ONNX, channels last in the trainer.
        let [channels, height, width] = self.spec.image_shape();
        for (c, plane) in prepared.image.chunks_exact(height * width).enumerate() {
            for (pixel, value) in plane.iter().enumerate() {
                image[pixel * channels + c] = *value;
            }
        }
        side.copy_from_slice(&prepared.side);
    }
}
