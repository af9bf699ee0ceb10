//! Whole networks: against PyTorch's golden numbers, folded, and seen from behind their frozen stages.

mod frozen;
mod golden;

use super::config::{BackboneConfig, NetworkConfig, SiameseConfig};
use super::head::HeadConfig;
use super::yolov8_cls::Scale;
use super::{Input, Model, Network};
use crate::export::float;
use crate::export::folded::Sides;
use crate::export::runtime::Runtime;
use crate::nn::Pass;
use crate::nn::gradcheck::values;
use crate::nn::seed::{Purpose, generator};
use candle_core::{DType, Device, Tensor};

fn yolov8(size: Scale) -> NetworkConfig {
    let (sides, head) = (Sides::Image, HeadConfig::default());
    NetworkConfig { backbone: BackboneConfig::Yolov8Cls { size, sides, head }, ..NetworkConfig::default() }
}

fn lite(size: u8) -> NetworkConfig {
    let (sides, head) = (Sides::Image, HeadConfig::default());
    NetworkConfig {
        backbone: BackboneConfig::EfficientnetLite { size, sides, head },
        ..NetworkConfig::default()
    }
}

fn coil(channels: usize, side: usize) -> Input {
    Input { height: 264, width: 18, channels, side }
}

/// Small networks of every kind, with the input that they are built for.
fn small() -> Vec<(&'static str, NetworkConfig, Input)> {
    let read = |text: &str| -> NetworkConfig { serde_json::from_str(text).expect("settings") };
    let odd = |side| Input { height: 37, width: 10, channels: 2, side };
    vec![
        (
            "cnn, shared sides, several stages, side skip",
            read(
                r#"{"backbone": {"kind": "cnn", "sides": "shared", "filters": [3, 4, 5], "stride": [[1, 1], [2, 1], [1, 1]],
                "pools": [{"after": 1, "kernel": [2, 2]}], "head": {"stages": [0, 2], "features": ["avg", "max"],
                "feature_norm": true, "feature_dropout": 0.2, "hidden": 6, "dropout": 0.1, "side_skip": true}}}"#,
            ),
            odd(3),
        ),
        ("yolov8n", yolov8(Scale::N), odd(0)),
        (
            "yolov8n, several stages, side",
            read(
                r#"{"backbone": {"kind": "yolov8-cls", "size": "n", "head": {"stages": [2, 4, 9], "features": ["max"],
                "feature_norm": true}}}"#,
            ),
            odd(2),
        ),
        ("efficientnet-lite0", lite(0), odd(1)),
        (
            "siamese over a cnn",
            read(
                r#"{"backbone": {"kind": "cnn", "filters": [4, 6], "pools": [], "head": {"features": ["avg", "max"]}},
                "siamese": {"embedding": 5, "references": {"per_class": 2}}}"#,
            ),
            odd(2),
        ),
        (
            "siamese with a projection, a classifier and the nearest of the references by the cosine",
            read(
                r#"{"backbone": {"kind": "cnn", "filters": [4, 6], "pools": []}, "siamese": {"embedding": 5,
                "projection": 3, "loss": {"kind": "supervised", "temperature": 0.1}, "cross_entropy": 0.5,
                "distance": "cosine", "references": {"method": "medoids", "average": "nearest"}}}"#,
            ),
            odd(2),
        ),
        (
            "siamese judged by its classifier",
            read(
                r#"{"backbone": {"kind": "cnn", "filters": [4, 6], "pools": []}, "siamese": {"embedding": 5,
                "loss": {"kind": "margin", "margin": 2.0, "alike": "zero"}, "cross_entropy": 0.3, "judge": "head"}}"#,
            ),
            odd(2),
        ),
        (
            "siamese over the surface encoder",
            read(r#"{"backbone": {"kind": "surface"}, "siamese": {"embedding": 5}}"#),
            odd(0),
        ),
    ]
}

