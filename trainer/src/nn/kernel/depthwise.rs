//! Depthwise convolution: each channel has a filter of its own. Weights `[kh, kw, 1, channels]`.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;

use super::axis::{Axis, Sizes, Span};
use super::backward::{self, Gradients, OutputGradient, in_parts};
use super::direct;
use super::geometry::{Geometry, Pads};
use super::per_part;
use super::shared::{Shared, vector};
use candle_core::Result;
use rayon::prelude::*;
use std::ops::Range;

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

/// How windows of step 1 slide along a row: a column that is read lies under neighbouring pixels' taps.
struct Columns {
    /// The taps that any pixel uses.
    taps: Range<usize>,
    /// The pixel that column i is the last to add to is number `i - ahead`.
    ahead: usize,
}

impl Columns {
    /// None if windows do not slide by one, or if some pixels read nothing.
    fn of(axis: &Axis) -> Option<Self> {
        let first = axis.spans.iter().map(|s| s.tap).min()?;
        let end = axis.spans.iter().map(|s| s.tap + s.count).max()?;
        let sliding = |(o, s): (usize, &Span)| {
            s.count > 0 && s.from + axis.spans[0].tap == s.tap + o + axis.spans[0].from
        };
        let all = axis.step == 1 && axis.spans.iter().enumerate().all(sliding);
        let ahead = (axis.spans[0].from + end - 1).checked_sub(axis.spans[0].tap)?;
        (all && ahead < end - first).then_some(Self { taps: first..end, ahead })
    }
}

/// Each computed pixel is a sum over the taps of its window; serves forward and, with turned weights, backward.
struct Gather<'a> {
    axes: &'a (Axis, Axis),
    channels: usize,
    weights: &'a [f32],
    columns: Option<Columns>,
}

impl<'a> Gather<'a> {
    fn new(axes: &'a (Axis, Axis), channels: usize, weights: &'a [f32]) -> Self {
        assert_eq!(weights.len(), axes.0.kernel * axes.1.kernel * channels, "weights");
        Self { axes, channels, weights, columns: Columns::of(&axes.1) }
    }

    /// Values of one image that is read, and of one row of what is computed.
    fn sizes(&self) -> (usize, usize) {
        (self.axes.0.read * self.axes.1.read * self.channels, self.axes.1.spans.len() * self.channels)
    }

    /// Computes whole `rows`, counted over all images of `from`, the first being number `first`.
    ///
    /// # Safety
    /// Meanwhile nobody else uses `rows`.
    #[allow(unsafe_code)]
    unsafe fn rows(&self, first: usize, from: &[f32], rows: Shared) {
        let ((image, row), height) = (self.sizes(), self.axes.0.spans.len());
        let (mut at, end) = (first, first + rows.len() / row);
        while at < end {
            let (n, y) = (at / height, at % height);
            let count = (height - y).min(end - at);
            let now = rows.part((at - first) * row..(at - first + count) * row);
            // SAFETY: the caller's promise.
            unsafe { self.of_image(y..y + count, &from[n * image..(n + 1) * image], now) };
            at += count;
        }
    }

    /// Rows `y` of one image.
    ///
    /// # Safety
    /// Meanwhile nobody else uses `to`.
    #[allow(unsafe_code)]
    unsafe fn of_image(&self, y: Range<usize>, from: &[f32], to: Shared) {
        let (image, row) = self.sizes();
        assert!(from.len() == image && to.len() == y.len() * row, "a whole image, and whole rows");
        #[cfg(target_arch = "x86_64")]
        if direct::available() {
            // SAFETY: the processor has AVX-512, sizes are as the axes say, and the caller answers for the rest.
            return unsafe { avx512::gather(self, y, from, to.pointer()) };
        }
        // SAFETY: the caller's promise.
        self.plain(y, from, unsafe { to.zeros() });
    }

