//! Stratified folds: each has its share of NOK coils (paper, section 3.1).

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The fold (0..k) of each item; NOK and OK items are dealt out separately after a seeded shuffle.
pub fn stratified(nok: &[bool], k: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut fold = vec![0; nok.len()];
    let mut dealt = 0;
    for class in [true, false] {
        let mut items: Vec<usize> = (0..nok.len()).filter(|i| nok[*i] == class).collect();
        items.shuffle(&mut rng);
        for item in items {
            fold[item] = dealt % k.max(1);
            dealt += 1;
        }
    }
    fold
}

/// Items that make up a share of NOK and of OK items each, in order; a smaller share is part of a larger one. At least one of
/// each class that is there.
pub fn portion(nok: &[bool], share: f64, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut kept = Vec::new();
    for class in [true, false] {
        let mut items: Vec<usize> = (0..nok.len()).filter(|i| nok[*i] == class).collect();
        items.shuffle(&mut rng);
        let count = (share * items.len() as f64).round() as usize;
        kept.extend(items.into_iter().take(count.max(1)));
    }
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_fold_has_its_share(nok in prop::collection::vec(any::<bool>(), 0..300), k in 1usize..8, seed: u64) {
            let folds = stratified(&nok, k, seed);
            prop_assert_eq!(&folds, &stratified(&nok, k, seed));
            for class in [true, false] {
                let counts: Vec<usize> = (0..k)
                    .map(|f| folds.iter().zip(&nok).filter(|(g, n)| **g == f && **n == class).count())
                    .collect();
                prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
            }
        }
    }

    #[test]
    fn a_portion_has_its_share_of_both_and_lies_in_a_larger_one() {
        let nok: Vec<bool> = (0..200).map(|i| i % 20 == 0).collect();
        assert_eq!(portion(&nok, 1.0, 1), (0..200).collect::<Vec<_>>());
        let (half, tenth) = (portion(&nok, 0.5, 1), portion(&nok, 0.1, 1));
        let count = |of: &[usize]| (of.len(), of.iter().filter(|i| nok[**i]).count());
        assert_eq!((count(&half), count(&tenth)), ((100, 5), (20, 1)));
        assert!(tenth.iter().all(|i| half.contains(i)));
        assert_ne!(half, portion(&nok, 0.5, 2));
    }

    #[test]
    fn another_seed_deals_otherwise() {
        let nok: Vec<bool> = (0..200).map(|i| i % 20 == 0).collect();
        assert_ne!(stratified(&nok, 5, 1), stratified(&nok, 5, 2));
    }
}
