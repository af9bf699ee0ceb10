//! Convolution forward and backward: unfolded tiles that stay in the cache, times the weights.

use super::direct::Windows;
use super::gemm::{Matrix, product};
use super::geometry::Geometry;
use super::per_part;
use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

/// Values of an unfolded tile: 256 KiB, half of what a small core's second-level cache holds.
const TILE: usize = 64 * 1024;
/// Values of finished output that a visitor sees at a time.
const VISIT: usize = 8 * 1024;

thread_local! {
    /// Buffers of this thread, kept from call to call: allocating and clearing them costs as much as a small layer.
    static SCRATCH: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` with a buffer of at least `length` values, of arbitrary content.
pub fn with_scratch<R>(length: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = SCRATCH.with(|s| s.borrow_mut().pop()).unwrap_or_default();
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    let result = f(&mut buffer[..length]);
    SCRATCH.with(|s| s.borrow_mut().push(buffer));
    result
}

/// The gradient with respect to a convolution's output, possibly computed only when a part of the batch needs it.
pub trait OutputGradient: Sync {
    /// Whether [`OutputGradient::fill`] must be called; otherwise the values are there to be borrowed.
    fn stored(&self) -> Option<&[f32]>;
    /// Writes the values of the given output pixels (over the whole batch).
    fn fill(&self, pixels: Range<usize>, out: &mut [f32]);
}

impl OutputGradient for &[f32] {
    fn stored(&self) -> Option<&[f32]> {
        Some(self)
    }
    fn fill(&self, pixels: Range<usize>, out: &mut [f32]) {
        let width = out.len() / pixels.len();
        out.copy_from_slice(&self[pixels.start * width..pixels.end * width]);
    }
}

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

/// Visits the images of `x` in groups that fit the cache padded, each with the rows that belong to it.
fn grouped<T>(g: &Geometry, x: &[f32], rows: impl Iterator<Item = T>, mut visit: impl FnMut(&Windows, T)) {
    let images = g.group().min(x.len() / g.image());
    let starts = g.window_starts(images);
    with_scratch(g.padded_values(images), |scratch| {
        for (x, rows) in x.chunks(images * g.image()).zip(rows) {
            visit(&g.windows(x, scratch, &starts), rows);
        }
    });
}

/// Convolution of some images on the current thread; `visit` may look at or change each finished tile.
fn forward_part(g: &Geometry, x: &[f32], w: &[f32], y: &mut [f32], mut visit: impl FnMut(&mut [f32])) {
    let (taps, out) = (g.taps(), g.output);
    if g.direct {
        grouped(g, x, y.chunks_mut(g.group() * g.pixels() * out), |windows, y| {
            windows.forward(w, y);
            y.chunks_mut(VISIT.div_ceil(out) * out).for_each(&mut visit);
        });
        return;
    }
    tiles(g, x.len() / g.image(), x, |tile, columns| {
        let y = &mut y[tile.start * out..tile.end * out];
        product(Matrix::new(columns, tile.len(), taps), Matrix::new(w, taps, out), y, false);
        visit(y);
    });
}

/// `y = x * w`. `visit` sees every finished tile (whole pixels) with the state of its part, while it is still in
/// the cache; the states come back in the order of the parts.
pub fn forward<S: Default + Send>(
    g: &Geometry,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    visit: impl Fn(&mut S, &mut [f32]) + Sync,
) -> Vec<S> {
    let images = per_part(g.batch);
    let parts = x.par_chunks(images * g.image()).zip(y.par_chunks_mut(images * g.pixels() * g.output));
    parts
        .map(|(x, y)| {
            let mut state = S::default();
            forward_part(g, x, w, y, |tile| visit(&mut state, tile));
            state
        })
        .collect()
}

/// What [`backward`] is asked for and gives.
#[derive(Default)]
pub struct Gradients {
    /// With respect to the input.
    pub dx: Option<Vec<f32>>,
    /// With respect to the weights.
    pub dw: Option<Vec<f32>>,
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
    let images = per_part(g.batch);
    let turned = if want_dx && g.transposed().is_some() { turn(g, w) } else { Vec::new() };
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
                if want_dx {
                    input_gradient(g, w, &turned, dy, dx);
                }
                if want_dw { weight_gradient(g, x, dy) } else { Vec::new() }
            };
            match gradient.stored() {
                Some(all) => work(&all[pixels.start * g.output..pixels.end * g.output]),
                None => with_scratch(pixels.len() * g.output, |dy| {
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

fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (taps, out) = (g.taps(), g.output);
    let mut dw = vec![0.0; taps * out];
    if g.direct {
        grouped(g, x, dy.chunks(g.group() * g.pixels() * out), |windows, dy| {
            windows.weight_gradient(dy, &mut dw);
        });
        return dw;
    }
    tiles(g, x.len() / g.image(), x, |tile, columns| {
        let dy = Matrix::new(&dy[tile.start * out..], tile.len(), out);
        product(Matrix::new(columns, tile.len(), taps).transposed(), dy, &mut dw, tile.start > 0);
    });
    dw
}

fn input_gradient(g: &Geometry, w: &[f32], turned: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (taps, out) = (g.taps(), g.output);
    if let Some(back) = g.transposed() {
        forward_part(&back, dy, turned, dx, |_| {});
        return;
    }
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

/// The weights of [`Geometry::transposed`], `[kh, kw, out, in]`.
fn turn(g: &Geometry, w: &[f32]) -> Vec<f32> {
    let plane = g.input * g.output;
    let mut turned = Vec::with_capacity(w.len());
    for tap in w.chunks_exact(plane).rev() {
        for o in 0..g.output {
            turned.extend(tap.iter().skip(o).step_by(g.output));
        }
    }
    turned
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
mod tests {
    use super::*;
    use crate::nn::kernel::geometry::Pads;

    fn numbers(n: usize, salt: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + salt * 31) % 17) as f32 - 8.0).collect()
    }

    /// Small integers: sums are exact in every order, so what other processors compute must agree bit for bit.
    #[test]
    fn both_paths_give_the_same_sums() {
        for (size, kernel, stride, padding) in [
            ((5, 4), (3, 3), (1, 1), (1, 1)),
            ((7, 1), (3, 3), (2, 1), (1, 1)),
            ((6, 5), (1, 1), (1, 1), (0, 0)),
            ((6, 5), (5, 2), (1, 2), (2, 0)),
        ] {
            for (batch, input, output) in [(1, 2, 3), (19, 3, 24), (40, 1, 2)] {
                let x_shape = [batch, size.0, size.1, input];
                let fresh = Geometry::new(
                    &x_shape,
                    &[kernel.0, kernel.1, input, output],
                    stride,
                    Pads::both(padding),
                );
                let fresh = fresh.expect("fits");
                let (x, w) = (numbers(batch * fresh.image(), 1), numbers(fresh.taps() * output, 2));
                let dy = numbers(batch * fresh.pixels() * output, 3);
                let run = |direct: bool| {
                    let g = Geometry { direct, ..fresh };
                    let mut y = vec![f32::NAN; dy.len()];
                    let seen =
                        forward(&g, &x, &w, &mut y, |sum: &mut f32, tile| *sum += tile.iter().sum::<f32>());
                    let found = backward(&g, &x, &w, &dy.as_slice(), true, true);
                    (y, seen, found.dx, found.dw)
                };
                assert_eq!(run(false), run(crate::nn::kernel::direct::available()));
            }
        }
    }
}
