//! A training step of the benchmark's workloads in candle as it is, one JSON line: `step_candle WORKLOAD [STEPS] [SECONDS]`.
//!
//! NCHW, candle's own convolution, pooling and gradients; batch norm and AdamW by the tensor operations that candle-nn
//! uses. Where candle's backward fails, the nearest thing that runs is timed, and the line's note says so.

#[path = "step/measure.rs"]
mod measure;

use candle_core::{D, DType, Device, Result, Tensor, Var};
use measure::BATCH;

const WORKLOADS: [&str; 5] = ["siamese", "cnn", "yolov8s-7", "yolov8n", "efficientnet-lite0"];

/// Makes parameters. Their values do not matter to the clock, but must keep activations in range.
#[derive(Default)]
struct Params(Vec<Var>);

impl Params {
    fn normal(&mut self, shape: &[usize], deviation: f64) -> Result<Var> {
        let zeros = Tensor::zeros(shape, DType::F32, &Device::Cpu)?;
        let var = Var::from_tensor(&zeros.randn_like(0.0, deviation)?)?;
        self.0.push(var.clone());
        Ok(var)
    }

    fn ones(&mut self, size: usize) -> Result<Var> {
        let var = Var::ones(size, DType::F32, &Device::Cpu)?;
        self.0.push(var.clone());
        Ok(var)
    }
}

/// What follows a batch norm.
#[derive(Clone, Copy)]
enum Activation {
    None,
    Relu,
    Relu6,
    Silu,
}

/// Convolution without bias, batch norm, activation.
struct Block {
    weight: Var,
    gamma: Var,
    beta: Var,
    mean: Var,
    variance: Var,
    kernel: usize,
    stride: usize,
    groups: usize,
    activation: Activation,
    /// TensorFlow's SAME instead of `kernel / 2` on both sides.
    same: bool,
}

impl Block {
    fn new(
        p: &mut Params,
        (input, output): (usize, usize),
        (kernel, stride, groups): (usize, usize, usize),
        activation: Activation,
        same: bool,
    ) -> Result<Self> {
        let fan_in = input / groups * kernel * kernel;
        Ok(Self {
            weight: p.normal(&[output, input / groups, kernel, kernel], (2.0 / fan_in as f64).sqrt())?,
            gamma: p.ones(output)?,
            beta: p.normal(&[output], 0.1)?,
            mean: Var::zeros(output, DType::F32, &Device::Cpu)?,
            variance: Var::ones(output, DType::F32, &Device::Cpu)?,
            kernel,
            stride,
            groups,
            activation,
            same,
        })
    }

    /// Zeros around one axis such that strides end exactly at its end: candle's backward wants the same remainder on both axes.
    fn padded(&self, x: &Tensor, axis: usize) -> Result<Tensor> {
        let size = x.dim(axis)?;
        let (k, s) = (self.kernel, self.stride);
        let total = (size.div_ceil(s) - 1) * s + k;
        let before = if self.same { (total - size.min(total)) / 2 } else { k / 2 };
        let exact = x.pad_with_zeros(axis, before, (total.max(size + before) - size) - before)?;
        exact.narrow(axis, 0, total.min(exact.dim(axis)?))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = if self.stride == 1 {
            x.conv2d(&self.weight, self.kernel / 2, 1, 1, self.groups)?
        } else {
            let x = self.padded(&self.padded(x, 2)?, 3)?;
            x.conv2d(&self.weight, 0, self.stride, 1, self.groups)?
        };
        let x = self.normalised(&x)?;
        match self.activation {
            Activation::None => Ok(x),
            Activation::Relu => x.relu(),
            Activation::Relu6 => x.clamp(0f32, 6f32),
            Activation::Silu => x.silu(),
        }
    }

