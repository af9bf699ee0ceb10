//! Small bundles, keys and coils for tests.

use super::golden::{GoldenCoil, GoldenSet};
use super::manifest::{
    Calibration, Content, FORMAT, FileEntry, Golden, Manifest, Metric, Model, ModelSet, Part, PartInput,
    PolicyChange, Precision, Provenance, Source,
};
use super::{
    Builder, FileName, Id, Layout, Limits, Place, Quorum, Roles, Sha256, TRUST_FORMAT, TrustDocument,
    TrustedKeys, Version,
};
use crate::coil::{CELLS, CoilId, CoilMatrix, Order, ToleranceClass};
use crate::prepare::{self, Channel, PrepareSpec, SideValue, Signal};
use crate::verdict::{Policy, Threshold};
use std::collections::BTreeMap;
use std::io::Cursor;

pub(crate) fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

pub(crate) fn name(text: &str) -> FileName {
    FileName::new(text).unwrap()
}

/// A key pair that lives as long as a test.
pub(crate) struct Key(minisign::KeyPair);

impl Key {
    pub(crate) fn new() -> Self {
        Self(minisign::KeyPair::generate_unencrypted_keypair().unwrap())
    }

    pub(crate) fn public(&self) -> String {
        self.0.pk.to_box().unwrap().to_string()
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> String {
        let text = Some("timestamp:1790000000\tfile:manifest.json");
        minisign::sign(Some(&self.0.pk), &self.0.sk, Cursor::new(bytes), text, None).unwrap().to_string()
    }

    pub(crate) fn trusted(&self) -> TrustedKeys {
        TrustedKeys::new([("release", self.public())]).unwrap()
    }
}

pub(crate) fn part(part: &str, inputs: &[(&str, &str)], outputs: &[&str]) -> Part {
    let source = |text: &str| Source::try_from(text.to_string()).unwrap();
    Part {
        id: id(part),
        file: name(&format!("{part}.onnx")),
        inputs: inputs
            .iter()
            .map(|(name, from)| PartInput { name: (*name).into(), from: source(from) })
            .collect(),
        outputs: outputs.iter().map(ToString::to_string).collect(),
        precision: Precision::F32,
        float: Vec::new(),
    }
}

pub(crate) fn model(model: &str, of: &str, output: &str) -> Model {
    Model {
        name: id(model),
        kind: "cnn".into(),
        part: id(of),
        output: output.into(),
        calibration: Calibration::IDENTITY,
        weight: 1.0,
    }
}

/// Two channels, two side values.
pub(crate) fn spec() -> PrepareSpec {
    PrepareSpec {
        version: prepare::VERSION,
        layout: prepare::Layout::Beside,
        channels: vec![
            Channel { signal: Signal::Deviation, shift: 0.0, scale: 5.0, low: -2.0, high: 2.0 },
            Channel { signal: Signal::Gap, shift: 0.0, scale: 1.0, low: 0.0, high: 1.0 },
        ],
        side: vec![SideValue::Nominal, SideValue::Known],
    }
}

/// One part, one model, one golden coil, stated files of which only lengths are true.
pub(crate) fn manifest() -> Manifest {
    let entry = |file: &str, length| FileEntry { name: name(file), length, sha256: Sha256::of(b"") };
    Manifest {
        format: FORMAT,
        name: id("gl2-first"),
        release: 1,
        floor: 0,
        created_at: "2026-11-22T02:00:00Z".parse().unwrap(),
        not_after: "2027-11-22T02:00:00Z".parse().unwrap(),
        plant: Place::Any,
        lines: vec![Place::Named("gl2".into())],
        requires_agent: Version { major: 0, minor: 1, patch: 0 },
        content: Content::Set(Box::new(ModelSet {
            prepare: BTreeMap::from([(id("beside"), spec())]),
            parts: vec![part("net", &[("image", "image:beside"), ("side", "side:beside")], &["logits"])],
            models: vec![model("first", "net", "logits")],
            references: vec![],
            novelty: None,
            policy: policy(),
            golden: Golden { file: name("golden.bin"), tolerance: 0.001 },
            provenance: Provenance {
                trainer_version: "0.1.0".into(),
                run: "2026-11-22-a".into(),
                data_sha256: Sha256::of(b"data"),
                set_name: "gl2-train".into(),
                coils: 4542,
                nok: 131,
                seed: 7,
                weight_origin: "scratch".into(),
                licences: vec!["MIT OR Apache-2.0".into()],
                metrics: BTreeMap::from([("f1".into(), Metric { value: 0.7, low: 0.6, high: 0.8 })]),
            },
        })),
        files: vec![entry("net.onnx", 4), entry("golden.bin", 20_000)],
    }
}

pub(crate) fn policy() -> Policy {
    let t = Threshold { nok_from: 0.5, review_from: 0.4, review_to: 0.6 };
    Policy { miss_cost: 20.0, a: t, b: t, c: t, unknown: t }
}

/// The set of a manifest that has one, to be changed.
pub(crate) fn set_of(manifest: &mut Manifest) -> &mut ModelSet {
    let Content::Set(set) = &mut manifest.content else { panic!("a manifest of a set") };
    set
}

/// Other thresholds for a set.
pub(crate) fn policy_change(set: Sha256) -> Manifest {
    let content = Content::Policy(PolicyChange { set, policy: policy(), why: "fewer false alarms".into() });
    Manifest { content, files: Vec::new(), ..manifest() }
}

/// A document in which each key has the roles of its letters: `b`uild, `r`elease, `t`rust; one signature of each.
pub(crate) fn trust(version: u64, keys: &[(&str, &str, &Key)]) -> TrustDocument {
    let line = |key: &Key| key.public().lines().last().unwrap().to_string();
    let quorum = |letter| Quorum {
        keys: keys.iter().filter(|k| k.1.contains(letter)).map(|k| k.0.to_string()).collect(),
        required: 1,
    };
    TrustDocument {
        format: TRUST_FORMAT,
        version,
        keys: keys.iter().map(|(name, _, key)| ((*name).to_string(), line(key))).collect(),
        roles: Roles { build: quorum('b'), release: quorum('r'), trust: quorum('t'), automatic: None },
        revoked: Vec::new(),
        restart_release: None,
    }
}

/// A bundle that brings a trust document.
pub(crate) fn trust_layout(document: TrustDocument) -> Layout {
    let release = document.version;
    let manifest =
        Manifest { release, content: Content::Trust(Box::new(document)), files: Vec::new(), ..manifest() };
    Builder::new(manifest).lay_out(&Limits::default()).unwrap()
}

/// An even coil with a thin patch, and what its one model is said to score.
pub(crate) fn golden_coil(coil: &str, p_nok: f64) -> GoldenCoil {
    let mut mean = vec![7_000; CELLS];
    mean[100..160].fill(5_000);
    mean[500] = 0;
    GoldenCoil {
        id: CoilId::new(coil).unwrap(),
        matrix: CoilMatrix::from_hundredths(mean, vec![120; CELLS]).unwrap(),
        order: Some(Order::new(70.0, ToleranceClass::B, 1250.0).unwrap()),
        p_nok,
        distance: None,
        models: BTreeMap::from([(id("first"), p_nok)]),
    }
}

/// A bundle that is whole but whose network is none: enough for everything but a session.
pub(crate) fn layout() -> Layout {
    let golden = GoldenSet::new(vec![golden_coil("a", 0.25)]).unwrap().to_bytes().unwrap();
    layout_with(manifest(), vec![("net.onnx", b"onnx".to_vec()), ("golden.bin", golden)])
}

/// `manifest` with the files that it names.
pub(crate) fn layout_with(manifest: Manifest, files: Vec<(&str, Vec<u8>)>) -> Layout {
    let add = |builder: Builder, (file, bytes): (&str, Vec<u8>)| builder.file(name(file), bytes).unwrap();
    files.into_iter().fold(Builder::new(manifest), add).lay_out(&Limits::default()).unwrap()
}

/// The file of a layout, signed by each of `keys`.
pub(crate) fn signed(layout: &Layout, keys: &[&Key]) -> Vec<u8> {
    let mut bytes = Vec::new();
    layout.write(&mut bytes, keys.iter().map(|key| key.sign(layout.manifest_bytes()))).unwrap();
    bytes
}

/// A bundle around any manifest text and tail of files, properly signed: what a careless or hostile
/// signer could send.
pub(crate) fn around(key: &Key, manifest: &[u8], files: &[u8]) -> Vec<u8> {
    let signature = super::SignatureText::from_tool(&key.sign(manifest)).unwrap();
    let mut bytes = Vec::new();
    super::Front::new(vec![signature], manifest.to_vec()).unwrap().write(&mut bytes).unwrap();
    bytes.extend_from_slice(files);
    bytes
}
