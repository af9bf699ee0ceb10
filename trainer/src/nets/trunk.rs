//! The stages of a network before its head: what is frozen, and what is pooled on the way.

use super::block::{Block, Size};
use crate::export::folded::{GlobalPool, Sides};
use crate::nn::Pass;
use crate::nn::conv::ConvShape;
use crate::nn::pool::{global_avg, global_max};
use candle_core::{Result, Tensor, Var};

/// What is frozen, kept and pooled as one.
#[derive(Debug)]
pub struct Stage {
    /// What it is called in messages.
    pub name: String,
    /// In order.
    pub blocks: Vec<Block>,
}

impl Stage {
    /// Of one block.
    pub fn of(name: impl Into<String>, block: Block) -> Self {
        Self { name: name.into(), blocks: vec![block] }
    }

    fn halving_convs(&mut self) -> impl Iterator<Item = &mut ConvShape> {
        self.blocks.iter_mut().flat_map(Block::halving_convs)
    }

    fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        self.blocks.iter().try_fold(x.clone(), |x, block| block.forward(&x, pass))
    }
}

/// Lets the first `steps` convolutions that halve a map in both directions halve its height alone.
pub fn keep_width(stages: &mut [Stage], steps: usize) {
    for shape in stages.iter_mut().flat_map(Stage::halving_convs).take(steps) {
        shape.stride = (2, 1);
    }
}

/// Global pools of some stages' maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooled {
    /// Which stages' maps, in order.
    pub stages: Vec<usize>,
    /// How each is pooled, in order; empty where the head takes the last map whole.
    pub kinds: Vec<GlobalPool>,
}

/// The stages with their sizes.
#[derive(Debug)]
pub struct Trunk {
    /// In order.
    pub stages: Vec<Stage>,
    /// One image, or each side of the strip by itself with the same weights.
    pub sides: Sides,
    /// What of the maps reaches the head.
    pub pooled: Pooled,
    /// The size of the map before each stage, and after the last.
    sizes: Vec<Size>,
    frozen: usize,
}

/// A trunk's maps so far: at some stage, with what was pooled before it.
#[derive(Debug, Clone)]
pub struct Midway {
    /// `[batch, height, width, channels]`, twice the batch with shared sides; absent where nothing more is asked of it.
    map: Option<Tensor>,
    /// `[batch, features]` each.
    pooled: Vec<Tensor>,
}

impl Trunk {
    /// `image` is what one coil gives, both sides together. `None` if a stage would leave nothing of the map, by its name.
    pub fn new(
        stages: Vec<Stage>,
        sides: Sides,
        pooled: Pooled,
        image: Size,
    ) -> std::result::Result<Self, String> {
        let width = if sides == Sides::Shared { image[1] / 2 } else { image[1] };
        let mut sizes = vec![[image[0], width, image[2]]];
        for stage in &stages {
            let from = *sizes.last().unwrap_or(&image);
            let to = stage.blocks.iter().try_fold(from, |size, block| block.size(size));
            sizes.push(to.ok_or_else(|| stage.name.clone())?);
        }
        Ok(Self { stages, sides, pooled, sizes, frozen: 0 })
    }

    /// Freezes the first stages, batch norms with them.
    pub fn freeze(&mut self, stages: usize) {
        self.frozen = stages.min(self.stages.len());
        for block in self.stages[..self.frozen].iter_mut().flat_map(|stage| &mut stage.blocks) {
            block.freeze();
        }
    }

    /// Parameters and buffers of the frozen stages.
    pub fn frozen_vars(&self) -> Vec<&Var> {
        self.stages[..self.frozen].iter().flat_map(|stage| &stage.blocks).flat_map(Block::vars).collect()
    }

    /// How many stages are frozen.
    pub fn frozen(&self) -> usize {
        self.frozen
    }

    /// The size of the last map.
    pub fn last(&self) -> Size {
        self.sizes[self.stages.len()]
    }

    /// Values that reach the head.
    pub fn features(&self) -> usize {
        if self.pooled.kinds.is_empty() {
            return self.last().iter().product();
        }
        self.pooled.stages.iter().map(|stage| self.pooled_length(*stage)).sum()
    }

    /// The size of the last map, where the head takes it whole.
    pub fn flattened(&self) -> Option<Size> {
        self.pooled.kinds.is_empty().then(|| self.last())
    }

    /// Values pooled from one stage.
    pub(super) fn pooled_length(&self, stage: usize) -> usize {
        let rows = if self.sides == Sides::Shared { 2 } else { 1 };
        self.sizes[stage + 1][2] * rows * self.pooled.kinds.len()
    }

