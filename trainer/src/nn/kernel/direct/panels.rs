//! Weights in the order in which the kernels read them: for each block of output channels one panel, a row of it for
//! each value of a window.

use super::plan::Plan;
use rayon::prelude::*;
use std::ops::Range;

/// Values per register.
pub const LANES: usize = 16;

/// Ranges of channels that up to three registers hold, so that as few lanes as possible stay empty.
pub fn blocks(channels: usize) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut from = 0;
    while from < channels {
        let left = channels - from;
        let take = if left <= 3 * LANES { left } else { 2 * LANES };
        blocks.push(from..from + take);
        from += take;
    }
    blocks
}

/// Panels, each aligned to a cache line.
pub struct Panels {
    values: Vec<f32>,
    offset: usize,
    places: Vec<(Range<usize>, usize)>,
    depth: usize,
}

impl Panels {
    /// Packs weights `[taps, in, out]`.
    pub fn forward(plan: &Plan, w: &[f32]) -> Self {
        let (input, output) = plan.channels;
        Self::pack(plan, |tap, block, panel| {
            let width = block.len().next_multiple_of(LANES);
            let w = &w[plan.taps[tap] * input * output..][..input * output];
            for (w, row) in w.chunks_exact(output).zip(panel.chunks_exact_mut(width)) {
                row[..block.len()].copy_from_slice(&w[block.clone()]);
            }
        })
    }

    /// Packs the transpose of weights `[taps, in, out]`, for a plan that reads `out` channels and counts taps in
    /// reverse. `taps` is the number of them in `w`.
    pub fn backward(plan: &Plan, w: &[f32], taps: usize) -> Self {
        let (output, input) = plan.channels;
        Self::pack(plan, |tap, block, panel| {
            let width = block.len().next_multiple_of(LANES);
            let w = &w[(taps - 1 - plan.taps[tap]) * input * output..][..input * output];
            let rows = &w[block.start * output..block.end * output];
            // Squares of 16 by 16, so that each cache line is fetched once.
            for (b, rows) in rows.chunks(LANES * output).enumerate() {
                for (o, panel) in panel.chunks_mut(LANES * width).enumerate() {
                    let from = o * LANES..((o + 1) * LANES).min(output);
                    for (i, row) in rows.chunks_exact(output).enumerate() {
                        let to = panel[b * LANES + i..].iter_mut().step_by(width);
                        to.zip(&row[from.clone()]).for_each(|(to, v)| *to = *v);
                    }
                }
            }
        })
    }

    /// `fill` writes one tap of one panel into zeros.
    fn pack(plan: &Plan, fill: impl Fn(usize, &Range<usize>, &mut [f32]) + Sync) -> Self {
        let (depth, inner) = (plan.depth(), plan.channels.0);
        let blocks = blocks(plan.channels.1);
        let width = |block: &Range<usize>| block.len().next_multiple_of(LANES);
        let total: usize = blocks.iter().map(|b| width(b) * depth).sum();
        let mut values = vec![0.0; total + LANES];
        let offset = values.as_ptr().align_offset(4 * LANES).min(LANES);
        let mut rest = &mut values[offset..];
        let (mut places, mut pieces, mut at) = (Vec::new(), Vec::new(), 0);
        for block in blocks {
            places.push((block.clone(), at));
            at += width(&block) * depth;
            for tap in 0..plan.taps.len() {
                let (piece, after) = rest.split_at_mut(width(&block) * inner);
                pieces.push((tap, block.clone(), piece));
                rest = after;
            }
        }
        if total > 16 * 1024 {
            pieces.into_par_iter().for_each(|(tap, block, piece)| fill(tap, &block, piece));
        } else {
            for (tap, block, piece) in pieces {
                fill(tap, &block, piece);
            }
        }
        Self { values, offset, places, depth }
    }

    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// The channels of a panel, and its values: rows as wide as whole registers.
    pub fn get(&self, index: usize) -> (Range<usize>, &[f32]) {
        let (block, at) = &self.places[index];
        let length = self.depth * block.len().next_multiple_of(LANES);
        (block.clone(), &self.values[self.offset + at..][..length])
    }
}
