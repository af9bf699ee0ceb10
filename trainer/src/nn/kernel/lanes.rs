//! Inner loops over rows with per-channel factors, compiled for the widest registers the processor has. No operation is
//! fused or reordered, so that every version gives the same bits.
//!
//! Factors are repeated to a whole number of rows; each function walks its values in steps of that length.

// Each body must become part of the function that was compiled for the wider registers.
#![allow(clippy::inline_always)]

use crate::nn::activation::Activation;

/// Runs `$body` with the constant `$name` for the activation, so that each has loops of its own.
macro_rules! each_activation {
    ($act:expr, $name:ident => $body:expr) => {
        match $act {
            Activation::Identity => {
                const $name: Activation = Activation::Identity;
                $body
            }
            Activation::Relu => {
                const $name: Activation = Activation::Relu;
                $body
            }
            Activation::Relu6 => {
                const $name: Activation = Activation::Relu6;
                $body
            }
            Activation::Silu => {
                const $name: Activation = Activation::Silu;
                $body
            }
        }
    };
}

/// Defines a function whose body is compiled for AVX-512, for AVX2 and for any processor, and chosen when called.
macro_rules! dispatched {
    ($(#[$meta:meta])* pub fn $name:ident($($arg:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code)]
        pub fn $name($($arg: $kind),*) {
            #[inline(always)]
            fn body($($arg: $kind),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn with_avx512($($arg: $kind),*) {
                    body($($arg),*);
                }
                #[target_feature(enable = "avx2")]
                fn with_avx2($($arg: $kind),*) {
                    body($($arg),*);
                }
                if std::arch::is_x86_feature_detected!("avx512f") {
                    // SAFETY: the processor has AVX-512F.
                    return unsafe { with_avx512($($arg),*) };
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has AVX2.
                    return unsafe { with_avx2($($arg),*) };
                }
            }
            body($($arg),*);
        }
    };
}

dispatched! {
    /// Adds each value to the sum of its lane.
    pub fn sum(sums: &mut [f32], values: &[f32]) {
        for values in values.chunks(sums.len()) {
            for (sum, v) in sums.iter_mut().zip(values) {
                *sum += v;
            }
        }
    }
}

dispatched! {
    /// Adds each squared distance from its lane's centre to the sum of its lane.
    pub fn sum_squares(sums: &mut [f32], centre: &[f32], values: &[f32]) {
        for values in values.chunks(sums.len()) {
            for ((sum, v), c) in sums.iter_mut().zip(values).zip(centre) {
                *sum += (v - c) * (v - c);
            }
        }
    }
}

/// `act(x * scale + shift)` into `y`.
#[inline(always)]
fn affine_with(x: &[f32], y: &mut [f32], scale: &[f32], shift: &[f32], act: impl Fn(f32) -> f32) {
    for (x, y) in x.chunks(scale.len()).zip(y.chunks_mut(scale.len())) {
        for (((y, x), a), b) in y.iter_mut().zip(x).zip(scale).zip(shift) {
            *y = act(x * a + b);
        }
    }
}

dispatched! {
    /// `y = x * scale + shift`, then the activation.
    pub fn affine(x: &[f32], y: &mut [f32], scale: &[f32], shift: &[f32], act: Activation) {
        each_activation!(act, A => affine_with(x, y, scale, shift, |z| A.value(z)));
    }
}

#[inline(always)]
fn affine_in_place_with(values: &mut [f32], scale: &[f32], shift: &[f32], act: impl Fn(f32) -> f32) {
    for values in values.chunks_mut(scale.len()) {
        for ((v, a), b) in values.iter_mut().zip(scale).zip(shift) {
            *v = act(*v * a + b);
        }
    }
}

dispatched! {
    /// [`affine`] in place.
    pub fn affine_in_place(values: &mut [f32], scale: &[f32], shift: &[f32], act: Activation) {
        each_activation!(act, A => affine_in_place_with(values, scale, shift, |z| A.value(z)));
    }
}

/// Per-lane factors of a normalisation.
#[derive(Clone, Copy)]
pub struct Factors<'a> {
    pub scale: &'a [f32],
    pub shift: &'a [f32],
    pub mean: &'a [f32],
    pub act: Activation,
}

#[inline(always)]
fn reduce_with(
    x: &[f32],
    dy: &[f32],
    f: Factors,
    first: &mut [f32],
    second: &mut [f32],
    back: impl Fn(f32, f32) -> f32,
) {
    for (x, dy) in x.chunks(f.scale.len()).zip(dy.chunks(f.scale.len())) {
        let sums = first.iter_mut().zip(second.iter_mut());
        let factors = f.scale.iter().zip(f.shift).zip(f.mean);
        for (((x, dy), (first, second)), ((scale, shift), mean)) in x.iter().zip(dy).zip(sums).zip(factors) {
            let d = back(x * scale + shift, *dy);
            *first += d;
            *second += d * (x - mean);
        }
    }
}

dispatched! {
    /// Adds `dy'` to `first` and `dy' * (x - mean)` to `second`; `dy'` is `dy` times the activation's derivative.
    pub fn reduce(x: &[f32], dy: &[f32], f: Factors, first: &mut [f32], second: &mut [f32]) {
        each_activation!(f.act, A => reduce_with(x, dy, f, first, second, |z, dy| through(A, z, dy)));
    }
}

