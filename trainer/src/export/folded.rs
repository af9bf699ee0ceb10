//! A trained network as a graph of plain numbers, batch norms folded into the layers beside them: no tensors.
//!
//! This is what every exporter starts from. [`FoldedNet::forward`] is a plain evaluation that serves as the oracle
//! for the training engine on one side and for exported files on the other. Networks are put together with a
//! [`Builder`], which checks that every node fits what it reads.
//!
//! Layouts are those of ONNX: images C,H,W; convolution weights out,in/groups,kh,kw; dense weights out,in.

mod builder;
mod engine;
mod forward;
mod norm;
mod shape;
#[cfg(test)]
mod tests;

pub use crate::nn::activation::Activation;
pub use crate::nn::conv::Pads;
pub use builder::Builder;
pub use forward::direction;
pub(super) use forward::{Value, activated};
pub use norm::Norm;
pub(super) use shape::windows;
pub use shape::{Dims, Shape};

/// A network: nodes in the order of computation; the last one gives the logits, class 0 = OK, class 1 = NOK.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldedNet {
    /// Channels, height and width of the input image; with [`Sides::Shared`] the width of both sides together.
    pub image: [usize; 3],
    /// Length of the side vector (order data); 0 when there is none.
    pub side: usize,
    /// Whether the network sees the strip as one image or each side on its own.
    pub sides: Sides,
    /// What is computed.
    pub nodes: Vec<Node>,
    /// The vector that the head reads, before the side vector joins it: what a coil is like to this network.
    pub features: Option<Port>,
}

/// How the two sides of the strip pass through the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sides {
    /// One image, top and bottom side beside each other.
    Image,
    /// The image is cut in two along W: [`Port::Image`] has two rows, columns `0..W/2` and columns `W/2..W`, which
    /// the same nodes compute until [`Op::GreaterSide`] and [`Op::MeanSide`] make one of them.
    Shared,
}

/// A step of the computation.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Names its output in exported files and in messages; each once.
    pub name: String,
    /// What is done.
    pub op: Op,
    /// To what.
    pub inputs: Vec<Port>,
}

/// Where a node reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Port {
    /// The image, or its two sides.
    Image,
    /// The side vector.
    Side,
    /// The output of a node, by its place.
    Node(usize),
}

/// What a node does. Pairs are (height, width).
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Convolution, then its activation.
    Conv(FoldedConv),
    /// Sum of two maps or vectors.
    Add,
    /// The channels of maps, or the values of vectors, one after the other.
    Concat,
    /// Some channels of a map.
    Channels {
        /// The first.
        from: usize,
        /// The one after the last.
        to: usize,
    },
    /// Average pool without padding, incomplete windows dropped (floor).
    AvgPool {
        /// Window.
        kernel: (usize, usize),
        /// Step of the window.
        stride: (usize, usize),
    },
    /// Maximum pool, incomplete windows dropped (floor). What pads is never the maximum.
    MaxPool {
        /// Window.
        kernel: (usize, usize),
        /// Step of the window.
        stride: (usize, usize),
        /// What surrounds the map.
        pads: Pads,
    },
    /// One value for each channel of a map.
    GlobalPool(GlobalPool),
    /// A map as a vector, C,H,W order.
    Flatten,
    /// The larger of the two sides' values.
    GreaterSide,
    /// The mean of the two sides' values.
    MeanSide,
    /// Fully connected layer, then its activation.
    Dense(Dense),
    /// Similarity of an embedding to references, as two logits.
    References(References),
}

/// A convolution with batch norm folded in.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldedConv {
    /// `[out][input / groups][kh][kw]`, row-major.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
    /// Output channels.
    pub out: usize,
    /// Input channels.
    pub input: usize,
    /// Into how many groups the channels are split.
    pub groups: usize,
    /// Kernel size.
    pub kernel: (usize, usize),
    /// Step of the window.
    pub stride: (usize, usize),
    /// Zeros around the map.
    pub pads: Pads,
    /// What follows.
    pub activation: Activation,
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
    /// What follows.
    pub activation: Activation,
}

/// Embeddings of known coils that an embedding `e` is compared with.
///
/// The similarity to a reference r is `sigmoid(bias - scale * D(e, r))`; that to a class is the mean over its
/// references, or the nearest one's. The logits are the logarithms of the similarities to OK and NOK, so that their
/// softmax is each similarity's share in the sum of both. All is computed in logarithms: far from every reference the
/// nearest one decides.
#[derive(Debug, Clone, PartialEq)]
pub struct References {
    /// Of OK coils.
    pub ok: Vec<Vec<f32>>,
    /// Of NOK coils.
    pub nok: Vec<Vec<f32>>,
    /// What D is.
    pub distance: Distance,
    /// How a class' references make one similarity.
    pub average: Average,
    /// Above 0.
    pub scale: f32,
    /// The log odds of a match at distance 0.
    pub bias: f32,
}

/// How far two embeddings are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// `|a - b|^2`, the squared Euclidean distance.
    Euclidean,
    /// `1 - cos(a, b)`, as half the squared distance of `a / |a|` and `b / |b|`.
    Cosine,
    /// `sum |a_i - b_i|`.
    Manhattan,
}

/// How the similarities to a class' references make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// Their mean (paper, section 3.3).
    Mean,
    /// The greatest.
    Nearest,
}

/// Added to the sum of squares before its root, so that an embedding of zeros has a direction too.
pub const LEAST_SQUARE: f32 = 1e-12;

impl FoldedNet {
    /// An empty network.
    pub fn builder(image: [usize; 3], side: usize, sides: Sides) -> Builder {
        Builder::new(image, side, sides)
    }
}