    /// Whether anything beyond the first `stages` stages reads their last map.
    fn is_read_after(&self, stages: usize) -> bool {
        stages < self.stages.len() || self.pooled.kinds.is_empty()
    }

    /// The first stages, which are frozen, of `[batch, height, width, channels]`.
    pub fn frozen_part(&self, image: &Tensor) -> Result<Midway> {
        let map = match self.sides {
            Sides::Image => image.clone(),
            Sides::Shared => {
                let half = image.dim(2)? / 2;
                Tensor::cat(&[image.narrow(2, 0, half)?, image.narrow(2, half, half)?], 0)?
            }
        };
        let start = Midway { map: Some(map), pooled: Vec::new() };
        let mut midway = self.run(start, 0..self.frozen, &Pass::Eval)?;
        if !self.is_read_after(self.frozen) {
            midway.map = None;
        }
        Ok(midway)
    }

    /// What is left of the stages; gives the features, `[batch, features]`.
    pub fn rest(&self, midway: Midway, pass: &Pass) -> Result<Tensor> {
        let end = self.run(midway, self.frozen..self.stages.len(), pass)?;
        match end.map {
            Some(map) if self.pooled.kinds.is_empty() => map.flatten_from(1),
            _ => Tensor::cat(&end.pooled, 1),
        }
    }

    fn run(&self, from: Midway, stages: std::ops::Range<usize>, pass: &Pass) -> Result<Midway> {
        let Midway { mut map, mut pooled } = from;
        for stage in stages {
            let Some(x) = &map else { candle_core::bail!("a map that nobody should read was left out") };
            let x = self.stages[stage].forward(x, pass)?;
            if self.pooled.stages.contains(&stage) {
                pooled.extend(self.pool(&x)?);
            }
            map = Some(x);
        }
        Ok(Midway { map, pooled })
    }

    fn pool(&self, map: &Tensor) -> Result<Vec<Tensor>> {
        let mut features = Vec::new();
        for kind in &self.pooled.kinds {
            let pooled = match kind {
                GlobalPool::Avg => global_avg(map)?,
                GlobalPool::Max => global_max(map)?,
            };
            if self.sides == Sides::Shared {
                let batch = pooled.dim(0)? / 2;
                let (a, b) = (pooled.narrow(0, 0, batch)?, pooled.narrow(0, batch, batch)?);
                features.extend([a.maximum(&b)?, ((a + b)? * 0.5)?]);
            } else {
                features.push(pooled);
            }
        }
        Ok(features)
    }

    /// Values of a coil between the frozen stages and the others: its map, if that is read, and what was pooled.
    pub fn kept_length(&self) -> usize {
        let pooled = self.pooled.stages.iter().filter(|stage| **stage < self.frozen);
        self.kept_map().iter().product::<usize>() + pooled.map(|s| self.pooled_length(*s)).sum::<usize>()
    }

    /// Rows (two with shared sides), height, width and channels of the map between; a zero if it is not read.
    fn kept_map(&self) -> [usize; 4] {
        let rows = if self.sides == Sides::Shared { 2 } else { 1 };
        let [height, width, channels] = self.sizes[self.frozen];
        [if self.is_read_after(self.frozen) { rows } else { 0 }, height, width, channels]
    }

    /// `[batch, kept_length]`.
    pub fn to_rows(&self, midway: &Midway) -> Result<Tensor> {
        let mut parts = Vec::new();
        if let Some(map) = &midway.map {
            // One coil's sides beside each other.
            let [rows, height, width, channels] = self.kept_map();
            let batch = map.dim(0)? / rows;
            let map = map.reshape((rows, batch, height * width * channels))?.transpose(0, 1)?;
            parts.push(map.reshape((batch, ()))?);
        }
        parts.extend(midway.pooled.iter().cloned());
        Tensor::cat(&parts, 1)?.contiguous()
    }

    /// The reverse of [`Trunk::to_rows`].
    pub fn from_rows(&self, kept: &Tensor) -> Result<Midway> {
        let batch = kept.dim(0)?;
        let [rows, height, width, channels] = self.kept_map();
        let length = rows * height * width * channels;
        let map = if length > 0 {
            let map = kept.narrow(1, 0, length)?.reshape((batch, rows, height * width * channels))?;
            Some(map.transpose(0, 1)?.reshape((rows * batch, height, width, channels))?)
        } else {
            None
        };
        let rest = kept.dim(1)? - length;
        let pooled = if rest > 0 { vec![kept.narrow(1, length, rest)?] } else { Vec::new() };
        Ok(Midway { map, pooled })
    }
}
