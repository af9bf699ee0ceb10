//! Sizes of a convolution, and the unfolding of its input into rows of taps (im2col).

use super::axis::{Axis, Sizes};
use super::direct::plan::Plan;
use candle_core::Result;
use std::ops::Range;

/// Zeros around a map; pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pads {
    /// Above and to the left.
    pub before: (usize, usize),
    /// Below and to the right.
    pub after: (usize, usize),
}

impl Pads {
    /// None at all.
    pub const NONE: Self = Self::both((0, 0));

    /// The same at both ends.
    pub const fn both(padding: (usize, usize)) -> Self {
        Self { before: padding, after: padding }
    }

    /// What makes the output `ceil(size / stride)`, the odd zero below and to the right: TensorFlow's `SAME`.
    pub fn same(size: (usize, usize), kernel: (usize, usize), stride: (usize, usize)) -> Self {
        let total = |n: usize, k: usize, s: usize| ((n.div_ceil(s) - 1) * s + k).saturating_sub(n);
        let (h, w) = (total(size.0, kernel.0, stride.0), total(size.1, kernel.1, stride.1));
        Self { before: (h / 2, w / 2), after: (h - h / 2, w - w / 2) }
    }

    /// Height and width of a map of `size` with these zeros around it.
    pub fn around(&self, size: (usize, usize)) -> (usize, usize) {
        (self.before.0 + size.0 + self.after.0, self.before.1 + size.1 + self.after.1)
    }
}

/// A convolution's sizes; pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub batch: usize,
    pub size: (usize, usize),
    pub input: usize,
    pub output: usize,
    pub kernel: (usize, usize),
    pub stride: (usize, usize),
    pub pads: Pads,
    /// Height and width of the output map.
    pub out_size: (usize, usize),
    /// Whether the processor can do without unfolding.
    pub direct: bool,
}

impl Geometry {
    /// Checks that the shapes go together: `x` `[batch, h, w, in]`, `w` `[kh, kw, in, out]`.
    pub fn new(x: &[usize], w: &[usize], stride: (usize, usize), pads: Pads) -> Result<Self> {
        let (&[batch, height, width, input], &[kh, kw, weight_input, output]) = (x, w) else {
            candle_core::bail!(
                "convolution takes a map of 4 axes and a weight of 4 axes, not {x:?} and {w:?}"
            );
        };
        if input != weight_input {
            candle_core::bail!(
                "convolution weight {w:?} takes {weight_input} channels, the map {x:?} has {input}"
            );
        }
        let out = |padded: usize, k: usize, s: usize| padded.checked_sub(k).map(|r| r / s + 1);
        let padded = pads.around((height, width));
        let positive = kh * kw * stride.0 * stride.1 * batch * height * width * input * output > 0;
        match (out(padded.0, kh, stride.0.max(1)), out(padded.1, kw, stride.1.max(1))) {
            (Some(oh), Some(ow)) if positive => Ok(Self {
                batch,
                size: (height, width),
                input,
                output,
                kernel: (kh, kw),
                stride,
                pads,
                out_size: (oh, ow),
                direct: super::direct::available(),
            }),
            _ => candle_core::bail!(
                "a {kh}x{kw} window with stride {stride:?} and {pads:?} does not fit a map of {x:?}"
            ),
        }
    }

