//! The AVX-512 part of [`super`]: 16 channels at a time.

use super::{Columns, Gather, Sums};
use crate::nn::kernel::axis::Span;
use std::arch::x86_64::{
    __m512, __mmask16, _mm512_add_ps, _mm512_fmadd_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_setzero_ps,
};
use std::ops::Range;

const LANES: usize = 16;

/// Calls `$run::<ROWS, COLUMNS>` with constants for up to 5 rows and columns; false if there are more.
macro_rules! sized {
    ($rows:expr, $columns:expr, $run:ident($($arg:expr),*)) => {
        sized!(@rows $rows, $columns, $run($($arg),*), 1 2 3 4 5)
    };
    (@rows $rows:expr, $columns:expr, $run:ident $args:tt, $($r:literal)*) => {
        match $rows {
            $($r => sized!(@columns $r, $columns, $run $args),)*
            _ => false,
        }
    };
    (@columns $r:literal, $columns:expr, $run:ident($($arg:expr),*)) => {
        match $columns {
            1 => { $run::<$r, 1>($($arg),*); true }
            2 => { $run::<$r, 2>($($arg),*); true }
            3 => { $run::<$r, 3>($($arg),*); true }
            4 => { $run::<$r, 4>($($arg),*); true }
            5 => { $run::<$r, 5>($($arg),*); true }
            _ => false,
        }
    };
}

fn mask(channels: usize, from: usize) -> __mmask16 {
    ((1u32 << (channels - from).min(LANES)) - 1) as __mmask16
}

/// Rows `y` of one image; `to` begins with the first of them.
///
/// # Safety
/// AVX-512F; `from` holds an image as the axes read it, `to` the rows, and the weights all taps.
#[target_feature(enable = "avx512f")]
pub unsafe fn gather(g: &Gather, y: Range<usize>, from: &[f32], to: *mut f32) {
    let c = g.channels;
    let width = g.axes.1.spans.len();
    for at in (0..c).step_by(LANES) {
        for (first, rows) in groups(&g.axes.0.spans, y.clone()) {
            let span = g.axes.0.spans[first];
            let to = to.wrapping_add((first - y.start) * width * c + at);
            let strip = Strip {
                from: from.as_ptr().wrapping_add(at),
                to,
                weights: g.weights.as_ptr().wrapping_add(at),
                mask: mask(c, at),
                rows: first..first + rows,
            };
            // SAFETY: the caller's promise; spans stay within what is read.
            unsafe {
                let columns = g.columns.as_ref();
                if !columns.is_some_and(|k| sized!(span.count, k.taps.len(), slide(g, k, &strip))) {
                    each(g, &strip);
                }
            }
        }
    }
}

/// Runs of rows that read through the same taps.
fn groups(spans: &[Span], y: Range<usize>) -> Vec<(usize, usize)> {
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for i in y {
        match groups.last_mut() {
            Some((first, rows))
                if (spans[*first].tap, spans[*first].count) == (spans[i].tap, spans[i].count) =>
            {
                *rows += 1;
            }
            _ => groups.push((i, 1)),
        }
    }
    groups
}

/// Some rows that read through the same taps, at one block of channels.
struct Strip {
    from: *const f32,
    to: *mut f32,
    weights: *const f32,
    mask: __mmask16,
    rows: Range<usize>,
}

