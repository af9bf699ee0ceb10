//! What a network's activations look like on calibration coils: the ranges that int8 export quantises them in.
//!
//! The f32 export runs in tract with every trunk layer's output exposed. The range of a layer is its minimum to its
//! maximum. Clipping where the sum of squared quantisation errors is least was tried and is worse here: flaws are
//! what drives activations to their extremes, and few calibration coils have one. On two trained networks,
//! calibrated on 303 coils, |P(NOK) int8 - f32| over 571 coils, all NOK among them, was 0.0033 and 0.0023 in the mean
//! and 0.14 and 0.06 at most with clipping; 0.0017 and 0.0020, 0.04 and 0.04 without.
//!
//! For each convolution the mean input under each weight is kept too: it tells how far rounding the weights shifts
//! the output, so that the bias can make it good (Nagel et al., "Data-free quantization through weight equalization
//! and bias correction", 2019, section 4.2, with measured in place of modelled means). It took a third to a half off the mean.

use super::float;
use super::folded::{FoldedConv, FoldedNet, Sides, TrunkLayer};
use super::runtime::{Runtime, RuntimeError};

/// An interval that holds 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// 0 or below.
    pub low: f32,
    /// 0 or above.
    pub high: f32,
}

/// What calibration found.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranges {
    /// Coils seen.
    pub coils: usize,
    /// Each image channel's range.
    pub image: Vec<Span>,
    /// Each trunk layer, in order.
    pub layers: Vec<LayerRange>,
}

/// What calibration found of a trunk layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRange {
    /// The range of its output.
    pub output: Span,
    /// Convolutions: the mean input, zero padding included, under each weight, `[input][kh][kw]`. Pools: empty.
    pub mean_input: Vec<f64>,
}

/// Why calibration failed.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// No coil was given.
    #[error("there are no calibration coils; give some hundred coils of the training set")]
    NoCoils,
    /// A coil's values are not numbers or do not fit the network.
    #[error("calibration coil {0} has values that are not finite; prepare it again")]
    NotFinite(usize),
    /// The network could not be run.
    #[error("the network cannot be run on calibration coil {coil}")]
    Run {
        /// Which, counted from 0.
        coil: usize,
        /// What the runtime says.
        source: RuntimeError,
    },
    /// The network could not be loaded.
    #[error("the network cannot be calibrated")]
    Load(#[source] RuntimeError),
}

/// Runs the network on calibration coils, each an image and its side vector.
pub fn observe<I, S>(
    net: &FoldedNet,
    coils: impl IntoIterator<Item = (I, S)>,
) -> Result<Ranges, CalibrateError>
where
    I: AsRef<[f32]>,
    S: AsRef<[f32]>,
{
    let names: Vec<_> = (0..net.trunk.len()).map(float::layer_name).collect();
    let mut runtime = Runtime::load_named(&float::to_onnx(net), &names).map_err(CalibrateError::Load)?;
    let maps = maps(net);
    let mut image = vec![Span::ZERO; net.image[0]];
    let mut seen: Vec<Seen> = net.trunk.iter().map(Seen::new).collect();
    let mut count = 0;
    for (coil, (x, side)) in coils.into_iter().enumerate() {
        let (x, side) = (x.as_ref(), side.as_ref());
        let outputs = runtime.run(x, side).map_err(|source| CalibrateError::Run { coil, source })?;
        if !x.iter().all(|v| v.is_finite()) || !outputs.iter().flatten().all(|v| v.is_finite()) {
            return Err(CalibrateError::NotFinite(coil));
        }
        for (channel, plane) in image.iter_mut().zip(x.chunks_exact(net.image[1] * net.image[2])) {
            channel.add(plane);
        }
        let first = batch(net.sides, net.image[2], x);
        let inputs = std::iter::once(&first).chain(&outputs);
        for ((seen, (input, output)), map) in seen.iter_mut().zip(inputs.zip(&outputs)).zip(&maps) {
            seen.output.add(output);
            seen.add_means(input, *map);
        }
        count = coil + 1;
    }
    if count == 0 {
        return Err(CalibrateError::NoCoils);
    }
    let layers = seen.iter().map(Seen::range).collect();
    Ok(Ranges { coils: count, image, layers })
}

