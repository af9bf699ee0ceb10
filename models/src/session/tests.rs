//! Sessions over small networks whose results can be worked out by hand.

use super::onnx::Graph;
use super::testing::{bundle, chain, linear, one, plain, trunk};
use super::*;
use crate::bundle::testing::{golden_coil, id};
use crate::bundle::{Limits, fixtures};
use crate::coil::CELLS;
use std::collections::BTreeMap;

fn image(a: f32, b: f32) -> Vec<f32> {
    [vec![a; CELLS], vec![b; CELLS]].concat()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn one_network_with_order_data_scores_as_worked_out() {
    let mut session = Session::open(&one(plain())).unwrap();
    let scores = session.scores(&image(0.25, 1.0), &[-0.5, 1.0]).unwrap();
    assert!((scores.p_nok - sigmoid(-0.25 + 1.0 - 0.5 + 0.5)).abs() < 1e-6, "{scores:?}");
    assert_eq!(scores.models.len(), 1);
    assert_eq!((scores.models[0].name.as_str(), scores.models[0].weight), ("first", 1.0));
    let again = session.scores(&image(0.25, 1.0), &[-0.5, 1.0]).unwrap();
    assert_eq!(scores, again);
}

/// What [`chain`] gives for channel means `a` and `b`: set, plain, off.
fn worked_out(a: f64, b: f64) -> (f64, f64, f64) {
    let plain = sigmoid(a - b);
    let off = sigmoid(2.0 * ((b - 0.25) - (a - 0.5)) - 1.0);
    (0.25 * plain + 0.75 * off, plain, off)
}

#[test]
fn two_models_share_a_trunk_and_are_weighted() {
    let (manifest, files) = chain();
    let mut session = Session::open(&bundle(manifest, files, vec![golden_coil("a", 0.5)])).unwrap();
    let scores = session.scores(&image(1.5, 0.5), &[0.0, 0.0]).unwrap();
    let (set, plain, off) = worked_out(1.5, 0.5);
    assert!((scores.p_nok - set).abs() < 1e-6);
    assert!((scores.models[0].p_nok - plain).abs() < 1e-6);
    assert!((scores.models[1].p_nok - off).abs() < 1e-6);
    assert_eq!((scores.models[0].weight, scores.models[1].weight), (0.25, 0.75));
}

#[test]
fn golden_coils_must_score_as_at_the_trainer() {
    // golden_coil: 60 cells of 50 g/m2, one gap, the rest 70, ordered 70.
    let a = f64::from(-60) * (5.0 * 2.0 / 7.0) / CELLS as f64;
    let b = 1.0 / CELLS as f64;
    let (set, plain, off) = worked_out(a, b);
    let check = |shift: f64, other: &str| {
        let (manifest, files) = chain();
        let mut coil = golden_coil("g", set);
        coil.models = BTreeMap::from([(id("plain"), plain + shift), (id(other), off)]);
        Session::open(&bundle(manifest, files, vec![coil])).unwrap().check_golden()
    };
    let report = check(0.0, "off").unwrap();
    assert_eq!(report.coils, 1);
    assert!(report.worst < 1e-5, "{report:?}");
    let report = check(0.0009, "off").unwrap();
    assert!((report.worst - 0.0009).abs() < 1e-5);
    let refused = check(0.002, "off").unwrap_err();
    assert!(matches!(&refused, GoldenRefused::Score { who, .. } if who == "the model plain"), "{refused}");
    assert!(refused.to_string().starts_with("keep the set that runs"));
    assert!(matches!(check(0.0, "another"), Err(GoldenRefused::Models(_))));
}

#[test]
fn no_number_is_never_a_verdict() {
    let mut session = Session::open(&one(plain())).unwrap();
    for bad in [f32::NAN, f32::INFINITY] {
        let scored = session.scores(&image(bad, 0.0), &[0.0, 0.0]);
        assert!(matches!(scored, Err(ScoreFault::NotFinite(_))), "{scored:?}");
        assert!(matches!(session.scores(&image(0.0, 0.0), &[0.0, bad]), Err(ScoreFault::NotFinite(_))));
    }
    let huge = linear([3e38, 3e38, 3e38, 3e38, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0]);
    let mut overflowing = Session::open(&one(huge)).unwrap();
    let scored = overflowing.scores(&image(3.0, 3.0), &[0.0, 0.0]);
    assert!(matches!(&scored, Err(ScoreFault::NotFinite(what)) if what == "part:net:logits"), "{scored:?}");
    let checked = overflowing.check_golden().unwrap_err();
    assert!(matches!(checked, GoldenRefused::Score { .. } | GoldenRefused::NoScore { .. }));
}

#[test]
fn tensors_of_another_size_are_refused() {
    let mut session = Session::open(&one(plain())).unwrap();
    let short = session.scores(&[0.0; 7], &[0.0; 2]).unwrap_err();
    assert!(matches!(short, ScoreFault::Size { what: "image", found: 7, expected: 9504 }), "{short}");
    assert!(matches!(session.scores(&image(0.0, 0.0), &[]), Err(ScoreFault::Size { what: "side", .. })));
}

fn fault(onnx: Vec<u8>) -> EngineFault {
    match Session::open(&one(onnx)).unwrap_err() {
        OpenFault::Part { part, source } => {
            assert_eq!(part, id("net"));
            source
        }
        other => panic!("{other}"),
    }
}

/// Both inputs into one linear layer called `output`, computed by `op`.
fn odd(op: &str, output: &str, declared: &str) -> Vec<u8> {
    Graph::default()
        .input("image", &[1, 2, 264, 18])
        .input("side", &[1, 2])
        .node(op, &["side"], output, None)
        .output(declared, &[1, 2])
        .bytes()
}

#[test]
fn networks_that_cannot_run_name_the_part_and_the_cause() {
    assert!(matches!(fault(b"no protobuf".to_vec()), EngineFault::NotOnnx(_)));
    assert!(matches!(fault(vec![]), EngineFault::Inputs { .. }));
    assert!(matches!(fault(trunk()), EngineFault::Inputs { .. }));
    assert!(matches!(fault(odd("Relu", "other", "other")), EngineFault::Output(_)));
    // Declared as an output, computed nowhere.
    assert!(matches!(fault(odd("Relu", "other", "logits")), EngineFault::Output(_)));
    assert!(matches!(fault(odd("NoSuchOperator", "logits", "logits")), EngineFault::Unsupported(_)));
    assert!(matches!(fault(odd("Shape", "logits", "logits")), EngineFault::OutputKind { .. }));
    let dangling = Graph::default()
        .input("image", &[1, 2, 264, 18])
        .input("side", &[1, 2])
        .node("Add", &["side", "nowhere"], "logits", None)
        .output("logits", &[1, 2]);
    assert!(matches!(fault(dangling.bytes()), EngineFault::Unsupported(_)));
}

#[test]
fn a_network_cannot_read_files_of_the_device() {
    let elsewhere = Graph::default()
        .input("image", &[1, 2, 264, 18])
        .input("side", &[1, 2])
        .constant_elsewhere("w", &[1, 2])
        .node("Add", &["side", "w"], "logits", None)
        .output("logits", &[1, 2]);
    assert!(matches!(fault(elsewhere.bytes()), EngineFault::Unsupported(_)));
}

#[test]
fn logits_are_two() {
    let wide = Graph::default()
        .input("image", &[1, 2, 264, 18])
        .input("side", &[1, 2])
        .node("Concat", &["side", "side"], "logits", Some(1))
        .output("logits", &[1, 4]);
    let refused = Session::open(&one(wide.bytes())).unwrap_err();
    assert!(matches!(&refused, OpenFault::Logits { shape, .. } if shape == &[1, 4]), "{refused}");
}

#[test]
fn references_are_numbers() {
    let (manifest, mut files) = chain();
    files[3].1 = [f32::NAN, 0.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let refused = Session::open(&bundle(manifest, files, vec![golden_coil("a", 0.5)])).unwrap_err();
    assert!(matches!(refused, OpenFault::Reference(_)), "{refused}");
}

#[test]
fn a_session_moves_to_the_thread_that_judges() {
    fn sends<T: Send>() {}
    sends::<Session>();
}

/// A bundle on disk, of the day when the format was fixed.
#[test]
fn the_golden_bundle_still_scores_as_it_did() {
    let file = std::fs::File::open(fixtures::folder().join("pair.coilbundle")).unwrap();
    let bundle = Verified::read(file, &fixtures::keys(), &Limits::default()).unwrap();
    let mut session = Session::open(&bundle).unwrap();
    let report = session.check_golden().unwrap();
    assert!(report.coils == 1 && report.worst < 1e-6, "{report:?}");
    let scores = session.scores(&image(1.5, 0.5), &[0.0, 0.0]).unwrap();
    assert!((scores.p_nok - worked_out(1.5, 0.5).0).abs() < 1e-6);
}
