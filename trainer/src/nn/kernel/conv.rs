//! Convolution forward and backward.
//!
//! Large maps are computed in parts of the batch, each from its input to its output while they are in the cache. Small maps
//! with many channels are computed in blocks of channels, so that weights are read once.

use super::backward::{Gradients, OutputGradient, Sizes, in_parts, with_scratch};
use super::direct::Images;
use super::direct::panels::{Panels, blocks};
use super::direct::plan::Plan;
use super::geometry::Geometry;
use super::shared::{Shared, vector};
use super::{PARTS, per_part, unfolded};
use rayon::prelude::*;

/// Values of finished output that a visitor sees at a time.
const VISIT: usize = 8 * 1024;
/// Values of input held at a time: 512 KiB, a quarter of a core's second-level cache.
const GROUP: usize = 128 * 1024;

/// Whether the batch is computed in parts rather than in blocks of channels.
fn by_parts(g: &Geometry) -> bool {
    per_part(g.batch) * g.pixels() >= 256 && g.taps() * g.output <= 16 * 1024
}

/// Images read at a time, each of so many values.
fn group(images: usize, values: usize) -> usize {
    (GROUP / values).clamp(1, images)
}

fn visit_tiles(y: &mut [f32], channels: usize, visit: impl FnMut(&mut [f32])) {
    y.chunks_mut(VISIT.div_ceil(channels) * channels).for_each(visit);
}

/// `y = x * w`. `visit` sees every finished tile (whole pixels) with the state of its part, while it is still in
/// the cache; the states come back in the order of the parts.
#[allow(unsafe_code)]
pub fn forward<S: Default + Send>(
    g: &Geometry,
    x: &[f32],
    w: &[f32],
    visit: impl Fn(&mut S, &mut [f32]) + Sync,
) -> (Vec<f32>, Vec<S>) {
    assert_eq!(x.len(), g.batch * g.image(), "input");
    // SAFETY: every pixel of every image is in one part, and belongs to one class of a plan.
    unsafe { vector(g.batch * g.pixels() * g.output, |y| forward_into(g, x, w, y, visit)) }
}

#[allow(unsafe_code)]
fn forward_into<S: Default + Send>(
    g: &Geometry,
    x: &[f32],
    w: &[f32],
    y: Shared,
    visit: impl Fn(&mut S, &mut [f32]) + Sync,
) -> Vec<S> {
    let images = per_part(g.batch);
    let parts: Vec<_> = x.chunks(images * g.image()).zip(y.parts(images * g.pixels() * g.output)).collect();
    if !g.direct {
        let part = |(x, y): (&[f32], Shared)| {
            let mut state = S::default();
            // SAFETY: parts do not overlap.
            unfolded::forward(g, x, w, unsafe { y.zeros() }, |tile| visit(&mut state, tile));
            state
        };
        return parts.into_par_iter().map(part).collect();
    }
    if by_parts(g) {
        let plan = g.plan(group(images, g.image()));
        let panels = Panels::forward(&plan, w);
        let part = |(x, y): (&[f32], Shared)| {
            let mut state = S::default();
            let group = (plan.images * g.image(), plan.images * g.pixels() * g.output);
            for (x, y) in x.chunks(group.0).zip(y.parts(group.1)) {
                // SAFETY: parts do not overlap, and all panels are all of the values.
                let y = unsafe {
                    Images::new(&plan, x).all(&panels, y);
                    y.written()
                };
                visit_tiles(y, g.output, |tile| visit(&mut state, tile));
            }
            state
        };
        return parts.into_par_iter().map(part).collect();
    }
    let plan = g.plan(chunk(g.batch, g.pixels(), g.output));
    in_blocks(&plan, &Panels::forward(&plan, w), x, y);
    let part = |(_, y): (&[f32], Shared)| {
        let mut state = S::default();
        // SAFETY: all blocks are all of the values, and parts do not overlap.
        visit_tiles(unsafe { y.written() }, g.output, |tile| visit(&mut state, tile));
        state
    };
    parts.into_par_iter().map(part).collect()
}

/// Images computed at a time in blocks of channels: enough work in each piece, and enough pieces for the threads.
fn chunk(batch: usize, pixels: usize, channels: usize) -> usize {
    let pieces = PARTS.div_ceil(blocks(channels).len());
    batch.div_ceil(pieces).max(128usize.div_ceil(pixels)).min(batch)
}

/// Computes `y` in blocks of channels and groups of images.
#[allow(unsafe_code)]
fn in_blocks(plan: &Plan, panels: &Panels, x: &[f32], y: Shared) {
    let (from, to) = (plan.images * plan.image.0, plan.images * plan.image.1 * plan.channels.1);
    let groups: Vec<(Images, Shared)> =
        x.chunks(from).zip(y.parts(to)).map(|(x, y)| (Images::new(plan, x), y)).collect();
    let pieces: Vec<_> = (0..panels.count()).flat_map(|p| groups.iter().map(move |g| (p, *g))).collect();
    pieces.into_par_iter().with_max_len(1).for_each(|(index, (images, y))| {
        // SAFETY: each pair of a panel and a group of images is computed once, and panels have channels of their own.
        unsafe { images.panel(panels, index, y) };
    });
}