/// A network away from its starting values: statistics moved by a training step, references chosen.
fn moved(config: &NetworkConfig, input: Input) -> (Network, Tensor, Tensor) {
    let net = Network::new(config.clone(), input, 3).expect("net");
    let image = values((5, input.height, input.width, input.channels), 1);
    let side = values((5, input.side.max(1)), 2);
    let mut rng = generator(1, Purpose::Dropout, 0, 0);
    let labels = [0, 1, 0, 1, 1];
    net.loss((&image, &side), &labels, &crate::fit::LossConfig::default(), &mut Pass::Train(&mut rng))
        .expect("a step");
    for (i, (name, var)) in net.params().moving().enumerate() {
        let norm = (name.contains("norm") || name.contains("bn")) && !name.contains("running");
        if norm || name.starts_with("skip") {
            let t = (values(var.shape().clone(), i) * 0.2).expect("values");
            var.set(&(var.as_detached_tensor() + t).expect("sum")).expect("set");
        }
    }
    if let Some(found) = net.embed(&image, &side).expect("embeddings") {
        net.settle(&found.to_vec2::<f32>().expect("values"), &labels, 1).expect("references");
    }
    (net, image, side)
}

fn logits(net: &dyn Model, image: &Tensor, side: &Tensor) -> Vec<Vec<f32>> {
    net.forward(image, side, &mut Pass::Eval).and_then(|y| y.to_vec2::<f32>()).expect("logits")
}

#[test]
fn folding_gives_the_logits_of_evaluation() {
    for (name, config, input) in small() {
        let (net, image, side) = moved(&config, input);
        let folded = net.fold().expect("folded");
        let chw =
            image.permute((0, 3, 1, 2)).and_then(|t| t.flatten_from(1)?.to_vec2::<f32>()).expect("image");
        let side = side.to_vec2::<f32>().expect("side");
        for (i, got) in logits(&net, &image, &values((5, input.side.max(1)), 2)).iter().enumerate() {
            let want = folded.forward(&chw[i], &side[i][..input.side]);
            assert!(got.iter().zip(&want).all(|(g, w)| (g - w).abs() < 1e-4), "{name}: {got:?} {want:?}");
        }
    }
}

/// A coil's features: of the engine, of a folded network, and of what runs at the line, by name and in the same order.
#[test]
fn features_are_the_same_here_and_at_the_line() {
    for (name, config, input) in small() {
        let (net, image, side) = moved(&config, input);
        let folded = net.fold().expect("folded");
        let mut line = Runtime::load(&float::to_onnx(&folded)).expect("a network");
        let engine = net.features(&image).and_then(|t| t.to_vec2::<f32>()).expect("features");
        let kept = net.keep(&image).and_then(|kept| super::Kept(&net).features(&kept)?.to_vec2::<f32>());
        assert_eq!(kept.expect("features"), engine, "{name}: from behind the frozen stages");
        let chw =
            image.permute((0, 3, 1, 2)).and_then(|t| t.flatten_from(1)?.to_vec2::<f32>()).expect("image");
        let side = side.to_vec2::<f32>().expect("side");
        for (i, engine) in engine.iter().enumerate() {
            let side = &side[i][..input.side];
            let folded = folded.features(&chw[i], side).expect("a network says which they are");
            let line = line.run(&chw[i], side).expect("outputs").swap_remove(1);
            for other in [folded, line] {
                assert_eq!(other.len(), engine.len(), "{name}");
                let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-4 * a.abs().max(1.0);
                assert!(engine.iter().zip(&other).all(near), "{name}: {engine:?} {other:?}");
            }
        }
    }
}

/// Gradients of all parameters in f64 against differences along them, and those in f32 against f64.
#[test]
fn gradients_of_whole_nets_agree_with_differences() {
    // With ReLU6 and maps of a pixel or two, rounding decides on which side of a bend a unit is: there the golden numbers,
    // which stay clear of bends, speak for the gradients.
    for (name, config, input) in small().into_iter().filter(|(name, ..)| !name.starts_with("efficientnet")) {
        check_gradients(name, &config, input);
    }
}

