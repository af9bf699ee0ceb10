//! Scales and zero points at which int8 loses little and runtimes agree to the bit.

use super::calibrate::Span;
use super::quantise::{Gains, Steps};

/// A gain for each channel and the zero point for all, so that every channel's range fits into u8.
///
/// The zero point is the one at which the squares of the channels' steps add up to the least. A channel then has
/// the geometric mean of the greatest gain that its range allows and the least of all channels': a great gain makes
/// the map's steps fine, but the channel's weights, which are divided by it, coarse beside those of the others.
/// A channel that is 0 in all of calibration gets the least gain: what it will hold is unknown.
pub(super) fn gains(channels: &[Span]) -> Gains {
    let zero = common_zero(channels);
    let all = channels.iter().map(|s| greatest(*s, zero)).filter(|g| g.is_finite());
    let least = all.fold(f32::INFINITY, f32::min);
    let least = if least.is_finite() { least } else { 1.0 };
    let gain = |span: &Span| {
        let greatest = greatest(*span, zero);
        let mean = (f64::from(greatest) * f64::from(least)).sqrt();
        if greatest.is_finite() { mean as f32 } else { least }
    };
    Gains { gain: channels.iter().map(gain).collect(), zero_point: zero }
}

/// What lies further below 0 than this a SiLU makes -0.006 to 0 of.
const SILU_LOW: f32 = -7.0;

/// A gain for each channel of what a SiLU is applied to, and the zero point for all. No weights are divided by these
/// gains: each channel has the greatest.
pub(super) fn full_gains(channels: &[Span]) -> Gains {
    let channels: Vec<Span> = channels.iter().map(|s| Span { low: s.low.max(SILU_LOW), ..*s }).collect();
    let zero_point = common_zero(&channels);
    let gains = channels.iter().map(|s| greatest(*s, zero_point));
    // What never moved from 0 may still move.
    let least = gains.clone().fold(f32::INFINITY, f32::min);
    let least = if least.is_finite() { least } else { 1.0 };
    Gains { gain: gains.map(|g| if g.is_finite() { g } else { least }).collect(), zero_point }
}

/// The greatest gain at which a range fits into u8.
fn greatest(span: Span, zero: u8) -> f32 {
    let below = if span.low < 0.0 { f32::from(zero) / -span.low } else { f32::INFINITY };
    let above = if span.high > 0.0 { f32::from(255 - zero) / span.high } else { f32::INFINITY };
    below.min(above)
}

/// The zero point at which the squares of the channels' steps add up to the least.
fn common_zero(channels: &[Span]) -> u8 {
    let gains = |zero: u8| channels.iter().map(move |s| greatest(*s, zero)).filter(|g| g.is_finite());
    let steps = |zero: u8| gains(zero).map(|g| f64::from(g).powi(-2)).sum::<f64>();
    (0..=255).min_by(|a, b| steps(*a).total_cmp(&steps(*b))).unwrap_or(0)
}

/// The steps at which a range fills u8.
pub(super) fn steps(span: Span) -> Steps {
    let (low, high) = (span.low.min(0.0), span.high.max(0.0));
    // A layer that is dead on every calibration coil still needs a scale.
    let scale = if high > low { (high - low) / 255.0 } else { 1.0 / 255.0 };
    Steps { scale, zero_point: (-low / scale).round().clamp(0.0, 255.0) as u8 }
}

/// The output of an average pool, with a scale at which no mean of `area` u8 values falls on half a step.
///
/// At unlucky ratios (output scale = input scale is one) a quarter of all means of four values are exact ties, and
/// runtimes that round the f32 arithmetic around them differently then disagree everywhere. A slightly wider step,
/// by at most 2 %, keeps every one of the `255 area + 1` possible sums away from ties.
pub(super) fn pool_output(input: Steps, area: usize, output: Steps) -> Steps {
    let distance = |scale: f32| {
        let step = f64::from(input.scale) / f64::from(scale) / area as f64;
        let sums = 0..=255 * area;
        let off = |sum: usize| {
            let mean = (sum as f64 - f64::from(input.zero_point) * area as f64) * step;
            (mean - mean.floor() - 0.5).abs()
        };
        sums.map(off).fold(f64::INFINITY, f64::min)
    };
    let scales = (0..200_u16).map(|i| output.scale * (1.0 + f32::from(i) * 1e-4));
    let mut best = (f64::NEG_INFINITY, output.scale);
    for scale in scales {
        let far = distance(scale);
        if far > best.0 {
            best = (far, scale);
        }
    }
    Steps { scale: best.1, ..output }
}

