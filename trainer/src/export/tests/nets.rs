//! Random networks and coils, for tests and for the probe in `examples`.

use super::folded::{Dense, FoldedConv, FoldedNet, GlobalPool, Sides, TrunkLayer};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Builds a network with He-uniform weights layer by layer.
pub struct Builder {
    net: FoldedNet,
    channels: usize,
    rng: ChaCha8Rng,
}

impl Builder {
    pub fn new(seed: u64, image: [usize; 3], sides: Sides, side: usize) -> Self {
        let (trunk, pools, head) = (vec![], vec![GlobalPool::Avg, GlobalPool::Max], vec![]);
        let net = FoldedNet { image, side, sides, trunk, pools, head };
        Self { net, channels: image[0], rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// A convolution with "same" padding for stride 1.
    pub fn conv(mut self, out: usize, kernel: (usize, usize), stride: (usize, usize), relu: bool) -> Self {
        let input = self.channels;
        let fan_in = input * kernel.0 * kernel.1;
        let weight = uniform(&mut self.rng, out * fan_in, (6.0 / fan_in as f32).sqrt());
        let bias = uniform(&mut self.rng, out, 0.2);
        let padding = (kernel.0 / 2, kernel.1 / 2);
        let conv = FoldedConv { weight, bias, out, input, kernel, stride, padding, relu };
        self.net.trunk.push(TrunkLayer::Conv(conv));
        self.channels = out;
        self
    }

    pub fn pool(mut self, kernel: (usize, usize)) -> Self {
        self.net.trunk.push(TrunkLayer::AvgPool { kernel });
        self
    }

    /// Dense layers of the given widths with ReLU, then two logits.
    pub fn head(mut self, hidden: &[usize]) -> FoldedNet {
        let sides = if self.net.sides == Sides::Shared { 2 } else { 1 };
        let mut input = self.net.pools.len() * sides * self.channels + self.net.side;
        for (i, out) in hidden.iter().chain([&2]).enumerate() {
            let weight = uniform(&mut self.rng, out * input, (6.0 / input as f32).sqrt());
            let bias = uniform(&mut self.rng, *out, 0.1);
            self.net.head.push(Dense { weight, bias, relu: i < hidden.len() });
            input = *out;
        }
        self.net
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
/// a random network that tells coils apart as a trained one does.
pub fn spread_logits(net: &mut FoldedNet, logits: &[Vec<f32>]) {
    let differences: Vec<f32> = logits.iter().map(|l| l[1] - l[0]).collect();
    let n = differences.len() as f32;
    let mean = differences.iter().sum::<f32>() / n;
    let deviation = (differences.iter().map(|d| (d - mean).powi(2)).sum::<f32>() / n).sqrt();
    let last = net.head.last_mut().expect("a head has a layer");
    last.bias[0] += mean;
    last.weight.iter_mut().chain(&mut last.bias).for_each(|w| *w *= 2.0 / deviation);
}
