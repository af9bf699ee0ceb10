//! Small networks whose results can be worked out by hand, and bundles around them.

use super::Session;
use super::onnx::Graph;
use crate::bundle::golden::{GoldenCoil, GoldenSet};
use crate::bundle::manifest::{Calibration, Manifest, Novelty, Reference};
use crate::bundle::testing::{
    Key, golden_coil, id, layout_with, manifest, model, name, part, set_of, signed,
};
use crate::bundle::{Limits, Verified};

/// Mean of each channel, the side values behind them, one linear layer.
pub(super) fn linear(weights: [f32; 8], bias: [f32; 2]) -> Vec<u8> {
    Graph::default()
        .input("image", &[1, 2, 264, 18])
        .input("side", &[1, 2])
        .constant("w", &[4, 2], &weights)
        .constant("b", &[2], &bias)
        .node("GlobalAveragePool", &["image"], "pooled", None)
        .node("Flatten", &["pooled"], "flat", Some(1))
        .node("Concat", &["flat", "side"], "all", Some(1))
        .node("Gemm", &["all", "w", "b"], "logits", None)
        .output("logits", &[1, 2])
        .bytes()
}

/// `z_nok - z_ok = -a + b + side[0] + 0.5`, with `a` and `b` the channels' means.
pub(super) fn plain() -> Vec<u8> {
    linear([1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0], [0.0, 0.5])
}

/// The file of a bundle with these golden coils.
fn file(key: &Key, manifest: Manifest, files: Vec<(&str, Vec<u8>)>, golden: Vec<GoldenCoil>) -> Vec<u8> {
    let golden = GoldenSet::new(golden).unwrap().to_bytes().unwrap();
    let files = files.into_iter().chain([("golden.bin", golden)]).collect();
    signed(&layout_with(manifest, files), &[key])
}

pub(super) fn bundle(manifest: Manifest, files: Vec<(&str, Vec<u8>)>, golden: Vec<GoldenCoil>) -> Verified {
    let key = Key::new();
    let bytes = file(&key, manifest, files, golden);
    Verified::read(&bytes[..], &key.trusted(), &Limits::default()).unwrap()
}

pub(super) fn one(onnx: Vec<u8>) -> Verified {
    bundle(manifest(), vec![("net.onnx", onnx)], vec![golden_coil("a", 0.25)])
}

/// A golden coil for [`chain`], with the scores that the set gives here.
pub(super) fn scored(coil: &str) -> GoldenCoil {
    let (manifest, files) = chain();
    let mut golden = golden_coil(coil, 0.5);
    let mut session = Session::open(&bundle(manifest, files, vec![golden.clone()])).unwrap();
    let scores = session.score(&golden.matrix, golden.order.as_ref()).unwrap();
    golden.p_nok = scores.p_nok;
    golden.distance = scores.novelty.map(|novelty| novelty.distance);
    golden.models = scores.models.into_iter().map(|m| (m.name, m.p_nok)).collect();
    golden
}

/// The file of a good bundle: [`chain`] with a golden coil.
pub(crate) fn pair(key: &Key) -> Vec<u8> {
    let (manifest, files) = chain();
    file(key, manifest, files, vec![scored("golden-1")])
}

pub(super) fn trunk() -> Vec<u8> {
    Graph::default()
        .input("x", &[1, 2, 264, 18])
        .node("GlobalAveragePool", &["x"], "pooled", None)
        .node("Flatten", &["pooled"], "features", Some(1))
        .output("features", &[1, 2])
        .bytes()
}

/// `(features - reference) w`, its inputs named the other way round than the manifest has them.
fn against_reference() -> Vec<u8> {
    Graph::default()
        .input("reference", &[1, 2])
        .input("features", &[1, 2])
        .constant("w", &[2, 2], &[1.0, 0.0, 0.0, 1.0])
        .node("Sub", &["features", "reference"], "off", None)
        .node("MatMul", &["off", "w"], "logits", None)
        .output("logits", &[1, 2])
        .bytes()
}

/// Two voters of weights 1 and 3 on one trunk, the second calibrated. The trunk's features `f` lie
/// `|(2 (f0 - 0.5), f1 - 0.25)| / sqrt(2)` from those trained on.
pub(super) fn chain() -> (Manifest, Vec<(&'static str, Vec<u8>)>) {
    let mut chain = manifest();
    let head = Graph::default()
        .input("f", &[1, 2])
        .constant("w", &[2, 2], &[0.0, 1.0, 1.0, 0.0])
        .node("MatMul", &["f", "w"], "logits", None)
        .output("logits", &[1, 2])
        .bytes();
    let set = set_of(&mut chain);
    set.parts = vec![
        part("trunk", &[("x", "image:beside")], &["features"]),
        part("plain", &[("f", "part:trunk:features")], &["logits"]),
        part("off", &[("features", "part:trunk:features"), ("reference", "reference:ok")], &["logits"]),
    ];
    set.models = vec![model("plain", "plain", "logits"), model("off", "off", "logits")];
    set.models[1].weight = 3.0;
    set.models[1].calibration = Calibration { scale: 2.0, offset: -1.0 };
    let reference = |of: &str, shape: &[u64]| Reference {
        id: id(of),
        file: name(&format!("{of}.f32")),
        shape: shape.to_vec(),
    };
    set.references =
        vec![reference("ok", &[1, 2]), reference("centre", &[2]), reference("whitening", &[2, 2])];
    set.novelty = Some(Novelty {
        part: id("trunk"),
        output: "features".into(),
        centre: id("centre"),
        whitening: id("whitening"),
        limit: 1.0,
    });
    let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let files = vec![
        ("trunk.onnx", trunk()),
        ("plain.onnx", head),
        ("off.onnx", against_reference()),
        ("ok.f32", bytes(&[0.5, 0.25])),
        ("centre.f32", bytes(&[0.5, 0.25])),
        ("whitening.f32", bytes(&[2.0, 0.0, 0.0, 1.0])),
    ];
    (chain, files)
}
