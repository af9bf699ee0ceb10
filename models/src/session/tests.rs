//! Sessions over small networks whose results can be worked out by hand.

use super::onnx::Graph;
use super::testing::{bundle, chain, linear, one, plain, trunk};
use super::*;
use crate::bundle::golden::GoldenCoil;
use crate::bundle::testing::{golden_coil, id, model, part, set_of, spec};
use crate::bundle::{Limits, fixtures};
use crate::coil::CELLS;
use crate::prepare::{Channel, Layout, SideValue};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

fn image(a: f32, b: f32) -> Vec<f32> {
    [vec![a; CELLS], vec![b; CELLS]].concat()
}

/// What a set of one image makes of it.
fn look(session: &mut Session, image: Vec<f32>, side: &[f32]) -> Result<Scores, ScoreFault> {
    session.scores(vec![Prepared { image, side: side.to_vec() }])
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn one_network_with_order_data_scores_as_worked_out() {
    let mut session = Session::open(&one(plain())).unwrap();
    let scores = look(&mut session, image(0.25, 1.0), &[-0.5, 1.0]).unwrap();
    assert!((scores.p_nok - sigmoid(-0.25 + 1.0 - 0.5 + 0.5)).abs() < 1e-6, "{scores:?}");
    assert_eq!(scores.models.len(), 1);
    assert_eq!((scores.models[0].name.as_str(), scores.models[0].weight), ("first", 1.0));
    let again = look(&mut session, image(0.25, 1.0), &[-0.5, 1.0]).unwrap();
    assert_eq!(scores, again);
}

/// What [`chain`] gives for channel means `a` and `b`: set, plain, off.
fn worked_out(a: f64, b: f64) -> (f64, f64, f64) {
    let plain = sigmoid(a - b);
    let off = sigmoid(2.0 * ((b - 0.25) - (a - 0.5)) - 1.0);
    (0.25 * plain + 0.75 * off, plain, off)
}

/// How far channel means `a` and `b` are from what [`chain`] was trained on.
fn far(a: f64, b: f64) -> f64 {
    ((2.0 * (a - 0.5)).powi(2) + (b - 0.25).powi(2)).sqrt() / 2f64.sqrt()
}

#[test]
fn two_models_share_a_trunk_and_are_weighted() {
    let (manifest, files) = chain();
    let mut session = Session::open(&bundle(manifest, files, vec![golden_coil("a", 0.5)])).unwrap();
    let scores = look(&mut session, image(1.5, 0.5), &[0.0, 0.0]).unwrap();
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
        coil.distance = Some(far(a, b));
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
        let scored = look(&mut session, image(bad, 0.0), &[0.0, 0.0]);
        assert!(matches!(scored, Err(ScoreFault::NotFinite(_))), "{scored:?}");
        assert!(matches!(look(&mut session, image(0.0, 0.0), &[0.0, bad]), Err(ScoreFault::NotFinite(_))));
    }
    let huge = linear([3e38, 3e38, 3e38, 3e38, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0]);
    let mut overflowing = Session::open(&one(huge)).unwrap();
    let scored = look(&mut overflowing, image(3.0, 3.0), &[0.0, 0.0]);
    assert!(matches!(&scored, Err(ScoreFault::NotFinite(what)) if what == "part:net:logits"), "{scored:?}");
    let checked = overflowing.check_golden().unwrap_err();
    assert!(matches!(checked, GoldenRefused::Score { .. } | GoldenRefused::NoScore { .. }));
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
    let scores = look(&mut session, image(1.5, 0.5), &[0.0, 0.0]).unwrap();
    assert!((scores.p_nok - worked_out(1.5, 0.5).0).abs() < 1e-6);
}

#[test]
fn the_distance_from_training_is_as_worked_out() {
    let (manifest, files) = chain();
    let mut session = Session::open(&bundle(manifest, files, vec![golden_coil("a", 0.5)])).unwrap();
    for (a, b, over) in [(0.5, 0.25, false), (0.5, 1.25, false), (1.5, 0.25, true), (-3.0, 2.0, true)] {
        let novelty = look(&mut session, image(a, b), &[0.0, 0.0]).unwrap().novelty.unwrap();
        let expected = far(f64::from(a), f64::from(b));
        assert!((novelty.distance - expected).abs() < 1e-5, "{novelty:?}, {expected}");
        assert_eq!((novelty.limit, novelty.is_over()), (1.0, over), "{a} {b}");
    }
    let plain = look(&mut Session::open(&one(plain())).unwrap(), image(0.0, 0.0), &[0.0, 0.0]).unwrap();
    assert_eq!(plain.novelty, None);
}

