//! Which items make up each step. Stateless: the batches of an epoch follow from the seed and the epoch alone, so a
//! resumed run needs no memory of earlier ones.

use super::{FitError, Source};
use crate::nn::seed::{Purpose, generator};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// How items are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SamplerConfig {
    /// Each item once before any comes again, in a new order each time.
    #[default]
    Shuffled,
    /// A fixed share of every batch is NOK; within each class, each item once before any comes again.
    Balanced {
        /// Share of NOK in a batch.
        nok_share: f64,
    },
}

/// Chooses the items of every step of every epoch.
#[derive(Debug)]
pub struct Sampler {
    seed: u64,
    /// Groups of items, each with its number per batch.
    groups: Vec<(Vec<usize>, usize)>,
    steps: usize,
}

impl Sampler {
    /// `epoch_items` is rounded up to whole batches; a batch larger than all items together shrinks to them.
    pub fn new(
        config: SamplerConfig,
        source: &dyn Source,
        batch: usize,
        epoch_items: Option<usize>,
        seed: u64,
    ) -> Result<Self, FitError> {
        let all: Vec<usize> = (0..source.len()).collect();
        let batch = batch.min(all.len()).max(1);
        let steps = epoch_items.unwrap_or(all.len()).div_ceil(batch);
        let groups = match config {
            SamplerConfig::Shuffled => vec![(all, batch)],
            SamplerConfig::Balanced { nok_share } => {
                let (nok, ok): (Vec<_>, Vec<_>) = all.into_iter().partition(|i| source.label(*i) == 1);
                if ok.is_empty() || nok.is_empty() {
                    return Err(FitError::OneClass { ok: ok.len(), nok: nok.len() });
                }
                let share = ((batch as f64 * nok_share).round() as usize).clamp(1, (batch - 1).max(1));
                vec![(nok, share), (ok, batch - share)]
            }
        };
        Ok(Self { seed, groups, steps })
    }

    /// Steps in an epoch.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The items of each step.
    pub fn epoch(&self, epoch: usize) -> Vec<Vec<usize>> {
        let mut batches = vec![Vec::new(); self.steps];
        for (group, (items, per_batch)) in self.groups.iter().enumerate() {
            // One endless stream per group: its n-th round through the items has an order of its own.
            let mut round = usize::MAX;
            let mut order = Vec::new();
            for (step, batch) in batches.iter_mut().enumerate() {
                for k in 0..*per_batch {
                    let position = (epoch * self.steps + step) * per_batch + k;
                    if position / items.len() != round {
                        round = position / items.len();
                        order.clone_from(items);
                        order.shuffle(&mut generator(self.seed, Purpose::Order, group as u64, round as u64));
                    }
                    batch.push(order[position % items.len()]);
                }
            }
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::source::tests::Labels;

    fn counts(sampler: &Sampler, epochs: std::ops::Range<usize>, n: usize) -> Vec<usize> {
        let mut counts = vec![0; n];
        epochs.flat_map(|e| sampler.epoch(e)).flatten().for_each(|i| counts[i] += 1);
        counts
    }

    #[test]
    fn shuffled_epochs_cover_every_item_evenly_and_differ() {
        let source = Labels(vec![0; 10]);
        let sampler = Sampler::new(SamplerConfig::Shuffled, &source, 5, None, 3).expect("sampler");
        assert_eq!(sampler.steps(), 2);
        assert_eq!(counts(&sampler, 0..1, 10), [1; 10]);
        assert_eq!(sampler.epoch(4), sampler.epoch(4));
        assert_ne!(sampler.epoch(0), sampler.epoch(1));
        let other = Sampler::new(SamplerConfig::Shuffled, &source, 5, None, 4).expect("sampler");
        assert_ne!(sampler.epoch(0), other.epoch(0));
        // Batches of 4 do not divide 10: full batches, and over two rounds still every item evenly.
        let sampler = Sampler::new(SamplerConfig::Shuffled, &source, 4, Some(20), 3).expect("sampler");
        assert!(sampler.epoch(0).iter().all(|b| b.len() == 4));
        assert_eq!(counts(&sampler, 0..1, 10), [2; 10]);
    }

    #[test]
    fn balanced_batches_have_their_share_and_use_each_class_evenly() {
        let source = Labels((0..12).map(|i| usize::from(i % 6 == 0)).collect());
        let config = SamplerConfig::Balanced { nok_share: 0.33 };
        let sampler = Sampler::new(config, &source, 6, Some(30), 1).expect("sampler");
        for batch in sampler.epoch(2) {
            assert_eq!((batch.len(), batch.iter().filter(|i| *i % 6 == 0).count()), (6, 2));
        }
        let counts = counts(&sampler, 0..1, 12);
        assert!(counts.iter().enumerate().all(|(i, c)| *c == if i % 6 == 0 { 5 } else { 2 }), "{counts:?}");
        let one = Sampler::new(config, &Labels(vec![0; 4]), 2, None, 1);
        assert!(matches!(one, Err(FitError::OneClass { ok: 4, nok: 0 })));
    }

    #[test]
    fn a_batch_larger_than_the_set_shrinks() {
        let sampler =
            Sampler::new(SamplerConfig::Shuffled, &Labels(vec![0, 1, 0]), 64, None, 1).expect("sampler");
        assert_eq!((sampler.steps(), counts(&sampler, 0..1, 3)), (1, vec![1; 3]));
    }
}
