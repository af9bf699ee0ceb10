//! A plain evaluation: sums in f64, rounded to f32 after every node.

use super::shape::windows;
use super::{
    Activation, Average, Dense, Dims, Distance, FoldedConv, FoldedNet, GlobalPool, LEAST_SQUARE, Op, Pads,
    Port, References, Shape, Sides,
};

/// What a node gives: all items, one after the other, each C,H,W.
#[derive(Debug, Clone)]
pub(in crate::export) struct Value {
    pub(in crate::export) shape: Shape,
    pub(in crate::export) data: Vec<f32>,
}

impl FoldedNet {
    /// Logits of one image (`C*H*W` values, C,H,W order) with its side vector.
    ///
    /// # Panics
    /// If a length does not match the network's own description.
    pub fn forward(&self, image: &[f32], side: &[f32]) -> Vec<f32> {
        self.values(image, side).pop().expect("a network has nodes").data
    }

    /// Features of one image, if the network says which they are.
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn features(&self, image: &[f32], side: &[f32]) -> Option<Vec<f32>> {
        let Some(Port::Node(at)) = self.features else { return None };
        Some(self.values(image, side).swap_remove(at).data)
    }

    /// What every node gives.
    fn values(&self, image: &[f32], side: &[f32]) -> Vec<Value> {
        assert_eq!(image.len(), self.image.iter().product::<usize>(), "image length");
        assert_eq!(side.len(), self.side, "side vector length");
        let shapes = self.shapes();
        let given = |port, data| Value { shape: self.shape(port, &shapes), data };
        let image = given(Port::Image, self.strip(image));
        let side = given(Port::Side, side.to_vec());
        let mut values: Vec<Value> = Vec::with_capacity(self.nodes.len());
        for (node, shape) in self.nodes.iter().zip(&shapes) {
            let read = |port: &Port| match port {
                Port::Image => &image,
                Port::Side => &side,
                Port::Node(at) => &values[*at],
            };
            let inputs: Vec<&Value> = node.inputs.iter().map(read).collect();
            let data = node.op.apply(&inputs, *shape);
            assert_eq!(data.len(), shape.count(), "{}", node.name);
            values.push(Value { shape: *shape, data });
        }
        values
    }

    /// What [`Port::Image`] gives of an image: the image, or one side after the other.
    pub(in crate::export) fn strip(&self, image: &[f32]) -> Vec<f32> {
        let width = self.image[2];
        match self.sides {
            Sides::Image => image.to_vec(),
            Sides::Shared => [0, width / 2]
                .iter()
                .flat_map(|from| image.chunks_exact(width).flat_map(move |row| &row[*from..from + width / 2]))
                .copied()
                .collect(),
        }
    }
}

impl Op {
    /// All items of the output, whose shape is `out`.
    pub(in crate::export) fn apply(&self, inputs: &[&Value], out: Shape) -> Vec<f32> {
        let x = inputs[0];
        match self {
            Self::Conv(conv) => conv.apply(x, out),
            Self::Add => x.data.iter().zip(&inputs[1].data).map(|(a, b)| a + b).collect(),
            Self::Concat => {
                (0..out.rows).flat_map(|r| inputs.iter().flat_map(move |v| v.item(r))).copied().collect()
            }
            Self::Channels { from, to } => {
                let area = x.area();
                (0..out.rows).flat_map(|r| &x.item(r)[from * area..to * area]).copied().collect()
            }
            Self::AvgPool { kernel, stride } => x.pool(*kernel, *stride, Pads::NONE, mean),
            Self::MaxPool { kernel, stride, pads } => x.pool(*kernel, *stride, *pads, greatest),
            Self::GlobalPool(pool) => {
                let one = |plane: &[f32]| match pool {
                    GlobalPool::Avg => mean(plane),
                    GlobalPool::Max => greatest(plane),
                };
                x.data.chunks_exact(x.area()).map(one).collect()
            }
            Self::Flatten => x.data.clone(),
            Self::GreaterSide => x.item(0).iter().zip(x.item(1)).map(|(a, b)| a.max(*b)).collect(),
            Self::MeanSide => x.item(0).iter().zip(x.item(1)).map(|(a, b)| f32::midpoint(*a, *b)).collect(),
            Self::Dense(dense) => (0..out.rows).flat_map(|r| dense.apply(x.item(r))).collect(),
            Self::References(references) => (0..out.rows).flat_map(|r| references.apply(x.item(r))).collect(),
        }
    }
}

impl Value {
    fn item(&self, row: usize) -> &[f32] {
        let n = self.shape.dims.count();
        &self.data[row * n..(row + 1) * n]
    }

    pub(in crate::export) fn map(&self) -> [usize; 3] {
        match self.shape.dims {
            Dims::Map(map) => map,
            Dims::Vector(length) => [length, 1, 1],
        }
    }

    fn area(&self) -> usize {
        let [_, height, width] = self.map();
        height * width
    }

