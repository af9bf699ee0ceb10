//! Exports in tract against the plain evaluations: [`FoldedNet::forward`] for f32, the integer reference for int8.

mod nets;
mod zoo;

use super::calibrate::NodeRange;
use super::folded::{self, FoldedConv, FoldedNet, Op, Port, Sides};
use super::quantise::{Form, Gains, QuantiseError, Quantised, QuantisedConv, QuantisedNet};
use super::runtime::{Runtime, RuntimeError};
use super::{calibrate, float, parity, quantise};
use nets::Builder;
use zoo::{all, wider_zoo, zoo};

/// The convolutions in integers.
fn linear(net: &QuantisedNet) -> Vec<&QuantisedConv> {
    let of = net.convs.iter().flatten();
    of.filter_map(|conv| if let Quantised::Linear(conv) = conv { Some(conv) } else { None }).collect()
}

fn conv(net: &FoldedNet, at: usize) -> &FoldedConv {
    let Op::Conv(conv) = &net.nodes[at].op else { panic!("a convolution") };
    conv
}

fn conv_mut(net: &mut FoldedNet, at: usize) -> &mut FoldedConv {
    let Op::Conv(conv) = &mut net.nodes[at].op else { panic!("a convolution") };
    conv
}

fn coils(net: &FoldedNet, seeds: std::ops::Range<u64>) -> Vec<(Vec<f32>, Vec<f32>)> {
    seeds.map(|s| (nets::coil(s, net.image), nets::side(s, net.side))).collect()
}

fn quantised(net: &FoldedNet) -> QuantisedNet {
    let ranges = calibrate::observe(net, coils(net, 0..64)).unwrap();
    quantise::quantise(net, &ranges).unwrap()
}

#[test]
fn the_f32_export_gives_the_logits_of_the_plain_evaluation() {
    let full = Builder::new(9, [3, 264, 18], Sides::Shared, 6)
        .conv(4, (3, 3), (1, 1), true)
        .pool((2, 2))
        .conv(5, (3, 3), (1, 1), true)
        .head(&[]);
    for (name, net) in all().chain([("full size", full)]) {
        let mut tract = Runtime::load(&float::to_onnx(&net)).unwrap();
        for (image, side) in coils(&net, 100..110) {
            let (found, wanted) = (tract.run(&image, &side).unwrap().concat(), net.forward(&image, &side));
            assert_eq!(found.len(), 2, "{name}");
            for (a, b) in found.iter().zip(&wanted) {
                assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{name}: {found:?} {wanted:?}");
            }
        }
    }
}

/// Every node by itself, so that no error hides behind another or behind a pool.
#[test]
fn the_f32_export_gives_every_value_of_the_plain_evaluation() {
    for (name, net) in all() {
        let names: Vec<String> = net.nodes.iter().map(|n| n.name.clone()).collect();
        let cut = |nodes: usize| FoldedNet { nodes: net.nodes[..nodes].to_vec(), ..net.clone() };
        let inner = &names[..names.len() - 1];
        let mut tract = Runtime::load_named(&float::to_onnx(&net), inner).unwrap();
        for (image, side) in coils(&net, 100..102) {
            for (i, found) in tract.run(&image, &side).unwrap().iter().enumerate() {
                let wanted = cut(i + 1).forward(&image, &side);
                assert_eq!(found.len(), wanted.len());
                let off = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                let size = wanted.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
                assert!(off <= 1e-5 * size, "{name}, {}: {off}", names[i]);
            }
        }
    }
}

