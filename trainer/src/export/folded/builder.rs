//! Puts a network together, node by node.

use super::{Dense, Dims, FoldedConv, FoldedNet, GlobalPool, Node, Op, Pads, Port, References, Shape, Sides};

/// A network under construction. Every method panics where a node does not fit what it reads: the networks are
/// checked when they are built, so that a fold which does not fit is a mistake in the fold.
#[derive(Debug, Clone)]
pub struct Builder {
    pub(super) net: FoldedNet,
    shapes: Vec<Shape>,
}

impl Builder {
    pub(super) fn new(image: [usize; 3], side: usize, sides: Sides) -> Self {
        assert!(sides == Sides::Image || image[2].is_multiple_of(2), "two sides need an even width");
        Self { net: FoldedNet { image, side, sides, nodes: Vec::new(), features: None }, shapes: Vec::new() }
    }

    /// The shape of a value.
    pub fn shape(&self, port: Port) -> Shape {
        self.net.shape(port, &self.shapes)
    }

    /// Channels, height and width of a map.
    pub fn map(&self, port: Port) -> [usize; 3] {
        match self.shape(port).dims {
            Dims::Map(map) => map,
            Dims::Vector(_) => panic!("{port:?} is a vector, not a map"),
        }
    }

    /// Height and width of a map.
    pub fn size(&self, port: Port) -> (usize, usize) {
        let [_, height, width] = self.map(port);
        (height, width)
    }

    /// Any operation.
    pub fn node(&mut self, name: impl Into<String>, op: Op, inputs: &[Port]) -> Port {
        let name = name.into();
        let taken = ["image", "side", "logits"].contains(&name.as_str());
        assert!(!taken && self.net.nodes.iter().all(|n| n.name != name), "the name {name} is taken");
        assert!(
            self.net.side > 0 || !inputs.contains(&Port::Side),
            "{name} reads a side vector of no values"
        );
        let shapes: Vec<Shape> = inputs.iter().map(|p| self.shape(*p)).collect();
        let Some(shape) = op.shape(&shapes) else { panic!("{name} cannot read {shapes:?}: {}", op.sizes()) };
        self.shapes.push(shape);
        self.net.nodes.push(Node { name, op, inputs: inputs.to_vec() });
        Port::Node(self.shapes.len() - 1)
    }

    /// [`Op::Conv`].
    pub fn conv(&mut self, name: impl Into<String>, from: Port, conv: FoldedConv) -> Port {
        self.node(name, Op::Conv(conv), &[from])
    }

    /// [`Op::Add`].
    pub fn add(&mut self, name: impl Into<String>, a: Port, b: Port) -> Port {
        self.node(name, Op::Add, &[a, b])
    }

    /// [`Op::Concat`].
    pub fn concat(&mut self, name: impl Into<String>, parts: &[Port]) -> Port {
        self.node(name, Op::Concat, parts)
    }

    /// [`Op::Channels`].
    pub fn channels(&mut self, name: impl Into<String>, from: Port, range: std::ops::Range<usize>) -> Port {
        self.node(name, Op::Channels { from: range.start, to: range.end }, &[from])
    }

    /// [`Op::AvgPool`] with stride = kernel.
    pub fn avg_pool(&mut self, name: impl Into<String>, from: Port, kernel: (usize, usize)) -> Port {
        self.node(name, Op::AvgPool { kernel, stride: kernel }, &[from])
    }

    /// [`Op::MaxPool`] with stride = kernel, without padding.
    pub fn max_pool(&mut self, name: impl Into<String>, from: Port, kernel: (usize, usize)) -> Port {
        self.node(name, Op::MaxPool { kernel, stride: kernel, pads: Pads::NONE }, &[from])
    }

    /// [`Op::GlobalPool`].
    pub fn global_pool(&mut self, name: impl Into<String>, from: Port, pool: GlobalPool) -> Port {
        self.node(name, Op::GlobalPool(pool), &[from])
    }

    /// Global pools of a map in the given order, as one vector; each pool of two sides gives the greater side's
    /// values, then the mean of both.
    pub fn features(&mut self, name: &str, from: Port, pools: &[GlobalPool]) -> Port {
        let mut features = Vec::new();
        for (i, pool) in pools.iter().enumerate() {
            let pooled = self.global_pool(format!("{name}.{i}"), from, *pool);
            if self.shape(pooled).rows == 2 {
                features.push(self.node(format!("{name}.{i}.greater_side"), Op::GreaterSide, &[pooled]));
                features.push(self.node(format!("{name}.{i}.mean_side"), Op::MeanSide, &[pooled]));
            } else {
                features.push(pooled);
            }
        }
        match features[..] {
            [only] => only,
            _ => self.concat(name, &features),
        }
    }

    /// The vector followed by the side vector, or as it is where there is none.
    pub fn with_side(&mut self, name: impl Into<String>, from: Port) -> Port {
        if self.net.side == 0 { from } else { self.concat(name, &[from, Port::Side]) }
    }

    /// [`Op::Flatten`].
    pub fn flatten(&mut self, name: impl Into<String>, from: Port) -> Port {
        self.node(name, Op::Flatten, &[from])
    }

    /// [`Op::Dense`].
    pub fn dense(&mut self, name: impl Into<String>, from: Port, dense: Dense) -> Port {
        self.node(name, Op::Dense(dense), &[from])
    }

    /// [`Op::References`].
    pub fn references(&mut self, name: impl Into<String>, from: Port, references: References) -> Port {
        self.node(name, Op::References(references), &[from])
    }

    /// Says that a vector which a node gives is the network's features.
    pub fn call_features(&mut self, port: Port) {
        let shape = self.shape(port);
        assert!(
            shape.rows == 1 && matches!(shape.dims, Dims::Vector(_)),
            "features are one vector: {shape:?}"
        );
        assert!(matches!(port, Port::Node(_)), "features are computed");
        let other = |(i, node): (usize, &Node)| node.name == "features" && Port::Node(i) != port;
        assert!(!self.net.nodes.iter().enumerate().any(other), "another node is called features");
        self.net.features = Some(port);
    }

    /// The network, whose last node gives the logits.
    pub fn finish(self) -> FoldedNet {
        let logits = Shape { rows: 1, dims: Dims::Vector(2) };
        assert_eq!(self.shapes.last(), Some(&logits), "the last node gives two logits");
        self.net
    }
}

impl Op {
    /// What a message says of it: not its numbers.
    fn sizes(&self) -> String {
        match self {
            Self::Conv(c) => format!(
                "convolution of {} in {} groups to {}, kernel {:?}, stride {:?}, {:?}, {} weights, {} biases",
                c.input,
                c.groups,
                c.out,
                c.kernel,
                c.stride,
                c.pads,
                c.weight.len(),
                c.bias.len()
            ),
            Self::Dense(d) => format!("dense layer of {} weights, {} biases", d.weight.len(), d.bias.len()),
            Self::References(r) => {
                format!("{} references of OK, {} of NOK, scale {}", r.ok.len(), r.nok.len(), r.scale)
            }
            other => format!("{other:?}"),
        }
    }
}
