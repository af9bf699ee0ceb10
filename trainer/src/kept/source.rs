//! Kept rows as items to train on. A row is what the frozen stages give for a coil, then its side vector.

use super::{AS_IT_IS, Store, StoreError, draw_of};
use crate::fit::{Sampler, Source};
use crate::nets::{Model, Network};
use crate::run::CoilSource;
use candle_core::{DType, Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Coils computed at a time.
const BATCH: usize = 64;

/// Coils behind a network's frozen stages: an item's "image" is what they give. Rows that are not kept are computed when
/// they are asked for, which is slow and right.
pub struct KeptSource<'a> {
    /// The coils.
    pub coils: CoilSource<'a>,
    /// Whose frozen stages.
    pub network: &'a Network,
    /// What is kept.
    pub store: &'a Store,
}

impl KeptSource<'_> {
    fn row(&self, item: usize, draw: u32) -> candle_core::Result<Vec<f32>> {
        let mut row = vec![0.0; row_length(self.network)];
        match self.store.read(self.coils.content(item), draw, &mut row) {
            Ok(true) => return Ok(row),
            Ok(false) => {}
            Err(error) => tracing::warn!("{error}"),
        }
        rows(self.network, &self.coils, &[(item, draw)])
    }
}

impl Source for KeptSource<'_> {
    fn len(&self) -> usize {
        self.coils.len()
    }

    fn label(&self, item: usize) -> usize {
        self.coils.label(item)
    }

    fn draw(
        &self,
        item: usize,
        _: usize,
        rng: &mut ChaCha8Rng,
        image: &mut [f32],
        side: &mut [f32],
    ) -> candle_core::Result<()> {
        let draw = self.coils.draws().map_or(AS_IT_IS, |draws| draws.choose(rng));
        let row = self.row(item, draw)?;
        image.copy_from_slice(&row[..image.len()]);
        side.copy_from_slice(&row[image.len()..]);
        Ok(())
    }
}

/// Values of a row: what the frozen stages give, and the side vector.
pub fn row_length(network: &Network) -> usize {
    network.kept_length() + network.input().side
}

/// Why rows could not be computed or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The frozen stages.
    #[error("the frozen stages failed")]
    Tensor(#[from] candle_core::Error),
}

/// The rows that training will ask for: of every item in every epoch, or of each item as it is.
pub fn needs(
    coils: &CoilSource,
    sampler: Option<&Sampler>,
    (seed, epochs): (u64, usize),
) -> Vec<(usize, u32)> {
    let Some((sampler, draws)) = sampler.zip(coils.draws()) else {
        return (0..coils.len()).map(|item| (item, AS_IT_IS)).collect();
    };
    let mut needed = BTreeSet::new();
    for epoch in 0..epochs {
        for (position, item) in sampler.epoch(epoch).concat().into_iter().enumerate() {
            needed.insert((item, draw_of(draws, seed, epoch, position, item)));
        }
    }
    needed.into_iter().collect()
}

/// Computes those of the needed rows that are not kept yet; `progress` is told how many are done of how many.
pub fn fill(
    store: &mut Store,
    network: &Network,
    coils: &CoilSource,
    needed: &[(usize, u32)],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), KeepError> {
    if needed.iter().all(|(item, draw)| store.has(coils.content(*item), *draw)) {
        return Ok(());
    }
    let mut store = store.writer()?;
    let mut missing: Vec<(usize, u32)> =
        needed.iter().copied().filter(|(item, draw)| !store.has(coils.content(*item), *draw)).collect();
    missing.truncate(store.room());
    let mut done = 0;
    for chunk in missing.chunks(BATCH) {
        let rows = rows(network, coils, chunk)?;
        let of: Vec<_> = chunk.iter().map(|(item, draw)| (*coils.content(*item), *draw)).collect();
        store.add(&of, &rows)?;
        done += chunk.len();
        progress(done, missing.len());
    }
    Ok(())
}

/// One row after the other.
fn rows(network: &Network, coils: &CoilSource, of: &[(usize, u32)]) -> candle_core::Result<Vec<f32>> {
    let input = network.input();
    let pixels = input.height * input.width * input.channels;
    let mut images = vec![0.0; of.len() * pixels];
    let mut sides = vec![vec![0.0; input.side]; of.len()];
    let each = of.par_iter().zip(images.par_chunks_exact_mut(pixels)).zip(&mut sides);
    each.for_each(|(((item, draw), image), side)| coils.prepare(*item, *draw, image, side));
    let shape = (of.len(), input.height, input.width, input.channels);
    let images = network.params().place().take(&Tensor::from_vec(images, shape, &Device::Cpu)?)?;
    let kept = network.keep(&images)?.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
    Ok(kept.into_iter().zip(sides).flat_map(|(kept, side)| kept.into_iter().chain(side)).collect())
}
