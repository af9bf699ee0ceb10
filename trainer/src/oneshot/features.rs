//! Features of all pictures in all eight ways that they can lie, computed once and kept in a file.

use super::encoder::Encoder;
use super::error::OneShotError;
use super::pictures::Pictures;
use super::turns::TURNS;
use crate::export::folded::GlobalPool;
use crate::run::hex;
use anyhow::{Context, ensure};
use candle_core::{Device, Tensor, safetensors};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// The stages of EfficientNet-Lite that are kept: from the second group to the last; what comes before knows edges, what comes
/// after knows things of everyday pictures.
pub const STAGES: [usize; 6] = [2, 3, 4, 5, 6, 7];
/// Pools of each.
pub const KINDS: [GlobalPool; 2] = [GlobalPool::Avg, GlobalPool::Max];

/// Features `[picture][turn][column]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Class of each picture.
    pub labels: Vec<usize>,
    /// Columns of each stage and pool, in order.
    pub blocks: Vec<Block>,
    width: usize,
    values: Vec<f32>,
}

/// Some columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Of which stage.
    pub stage: usize,
    /// How its maps were pooled.
    pub kind: GlobalPool,
    /// The first column.
    pub from: usize,
    /// How many.
    pub width: usize,
}

impl Features {
    /// Of pictures by an encoder of [`STAGES`] and [`KINDS`], from `folder` if they are kept there; `progress` hears of the
    /// pictures that are done.
    pub fn of(
        encoder: &Encoder,
        pictures: &Pictures,
        folder: &Path,
        progress: impl FnMut(usize),
    ) -> anyhow::Result<Self> {
        let mut hash = Sha256::new();
        hash.update(pictures.digest());
        hash.update(encoder.network.trunk_hash()?);
        let digest = hash.finalize();
        let name = hex(&digest[..8]);
        let file = folder.join(format!("features-{name}.safetensors"));
        let values = if file.exists() {
            let damaged = || format!("{} cannot be read: delete it", file.display());
            let tensor = safetensors::load(&file, &Device::Cpu).with_context(damaged)?.remove("features");
            let rows = tensor.with_context(damaged)?.to_vec2::<f32>().with_context(damaged)?;
            ensure!(rows.len() == pictures.all.len() * TURNS, damaged());
            rows
        } else {
            let rows = encoder.features_of_all(pictures, progress)?;
            let width = rows.first().map_or(0, Vec::len);
            let tensor = Tensor::from_vec(rows.concat(), (rows.len(), width), &Device::Cpu)?;
            let beside = file.with_extension("part");
            safetensors::save(&HashMap::from([("features", tensor)]), &beside)?;
            std::fs::rename(&beside, &file).with_context(|| format!("cannot write {}", file.display()))?;
            rows
        };
        let widths = encoder.widths();
        Ok(Self::new(pictures.labels(), &values, &widths)?)
    }

    /// Of rows `picture * TURNS + turn`; each stage's values are as many as `widths` says for each of [`KINDS`].
    pub fn new(
        labels: Vec<usize>,
        rows: &[Vec<f32>],
        widths: &[(usize, usize)],
    ) -> Result<Self, OneShotError> {
        let (mut blocks, mut from) = (Vec::new(), 0);
        for (stage, width) in widths {
            for kind in KINDS {
                blocks.push(Block { stage: *stage, kind, from, width: *width });
                from += width;
            }
        }
        if rows.len() != labels.len() * TURNS || rows.iter().any(|row| row.len() != from) {
            let why = format!("{} rows for {} pictures, {from} columns", rows.len(), labels.len());
            return Err(OneShotError::Numbers { what: "features", why });
        }
        Ok(Self { labels, blocks, width: from, values: rows.concat() })
    }

    /// The columns of some stages and pools.
    pub fn columns(&self, stages: &[usize], kinds: &[GlobalPool]) -> Vec<usize> {
        let wanted = |b: &&Block| stages.contains(&b.stage) && kinds.contains(&b.kind);
        self.blocks.iter().filter(wanted).flat_map(|b| b.from..b.from + b.width).collect()
    }

    /// A picture in one way.
    pub fn row(&self, picture: usize, turn: usize, columns: &[usize]) -> Vec<f32> {
        let start = (picture * TURNS + turn) * self.width;
        columns.iter().map(|c| self.values[start + c]).collect()
    }

    /// The mean over all ways.
    pub fn mean(&self, picture: usize, columns: &[usize]) -> Vec<f32> {
        let start = picture * TURNS * self.width;
        let sum = |c: &usize| (0..TURNS).map(|turn| self.values[start + turn * self.width + c]).sum::<f32>();
        columns.iter().map(|c| sum(c) / TURNS as f32).collect()
    }
}

#[cfg(test)]
impl Features {
    /// Replaces the features of some classes by one and the same value.
    pub fn scramble(&mut self, classes: &[usize]) {
        for (label, rows) in self.labels.iter().zip(self.values.chunks_exact_mut(TURNS * self.width)) {
            if classes.contains(label) {
                rows.fill(0.5);
            }
        }
    }
}