/// Compares tract with the reference, value in u8 by value, as long as what they read is equal; then the logits.
/// Says how many values were compared, lay near ties, and differed.
fn compare_with_reference(name: &str, net: &FoldedNet) -> (usize, usize, usize) {
    let q = quantised(net);
    let onnx = q.to_onnx();
    let first = coils(net, 200..201).swap_remove(0);
    let names: Vec<String> = q.trace(&first.0, &first.1).layers.into_iter().map(|l| l.name).collect();
    let mut inside = Runtime::load_named(&onnx, &names).unwrap();
    let mut whole = Runtime::load(&onnx).unwrap();
    let (mut values, mut ties, mut differing) = (0, 0, 0);
    for (image, side) in coils(net, 200..220) {
        let trace = q.trace(&image, &side);
        let found = inside.run(&image, &side).unwrap();
        let mut equal = true;
        for (found, wanted) in found.iter().zip(&trace.layers) {
            let off: Vec<f32> = found
                .iter()
                .zip(&wanted.values)
                .map(|(a, b)| (a - f32::from(*b)).abs())
                .filter(|d| *d > 0.0)
                .collect();
            let near = wanted.near_ties;
            assert!(
                off.len() <= near && off.iter().all(|d| *d == 1.0),
                "{name}, {}: {off:?}, {near} ties",
                wanted.name
            );
            values += found.len();
            ties += near;
            differing += off.len();
            equal = off.is_empty();
            if !equal {
                break;
            }
        }
        if equal {
            let logits = whole.run(&image, &side).unwrap().concat();
            for (a, b) in logits.iter().zip(&trace.logits) {
                assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{name}: {logits:?} {:?}", trace.logits);
            }
        }
    }
    println!(
        "{name}: {values} values, {ties} within 5e-5 of half a step, {differing} rounded to the other side"
    );
    (values, ties, differing)
}

/// Bound: in a layer whose input is equal, tract differs from the reference in no more values than lie on half a
/// step or within 5e-5 of it, and there by one step. Layers after a difference are not compared.
#[test]
fn the_int8_export_computes_the_reference_up_to_ties() {
    let (mut values, mut ties, mut differing) = (0, 0, 0);
    for (name, net) in zoo() {
        let found = compare_with_reference(name, &net);
        (values, ties, differing) = (values + found.0, ties + found.1, differing + found.2);
    }
    assert!(values > 100_000 && ties * 1000 < values && differing <= 2, "{values} {ties} {differing}");
}

/// The same bound on each layer; f32 parts in between round differently now and then.
#[test]
fn int8_exports_with_f32_parts_compute_the_reference_up_to_ties() {
    for (name, net) in wider_zoo() {
        let (values, ties, differing) = compare_with_reference(name, &net);
        assert!(values > 1_000 && ties * 500 < values && differing * 5_000 < values, "{name}");
    }
}

/// The orders in which ONNX Runtime and tract are known to compute a multiplier.
#[test]
fn every_multiplier_is_the_same_in_whatever_order_it_is_computed() {
    let wide = Builder::new(8, [3, 24, 18], Sides::Shared, 0)
        .conv(64, (3, 3), (1, 1), true)
        .conv(64, (3, 3), (1, 1), true)
        .pool((2, 2))
        .conv(64, (3, 3), (1, 1), false)
        .head(&[]);
    for (name, net) in all().chain([("wide", wide)]) {
        for conv in linear(&quantised(&net)) {
            let (x, y) = (conv.input.scale, conv.output.read(0).0.scale);
            for w in conv.weight_scale.iter().copied() {
                let multiplier = (x * w) / y;
                assert_eq!(
                    [(w * x) * (1.0 / y), w * (x * (1.0 / y))],
                    [multiplier; 2],
                    "{name}: {x} {w} {y}"
                );
            }
        }
    }
}

#[test]
fn int8_stays_close_to_f32() {
    for (name, mut net) in all() {
        let logits: Vec<_> = coils(&net, 0..64).iter().map(|(i, s)| net.forward(i, s)).collect();
        nets::spread_logits(&mut net, &logits);
        let found = parity::compare(&float::to_onnx(&net), &quantised(&net).to_onnx(), coils(&net, 300..340));
        let parity = found.unwrap();
        println!("{name}: {parity:?}");
        assert!(parity.mean < 0.02 && parity.mean > 0.0, "{name}: {parity:?}");
    }
}