    /// Batch norm in training, operation by operation as candle-nn has it.
    fn normalised(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.transpose(0, 1)?;
        let shape = x.shape().clone();
        let x = x.flatten_from(1)?.contiguous()?;
        let count = x.dim(1)? as f64;
        let mean = x.mean_keepdim(1)?;
        let x = x.broadcast_sub(&mean)?;
        let variance = x.sqr()?.mean_keepdim(1)?;
        let follow = |running: &Var, batch: &Tensor, factor: f64| {
            running.set(&((running.as_tensor() * 0.9)? + (batch.detach().flatten_all()? * (0.1 * factor))?)?)
        };
        follow(&self.mean, &mean, 1.0)?;
        follow(&self.variance, &variance, count / (count - 1.0))?;
        let x = x.broadcast_div(&(variance + 1e-5)?.sqrt()?)?;
        let (gamma, beta) = (self.gamma.reshape(((), 1))?, self.beta.reshape(((), 1))?);
        x.broadcast_mul(&gamma)?.broadcast_add(&beta)?.reshape(shape)?.transpose(0, 1)
    }
}

struct Linear(Var, Var);

impl Linear {
    fn new(p: &mut Params, input: usize, output: usize) -> Result<Self> {
        Ok(Self(p.normal(&[output, input], (1.0 / input as f64).sqrt())?, p.normal(&[output], 0.1)?))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.0.t()?)?.broadcast_add(&self.1)
    }
}

fn global_avg(x: &Tensor) -> Result<Tensor> {
    x.flatten_from(2)?.mean(2)
}

/// The CNN's trunk and its pooled features.
struct Trunk(Vec<Block>);

impl Trunk {
    fn new(p: &mut Params, mut channels: usize) -> Result<Self> {
        let mut blocks = Vec::new();
        for filters in [16, 16, 24, 24, 32, 32, 48, 48, 64, 64] {
            blocks.push(Block::new(p, (channels, filters), (3, 1, 1), Activation::Relu, false)?);
            channels = filters;
        }
        Ok(Self(blocks))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for (i, block) in self.0.iter().enumerate() {
            x = block.forward(&x)?;
            if i % 2 == 1 && i < 8 {
                // Rows that do not fill a window would make candle's gradient wrong: they are cut off first.
                let (h, w) = (x.dim(2)? / 2 * 2, x.dim(3)? / 2 * 2);
                x = x.narrow(2, 0, h)?.narrow(3, 0, w)?.contiguous()?.avg_pool2d(2)?;
            }
        }
        Tensor::cat(&[global_avg(&x)?, x.flatten_from(2)?.max(2)?], 1)
    }
}

/// Stages of YOLOv8-cls.
enum Stage {
    Conv(Block),
    C2f { first: Block, inner: Vec<(Block, Block)>, last: Block, half: usize },
}

impl Stage {
    fn conv(p: &mut Params, input: usize, output: usize) -> Result<Self> {
        Ok(Self::Conv(Block::new(p, (input, output), (3, 2, 1), Activation::Silu, false)?))
    }

    fn c2f(p: &mut Params, channels: usize, repeats: usize) -> Result<Self> {
        let half = channels / 2;
        let mut block =
            |input, output, kernel| Block::new(p, (input, output), (kernel, 1, 1), Activation::Silu, false);
        let first = block(channels, channels, 1)?;
        let last = block((2 + repeats) * half, channels, 1)?;
        let inner = (0..repeats).map(|_| Ok((block(half, half, 3)?, block(half, half, 3)?)));
        Ok(Self::C2f { inner: inner.collect::<Result<_>>()?, first, last, half })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Conv(block) => block.forward(x),
            Self::C2f { first, inner, last, half } => {
                let x = first.forward(x)?;
                let mut parts = vec![x.narrow(1, 0, *half)?, x.narrow(1, *half, *half)?];
                for (a, b) in inner {
                    let x = parts[parts.len() - 1].contiguous()?;
                    parts.push((&x + b.forward(&a.forward(&x)?)?)?);
                }
                last.forward(&Tensor::cat(&parts, 1)?)
            }
        }
    }
}

/// YOLOv8-cls of a width, from a stage on.
struct Yolo(Vec<Stage>, Block, Linear);

