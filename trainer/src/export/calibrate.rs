//! What a network's activations look like on calibration coils: the ranges that int8 export quantises them in.
//!
//! The f32 export runs in tract with the output of every node that gives a map exposed. The range of a channel is its
//! minimum to its maximum. Clipping where the sum of squared quantisation errors is least was tried and is worse here:
//! flaws are what drives activations to their extremes, and few calibration coils have one. On two trained networks,
//! calibrated on 303 coils, |P(NOK) int8 - f32| over 571 coils, all NOK among them, was 0.0033 and 0.0023 in the mean
//! and 0.14 and 0.06 at most with clipping; 0.0017 and 0.0020, 0.04 and 0.04 without.
//!
//! For each convolution the mean input under each weight is kept too: it tells how far rounding the weights shifts
//! the output, so that the bias can make it good (Nagel et al., "Data-free quantization through weight equalization
//! and bias correction", 2019, section 4.2, with measured in place of modelled means). It took a third to a half off the mean.

use super::float;
use super::folded::{Activation, Dims, FoldedConv, FoldedNet, Op, Port};
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
    /// Each node, in order; none for those that give no map.
    pub nodes: Vec<Option<NodeRange>>,
}

/// What calibration found of a node that gives a map.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRange {
    /// Each channel's range.
    pub channels: Vec<Span>,
    /// Each channel's range before the activation, where that is not the clamp of a quantised value; else the output's.
    pub before: Vec<Span>,
    /// Convolutions in one group: the mean input, zero padding included, under each weight, `[input][kh][kw]`.
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
    /// There is nothing to look at.
    #[error("no node of the network gives a map, so that nothing can be quantised; export it as f32")]
    NoMaps,
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
    let mut watched = Vec::new();
    let mut seen: Vec<Option<Seen>> = Vec::new();
    for (i, shape) in net.shapes().iter().enumerate() {
        let Dims::Map(map) = shape.dims else {
            seen.push(None);
            continue;
        };
        let name = float::name(net, i);
        watched.push(name.to_owned());
        let node = Seen::new(net, i, map);
        if node.gated {
            watched.push(float::before(name, Activation::Silu));
        }
        seen.push(Some(node));
    }
    if watched.is_empty() {
        return Err(CalibrateError::NoMaps);
    }
    let mut runtime = Runtime::load_named(&float::to_onnx(net), &watched).map_err(CalibrateError::Load)?;
    let mut image = vec![Span::ZERO; net.image[0]];
    let mut count = 0;
    for (coil, (x, side)) in coils.into_iter().enumerate() {
        let (x, side) = (x.as_ref(), side.as_ref());
        let outputs = runtime.run(x, side).map_err(|source| CalibrateError::Run { coil, source })?;
        if !x.iter().all(|v| v.is_finite()) || !outputs.iter().flatten().all(|v| v.is_finite()) {
            return Err(CalibrateError::NotFinite(coil));
        }
        add(&mut image, x, net.image[1] * net.image[2]);
        let strip = net.strip(x);
        let mut outputs = outputs.iter();
        let mut maps: Vec<Option<&Vec<f32>>> = Vec::with_capacity(seen.len());
        for (seen, node) in seen.iter_mut().zip(&net.nodes) {
            let Some(seen) = seen else {
                maps.push(None);
                continue;
            };
            let output = outputs.next().expect("every map was asked for");
            add(&mut seen.channels, output, seen.area);
            let before = if seen.gated { outputs.next().expect("every sum was asked for") } else { output };
            add(&mut seen.before, before, seen.area);
            match node.inputs[0] {
                Port::Image => seen.add_means(&strip),
                Port::Side => {}
                Port::Node(at) => seen.add_means(maps[at].expect("a map is made of a map")),
            }
            maps.push(Some(output));
        }
        count = coil + 1;
    }
    if count == 0 {
        return Err(CalibrateError::NoCoils);
    }
    let nodes = seen.iter().map(|s| s.as_ref().map(Seen::range)).collect();
    Ok(Ranges { coils: count, image, nodes })
}

/// What has been seen of a node that gives a map.
struct Seen<'a> {
    channels: Vec<Span>,
    before: Vec<Span>,
    /// Whether what comes before the activation is looked at by itself.
    gated: bool,
    /// Values of a channel.
    area: usize,
    /// The convolution in one group that it is, and the map that it reads.
    conv: Option<(&'a FoldedConv, [usize; 3])>,
    sums: Vec<f64>,
    positions: usize,
}

impl<'a> Seen<'a> {
    fn new(net: &'a FoldedNet, at: usize, [channels, height, width]: [usize; 3]) -> Self {
        let shapes = net.shapes();
        let conv = match (&net.nodes[at].op, net.shape(net.nodes[at].inputs[0], &shapes).dims) {
            (Op::Conv(conv), Dims::Map(map)) if conv.groups == 1 => Some((conv, map)),
            _ => None,
        };
        Self {
            channels: vec![Span::ZERO; channels],
            before: vec![Span::ZERO; channels],
            gated: conv.is_some_and(|(conv, _)| conv.activation == Activation::Silu),
            area: height * width,
            sums: vec![0.0; conv.map_or(0, |(c, _)| c.input * c.kernel.0 * c.kernel.1)],
            conv,
            positions: 0,
        }
    }

    /// Adds up, for each weight, what it meets at all output positions of a batch of input maps.
    fn add_means(&mut self, input: &[f32]) {
        let Some((conv, [channels, height, width])) = self.conv else { return };
        let axis = |n: usize, k: usize, s: usize, before: usize, after: usize| {
            let positions = (n + before + after - k) / s + 1;
            let met = move |tap: usize| {
                (0..positions)
                    .filter_map(move |o| (o * s + tap).checked_sub(before))
                    .filter(move |at| *at < n)
            };
            (positions, met)
        };
        let (kernel, stride, pads) = (conv.kernel, conv.stride, conv.pads);
        let (rows, met_rows) = axis(height, kernel.0, stride.0, pads.before.0, pads.after.0);
        let (columns, met_columns) = axis(width, kernel.1, stride.1, pads.before.1, pads.after.1);
        let columns_of: Vec<Vec<usize>> = (0..kernel.1).map(|t| met_columns(t).collect()).collect();
        for (n, plane) in input.chunks_exact(height * width).enumerate() {
            let mut sums = self.sums.chunks_exact_mut(kernel.1).skip(n % channels * kernel.0);
            for ky in 0..kernel.0 {
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

    fn range(&self) -> NodeRange {
        let mean_input = self.sums.iter().map(|s| s / self.positions as f64).collect();
        NodeRange { channels: self.channels.clone(), before: self.before.clone(), mean_input }
    }
}

/// Widens each channel's range to what it holds in some maps.
fn add(channels: &mut [Span], maps: &[f32], area: usize) {
    let n = channels.len();
    for (i, plane) in maps.chunks_exact(area).enumerate() {
        channels[i % n].add(plane);
    }
}

impl NodeRange {
    /// The range of all channels.
    pub fn output(&self) -> Span {
        let wider = |a: Span, b: &Span| Span { low: a.low.min(b.low), high: a.high.max(b.high) };
        self.channels.iter().fold(Span::ZERO, wider)
    }
}

impl Span {
    const ZERO: Self = Self { low: 0.0, high: 0.0 };

    fn add(&mut self, values: &[f32]) {
        let fold = |(low, high): (f32, f32), v: &f32| (low.min(*v), high.max(*v));
        (self.low, self.high) = values.iter().fold((self.low, self.high), fold);
    }
}
