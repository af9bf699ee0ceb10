//! Which shapes flow through a network.

use super::{FoldedConv, FoldedNet, Op, Pads, Port, Sides};

/// The shape of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Items: 2 where both sides are computed one beside the other, else 1.
    pub rows: usize,
    /// The shape of each.
    pub dims: Dims,
}

/// The shape of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dims {
    /// Channels, height, width.
    Map([usize; 3]),
    /// A length.
    Vector(usize),
}

impl Shape {
    /// Values of all items.
    pub fn count(&self) -> usize {
        self.rows * self.dims.count()
    }

    /// As an exported file has it.
    pub fn onnx(&self) -> Vec<usize> {
        match self.dims {
            Dims::Map(map) => [&[self.rows], &map[..]].concat(),
            Dims::Vector(length) => vec![self.rows, length],
        }
    }
}

impl Dims {
    /// Values.
    pub fn count(&self) -> usize {
        match self {
            Self::Map(map) => map.iter().product(),
            Self::Vector(length) => *length,
        }
    }

    /// Channels of a map, values of a vector.
    pub fn channels(&self) -> usize {
        match self {
            Self::Map([channels, ..]) => *channels,
            Self::Vector(length) => *length,
        }
    }
}

impl FoldedNet {
    /// The shape of each node's output.
    ///
    /// # Panics
    /// If a node does not fit what it reads, or reads what comes after it; [`super::Builder`] makes no such network.
    pub fn shapes(&self) -> Vec<Shape> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let inputs: Vec<Shape> = node.inputs.iter().map(|p| self.shape(*p, &shapes)).collect();
            let shape = node.op.shape(&inputs);
            shapes.push(shape.unwrap_or_else(|| panic!("{} cannot read {inputs:?}", node.name)));
        }
        shapes
    }

    /// The shape of what a port gives, from those of the nodes so far.
    pub fn shape(&self, port: Port, nodes: &[Shape]) -> Shape {
        let [channels, height, width] = self.image;
        match (port, self.sides) {
            (Port::Image, Sides::Image) => Shape { rows: 1, dims: Dims::Map(self.image) },
            (Port::Image, Sides::Shared) => Shape { rows: 2, dims: Dims::Map([channels, height, width / 2]) },
            (Port::Side, _) => Shape { rows: 1, dims: Dims::Vector(self.side) },
            (Port::Node(at), _) => nodes[at],
        }
    }
}

impl Op {
    /// The output's shape, if the inputs' go with the operation.
    pub(super) fn shape(&self, inputs: &[Shape]) -> Option<Shape> {
        let &Shape { rows, dims } = inputs.first()?;
        if matches!(self, Self::Concat) {
            return concat(inputs);
        }
        if matches!(self, Self::Add) {
            return (inputs.len() == 2 && inputs[0] == inputs[1]).then_some(inputs[0]);
        }
        if inputs.len() != 1 || matches!(self, Self::References(_)) && rows != 1 {
            return None;
        }
        if matches!(self, Self::GreaterSide | Self::MeanSide) {
            return matches!((rows, dims), (2, Dims::Vector(_))).then_some(Shape { rows: 1, dims });
        }
        let dims = match dims {
            Dims::Map(map) => self.of_map(map)?,
            Dims::Vector(length) => Dims::Vector(self.of_vector(length)?),
        };
        (dims.count() > 0).then_some(Shape { rows, dims })
    }

    fn of_map(&self, [channels, height, width]: [usize; 3]) -> Option<Dims> {
        let size = (height, width);
        Some(match self {
            Self::Conv(conv) => {
                let (h, w) = windows(size, conv.kernel, conv.stride, conv.pads)?;
                (conv.is_sound() && conv.input == channels).then_some(Dims::Map([conv.out, h, w]))?
            }
            Self::Channels { from, to } => {
                (from < to && *to <= channels).then(|| Dims::Map([to - from, height, width]))?
            }
            Self::AvgPool { kernel, stride } => {
                let (h, w) = windows(size, *kernel, *stride, Pads::NONE)?;
                Dims::Map([channels, h, w])
            }
            Self::MaxPool { kernel, stride, pads } => {
                // A window of nothing but padding would have no maximum.
                let less = |pad: (usize, usize)| pad.0 < kernel.0 && pad.1 < kernel.1;
                let (h, w) = windows(size, *kernel, *stride, *pads)?;
                (less(pads.before) && less(pads.after)).then_some(Dims::Map([channels, h, w]))?
            }
            Self::GlobalPool(_) => Dims::Vector(channels),
            Self::Flatten => Dims::Vector(channels * height * width),
            _ => return None,
        })
    }

    fn of_vector(&self, length: usize) -> Option<usize> {
        match self {
            Self::Dense(dense) => {
                (dense.weight.len() == dense.bias.len() * length).then_some(dense.bias.len())
            }
            Self::References(r) => {
                let fit = r.ok.iter().chain(&r.nok).all(|v| v.len() == length);
                (fit && !r.ok.is_empty() && !r.nok.is_empty() && r.scale > 0.0).then_some(2)
            }
            _ => None,
        }
    }
}

impl FoldedConv {
    /// Whether its numbers are as many as its sizes say.
    fn is_sound(&self) -> bool {
        let Self { groups, out, input, kernel, .. } = *self;
        groups > 0
            && out % groups == 0
            && input % groups == 0
            && self.weight.len() == out * (input / groups) * kernel.0 * kernel.1
            && self.bias.len() == out
    }
}

fn concat(inputs: &[Shape]) -> Option<Shape> {
    let first = inputs[0];
    let channels = inputs.iter().map(|s| s.dims.channels()).sum();
    let with = |dims: Dims| match dims {
        Dims::Map([_, h, w]) => Dims::Map([channels, h, w]),
        Dims::Vector(_) => Dims::Vector(channels),
    };
    let alike = inputs.iter().all(|s| s.rows == first.rows && with(s.dims) == with(first.dims));
    alike.then(|| Shape { rows: first.rows, dims: with(first.dims) })
}

/// How many windows fit.
pub(in crate::export) fn windows(
    size: (usize, usize),
    kernel: (usize, usize),
    stride: (usize, usize),
    pads: Pads,
) -> Option<(usize, usize)> {
    let (height, width) = pads.around(size);
    let fit = |n: usize, k: usize, s: usize| (k > 0 && s > 0).then(|| n.checked_sub(k))?.map(|r| r / s + 1);
    Some((fit(height, kernel.0, stride.0)?, fit(width, kernel.1, stride.1)?))
}
