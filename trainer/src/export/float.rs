//! A folded network as an f32 ONNX model.
//!
//! Inputs `image` `[1, C, H, W]` and, unless the network has no side vector, `side` `[1, S]`; output `logits`
//! `[1, 2]`, class 0 = OK, class 1 = NOK. The start and the end of the graph serve the int8 export too.

use super::folded::{Dense, FoldedConv, FoldedNet, GlobalPool, Sides, TrunkLayer};
use super::onnx::{Graph, Value, Window};

/// Writes the network as it is.
///
/// # Panics
/// If the network's parts do not fit each other.
pub fn to_onnx(net: &FoldedNet) -> Vec<u8> {
    let mut graph = Graph::default();
    let mut x = strip(&mut graph, net);
    for (i, layer) in net.trunk.iter().enumerate() {
        x = match layer {
            TrunkLayer::Conv(conv) => float_conv(&mut graph, &layer_name(i), &x, conv),
            TrunkLayer::AvgPool { kernel } => graph.average_pool(&layer_name(i), &x, *kernel),
        };
    }
    head(&mut graph, net, &x);
    graph.finish("coilsight f32")
}

/// The name of a trunk layer's output.
pub(super) fn layer_name(index: usize) -> String {
    format!("trunk.{index}")
}

/// What the trunk sees: the image, or both sides as a batch of two.
pub(super) fn strip(graph: &mut Graph, net: &FoldedNet) -> Value {
    let [channels, height, width] = net.image;
    let image = graph.input("image", &[1, channels, height, width]);
    match net.sides {
        Sides::Image => image,
        Sides::Shared => {
            assert!(width.is_multiple_of(2), "two sides need an even width");
            let first = graph.slice("side.0", &image, 3, 0, width / 2);
            let second = graph.slice("side.1", &image, 3, width / 2, width);
            graph.concat("sides", 0, &[first, second])
        }
    }
}

/// Global pools, the side vector and the dense layers, from the trunk's last map to the output `logits`.
pub(super) fn head(graph: &mut Graph, net: &FoldedNet, map: &Value) {
    let mut features = Vec::new();
    for (i, pool) in net.pools.iter().enumerate() {
        let name = format!("pool.{i}");
        let pooled = match pool {
            GlobalPool::Avg => graph.global_average_pool(&name, map),
            GlobalPool::Max => graph.global_max_pool(&name, map),
        };
        let flat = graph.flatten(&format!("{name}.flat"), &pooled);
        match net.sides {
            Sides::Image => features.push(flat),
            Sides::Shared => {
                features.push(graph.reduce_max(&format!("{name}.greater_side"), &flat, 0));
                features.push(graph.reduce_mean(&format!("{name}.mean_side"), &flat, 0));
            }
        }
    }
    if net.side > 0 {
        features.push(graph.input("side", &[1, net.side]));
    }
    let mut x = graph.concat("features", 1, &features);
    let last = net.head.len().checked_sub(1).expect("a head has at least one layer");
    for (i, dense) in net.head.iter().enumerate() {
        let name = if i == last { "logits".to_owned() } else { format!("head.{i}") };
        x = gemm(graph, &name, &x, dense);
    }
    graph.output(&x, &[1, net.head[last].bias.len()]);
}

/// The window of a convolution.
pub(super) fn window(conv: &FoldedConv) -> Window {
    Window { kernel: conv.kernel, stride: conv.stride, padding: conv.padding }
}

/// The shape of a convolution's weight.
pub(super) fn weight_shape(conv: &FoldedConv) -> [usize; 4] {
    [conv.out, conv.input, conv.kernel.0, conv.kernel.1]
}

fn float_conv(graph: &mut Graph, name: &str, x: &Value, conv: &FoldedConv) -> Value {
    let weight = graph.constant(&format!("{name}.weight"), &weight_shape(conv), &conv.weight);
    let bias = graph.constant(&format!("{name}.bias"), &[conv.out], &conv.bias);
    if conv.relu {
        let sum = graph.conv(&format!("{name}.conv"), x, &weight, &bias, window(conv));
        graph.relu(name, &sum)
    } else {
        graph.conv(name, x, &weight, &bias, window(conv))
    }
}

fn gemm(graph: &mut Graph, name: &str, x: &Value, dense: &Dense) -> Value {
    let (out, input) = (dense.bias.len(), dense.weight.len() / dense.bias.len());
    let weight = graph.constant(&format!("{name}.weight"), &[out, input], &dense.weight);
    let bias = graph.constant(&format!("{name}.bias"), &[out], &dense.bias);
    if dense.relu {
        let sum = graph.gemm(&format!("{name}.gemm"), x, &weight, &bias);
        graph.relu(name, &sum)
    } else {
        graph.gemm(name, x, &weight, &bias)
    }
}