/// The next output scale `y` whose reciprocal and whose ratio to the input scale `x` are nearly exact in f32.
/// Only then is there always an [`agreeing_scale`].
pub(super) fn smooth_scale(x: f32, scale: f32) -> f32 {
    // A quarter of the greatest rounding error. Errors are spread evenly: about one number in ten will do.
    let exact = |found: f32, wanted: f64| (f64::from(found) / wanted - 1.0).abs() < 2.0_f64.powi(-26);
    let smooth = |y: &f32| {
        let ratio = f64::from(x) / f64::from(*y);
        exact(y.recip(), 1.0 / f64::from(*y)) && exact(x * y.recip(), ratio) && exact(x / y, ratio)
    };
    upwards(scale).find(smooth).unwrap_or(scale)
}

/// The next weight scale `w` at which the f32 multiplier `x w / y` is the same number in each order that runtimes
/// compute it in: ONNX Runtime divides `x w` by `y`, tract multiplies by `1 / y` and may do that with `x` first.
///
/// Where the last bit differs, one value in some hundred thousand is rounded to the other side, and on an unlucky
/// coil a maximum pool makes a visible difference of it.
pub(super) fn agreeing_scale(scale: f32, x: f32, y: f32) -> f32 {
    let agrees = |w: &f32| {
        let multiplier = (x * w) / y;
        let others = [(x * w) * y.recip(), w * (x * y.recip()), w * (x / y)];
        others.iter().all(|m| *m == multiplier)
    };
    upwards(scale).find(agrees).unwrap_or(scale)
}

/// The numbers from `scale` on, about a thousandth up.
fn upwards(scale: f32) -> impl Iterator<Item = f32> {
    std::iter::successors(Some(scale), |s| Some(s.next_up())).take(8192)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_share_a_zero_point_and_fit_with_their_gains() {
        let span = |low, high| Span { low, high };
        let Gains { gain, zero_point: zero } =
            gains(&[span(-3.0, 3.0), span(-1.0, 4.0), span(0.0, 1.0), span(0.0, 0.0)]);
        // Steps 3/zero and 4/(255 - zero) weigh against each other; 4 needs more room above than 3 below.
        assert!((110..=125).contains(&zero), "{zero}");
        let least = f32::from(255 - zero) / 4.0;
        assert_eq!((gain[1], gain[3]), (least, least));
        assert!((gain[2] - (f32::from(255 - zero) * least).sqrt()).abs() < 1e-3, "{gain:?}");
        for (gain, (low, high)) in gain.iter().zip([(-3.0, 3.0), (-1.0, 4.0), (0.0, 1.0)]) {
            let steps = f32::from(zero) + gain * low..=f32::from(zero) + gain * high;
            assert!(*steps.start() >= -0.5 && *steps.end() <= 255.5, "{steps:?}");
        }
        assert_eq!(gains(&[span(0.0, 0.0)]).gain, [1.0]);
    }

    #[test]
    fn no_mean_of_a_pool_falls_on_half_a_step() {
        let input = Steps { scale: 0.037, zero_point: 0 };
        for area in [2_u16, 4, 6, 9] {
            let output = pool_output(input, usize::from(area), input);
            assert!(output.scale >= input.scale && output.scale < input.scale * 1.021);
            for sum in 0..=255 * area {
                let steps =
                    f64::from(sum) / f64::from(area) * f64::from(input.scale) / f64::from(output.scale);
                assert!((steps.fract() - 0.5).abs() > 5e-5, "{area} {sum}: {steps}");
            }
        }
    }
}
