use super::*;
use crate::bundle::manifest::{FileEntry, Metric, Reference};
use crate::bundle::name::Sha256;
use crate::bundle::testing::{id, manifest, model, name, part};
use crate::prepare::BadSpec;

fn fault(change: impl FnOnce(&mut Manifest)) -> ManifestFault {
    let mut changed = manifest();
    change(&mut changed);
    changed.check().unwrap_err()
}

fn file(text: &str, length: u64) -> FileEntry {
    FileEntry { name: name(text), length, sha256: Sha256::of(b"") }
}

/// A trunk, a head that reads it and a reference.
fn chain() -> Manifest {
    let mut chain = manifest();
    chain.parts = vec![
        part("trunk", &[("x", "image")], &["features"]),
        part("head", &[("f", "part:trunk:features"), ("r", "reference:ok")], &["logits"]),
    ];
    chain.models = vec![model("a", "head", "logits"), model("b", "head", "logits")];
    chain.references = vec![Reference { id: id("ok"), file: name("ok.f32"), shape: vec![1, 8] }];
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
    turned.parts.reverse();
    let ManifestFault::Unknown { user, used } = turned.check().unwrap_err() else { panic!() };
    assert_eq!((user.as_str(), used.as_str()), ("the part head", "part:trunk:features"));
    let mut itself = chain();
    itself.parts[1].inputs[0].from = Source::Part { id: id("head"), output: "logits".into() };
    assert!(matches!(itself.check(), Err(ManifestFault::Unknown { .. })));
    let mut nothing = chain();
    nothing.parts[1].inputs[1].from = Source::Reference(id("none"));
    assert!(matches!(nothing.check(), Err(ManifestFault::Unknown { .. })));
    assert!(matches!(fault(|m| m.prepare.side.clear()), ManifestFault::Unknown { .. }));
}

#[test]
fn everything_there_is_used_and_everything_used_is_there() {
    let unused = |m: &Manifest| matches!(m.check(), Err(ManifestFault::Unused(_)));
    let mut part_too_many = chain();
    part_too_many.parts[1].inputs[0].from = Source::Image;
    assert!(unused(&part_too_many));
    let mut reference_too_many = chain();
    reference_too_many.parts[1].inputs.pop();
    assert!(unused(&reference_too_many));
    let mut output_too_many = chain();
    output_too_many.parts[0].outputs.push("more".into());
    assert!(unused(&output_too_many));
    let mut file_too_many = chain();
    file_too_many.files.push(file("more.bin", 1));
    assert!(unused(&file_too_many));
    assert!(matches!(fault(|m| m.files.truncate(1)), ManifestFault::Unknown { .. }));
    assert!(matches!(fault(|m| m.models[0].part = id("other")), ManifestFault::Unknown { .. }));
    assert!(matches!(fault(|m| m.models[0].output = "other".into()), ManifestFault::Unknown { .. }));
}

#[test]
fn names_are_there_once() {
    let twice = |fault| matches!(fault, ManifestFault::Twice { .. });
    assert!(twice(fault(|m| m.models.push(m.models[0].clone()))));
    assert!(twice(fault(|m| m.parts.push(m.parts[0].clone()))));
    assert!(twice(fault(|m| m.files.push(m.files[0].clone()))));
    assert!(twice(fault(|m| m.parts[0].inputs[1].name = "image".into())));
    assert!(twice(fault(|m| m.parts[0].outputs.push("logits".into()))));
    assert!(matches!(fault(|m| m.golden.file = name("net.onnx")), ManifestFault::FileRoles(_)));
}

#[test]
fn numbers_are_within_sense() {
    let number = |fault| matches!(fault, ManifestFault::Number { .. });
    for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, 1e7] {
        assert!(number(fault(|m| m.models[0].weight = bad)), "weight {bad}");
        assert!(number(fault(|m| m.models[0].calibration.scale = bad)), "scale {bad}");
    }
    assert!(number(fault(|m| m.models[0].calibration.offset = f64::NAN)));
    for bad in [-0.001, 0.0101, f64::NAN] {
        assert!(number(fault(|m| m.golden.tolerance = bad)), "tolerance {bad}");
    }
    for (value, low, high) in [(0.5, 0.6, 0.7), (f64::NAN, 0.0, 1.0), (0.5, 0.0, f64::INFINITY)] {
        let metric = Metric { value, low, high };
        assert!(number(fault(|m| _ = m.provenance.metrics.insert("x".into(), metric))));
    }
    assert_eq!(fault(|m| m.release = 0), ManifestFault::Release(0));
    assert!(matches!(fault(|m| m.release = u64::MAX), ManifestFault::Release(_)));
    assert!(matches!(fault(|m| m.provenance.nok = 1 << 40), ManifestFault::Provenance { .. }));
    assert!(matches!(fault(|m| m.prepare.version = 2), ManifestFault::Prepare(BadSpec::Version { .. })));
    assert!(matches!(fault(|m| m.policy.miss_cost = 0.0), ManifestFault::Policy(_)));
    assert_eq!(fault(|m| m.format = 2), ManifestFault::Format(2));
}

#[test]
fn shapes_fit_their_files() {
    let with = |shape: &[u64], length| {
        let mut changed = chain();
        changed.references[0].shape = shape.to_vec();
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
    assert!(count(fault(|m| m.models.clear())));
    assert!(count(fault(|m| m.parts.clear())));
    assert!(count(fault(|m| m.models = (0..17).map(|i| model(&format!("m{i}"), "net", "logits")).collect())));
    assert!(count(fault(|m| m.parts[0].outputs.clear())));
    assert!(count(fault(|m| m.files.extend((0..64).map(|i| file(&format!("f{i}"), 1))))));
    assert!(count(fault(|m| m.provenance.licences = vec!["MIT".into(); 65])));
    for text in [String::new(), "x".repeat(1025), "two\nlines".into(), "\u{1b}[2J".into()] {
        assert!(matches!(fault(|m| m.models[0].kind = text.clone()), ManifestFault::Text { .. }), "{text:?}");
    }
    for lines in [vec![], vec![Place::Any, Place::Named("a".into())], vec![Place::Any; 2]] {
        assert_eq!(fault(|m| m.lines = lines), ManifestFault::Lines);
    }
}

#[test]
fn what_stays_f32_is_told_in_few_short_texts() {
    let mut told = manifest();
    told.parts[0].float = vec!["sums (2): why".into()];
    assert_eq!(told.check(), Ok(()));
    let read = |bytes: &[u8]| Manifest::parse(bytes).unwrap().parts[0].float.clone();
    assert_eq!(read(&told.to_bytes().unwrap()), ["sums (2): why"]);
    // A manifest from before the field was there.
    let before = manifest().to_bytes().unwrap();
    assert!(!String::from_utf8(before.clone()).unwrap().contains("\"float\""));
    assert!(read(&before).is_empty());
    assert!(matches!(
        fault(|m| m.parts[0].float = vec!["x".into(); MAX_ITEMS + 1]),
        ManifestFault::Count { .. }
    ));
    assert!(matches!(
        fault(|m| m.parts[0].float = vec!["x".repeat(MAX_TEXT + 1)]),
        ManifestFault::Text { .. }
    ));
}
