//! Where items come from, and how they become batches.

use crate::nets::Input;
use crate::nn::params::Place;
use crate::nn::seed::{Purpose, generator};
use candle_core::{Device, Result, Tensor};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Items to train on or to validate with. Augmentation, if any, happens in [`Source::draw`].
pub trait Source: Sync {
    /// Number of items.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Class of an item: 0 = OK, 1 = NOK.
    fn label(&self, item: usize) -> usize;

    /// Writes an item's image (height, width, channels) and side vector, of the sizes that the network was built for. All
    /// randomness comes from `rng`, which is fresh for every draw.
    ///
    /// # Errors
    /// What the item is computed from failed.
    fn draw(
        &self,
        item: usize,
        epoch: usize,
        rng: &mut ChaCha8Rng,
        image: &mut [f32],
        side: &mut [f32],
    ) -> Result<()>;
}

/// The generator of an item that stands at `position` of an epoch.
pub fn item_generator(seed: u64, epoch: usize, position: usize, item: usize) -> ChaCha8Rng {
    generator(seed, Purpose::Draw, epoch as u64, (position as u64) << 32 | item as u64)
}

/// Some items as tensors.
#[derive(Debug)]
pub struct Batch {
    /// `[batch, height, width, channels]`.
    pub image: Tensor,
    /// `[batch, side]`; `[batch, 1]` of zeros when there is no side vector.
    pub side: Tensor,
    /// Class of each item.
    pub labels: Vec<usize>,
}

impl Batch {
    /// Draws items in parallel. `first` is the position of the first of them in the epoch: an item that comes twice in an
    /// epoch is drawn with two generators.
    pub fn draw(
        source: &dyn Source,
        items: &[usize],
        input: Input,
        (seed, epoch, first): (u64, usize, usize),
    ) -> Result<Self> {
        let n = items.len();
        let mut image = vec![0.0; n * input.height * input.width * input.channels];
        let mut side = vec![0.0; n * input.side.max(1)];
        let images = image.par_chunks_mut(input.height * input.width * input.channels);
        let sides = side.par_chunks_mut(input.side.max(1));
        items.par_iter().zip(images.zip(sides)).enumerate().try_for_each(|(k, (&item, (image, side)))| {
            let mut rng = item_generator(seed, epoch, first + k, item);
            source.draw(item, epoch, &mut rng, image, &mut side[..input.side])
        })?;
        let labels = items.iter().map(|i| source.label(*i)).collect();
        let image = Tensor::from_vec(image, (n, input.height, input.width, input.channels), &Device::Cpu)?;
        Ok(Self { image, side: Tensor::from_vec(side, (n, input.side.max(1)), &Device::Cpu)?, labels })
    }

    /// The same where a network lives.
    pub fn at(self, place: &Place) -> Result<Self> {
        Ok(Self { image: place.take(&self.image)?, side: place.take(&self.side)?, ..self })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rand::Rng;

    /// Items that are nothing but labels; draws write random numbers.
    pub struct Labels(pub Vec<usize>);

    impl Source for Labels {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn label(&self, item: usize) -> usize {
            self.0[item]
        }
        fn draw(
            &self,
            item: usize,
            _: usize,
            rng: &mut ChaCha8Rng,
            image: &mut [f32],
            side: &mut [f32],
        ) -> Result<()> {
            image.fill(rng.random());
            side.fill(item as f32);
            Ok(())
        }
    }

    #[test]
    fn draws_depend_on_seed_epoch_position_and_item_alone() {
        let input = Input { height: 2, width: 1, channels: 1, side: 2 };
        let draw = |key, items: &[usize]| {
            let batch = Batch::draw(&Labels(vec![0, 1, 1]), items, input, key).expect("batch");
            let image = batch.image.flatten_from(1).and_then(|t| t.to_vec2::<f32>()).expect("image");
            (image, batch.side.to_vec2::<f32>().expect("side"), batch.labels)
        };
        let (image, side, labels) = draw((1, 2, 0), &[2, 0, 2]);
        assert_eq!((side, labels), (vec![vec![2.0; 2], vec![0.0; 2], vec![2.0; 2]], vec![1, 0, 1]));
        assert_eq!(image[0][0], image[0][1]);
        assert_ne!(image[0], image[2], "the same item twice in a batch");
        assert_eq!(draw((1, 2, 1), &[0]).0[0], image[1]);
        for key in [(2, 2, 1), (1, 3, 1), (1, 2, 2)] {
            assert_ne!(draw(key, &[0]).0[0], image[1]);
        }
    }
}
