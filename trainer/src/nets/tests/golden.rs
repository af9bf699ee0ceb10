//! Against PyTorch: `trainer/golden` says how the numbers were made and how they are compared.

use super::{lite, yolov8};
use crate::nets::cnn::CnnConfig;
use crate::nets::config::{BackboneConfig, NetworkConfig, SiameseConfig};
use crate::nets::head::HeadConfig;
use crate::nets::yolov8_cls::Scale;
use crate::nets::{Input, Model, Network};
use crate::nn::Pass;
use crate::nn::params::Place;
use crate::nn::seed::{Purpose, generator};
use candle_core::{DType, Device, Tensor, Var};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Deserialize)]
struct Golden {
    parameters: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    image: String,
    /// N, C, H, W.
    input: [usize; 4],
    side: usize,
    eval: Summary,
    eval_image_gradient: Summary,
    train: Summary,
    gradients: BTreeMap<String, Summary>,
    running: BTreeMap<String, Summary>,
    torch_f32: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Summary {
    shape: Vec<usize>,
    norm: f64,
    mean_abs: f64,
    projection: f64,
    picked: Vec<f64>,
    scale: Option<f64>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn golden(name: &str) -> Golden {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).expect("golden numbers");
    serde_json::from_str(&text).expect("golden numbers")
}

/// The values of a name, in [-0.5, 0.5).
fn named(name: &str) -> impl Iterator<Item = f64> {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (0u64..).map(move |k| {
        let mut z = hash.wrapping_add(k.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1u32 << 24) - 0.5
    })
}

fn by_name(name: &str, shape: &[usize], scale: f64, shift: f64) -> Tensor {
    let count = shape.iter().product();
    let data: Vec<f32> = named(name).take(count).map(|v| (shift + scale * v) as f32).collect();
    Tensor::from_vec(data, shape, &Device::Cpu).expect("as many values as the shape holds")
}

/// Our order of axes from PyTorch's, and the reverse.
fn ours(theirs: &Tensor) -> Tensor {
    let rank = theirs.rank();
    let moved = if rank == 4 { theirs.permute((2, 3, 1, 0)) } else { Ok(theirs.clone()) };
    moved.and_then(|t| t.contiguous()).expect("axes")
}

fn theirs(ours: &Tensor) -> Vec<f64> {
    let moved = if ours.rank() == 4 { ours.permute((3, 2, 0, 1)) } else { Ok(ours.clone()) };
    moved.and_then(|t| t.to_dtype(DType::F64)?.flatten_all()?.to_vec1()).expect("values")
}

fn to_nchw(image: &Tensor) -> Vec<f64> {
    let moved = image.permute((0, 3, 1, 2)).and_then(|t| t.to_dtype(DType::F64)?.flatten_all()?.to_vec1());
    moved.expect("values")
}

/// Gives every parameter and buffer the values that follow from its name.
fn by_formula(net: &Network, clear_of_kinks: bool) {
    for (name, var) in net.params().all() {
        let dims = var.dims();
        let (owner, kind) = name.rsplit_once('.').unwrap_or(("", name));
        let is_norm =
            dims.len() == 1 && net.params().all().any(|(n, _)| *n == format!("{owner}.running_mean"));
        let value = if dims.len() == 4 {
            let [kh, kw, input, output] = [dims[0], dims[1], dims[2], dims[3]];
            let scale = (12.0 / (kh * kw * input) as f64).sqrt();
            ours(&by_name(name, &[output, input, kh, kw], scale, 0.0))
        } else if is_norm && clear_of_kinks && !owner.ends_with("_bn2") && owner != "_bn1" && kind == "weight"
        {
            by_name(name, dims, 0.2, 0.3)
        } else if is_norm && clear_of_kinks && !owner.ends_with("_bn2") && owner != "_bn1" && kind == "bias" {
            let bias = (0..dims[0])
                .map(|c| [3.0f32, -3.0, 9.0][usize::from(c % 8 == 2) + 2 * usize::from(c % 8 == 5)]);
            Tensor::from_iter(bias, &Device::Cpu).expect("bias")
        } else if is_norm {
            let (scale, shift) = match kind {
                "weight" => (0.2, 1.0),
                "running_var" => (1.0, 1.0),
                _ => (0.2, 0.0),
            };
            by_name(name, dims, scale, shift)
        } else {
            by_name(name, dims, 0.1, 0.0)
        };
        var.set(&net.params().place().take(&value).expect("here")).expect("set");
    }
}

/// How far values in PyTorch's order are from a summary, as README.md tells.
fn deviation(found: &[f64], want: &Summary) -> f64 {
    let count: usize = want.shape.iter().product();
    assert_eq!(found.len(), count, "shape {:?}", want.shape);
    let n = count as f64;
    let norm = found.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mean_abs = found.iter().map(|v| v.abs()).sum::<f64>() / n;
    let projection: f64 = found.iter().zip(named("projection")).map(|(v, p)| v * f64::from(p as f32)).sum();
    let scale = want.scale.unwrap_or(want.norm);
    let rms = scale / n.sqrt();
    let places: Vec<usize> = if want.picked.len() == 4 && count > 4 {
        vec![0, count / 3, 2 * count / 3, count - 1]
    } else {
        (0..want.picked.len())
            .map(|i| if want.picked.len() == 4 { [0, count / 3, 2 * count / 3, count - 1][i] } else { i })
            .collect()
    };
    let picked = places.iter().zip(&want.picked).map(|(at, w)| (found[*at] - w).abs() / w.abs().max(rms));
    let whole = [
        (norm - want.norm).abs() / scale,
        (mean_abs - want.mean_abs).abs() / rms,
        (projection - want.projection).abs() / (scale / 12f64.sqrt()),
    ];
    picked.chain(whole).fold(0.0, f64::max)
}

/// What a case's numbers are off by, part by part.
fn compare(net: &Network, case: &Case) -> Vec<(String, f64)> {
    let place = net.params().place();
    let [batch, channels, height, width] = case.input;
    let nchw = by_name(&case.image, &[batch, channels, height, width], 2.0, 0.0);
    let nhwc = nchw.permute((0, 2, 3, 1)).and_then(|t| t.contiguous()).expect("image");
    let image = Var::from_tensor(&place.take(&nhwc).expect("here")).expect("var");
    let side = place.take(&by_name("side", &[batch, case.side.max(1)], 2.0, 0.0)).expect("side");
    let weighted = |y: &Tensor| {
        let weights = place.take(&by_name("loss", y.dims(), 1.0, 0.0))?;
        (y * weights)?.sum_all()
    };
    let numbers =
        |y: &Tensor| y.to_dtype(DType::F64).and_then(|t| t.flatten_all()?.to_vec1()).expect("values");
    let mut found = Vec::new();
    let evaluated = net.outputs(&image, &side, &mut Pass::Eval).expect("evaluation");
    found.push(("eval".to_string(), deviation(&numbers(&evaluated), &case.eval)));
    let mut rng = generator(1, Purpose::Dropout, 0, 0);
    let trained = net.outputs(&image, &side, &mut Pass::Train(&mut rng)).expect("training");
    found.push(("train".into(), deviation(&numbers(&trained), &case.train)));
    let grads = weighted(&trained).and_then(|loss| loss.backward()).expect("backward");
    for (name, want) in &case.gradients {
        let values = if name == "image" {
            to_nchw(grads.get(&image).expect("the image's gradient"))
        } else {
            theirs(grads.get(&net.params().vars()[name]).unwrap_or_else(|| panic!("no gradient for {name}")))
        };
        found.push((format!("gradients of {name}"), deviation(&values, want)));
    }
    for (name, want) in &case.running {
        found.push((format!("running {name}"), deviation(&theirs(&net.params().buffers()[name]), want)));
    }
    found
}

/// The gradient by the image with running statistics: all layers pass gradients on, none learns.
fn compare_evaluation(mut net: Network, case: &Case) -> f64 {
    net.trunk.stages.iter_mut().flat_map(|s| &mut s.blocks).for_each(crate::nets::block::Block::freeze);
    let mut case_net = net;
    case_net.head.norm.iter_mut().for_each(|norm| norm.trainable = false);
    let place = case_net.params().place().clone();
    let [batch, channels, height, width] = case.input;
    let nhwc = by_name(&case.image, &[batch, channels, height, width], 2.0, 0.0).permute((0, 2, 3, 1));
    let image =
        Var::from_tensor(&place.take(&nhwc.and_then(|t| t.contiguous()).expect("image")).expect("here"));
    let image = image.expect("var");
    let side = place.take(&by_name("side", &[batch, case.side.max(1)], 2.0, 0.0)).expect("side");
    let mut rng = generator(1, Purpose::Dropout, 0, 0);
    let y = case_net.outputs(&image, &side, &mut Pass::Train(&mut rng)).expect("forward");
    let weights = place.take(&by_name("loss", y.dims(), 1.0, 0.0)).expect("weights");
    let grads = (y * weights).and_then(|t| t.sum_all()?.backward()).expect("backward");
    deviation(&to_nchw(grads.get(&image).expect("gradient")), &case.eval_image_gradient)
}

fn check(
    name: &str,
    config: &NetworkConfig,
    classes: usize,
    set: impl Fn(&Network),
    places: &[(DType, f64)],
) {
    let golden = golden(name);
    for (at, case) in golden.cases.iter().enumerate() {
        let [_, channels, height, width] = case.input;
        let input = Input { height, width, channels, side: case.side };
        for (dtype, bound) in places {
            let build = || {
                let place = Place { dtype: *dtype, ..Place::default() };
                let net = Network::at(place, config.clone(), input, classes, 1).expect("net");
                set(&net);
                net
            };
            let net = build();
            let head_only = config.siamese.is_some();
            let extra = if head_only { 2 } else { 0 };
            assert_eq!(net.params().count(), golden.parameters + extra, "{name}");
            let mut found = compare(&net, case);
            found.push(("eval_image_gradient".into(), compare_evaluation(build(), case)));
            for (what, off) in found {
                let part = what.split(' ').next().unwrap_or_default();
                // Where PyTorch's own f32 is off, a unit sits at a kink, and ours may fall to the other side.
                let own = if *dtype == DType::F32 { case.torch_f32[part] } else { 0.0 };
                let bound = bound.max(3.0 * own);
                assert!(
                    off <= bound,
                    "{name} case {at} in {dtype:?}: {what} is {off:.1e} off, bound {bound:.1e}"
                );
            }
        }
    }
}

const F32: (DType, f64) = (DType::F32, 1e-4);
const F64: (DType, f64) = (DType::F64, 1e-6);

fn plain(net: &Network) {
    by_formula(net, false);
}

#[test]
fn the_values_of_a_name_are_those_of_the_script() {
    let found: Vec<f64> = named("image.0").take(4).collect();
    let want = [
        -0.142_903_387_546_539_3,
        -0.458_209_693_431_854_25,
        0.360_448_539_257_049_56,
        -0.062_676_548_957_824_7,
    ];
    assert!(found.iter().zip(want).all(|(f, w)| (f - w).abs() < 1e-15), "{found:?}");
}

#[test]
fn parameter_counts_are_the_publishers() {
    #[derive(Deserialize)]
    struct Counts {
        classes: usize,
        parameters: BTreeMap<String, usize>,
    }
    let text = std::fs::read_to_string(folder().join("counts.json")).expect("counts");
    let counts: Counts = serde_json::from_str(&text).expect("counts");
    let scales = [Scale::N, Scale::S, Scale::M, Scale::L, Scale::X];
    let configs: Vec<NetworkConfig> = scales.into_iter().map(yolov8).chain((0..5).map(lite)).collect();
    assert_eq!(configs.len(), counts.parameters.len());
    for config in configs {
        let input = Input { height: 32, width: 32, channels: 3, side: 0 };
        let name = config.backbone.name();
        let net = Network::at(Place::default(), config, input, counts.classes, 1).expect("net");
        assert_eq!(net.params().count(), counts.parameters[&name], "{name}");
    }
}

#[test]
fn yolov8_agrees_with_pytorch() {
    check("yolov8n-cls-formula", &yolov8(Scale::N), 3, plain, &[F32]);
    for (name, scale) in [("s", Scale::S), ("m", Scale::M)] {
        check(&format!("yolov8{name}-cls-formula"), &yolov8(scale), 3, plain, &[F32, F64]);
    }
}

#[test]
fn the_large_yolov8_agree_with_pytorch() {
    for (name, scale) in [("l", Scale::L), ("x", Scale::X)] {
        check(&format!("yolov8{name}-cls-formula"), &yolov8(scale), 3, plain, &[F32]);
    }
}

#[test]
fn efficientnet_lite_agrees_with_pytorch() {
    for size in 0..5 {
        let name = format!("efficientnet-lite{size}-formula");
        let places = if size == 0 { &[F32, F64][..] } else { &[F32] };
        check(&name, &lite(size), 3, |net| by_formula(net, true), places);
    }
}

#[test]
fn our_own_networks_agree_with_pytorch_in_both_float_types() {
    let head = |hidden| HeadConfig { hidden, dropout: 0.0, ..CnnConfig::default().head };
    let cnn = |hidden| NetworkConfig::from(CnnConfig { head: head(hidden), ..CnnConfig::default() });
    check("cnn-formula", &cnn(Some(64)), 2, plain, &[F32, F64]);
    let siamese = |embedding| Some(SiameseConfig { embedding, ..SiameseConfig::default() });
    let encoder = NetworkConfig { siamese: siamese(64), ..cnn(None) };
    check("siamese-formula", &encoder, 2, plain, &[F32, F64]);
    let backbone = BackboneConfig::Surface {};
    let surface = NetworkConfig { backbone, siamese: siamese(5), ..NetworkConfig::default() };
    check("surface-formula", &surface, 2, plain, &[F32]);
}

/// Genuine weights, if they are here.
fn genuine(network: &str, config: &NetworkConfig, file: Option<PathBuf>, why: &str) {
    let Some(file) = file else {
        crate::weights::tests::skip(&format!("{network} with genuine weights against PyTorch"), why);
        return;
    };
    let checkpoint = crate::weights::Checkpoint::read(&file).expect("a checkpoint");
    let last = config.backbone.last_layer(false);
    let classes = checkpoint.tensors[&format!("{last}.weight")].dims()[0];
    let load = |net: &Network| {
        let rules = crate::weights::Rules { heads: &[], stem: None };
        let loaded = crate::weights::load(net.params(), &checkpoint, &rules).expect("loaded");
        assert_eq!(loaded.tensors, net.params().all().count(), "{loaded}");
        assert!(loaded.unused.is_empty() && loaded.replaced.is_empty(), "{loaded}");
    };
    check(network, config, classes, load, &[F32]);
}

#[test]
fn yolov8n_with_genuine_weights_agrees_with_pytorch() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let data = std::env::var_os("COILSIGHT_DATA").map_or_else(beside, PathBuf::from);
    let file = Some(data.join("weights/yolov8n-cls-leaf.pt")).filter(|path| path.is_file());
    let why = "there is no weights/yolov8n-cls-leaf.pt in COILSIGHT_DATA or ../shared/data";
    genuine("yolov8n-cls-leaf", &yolov8(Scale::N), file, why);
}

#[test]
fn efficientnet_lite0_with_genuine_weights_agrees_with_pytorch() {
    let entry = crate::weights::catalogue::Entry::find("efficientnet-lite0").expect("in the catalogue");
    let cache = crate::weights::Cache::locate(|name| std::env::var_os(name)).expect("a cache");
    let file = cache.find(entry.package().expect("a package"));
    let why = "they are not here; coilsight-trainer weights fetch efficientnet-lite0";
    genuine("efficientnet-lite0", &lite(0), file, why);
}
