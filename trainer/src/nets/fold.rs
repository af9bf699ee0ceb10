//! From a trained network to plain numbers, batch norms folded into the layers beside them.

use super::Network;
use super::block::{Block, C2f, InvertedResidual};
use super::head::Head;
use super::siamese::config::Judge;
use super::trunk::{Stage, Trunk};
use crate::export::folded::{Builder, Dense, FoldedConv, FoldedNet, Port};
use crate::nn::activation::Activation;
use crate::nn::conv_norm::ConvNorm;
use candle_core::{DType, Result, Tensor};

impl Network {
    /// The network as it evaluates (running statistics, no dropout).
    pub fn fold(&self) -> Result<FoldedNet> {
        let input = self.input;
        let image = [input.channels, input.height, input.width];
        let mut net = FoldedNet::builder(image, input.side, self.trunk.sides);
        let features = fold_trunk(&mut net, &self.trunk)?;
        net.call_features(features);
        let outputs = fold_head(&mut net, &self.head, features, self.trunk.flattened())?;
        if let Some(siamese) = &self.siamese {
            match (&siamese.classifier, siamese.config().judge) {
                (Some(classifier), Judge::Head) => net.dense("classifier", outputs, Dense::of(classifier)?),
                _ => net.references("judgement", outputs, siamese.references()?),
            };
        }
        Ok(net.finish())
    }
}

fn fold_trunk(net: &mut Builder, trunk: &Trunk) -> Result<Port> {
    let mut x = Port::Image;
    let mut features = Vec::new();
    for (i, stage) in trunk.stages.iter().enumerate() {
        x = fold_stage(net, stage, x)?;
        if trunk.pooled.stages.contains(&i) {
            features.push(net.features(&format!("features.{i}"), x, &trunk.pooled.kinds));
        }
    }
    Ok(match features[..] {
        [] => net.flatten("features", x),
        [only] => only,
        _ => net.concat("features", &features),
    })
}

fn fold_stage(net: &mut Builder, stage: &Stage, mut x: Port) -> Result<Port> {
    for (i, block) in stage.blocks.iter().enumerate() {
        let name = format!("{}.block{i}", stage.name.replace(' ', "_"));
        x = match block {
            Block::Conv(conv) => fold_conv(net, name, x, conv)?,
            Block::Biased(conv, activation) => {
                let bias = conv.bias.as_ref().map(|b| values(b)).transpose()?;
                let bias = bias.unwrap_or_else(|| vec![0.0; conv.shape.output]);
                let folded = FoldedConv::new(&conv.shape, net.size(x), &values(&conv.weight)?);
                net.conv(name, x, folded.biased(&bias).activated(*activation))
            }
            Block::Layered(..) => candle_core::bail!(
                "{name} has a layer norm, which cannot be exported: train with network.backbone.norm: batch"
            ),
            Block::AvgPool(kernel) => net.avg_pool(name, x, *kernel),
            Block::C2f(block) => fold_c2f(net, &name, x, block)?,
            Block::InvertedResidual(block) => fold_inverted(net, &name, x, block)?,
        };
    }
    Ok(x)
}

fn fold_conv(net: &mut Builder, name: String, x: Port, conv: &ConvNorm) -> Result<Port> {
    let folded = FoldedConv::of(conv, net.size(x))?;
    Ok(net.conv(name, x, folded))
}

fn fold_c2f(net: &mut Builder, name: &str, x: Port, block: &C2f) -> Result<Port> {
    let both = fold_conv(net, format!("{name}.cv1"), x, &block.enter)?;
    let half = block.enter.shape.output / 2;
    let mut last = net.channels(format!("{name}.half"), both, half..2 * half);
    let mut parts = vec![both];
    for (i, [first, second]) in block.bottlenecks.iter().enumerate() {
        let inner = fold_conv(net, format!("{name}.m{i}.cv1"), last, first)?;
        let inner = fold_conv(net, format!("{name}.m{i}.cv2"), inner, second)?;
        last = net.add(format!("{name}.m{i}"), inner, last);
        parts.push(last);
    }
    let all = net.concat(format!("{name}.all"), &parts);
    fold_conv(net, format!("{name}.cv2"), all, &block.leave)
}

fn fold_inverted(net: &mut Builder, name: &str, x: Port, block: &InvertedResidual) -> Result<Port> {
    let inner = match &block.expand {
        Some(conv) => fold_conv(net, format!("{name}.expand"), x, conv)?,
        None => x,
    };
    let inner = fold_conv(net, format!("{name}.depthwise"), inner, &block.depthwise)?;
    let y = fold_conv(net, format!("{name}.project"), inner, &block.project)?;
    Ok(if block.adds { net.add(format!("{name}.sum"), y, x) } else { y })
}

/// `flattened` is the size of a map that the features are, whole.
fn fold_head(net: &mut Builder, head: &Head, features: Port, flattened: Option<[usize; 3]>) -> Result<Port> {
    let mut x = net.with_side("with_side", features);
    let mut first = Some((&head.norm, flattened));
    let mut dense = |layer| -> Result<Dense> {
        let mut dense = Dense::of(layer)?;
        if let Some((norm, flattened)) = first.take() {
            if let Some(size) = flattened {
                dense = channels_first(dense, size);
            }
            if let Some(norm) = norm {
                dense = dense.after(&norm.try_into()?);
            }
        }
        Ok(dense)
    };
    for (i, layer) in head.hidden.iter().enumerate() {
        let layer = dense(layer)?.activated(Activation::Relu);
        x = net.dense(format!("hidden.{i}"), x, layer);
    }
    x = net.dense("outputs", x, dense(&head.outputs)?);
    if let Some(skip) = &head.skip {
        let beside = net.dense("skip", Port::Side, Dense::of(skip)?);
        x = net.add("sum", x, beside);
    }
    Ok(x)
}

/// The engine flattens a map as height, width, channels; files flatten it as channels, height, width.
fn channels_first(mut dense: Dense, [height, width, channels]: [usize; 3]) -> Dense {
    let (pixels, inputs) = (height * width, dense.weight.len() / dense.bias.len());
    for row in dense.weight.chunks_exact_mut(inputs) {
        let ours = row[..pixels * channels].to_vec();
        for (i, w) in row[..pixels * channels].iter_mut().enumerate() {
            *w = ours[i % pixels * channels + i / pixels];
        }
    }
    dense
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
