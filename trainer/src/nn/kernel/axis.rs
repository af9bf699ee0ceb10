//! Along one axis of a convolution: which taps of each window lie on the map. The others would meet padding, and are
//! never computed.

/// The taps of a window that lie on the map: `count` of them, read from `from` on, one position after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    pub from: usize,
    /// The first of the taps; the next ones follow in steps of [`Axis::step`].
    pub tap: usize,
    pub count: usize,
}

/// One axis of a convolution or of its transpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// For each position of what is computed, what it reads.
    pub spans: Vec<Span>,
    /// From one tap of a span to the next.
    pub step: usize,
    /// Positions that are read from.
    pub read: usize,
    /// Taps of a whole window.
    pub kernel: usize,
}

/// An axis's sizes, as a convolution has them.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub input: usize,
    pub output: usize,
    pub kernel: usize,
    pub stride: usize,
    /// Zeros before the map.
    pub before: usize,
}

impl Axis {
    /// Each output reads inputs.
    pub fn forward(s: Sizes) -> Self {
        let span = |o: usize| {
            // Counted from the first of the zeros before the map, so that positions stay unsigned.
            let left = o * s.stride;
            let tap = s.before.saturating_sub(left).min(s.kernel);
            let end = (s.input + s.before).saturating_sub(left).clamp(tap, s.kernel);
            let from = (left + tap).saturating_sub(s.before);
            Span { from: if tap < end { from } else { 0 }, tap, count: end - tap }
        };
        Self { spans: (0..s.output).map(span).collect(), step: 1, read: s.input, kernel: s.kernel }
    }

    /// Each gradient of an input reads gradients of outputs, through the taps in reverse order (tap 0 is the last).
    pub fn backward(s: Sizes) -> Self {
        let span = |i: usize| {
            let reach = i + s.before;
            let taps = (0..s.kernel).rev().filter(|k| {
                reach.checked_sub(*k).is_some_and(|r| r % s.stride == 0 && r / s.stride < s.output)
            });
            let first = taps.clone().next();
            first.map_or(Span { from: 0, tap: 0, count: 0 }, |k| Span {
                from: (reach - k) / s.stride,
                tap: s.kernel - 1 - k,
                count: taps.count(),
            })
        };
        Self { spans: (0..s.input).map(span).collect(), step: s.stride, read: s.output, kernel: s.kernel }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of an input and an output position that meet through a tap, once each, in both directions.
    #[test]
    fn both_directions_list_the_pairs_that_meet() {
        for input in 1..9 {
            for (kernel, stride, before, after) in [
                (3, 1, 1, 1),
                (3, 2, 1, 1),
                (3, 2, 0, 1),
                (1, 2, 0, 0),
                (5, 2, 2, 2),
                (5, 1, 4, 3),
                (2, 3, 0, 1),
                (3, 1, 7, 0),
            ] {
                let Some(room) = (input + before + after as usize).checked_sub(kernel) else { continue };
                let output = room / stride + 1;
                let sizes = Sizes { input, output, kernel, stride, before };
                let mut want = Vec::new();
                for o in 0..output {
                    for k in 0..kernel {
                        if let Some(i) = (o * stride + k).checked_sub(before).filter(|i| *i < input) {
                            want.push((i, o, k));
                        }
                    }
                }
                let pairs = |axis: &Axis| -> Vec<(usize, usize, usize)> {
                    let each = |(at, s): (usize, &Span)| {
                        let (s, step) = (*s, axis.step);
                        (0..s.count).map(move |j| (at, s.from + j, s.tap + j * step))
                    };
                    axis.spans.iter().enumerate().flat_map(each).collect()
                };
                let forward: Vec<_> =
                    pairs(&Axis::forward(sizes)).iter().map(|(o, i, k)| (*i, *o, *k)).collect();
                assert_eq!(forward, want, "{sizes:?}");
                let mut backward: Vec<_> =
                    pairs(&Axis::backward(sizes)).iter().map(|(i, o, k)| (*i, *o, kernel - 1 - *k)).collect();
                backward.sort_unstable();
                want.sort_unstable();
                assert_eq!(backward, want, "{sizes:?}");
            }
        }
    }
}
