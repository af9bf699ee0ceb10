//! Writes a quantised network as an ONNX model.

use super::float::{self, Given};
use super::folded::{Activation, FoldedConv, Op, Port};
use super::grouped::GroupedConv;
use super::onnx::{Graph, Quantisation, Value};
use super::quantise::{Form, Gains, Quantised, QuantisedConv, QuantisedNet, Steps};
use std::collections::BTreeMap;

impl QuantisedNet {
    /// The model's bytes: inputs and output as in [`float::to_onnx`].
    pub fn to_onnx(&self) -> Vec<u8> {
        let mut graph = Graph::default();
        let given = Given::declare(&mut graph, &self.net);
        let (floats, bytes, wholes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut writer = Writer { q: self, graph, given, floats, bytes, wholes };
        let shapes = self.net.shapes();
        for (i, (node, conv)) in self.net.nodes.iter().zip(&self.convs).enumerate() {
            let port = Port::Node(i);
            if let (Op::Conv(float), Some(conv)) = (&node.op, conv) {
                match conv {
                    Quantised::Linear(conv) => writer.conv(port, node.inputs[0], float, conv),
                    Quantised::Grouped(conv) => writer.grouped(port, node.inputs[0], float, conv),
                }
            } else {
                let inputs: Vec<Value> = node.inputs.iter().map(|p| writer.float(*p)).collect();
                let from = self.net.shape(node.inputs[0], &shapes);
                let value =
                    float::node(&mut writer.graph, float::name(&self.net, i), &node.op, &inputs, from);
                writer.floats.insert(port, value);
            }
        }
        let outputs = std::iter::once(Port::Node(self.net.nodes.len() - 1)).chain(self.net.features);
        let mut values: Vec<Value> = outputs.map(|port| writer.float(port)).collect();
        float::finish(writer.graph, &self.net, |_| values.remove(0), "coilsight int8")
    }

    /// The name of a value's u8 form in the model.
    pub(super) fn u8_name(&self, port: Port) -> String {
        match port {
            Port::Image => "image.u8".to_owned(),
            Port::Side => "side.u8".to_owned(),
            Port::Node(at) => format!("{}.u8", self.net.nodes[at].name),
        }
    }

    /// The name of what an integer convolution gives.
    pub(super) fn sum_name(&self, port: Port, conv: &FoldedConv) -> String {
        match (conv.activation, port) {
            // Its u8 form, if there is one, is rounded again after the SiLU.
            (Activation::Silu, Port::Node(at)) => format!("{}.sum.u8", self.net.nodes[at].name),
            _ => self.u8_name(port),
        }
    }
}

/// A model under construction: values in f32 and in u8, each converted when it is first wanted in the other form.
struct Writer<'a> {
    q: &'a QuantisedNet,
    graph: Graph,
    given: Given,
    floats: BTreeMap<Port, Value>,
    bytes: BTreeMap<Port, (Value, Quantisation)>,
    wholes: BTreeMap<Port, Value>,
}