#[test]
fn the_bias_makes_good_what_rounding_the_weights_shifts() {
    let (_, net) = zoo().swap_remove(1);
    let ranges = calibrate::observe(&net, coils(&net, 0..16)).unwrap();
    let mut blind = ranges.clone();
    blind.nodes.iter_mut().flatten().for_each(|l| l.mean_input.iter_mut().for_each(|m| *m = 0.0));
    let shift = |ranges| {
        let q = quantise::quantise(&net, ranges).unwrap();
        let (conv, float) = (linear(&q)[0], self::conv(&net, 0));
        let Form::Gains(Gains { gain, .. }) = &q.roundings[&Port::Image] else { panic!("gains") };
        let (taps, (_, gained)) = (9 * net.image[0], conv.output.read(float.out));
        let channel = |o: usize| {
            let step = f64::from(conv.weight_scale[o]) / f64::from(gained[o]);
            let real: f64 = (0..taps)
                .map(|i| {
                    let w = f64::from(conv.weight[o * taps + i]) * step * f64::from(gain[i / 9]);
                    (w - f64::from(float.weight[o * taps + i])) * ranges_mean(&net, i)
                })
                .sum();
            (real + f64::from(conv.bias[o]) * step - f64::from(float.bias[o])).abs()
        };
        (0..float.out).map(channel).sum::<f64>()
    };
    let (made_good, left) = (shift(&ranges), shift(&blind));
    assert!(made_good < left / 5.0, "{made_good} {left}");
}

/// The mean input under a weight of the first convolution, from the definition.
fn ranges_mean(net: &FoldedNet, tap: usize) -> f64 {
    let (c, ky, kx) = (tap / 9, tap / 3 % 3, tap % 3);
    let (height, width) = (net.image[1], net.image[2] / 2);
    let (mut sum, mut n) = (0.0, 0.0);
    for (image, _) in coils(net, 0..16) {
        for at in 0..2 * height * width {
            let (s, y, x) = (at / (height * width), at / width % height + ky, at % width + kx);
            let inside = (1..=height).contains(&y) && (1..=width).contains(&x);
            if inside {
                sum += f64::from(image[(c * height + y - 1) * 2 * width + s * width + x - 1]);
            }
            n += 1.0;
        }
    }
    sum / n
}

#[test]
fn the_measured_mean_under_each_weight_is_the_mean() {
    let (_, net) = zoo().swap_remove(1);
    let ranges = calibrate::observe(&net, coils(&net, 0..16)).unwrap();
    for (i, found) in ranges.nodes[0].as_ref().unwrap().mean_input.iter().enumerate() {
        assert!((found - ranges_mean(&net, i)).abs() < 1e-6, "{i}: {found}");
    }
}

#[test]
fn ranges_run_from_the_least_to_the_greatest_value_and_hold_0() {
    let (_, net) = zoo().swap_remove(2);
    let coils = coils(&net, 0..16);
    let ranges = calibrate::observe(&net, coils.clone()).unwrap();
    let every = || coils.iter().flat_map(|(image, _)| image);
    let (low, high) = (every().copied().fold(0.0, f32::min), every().copied().fold(0.0, f32::max));
    assert_eq!((ranges.coils, ranges.image.as_slice()), (16, &[calibrate::Span { low, high }][..]));
    let outputs = |r: &calibrate::Ranges| r.nodes.iter().flatten().map(NodeRange::output).collect::<Vec<_>>();
    assert_eq!(outputs(&ranges).len(), 4);
    assert!(outputs(&ranges).iter().all(|o| o.low < 0.0 && o.high > 0.0), "{:?}", ranges.nodes);
    let (_, with_relu) = zoo().swap_remove(3);
    let ranges = calibrate::observe(&with_relu, self::coils(&with_relu, 0..16)).unwrap();
    assert!(outputs(&ranges).iter().all(|o| o.low == 0.0), "{:?}", ranges.nodes);
}

#[test]
fn a_pool_before_the_first_convolution_and_a_dead_channel_are_exported() {
    let mut net = Builder::new(6, [2, 12, 8], Sides::Image, 0)
        .pool((2, 1))
        .conv(3, (3, 3), (1, 1), true)
        .pool((2, 2))
        .conv(3, (3, 3), (1, 1), true)
        .head(&[]);
    let conv = conv_mut(&mut net, 1);
    conv.weight[..18].fill(0.0);
    conv.bias[0] = -1.0;
    let mut coils = coils(&net, 0..20);
    for (image, _) in &mut coils {
        image[96..].fill(0.0);
    }
    let ranges = calibrate::observe(&net, coils.clone()).unwrap_or_else(|e| panic!("{e}"));
    let onnx = quantise::to_onnx(&net, &ranges).unwrap();
    let parity = parity::compare(&float::to_onnx(&net), &onnx, coils).unwrap();
    assert!(parity.mean < 0.01, "{parity:?}");
}

