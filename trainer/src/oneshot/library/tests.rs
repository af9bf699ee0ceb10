use super::*;
use crate::export::folded::GlobalPool;
use crate::nets::config::{BackboneConfig, NetworkConfig};
use crate::nets::head::HeadConfig;
use crate::nets::{Input, Network};
use crate::oneshot::bundle;
use crate::oneshot::episodes::Measure;
use crate::oneshot::testing::texture;
use crate::oneshot::whiten::Within;
use crate::release::{BuildOptions, SecretKey, generate};
use crate::weights::{Loaded, Origin};
use coilsight_models::bundle::{Id, Place, TrustedKeys};
use proptest::prelude::*;

/// A small network with random weights: enough to tell textures apart.
fn encoder() -> Encoder {
    let head = HeadConfig { stages: vec![0, 1], ..HeadConfig::default() };
    let backbone =
        BackboneConfig::EfficientnetLite { size: 0, sides: crate::export::folded::Sides::Image, head };
    let config = NetworkConfig { freeze: 2, backbone, ..NetworkConfig::default() };
    let input = Input { height: SIDE, width: SIDE, channels: 3, side: 0 };
    let network = Network::new(config, input, 4).expect("a network");
    Encoder { network, origin: Origin::Random { seed: 4 }, loaded: Loaded::default() }
}

fn recipe() -> Recipe {
    Recipe {
        stages: vec![0, 1],
        kinds: vec![GlobalPool::Avg],
        shrinkage: 0.1,
        measure: Measure::Euclidean,
        turned_queries: false,
    }
}

fn whitening(encoder: &Encoder) -> Whitening {
    let pictures: Vec<Vec<u8>> = (0..12).map(|k| texture(k % 2, k as u64)).collect();
    let rows = encoder.features(&pictures).expect("features");
    let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    let labels: Vec<usize> = (0..12).map(|k| k % 2).collect();
    Within::of(&rows, &labels).and_then(|w| w.whitening(0.1)).expect("whitening")
}

fn record(embedding: usize, limit: f64) -> Record {
    Record {
        format: 0,
        encoder_sha256: String::new(),
        origin: "random".into(),
        learned_on: vec!["a".into(), "b".into()],
        recipe: recipe(),
        embedding,
        limit,
        limit_is: "made up".into(),
        classes: BTreeMap::new(),
    }
}

fn made(folder: &Path, limit: f64) -> Library {
    let encoder = encoder();
    let whitening = whitening(&encoder);
    let onnx = encoder_of(&encoder, &whitening).expect("an export");
    Library::make(folder, &onnx, record(whitening.mean.len(), limit)).expect("a library")
}

#[test]
fn the_exported_encoder_gives_whitened_features() {
    let encoder = encoder();
    let whitening = whitening(&encoder);
    let onnx = encoder_of(&encoder, &whitening).expect("an export");
    let folder = tempfile::tempdir().expect("folder");
    let mut library =
        Library::make(folder.path(), &onnx, record(whitening.mean.len(), 1.0)).expect("a library");
    let picture = texture(3, 7);
    let found = library.embed(&picture, false).expect("an embedding");
    let features = encoder.features(&[picture]).expect("features");
    let wanted = &whitening.apply(&[&features[0]])[0];
    let largest = wanted.iter().fold(1.0f32, |most, v| most.max(v.abs()));
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-2 * largest, "{found} {wanted}");
    }
}

#[test]
fn a_class_is_taught_kept_and_recognised() {
    let folder = tempfile::tempdir().expect("folder");
    let mut library = made(folder.path(), 1e6);
    assert!(library.recognise(&texture(0, 1)).is_err(), "nothing is known yet");
    assert!(library.add("fine waves", &texture(0, 50)).expect("taught"));
    assert!(library.add("coarse waves", &texture(3, 51)).expect("taught"));
    assert!(!library.add("coarse waves", &texture(3, 51)).expect("known"), "the very same picture");
    assert!(library.add("fine waves", &texture(3, 51)).is_err(), "of another class");
    assert!(library.add("../away", &texture(3, 52)).is_err());
    let mut again = Library::open(folder.path()).expect("opened anew");
    assert_eq!(again.record, library.record);
    // The very picture is at distance 0 only of all eight ways; it is nearest all the same.
    for (class, name) in [(0, "fine waves"), (3, "coarse waves")] {
        let found = again.recognise(&texture(class, if class == 0 { 50 } else { 51 })).expect("recognised");
        assert_eq!(found.class.as_deref(), Some(name), "{found:?}");
        assert_eq!(found.distances.len(), 2);
    }
    again.record.limit = 1e-9;
    assert_eq!(again.recognise(&texture(0, 60)).expect("refused").class, None);
}

