//! Random networks and coils, for tests and for the probe in `examples`.

use super::folded::{
    self, Activation, Average, Dense, Dims, Distance, FoldedConv, FoldedNet, GlobalPool, Op, Pads, Port,
    References, Sides,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Builds a network with He-uniform weights layer by layer.
pub struct Builder {
    net: folded::Builder,
    /// What the next layer reads.
    at: Port,
    pools: Vec<GlobalPool>,
    rng: ChaCha8Rng,
    layers: usize,
}

impl Builder {
    pub fn new(seed: u64, image: [usize; 3], sides: Sides, side: usize) -> Self {
        let net = FoldedNet::builder(image, side, sides);
        let pools = vec![GlobalPool::Avg, GlobalPool::Max];
        Self { net, at: Port::Image, pools, rng: ChaCha8Rng::seed_from_u64(seed), layers: 0 }
    }

    /// The global pools in place of both.
    pub fn pools(mut self, pools: &[GlobalPool]) -> Self {
        self.pools = pools.to_vec();
        self
    }

    /// A convolution with "same" padding for stride 1.
    pub fn conv(self, out: usize, kernel: (usize, usize), stride: (usize, usize), relu: bool) -> Self {
        let activation = if relu { Activation::Relu } else { Activation::Identity };
        self.conv_to(out, kernel, stride, activation)
    }

    pub fn conv_to(
        mut self,
        out: usize,
        kernel: (usize, usize),
        stride: (usize, usize),
        activation: Activation,
    ) -> Self {
        let pads = Pads::both((kernel.0 / 2, kernel.1 / 2));
        self.at = self.layer(self.at, out, 1, kernel, stride, pads, activation);
        self
    }

    pub fn pool(mut self, kernel: (usize, usize)) -> Self {
        let name = self.name();
        self.at = self.net.avg_pool(name, self.at, kernel);
        self
    }

    pub fn max_pool(mut self, kernel: (usize, usize), stride: (usize, usize), pads: Pads) -> Self {
        let name = self.name();
        self.at = self.net.node(name, Op::MaxPool { kernel, stride, pads }, &[self.at]);
        self
    }

    /// YOLOv8's C2f: half of the channels through residual pairs of convolutions, everything on the way joined.
    pub fn c2f(mut self, out: usize, pairs: usize, residual: bool) -> Self {
        let (one, three) = ((1, 1), (3, 3));
        let half = out / 2;
        let first = self.layer(self.at, 2 * half, 1, one, one, Pads::NONE, Activation::Silu);
        let name = self.name();
        let mut parts = vec![
            self.net.channels(format!("{name}.0"), first, 0..half),
            self.net.channels(format!("{name}.1"), first, half..2 * half),
        ];
        for _ in 0..pairs {
            let from = parts[parts.len() - 1];
            let pads = Pads::both((1, 1));
            let x = self.layer(from, half, 1, three, one, pads, Activation::Silu);
            let x = self.layer(x, half, 1, three, one, pads, Activation::Silu);
            let name = self.name();
            parts.push(if residual { self.net.add(name, from, x) } else { x });
        }
        let name = self.name();
        let joined = self.net.concat(name, &parts);
        self.at = self.layer(joined, out, 1, one, one, Pads::NONE, Activation::Silu);
        self
    }

    /// EfficientNet's inverted residual: wide, depthwise with TensorFlow's SAME padding, narrow; summed where it can be.
    pub fn inverted(mut self, out: usize, expand: usize, kernel: usize, stride: (usize, usize)) -> Self {
        let (one, from) = ((1, 1), self.at);
        let [channels, height, width] = self.net.map(from);
        let wide = channels * expand;
        let mut x = from;
        if expand > 1 {
            x = self.layer(x, wide, 1, one, one, Pads::NONE, Activation::Relu6);
        }
        let pads = Pads::same((height, width), (kernel, kernel), stride);
        x = self.layer(x, wide, wide, (kernel, kernel), stride, pads, Activation::Relu6);
        x = self.layer(x, out, 1, one, one, Pads::NONE, Activation::Identity);
        if stride == one && out == channels {
            let name = self.name();
            x = self.net.add(name, from, x);
        }
        self.at = x;
        self
    }

    /// Dense layers of the given widths with ReLU, then two logits.
    pub fn head(mut self, hidden: &[usize]) -> FoldedNet {
        self.vector();
        for (i, out) in hidden.iter().chain([&2]).enumerate() {
            self.dense(*out, if i < hidden.len() { Activation::Relu } else { Activation::Identity });
        }
        self.net.finish()
    }

    /// An embedding compared with those of coils, three of each class, so that `NOK - OK` has a standard deviation of 2.
    pub fn siamese(mut self, embedding: usize, distance: Distance, average: Average) -> FoldedNet {
        self.vector();
        self.dense(embedding, Activation::Identity);
        let mut encoder = self.net.clone();
        let nothing = vec![vec![0.0; embedding]; 3];
        let mut references =
            References { ok: nothing.clone(), nok: nothing, distance, average, scale: 1.0, bias: 1.0 };
        encoder.references("references", self.at, references.clone());
        let mut encoder = encoder.finish();
        encoder.nodes.pop();
        let embed = |seed| encoder.forward(&coil(seed, encoder.image), &side(seed, encoder.side));
        references.ok = (500..503).map(embed).collect();
        references.nok = (600..603).map(embed).collect();
        let apart = |e: &[f32]| {
            let to = |class: &[Vec<f32>]| {
                class.iter().map(|r| distance.between(r, e) as f32).fold(f32::INFINITY, f32::min)
            };
            to(&references.ok) - to(&references.nok)
        };
        let apart: Vec<f32> = (700..716).map(|seed| apart(&embed(seed))).collect();
        references.scale = 2.0 / deviation(&apart).1;
        self.net.references("references", self.at, references);
        self.net.finish()
    }

    fn name(&mut self) -> String {
        self.layers += 1;
        format!("layer.{}", self.layers)
    }

    /// Pooled features and the side vector.
    fn vector(&mut self) {
        let pools = std::mem::take(&mut self.pools);
        let pooled = self.net.features("features", self.at, &pools);
        self.at = self.net.with_side("with_side", pooled);
    }

    #[allow(clippy::too_many_arguments)] // As many as a convolution has.
    fn layer(
        &mut self,
        from: Port,
        out: usize,
        groups: usize,
        kernel: (usize, usize),
        stride: (usize, usize),
        pads: Pads,
        activation: Activation,
    ) -> Port {
        let [input, ..] = self.net.map(from);
        let fan_in = input / groups * kernel.0 * kernel.1;
        let weight = uniform(&mut self.rng, out * fan_in, (6.0 / fan_in as f32).sqrt());
        let bias = uniform(&mut self.rng, out, 0.2);
        let conv = FoldedConv { weight, bias, out, input, groups, kernel, stride, pads, activation };
        let name = self.name();
        self.net.conv(name, from, conv)
    }

    fn dense(&mut self, out: usize, activation: Activation) {
        let Dims::Vector(input) = self.net.shape(self.at).dims else { unreachable!("a vector") };
        let weight = uniform(&mut self.rng, out * input, (6.0 / input as f32).sqrt());
        let bias = uniform(&mut self.rng, out, 0.1);
        let name = self.name();
        self.at = self.net.dense(name, self.at, Dense { weight, bias, activation });
    }
}

fn uniform(rng: &mut ChaCha8Rng, n: usize, limit: f32) -> Vec<f32> {
    (0..n).map(|_| rng.random_range(-limit..limit)).collect()
}

/// A coil: slow waves along the strip, noise, some flaws; a last channel of three or more holds gaps (0 or 1).
pub fn coil(seed: u64, [channels, height, width]: [usize; 3]) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
    let mut image = Vec::with_capacity(channels * height * width);
    for c in 0..channels {
        let (offset, wave) = (rng.random_range(-0.7..0.7_f32), rng.random_range(0.01..0.2_f32));
        let flaw = (rng.random_range(0..height), rng.random_range(0..width), rng.random_range(-2.0..2.0_f32));
        for at in 0..height * width {
            let (y, x) = (at / width, at % width);
            let near = y.abs_diff(flaw.0) < 5 && x.abs_diff(flaw.1) < 2;
            let value = offset
                + 0.4 * (y as f32 * wave).sin()
                + rng.random_range(-0.3..0.3)
                + if near { flaw.2 } else { 0.0 };
            let gap = c >= 2 && c + 1 == channels;
            image.push(if gap { f32::from(u8::from(rng.random_bool(0.02))) } else { value.clamp(-2.0, 2.0) });
        }
    }
    image
}

/// A side vector of values between -1 and 1.
pub fn side(seed: u64, length: usize) -> Vec<f32> {
    uniform(&mut ChaCha8Rng::seed_from_u64(seed ^ 0x51de), length, 1.0)
}

/// Shifts and scales the last layer so that on these logits `NOK - OK` has mean 0 and standard deviation 2:
/// a random network that tells coils apart as a trained one does. References are chosen so already.
pub fn spread_logits(net: &mut FoldedNet, logits: &[Vec<f32>]) {
    let differences: Vec<f32> = logits.iter().map(|l| l[1] - l[0]).collect();
    let (mean, deviation) = deviation(&differences);
    let last = net.nodes.last_mut().expect("a network has nodes");
    if let Op::Dense(last) = &mut last.op {
        last.bias[0] += mean;
        last.weight.iter_mut().chain(&mut last.bias).for_each(|w| *w *= 2.0 / deviation);
    }
}

/// Mean and standard deviation.
fn deviation(values: &[f32]) -> (f32, f32) {
    let n = values.len() as f32;
    let mean = values.iter().sum::<f32>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt())
}
