//! The gradient of the weights: sums over pixels of what each reads times its gradient.

use super::super::Taps;
use super::super::panels::LANES;
use super::super::plan::{Pixel, Plan};
use super::masks;
use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_ps,
    _mm512_setzero_ps,
};
use std::ops::Range;

/// Pixels over which sums stay in registers: what is read for them stays in the first-level cache.
const BLOCK: usize = 256;

/// # Safety
/// AVX-512F; `x` holds the pixels' windows with these taps, `dy` the pixels, `dw` the channels `out` of these taps, and
/// nobody else uses those. With `turned`, that holds all taps for each channel of `out`, and takes the sums in place of `dw`.
#[target_feature(enable = "avx512f")]
pub unsafe fn add(
    plan: &Plan,
    pixels: &[Pixel],
    (x, dy): (&[f32], &[f32]),
    out: &Range<usize>,
    taps: &Taps,
    (dw, turned): (*mut f32, Option<&mut [f32]>),
) {
    let registers = out.len().div_ceil(LANES);
    let whole = turned.is_none() && at_once(taps.rows, taps.count, out.len());
    let all = turned.as_ref().map_or(0, |turned| turned.len() / out.len());
    let turned = turned.map(<[f32]>::as_mut_ptr);
    for pixels in pixels.chunks(BLOCK) {
        for row in (0..taps.rows).step_by(if whole { taps.rows } else { 1 }) {
            let first = taps.to + row * taps.row;
            let outer = Outer {
                pixels,
                x: x.as_ptr().wrapping_add(taps.from + row * plan.row),
                row: plan.row,
                dy: dy.as_ptr().wrapping_add(out.start),
                dw: turned
                    .map_or(dw.wrapping_add(first * plan.channels.1 + out.start), |t| t.wrapping_add(first)),
                dw_row: taps.row * plan.channels.1,
                stride: plan.channels.1,
                all,
                lanes: out.len(),
            };
            // SAFETY: the caller's promise.
            unsafe {
                match (registers, taps.count) {
                    _ if turned.is_some() => outer.turned(taps.count),
                    (_, 3) if whole => outer.tile::<1, 3, 3>(0),
                    (_, 9) if whole => outer.tile::<1, 3, 9>(0),
                    (1, count) => outer.taps::<1, 24>(count),
                    (2, count) => outer.taps::<2, 12>(count),
                    (_, count) => outer.taps::<3, 8>(count),
                }
            }
        }
    }
}

/// Whether registers hold the sums of a whole window.
fn at_once(rows: usize, taps: usize, channels: usize) -> bool {
    channels <= LANES && rows == 3 && matches!(taps, 3 | 9)
}

/// Whether registers should hold neighbouring taps rather than neighbouring channels: where fewer lanes stay empty, or where
/// a single register of channels would have each value that is read loaded for one use.
pub fn turns(taps: usize, channels: usize) -> bool {
    let whole = |n: usize| n.next_multiple_of(LANES);
    let fuller = taps * whole(channels) * 10 > channels * whole(taps) * 11;
    taps > LANES && channels <= 2 * LANES && (channels <= LANES || fuller)
}

/// Some pixels, and a row of taps.
struct Outer<'a> {
    pixels: &'a [Pixel],
    x: *const f32,
    /// Values from a row that is read to the next.
    row: usize,
    dy: *const f32,
    dw: *mut f32,
    /// Values of `dw` from a row of taps to the next.
    dw_row: usize,
    /// Values of `dw` from a channel to the next, if it is turned.
    all: usize,
    /// Values from a pixel of `dy` or a tap of `dw` to the next, and how many are used.
    stride: usize,
    lanes: usize,
}

