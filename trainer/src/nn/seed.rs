//! One seed, many independent generators: each use has its own key, so no use disturbs another.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a generator is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// Dropout masks.
    Dropout = 2,
    /// The order of training items.
    Order = 3,
    /// Augmentation of one item.
    Draw = 4,
    /// First centres of references.
    References = 5,
    /// Augmentation that is the same for every fold.
    Kept = 6,
    /// Coils made of others.
    Made = 7,
}

/// The generator for `purpose`, distinguished by two more numbers (for instance epoch and item).
pub fn generator(seed: u64, purpose: Purpose, a: u64, b: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, a, b]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngCore;

    #[test]
    fn every_number_in_the_key_matters() {
        let first = |s, p, a, b| generator(s, p, a, b).next_u64();
        let base = first(1, Purpose::Draw, 2, 3);
        assert_eq!(base, first(1, Purpose::Draw, 2, 3));
        let others = [
            first(2, Purpose::Draw, 2, 3),
            first(1, Purpose::Order, 2, 3),
            first(1, Purpose::Draw, 3, 3),
            first(1, Purpose::Draw, 2, 2),
        ];
        assert!(others.iter().all(|v| *v != base));
    }
}