impl Writer<'_> {
    fn float(&mut self, port: Port) -> Value {
        if let Some(value) = self.given.get(port).or_else(|| self.floats.get(&port)) {
            return value.clone();
        }
        let (bytes, q) = self.bytes[&port].clone();
        let name = float::name(&self.q.net, float::place(port));
        let form = self.q.given(port).expect("a value without an f32 form gives u8");
        let value = self.dequantize(name, &bytes, &q, &form);
        self.floats.insert(port, value.clone());
        value
    }

    fn dequantize(&mut self, name: &str, bytes: &Value, q: &Quantisation, form: &Form) -> Value {
        match form {
            Form::Steps(_) => self.graph.dequantize(name, bytes, q),
            Form::Gains(Gains { gain, .. }) => {
                let steps = self.graph.dequantize(&format!("{name}.gained"), bytes, q);
                let loss: Vec<f32> = gain.iter().map(|g| g.recip()).collect();
                let by = self.graph.constant(&format!("{name}.loss"), &[1, loss.len(), 1, 1], &loss);
                self.graph.op("Mul", name, &[&steps, &by])
            }
        }
    }

    fn bytes(&mut self, port: Port) -> (Value, Quantisation) {
        if let Some(found) = self.bytes.get(&port) {
            return found.clone();
        }
        let name = self.q.u8_name(port);
        let mut x = self.float(port);
        let form = &self.q.roundings[&port];
        if let Form::Gains(Gains { gain, .. }) = form {
            let by = self.graph.constant(&format!("{name}.gain"), &[1, gain.len(), 1, 1], gain);
            x = self.graph.op("Mul", &format!("{name}.gained"), &[&x, &by]);
        }
        let (steps, _) = form.read(0);
        let q = self.quantisation(&name, steps);
        let found = (self.graph.quantize(&name, &x, &q), q);
        self.bytes.insert(port, found.clone());
        found
    }

    /// The values of a map in u8 less their zero point, in f32. By `Cast`: ONNX Runtime takes a `Conv` between
    /// `DequantizeLinear` and `QuantizeLinear` for one that it may compute with weights of 8 bits.
    fn whole(&mut self, port: Port, zero_point: u8) -> Value {
        if let Some(value) = self.wholes.get(&port) {
            return value.clone();
        }
        let (x, _) = self.bytes(port);
        let name = format!("{}.whole", self.q.u8_name(port));
        let mut value = self.graph.to_float(&format!("{name}.cast"), &x);
        if zero_point > 0 {
            let zero = self.graph.constant(&format!("{name}.zero"), &[], &[f32::from(zero_point)]);
            value = self.graph.op("Sub", &name, &[&value, &zero]);
        }
        self.wholes.insert(port, value.clone());
        value
    }

    fn grouped(&mut self, port: Port, from: Port, float: &FoldedConv, conv: &GroupedConv) {
        let x = self.whole(from, conv.zero_point);
        let name = self.q.u8_name(port);
        let weight =
            self.graph.constant(&format!("{name}.weight"), &float::weight_shape(float), &conv.weight);
        let bias = self.graph.constant(&format!("{name}.bias"), &[float.out], &conv.bias);
        let window = float::window(float);
        let sum = self.graph.conv(&format!("{name}.sum"), &x, &weight, &bias, window, float.groups);
        let to = self.quantisation(&name, Steps { scale: conv.divisor, zero_point: conv.output.zero_point });
        let y = self.graph.quantize(&name, &sum, &to);
        // What reads it takes its gains into account.
        let steps = Steps { scale: 1.0, zero_point: conv.output.zero_point };
        let q = self.quantisation(&format!("{name}.gained"), steps);
        self.bytes.insert(port, (y, q));
    }

    fn conv(&mut self, port: Port, from: Port, float: &FoldedConv, conv: &QuantisedConv) {
        let (x, input) = self.bytes(from);
        let name = self.q.sum_name(port, float);
        let shape = float::weight_shape(float);
        let weight = self.graph.constant(&format!("{name}.weight"), &shape, &conv.weight);
        let weight_q = Quantisation {
            scale: self.graph.constant(&format!("{name}.weight_scale"), &[float.out], &conv.weight_scale),
            zero_point: self.graph.constant(&format!("{name}.weight_zero_point"), &[], &[0_i8]),
        };
        let bias = self.graph.constant(&format!("{name}.bias"), &[float.out], &conv.bias);
        let (steps, _) = conv.output.read(0);
        let output = self.quantisation(&name, steps);
        let window = float::window(float);
        let y = self.graph.qlinear_conv(&name, (&x, &input), (&weight, &weight_q), &output, &bias, window);
        if float.activation == Activation::Silu {
            let name = float::name(&self.q.net, float::place(port));
            let before = float::before(name, float.activation);
            let sum = self.dequantize(&before, &y, &output, &conv.output);
            let value = float::activate(&mut self.graph, name, sum, float.activation);
            self.floats.insert(port, value);
        } else {
            self.bytes.insert(port, (y, output));
        }
    }

    fn quantisation(&mut self, name: &str, steps: Steps) -> Quantisation {
        Quantisation {
            scale: self.graph.constant(&format!("{name}.scale"), &[], &[steps.scale]),
            zero_point: self.graph.constant(&format!("{name}.zero_point"), &[], &[steps.zero_point]),
        }
    }
}