impl Yolo {
    fn new(p: &mut Params, width: usize, from: usize) -> Result<Self> {
        let mut stages = Vec::new();
        let sizes = [(0, 16, 0), (1, 32, 1), (3, 64, 2), (5, 128, 2), (7, 256, 1)];
        let mut channels = 3;
        for (index, output, repeats) in sizes {
            let output = output * width;
            if index >= from {
                stages.push(Stage::conv(p, channels, output)?);
                if repeats > 0 {
                    stages.push(Stage::c2f(p, output, repeats)?);
                }
            }
            channels = output;
        }
        let head = Block::new(p, (channels, 1280), (1, 1, 1), Activation::Silu, false)?;
        Ok(Self(stages, head, Linear::new(p, 1280, 2)?))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.0.iter().try_fold(x.clone(), |x, stage| stage.forward(&x))?;
        self.2.forward(&global_avg(&self.1.forward(&x)?)?)
    }
}

/// `EfficientNet-Lite0`.
struct Lite {
    stem: Block,
    blocks: Vec<(Vec<Block>, bool)>,
    head: Block,
    last: Linear,
}

impl Lite {
    fn new(p: &mut Params) -> Result<Self> {
        let stem = Block::new(p, (3, 32), (3, 2, 1), Activation::Relu6, true)?;
        let groups = [
            (1, 3, 1, 1, 16),
            (2, 3, 2, 6, 24),
            (2, 5, 2, 6, 40),
            (3, 3, 2, 6, 80),
            (3, 5, 1, 6, 112),
            (4, 5, 2, 6, 192),
            (1, 3, 1, 6, 320),
        ];
        let (mut blocks, mut input) = (Vec::new(), 32);
        for (repeats, kernel, stride, expansion, output) in groups {
            for i in 0..repeats {
                let (stride, inner) = (if i == 0 { stride } else { 1 }, input * expansion);
                let mut parts = Vec::new();
                if expansion > 1 {
                    parts.push(Block::new(p, (input, inner), (1, 1, 1), Activation::Relu6, true)?);
                }
                parts.push(Block::new(p, (inner, inner), (kernel, stride, inner), Activation::Relu6, true)?);
                parts.push(Block::new(p, (inner, output), (1, 1, 1), Activation::None, true)?);
                blocks.push((parts, stride == 1 && input == output));
                input = output;
            }
        }
        let head = Block::new(p, (input, 1280), (1, 1, 1), Activation::Relu6, true)?;
        Ok(Self { stem, blocks, head, last: Linear::new(p, 1280, 2)? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.stem.forward(x)?;
        for (parts, adds) in &self.blocks {
            let y = parts.iter().try_fold(x.clone(), |y, part| part.forward(&y))?;
            x = if *adds { (x + y)? } else { y };
        }
        self.last.forward(&global_avg(&self.head.forward(&x)?)?)
    }
}

fn cross_entropy(logits: &Tensor) -> Result<Tensor> {
    let labels: Vec<u32> = (0..BATCH as u32).map(|i| i % 2).collect();
    let labels = Tensor::from_vec(labels, (BATCH, 1), &Device::Cpu)?;
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?;
    let log = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    log.gather(&labels, 1)?.mean_all()?.neg()
}

/// Binary cross-entropy of the similarity `1 - distance^2` of the two halves, without overflow.
fn pairs(embeddings: &Tensor) -> Result<Tensor> {
    let (a, b) = (embeddings.narrow(0, 0, BATCH)?, embeddings.narrow(0, BATCH, BATCH)?);
    let logit = (1.0 - (a - b)?.sqr()?.sum(1)?)?;
    let same = Tensor::from_vec((0..BATCH).map(|i| (i % 2) as f32).collect(), BATCH, &Device::Cpu)?;
    let positive = ((logit.abs()?.neg()?.exp()? + 1.0)?.log()? + logit.relu()?)?;
    (positive - (logit * same)?)?.mean_all()
}

/// AdamW as candle-nn writes it.
struct AdamW(Vec<(Var, Var, Var)>, i32);

impl AdamW {
    fn new(params: &[Var]) -> Result<Self> {
        let zeros = |v: &Var| Var::from_tensor(&v.zeros_like()?);
        let moments = params.iter().map(|v| Ok((v.clone(), zeros(v)?, zeros(v)?)));
        Ok(Self(moments.collect::<Result<_>>()?, 0))
    }

    fn step(&mut self, loss: &Tensor) -> Result<()> {
        let grads = loss.backward()?;
        self.1 += 1;
        let (scale_m, scale_v) = (1.0 / (1.0 - 0.9f64.powi(self.1)), 1.0 / (1.0 - 0.999f64.powi(self.1)));
        for (theta, m, v) in &self.0 {
            let Some(g) = grads.get(theta) else { candle_core::bail!("a parameter without gradient") };
            let next_m = ((m.as_tensor() * 0.9)? + (g * 0.1)?)?;
            let next_v = ((v.as_tensor() * 0.999)? + (g.sqr()? * 0.001)?)?;
            let (m_hat, v_hat) = ((&next_m * scale_m)?, (&next_v * scale_v)?);
            let decayed = (theta.as_tensor() * (1.0 - 1e-3 * 0.01))?;
            let step = ((m_hat / (v_hat.sqrt()? + 1e-8)?)? * 1e-3)?;
            theta.set(&(decayed - step)?)?;
            m.set(&next_m)?;
            v.set(&next_v)?;
        }
        Ok(())
    }
}

fn image(batch: usize, channels: usize, height: usize, width: usize) -> Result<Tensor> {
    Tensor::randn(0f32, 1f32, (batch, channels, height, width), &Device::Cpu)
}

type Loss = Box<dyn Fn() -> Result<Tensor>>;

/// A workload: what its loss is, and what is not as in PyTorch.
fn workload(name: &str, p: &mut Params) -> Result<(Loss, &'static str)> {
    let strides = "stride 2 on inputs padded beforehand: backward fails on unlike parity of height and width";
    let pools = "rows that do not fill a pool cut off beforehand: their gradient is wrong";
    let coils = image(BATCH, 3, 264, 18)?;
    Ok(match name {
        "siamese" => {
            let (trunk, last) = (Trunk::new(p, 1)?, Linear::new(p, 128, 64)?);
            let images = image(2 * BATCH, 1, 264, 18)?;
            (Box::new(move || pairs(&last.forward(&trunk.forward(&images)?)?)), pools)
        }
        "cnn" => {
            let (trunk, hidden) = (Trunk::new(p, 3)?, Linear::new(p, 132, 64)?);
            let (logits, side) =
                (Linear::new(p, 64, 2)?, Tensor::randn(0f32, 1f32, (BATCH, 4), &Device::Cpu)?);
            let forward = move || {
                let features = Tensor::cat(&[trunk.forward(&coils)?, side.clone()], 1)?;
                let hidden = hidden.forward(&features)?.relu()?;
                let kept = (hidden.rand_like(0.0, 1.0)?.ge(0.3)?.to_dtype(DType::F32)? * (1.0 / 0.7))?;
                cross_entropy(&logits.forward(&(hidden * kept)?)?)
            };
            (Box::new(forward), pools)
        }
        "yolov8s-7" => {
            let (net, map) = (Yolo::new(p, 2, 7)?, image(BATCH, 256, 17, 2)?);
            (Box::new(move || cross_entropy(&net.forward(&map)?)), strides)
        }
        "yolov8n" => {
            let net = Yolo::new(p, 1, 0)?;
            (Box::new(move || cross_entropy(&net.forward(&coils)?)), strides)
        }
        _ => {
            let net = Lite::new(p)?;
            (Box::new(move || cross_entropy(&net.forward(&coils)?)), strides)
        }
    })
}

fn main() -> anyhow::Result<()> {
    let arguments = measure::arguments(&WORKLOADS)?;
    let base = measure::base_mib()?;
    let mut params = Params::default();
    let (loss, note) = workload(&arguments.workload, &mut params)?;
    let mut adam = AdamW::new(&params.0)?;
    measure::report("candle", &arguments, base, note, || {
        let value = loss()?;
        adam.step(&value)?;
        Ok(value.to_scalar::<f32>()?)
    })
}