impl Outer<'_> {
    /// All taps of a row, T at a time.
    #[target_feature(enable = "avx512f")]
    unsafe fn taps<const R: usize, const T: usize>(&self, count: usize) {
        let mut j = 0;
        // SAFETY: j and the taps of each call stay within `count`.
        unsafe {
            // Twice 8 is better than 12 and 4.
            while j + T <= count && count - j != 16 {
                self.tile::<R, 1, T>(j);
                j += T;
            }
            while j + 8 <= count {
                self.tile::<R, 1, 8>(j);
                j += 8;
            }
            while j + 3 <= count {
                self.tile::<R, 1, 3>(j);
                j += 3;
            }
            while j < count {
                self.tile::<R, 1, 1>(j);
                j += 1;
            }
        }
    }

    /// T taps from tap j on, in Y rows: registers hold channels.
    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const R: usize, const Y: usize, const T: usize>(&self, j: usize) {
        let masks = masks::<R>(self.lanes);
        let mut sums: [[[__m512; R]; T]; Y] = [[[_mm512_setzero_ps(); R]; T]; Y];
        // SAFETY: taps lie within the windows, pixels within `dy`, and lanes let through within the channels.
        unsafe {
            for pixel in self.pixels {
                let dy = self.dy.add(pixel.to as usize * self.stride);
                let d: [__m512; R] =
                    std::array::from_fn(|r| _mm512_maskz_loadu_ps(masks[r], dy.add(LANES * r)));
                let x = self.x.add(pixel.from as usize + j);
                unrolled!(K < Y <= 4, {
                    let x = x.add(K * self.row);
                    unrolled!(N < T, {
                        let x = _mm512_set1_ps(*x.add(N));
                        unrolled!(L < R <= 4, {
                            sums[K][N][L] = _mm512_fmadd_ps(x, d[L], sums[K][N][L]);
                        });
                    });
                });
            }
            for (y, sums) in sums.iter().enumerate() {
                for (t, sums) in sums.iter().enumerate() {
                    let row = self.dw.add(y * self.dw_row + (j + t) * self.stride);
                    for r in 0..R {
                        let to = row.add(LANES * r);
                        let old = _mm512_maskz_loadu_ps(masks[r], to);
                        _mm512_mask_storeu_ps(to, masks[r], _mm512_add_ps(sums[r], old));
                    }
                }
            }
        }
    }

    /// All taps of a row and all channels: registers hold taps.
    #[target_feature(enable = "avx512f")]
    unsafe fn turned(&self, count: usize) {
        let mut j = 0;
        while j < count {
            let taps = (count - j).min(3 * LANES);
            // SAFETY: j and the taps of each call stay within `count`.
            unsafe {
                match taps.div_ceil(LANES) {
                    1 => self.channels::<1, 24>(j, taps),
                    2 => self.channels::<2, 12>(j, taps),
                    _ => self.channels::<3, 8>(j, taps),
                }
            }
            j += taps;
        }
    }

    /// Some taps from tap j on, C channels at a time.
    #[target_feature(enable = "avx512f")]
    unsafe fn channels<const R: usize, const C: usize>(&self, j: usize, taps: usize) {
        let mut c = 0;
        // SAFETY: c and the channels of each call stay within `lanes`.
        unsafe {
            while c + C <= self.lanes {
                self.turned_tile::<R, C>(j, taps, c);
                c += C;
            }
            while c + 4 <= self.lanes {
                self.turned_tile::<R, 4>(j, taps, c);
                c += 4;
            }
            while c < self.lanes {
                self.turned_tile::<R, 1>(j, taps, c);
                c += 1;
            }
        }
    }

    /// Some taps from tap j on, C channels from channel c on.
    #[target_feature(enable = "avx512f")]
    unsafe fn turned_tile<const R: usize, const C: usize>(&self, j: usize, taps: usize, c: usize) {
        let masks = masks::<R>(taps);
        let mut sums: [[__m512; R]; C] = [[_mm512_setzero_ps(); R]; C];
        // SAFETY: lanes let through are taps of the windows, pixels lie within `dy`, and c + C channels are there.
        unsafe {
            for pixel in self.pixels {
                let x = self.x.add(pixel.from as usize + j);
                let x: [__m512; R] =
                    std::array::from_fn(|r| _mm512_maskz_loadu_ps(masks[r], x.add(LANES * r)));
                let dy = self.dy.add(pixel.to as usize * self.stride + c);
                unrolled!(N < C, {
                    let d = _mm512_set1_ps(*dy.add(N));
                    unrolled!(L < R <= 4, { sums[N][L] = _mm512_fmadd_ps(x[L], d, sums[N][L]) });
                });
            }
            for (n, sums) in sums.iter().enumerate() {
                let row = self.dw.add((c + n) * self.all + j);
                for r in 0..R {
                    let to = row.add(LANES * r);
                    let old = _mm512_maskz_loadu_ps(masks[r], to);
                    _mm512_mask_storeu_ps(to, masks[r], _mm512_add_ps(sums[r], old));
                }
            }
        }
    }
}