#[test]
fn what_cannot_be_quantised_is_refused() {
    let net = Builder::new(7, [1, 8, 8], Sides::Image, 0).pool((2, 2)).head(&[]);
    let ranges = calibrate::observe(&net, coils(&net, 0..2)).unwrap();
    assert_eq!(quantise::to_onnx(&net, &ranges), Err(QuantiseError::NoConvolution));
    let (_, other) = zoo().swap_remove(0);
    let wrong = quantise::to_onnx(&other, &ranges);
    assert_eq!(wrong, Err(QuantiseError::OtherRanges { ranges: (1, 5), net: (2, 10) }));
    let mut broken = other.clone();
    let ranges = calibrate::observe(&other, coils(&other, 0..2)).unwrap();
    conv_mut(&mut broken, 2).weight[3] = f32::NAN;
    assert_eq!(quantise::to_onnx(&broken, &ranges), Err(QuantiseError::NotFinite("layer.3".into())));
}

#[test]
fn calibration_wants_coils_that_are_numbers_and_fit() {
    let (_, net) = zoo().swap_remove(0);
    let none: [(Vec<f32>, Vec<f32>); 0] = [];
    assert!(matches!(calibrate::observe(&net, none), Err(calibrate::CalibrateError::NoCoils)));
    let mut bad = coils(&net, 0..2);
    bad[1].0[7] = f32::NAN;
    assert!(matches!(calibrate::observe(&net, bad.clone()), Err(calibrate::CalibrateError::NotFinite(1))));
    bad[0].1.pop();
    let short = calibrate::observe(&net, bad.clone());
    assert!(matches!(
        short,
        Err(calibrate::CalibrateError::Run { coil: 0, source: RuntimeError::Inputs { .. } })
    ));
}

#[test]
fn the_gate_refuses_another_network_and_says_by_how_much() {
    let (_, net) = zoo().swap_remove(0);
    let (float, other) = (float::to_onnx(&net), {
        let mut other = net.clone();
        let Some(Op::Dense(last)) = other.nodes.last_mut().map(|n| &mut n.op) else { panic!("a layer") };
        last.bias[0] -= 3.0;
        quantised(&other).to_onnx()
    });
    let parity = parity::compare(&float, &other, coils(&net, 0..8)).unwrap();
    let refused = parity.within(parity::Limits::default()).unwrap_err().to_string();
    assert!(refused.contains("off in the mean") && refused.contains("8 coils"), "{refused}");
    let same = parity::compare(&float, &float, coils(&net, 0..8)).unwrap();
    assert_eq!(same.within(parity::Limits::default()).unwrap().max, 0.0);
    let none: [(Vec<f32>, Vec<f32>); 0] = [];
    assert!(matches!(parity::compare(&float, &float, none), Err(parity::ParityError::NoCoils)));
}

#[test]
fn a_file_that_is_no_model_is_an_error() {
    for bytes in [&b"not a model"[..], &[]] {
        assert!(matches!(Runtime::load(bytes), Err(RuntimeError::Load(_))));
    }
}

#[test]
fn what_stays_f32_is_told_by_kind() {
    let told = |at: usize| {
        let (_, net) = wider_zoo().swap_remove(at);
        let kept = quantised(&net).kept_float();
        kept.iter().map(|k| (k.what, k.nodes.len())).collect::<Vec<_>>()
    };
    assert_eq!(told(0), [("SiLU after convolutions", 16), ("sums", 3), ("pools", 2), ("dense layers", 1)]);
    assert_eq!(told(2)[..2], [("depthwise and grouped convolutions", 5), ("sums", 2)]);
    assert_eq!(told(3).last(), Some(&("similarity to references", 1)));
    let (_, net) = zoo().swap_remove(0);
    let kept = quantised(&net).kept_float();
    assert_eq!(kept[0].to_string(), "pools (3): the line's runtime has no quantised pool");
    assert_eq!(kept[0].nodes, ["layer.2", "features.0", "features.1"]);
}
