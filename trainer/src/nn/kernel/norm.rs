//! Batch normalisation on rows of channels, with an activation in the same pass.
//!
//! Per-channel factors are repeated to [`LANES`] or more values, so that inner loops are long enough to be vectorised
//! however few channels there are.

use super::backward::OutputGradient;
use super::lanes::{self, Factors};
use super::per_part;
use crate::nn::activation::Activation;
use rayon::prelude::*;
use std::ops::Range;

/// Least number of values that inner loops run over.
const LANES: usize = 64;
/// Rows summed in f32 before their sum moves to f64.
const BLOCK: usize = 1024;

/// Channels, repeated to at least [`LANES`].
fn wide(channels: usize) -> usize {
    channels * (LANES / channels).max(1)
}

fn repeat(values: &[f32]) -> Vec<f32> {
    values.repeat((LANES / values.len()).max(1))
}

/// Sums lane vectors down to channels.
fn to_channels(wide: &[f32], channels: usize) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    for row in wide.chunks_exact(channels) {
        sums.iter_mut().zip(row).for_each(|(s, v)| *s += f64::from(*v));
    }
    sums
}

/// Mean and sum of squared deviations of each channel over rows seen so far.
#[derive(Debug, Default, Clone)]
pub struct Moments {
    pub count: f64,
    pub mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    /// Adds rows of `channels` values; meant for pieces that fit the cache, since they are read twice.
    pub fn absorb(&mut self, rows: &[f32], channels: usize) {
        let n = (rows.len() / channels) as f64;
        let mut wide = vec![0.0; wide(channels)];
        lanes::sum(&mut wide, rows);
        let mean: Vec<f64> = to_channels(&wide, channels).iter().map(|s| s / n).collect();
        let centre = repeat(&mean.iter().map(|m| *m as f32).collect::<Vec<_>>());
        wide.fill(0.0);
        lanes::sum_squares(&mut wide, &centre, rows);
        self.merge(&Self { count: n, mean, squares: to_channels(&wide, channels) });
    }

    /// Adds the rows that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        if self.count == 0.0 {
            self.clone_from(other);
            return;
        }
        let total = self.count + other.count;
        for c in 0..self.mean.len() {
            let delta = other.mean[c] - self.mean[c];
            self.squares[c] += other.squares[c] + delta * delta * self.count * other.count / total;
            self.mean[c] += delta * other.count / total;
        }
        self.count = total;
    }

    /// Moments of all rows, in parallel parts merged in order.
    pub fn of(rows: &[f32], channels: usize) -> Self {
        let part = per_part(rows.len() / channels) * channels;
        let parts: Vec<Self> = rows
            .par_chunks(part)
            .map(|part| {
                let mut moments = Self::default();
                part.chunks(BLOCK * channels).for_each(|block| moments.absorb(block, channels));
                moments
            })
            .collect();
        Self::merged(&parts)
    }

    /// The moments of all parts together, in order.
    pub fn merged(parts: &[Self]) -> Self {
        let mut total = Self::default();
        for part in parts {
            total.merge(part);
        }
        total
    }

    /// Variance as the mean of squared deviations.
    pub fn variance(&self) -> Vec<f64> {
        self.squares.iter().map(|s| s / self.count).collect()
    }
}