    /// For any processor.
    fn plain(&self, y: Range<usize>, from: &[f32], to: &mut [f32]) {
        let pixels =
            self.axes.0.spans[y].iter().flat_map(|v| self.axes.1.spans.iter().map(move |h| (*v, *h)));
        for ((v, h), to) in pixels.zip(to.chunks_exact_mut(self.channels)) {
            self.pixel(v, h, from, to);
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

/// Each tap's gradient is a sum over pixels.
struct Sums<'a> {
    axes: &'a (Axis, Axis),
    channels: usize,
    columns: Option<Columns>,
}

impl Sums<'_> {
    /// Adds what one image gives.
    #[allow(unsafe_code)]
    fn add(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let (c, (v, h)) = (self.channels, self.axes);
        assert!(
            x.len() == v.read * h.read * c && dy.len() == v.spans.len() * h.spans.len() * c,
            "whole images"
        );
        assert_eq!(dw.len(), v.kernel * h.kernel * c, "weights");
        #[cfg(target_arch = "x86_64")]
        if direct::available() {
            // SAFETY: the processor has AVX-512, and sizes are as the axes say.
            return unsafe { avx512::weight_gradient(self, x, dy, dw) };
        }
        self.plain(x, dy, dw);
    }

    /// For any processor.
    fn plain(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let (c, axes) = (self.channels, self.axes);
        for (p, dy) in dy.chunks_exact(c).enumerate() {
            let (v, h) = (axes.0.spans[p / axes.1.spans.len()], axes.1.spans[p % axes.1.spans.len()]);
            for j in 0..v.count {
                for i in 0..h.count {
                    let x = &x[((v.from + j) * axes.1.read + h.from + i) * c..][..c];
                    let dw = &mut dw[((v.tap + j) * axes.1.kernel + h.tap + i) * c..][..c];
                    for ((dw, x), dy) in dw.iter_mut().zip(x).zip(dy) {
                        *dw += x * dy;
                    }
                }
            }
        }
    }
}

/// `y = x * w`. `visit` sees every finished tile (whole pixels) with the state of its part, while it is still in
/// the cache; the states come back in the order of the parts.
#[allow(unsafe_code)]
pub fn forward<S: Default + Send>(
    g: &DepthwiseGeometry,
    x: &[f32],
    w: &[f32],
    visit: impl Fn(&mut S, &mut [f32]) + Sync,
) -> (Vec<f32>, Vec<S>) {
    assert_eq!(x.len(), g.batch * g.image(), "input");
    let axes = g.axes(Axis::forward);
    let gather = Gather::new(&axes, g.channels, w);
    let (rows, row) = (per_part(g.batch * g.out_size.0), gather.sizes().1);
    let strip = STRIP.div_ceil(g.out_size.1);
    let part = |(part, y): (usize, Shared)| {
        let mut state = S::default();
        for (i, y) in y.parts(strip * row).enumerate() {
            // SAFETY: parts do not overlap, and `rows` writes all of them.
            let y = unsafe {
                gather.rows(part * rows + i * strip, x, y);
                y.written()
            };
            visit(&mut state, y);
        }
        state
    };
    let all = |y: Shared| {
        let parts: Vec<Shared> = y.parts(rows * row).collect();
        parts.into_par_iter().enumerate().map(part).collect()
    };
    // SAFETY: every row is in one part.
    unsafe { vector(g.batch * g.pixels() * g.channels, all) }
}

/// Gradients of the input and of the weights.
#[allow(unsafe_code)]
pub fn backward(
    g: &DepthwiseGeometry,
    x: &[f32],
    w: &[f32],
    gradient: &impl OutputGradient,
    want_dx: bool,
    want_dw: bool,
) -> Gradients {
    assert_eq!(x.len(), g.batch * g.image(), "input");
    let turned: Vec<f32> = w.chunks_exact(g.channels).rev().flatten().copied().collect();
    let (forward_axes, backward_axes) = (g.axes(Axis::forward), g.axes(Axis::backward));
    let gather = Gather::new(&backward_axes, g.channels, &turned);
    let sums = Sums { axes: &forward_axes, channels: g.channels, columns: Columns::of(&forward_axes.1) };
    let work = |x: &[f32], dy: &[f32], dx: Option<Shared>| {
        if let Some(dx) = dx {
            // SAFETY: parts of `dx` do not overlap.
            unsafe { gather.rows(0, dy, dx) };
        }
        let mut dw = vec![0.0; if want_dw { w.len() } else { 0 }];
        if want_dw {
            let images = x.chunks_exact(g.image()).zip(dy.chunks_exact(g.pixels() * g.channels));
            images.for_each(|(x, dy)| sums.add(x, dy, &mut dw));
        }
        dw
    };
    let sizes = backward::Sizes { batch: g.batch, image: g.image(), pixels: g.pixels(), output: g.channels };
    // SAFETY: all rows of an image are written.
    unsafe { in_parts(sizes, x, gradient, (want_dx, want_dw), work) }
}

#[cfg(test)]
#[path = "depthwise/tests.rs"]
mod tests;