/// Gradients of the input and of the weights.
pub fn backward(
    g: &Geometry,
    x: &[f32],
    w: &[f32],
    gradient: &impl OutputGradient,
    want_dx: bool,
    want_dw: bool,
) -> Gradients {
    assert_eq!(x.len(), g.batch * g.image(), "input");
    if g.direct && !by_parts(g) {
        let work = |dy: &[f32]| Gradients {
            dx: want_dx.then(|| input_gradient_in_blocks(g, w, dy)),
            dw: want_dw.then(|| weight_gradient_in_blocks(g, x, dy)),
        };
        return match gradient.stored() {
            Some(dy) => work(dy),
            None => with_scratch(g.batch * g.pixels() * g.output, |dy| {
                let images = per_part(g.batch);
                let part = images * g.pixels();
                dy.par_chunks_mut(part * g.output).enumerate().for_each(|(i, dy)| {
                    gradient.fill(i * part..i * part + dy.len() / g.output, dy);
                });
                work(dy)
            }),
        };
    }
    backward_in_parts(g, x, w, gradient, want_dx, want_dw)
}

#[allow(unsafe_code)]
fn input_gradient_in_blocks(g: &Geometry, w: &[f32], dy: &[f32]) -> Vec<f32> {
    let plan = g.transposed_plan(chunk(g.batch, g.size.0 * g.size.1, g.input));
    let panels = Panels::backward(&plan, w, g.kernel.0 * g.kernel.1);
    // SAFETY: every pixel of every image belongs to one class of a plan.
    unsafe { vector(g.batch * g.image(), |dx| in_blocks(&plan, &panels, dy, dx)).0 }
}

#[allow(unsafe_code)]
fn weight_gradient_in_blocks(g: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let plan = g.plan(g.batch);
    let images = Images::new(&plan, x);
    let mut dw = vec![0.0; g.taps() * g.output];
    let shared = Shared::new(&mut dw);
    let blocks = blocks(g.output);
    let parts = PARTS.div_ceil(blocks.len());
    let pieces: Vec<_> = blocks.iter().flat_map(|b| (0..parts).map(move |p| (b, p))).collect();
    pieces.into_par_iter().with_max_len(1).for_each(|(block, part)| {
        // SAFETY: each pair of channels and a part of the taps is computed once.
        unsafe { images.weight_gradient(dy, g.kernel, block, (part, parts), shared) };
    });
    dw
}

#[allow(unsafe_code)]
fn backward_in_parts(
    g: &Geometry,
    x: &[f32],
    w: &[f32],
    gradient: &impl OutputGradient,
    want_dx: bool,
    want_dw: bool,
) -> Gradients {
    let images = per_part(g.batch);
    let plan = (g.direct && want_dw).then(|| g.plan(group(images, g.image())));
    let back = (g.direct && want_dx).then(|| {
        let plan = g.transposed_plan(group(images, g.pixels() * g.output));
        let panels = Panels::backward(&plan, w, g.kernel.0 * g.kernel.1);
        (plan, panels)
    });
    let work = |x: &[f32], dy: &[f32], dx: Option<Shared>| {
        // SAFETY: parts of `dx` do not overlap.
        match (&back, dx) {
            (Some((plan, panels)), Some(dx)) => {
                let (from, to) = (plan.images * plan.image.0, plan.images * g.image());
                let groups = dy.chunks(from).zip(dx.parts(to));
                groups.for_each(|(dy, dx)| unsafe { Images::new(plan, dy).all(panels, dx) });
            }
            (None, Some(dx)) => unfolded::input_gradient(g, w, dy, unsafe { dx.zeros() }),
            _ => {}
        }
        match &plan {
            Some(plan) => weight_gradient(g, plan, x, dy),
            None if want_dw => unfolded::weight_gradient(g, x, dy),
            None => Vec::new(),
        }
    };
    let sizes = Sizes { batch: g.batch, image: g.image(), pixels: g.pixels(), output: g.output };
    // SAFETY: every pixel of every image belongs to one class of a plan.
    unsafe { in_parts(sizes, x, gradient, (want_dx, want_dw), work) }
}

#[allow(unsafe_code)]
fn weight_gradient(g: &Geometry, plan: &Plan, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let mut dw = vec![0.0; g.taps() * g.output];
    let shared = Shared::new(&mut dw);
    let group = plan.images * g.pixels() * g.output;
    for (x, dy) in x.chunks(plan.images * g.image()).zip(dy.chunks(group)) {
        let images = Images::new(plan, x);
        for block in blocks(g.output) {
            // SAFETY: `dw` belongs to this call alone.
            unsafe { images.weight_gradient(dy, g.kernel, &block, (0, 1), shared) };
        }
    }
    dw
}

/// Sum over pixels of a gradient `[pixels, channels]`: the gradient of a bias.
pub fn column_sums(values: &[f32], channels: usize) -> Vec<f32> {
    let partial: Vec<Vec<f32>> = values
        .par_chunks(per_part(values.len() / channels) * channels)
        .map(|part| {
            let mut sums = vec![0.0; channels];
            for row in part.chunks_exact(channels) {
                sums.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            }
            sums
        })
        .collect();
    let mut total = vec![0.0; channels];
    for part in &partial {
        total.iter_mut().zip(part).for_each(|(t, v)| *t += v);
    }
    total
}

#[cfg(test)]
#[path = "conv/tests.rs"]
mod tests;