#[test]
fn a_library_that_does_not_hold_together_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let mut library = made(folder.path(), 1.0);
    library.add("a", &texture(0, 50)).expect("taught");
    let file = folder.path().join(LIBRARY);
    let good = library.record.clone();
    let told = |record: &Record| {
        std::fs::write(&file, serde_json::to_vec(record).expect("JSON")).expect("written");
        Library::open(folder.path()).map(|_| ()).expect_err("refused").to_string()
    };
    assert!(told(&Record { format: 2, ..good.clone() }).contains("format is 2"));
    assert!(told(&Record { limit: -1.0, ..good.clone() }).contains("out of range"));
    assert!(told(&Record { encoder_sha256: "00".into(), ..good.clone() }).contains("not the one"));
    let mut other = good.clone();
    other.classes.get_mut("a").expect("a")[0].embedding.pop();
    assert!(told(&other).contains("damaged"));
    let mut other = good.clone();
    let known = other.classes["a"].clone();
    other.classes.insert("../a".into(), known);
    assert!(told(&other).contains("cannot be the name"));
    std::fs::write(&file, b"{}").expect("written");
    assert!(Library::open(folder.path()).is_err());
    std::fs::write(&file, serde_json::to_vec(&good).expect("JSON")).expect("written");
    assert!(Library::open(folder.path()).is_ok());
    assert!(Library::make(folder.path(), b"", good).is_err(), "not empty");
}

#[test]
fn a_signed_library_recognises_as_its_folder_does() {
    let folder = tempfile::tempdir().expect("folder");
    let (at, out) = (folder.path().join("library"), folder.path().join("strip.coilbundle"));
    let mut library = made(&at, 1e6);
    let (secret, public) = generate(folder.path(), "build", None).expect("a key");
    let (_, stranger) = generate(folder.path(), "stranger", None).expect("a key");
    let key = SecretKey::open(&secret, || anyhow::bail!("no password")).expect("opened");
    let now = "2026-11-23T00:00:00Z".parse().expect("a time");
    let options = BuildOptions {
        release: 1,
        plant: Place::Any,
        lines: vec![Place::Any],
        floor: 0,
        now,
        not_after: "2027-11-23T00:00:00Z".parse().expect("a time"),
        f32: Vec::new(),
    };
    let name = Id::new("strip").expect("an id");
    let empty = bundle::build(&at, &name, &key, &options, &out).expect_err("nothing is known yet");
    assert!(empty.to_string().contains("knows no class"), "{empty}");
    library.add("fine waves", &texture(0, 50)).expect("taught");
    library.add("fine waves", &texture(0, 52)).expect("taught");
    library.add("coarse waves", &texture(3, 51)).expect("taught");
    let built = bundle::build(&at, &name, &key, &options, &out).expect("built");
    assert_eq!((built.classes, built.references), (2, 3));
    let keys = |file: &Path| {
        let public = std::fs::read_to_string(file).expect("a public key");
        TrustedKeys::new([("k", public)]).expect("keys")
    };
    assert!(bundle::open(&out, &keys(&stranger)).is_err());
    let mut signed = bundle::open(&out, &keys(&public)).expect("opened");
    for k in 0..8 {
        let picture = texture(k % 4, 60 + k as u64);
        let (wanted, found) =
            (library.recognise(&picture).expect("told"), signed.recognise(&picture).expect("told"));
        assert_eq!(found.class, wanted.class);
        for ((class, distance), (of, wanted)) in found.distances.iter().zip(&wanted.distances) {
            assert_eq!(class, of);
            assert!((distance - wanted).abs() <= 1e-4 * wanted.max(1.0), "{distance} {wanted}");
        }
    }
}

proptest! {
    #[test]
    fn any_record_is_read_or_refused(text in "\\PC{0,200}") {
        let read: Result<Record, _> = serde_json::from_str(&text);
        prop_assert!(read.is_err());
    }
}
