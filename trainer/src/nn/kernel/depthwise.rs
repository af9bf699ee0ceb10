//! Depthwise convolution: each channel has a filter of its own. Weights `[kh, kw, 1, channels]`.

use super::axis::{Axis, Sizes, Span};
use super::conv::{Gradients, OutputGradient, with_scratch};
use super::geometry::{Geometry, Pads};
use super::per_part;
use candle_core::Result;
use rayon::prelude::*;

/// Pixels that are finished before the next ones are begun: their rows stay in the first-level cache.
const STRIP: usize = 64;

/// A depthwise convolution's sizes; pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthwiseGeometry {
    pub batch: usize,
    pub size: (usize, usize),
    pub channels: usize,
    pub kernel: (usize, usize),
    pub stride: (usize, usize),
    pub pads: Pads,
    /// Height and width of the output map.
    pub out_size: (usize, usize),
}

impl DepthwiseGeometry {
    /// Checks that the shapes go together: `x` `[batch, h, w, channels]`, `w` `[kh, kw, 1, channels]`.
    pub fn new(x: &[usize], w: &[usize], stride: (usize, usize), pads: Pads) -> Result<Self> {
        let (&[batch, height, width, channels], &[kh, kw, 1, filters]) = (x, w) else {
            candle_core::bail!(
                "depthwise convolution takes a map of 4 axes and a weight [kh, kw, 1, channels], not {x:?} and {w:?}"
            );
        };
        if channels != filters {
            candle_core::bail!(
                "depthwise weight {w:?} is for {filters} channels, the map {x:?} has {channels}"
            );
        }
        let one = Geometry::new(&[batch, height, width, 1], &[kh, kw, 1, channels], stride, pads)?;
        let Geometry { batch, size, kernel, out_size, .. } = one;
        Ok(Self { batch, size, channels, kernel, stride, pads, out_size })
    }

    /// Pixels of one output map.
    pub fn pixels(&self) -> usize {
        self.out_size.0 * self.out_size.1
    }

    /// Values of one input image.
    pub fn image(&self) -> usize {
        self.size.0 * self.size.1 * self.channels
    }

    fn axes(&self, direction: fn(Sizes) -> Axis) -> (Axis, Axis) {
        let of = |input, output, kernel, stride, before| {
            direction(Sizes { input, output, kernel, stride, before })
        };
        (
            of(self.size.0, self.out_size.0, self.kernel.0, self.stride.0, self.pads.before.0),
            of(self.size.1, self.out_size.1, self.kernel.1, self.stride.1, self.pads.before.1),
        )
    }
}

/// Each computed pixel is a sum over the taps of its window; serves forward and, with turned weights, backward.
struct Gather<'a> {
    axes: &'a (Axis, Axis),
    channels: usize,
    weights: &'a [f32],
}

impl Gather<'_> {
    /// Values of one image that is read, and of one row of what is computed.
    fn sizes(&self) -> (usize, usize) {
        (self.axes.0.read * self.axes.1.read * self.channels, self.axes.1.spans.len() * self.channels)
    }

    /// Computes whole `rows`, counted over all images of `from`, the first being number `first`.
    fn rows(&self, first: usize, from: &[f32], rows: &mut [f32]) {
        let (image, row) = self.sizes();
        for (i, to) in rows.chunks_exact_mut(row).enumerate() {
            let (n, y) = ((first + i) / self.axes.0.spans.len(), (first + i) % self.axes.0.spans.len());
            let from = &from[n * image..(n + 1) * image];
            for (x, to) in to.chunks_exact_mut(self.channels).enumerate() {
                self.pixel(self.axes.0.spans[y], self.axes.1.spans[x], from, to);
            }
        }
    }

    fn pixel(&self, y: Span, x: Span, from: &[f32], to: &mut [f32]) {
        let c = self.channels;
        to.fill(0.0);
        for j in 0..y.count {
            for i in 0..x.count {
                let from = &from[((y.from + j) * self.axes.1.read + x.from + i) * c..][..c];
                let tap = (y.tap + j * self.axes.0.step) * self.axes.1.kernel + x.tap + i * self.axes.1.step;
                let weights = &self.weights[tap * c..][..c];
                for ((to, v), w) in to.iter_mut().zip(from).zip(weights) {
                    *to += v * w;
                }
            }
        }
    }
}

