use super::*;
use crate::bundle::manifest::{FileEntry, Metric, Novelty, Reference};
use crate::bundle::name::Sha256;
use crate::bundle::testing::{Key, id, manifest, model, name, part, policy_change, set_of, spec, trust};
use crate::prepare::{BadSpec, Layout};

fn fault_of_set(change: impl FnOnce(&mut ModelSet)) -> ManifestFault {
    fault(|manifest| change(set_of(manifest)))
}

fn fault(change: impl FnOnce(&mut Manifest)) -> ManifestFault {
    let mut changed = manifest();
    change(&mut changed);
    changed.check().unwrap_err()
}

fn file(text: &str, length: u64) -> FileEntry {
    FileEntry { name: name(text), length, sha256: Sha256::of(b"") }
}

fn spec_of(m: &mut ModelSet) -> &mut PrepareSpec {
    m.prepare.get_mut(&id("beside")).unwrap()
}

/// A trunk, a head that reads it and a reference.
fn chain() -> Manifest {
    let mut chain = manifest();
    set_of(&mut chain).parts = vec![
        part("trunk", &[("x", "image:beside")], &["features"]),
        part("head", &[("f", "part:trunk:features"), ("r", "reference:ok")], &["logits"]),
    ];
    set_of(&mut chain).models = vec![model("a", "head", "logits"), model("b", "head", "logits")];
    set_of(&mut chain).references = vec![Reference { id: id("ok"), file: name("ok.f32"), shape: vec![1, 8] }];
    chain.files =
        vec![file("trunk.onnx", 9), file("head.onnx", 9), file("ok.f32", 32), file("golden.bin", 9)];
    chain
}

#[test]
fn good_ones_pass() {
    assert_eq!(manifest().check(), Ok(()));
    assert_eq!(chain().check(), Ok(()));
}

#[test]
fn parts_stand_before_their_use() {
    let mut turned = chain();
    set_of(&mut turned).parts.reverse();
    let ManifestFault::Unknown { user, used } = turned.check().unwrap_err() else { panic!() };
    assert_eq!((user.as_str(), used.as_str()), ("the part head", "part:trunk:features"));
    let mut itself = chain();
    set_of(&mut itself).parts[1].inputs[0].from = Source::Part { id: id("head"), output: "logits".into() };
    assert!(matches!(itself.check(), Err(ManifestFault::Unknown { .. })));
    let mut nothing = chain();
    set_of(&mut nothing).parts[1].inputs[1].from = Source::Reference(id("none"));
    assert!(matches!(nothing.check(), Err(ManifestFault::Unknown { .. })));
    assert!(matches!(fault_of_set(|m| spec_of(m).side.clear()), ManifestFault::Unknown { .. }));
}

#[test]
fn everything_there_is_used_and_everything_used_is_there() {
    let unused = |m: &Manifest| matches!(m.check(), Err(ManifestFault::Unused(_)));
    let mut part_too_many = chain();
    set_of(&mut part_too_many).parts[1].inputs[0].from = Source::Image(id("beside"));
    assert!(unused(&part_too_many));
    let mut reference_too_many = chain();
    set_of(&mut reference_too_many).parts[1].inputs.pop();
    assert!(unused(&reference_too_many));
    let mut output_too_many = chain();
    set_of(&mut output_too_many).parts[0].outputs.push("more".into());
    assert!(unused(&output_too_many));
    let mut file_too_many = chain();
    file_too_many.files.push(file("more.bin", 1));
    assert!(unused(&file_too_many));
    assert!(matches!(fault(|m| m.files.truncate(1)), ManifestFault::Unknown { .. }));
    assert!(matches!(fault_of_set(|m| m.models[0].part = id("other")), ManifestFault::Unknown { .. }));
    assert!(matches!(fault_of_set(|m| m.models[0].output = "other".into()), ManifestFault::Unknown { .. }));
}

#[test]
fn names_are_there_once() {
    let twice = |fault| matches!(fault, ManifestFault::Twice { .. });
    assert!(twice(fault_of_set(|m| m.models.push(m.models[0].clone()))));
    assert!(twice(fault_of_set(|m| m.parts.push(m.parts[0].clone()))));
    assert!(twice(fault(|m| m.files.push(m.files[0].clone()))));
    assert!(twice(fault_of_set(|m| m.parts[0].inputs[1].name = "image".into())));
    assert!(twice(fault_of_set(|m| m.parts[0].outputs.push("logits".into()))));
    assert!(matches!(fault_of_set(|m| m.golden.file = name("net.onnx")), ManifestFault::FileRoles(_)));
}