#[test]
fn a_distance_that_is_no_number_is_no_score() {
    let (manifest, mut files) = chain();
    files[5].1 = [f32::MAX, 0.0, 0.0, 1.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut session = Session::open(&bundle(manifest, files, vec![golden_coil("a", 0.5)])).unwrap();
    // f32::MAX times f32's largest features is still a number in f64.
    assert!(look(&mut session, image(1e20, 0.0), &[0.0, 0.0]).is_ok());
    session.references[2].values[0] = f32::INFINITY;
    let scored = look(&mut session, image(1.0, 0.0), &[0.0, 0.0]);
    assert!(matches!(&scored, Err(ScoreFault::NotFinite(what)) if what.contains("distance")), "{scored:?}");
}

#[test]
fn features_are_as_many_as_are_measured() {
    let (mut manifest, mut files) = chain();
    set_of(&mut manifest).references[1].shape = vec![3];
    set_of(&mut manifest).references[2].shape = vec![2, 3];
    (files[4].1, files[5].1) = (vec![0; 12], vec![0; 24]);
    let refused = Session::open(&bundle(manifest, files, vec![golden_coil("a", 0.5)])).unwrap_err();
    assert!(
        matches!(&refused, OpenFault::Features { features: 3, shape, .. } if shape == &[1, 2]),
        "{refused}"
    );
}

#[test]
fn golden_coils_must_lie_as_far_as_at_the_trainer() {
    let check = |change: &dyn Fn(&mut GoldenCoil)| {
        let (manifest, files) = chain();
        let mut coil = testing::scored("g");
        change(&mut coil);
        Session::open(&bundle(manifest, files, vec![coil])).unwrap().check_golden()
    };
    assert!(check(&|_| {}).is_ok());
    assert!(check(&|coil| coil.distance = coil.distance.map(|d| d * 1.009)).is_ok());
    for wrong in [Some(1.02), Some(0.9), None] {
        let off = |coil: &mut GoldenCoil| coil.distance = wrong.zip(coil.distance).map(|(by, d)| by * d);
        let refused = check(&off).unwrap_err();
        assert!(matches!(refused, GoldenRefused::Distance { .. }), "{refused}");
    }
}

/// A third voter sees the coil as a square of one channel and reads other order data.
#[test]
fn voters_see_a_coil_in_different_ways() {
    let (mut manifest, mut files) = chain();
    let side = vec![SideValue::Known, SideValue::Nominal];
    let grey =
        PrepareSpec { layout: Layout::Square, channels: vec![Channel::grey(0.0, 140.0)], side, ..spec() };
    set_of(&mut manifest).prepare.insert(id("square"), grey);
    let mut third = part("third", &[("x", "image:square"), ("side", "side:square")], &["logits"]);
    third.file = crate::bundle::testing::name("third.onnx");
    set_of(&mut manifest).parts.push(third);
    set_of(&mut manifest).models = vec![model("third", "third", "logits"), model("plain", "plain", "logits")];
    set_of(&mut manifest).parts.remove(2);
    set_of(&mut manifest).references.remove(0);
    files.remove(3);
    files.remove(2);
    let mean = Graph::default()
        .input("x", &[1, 1, 264, 264])
        .input("side", &[1, 2])
        .node("GlobalAveragePool", &["x"], "pooled", None)
        .node("Flatten", &["pooled"], "grey", Some(1))
        .node("Add", &["side", "grey"], "logits", None)
        .output("logits", &[1, 2])
        .bytes();
    files.push(("third.onnx", mean));
    let golden = golden_coil("a", 0.5);
    let mut session = Session::open(&bundle(manifest, files, vec![golden.clone()])).unwrap();
    let scored = session.score(&golden.matrix, golden.order.as_ref()).unwrap();
    // Known is 1, nominal (70 - 90) / 40: the grey mean falls out of the difference.
    assert!((scored.models[0].p_nok - sigmoid(-0.5 - 1.0)).abs() < 1e-6, "{scored:?}");
    let (a, b) = (f64::from(-60) * (5.0 * 2.0 / 7.0) / CELLS as f64, 1.0 / CELLS as f64);
    assert!((scored.models[1].p_nok - worked_out(a, b).1).abs() < 1e-5, "{scored:?}");
}

proptest! {
    /// Whatever the features are, the distance is a number not below 0, and further away is further away.
    #[test]
    fn distances_are_distances(a in -1e3f32..1e3, b in -1e3f32..1e3, more in 1.0f32..10.0) {
        let mut session = CHAIN.lock().unwrap();
        let mut distance =
            |a, b| look(&mut session, image(a, b), &[0.0, 0.0]).unwrap().novelty.unwrap().distance;
        let (near, away) = (distance(a, b), distance(0.5 + more * (a - 0.5), 0.25 + more * (b - 0.25)));
        prop_assert!(near >= 0.0 && away.is_finite());
        prop_assert!(away >= near * 0.999 - 1e-3, "{near} {away}");
    }
}

static CHAIN: LazyLock<Mutex<Session>> = LazyLock::new(|| {
    let (manifest, files) = chain();
    Mutex::new(Session::open(&bundle(manifest, files, vec![golden_coil("a", 0.5)])).unwrap())
});
