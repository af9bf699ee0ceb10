//! Convolution without unfolding, for processors with AVX-512: input pixels are read where they lie in a zero-padded
//! copy of a few images, against weights in registers' width.
//!
//! Elsewhere the unfolded path in [`super::conv`] computes the same sums in another order.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;

use super::geometry::{Geometry, Pads};
use std::ops::Range;

/// Values of padded input held at a time: 512 KiB, a quarter of a core's second-level cache.
const GROUP: usize = 128 * 1024;
/// Pixels over which weight gradients are summed in registers: their input and gradient rows stay in the cache.
const BLOCK: usize = 512;

/// Whether this processor can run the functions below.
pub fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Some images, padded, and where each output pixel's window begins in them.
pub struct Windows<'a> {
    g: &'a Geometry,
    padded: &'a [f32],
    starts: &'a [usize],
}

impl Geometry {
    fn padded_size(&self) -> (usize, usize) {
        self.pads.around(self.size)
    }

    fn padded_image(&self) -> usize {
        self.padded_size().0 * self.padded_size().1 * self.input
    }

    /// Images whose padded copies are held at a time.
    pub fn group(&self) -> usize {
        (GROUP / self.padded_image()).max(1)
    }

    /// Values of scratch that [`Geometry::windows`] needs for `images` images.
    pub fn padded_values(&self, images: usize) -> usize {
        if self.pads == Pads::NONE { 0 } else { images * self.padded_image() }
    }

    /// Where the window of each output pixel of `images` images begins in their padded copies.
    pub fn window_starts(&self, images: usize) -> Vec<usize> {
        let width = self.padded_size().1;
        let mut starts = Vec::with_capacity(images * self.pixels());
        for image in 0..images {
            for y in 0..self.out_size.0 {
                let row = image * self.padded_image() + y * self.stride.0 * width * self.input;
                starts.extend((0..self.out_size.1).map(|x| row + x * self.stride.1 * self.input));
            }
        }
        starts
    }

    /// Copies images into `scratch` with zeros around them, or takes them as they are if there is no padding.
    pub fn windows<'a>(&'a self, x: &'a [f32], scratch: &'a mut [f32], starts: &'a [usize]) -> Windows<'a> {
        let images = x.len() / self.image();
        let starts = &starts[..images * self.pixels()];
        if self.pads == Pads::NONE {
            return Windows { g: self, padded: x, starts };
        }
        let (row, wide) = (self.size.1 * self.input, self.padded_size().1 * self.input);
        let scratch = &mut scratch[..images * self.padded_image()];
        scratch.fill(0.0);
        let inner = self.pads.before.0 * wide + self.pads.before.1 * self.input;
        for (x, padded) in x.chunks_exact(self.image()).zip(scratch.chunks_exact_mut(self.padded_image())) {
            for (x, padded) in x.chunks_exact(row).zip(padded[inner..].chunks_mut(wide)) {
                padded[..row].copy_from_slice(x);
            }
        }
        Windows { g: self, padded: scratch, starts }
    }
}

impl Windows<'_> {
    fn check(&self, w: usize, y: usize) {
        let g = self.g;
        let reach = ((g.kernel.0 - 1) * g.padded_size().1 + g.kernel.1) * g.input;
        // The last window of the last image reaches furthest.
        assert!(
            self.starts.iter().max().is_none_or(|s| s + reach <= self.padded.len()),
            "windows within the images"
        );
        assert_eq!(w, g.taps() * g.output, "weights");
        assert_eq!(y, self.starts.len() * g.output, "output");
    }

    /// `y = x * w` for the output pixels of these images.
    ///
    /// # Panics
    /// If sizes do not match or the processor lacks AVX-512.
    #[allow(unsafe_code)]
    pub fn forward(&self, w: &[f32], y: &mut [f32]) {
        self.check(w.len(), y.len());
        assert!(available(), "AVX-512");
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has AVX-512, and `check` has bounded every window, the weights and the output.
        unsafe {
            avx512::forward(self, w, y);
        }
    }

    /// `dw += x^T * dy` for the output pixels of these images.
    ///
    /// # Panics
    /// If sizes do not match or the processor lacks AVX-512.
    #[allow(unsafe_code)]
    pub fn weight_gradient(&self, dy: &[f32], dw: &mut [f32]) {
        self.check(dw.len(), dy.len());
        assert!(available(), "AVX-512");
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as in `forward`.
        unsafe {
            avx512::weight_gradient(self, dy, dw);
        }
    }

    /// Values from one kernel row to the next, and values in a kernel row.
    fn rows(&self) -> (usize, usize) {
        (self.g.padded_size().1 * self.g.input, self.g.kernel.1 * self.g.input)
    }
}

/// Ranges of output channels that one or two registers hold.
fn channel_blocks(channels: usize) -> impl Iterator<Item = Range<usize>> {
    (0..channels).step_by(32).map(move |from| from..(from + 32).min(channels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernel::gemm::{Matrix, product};

    fn numbers(n: usize, salt: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + salt * 31) % 17) as f32 - 8.0).collect()
    }

    /// Small integers: sums are exact in every order, so the two paths must agree bit for bit.
    #[test]
    fn agrees_with_the_unfolded_path() {
        if !available() {
            return;
        }
        for (size, kernel, stride, padding) in [
            ((5, 4), (3, 3), (1, 1), (1, 1)),
            ((7, 1), (3, 3), (2, 1), (1, 1)),
            ((6, 5), (1, 1), (1, 1), (0, 0)),
            ((6, 5), (5, 2), (1, 2), (2, 0)),
        ] {
            for (input, output, images) in
                [(3, 16, 2), (16, 24, 3), (2, 1, 1), (1, 33, 2), (5, 48, 1), (9, 64, 2)]
            {
                let x_shape = [images, size.0, size.1, input];
                let g = Geometry::new(
                    &x_shape,
                    &[kernel.0, kernel.1, input, output],
                    stride,
                    Pads::both(padding),
                )
                .expect("fits");
                let (x, w) = (numbers(images * g.image(), 1), numbers(g.taps() * output, 2));
                let pixels = images * g.pixels();
                let dy = numbers(pixels * output, 3);
                let starts = g.window_starts(images);
                let mut scratch = vec![f32::NAN; g.padded_values(images)];
                let windows = g.windows(&x, &mut scratch, &starts);
                let mut columns = vec![0.0; pixels * g.taps()];
                g.unfold(&x, 0..pixels, &mut columns);
                let columns = Matrix::new(&columns, pixels, g.taps());
                let (mut y, mut want) = (vec![f32::NAN; pixels * output], vec![0.0; pixels * output]);
                windows.forward(&w, &mut y);
                product(columns, Matrix::new(&w, g.taps(), output), &mut want, false);
                assert_eq!(y, want, "{size:?} {kernel:?} {input} {output}");
                let (mut dw, mut want) = (vec![1.0; w.len()], vec![1.0; w.len()]);
                windows.weight_gradient(&dy, &mut dw);
                product(columns.transposed(), Matrix::new(&dy, pixels, output), &mut want, true);
                assert_eq!(dw, want, "{size:?} {kernel:?} {input} {output}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "weights")]
    fn sizes_that_do_not_match_are_refused() {
        let g = Geometry::new(&[1, 4, 4, 1], &[3, 3, 1, 2], (1, 1), Pads::NONE).expect("fits");
        let starts = g.window_starts(1);
        g.windows(&[0.0; 16], &mut [], &starts).forward(&[0.0; 17], &mut [0.0; 8]);
    }
}