    /// `of` each window's values inside the map.
    fn pool(
        &self,
        kernel: (usize, usize),
        stride: (usize, usize),
        pads: Pads,
        of: impl Fn(&[f32]) -> f32,
    ) -> Vec<f32> {
        let [_, height, width] = self.map();
        let (oh, ow) = windows((height, width), kernel, stride, pads).expect("a pool that fits");
        let mut window = Vec::new();
        let mut data = Vec::new();
        for plane in self.data.chunks_exact(height * width) {
            for at in 0..oh * ow {
                let (top, left) = (at / ow * stride.0, at % ow * stride.1);
                window.clear();
                for i in 0..kernel.0 * kernel.1 {
                    let y = (top + i / kernel.1).wrapping_sub(pads.before.0);
                    let x = (left + i % kernel.1).wrapping_sub(pads.before.1);
                    if y < height && x < width {
                        window.push(plane[y * width + x]);
                    }
                }
                data.push(of(&window));
            }
        }
        data
    }
}

fn mean(values: &[f32]) -> f32 {
    (values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64) as f32
}

fn greatest(values: &[f32]) -> f32 {
    values.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

/// An activation's value.
pub(in crate::export) fn activated(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}

impl FoldedConv {
    /// Channels last and weights by tap, input, output: the innermost loop runs over outputs.
    fn apply(&self, x: &Value, out: Shape) -> Vec<f32> {
        let ([channels, height, width], Dims::Map([_, oh, ow])) = (x.map(), out.dims) else {
            unreachable!("a convolution gives a map")
        };
        let (taps, inputs, outputs) =
            (self.kernel.0 * self.kernel.1, self.input / self.groups, self.out / self.groups);
        let mut weight = vec![0.0_f64; self.weight.len()];
        for (i, w) in self.weight.iter().enumerate() {
            let (o, c, tap) = (i / (inputs * taps), i / taps % inputs, i % taps);
            let group = o / outputs;
            weight[((group * taps + tap) * inputs + c) * outputs + o % outputs] = f64::from(*w);
        }
        let mut data = vec![0.0; out.count()];
        for row in 0..out.rows {
            let mut last = vec![0.0_f64; channels * height * width];
            for (i, v) in x.item(row).iter().enumerate() {
                last[i % (height * width) * channels + i / (height * width)] = f64::from(*v);
            }
            let mut sums = vec![0.0_f64; self.out];
            for at in 0..oh * ow {
                sums.iter_mut().zip(&self.bias).for_each(|(s, b)| *s = f64::from(*b));
                for tap in 0..taps {
                    let y = (at / ow * self.stride.0 + tap / self.kernel.1).wrapping_sub(self.pads.before.0);
                    let z = (at % ow * self.stride.1 + tap % self.kernel.1).wrapping_sub(self.pads.before.1);
                    if y >= height || z >= width {
                        continue;
                    }
                    let pixel = &last[(y * width + z) * channels..][..channels];
                    for (group, sums) in sums.chunks_exact_mut(outputs).enumerate() {
                        let weight = &weight[(group * taps + tap) * inputs * outputs..][..inputs * outputs];
                        let pixel = &pixel[group * inputs..(group + 1) * inputs];
                        for (v, weight) in pixel.iter().zip(weight.chunks_exact(outputs)) {
                            sums.iter_mut().zip(weight).for_each(|(s, w)| *s += v * w);
                        }
                    }
                }
                for (o, sum) in sums.iter().enumerate() {
                    data[(row * self.out + o) * oh * ow + at] = activated(self.activation, *sum) as f32;
                }
            }
        }
        data
    }
}

impl Dense {
    fn apply(&self, x: &[f32]) -> Vec<f32> {
        let row = |(w, b): (&[f32], &f32)| {
            let dot: f64 = w.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            activated(self.activation, dot + f64::from(*b)) as f32
        };
        self.weight.chunks_exact(x.len()).zip(&self.bias).map(row).collect()
    }
}

impl References {
    /// The two logits of an embedding.
    pub fn apply(&self, x: &[f32]) -> [f32; 2] {
        [&self.ok, &self.nok].map(|class| {
            let similarity = |r: &Vec<f32>| {
                let odds = f64::from(self.bias) - f64::from(self.scale) * self.distance.between(r, x);
                odds.min(0.0) - (-odds.abs()).exp().ln_1p()
            };
            let similarities: Vec<f64> = class.iter().map(similarity).collect();
            let greatest = similarities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mean = similarities.iter().map(|s| (s - greatest).exp()).sum::<f64>() / class.len() as f64;
            match self.average {
                Average::Mean => (greatest + mean.ln()) as f32,
                Average::Nearest => greatest as f32,
            }
        })
    }
}

impl Distance {
    /// The distance of two embeddings of one length.
    pub fn between(self, a: &[f32], b: &[f32]) -> f64 {
        let pairs = || a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        match self {
            Self::Euclidean => pairs().map(|(a, b)| (a - b).powi(2)).sum(),
            Self::Manhattan => pairs().map(|(a, b)| (a - b).abs()).sum(),
            Self::Cosine => {
                let (a_length, b_length) = (length(a), length(b));
                pairs().map(|(a, b)| (a / a_length - b / b_length).powi(2)).sum::<f64>() / 2.0
            }
        }
    }
}

/// The vector divided by its length.
pub fn direction(v: &[f32]) -> Vec<f32> {
    let length = length(v);
    v.iter().map(|v| (f64::from(*v) / length) as f32).collect()
}

fn length(v: &[f32]) -> f64 {
    (v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() + f64::from(LEAST_SQUARE)).sqrt()
}