/// A normalisation with its statistics settled: `y = x * scale + shift`, then the activation.
pub struct Settled {
    channels: usize,
    /// Whether the statistics came from the very rows that are normalised, so that gradients flow through them.
    batch: bool,
    act: Activation,
    mean: Vec<f32>,
    inverse: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Settled {
    /// From mean and variance of each channel and the learned `gamma` and `beta`.
    pub fn new(
        (mean, variance): (&[f32], &[f32]),
        (gamma, beta): (&[f32], &[f32]),
        epsilon: f64,
        batch: bool,
        act: Activation,
    ) -> Self {
        let inverse: Vec<f32> =
            variance.iter().map(|v| (1.0 / (f64::from(*v) + epsilon).sqrt()) as f32).collect();
        let scale: Vec<f32> = gamma.iter().zip(&inverse).map(|(g, i)| g * i).collect();
        let shift: Vec<f32> = (0..mean.len()).map(|c| beta[c] - mean[c] * scale[c]).collect();
        Self {
            channels: mean.len(),
            batch,
            act,
            mean: repeat(mean),
            inverse: repeat(&inverse),
            scale: repeat(&scale),
            shift: repeat(&shift),
        }
    }

    /// Normalises rows in place.
    pub fn apply(&self, rows: &mut [f32]) {
        lanes::affine_in_place(rows, &self.scale, &self.shift, self.act);
    }

    /// Normalises rows of `x` into `y`.
    pub fn apply_to(&self, x: &[f32], y: &mut [f32]) {
        lanes::affine(x, y, &self.scale, &self.shift, self.act);
    }

    /// Normalises all rows of `x` into `y`, in parallel.
    pub fn apply_all(&self, x: &[f32], y: &mut [f32]) {
        let part = per_part(x.len() / self.channels) * self.channels;
        x.par_chunks(part).zip(y.par_chunks_mut(part)).for_each(|(x, y)| self.apply_to(x, y));
    }

    /// Gradients of `gamma` and `beta` from all rows of `x` and of the gradient with respect to `y`.
    pub fn reduce(&self, x: &[f32], dy: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let part = per_part(x.len() / self.channels) * self.channels;
        let parts: Vec<_> =
            x.par_chunks(part).zip(dy.par_chunks(part)).map(|(x, dy)| self.reduce_part(x, dy)).collect();
        let (mut gamma, mut beta) = (vec![0.0; self.channels], vec![0.0; self.channels]);
        for (g, b) in &parts {
            gamma.iter_mut().zip(g).for_each(|(s, v)| *s += v);
            beta.iter_mut().zip(b).for_each(|(s, v)| *s += v);
        }
        (gamma, beta)
    }

    fn reduce_part(&self, x: &[f32], dy: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let (mut gamma, mut beta) = (vec![0.0; self.channels], vec![0.0; self.channels]);
        let mut wide_gamma = vec![0.0; self.scale.len()];
        let mut wide_beta = vec![0.0; self.scale.len()];
        let block = BLOCK.div_ceil(LANES) * self.scale.len();
        for (x, dy) in x.chunks(block).zip(dy.chunks(block)) {
            wide_gamma.fill(0.0);
            wide_beta.fill(0.0);
            lanes::reduce(x, dy, self.factors(), &mut wide_beta, &mut wide_gamma);
            gamma.iter_mut().zip(to_channels(&wide_gamma, self.channels)).for_each(|(s, v)| *s += v);
            beta.iter_mut().zip(to_channels(&wide_beta, self.channels)).for_each(|(s, v)| *s += v);
        }
        let inverse = self.inverse.iter().map(|v| f64::from(*v));
        (gamma.iter().zip(inverse).map(|(g, i)| g * i).collect(), beta)
    }

    fn factors(&self) -> Factors<'_> {
        Factors { scale: &self.scale, shift: &self.shift, mean: &self.mean, act: self.act }
    }

    /// The gradient with respect to `x`, ready to be computed row by row; `sums` is what [`Settled::reduce`] gave.
    pub fn input_gradient<'a>(
        &'a self,
        x: &'a [f32],
        dy: &'a [f32],
        (gamma, beta): &(Vec<f64>, Vec<f64>),
    ) -> InputGradient<'a> {
        let n = (x.len() / self.channels) as f64;
        let channels = 0..self.channels;
        let (slope, offset): (Vec<f32>, Vec<f32>) = if self.batch {
            let slope = |c: usize| -f64::from(self.scale[c]) * f64::from(self.inverse[c]) * gamma[c] / n;
            let offset = |c: usize| -f64::from(self.scale[c]) * beta[c] / n;
            (
                channels.clone().map(|c| slope(c) as f32).collect(),
                channels.map(|c| offset(c) as f32).collect(),
            )
        } else {
            (vec![0.0; self.channels], vec![0.0; self.channels])
        };
        InputGradient { norm: self, x, dy, slope: repeat(&slope), offset: repeat(&offset) }
    }
}

/// The gradient with respect to a normalisation's input: `scale * dy' + slope * (x - mean) + offset`, with `dy'` being `dy`
/// times the activation's derivative.
pub struct InputGradient<'a> {
    norm: &'a Settled,
    x: &'a [f32],
    dy: &'a [f32],
    slope: Vec<f32>,
    offset: Vec<f32>,
}

impl InputGradient<'_> {
    /// All rows, in parallel.
    pub fn all(&self) -> Vec<f32> {
        let channels = self.norm.channels;
        let part = per_part(self.x.len() / channels);
        let mut dx = vec![0.0; self.x.len()];
        dx.par_chunks_mut(part * channels).enumerate().for_each(|(i, dx)| {
            let first = i * part;
            self.fill(first..first + dx.len() / channels, dx);
        });
        dx
    }
}

impl OutputGradient for InputGradient<'_> {
    fn stored(&self) -> Option<&[f32]> {
        None
    }

    fn fill(&self, rows: Range<usize>, dx: &mut [f32]) {
        let norm = self.norm;
        let span = rows.start * norm.channels..rows.end * norm.channels;
        let factors = norm.factors();
        lanes::gradient(&self.x[span.clone()], &self.dy[span], dx, factors, &self.slope, &self.offset);
    }
}