    /// Values under one window.
    pub fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1 * self.input
    }

    /// Pixels of one output map.
    pub fn pixels(&self) -> usize {
        self.out_size.0 * self.out_size.1
    }

    /// Values of one input image.
    pub fn image(&self) -> usize {
        self.size.0 * self.size.1 * self.input
    }

    /// Whether each output pixel reads exactly its own input pixel, so that unfolding would be a copy.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == (1, 1) && self.stride == (1, 1) && self.pads == Pads::NONE
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

    /// What `images` images at a time read.
    pub fn plan(&self, images: usize) -> Plan {
        let (y, x) = self.axes(Axis::forward);
        Plan::new((&y, &x), (self.input, self.output), images)
    }

    /// What the gradients of the inputs of `images` images at a time read.
    pub fn transposed_plan(&self, images: usize) -> Plan {
        let (y, x) = self.axes(Axis::backward);
        Plan::new((&y, &x), (self.output, self.input), images)
    }

    /// Visits the unfolded rows of `pixels` (counted over the images of `x`'s part): for each kernel row of each
    /// pixel, where it lies in the unfolded buffer, its zeros before, the run of input it copies, and zeros after.
    fn runs(&self, pixels: Range<usize>, mut visit: impl FnMut(usize, usize, Range<usize>, usize)) {
        let ((h, w), (kh, kw), c) = (self.size, self.kernel, self.input);
        let (oh, ow) = self.out_size;
        let length = kw * c;
        let mut at = 0;
        let (mut image, mut oy, mut ox) =
            (pixels.start / (oh * ow), pixels.start % (oh * ow) / ow, pixels.start % ow);
        for _ in pixels {
            // Positions in padded coordinates, so that they stay unsigned.
            let left = ox * self.stride.1;
            let before = self.pads.before.1.saturating_sub(left).min(kw);
            let end = (w + self.pads.before.1).saturating_sub(left).min(kw).max(before);
            for ky in 0..kh {
                let y = (oy * self.stride.0 + ky).wrapping_sub(self.pads.before.0);
                if y < h && end > before {
                    let from = ((image * h + y) * w + left + before - self.pads.before.1) * c;
                    visit(at, before * c, from..from + (end - before) * c, (kw - end) * c);
                } else {
                    visit(at, length, 0..0, 0);
                }
                at += length;
            }
            ox += 1;
            if ox == ow {
                (ox, oy) = (0, oy + 1);
                if oy == oh {
                    (oy, image) = (0, image + 1);
                }
            }
        }
    }

    /// Unfolds: row r of `columns` holds the values under the window of output pixel `pixels.start + r`.
    pub fn unfold(&self, x: &[f32], pixels: Range<usize>, columns: &mut [f32]) {
        self.runs(pixels, |at, before, run, after| {
            let middle = at + before + run.len();
            columns[at..at + before].fill(0.0);
            columns[at + before..middle].copy_from_slice(&x[run]);
            columns[middle..middle + after].fill(0.0);
        });
    }

    /// The transpose of [`Geometry::unfold`]: adds each value of `columns` to the input value it came from.
    pub fn fold(&self, columns: &[f32], pixels: Range<usize>, x: &mut [f32]) {
        self.runs(pixels, |at, before, run, _| {
            let from = &columns[at + before..at + before + run.len()];
            for (sum, v) in x[run].iter_mut().zip(from) {
                *sum += v;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let one = (1, 1);
        assert!(Geometry::new(&[1, 4, 4, 2], &[3, 3, 2, 5], one, Pads::NONE).is_ok());
        for (x, w, stride) in [
            ([1, 4, 4, 2], [3, 3, 3, 5], one),
            ([1, 4, 2, 2], [3, 3, 2, 5], one),
            ([1, 4, 4, 2], [3, 3, 2, 5], (0, 1)),
            ([0, 4, 4, 2], [3, 3, 2, 5], one),
            ([1, 4, 4, 2], [3, 0, 2, 5], one),
        ] {
            assert!(Geometry::new(&x, &w, stride, Pads::NONE).is_err(), "{x:?} {w:?} {stride:?}");
        }
        assert!(Geometry::new(&[1, 4, 4], &[3, 3, 2, 5], one, Pads::NONE).is_err());
    }

    #[test]
    fn unfolding_agrees_with_indexing_and_folding_is_its_transpose() {
        for (size, kernel, stride, padding) in [
            ((5, 4), (3, 3), (1, 1), (1, 1)),
            ((7, 1), (3, 3), (2, 1), (1, 1)),
            ((6, 5), (2, 3), (1, 2), (0, 2)),
            ((3, 2), (5, 5), (1, 1), (2, 4)),
        ] {
            let (h, w, c) = (size.0, size.1, 2);
            let g = Geometry::new(&[2, h, w, c], &[kernel.0, kernel.1, c, 1], stride, Pads::both(padding))
                .expect("fits");
            let x: Vec<f32> = (0..2 * g.image()).map(|i| i as f32 + 1.0).collect();
            let n = 2 * g.pixels();
            let mut columns = vec![f32::NAN; (n - 1) * g.taps()];
            g.unfold(&x, 1..n, &mut columns);
            let mut back = vec![0.0; x.len()];
            g.fold(&columns, 1..n, &mut back);
            let mut plain_back = vec![0.0; x.len()];
            for q in 1..n {
                let (i, oy, ox) = (q / g.pixels(), q % g.pixels() / g.out_size.1, q % g.out_size.1);
                for t in 0..g.taps() {
                    let (ky, kx, ch) = (t / (kernel.1 * c), t / c % kernel.1, t % c);
                    let (y, z) = (oy * stride.0 + ky, ox * stride.1 + kx);
                    let inside =
                        (padding.0..h + padding.0).contains(&y) && (padding.1..w + padding.1).contains(&z);
                    let mut want = 0.0;
                    if inside {
                        let at = ((i * h + y - padding.0) * w + z - padding.1) * c + ch;
                        want = x[at];
                        plain_back[at] += want;
                    }
                    assert_eq!(columns[(q - 1) * g.taps() + t], want);
                }
            }
            assert_eq!(back, plain_back);
        }
    }
}
