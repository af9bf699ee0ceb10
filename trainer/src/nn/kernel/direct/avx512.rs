//! The AVX-512 part of [`super`]: tiles of sums that stay in registers.

use super::panels::LANES;
use super::plan::{Class, Pixel, Plan};
use std::arch::x86_64::{
    __m512, __mmask16, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_set1_ps,
    _mm512_setzero_ps,
};
use std::ops::Range;

/// Repeats a block for the constant indices below a limit: sums indexed by constants stay in registers, which the
/// compiler does not grant to loops of this length.
macro_rules! unrolled {
    ($n:ident < $limit:ident <= 4, $body:block) => {
        unrolled!(@ $n $limit $body 0 1 2 3)
    };
    ($n:ident < $limit:ident, $body:block) => {
        unrolled!(@ $n $limit $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23)
    };
    (@ $n:ident $limit:ident $body:block $($value:literal)*) => {
        $(if $value < $limit {
            const $n: usize = $value;
            $body
        })*
    };
}

pub mod gradient;

/// One bit for each of `lanes` channels, 16 to a register.
fn masks<const R: usize>(lanes: usize) -> [__mmask16; R] {
    std::array::from_fn(|r| {
        let here = lanes.saturating_sub(16 * r).min(16);
        ((1u32 << here) - 1) as __mmask16
    })
}

/// # Safety
/// AVX-512F; `from` holds the pixels' windows, `panel` the class's taps, `to` the channels `block` of the pixels, and
/// nobody else uses those.
#[target_feature(enable = "avx512f")]
pub unsafe fn forward(
    plan: &Plan,
    class: &Class,
    pixels: &[Pixel],
    from: &[f32],
    panel: &[f32],
    block: &Range<usize>,
    to: *mut f32,
) {
    let job = Job {
        from: from.as_ptr(),
        row: plan.row,
        rows: class.taps.0,
        run: class.taps.1 * plan.channels.0,
        depth: plan.channels.0,
        first: class.packed,
        wide: plan.wide,
        panel: panel.as_ptr(),
        to: to.wrapping_add(block.start),
        stride: plan.channels.1,
        lanes: block.len(),
    };
    // SAFETY: the caller's promise.
    unsafe {
        match block.len().div_ceil(LANES) {
            1 => job.pixels::<1, 4, 12>(pixels),
            2 => job.pixels::<2, 2, 12>(pixels),
            _ => job.pixels::<3, 2, 8>(pixels),
        }
    }
}

/// What all pixels of a class have in common.
struct Job {
    from: *const f32,
    /// Values from a row that is read to the next.
    row: usize,
    /// Rows of taps, and values in a row.
    rows: usize,
    run: usize,
    /// Values of a tap; the first tap in the panel, and taps from a row of them to the next.
    depth: usize,
    first: usize,
    wide: usize,
    panel: *const f32,
    to: *mut f32,
    /// Values from an output pixel to the next, and how many are computed.
    stride: usize,
    lanes: usize,
}

impl Job {
    /// Tiles of P pixels, smaller ones for what is left.
    #[target_feature(enable = "avx512f")]
    unsafe fn pixels<const R: usize, const U: usize, const P: usize>(&self, pixels: &[Pixel]) {
        let whole = pixels.len() / P * P;
        // SAFETY: the caller's promise, and no tile is empty.
        unsafe {
            for pixels in pixels[..whole].chunks_exact(P) {
                self.tile::<R, U, P>(pixels);
            }
            match pixels.len() - whole {
                0 => {}
                1..=4 => self.tile::<R, U, 4>(&pixels[whole..]),
                5..=8 => self.tile::<R, U, 8>(&pixels[whole..]),
                _ => self.tile::<R, U, P>(&pixels[whole..]),
            }
        }
    }

    /// Up to P pixels, U values of their windows at a time.
    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const R: usize, const U: usize, const P: usize>(&self, pixels: &[Pixel]) {
        // A short tile computes its last pixel several times, and stores it once.
        let mut windows: [*const f32; P] =
            std::array::from_fn(|p| self.from.wrapping_add(pixels[p.min(pixels.len() - 1)].from as usize));
        let mut weights = self.panel.wrapping_add(self.first * self.depth * LANES * R);
        let skipped = (self.wide * self.depth).wrapping_sub(self.run).wrapping_mul(LANES * R);
        let mut sums: [[__m512; R]; P] = [[_mm512_setzero_ps(); R]; P];
        for _ in 0..self.rows {
            // SAFETY: values of a window are within what is read, and the weights' pointer walks over the panel's rows
            // for them.
            unsafe {
                let mut j = 0;
                while j + U <= self.run {
                    step::<R, U, P>(&mut sums, &windows, weights, j);
                    weights = weights.wrapping_add(U * LANES * R);
                    j += U;
                }
                while j < self.run {
                    step::<R, 1, P>(&mut sums, &windows, weights, j);
                    weights = weights.wrapping_add(LANES * R);
                    j += 1;
                }
            }
            weights = weights.wrapping_add(skipped);
            for window in &mut windows {
                *window = window.wrapping_add(self.row);
            }
        }
        let masks = masks::<R>(self.lanes);
        for (sums, pixel) in sums.iter().zip(pixels) {
            let to = self.to.wrapping_add(pixel.to as usize * self.stride);
            for r in 0..R {
                // SAFETY: lanes let through are channels of this pixel, which `to` holds.
                unsafe { _mm512_mask_storeu_ps(to.wrapping_add(LANES * r), masks[r], sums[r]) };
            }
        }
    }
}

/// Adds U consecutive values of each window, times their weights, to all sums.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn step<const R: usize, const U: usize, const P: usize>(
    sums: &mut [[__m512; R]; P],
    windows: &[*const f32; P],
    weights: *const f32,
    j: usize,
) {
    // SAFETY: the caller has bounded j + U values of every window and U rows of the panel.
    unsafe {
        let w: [[__m512; R]; U] = std::array::from_fn(|u| {
            std::array::from_fn(|r| _mm512_loadu_ps(weights.wrapping_add((u * R + r) * LANES)))
        });
        unrolled!(N < P, {
            let x = windows[N].add(j);
            unrolled!(K < U <= 4, {
                let x = _mm512_set1_ps(*x.add(K));
                unrolled!(L < R <= 4, { sums[N][L] = _mm512_fmadd_ps(x, w[K][L], sums[N][L]) });
            });
        });
    }
}
