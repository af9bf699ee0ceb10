//! Average and maximum pooling and global pooling over rows of channels.

use super::geometry::Pads;
use rayon::prelude::*;

/// The windows of a pool; pairs are (height, width).
#[derive(Clone, Copy)]
pub struct Windows {
    pub size: (usize, usize),
    pub channels: usize,
    pub kernel: (usize, usize),
    pub stride: (usize, usize),
    pub pads: Pads,
    pub out_size: (usize, usize),
}

impl Windows {
    fn image(&self) -> usize {
        self.size.0 * self.size.1 * self.channels
    }

    fn out_image(&self) -> usize {
        self.out_size.0 * self.out_size.1 * self.channels
    }

    /// Calls `visit` with the offsets of each output pixel and of each input pixel under its window, in the window's order.
    fn pairs(&self, mut visit: impl FnMut(usize, usize)) {
        let ((oh, ow), (kh, kw), c) = (self.out_size, self.kernel, self.channels);
        for oy in 0..oh {
            for ox in 0..ow {
                for ky in 0..kh {
                    let y = (oy * self.stride.0 + ky).wrapping_sub(self.pads.before.0);
                    for kx in 0..kw {
                        let x = (ox * self.stride.1 + kx).wrapping_sub(self.pads.before.1);
                        if y < self.size.0 && x < self.size.1 {
                            visit((oy * ow + ox) * c, (y * self.size.1 + x) * c);
                        }
                    }
                }
            }
        }
    }

    /// Mean of each window; zeros around the map count.
    pub fn mean(&self, x: &[f32]) -> Vec<f32> {
        let factor = 1.0 / (self.kernel.0 * self.kernel.1) as f32;
        let mut y = vec![0.0; x.len() / self.image() * self.out_image()];
        y.par_chunks_mut(self.out_image()).zip(x.par_chunks(self.image())).for_each(|(y, x)| {
            self.pairs(|to, from| {
                let (y, x) = (&mut y[to..to + self.channels], &x[from..from + self.channels]);
                y.iter_mut().zip(x).for_each(|(y, x)| *y += x * factor);
            });
        });
        y
    }

    /// Spreads the gradient of each mean over its window.
    pub fn mean_backward(&self, dy: &[f32]) -> Vec<f32> {
        let factor = 1.0 / (self.kernel.0 * self.kernel.1) as f32;
        let mut dx = vec![0.0; dy.len() / self.out_image() * self.image()];
        dx.par_chunks_mut(self.image()).zip(dy.par_chunks(self.out_image())).for_each(|(dx, dy)| {
            self.pairs(|to, from| {
                let (dy, dx) = (&dy[to..to + self.channels], &mut dx[from..from + self.channels]);
                dx.iter_mut().zip(dy).for_each(|(x, y)| *x += y * factor);
            });
        });
        dx
    }

    /// Maximum of each window.
    pub fn max(&self, x: &[f32]) -> Vec<f32> {
        let mut y = vec![f32::NEG_INFINITY; x.len() / self.image() * self.out_image()];
        y.par_chunks_mut(self.out_image()).zip(x.par_chunks(self.image())).for_each(|(y, x)| {
            self.pairs(|to, from| {
                let (y, x) = (&mut y[to..to + self.channels], &x[from..from + self.channels]);
                y.iter_mut().zip(x).for_each(|(y, x)| *y = if *x > *y || x.is_nan() { *x } else { *y });
            });
        });
        y
    }

    /// Gradient of [`Windows::max`]: all of it to the first pixel that has the maximum.
    pub fn max_backward(&self, x: &[f32], y: &[f32], dy: &[f32]) -> Vec<f32> {
        let mut dx = vec![0.0; x.len()];
        let images = dx.par_chunks_mut(self.image()).zip(x.par_chunks(self.image()));
        let outputs = y.par_chunks(self.out_image()).zip(dy.par_chunks(self.out_image()));
        images.zip(outputs).for_each(|((dx, x), (y, dy))| {
            let mut taken = vec![false; y.len()];
            self.pairs(|to, from| {
                for c in 0..self.channels {
                    if x[from + c] == y[to + c] && !taken[to + c] {
                        taken[to + c] = true;
                        dx[from + c] += dy[to + c];
                    }
                }
            });
        });
        dx
    }
}

/// Mean over each image's pixels; `x` is `[batch, pixels, channels]`.
pub fn mean(x: &[f32], pixels: usize, channels: usize) -> Vec<f32> {
    let image = |x: &[f32]| {
        let mut sums = vec![0.0; channels];
        for row in x.chunks_exact(channels) {
            sums.iter_mut().zip(row).for_each(|(s, v)| *s += v);
        }
        for sum in &mut sums {
            *sum /= pixels as f32;
        }
        sums
    };
    x.par_chunks_exact(pixels * channels).flat_map_iter(image).collect()
}

/// Gradient of [`mean`].
pub fn mean_backward(dy: &[f32], pixels: usize, channels: usize) -> Vec<f32> {
    let mut dx = vec![0.0; dy.len() * pixels];
    dx.par_chunks_exact_mut(pixels * channels).zip(dy.par_chunks_exact(channels)).for_each(|(dx, dy)| {
        for row in dx.chunks_exact_mut(channels) {
            row.iter_mut().zip(dy).for_each(|(x, y)| *x = y / pixels as f32);
        }
    });
    dx
}

/// Maximum over each image's pixels.
pub fn max(x: &[f32], pixels: usize, channels: usize) -> Vec<f32> {
    let image = |x: &[f32]| {
        let mut best = vec![f32::NEG_INFINITY; channels];
        for row in x.chunks_exact(channels) {
            best.iter_mut().zip(row).for_each(|(b, v)| *b = if *v > *b || v.is_nan() { *v } else { *b });
        }
        best
    };
    x.par_chunks_exact(pixels * channels).flat_map_iter(image).collect()
}

/// Gradient of [`max`]: all of it to the first pixel that has the maximum.
pub fn max_backward(x: &[f32], y: &[f32], dy: &[f32], pixels: usize, channels: usize) -> Vec<f32> {
    let mut dx = vec![0.0; x.len()];
    let images = dx.par_chunks_exact_mut(pixels * channels).zip(x.par_chunks_exact(pixels * channels));
    images.zip(y.par_chunks_exact(channels).zip(dy.par_chunks_exact(channels))).for_each(
        |((dx, x), (y, dy))| {
            for c in 0..channels {
                if let Some(p) = (0..pixels).find(|p| x[p * channels + c] == y[c]) {
                    dx[p * channels + c] = dy[c];
                }
            }
        },
    );
    dx
}
