//! The arithmetic of the layers on plain slices: no tensors, no graph.

pub mod axis;
pub mod backward;
pub mod conv;
pub mod depthwise;
pub mod direct;
pub mod gemm;
pub mod geometry;
pub mod lanes;
pub mod norm;
pub mod plan;
pub mod pool;
pub mod shared;
pub mod unfolded;
pub mod view;

/// Into how many pieces work is split, at most. Fixed, so that sums do not depend on the number of threads.
pub const PARTS: usize = 16;

/// Items per part when `items` are split into at most [`PARTS`] parts.
pub fn per_part(items: usize) -> usize {
    items.div_ceil(PARTS).max(1)
}