/// Any step and size: tap by tap for each pixel.
#[target_feature(enable = "avx512f")]
unsafe fn each(g: &Gather, strip: &Strip) {
    let (c, m) = (g.channels, strip.mask);
    let (y, x) = g.axes;
    let mut to = strip.to;
    for v in &y.spans[strip.rows.clone()] {
        for h in &x.spans {
            let mut sum = _mm512_setzero_ps();
            for j in 0..v.count {
                let mut from = strip.from.wrapping_add(((v.from + j) * x.read + h.from) * c);
                let tap = (v.tap + j * y.step) * x.kernel + h.tap;
                let mut weights = strip.weights.wrapping_add(tap * c);
                for _ in 0..h.count {
                    // SAFETY: taps of a span lie within what is read and within the window.
                    unsafe {
                        let (a, b) = (_mm512_maskz_loadu_ps(m, from), _mm512_maskz_loadu_ps(m, weights));
                        sum = _mm512_fmadd_ps(a, b, sum);
                    }
                    from = from.wrapping_add(c);
                    weights = weights.wrapping_add(x.step * c);
                }
            }
            // SAFETY: the pixel lies within the rows that are computed.
            unsafe { _mm512_mask_storeu_ps(to, m, sum) };
            to = to.wrapping_add(c);
        }
    }
}

