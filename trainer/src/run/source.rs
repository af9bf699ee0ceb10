//! Coils as items to train on or to validate with.

use crate::data::augment::AugmentConfig;
use crate::data::augment::made::make;
use crate::data::coils::LabelledCoil;
use crate::fit::Source;
use crate::kept::{AS_IT_IS, Draws};
use coilsight_models::prepare::PrepareSpec;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// How coils are changed at every draw.
#[derive(Clone, Copy)]
pub struct Augmentation<'a> {
    /// In which ways.
    pub config: &'a AugmentConfig,
    /// K ways for each coil, the same in all folds; a new one at every draw when absent.
    pub draws: Option<Draws>,
    /// Seed of the coils that are made: the same for all members of a run.
    pub seed: u64,
}

/// Coils through the contract, changed at every draw if there is an augmentation; after them the NOK coils that it makes of them.
pub struct CoilSource<'a> {
    coils: Vec<Cow<'a, LabelledCoil>>,
    contents: Vec<[u8; 32]>,
    spec: &'a PrepareSpec,
    augmentation: Option<Augmentation<'a>>,
}

impl<'a> CoilSource<'a> {
    /// Over some coils.
    pub fn new(
        coils: Vec<&'a LabelledCoil>,
        spec: &'a PrepareSpec,
        augmentation: Option<Augmentation<'a>>,
    ) -> Self {
        let made = augmentation.map(|Augmentation { config, seed, .. }| make(&coils, config, seed));
        let made = made.into_iter().flatten().map(|made| Cow::Owned(made.coil));
        let coils: Vec<_> = coils.into_iter().map(Cow::Borrowed).chain(made).collect();
        let contents = coils.iter().map(|coil| content(coil)).collect();
        Self { coils, contents, spec, augmentation }
    }

    /// K, if every coil comes in K ways.
    pub fn draws(&self) -> Option<Draws> {
        self.augmentation.and_then(|augmentation| augmentation.draws)
    }

    /// SHA-256 of what an item's image and side vector follow from.
    pub fn content(&self, item: usize) -> &[u8; 32] {
        &self.contents[item]
    }

    /// Writes an item in one of its K ways, or as it is.
    pub fn prepare(&self, item: usize, draw: u32, image: &mut [f32], side: &mut [f32]) {
        let rng = self.draws().filter(|_| draw != AS_IT_IS);
        self.write(item, rng.map(|draws| draws.generator(&self.contents[item], draw)).as_mut(), image, side);
    }

    fn write(&self, item: usize, rng: Option<&mut ChaCha8Rng>, image: &mut [f32], side: &mut [f32]) {
        let coil = &self.coils[item];
        let prepared = match self.augmentation.zip(rng) {
            None => self.spec.prepare(&coil.matrix, coil.order.as_ref()),
            Some((augmentation, rng)) => {
                let drawn = augmentation.config.draw(&coil.matrix, coil.order, coil.nok, rng);
                self.spec.prepare(&drawn.matrix, drawn.order.as_ref())
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

impl Source for CoilSource<'_> {
    fn len(&self) -> usize {
        self.coils.len()
    }

    fn label(&self, item: usize) -> usize {
        usize::from(self.coils[item].nok)
    }

    fn draw(
        &self,
        item: usize,
        _: usize,
        rng: &mut ChaCha8Rng,
        image: &mut [f32],
        side: &mut [f32],
    ) -> candle_core::Result<()> {
        match self.draws() {
            Some(draws) => self.prepare(item, draws.choose(rng), image, side),
            None => self.write(item, Some(rng), image, side),
        }
        Ok(())
    }
}

/// SHA-256 of a coil's matrix, order and label: what its image, its augmentation and its side vector follow from.
pub fn content(coil: &LabelledCoil) -> [u8; 32] {
    let mut hash = Sha256::new();
    for plane in [coil.matrix.mean(), coil.matrix.std()] {
        for v in plane {
            hash.update(v.to_le_bytes());
        }
    }
    hash.update(format!("{:?} {}", coil.order, coil.nok));
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::coils::CoilSet;
    use crate::run::RunConfig;
    use crate::simulate::{self, Plan};

    #[test]
    fn made_coils_are_nok_items_after_those_they_were_made_of() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { count: 20, nok_share: 0.4, short: true, ..Plan::default() };
        simulate::coils(&plan, folder.path(), "simulated", &|_| ()).unwrap();
        let set = CoilSet::load(folder.path(), "simulated").unwrap();
        let coils: Vec<_> = set.coils.iter().collect();
        let run = RunConfig::parse(include_str!("../../configs/cnn.yaml")).unwrap();
        let spec = run.prepare.resolve(&[]).unwrap();
        let config = AugmentConfig { drawn_defects: 0.5, ..AugmentConfig::default() };
        let of = |seed| {
            CoilSource::new(coils.clone(), &spec, Some(Augmentation { config: &config, draws: None, seed }))
        };
        let source = of(1);
        assert!(source.len() > coils.len());
        for item in 0..source.len() {
            let nok = coils.get(item).is_none_or(|coil| coil.nok);
            assert_eq!(source.label(item), usize::from(nok), "item {item}");
        }
        // What is kept for a made coil belongs to that coil alone.
        let mut contents: Vec<_> = (0..source.len()).map(|item| *source.content(item)).collect();
        assert_eq!(contents, (0..source.len()).map(|item| *of(1).content(item)).collect::<Vec<_>>());
        contents.sort_unstable();
        contents.dedup();
        assert_eq!(contents.len(), source.len());
        assert_eq!(CoilSource::new(coils.clone(), &spec, None).len(), coils.len());
    }
}
