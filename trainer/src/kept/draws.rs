//! Which of its K augmentations a coil comes in.

use crate::fit::item_generator;
use crate::nn::seed::{Purpose, generator};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The draw of a coil that is not augmented.
pub const AS_IT_IS: u32 = u32::MAX;

/// K augmentations of every coil, the same for all folds and members of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// K.
    pub count: u32,
    /// The run's seed.
    pub seed: u64,
}

impl Draws {
    /// The generator of one of them for a coil of this content.
    pub fn generator(&self, content: &[u8; 32], draw: u32) -> ChaCha8Rng {
        let mut hash = Sha256::new();
        hash.update(content);
        hash.update(draw.to_le_bytes());
        let digest = hash.finalize();
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| digest[at + i]));
        generator(self.seed, Purpose::Kept, word(0), word(8))
    }

    /// Which one is drawn, from the generator of the item in its place in the epoch.
    pub fn choose(&self, rng: &mut ChaCha8Rng) -> u32 {
        rng.random_range(0..self.count.max(1))
    }
}

/// Which one an item gets that stands at `position` of an epoch.
pub fn draw_of(draws: Draws, seed: u64, epoch: usize, position: usize, item: usize) -> u32 {
    draws.choose(&mut item_generator(seed, epoch, position, item))
}