/// Step 1: each column that is read goes into K sums, of which one is then complete.
#[target_feature(enable = "avx512f")]
unsafe fn slide<const R: usize, const K: usize>(g: &Gather, columns: &Columns, strip: &Strip) {
    let (c, m) = (g.channels, strip.mask);
    let (y, x) = g.axes;
    let tap = y.spans[strip.rows.start].tap;
    let mut weights = [[_mm512_setzero_ps(); K]; R];
    for (r, weights) in weights.iter_mut().enumerate() {
        for (k, w) in weights.iter_mut().enumerate() {
            let tap = (tap + r * y.step) * x.kernel + columns.taps.start + k;
            // SAFETY: R and K are the numbers of taps in use.
            *w = unsafe { _mm512_maskz_loadu_ps(m, strip.weights.wrapping_add(tap * c)) };
        }
    }
    let mut to = strip.to;
    for v in &y.spans[strip.rows.clone()] {
        let row = strip.from.wrapping_add(v.from * x.read * c);
        let mut sums: [__m512; K] = [_mm512_setzero_ps(); K];
        // The first columns complete pixels left of the map.
        let mut left = columns.ahead;
        let end = to.wrapping_add(x.spans.len() * c);
        for i in 0..x.read {
            for (r, weights) in weights.iter().enumerate() {
                // SAFETY: column i of a row that the span reads.
                let v = unsafe { _mm512_maskz_loadu_ps(m, row.wrapping_add((r * x.read + i) * c)) };
                for k in 0..K {
                    sums[k] = _mm512_fmadd_ps(v, weights[k], sums[k]);
                }
            }
            if left > 0 {
                left -= 1;
            } else if to < end {
                // SAFETY: `to` is a pixel of this row.
                unsafe { _mm512_mask_storeu_ps(to, m, sums[K - 1]) };
                to = to.wrapping_add(c);
            }
            shift(&mut sums);
        }
        while to < end {
            if left > 0 {
                left -= 1;
            } else {
                // SAFETY: as above.
                unsafe { _mm512_mask_storeu_ps(to, m, sums[K - 1]) };
                to = to.wrapping_add(c);
            }
            shift(&mut sums);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn shift<const K: usize>(values: &mut [__m512; K]) {
    for k in (1..K).rev() {
        values[k] = values[k - 1];
    }
    values[0] = _mm512_setzero_ps();
}

/// Adds what one image gives to the gradient of the weights.
///
/// # Safety
/// AVX-512F; `x` and `dy` hold an image each, `dw` all taps.
#[target_feature(enable = "avx512f")]
pub unsafe fn weight_gradient(s: &Sums, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let c = s.channels;
    let groups = groups(&s.axes.0.spans, 0..s.axes.0.spans.len());
    for at in (0..c).step_by(LANES) {
        for (first, rows) in &groups {
            let span = s.axes.0.spans[*first];
            let pair = Pair {
                x: x.as_ptr().wrapping_add(at),
                dy: dy.as_ptr().wrapping_add(at),
                dw: dw.as_mut_ptr().wrapping_add(at),
                mask: mask(c, at),
                rows: *first..first + rows,
            };
            // SAFETY: the caller's promise.
            unsafe {
                let columns = s.columns.as_ref();
                if !columns.is_some_and(|k| sized!(span.count, k.taps.len(), sums(s, k, &pair))) {
                    each_tap(s, &pair);
                }
            }
        }
    }
}

/// Rows of gradients that read through the same taps, at one block of channels.
struct Pair {
    x: *const f32,
    dy: *const f32,
    dw: *mut f32,
    mask: __mmask16,
    rows: Range<usize>,
}

/// Any step and size: a sum over pixels for each tap.
#[target_feature(enable = "avx512f")]
unsafe fn each_tap(s: &Sums, pair: &Pair) {
    let (c, m) = (s.channels, pair.mask);
    let (y, x) = s.axes;
    let first = y.spans[pair.rows.start];
    for j in 0..first.count {
        for tap in 0..x.kernel {
            let mut sum = _mm512_setzero_ps();
            for row in pair.rows.clone() {
                for (i, h) in x.spans.iter().enumerate() {
                    if tap < h.tap || tap >= h.tap + h.count {
                        continue;
                    }
                    let from = ((y.spans[row].from + j) * x.read + h.from + tap - h.tap) * c;
                    let to = (row * x.spans.len() + i) * c;
                    // SAFETY: the tap of a span, and its pixel.
                    unsafe {
                        let a = _mm512_maskz_loadu_ps(m, pair.x.wrapping_add(from));
                        let b = _mm512_maskz_loadu_ps(m, pair.dy.wrapping_add(to));
                        sum = _mm512_fmadd_ps(a, b, sum);
                    }
                }
            }
            let at = pair.dw.wrapping_add(((first.tap + j) * x.kernel + tap) * c);
            // SAFETY: a tap of the window.
            unsafe { _mm512_mask_storeu_ps(at, m, _mm512_add_ps(_mm512_maskz_loadu_ps(m, at), sum)) };
        }
    }
}

/// Step 1: all taps at once, each column that is read with the gradients of K pixels.
#[target_feature(enable = "avx512f")]
unsafe fn sums<const R: usize, const K: usize>(s: &Sums, columns: &Columns, pair: &Pair) {
    let (c, m) = (s.channels, pair.mask);
    let (y, x) = s.axes;
    let mut sums = [[_mm512_setzero_ps(); K]; R];
    let width = x.spans.len();
    for row in pair.rows.clone() {
        let from = pair.x.wrapping_add(y.spans[row].from * x.read * c);
        let mut next = pair.dy.wrapping_add(row * width * c);
        let end = next.wrapping_add(width * c);
        // Tap k of column i belongs to pixel i + K - 1 - ahead - k: before the first column, those right of it.
        let mut dy: [__m512; K] = [_mm512_setzero_ps(); K];
        let mut load = |dy: &mut [__m512; K]| {
            shift(dy);
            if next < end {
                // SAFETY: a pixel of this row.
                dy[0] = unsafe { _mm512_maskz_loadu_ps(m, next) };
                next = next.wrapping_add(c);
            }
        };
        for _ in columns.ahead..K - 1 {
            load(&mut dy);
        }
        for i in 0..x.read {
            load(&mut dy);
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: column i of a row that the span reads.
                let v = unsafe { _mm512_maskz_loadu_ps(m, from.wrapping_add((r * x.read + i) * c)) };
                for k in 0..K {
                    sums[k] = _mm512_fmadd_ps(v, dy[k], sums[k]);
                }
            }
        }
    }
    let tap = y.spans[pair.rows.start].tap;
    for (r, sums) in sums.iter().enumerate() {
        for (k, sum) in sums.iter().enumerate() {
            let at = pair.dw.wrapping_add(((tap + r) * x.kernel + columns.taps.start + k) * c);
            // SAFETY: a tap of the window.
            unsafe { _mm512_mask_storeu_ps(at, m, _mm512_add_ps(_mm512_maskz_loadu_ps(m, at), *sum)) };
        }
    }
}