#[inline(always)]
fn gradient_with(
    x: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    f: Factors,
    (slope, offset): (&[f32], &[f32]),
    back: impl Fn(f32, f32) -> f32,
) {
    let lanes = f.scale.len();
    for ((x, dy), dx) in x.chunks(lanes).zip(dy.chunks(lanes)).zip(dx.chunks_mut(lanes)) {
        let factors = f.scale.iter().zip(f.shift).zip(f.mean.iter().zip(slope)).zip(offset);
        for (((dx, x), dy), (((scale, shift), (mean, slope)), offset)) in
            dx.iter_mut().zip(x).zip(dy).zip(factors)
        {
            let d = back(x * scale + shift, *dy);
            *dx = scale * d + slope * (x - mean) + offset;
        }
    }
}

dispatched! {
    /// `dx = scale * dy' + slope * (x - mean) + offset`.
    pub fn gradient(x: &[f32], dy: &[f32], dx: &mut [f32], f: Factors, slope: &[f32], offset: &[f32]) {
        each_activation!(f.act, A => gradient_with(x, dy, dx, f, (slope, offset), |z, dy| through(A, z, dy)));
    }
}

dispatched! {
    /// Moves averages towards values, or towards their squares.
    pub fn follow(averages: &mut [f32], values: &[f32], decay: f32, squared: bool) {
        let rest = 1.0 - decay;
        if squared {
            averages.iter_mut().zip(values).for_each(|(a, v)| *a = decay * *a + rest * (v * v));
        } else {
            averages.iter_mut().zip(values).for_each(|(a, v)| *a = decay * *a + rest * v);
        }
    }
}

dispatched! {
    /// `value = keep * value - rate * mean / (sqrt(square * correction) + epsilon)`.
    pub fn adam(values: &mut [f32], means: &[f32], squares: &[f32], factors: [f32; 4]) {
        let [keep, rate, correction, epsilon] = factors;
        for ((value, mean), square) in values.iter_mut().zip(means).zip(squares) {
            *value = keep * *value - rate * mean / ((square * correction).sqrt() + epsilon);
        }
    }
}

/// `dy` times the derivative; chosen, not multiplied, where the derivative is 0 or 1, so that a NaN there stays out.
#[inline(always)]
fn through(act: Activation, z: f32, dy: f32) -> f32 {
    match act {
        Activation::Identity => dy,
        Activation::Relu => {
            if z > 0.0 {
                dy
            } else {
                0.0
            }
        }
        Activation::Relu6 => {
            if z > 0.0 && z < 6.0 {
                dy
            } else {
                0.0
            }
        }
        Activation::Silu => dy * act.derivative(z),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, salt: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + salt * 31) % 23) as f32 / 7.0 - 1.5).collect()
    }

    /// The dispatched versions against plain indexing, on a length that is no whole number of steps.
    #[test]
    fn give_the_bits_of_plain_loops() {
        let (lanes, n) = (48, 48 * 5 + 16);
        let [scale, shift, mean, slope, offset] = [1, 2, 3, 4, 5].map(|salt| numbers(lanes, salt));
        let (x, dy) = (numbers(n, 6), numbers(n, 7));
        for act in [Activation::Identity, Activation::Relu, Activation::Relu6, Activation::Silu] {
            let f = Factors { scale: &scale, shift: &shift, mean: &mean, act };
            let z = |i: usize| x[i] * scale[i % lanes] + shift[i % lanes];
            let d = |i: usize| dy[i] * act.derivative(z(i));
            let want: Vec<f32> = (0..n).map(|i| act.value(z(i))).collect();
            let (mut y, mut in_place) = (vec![0.0; n], x.clone());
            affine(&x, &mut y, &scale, &shift, act);
            affine_in_place(&mut in_place, &scale, &shift, act);
            assert_eq!((&y, &in_place), (&want, &want));
            let mut dx = vec![0.0; n];
            gradient(&x, &dy, &mut dx, f, &slope, &offset);
            let want = |i: usize| {
                scale[i % lanes] * d(i) + slope[i % lanes] * (x[i] - mean[i % lanes]) + offset[i % lanes]
            };
            assert_eq!(dx, (0..n).map(want).collect::<Vec<_>>());
            let (mut first, mut second) = (vec![0.0; lanes], vec![0.0; lanes]);
            reduce(&x, &dy, f, &mut first, &mut second);
            let lane = |l: usize, v: &dyn Fn(usize) -> f32| (l..n).step_by(lanes).fold(0.0, |s, i| s + v(i));
            assert_eq!(first, (0..lanes).map(|l| lane(l, &d)).collect::<Vec<_>>());
            assert_eq!(second, (0..lanes).map(|l| lane(l, &|i| d(i) * (x[i] - mean[l]))).collect::<Vec<_>>());
            let (mut sums, mut squares) = (vec![0.0; lanes], vec![0.0; lanes]);
            sum(&mut sums, &x);
            sum_squares(&mut squares, &mean, &x);
            assert_eq!(sums, (0..lanes).map(|l| lane(l, &|i| x[i])).collect::<Vec<_>>());
            let square = |l: usize| lane(l, &|i| (x[i] - mean[l]) * (x[i] - mean[l]));
            assert_eq!(squares, (0..lanes).map(square).collect::<Vec<_>>());
        }
    }
}