/// `y = x * w`. `visit` sees every finished tile (whole pixels) with the state of its part, while it is still in
/// the cache; the states come back in the order of the parts.
pub fn forward<S: Default + Send>(
    g: &DepthwiseGeometry,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    visit: impl Fn(&mut S, &mut [f32]) + Sync,
) -> Vec<S> {
    let axes = g.axes(Axis::forward);
    let gather = Gather { axes: &axes, channels: g.channels, weights: w };
    let (rows, row) = (per_part(g.batch * g.out_size.0), gather.sizes().1);
    let strip = STRIP.div_ceil(g.out_size.1);
    let parts = y.par_chunks_mut(rows * row).enumerate();
    parts
        .map(|(part, y)| {
            let mut state = S::default();
            for (i, y) in y.chunks_mut(strip * row).enumerate() {
                gather.rows(part * rows + i * strip, x, y);
                visit(&mut state, y);
            }
            state
        })
        .collect()
}

/// Gradients of the input and of the weights.
pub fn backward(
    g: &DepthwiseGeometry,
    x: &[f32],
    w: &[f32],
    gradient: &impl OutputGradient,
    want_dx: bool,
    want_dw: bool,
) -> Gradients {
    let images = per_part(g.batch);
    let turned: Vec<f32> = w.chunks_exact(g.channels).rev().flatten().copied().collect();
    let (forward_axes, backward_axes) = (g.axes(Axis::forward), g.axes(Axis::backward));
    let gather = Gather { axes: &backward_axes, channels: g.channels, weights: &turned };
    let mut dx = vec![0.0; if want_dx { x.len() } else { 0 }];
    let dx_parts: Vec<&mut [f32]> = if want_dx {
        dx.chunks_mut(images * g.image()).collect()
    } else {
        (0..g.batch).step_by(images).map(|_| [].as_mut_slice()).collect()
    };
    let partial: Vec<Vec<f32>> = x
        .par_chunks(images * g.image())
        .zip(dx_parts)
        .enumerate()
        .map(|(part, (x, dx))| {
            let first = part * images * g.pixels();
            let pixels = first..first + x.len() / g.image() * g.pixels();
            let mut work = |dy: &[f32]| {
                gather.rows(0, dy, dx);
                if want_dw { weight_gradient(g, &forward_axes, x, dy) } else { Vec::new() }
            };
            match gradient.stored() {
                Some(all) => work(&all[pixels.start * g.channels..pixels.end * g.channels]),
                None => with_scratch(pixels.len() * g.channels, |dy| {
                    gradient.fill(pixels, dy);
                    work(dy)
                }),
            }
        })
        .collect();
    let sum = |mut total: Vec<f32>, part: Vec<f32>| {
        total.iter_mut().zip(&part).for_each(|(t, p)| *t += p);
        total
    };
    Gradients { dx: want_dx.then_some(dx), dw: if want_dw { partial.into_iter().reduce(sum) } else { None } }
}

fn weight_gradient(g: &DepthwiseGeometry, axes: &(Axis, Axis), x: &[f32], dy: &[f32]) -> Vec<f32> {
    let c = g.channels;
    let mut dw = vec![0.0; g.kernel.0 * g.kernel.1 * c];
    for (x, dy) in x.chunks_exact(g.image()).zip(dy.chunks_exact(g.pixels() * c)) {
        for (p, dy) in dy.chunks_exact(c).enumerate() {
            let (v, h) = (axes.0.spans[p / g.out_size.1], axes.1.spans[p % g.out_size.1]);
            for j in 0..v.count {
                for i in 0..h.count {
                    let x = &x[((v.from + j) * g.size.1 + h.from + i) * c..][..c];
                    let dw = &mut dw[((v.tap + j) * g.kernel.1 + h.tap + i) * c..][..c];
                    for ((dw, x), dy) in dw.iter_mut().zip(x).zip(dy) {
                        *dw += x * dy;
                    }
                }
            }
        }
    }
    dw
}

#[cfg(test)]
#[path = "depthwise/tests.rs"]
mod tests;
