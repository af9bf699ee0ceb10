//! A trained network with its batch norms folded into the convolutions: plain numbers, no tensors.
//!
//! This is what every exporter starts from. [`FoldedNet::forward`] is a plain, slow evaluation that serves as
//! the oracle for the training engine on one side and for exported files on the other.
//!
//! Layouts are those of ONNX: images C,H,W; convolution weights out,in,kh,kw; dense weights out,in.

/// A feed-forward network: trunk of convolutions and pools, global pooling, dense head.
///
/// Evaluation of one image:
/// 1. [`Sides::Image`]: the trunk runs on the whole image. [`Sides::Shared`]: the image is cut in two along W
///    (columns `0..W/2` are side 0, columns `W/2..W` are side 1; W is even) and the same trunk runs on each half.
/// 2. Features, from the trunk's last map with C channels:
///    - `Image`: for each pool in order, C values.
///    - `Shared`: for each pool in order, the larger of the two sides' values (C values), then the mean of
///      the two sides' values (C values).
/// 3. The side vector (order data, `side` values) is appended to the features.
/// 4. The head's dense layers follow; the last one gives the logits, class 0 = OK, class 1 = NOK.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldedNet {
    /// Channels, height and width of the input image; with [`Sides::Shared`] the width of both sides together.
    pub image: [usize; 3],
    /// Length of the side vector; 0 when there is none.
    pub side: usize,
    /// Whether the trunk sees the strip as one image or each side on its own.
    pub sides: Sides,
    /// Layers before global pooling, in order.
    pub trunk: Vec<TrunkLayer>,
    /// Global pools over height and width, in the order in which their features are concatenated.
    pub pools: Vec<GlobalPool>,
    /// Dense layers after global pooling, in order; the last one has no ReLU.
    pub head: Vec<Dense>,
}

/// How the two sides of the strip pass through the trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sides {
    /// One image, top and bottom side beside each other.
    Image,
    /// Each half of the columns on its own, with the same weights; merged after global pooling.
    Shared,
}

/// A layer before global pooling.
#[derive(Debug, Clone, PartialEq)]
pub enum TrunkLayer {
    /// Convolution, then ReLU if it says so.
    Conv(FoldedConv),
    /// Average pool with stride = kernel, no padding, incomplete windows dropped (floor).
    AvgPool {
        /// Height and width of the window.
        kernel: (usize, usize),
    },
}

/// A convolution with batch norm folded in. Zero padding, the same on both ends of an axis; pairs are (height, width).
#[derive(Debug, Clone, PartialEq)]
pub struct FoldedConv {
    /// `[out][input][kh][kw]`, row-major.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
    /// Output channels.
    pub out: usize,
    /// Input channels.
    pub input: usize,
    /// Kernel size.
    pub kernel: (usize, usize),
    /// Step of the window.
    pub stride: (usize, usize),
    /// Zeros added at each end.
    pub padding: (usize, usize),
    /// Whether a ReLU follows.
    pub relu: bool,
}

/// Global pooling over height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GlobalPool {
    /// Mean.
    Avg,
    /// Maximum.
    Max,
}

/// A fully connected layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// `[out][in]`, row-major.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
    /// Whether a ReLU follows.
    pub relu: bool,
}

impl FoldedNet {
    /// Logits of one image (`C*H*W` values, C,H,W order) with its side vector, summed in f64 and rounded per layer.
    ///
    /// # Panics
    /// If a length does not match the network's own description.
    pub fn forward(&self, image: &[f32], side: &[f32]) -> Vec<f32> {
        let [channels, height, width] = self.image;
        assert_eq!(image.len(), channels * height * width, "image length");
        assert_eq!(side.len(), self.side, "side vector length");
        let whole = Map { channels, height, width, data: image.to_vec() };
        let mut features = match self.sides {
            Sides::Image => self.pooled(whole).concat(),
            Sides::Shared => {
                let half = width / 2;
                assert_eq!(width, 2 * half, "two sides need an even width");
                let first = self.pooled(whole.columns(0, half));
                let second = self.pooled(whole.columns(half, width));
                let mut merged = Vec::new();
                for (a, b) in first.iter().zip(&second) {
                    merged.extend(a.iter().zip(b).map(|(a, b)| a.max(*b)));
                    merged.extend(a.iter().zip(b).map(|(a, b)| f32::midpoint(*a, *b)));
                }
                merged
            }
        };
        features.extend_from_slice(side);
        self.head.iter().fold(features, |x, dense| dense.apply(&x))
    }

    /// One vector of C values per global pool.
    fn pooled(&self, mut map: Map) -> Vec<Vec<f32>> {
        for layer in &self.trunk {
            map = match layer {
                TrunkLayer::Conv(conv) => conv.apply(&map),
                TrunkLayer::AvgPool { kernel } => map.avg_pool(*kernel),
            };
        }
        let area = map.height * map.width;
        let planes = || map.data.chunks_exact(area);
        let pool = |kind: &GlobalPool| match kind {
            GlobalPool::Avg => planes()
                .map(|p| (p.iter().map(|v| f64::from(*v)).sum::<f64>() / area as f64) as f32)
                .collect(),
            GlobalPool::Max => {
                planes().map(|p| p.iter().copied().fold(f32::NEG_INFINITY, f32::max)).collect()
            }
        };
        self.pools.iter().map(pool).collect()
    }
}

