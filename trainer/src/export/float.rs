//! A folded network as an f32 ONNX model.
//!
//! Inputs `image` `[1, C, H, W]` and, unless the network has no side vector, `side` `[1, S]`; outputs `logits`
//! `[1, 2]`, class 0 = OK, class 1 = NOK, and, where the network says which they are, `features` `[1, F]`. Every other value has its node's name. The int8 export writes with
//! [`node`] what stays f32 in it.

use super::folded::{
    self, Activation, Average, Dense, Distance, FoldedConv, FoldedNet, GlobalPool, LEAST_SQUARE, Op, Port,
    References, Shape, Sides,
};
use super::onnx::{Graph, Value, Window};

/// Writes the network as it is.
pub fn to_onnx(net: &FoldedNet) -> Vec<u8> {
    let mut graph = Graph::default();
    let given = Given::declare(&mut graph, net);
    let shapes = net.shapes();
    let mut values: Vec<Value> = Vec::with_capacity(net.nodes.len());
    for (i, step) in net.nodes.iter().enumerate() {
        let read = |port: &Port| given.get(*port).unwrap_or_else(|| &values[place(*port)]).clone();
        let inputs: Vec<Value> = step.inputs.iter().map(read).collect();
        let from = net.shape(step.inputs[0], &shapes);
        values.push(node(&mut graph, name(net, i), &step.op, &inputs, from));
    }
    finish(graph, net, |port| values[place(port)].clone(), "coilsight f32")
}

/// What a node's output is called: its own name, `logits` for the last, `features` for the features.
pub(super) fn name(net: &FoldedNet, at: usize) -> &str {
    if at + 1 == net.nodes.len() {
        "logits"
    } else if net.features == Some(Port::Node(at)) {
        "features"
    } else {
        &net.nodes[at].name
    }
}

/// The place of a node whose output a port gives.
pub(super) fn place(port: Port) -> usize {
    match port {
        Port::Node(at) => at,
        Port::Image | Port::Side => unreachable!("given, not computed"),
    }
}

/// Declares the outputs: the last node's value, then the features.
pub(super) fn finish(
    mut graph: Graph,
    net: &FoldedNet,
    mut value: impl FnMut(Port) -> Value,
    title: &str,
) -> Vec<u8> {
    let shapes = net.shapes();
    for port in std::iter::once(Port::Node(shapes.len() - 1)).chain(net.features) {
        let value = value(port);
        graph.output(&value, &net.shape(port, &shapes).onnx());
    }
    graph.finish(title)
}

/// The model's inputs.
pub(super) struct Given {
    strip: Value,
    side: Option<Value>,
}

impl Given {
    /// Declares the inputs; with two sides, cuts the image into a batch of two.
    pub(super) fn declare(graph: &mut Graph, net: &FoldedNet) -> Self {
        let [channels, height, width] = net.image;
        let image = graph.input("image", &[1, channels, height, width]);
        let strip = match net.sides {
            Sides::Image => image,
            Sides::Shared => {
                let first = graph.slice("side.0", &image, 3, 0, width / 2);
                let second = graph.slice("side.1", &image, 3, width / 2, width);
                graph.concat("sides", 0, &[first, second])
            }
        };
        let side = (net.side > 0).then(|| graph.input("side", &[1, net.side]));
        Self { strip, side }
    }

    /// What a port gives that no node computes.
    pub(super) fn get(&self, port: Port) -> Option<&Value> {
        match port {
            Port::Image => Some(&self.strip),
            Port::Side => self.side.as_ref(),
            Port::Node(_) => None,
        }
    }
}

/// Writes a node's operation in f32; `from` is the shape of its first input.
pub(super) fn node(graph: &mut Graph, name: &str, op: &Op, inputs: &[Value], from: Shape) -> Value {
    let x = &inputs[0];
    match op {
        Op::Conv(conv) => float_conv(graph, name, x, conv),
        Op::Add => graph.op("Add", name, &[x, &inputs[1]]),
        Op::Concat => graph.concat(name, 1, inputs),
        Op::Channels { from, to } => graph.slice(name, x, 1, *from, *to),
        Op::AvgPool { kernel, stride } => {
            let window = Window { kernel: *kernel, stride: *stride, pads: super::folded::Pads::NONE };
            graph.average_pool(name, x, window)
        }
        Op::MaxPool { kernel, stride, pads } => {
            graph.max_pool(name, x, Window { kernel: *kernel, stride: *stride, pads: *pads })
        }
        Op::GlobalPool(pool) => {
            let operator = match pool {
                GlobalPool::Avg => "GlobalAveragePool",
                GlobalPool::Max => "GlobalMaxPool",
            };
            let pooled = graph.op(operator, &format!("{name}.map"), &[x]);
            graph.flatten(name, &pooled)
        }
        Op::Flatten => graph.flatten(name, x),
        Op::GreaterSide => graph.reduce("ReduceMax", name, x, 0),
        Op::MeanSide => graph.reduce("ReduceMean", name, x, 0),
        Op::Dense(dense) => gemm(graph, name, x, dense),
        Op::References(references) => similarities(graph, name, x, references, from.dims.count()),
    }
}

/// The window of a convolution.
pub(super) fn window(conv: &FoldedConv) -> Window {
    Window { kernel: conv.kernel, stride: conv.stride, pads: conv.pads }
}

/// The shape of a convolution's weight.
pub(super) fn weight_shape(conv: &FoldedConv) -> [usize; 4] {
    [conv.out, conv.input / conv.groups, conv.kernel.0, conv.kernel.1]
}

/// The name under which a layer's sum is found before its activation; without one they are the same.
pub(super) fn before(name: &str, activation: Activation) -> String {
    if activation == Activation::Identity { name.to_owned() } else { format!("{name}.before") }
}