#[test]
fn numbers_are_within_sense() {
    let number = |fault| matches!(fault, ManifestFault::Number { .. });
    for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, 1e7] {
        assert!(number(fault_of_set(|m| m.models[0].weight = bad)), "weight {bad}");
        assert!(number(fault_of_set(|m| m.models[0].calibration.scale = bad)), "scale {bad}");
    }
    assert!(number(fault_of_set(|m| m.models[0].calibration.offset = f64::NAN)));
    for bad in [-0.001, 0.0101, f64::NAN] {
        assert!(number(fault_of_set(|m| m.golden.tolerance = bad)), "tolerance {bad}");
    }
    for (value, low, high) in [(0.5, 0.6, 0.7), (f64::NAN, 0.0, 1.0), (0.5, 0.0, f64::INFINITY)] {
        let metric = Metric { value, low, high };
        assert!(number(fault_of_set(|m| _ = m.provenance.metrics.insert("x".into(), metric))));
    }
    assert_eq!(fault(|m| m.release = 0), ManifestFault::Release(0));
    assert!(matches!(fault(|m| m.release = u64::MAX), ManifestFault::Release(_)));
    assert!(matches!(fault_of_set(|m| m.provenance.nok = 1 << 40), ManifestFault::Provenance { .. }));
    let newer = fault_of_set(|m| spec_of(m).version = 2);
    assert!(matches!(newer, ManifestFault::Prepare { source: BadSpec::Version { .. }, .. }), "{newer}");
    assert!(matches!(fault_of_set(|m| m.policy.miss_cost = 0.0), ManifestFault::Policy(_)));
    assert_eq!(fault(|m| m.format = 1), ManifestFault::Format(1));
    assert!(matches!(fault(|m| m.floor = 2), ManifestFault::Floor { floor: 2, release: 1 }));
    assert!(matches!(fault(|m| m.not_after = m.created_at), ManifestFault::Dates { .. }));
}

#[test]
fn shapes_fit_their_files() {
    let with = |shape: &[u64], length| {
        let mut changed = chain();
        set_of(&mut changed).references[0].shape = shape.to_vec();
        changed.files[2].length = length;
        changed.check()
    };
    assert_eq!(with(&[2, 4], 32), Ok(()));
    let overflow = [u64::MAX, u64::MAX];
    for (shape, length) in
        [(&[1, 8][..], 31), (&[], 4), (&[0], 0), (&overflow[..], 32), (&[1 << 62], 0), (&[1 << 23], 1 << 25)]
    {
        assert!(matches!(with(shape, length), Err(ManifestFault::Shape(_))), "{shape:?}");
    }
    assert!(matches!(with(&[1; 7], 4), Err(ManifestFault::Shape(_))));
}

#[test]
fn counts_and_texts_have_limits() {
    let count = |fault| matches!(fault, ManifestFault::Count { .. });
    assert!(count(fault_of_set(|m| m.models.clear())));
    assert!(count(fault_of_set(|m| m.parts.clear())));
    assert!(count(fault_of_set(
        |m| m.models = (0..17).map(|i| model(&format!("m{i}"), "net", "logits")).collect()
    )));
    assert!(count(fault_of_set(|m| m.parts[0].outputs.clear())));
    assert!(count(fault(|m| m.files.extend((0..64).map(|i| file(&format!("f{i}"), 1))))));
    assert!(count(fault_of_set(|m| m.provenance.licences = vec!["MIT".into(); 65])));
    for text in [String::new(), "x".repeat(1025), "two\nlines".into(), "\u{1b}[2J".into()] {
        assert!(
            matches!(fault_of_set(|m| m.models[0].kind = text.clone()), ManifestFault::Text { .. }),
            "{text:?}"
        );
    }
    for lines in [vec![], vec![Place::Any, Place::Named("a".into())], vec![Place::Any; 2]] {
        assert_eq!(fault(|m| m.lines = lines), ManifestFault::Lines);
    }
}

#[test]
fn what_stays_f32_is_told_in_few_short_texts() {
    let mut told = manifest();
    set_of(&mut told).parts[0].float = vec!["sums (2): why".into()];
    assert_eq!(told.check(), Ok(()));
    let read = |bytes: &[u8]| set_of(&mut Manifest::parse(bytes).unwrap()).parts[0].float.clone();
    assert_eq!(read(&told.to_bytes().unwrap()), ["sums (2): why"]);
    assert!(matches!(
        fault_of_set(|m| m.parts[0].float = vec!["x".into(); MAX_ITEMS + 1]),
        ManifestFault::Count { .. }
    ));
    assert!(matches!(
        fault_of_set(|m| m.parts[0].float = vec!["x".repeat(MAX_TEXT + 1)]),
        ManifestFault::Text { .. }
    ));
}

/// The chain, one of whose heads sees the coil as a square.
fn two_images() -> Manifest {
    let mut two = chain();
    set_of(&mut two).prepare.insert(id("square"), PrepareSpec { layout: Layout::Square, ..spec() });
    set_of(&mut two).parts.push(part("other", &[("x", "image:square")], &["logits"]));
    set_of(&mut two).models[1] = model("b", "other", "logits");
    two.files.push(file("other.onnx", 9));
    two
}