impl FoldedConv {
    fn apply(&self, x: &Map) -> Map {
        assert_eq!(x.channels, self.input, "convolution input channels");
        let ((kh, kw), (sh, sw), (ph, pw)) = (self.kernel, self.stride, self.padding);
        let height = (x.height + 2 * ph - kh) / sh + 1;
        let width = (x.width + 2 * pw - kw) / sw + 1;
        let mut data = Vec::with_capacity(self.out * height * width);
        for o in 0..self.out {
            for oy in 0..height {
                for ox in 0..width {
                    let mut sum = f64::from(self.bias[o]);
                    for c in 0..self.input {
                        for ky in 0..kh {
                            for kx in 0..kw {
                                let (y, z) =
                                    ((oy * sh + ky).wrapping_sub(ph), (ox * sw + kx).wrapping_sub(pw));
                                if y < x.height && z < x.width {
                                    let w = self.weight[((o * self.input + c) * kh + ky) * kw + kx];
                                    sum += f64::from(w) * f64::from(x.data[(c * x.height + y) * x.width + z]);
                                }
                            }
                        }
                    }
                    let v = sum as f32;
                    data.push(if self.relu { v.max(0.0) } else { v });
                }
            }
        }
        Map { channels: self.out, height, width, data }
    }
}

impl Dense {
    fn apply(&self, x: &[f32]) -> Vec<f32> {
        assert_eq!(self.weight.len(), self.bias.len() * x.len(), "dense input length");
        let row = |(w, b): (&[f32], &f32)| {
            let dot: f64 = w.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            let v = (dot + f64::from(*b)) as f32;
            if self.relu { v.max(0.0) } else { v }
        };
        self.weight.chunks_exact(x.len()).zip(&self.bias).map(row).collect()
    }
}

/// A feature map, C,H,W.
struct Map {
    channels: usize,
    height: usize,
    width: usize,
    data: Vec<f32>,
}

impl Map {
    fn columns(&self, from: usize, to: usize) -> Map {
        let data = self.data.chunks_exact(self.width).flat_map(|row| &row[from..to]).copied().collect();
        Map { channels: self.channels, height: self.height, width: to - from, data }
    }

    fn avg_pool(&self, (kh, kw): (usize, usize)) -> Map {
        let (height, width) = (self.height / kh, self.width / kw);
        let mut data = Vec::with_capacity(self.channels * height * width);
        for plane in self.data.chunks_exact(self.height * self.width) {
            for oy in 0..height {
                for ox in 0..width {
                    let window =
                        (0..kh * kw).map(|i| plane[(oy * kh + i / kw) * self.width + ox * kw + i % kw]);
                    data.push((window.map(f64::from).sum::<f64>() / (kh * kw) as f64) as f32);
                }
            }
        }
        Map { channels: self.channels, height, width, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(sides: Sides) -> FoldedNet {
        let conv = FoldedConv {
            weight: vec![1.0, 1.0, 1.0],
            bias: vec![-1.0],
            out: 1,
            input: 1,
            kernel: (3, 1),
            stride: (2, 1),
            padding: (1, 0),
            relu: true,
        };
        let features = if sides == Sides::Shared { 4 } else { 2 };
        let mut weight = vec![0.0; (features + 1) * (features + 1)];
        (0..=features).for_each(|i| weight[i * (features + 2)] = 1.0);
        FoldedNet {
            image: [1, 3, 4],
            side: 1,
            sides,
            trunk: vec![TrunkLayer::Conv(conv), TrunkLayer::AvgPool { kernel: (2, 1) }],
            pools: vec![GlobalPool::Avg, GlobalPool::Max],
            head: vec![Dense { weight, bias: vec![0.5; features + 1], relu: false }],
        }
    }

    // Columns 1,2,3 / 0,0,0 / -1,-1,-1 / 4,0,2. Rows 0 and 2 of the convolution see two values each:
    // 1+2-1, 2+3-1 | 0 | 0 | 4-1, 2-1; the mean of the two rows: 3, 0, 0, 2.
    const IMAGE: [f32; 12] = [1., 0., -1., 4., 2., 0., -1., 0., 3., 0., -1., 2.];

    #[test]
    fn one_image_gives_average_maximum_and_side_vector() {
        assert_eq!(net(Sides::Image).forward(&IMAGE, &[7.0]), [1.25 + 0.5, 3.5, 7.5]);
    }

    #[test]
    fn two_sides_give_maximum_then_mean_for_each_pool() {
        // Averages 1.5 and 1; maxima 3 and 2.
        assert_eq!(net(Sides::Shared).forward(&IMAGE, &[7.0]), [2.0, 1.75, 3.5, 3.0, 7.5]);
    }
}