fn check_gradients(name: &str, config: &NetworkConfig, input: Input) {
    use crate::nn::params::Place;
    let at = |dtype: DType| {
        let place = Place { dtype, ..Place::default() };
        let take = |t: Tensor| place.take(&t).expect("here");
        let image = take(values((5, input.height, input.width, input.channels), 1));
        let side = take(values((5, input.side.max(1)), 2));
        let net = Network::at(place.clone(), config.clone(), input, 2, 1).expect("net");
        for (i, var) in net.params().vars().values().enumerate().filter(|(_, var)| var.rank() == 1) {
            // A channel that is the same everywhere would sit at a ReLU's bend.
            let moved = take((values(var.shape().clone(), i) * 0.2).expect("values"));
            var.set(&(var.as_detached_tensor() + moved).expect("sum")).expect("set");
        }
        let loss = move |net: &Network| {
            let mut rng = generator(4, Purpose::Dropout, 0, 0);
            net.loss(
                (&image, &side),
                &[0, 1, 1, 0, 1],
                &crate::fit::LossConfig::default(),
                &mut Pass::Train(&mut rng),
            )
        };
        (net, loss)
    };
    let ((exact, loss), (fast, fast_loss)) = (at(DType::F64), at(DType::F32));
    let grads = loss(&exact).and_then(|y| y.backward()).expect("backward");
    let fast_grads = fast_loss(&fast).and_then(|y| y.backward()).expect("backward");
    let norm = |t: &Tensor| t.sqr().and_then(|t| t.sum_all()?.to_scalar::<f64>()).expect("number").sqrt();
    let largest = exact.params().vars().values().filter_map(|v| grads.get(v)).map(norm).fold(0.0, f64::max);
    for (i, (parameter, var)) in exact.params().vars().iter().enumerate() {
        let gradient = grads.get(var).unwrap_or_else(|| panic!("{name}: no gradient for {parameter}"));
        let length = norm(gradient);
        // Differences along some: each costs two passes.
        if i % 7 == 0 && length > 1e-6 * largest {
            let base = var.as_detached_tensor().copy().expect("copy");
            let moved = |by: f64| -> candle_core::Result<f64> {
                var.set(&(&base + (gradient * (by / length))?)?)?;
                loss(&exact)?.to_scalar()
            };
            let slope = (moved(1e-6).expect("above") - moved(-1e-6).expect("below")) / 2e-6;
            var.set(&base).expect("restored");
            let off = (slope - length).abs();
            assert!(off <= 1e-3 * length + 1e-7, "{name}, {parameter}: {slope}, gradient {length}");
        }
        let found = fast_grads.get(&fast.params().vars()[parameter]).expect("gradient");
        let off = norm(&(found.to_dtype(DType::F64).expect("f64") - gradient).expect("difference"));
        assert!(off <= 2e-3 * length + 1e-5 * largest, "{name}, {parameter} in f32: {off} off {length}");
    }
}

#[test]
fn swapping_the_sides_changes_nothing_when_they_share_weights() {
    let (name, config, input) = small().swap_remove(0);
    let (net, image, side) = moved(&config, input);
    let halves = |from: usize| image.narrow(2, from, 5).expect("half");
    let swapped = Tensor::cat(&[halves(5), halves(0)], 2).expect("swapped");
    assert_eq!(logits(&net, &image, &side), logits(&net, &swapped, &side), "{name}");
}

#[test]
fn a_net_takes_a_coil_and_repeats_with_its_seed() {
    let make = |seed| Network::new(NetworkConfig::default(), coil(3, 0), seed).expect("net");
    let bytes = |net: &Network| net.params().to_bytes().expect("bytes");
    assert_eq!(bytes(&make(1)), bytes(&make(1)));
    assert_ne!(bytes(&make(1)), bytes(&make(2)));
    let none = Tensor::zeros((2, 1), DType::F32, &Device::Cpu).expect("side");
    let y = make(1).forward(&values((2, 264, 18, 3), 1), &none, &mut Pass::Eval).expect("forward");
    assert_eq!(y.dims(), [2, 2]);
    assert!(make(1).forward(&values((2, 18, 264, 3), 1), &none, &mut Pass::Eval).is_err(), "another shape");
}

#[test]
fn pools_that_leave_nothing_are_refused() {
    let input = Input { width: 15, ..coil(3, 0) };
    let error = Network::new(NetworkConfig::default(), input, 1).expect_err("refused");
    assert!(matches!(&error, super::NetworkError::Vanishes { stage, .. } if stage == "trunk.07"), "{error}");
}

#[test]
fn every_network_takes_a_coil_and_the_square() {
    let square = Input { height: 264, width: 264, channels: 1, side: 0 };
    for config in [yolov8(Scale::S), lite(4), serde_json::from_str(r#"{"siamese": {}}"#).expect("settings")] {
        for input in [coil(7, 5), square] {
            Network::new(config.clone(), input, 1)
                .unwrap_or_else(|e| panic!("{}: {e}", config.backbone.name()));
        }
    }
    let grey = Input { height: 100, width: 100, channels: 1, side: 0 };
    let surface = NetworkConfig { backbone: BackboneConfig::Surface {}, ..NetworkConfig::default() };
    let siamese = Some(SiameseConfig { embedding: 5, ..SiameseConfig::default() });
    Network::new(NetworkConfig { siamese, ..surface }, grey, 1).expect("the second paper's network");
}