/// Writes an activation, whose input is called [`before`].
pub(super) fn activate(graph: &mut Graph, name: &str, x: Value, activation: Activation) -> Value {
    match activation {
        Activation::Identity => x,
        Activation::Relu => graph.op("Relu", name, &[&x]),
        Activation::Relu6 => {
            let least = graph.constant(&format!("{name}.least"), &[], &[0.0_f32]);
            let most = graph.constant(&format!("{name}.most"), &[], &[6.0_f32]);
            graph.op("Clip", name, &[&x, &least, &most])
        }
        Activation::Silu => {
            let gate = graph.op("Sigmoid", &format!("{name}.gate"), &[&x]);
            graph.op("Mul", name, &[&x, &gate])
        }
    }
}

fn float_conv(graph: &mut Graph, name: &str, x: &Value, conv: &FoldedConv) -> Value {
    let weight = graph.constant(&format!("{name}.weight"), &weight_shape(conv), &conv.weight);
    let bias = graph.constant(&format!("{name}.bias"), &[conv.out], &conv.bias);
    let sum = graph.conv(&before(name, conv.activation), x, &weight, &bias, window(conv), conv.groups);
    activate(graph, name, sum, conv.activation)
}

fn gemm(graph: &mut Graph, name: &str, x: &Value, dense: &Dense) -> Value {
    let (out, input) = (dense.bias.len(), dense.weight.len() / dense.bias.len());
    let weight = graph.constant(&format!("{name}.weight"), &[out, input], &dense.weight);
    let bias = graph.constant(&format!("{name}.bias"), &[out], &dense.bias);
    let sum = graph.gemm(&before(name, dense.activation), x, &weight, &bias);
    activate(graph, name, sum, dense.activation)
}

/// The logarithms of the similarities to the classes, without a sigmoid: `log sigmoid(t) = min(t, 0) - log(1 + exp(-|t|))`,
/// and the logarithm of a mean of exponentials about the greatest.
fn similarities(graph: &mut Graph, name: &str, x: &Value, references: &References, length: usize) -> Value {
    let x =
        if references.distance == Distance::Cosine { direction(graph, name, x, length) } else { x.clone() };
    // The mean in place of the sum: ReduceMean takes its axis alike in every operator set.
    let steep = references.scale * length as f32;
    let steep = match references.distance {
        // 1 - cos(a, b) is half the squared distance of the directions.
        Distance::Cosine => steep / 2.0,
        Distance::Euclidean | Distance::Manhattan => steep,
    };
    let mut one = |what: &str, v: f32| graph.constant(&format!("{name}.{what}"), &[], &[v]);
    let (scale, bias) = (one("scale", -steep), one("bias", references.bias));
    let (nought, unit) = (one("nought", 0.0), one("unit", 1.0));
    let logits = [("ok", &references.ok), ("nok", &references.nok)].map(|(class, known)| {
        let at = |what: &str| format!("{name}.{class}.{what}");
        let values = match references.distance {
            Distance::Cosine => known.iter().flat_map(|r| folded::direction(r)).collect(),
            Distance::Euclidean | Distance::Manhattan => known.concat(),
        };
        let known = graph.constant(&at("references"), &[known.len(), length], &values);
        let off = graph.op("Sub", &at("off"), &[&x, &known]);
        let sizes = match references.distance {
            Distance::Manhattan => graph.op("Abs", &at("sizes"), &[&off]),
            Distance::Euclidean | Distance::Cosine => graph.op("Mul", &at("squares"), &[&off, &off]),
        };
        let distance = graph.reduce("ReduceMean", &at("distance"), &sizes, 1);
        let scaled = graph.op("Mul", &at("scaled"), &[&distance, &scale]);
        let odds = graph.op("Add", &at("odds"), &[&scaled, &bias]);
        let size = graph.op("Abs", &at("size"), &[&odds]);
        let below = graph.op("Neg", &at("below"), &[&size]);
        let share = graph.op("Exp", &at("share"), &[&below]);
        let more = graph.op("Add", &at("more"), &[&share, &unit]);
        let rest = graph.op("Log", &at("rest"), &[&more]);
        let least = graph.op("Min", &at("least"), &[&odds, &nought]);
        let similarity = graph.op("Sub", &at("similarity"), &[&least, &rest]);
        let greatest = graph.reduce("ReduceMax", &at("greatest"), &similarity, 0);
        if references.average == Average::Nearest {
            return greatest;
        }
        let apart = graph.op("Sub", &at("apart"), &[&similarity, &greatest]);
        let parts = graph.op("Exp", &at("parts"), &[&apart]);
        let mean = graph.reduce("ReduceMean", &at("mean"), &parts, 0);
        let log = graph.op("Log", &at("log"), &[&mean]);
        graph.op("Add", &at("class"), &[&greatest, &log])
    });
    graph.concat(name, 1, &logits)
}

/// [`folded::direction`] of an embedding.
fn direction(graph: &mut Graph, name: &str, x: &Value, length: usize) -> Value {
    let at = |what: &str| format!("{name}.{what}");
    let mut one = |what: &str, v: f32| graph.constant(&at(what), &[], &[v]);
    let (count, least) = (one("count", length as f32), one("least_square", LEAST_SQUARE));
    let squares = graph.op("Mul", &at("squares"), &[x, x]);
    let mean = graph.reduce("ReduceMean", &at("mean_square"), &squares, 1);
    let sum = graph.op("Mul", &at("sum_of_squares"), &[&mean, &count]);
    let sum = graph.op("Add", &at("above_zero"), &[&sum, &least]);
    let length = graph.op("Sqrt", &at("length"), &[&sum]);
    graph.op("Div", &at("direction"), &[x, &length])
}