/// Channels, height and width of what the trunk sees (one side of two), then of every layer's output.
pub(super) fn maps(net: &FoldedNet) -> Vec<[usize; 3]> {
    let [channels, height, width] = net.image;
    let width = if net.sides == Sides::Shared { width / 2 } else { width };
    let mut maps = vec![[channels, height, width]];
    for layer in &net.trunk {
        let [c, h, w] = maps[maps.len() - 1];
        maps.push(match layer {
            TrunkLayer::Conv(conv) => {
                let size = |n, k, s, p| (n + 2 * p - k) / s + 1;
                let (k, s, p) = (conv.kernel, conv.stride, conv.padding);
                [conv.out, size(h, k.0, s.0, p.0), size(w, k.1, s.1, p.1)]
            }
            TrunkLayer::AvgPool { kernel } => [c, h / kernel.0, w / kernel.1],
        });
    }
    maps
}

/// What the trunk sees of an image: the image, or one side after the other.
pub(super) fn batch(sides: Sides, width: usize, image: &[f32]) -> Vec<f32> {
    if sides == Sides::Image {
        return image.to_vec();
    }
    let side =
        |from: usize| image.chunks_exact(width).flat_map(move |row| &row[from..from + width / 2]).copied();
    side(0).chain(side(width / 2)).collect()
}

/// What has been seen of a layer.
struct Seen<'a> {
    output: Span,
    conv: Option<&'a FoldedConv>,
    sums: Vec<f64>,
    positions: usize,
}

impl<'a> Seen<'a> {
    fn new(layer: &'a TrunkLayer) -> Self {
        let conv = match layer {
            TrunkLayer::Conv(conv) => Some(conv),
            TrunkLayer::AvgPool { .. } => None,
        };
        let sums = conv.map_or(0, |c| c.input * c.kernel.0 * c.kernel.1);
        Self { output: Span::ZERO, conv, sums: vec![0.0; sums], positions: 0 }
    }

    /// Adds up, for each weight, what it meets at all output positions of a batch of input maps.
    fn add_means(&mut self, input: &[f32], [channels, height, width]: [usize; 3]) {
        let Some(conv) = self.conv else { return };
        let axis = |n: usize, k: usize, s: usize, p: usize| {
            let positions = (n + 2 * p - k) / s + 1;
            let met = move |tap: usize| {
                (0..positions).filter_map(move |o| (o * s + tap).checked_sub(p)).filter(move |at| *at < n)
            };
            (positions, met)
        };
        let (rows, met_rows) = axis(height, conv.kernel.0, conv.stride.0, conv.padding.0);
        let (columns, met_columns) = axis(width, conv.kernel.1, conv.stride.1, conv.padding.1);
        let columns_of: Vec<Vec<usize>> = (0..conv.kernel.1).map(|t| met_columns(t).collect()).collect();
        for (n, plane) in input.chunks_exact(height * width).enumerate() {
            let mut sums = self.sums.chunks_exact_mut(conv.kernel.1).skip(n % channels * conv.kernel.0);
            for ky in 0..conv.kernel.0 {
                let sums = sums.next().expect("a sum for each weight");
                for y in met_rows(ky) {
                    let row = &plane[y * width..(y + 1) * width];
                    for (sum, columns) in sums.iter_mut().zip(&columns_of) {
                        *sum += f64::from(columns.iter().map(|x| row[*x]).sum::<f32>());
                    }
                }
            }
        }
        self.positions += input.len() / (channels * height * width) * rows * columns;
    }

    fn range(&self) -> LayerRange {
        let mean_input = self.sums.iter().map(|s| s / self.positions as f64).collect();
        LayerRange { output: self.output, mean_input }
    }
}

impl Span {
    const ZERO: Self = Self { low: 0.0, high: 0.0 };

    fn add(&mut self, values: &[f32]) {
        let fold = |(low, high): (f32, f32), v: &f32| (low.min(*v), high.max(*v));
        (self.low, self.high) = values.iter().fold((self.low, self.high), fold);
    }
}