#[test]
fn networks_may_see_a_coil_in_different_ways_each_of_which_is_used() {
    assert_eq!(two_images().check(), Ok(()));
    let mut unread = two_images();
    set_of(&mut unread).parts[2].inputs[0].from = Source::Image(id("beside"));
    assert_eq!(unread.check(), Err(ManifestFault::Unused("prepare:square".into())));
    let mut nameless = two_images();
    set_of(&mut nameless).parts[2].inputs[0].from = Source::Side(id("other"));
    assert!(matches!(nameless.check(), Err(ManifestFault::Unknown { .. })));
    let mut order_alone = two_images();
    set_of(&mut order_alone).parts[2].inputs[0].from = Source::Side(id("square"));
    assert_eq!(order_alone.check(), Ok(()));
    let count = |fault| matches!(fault, ManifestFault::Count { .. });
    assert!(count(fault_of_set(|m| m.prepare.clear())));
    let many = |m: &mut ModelSet, n: usize, spec: &PrepareSpec| {
        m.prepare.extend((0..n).map(|i| (id(&format!("p{i}")), spec.clone())));
    };
    assert!(count(fault_of_set(|m| many(m, 8, &spec()))));
    // Two squares of sixteen channels are more than a small box should hold for a coil.
    let channels = vec![spec().channels[0]; 16];
    let large = PrepareSpec { layout: Layout::Square, channels, ..spec() };
    assert!(count(fault_of_set(|m| many(m, 2, &large))));
    assert!(!count(fault_of_set(|m| many(m, 1, &large))));
}

#[test]
fn novelty_names_features_and_references_that_fit() {
    let with = |centre: &[u64], whitening: &[u64], change: &dyn Fn(&mut Novelty)| {
        let mut known = chain();
        let mut novelty = Novelty {
            part: id("trunk"),
            output: "features".into(),
            centre: id("mean"),
            whitening: id("axes"),
            limit: 2.5,
        };
        change(&mut novelty);
        set_of(&mut known).novelty = Some(novelty);
        for (name, shape) in [("mean", centre), ("axes", whitening)] {
            let file_name = format!("{name}.f32");
            known.files.push(file(&file_name, shape.iter().fold(4u64, |n, side| n.saturating_mul(*side))));
            let file = self::name(&file_name);
            set_of(&mut known).references.push(Reference { id: id(name), file, shape: shape.to_vec() });
        }
        known.check()
    };
    let as_it_is = &|_: &mut Novelty| {};
    assert_eq!(with(&[8], &[3, 8], as_it_is), Ok(()));
    for (centre, whitening) in [
        (&[1, 8][..], &[3, 8][..]),
        (&[8], &[8]),
        (&[8], &[3, 7]),
        (&[8], &[9, 8]),
        (&[100], &[65, 100]),
        (&[8], &[8, 3]),
        (&[8], &[0, 8]),
    ] {
        let found = with(centre, whitening, as_it_is);
        assert!(
            matches!(found, Err(ManifestFault::NoveltyShapes { .. })),
            "{centre:?} {whitening:?}: {found:?}"
        );
    }
    for limit in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        let found = with(&[8], &[3, 8], &|n| n.limit = limit);
        assert!(matches!(found, Err(ManifestFault::Number { .. })), "{limit}: {found:?}");
    }
    for missing in [
        &(|n: &mut Novelty| n.part = id("none")) as &dyn Fn(&mut Novelty),
        &|n| n.output = "none".into(),
        &|n| n.centre = id("none"),
        &|n| n.whitening = id("none"),
    ] {
        assert!(matches!(with(&[8], &[3, 8], missing), Err(ManifestFault::Unknown { .. })));
    }
}

#[test]
fn a_policy_or_a_trust_document_brings_no_file_and_counts_once() {
    let good = policy_change(Sha256::of(b"set"));
    assert_eq!(good.check(), Ok(()));
    let mut with_file = good.clone();
    with_file.files.push(file("net.onnx", 4));
    assert!(matches!(with_file.check(), Err(ManifestFault::Unused(_))));
    let mut without_reason = good;
    let Content::Policy(change) = &mut without_reason.content else { panic!() };
    change.why.clear();
    assert!(matches!(without_reason.check(), Err(ManifestFault::Text { .. })));

    let key = Key::new();
    let mut other_version = manifest();
    other_version.content = Content::Trust(Box::new(trust(2, &[("k", "rt", &key), ("t", "b", &Key::new())])));
    other_version.files.clear();
    assert!(matches!(other_version.check(), Err(ManifestFault::TrustVersion { version: 2, release: 1 })));
    other_version.release = 2;
    assert_eq!(other_version.check(), Ok(()));
}
