//! Convolution as a matrix product of unfolded tiles that stay in the cache: for processors without AVX-512.

use super::backward::with_scratch;
use super::gemm::{Matrix, product};
use super::geometry::Geometry;
use std::ops::Range;

/// Values of an unfolded tile: 256 KiB, half of what a small core's second-level cache holds.
const TILE: usize = 64 * 1024;

/// Visits the output pixels of `images` images tile by tile with their unfolded rows.
fn tiles(g: &Geometry, images: usize, x: &[f32], mut visit: impl FnMut(Range<usize>, &[f32])) {
    let (pixels, taps) = (images * g.pixels(), g.taps());
    let rows = (TILE / taps).clamp(64, pixels.max(64));
    with_scratch(if g.is_pointwise() { 0 } else { rows * taps }, |columns| {
        for start in (0..pixels).step_by(rows) {
            let tile = start..(start + rows).min(pixels);
            if g.is_pointwise() {
                visit(tile.clone(), &x[tile.start * taps..tile.end * taps]);
            } else {
                let unfolded = &mut columns[..tile.len() * taps];
                g.unfold(x, tile.clone(), unfolded);
                visit(tile, unfolded);
            }
        }
    });
}

/// Convolution of some images on the current thread; `visit` may look at or change each finished tile.
pub fn forward(g: &Geometry, x: &[f32], w: &[f32], y: &mut [f32], mut visit: impl FnMut(&mut [f32])) {
    let (taps, out) = (g.taps(), g.output);
    tiles(g, x.len() / g.image(), x, |tile, columns| {
        let y = &mut y[tile.start * out..tile.end * out];
        product(Matrix::new(columns, tile.len(), taps), Matrix::new(w, taps, out), y, false);
        visit(y);
    });
}

/// The weights' gradient from some images.
pub fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (taps, out) = (g.taps(), g.output);
    let mut dw = vec![0.0; taps * out];
    tiles(g, x.len() / g.image(), x, |tile, columns| {
        let dy = Matrix::new(&dy[tile.start * out..], tile.len(), out);
        product(Matrix::new(columns, tile.len(), taps).transposed(), dy, &mut dw, tile.start > 0);
    });
    dw
}

/// Adds the gradient of some images to `dx`.
pub fn input_gradient(g: &Geometry, w: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (taps, out) = (g.taps(), g.output);
    let pixels = dy.len() / out;
    let rows = (TILE / taps).clamp(64, pixels.max(64));
    with_scratch(rows * taps, |columns| {
        for start in (0..pixels).step_by(rows) {
            let tile = start..(start + rows).min(pixels);
            let columns = &mut columns[..tile.len() * taps];
            let dy = Matrix::new(&dy[start * out..], tile.len(), out);
            product(dy, Matrix::new(w, taps, out).transposed(), columns, false);
            g.fold(columns, tile, dx);
        }
    });
}
