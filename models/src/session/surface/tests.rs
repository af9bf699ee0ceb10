use super::super::onnx::Graph;
use super::*;
use crate::bundle::manifest::{
    MAX_CLASSES, MAX_REFERENCES, Manifest, Measure, SurfaceClass, SurfacePrepare, SurfaceProvenance,
};
use crate::bundle::testing::{Key, around, layout_with, manifest, name, signed};
use crate::bundle::{Builder, Here, Limits, NotForHere, RefusedBundle, TrustedKeys};

/// An encoder that gives each channel's mean.
fn means() -> Vec<u8> {
    let graph = Graph::default().input("image", &[1, 3, 200, 200]).output("logits", &[1, 3]);
    let graph = graph.node("GlobalAveragePool", &["image"], "pooled", None);
    graph.node("Flatten", &["pooled"], "logits", Some(1)).bytes()
}

fn library() -> SurfaceLibrary {
    let class = |name: &str| SurfaceClass { name: name.into(), references: 1 };
    SurfaceLibrary {
        encoder: name("encoder.onnx"),
        output: "logits".into(),
        prepare: SurfacePrepare::Grey200,
        embedding: 3,
        measure: Measure::Euclidean,
        turned_queries: true,
        limit: 0.5,
        references: name("references.f32"),
        classes: vec![class("dark"), class("light")],
        provenance: SurfaceProvenance {
            trainer_version: "0.1.0".into(),
            weight_origin: "none".into(),
            learned_on: vec!["dark".into()],
            limit_is: "made up".into(),
        },
    }
}

