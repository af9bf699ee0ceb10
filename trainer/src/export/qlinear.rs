//! Writes a quantised network as an ONNX model.

use super::float;
use super::folded::FoldedNet;
use super::onnx::{Graph, Quantisation, Value};
use super::quantise::{Activation, QuantisedConv, QuantisedLayer, QuantisedNet};

impl QuantisedNet {
    /// The model's bytes: inputs and output as in [`float::to_onnx`].
    pub fn to_onnx(&self) -> Vec<u8> {
        let mut graph = Graph::default();
        let ends = self.ends();
        let mut x = float::strip(&mut graph, &ends);
        for (i, kernel) in self.lead.iter().enumerate() {
            x = graph.average_pool(&format!("lead.{i}"), &x, *kernel);
        }
        let gain = graph.constant("gain", &[1, self.gain.len(), 1, 1], &self.gain);
        let image = Activation { scale: 1.0, zero_point: self.image_zero_point };
        let mut q = quantisation(&mut graph, "quantised", image);
        x = graph.mul("gained", &x, &gain);
        x = graph.quantize("quantised", &x, &q);
        for (i, layer) in self.trunk.iter().enumerate() {
            let name = Self::layer_name(i);
            (x, q) = match layer {
                QuantisedLayer::Conv(conv) => write_conv(&mut graph, &name, &x, &q, conv),
                QuantisedLayer::AvgPool { kernel, output, .. } => {
                    let output = quantisation(&mut graph, &name, *output);
                    let floats = graph.dequantize(&format!("{name}.f32"), &x, &q);
                    let pooled = graph.average_pool(&format!("{name}.pool"), &floats, *kernel);
                    (graph.quantize(&name, &pooled, &output), output)
                }
            };
        }
        x = graph.dequantize("trunk", &x, &q);
        for (i, kernel) in self.tail.iter().enumerate() {
            x = graph.average_pool(&format!("tail.{i}"), &x, *kernel);
        }
        float::head(&mut graph, &ends, &x);
        graph.finish("coilsight int8")
    }

    /// The name of a trunk layer's u8 output in the model.
    pub fn layer_name(index: usize) -> String {
        format!("q.{index}")
    }

    /// The network without its trunk: what stays in f32.
    fn ends(&self) -> FoldedNet {
        FoldedNet {
            image: self.image,
            side: self.side,
            sides: self.sides,
            trunk: Vec::new(),
            pools: self.pools.clone(),
            head: self.head.clone(),
        }
    }
}

fn write_conv(
    graph: &mut Graph,
    name: &str,
    x: &Value,
    input: &Quantisation,
    conv: &QuantisedConv,
) -> (Value, Quantisation) {
    let out = conv.float.out;
    let weight = graph.constant(&format!("{name}.weight"), &float::weight_shape(&conv.float), &conv.weight);
    let weight_q = Quantisation {
        scale: graph.constant(&format!("{name}.weight_scale"), &[out], &conv.weight_scale),
        zero_point: graph.constant(&format!("{name}.weight_zero_point"), &[], &[0_i8]),
    };
    let bias = graph.constant(&format!("{name}.bias"), &[out], &conv.bias);
    let output = quantisation(graph, name, conv.output);
    let window = float::window(&conv.float);
    let y = graph.qlinear_conv(name, (x, input), (&weight, &weight_q), &output, &bias, window);
    (y, output)
}

fn quantisation(graph: &mut Graph, name: &str, activation: Activation) -> Quantisation {
    Quantisation {
        scale: graph.constant(&format!("{name}.scale"), &[], &[activation.scale]),
        zero_point: graph.constant(&format!("{name}.zero_point"), &[], &[activation.zero_point]),
    }
}
