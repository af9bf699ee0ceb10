//! What the backward passes of convolutions share: the output's gradient, and the way over parts of the batch.

use super::per_part;
use super::shared::{Shared, vector};
use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

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

/// What a backward pass is asked for and gives.
#[derive(Default)]
pub struct Gradients {
    /// With respect to the input.
    pub dx: Option<Vec<f32>>,
    /// With respect to the weights.
    pub dw: Option<Vec<f32>>,
}

/// Sizes of a batch, in values and in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Images.
    pub batch: usize,
    /// Values of an image of the input.
    pub image: usize,
    /// Pixels of an image of the output.
    pub pixels: usize,
    /// Channels of the output.
    pub output: usize,
}

/// Both gradients by parts of the batch: `work` gets a part of the input, the output's gradient there and the place of the
/// input's gradient, if that is wanted, and gives the part's gradient of the weights, if that is wanted.
///
/// # Safety
/// `work` writes all of the place that it is given.
#[allow(unsafe_code)]
pub unsafe fn in_parts(
    sizes: Sizes,
    x: &[f32],
    gradient: &impl OutputGradient,
    (want_dx, want_dw): (bool, bool),
    work: impl Fn(&[f32], &[f32], Option<Shared>) -> Vec<f32> + Sync,
) -> Gradients {
    let Sizes { batch, image, pixels, output } = sizes;
    let images = per_part(batch);
    let run = |dx: Option<Shared>| -> Vec<Vec<f32>> {
        let part = |(part, x): (usize, &[f32])| {
            let at = part * images * image;
            let dx = dx.map(|dx| dx.part(at..at + x.len()));
            let first = part * images * pixels;
            let pixels = first..first + x.len() / image * pixels;
            match gradient.stored() {
                Some(all) => work(x, &all[pixels.start * output..pixels.end * output], dx),
                None => with_scratch(pixels.len() * output, |dy| {
                    gradient.fill(pixels, dy);
                    work(x, dy, dx)
                }),
            }
        };
        x.par_chunks(images * image).enumerate().map(part).collect()
    };
    // SAFETY: every image is in one part, and the caller promises that parts are written.
    let (dx, partial) =
        if want_dx { unsafe { vector(x.len(), |dx| run(Some(dx))) } } else { (Vec::new(), run(None)) };
    let sum = |mut total: Vec<f32>, part: Vec<f32>| {
        total.iter_mut().zip(&part).for_each(|(t, p)| *t += p);
        total
    };
    Gradients { dx: want_dx.then_some(dx), dw: partial.into_iter().reduce(sum).filter(|_| want_dw) }
}
