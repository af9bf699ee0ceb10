//! Convolution without unfolding, for processors with AVX-512: values are read where they lie, against weights in
//! registers' width.
//!
//! Elsewhere the unfolded path in [`super::conv`] computes the same sums in another order.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;
pub mod panels;
pub mod plan;

use super::shared::Shared;
use panels::Panels;
use plan::Plan;
use std::ops::Range;

/// A whole number of register tiles of taps, whatever the number of channels.
const TAPS: usize = 24;

/// Whether this processor can run the functions below.
pub fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Some images that are read by a plan, at most as many as it was made for.
#[derive(Clone, Copy)]
pub struct Images<'a> {
    plan: &'a Plan,
    values: &'a [f32],
    count: usize,
}

impl<'a> Images<'a> {
    pub fn new(plan: &'a Plan, values: &'a [f32]) -> Self {
        let count = values.len() / plan.image.0;
        assert!(
            count <= plan.images && values.len().is_multiple_of(plan.image.0),
            "whole images, as planned"
        );
        Self { plan, values, count }
    }

    /// Computes the channels of one panel for all pixels of these images, and leaves other channels as they are.
    ///
    /// # Safety
    /// Meanwhile nobody else reads or writes those channels in `to`.
    ///
    /// # Panics
    /// If sizes do not match or the processor lacks AVX-512.
    #[allow(unsafe_code)]
    pub unsafe fn panel(&self, panels: &Panels, index: usize, to: Shared) {
        let (block, panel) = panels.get(index);
        let plan = self.plan;
        assert!(available(), "AVX-512");
        assert_eq!(to.len(), self.count * plan.image.1 * plan.channels.1, "output");
        assert!(block.end <= plan.channels.1, "channels");
        assert_eq!(panel.len(), plan.depth() * block.len().next_multiple_of(panels::LANES), "weights");
        #[cfg(target_arch = "x86_64")]
        for class in &plan.classes {
            // SAFETY: the processor has AVX-512; a plan's pixels lie within the images it was made for, of which
            // there are `count`, and its taps within `depth` rows of the panel; the caller answers for the rest.
            unsafe {
                avx512::forward(plan, class, class.of(self.count), self.values, panel, &block, to.pointer());
            };
        }
    }

    /// [`Images::panel`] for all panels, which are all channels.
    ///
    /// # Safety
    /// Meanwhile nobody else reads or writes `to`.
    #[allow(unsafe_code)]
    pub unsafe fn all(&self, panels: &Panels, to: Shared) {
        for index in 0..panels.count() {
            // SAFETY: the caller's promise.
            unsafe { self.panel(panels, index, to) };
        }
    }

    /// Adds to `dw` `[taps, in, out]` what these images and the gradients `dy` of their pixels give, for the channels
    /// `out` and a part of the rows of taps: `part.0` of `part.1`.
    ///
    /// # Safety
    /// Meanwhile nobody else reads or writes those channels in these rows of `dw`.
    ///
    /// # Panics
    /// If sizes do not match or the processor lacks AVX-512.
    #[allow(unsafe_code)]
    pub unsafe fn weight_gradient(
        &self,
        dy: &[f32],
        kernel: (usize, usize),
        out: &Range<usize>,
        part: (usize, usize),
        dw: Shared,
    ) {
        let plan = self.plan;
        assert!(available(), "AVX-512");
        assert_eq!(dy.len(), self.count * plan.image.1 * plan.channels.1, "gradient");
        assert_eq!(dw.len(), kernel.0 * kernel.1 * plan.channels.0 * plan.channels.1, "weights");
        assert!(out.end <= plan.channels.1, "channels");
        let whole = kernel.1 * plan.channels.0;
        // Pieces are whole numbers of register tiles.
        let piece = whole.div_ceil(part.1).next_multiple_of(TAPS);
        let mut turned =
            vec![0.0; if turns(whole, piece, out.len()) { kernel.0 * whole * out.len() } else { 0 }];
        for class in &plan.classes {
            let (rows, columns) = class.taps;
            assert!(class.tap.0 + rows <= kernel.0 && class.tap.1 + columns <= kernel.1, "taps");
            // Parts are cut from the kernel's whole row, not from a class's: classes cover different taps, and parts of
            // theirs would overlap.
            let skipped = class.tap.1 * plan.channels.0;
            let (first, last) = (skipped, skipped + columns * plan.channels.0);
            let mine = (part.0 * piece).clamp(first, last)..((part.0 + 1) * piece).clamp(first, last);
            let taps = Taps {
                from: mine.start - skipped,
                to: class.tap.0 * whole + mine.start,
                rows,
                row: whole,
                count: mine.len(),
            };
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor has AVX-512; pixels lie within the images, with the class's taps around them, and
            // within `dy`; taps and channels lie within `dw`; the caller answers for the rest.
            unsafe {
                let pixels = class.of(self.count);
                let to = (dw.pointer(), (!turned.is_empty()).then_some(turned.as_mut_slice()));
                avx512::gradient::add(plan, pixels, (self.values, dy), out, &taps, to);
            }
        }
        let mine = (part.0 * piece).min(whole)..((part.0 + 1) * piece).min(whole);
        for (channel, sums) in out.clone().zip(turned.chunks_exact((kernel.0 * whole).max(1))) {
            for row in 0..kernel.0 {
                for tap in mine.clone() {
                    let at = row * whole + tap;
                    // SAFETY: a tap of this part and one of these channels, which `dw` holds and nobody else uses.
                    unsafe { *dw.pointer().add(at * plan.channels.1 + channel) += sums[at] };
                }
            }
        }
    }
}

/// Whether weight gradients are summed with taps next to each other.
fn turns(whole: usize, piece: usize, channels: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    return avx512::gradient::turns(piece.min(whole), channels);
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Taps next to each other in some rows of a window: where the first lies from a pixel's window on, which of all taps it is,
/// taps from a row to the next, and how many there are in each.
struct Taps {
    from: usize,
    to: usize,
    rows: usize,
    row: usize,
    count: usize,
}

#[cfg(test)]
#[path = "direct/tests.rs"]
mod tests;