fn of(library: SurfaceLibrary) -> Manifest {
    Manifest { content: Content::Surfaces(Box::new(library)), files: Vec::new(), ..manifest() }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Dark is -1, light 1, in every channel.
fn known() -> Vec<u8> {
    bytes(&[-1.0, -1.0, -1.0, 1.0, 1.0, 1.0])
}

fn read(library: SurfaceLibrary, encoder: Vec<u8>, references: Vec<u8>) -> Verified {
    let layout = layout_with(of(library), vec![("encoder.onnx", encoder), ("references.f32", references)]);
    let key = Key::new();
    let keys = TrustedKeys::new([("k", key.public())]).unwrap();
    Verified::read(&signed(&layout, &[&key])[..], &keys, &Limits::default()).unwrap()
}

#[test]
fn the_nearest_class_is_told_and_what_is_like_none() {
    let bundle = read(library(), means(), known());
    assert_eq!(bundle.manifest().format, 4);
    let mut surfaces = Surfaces::open(&bundle).unwrap();
    let mut class = |grey: u8| surfaces.recognise(&vec![grey; SIDE * SIDE]).unwrap().class;
    assert_eq!(class(0).as_deref(), Some("dark"));
    assert_eq!(class(250).as_deref(), Some("light"));
    assert_eq!(class(127), None);
    assert!(matches!(surfaces.recognise(&[0; 9]), Err(SurfaceFault::Picture(9))));
}

#[test]
fn what_cannot_be_run_is_refused() {
    let not_finite = bytes(&[f32::NAN, 0.0, 0.0, 1.0, 1.0, 1.0]);
    assert!(matches!(Surfaces::open(&read(library(), means(), not_finite)), Err(SurfaceFault::Reference)));
    let wider = SurfaceLibrary { embedding: 4, ..library() };
    let fault = Surfaces::open(&read(wider, means(), vec![0; 32]));
    assert!(matches!(fault, Err(SurfaceFault::Shape { wanted: 4, .. })), "{fault:?}");
    let other_input = Graph::default().input("picture", &[1, 3, 200, 200]).output("logits", &[1, 3, 1, 1]);
    let other_input = other_input.node("GlobalAveragePool", &["picture"], "logits", None).bytes();
    for encoder in [b"no network".to_vec(), other_input] {
        let fault = Surfaces::open(&read(library(), encoder, known()));
        assert!(matches!(fault, Err(SurfaceFault::Encoder(_))), "{fault:?}");
    }
}

#[test]
fn a_library_that_contradicts_itself_is_refused() {
    let told = |change: &dyn Fn(&mut SurfaceLibrary), references: Vec<u8>| {
        let mut library = library();
        change(&mut library);
        let builder = Builder::new(of(library)).file(name("encoder.onnx"), means()).unwrap();
        builder.file(name("references.f32"), references).unwrap().lay_out(&Limits::default()).is_err()
    };
    assert!(!told(&|_| {}, known()));
    assert!(told(&|_| {}, known()[4..].to_vec()), "a value is missing");
    assert!(told(&|l| l.embedding = 0, known()));
    assert!(told(&|l| l.embedding = u64::MAX, known()));
    assert!(told(&|l| l.limit = f64::NAN, known()));
    assert!(told(&|l| l.limit = 0.0, known()));
    assert!(told(&|l| l.classes.clear(), Vec::new()));
    assert!(told(&|l| l.classes[1].name = "dark".into(), known()));
    assert!(told(&|l| l.classes[1].name = "a\nb".into(), known()));
    assert!(told(&|l| l.classes[0].references = 0, bytes(&[1.0; 3])));
    let many = MAX_REFERENCES + 1;
    assert!(told(&|l| l.classes[0].references = many as u64, bytes(&vec![1.0; 3 * (many + 1)])));
    let class = |at: usize| SurfaceClass { name: at.to_string(), references: 1 };
    let most = |n: usize| move |l: &mut SurfaceLibrary| l.classes = (0..n).map(class).collect();
    assert!(!told(&most(MAX_CLASSES), bytes(&vec![1.0; 3 * MAX_CLASSES])));
    assert!(told(&most(MAX_CLASSES + 1), bytes(&vec![1.0; 3 * (MAX_CLASSES + 1)])));
    assert!(told(&|l| l.references = name("encoder.onnx"), known()));
    assert!(told(&|l| l.references = name("elsewhere.f32"), known()));
}

#[test]
fn an_unknown_recipe_another_format_and_a_large_encoder_are_refused() {
    let key = Key::new();
    let keys = TrustedKeys::new([("k", key.public())]).unwrap();
    let layout = layout_with(of(library()), vec![("encoder.onnx", means()), ("references.f32", known())]);
    let text = String::from_utf8(layout.manifest_bytes().to_vec()).unwrap();
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let bytes = around(&key, text.replacen(from, to, 1).as_bytes(), &[]);
        Verified::read(&bytes[..], &keys, &Limits::default()).unwrap_err()
    };
    for (from, to) in
        [("grey-200", "grey-300"), ("euclidean", "manhattan"), ("\"turned_queries\"", "\"turned\"")]
    {
        assert!(matches!(refused(from, to), RefusedBundle::ManifestText(_)), "{to}");
    }
    let older = refused("\"format\": 4", "\"format\": 3");
    assert!(matches!(older, RefusedBundle::OlderFormat { found: 3, reads: 4 }), "{older}");
    let small = Limits { part: 8, ..Limits::default() };
    let large = Verified::read(&signed(&layout, &[&key])[..], &keys, &small).unwrap_err();
    assert!(matches!(large, RefusedBundle::FileTooLarge { .. }), "{large}");
}

#[test]
fn the_coil_path_refuses_it_by_name() {
    let bundle = read(library(), means(), known());
    assert!(matches!(super::super::Session::open(&bundle), Err(super::super::OpenFault::NotASet)));
    let here = Here {
        plant: "p",
        line: "gl2",
        agent: bundle.manifest().requires_agent,
        newest_release: None,
        active_set: None,
        signed_time: None,
        clock: None,
    };
    assert!(matches!(bundle.manifest().is_for(&here), Err(NotForHere::Surfaces)));
}
