//! The AVX-512 part of [`super`]: tiles of sums that stay in registers.

use super::{BLOCK, Windows, channel_blocks};
use std::arch::x86_64::{
    __m512, __mmask16, _mm512_add_ps, _mm512_fmadd_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_set1_ps, _mm512_setzero_ps,
};
use std::ops::Range;

/// Pixels of a forward tile: with two registers of channels each, 24 of the 32 registers are sums.
const PIXELS: usize = 12;

/// Repeats a block for the constant indices below a limit: sums indexed by constants stay in registers, which the
/// compiler does not grant to loops of this length.
macro_rules! unrolled {
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

/// One bit for each of `lanes` channels, 16 to a register.
fn masks<const R: usize>(lanes: usize) -> [__mmask16; R] {
    std::array::from_fn(|r| {
        let here = lanes.saturating_sub(16 * r).min(16);
        ((1u32 << here) - 1) as __mmask16
    })
}

/// # Safety
/// AVX-512F; windows, `w` and `y` as [`Windows::check`] demands.
#[target_feature(enable = "avx512f")]
pub unsafe fn forward(windows: &Windows, w: &[f32], y: &mut [f32]) {
    let channels = windows.g.output;
    for block in channel_blocks(channels) {
        for (i, starts) in windows.starts.chunks(PIXELS).enumerate() {
            let y = &mut y[i * PIXELS * channels..];
            // SAFETY: the caller's promise, and `y` holds at least the pixels of `starts`.
            unsafe {
                if block.len() > 16 {
                    tile::<2, 2>(windows, starts, w, y, block.clone());
                } else {
                    tile::<1, 4>(windows, starts, w, y, block.clone());
                }
            }
        }
    }
}

/// The channels `block` (at most 16 R) of up to [`PIXELS`] output pixels, U taps at a time.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const R: usize, const U: usize>(
    windows: &Windows,
    starts: &[usize],
    w: &[f32],
    y: &mut [f32],
    block: Range<usize>,
) {
    let channels = windows.g.output;
    let masks = masks::<R>(block.len());
    let (row_step, run) = windows.rows();
    // A short last tile computes its last pixel several times, and stores it once.
    let mut pixels: [*const f32; PIXELS] =
        std::array::from_fn(|p| windows.padded.as_ptr().wrapping_add(starts[p.min(starts.len() - 1)]));
    let mut weights = w.as_ptr().wrapping_add(block.start);
    let mut sums: [[__m512; R]; PIXELS] = [[_mm512_setzero_ps(); R]; PIXELS];
    for _ in 0..windows.g.kernel.0 {
        // SAFETY: a pixel's pointer plus a tap stays within its window, and the weights' pointer moves over
        // `taps` rows of `channels` values, of which the masks let through those of `block`.
        unsafe {
            for j in (0..run / U * U).step_by(U) {
                step::<R, U, PIXELS>(&mut sums, &pixels, weights, channels, j, masks);
                weights = weights.wrapping_add(U * channels);
            }
            for j in run / U * U..run {
                step::<R, 1, PIXELS>(&mut sums, &pixels, weights, channels, j, masks);
                weights = weights.wrapping_add(channels);
            }
        }
        for pixel in &mut pixels {
            *pixel = pixel.wrapping_add(row_step);
        }
    }
    let mut to = y.as_mut_ptr().wrapping_add(block.start);
    for sums in sums.iter().take(starts.len()) {
        for r in 0..R {
            // SAFETY: lanes let through are channels of this pixel, which `y` holds.
            unsafe { _mm512_mask_storeu_ps(to.wrapping_add(16 * r), masks[r], sums[r]) };
        }
        to = to.wrapping_add(channels);
    }
}

/// Adds U consecutive taps to all sums.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn step<const R: usize, const U: usize, const N: usize>(
    sums: &mut [[__m512; R]; N],
    pixels: &[*const f32; N],
    weights: *const f32,
    channels: usize,
    j: usize,
    masks: [__mmask16; R],
) {
    // SAFETY: the caller has bounded j + U taps of every pixel and U rows of the weights.
    unsafe {
        let w: [[__m512; R]; U] = std::array::from_fn(|u| {
            let row = weights.wrapping_add(u * channels);
            std::array::from_fn(|r| _mm512_maskz_loadu_ps(masks[r], row.wrapping_add(16 * r)))
        });
        unrolled!(P < N, {
            let x = pixels[P].add(j);
            unrolled!(K < U, {
                let x = _mm512_set1_ps(*x.add(K));
                sums[P][0] = _mm512_fmadd_ps(x, w[K][0], sums[P][0]);
                if R == 2 {
                    sums[P][R - 1] = _mm512_fmadd_ps(x, w[K][R - 1], sums[P][R - 1]);
                }
            });
        });
    }
}

/// # Safety
/// AVX-512F; windows, `dw` and `dy` as [`Windows::check`] demands.
#[target_feature(enable = "avx512f")]
pub unsafe fn weight_gradient(windows: &Windows, dy: &[f32], dw: &mut [f32]) {
    let channels = windows.g.output;
    for (starts, dy) in windows.starts.chunks(BLOCK).zip(dy.chunks(BLOCK * channels)) {
        for block in channel_blocks(channels) {
            for ky in 0..windows.g.kernel.0 {
                // SAFETY: the caller's promise; `dy` holds the rows of `starts`.
                unsafe {
                    if block.len() > 16 {
                        taps::<2, 12>(windows, starts, dy, dw, &(ky, block.clone()));
                    } else {
                        taps::<1, 24>(windows, starts, dy, dw, &(ky, block.clone()));
                    }
                }
            }
        }
    }
}

/// All taps of one kernel row, T at a time.
#[target_feature(enable = "avx512f")]
unsafe fn taps<const R: usize, const T: usize>(
    windows: &Windows,
    starts: &[usize],
    dy: &[f32],
    dw: &mut [f32],
    at: &(usize, Range<usize>),
) {
    let run = windows.rows().1;
    let mut j = 0;
    // SAFETY: j + taps <= run in each call.
    unsafe {
        while j + T <= run {
            outer::<R, T>(windows, starts, dy, dw, at, j);
            j += T;
        }
        while j + 4 <= run {
            outer::<R, 4>(windows, starts, dy, dw, at, j);
            j += 4;
        }
        while j < run {
            outer::<R, 1>(windows, starts, dy, dw, at, j);
            j += 1;
        }
    }
}

/// Sums of T taps times the gradient over the given pixels.
#[target_feature(enable = "avx512f")]
unsafe fn outer<const R: usize, const T: usize>(
    windows: &Windows,
    starts: &[usize],
    dy: &[f32],
    dw: &mut [f32],
    (ky, block): &(usize, Range<usize>),
    j: usize,
) {
    let channels = windows.g.output;
    let masks = masks::<R>(block.len());
    let (row_step, run) = windows.rows();
    let mut sums: [[__m512; R]; T] = [[_mm512_setzero_ps(); R]; T];
    // SAFETY: j + T <= run, so that taps stay within their kernel row, windows within the padded images, and
    // masked lanes within the channels of a row of `dy` and of `dw`.
    unsafe {
        let x = windows.padded.as_ptr().add(ky * row_step + j);
        let mut from = dy.as_ptr().add(block.start);
        for start in starts {
            let d: [__m512; R] = std::array::from_fn(|r| _mm512_maskz_loadu_ps(masks[r], from.add(16 * r)));
            let x = x.add(*start);
            unrolled!(N < T, {
                let x = _mm512_set1_ps(*x.add(N));
                sums[N][0] = _mm512_fmadd_ps(x, d[0], sums[N][0]);
                if R == 2 {
                    sums[N][R - 1] = _mm512_fmadd_ps(x, d[R - 1], sums[N][R - 1]);
                }
            });
            from = from.wrapping_add(channels);
        }
        for (t, sums) in sums.iter().enumerate() {
            for r in 0..R {
                let to = dw.as_mut_ptr().add((ky * run + j + t) * channels + block.start + 16 * r);
                let old = _mm512_maskz_loadu_ps(masks[r], to);
                _mm512_mask_storeu_ps(to, masks[r], _mm512_add_ps(sums[r], old));
            }
        }
    }
}
