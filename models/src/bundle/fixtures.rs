//! `models/golden`: bundles on disk that today's code must still take, or still refuse for the same reason.
//!
//! `cargo test -p coilsight-models --lib -- --ignored write_golden` writes them anew, with keys that are
//! then thrown away. Do that only while no device has a bundle of the present format.

use super::testing::{Key, layout_with, manifest, name};
use super::{Front, Limits, RefusedBundle, SignatureText, TrustedKeys, Verified};
use std::fmt::Write;
use std::path::{Path, PathBuf};

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// The key that every golden bundle should be signed with.
pub(crate) fn keys() -> TrustedKeys {
    let text = std::fs::read_to_string(folder().join("release.pub")).unwrap();
    TrustedKeys::new([("release", text)]).unwrap()
}

/// Changes one thing of a manifest's text.
fn edit(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// Names references that are not there.
const NOVELTY: &str = r#""novelty": {"part": "net", "output": "logits", "centre": "mean", "whitening": "axes",
    "limit": 3.0}"#;

/// The same metric before the one that is there.
const METRIC: &str = r#""metrics": {"f1": {"value": 0.9, "low": 0.8, "high": 1.0},"#;

/// Every hostile case by name, all of them close to one good bundle.
fn hostile(key: &Key) -> Vec<(&'static str, Vec<u8>)> {
    let (network, golden) = (b"a network", b"its coils");
    let layout =
        layout_with(manifest(), vec![("net.onnx", network.to_vec()), ("golden.bin", golden.to_vec())]);
    let text = String::from_utf8(layout.manifest_bytes().to_vec()).unwrap();
    let files = [&network[..], golden].concat();
    let signed_text = |text: &str, signature: String| {
        let signature = SignatureText::from_tool(&signature).unwrap();
        let mut bytes = Vec::new();
        Front::new(vec![signature], text.as_bytes().to_vec()).unwrap().write(&mut bytes).unwrap();
        bytes.extend_from_slice(&files);
        bytes
    };
    let ours = |text: &str| signed_text(text, key.sign(text.as_bytes()));
    let edited = |from: &str, to: &str| ours(&edit(&text, from, to));
    let good = ours(&text);
    let patched = |at: usize, bytes: &[u8]| {
        let mut patched = good.clone();
        patched[at..at + bytes.len()].copy_from_slice(bytes);
        patched
    };
    let find = |what: &[u8]| good.windows(what.len()).position(|w| w == what).unwrap();
    let mut unsigned = Vec::new();
    layout.write(&mut unsigned, Vec::<String>::new()).unwrap();
    let end = good.len();
    vec![
        ("unsigned", unsigned),
        ("another-key", signed_text(&text, Key::new().sign(text.as_bytes()))),
        ("signature-of-another", signed_text(&text, key.sign(b"another manifest"))),
        (
            "manifest-edited",
            signed_text(&edit(&text, "\"nok_from\": 0.5", "\"nok_from\": 0.6"), key.sign(text.as_bytes())),
        ),
        ("legacy-signature", patched(find(b"RU"), b"RW")),
        ("unprotected-comment", patched(find(b"coilsight bundle"), b"coilsight hoodle")),
        ("file-altered", patched(find(network), b"A")),
        ("files-exchanged", patched(find(network), &[&golden[..], network].concat())),
        ("cut", good[..end - 3].to_vec()),
        ("appended", [&good[..], b"more"].concat()),
        ("another-container", patched(8, &2u32.to_le_bytes())),
        ("signatures-without-end", patched(12, &u32::MAX.to_le_bytes())),
        ("manifest-without-end", patched(20, &u32::MAX.to_le_bytes())),
        ("file-without-end", edited("\"length\": 9", "\"length\": 18446744073709551615")),
        ("older-format", edited("\"format\": 3", "\"format\": 2")),
        ("newer-format", edited("\"format\": 3", "\"format\": 4")),
        ("rule-not-known", edited("\"release\": 1", "\"expires\": \"2026-12-01\", \"release\": 1")),
        ("path-as-name", edited("\"name\": \"net.onnx\"", "\"name\": \"../../etc/cron.d/net\"")),
        ("file-twice", edited("\"name\": \"golden.bin\"", "\"name\": \"net.onnx\"")),
        ("metric-twice", edited("\"metrics\": {", METRIC)),
        ("part-of-itself", edited("\"from\": \"image:beside\"", "\"from\": \"part:net:logits\"")),
        ("image-of-nothing", edited("\"from\": \"image:beside\"", "\"from\": \"image:square\"")),
        ("novelty-of-nothing", edited("\"novelty\": null", NOVELTY)),
        ("weight-of-nothing", edited("\"weight\": 1.0", "\"weight\": 0.0")),
        ("weight-infinite", edited("\"weight\": 1.0", "\"weight\": 1e999")),
        ("tolerance-too-wide", edited("\"tolerance\": 0.001", "\"tolerance\": 1.0")),
    ]
}

/// The message, with its causes.
fn said(refused: &RefusedBundle) -> String {
    let mut text = refused.to_string();
    let mut source = std::error::Error::source(refused);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// `README.md` in the folder names every case and its message; here it is held to that.
#[test]
fn hostile_bundles_are_refused_for_the_reason_given() {
    let folder = folder().join("hostile");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut listed = 0;
    for row in readme.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches(['|', ' ']).splitn(2, " | ").collect();
        let case = cells[0].trim_matches('`');
        let bytes = std::fs::read(folder.join(case).with_extension("coilbundle")).unwrap();
        let refused = Verified::read(&bytes[..], &keys(), &Limits::default()).unwrap_err();
        assert_eq!(said(&refused), cells[1], "{case}");
        listed += 1;
    }
    assert!(listed > 20);
    assert_eq!(listed + 1, std::fs::read_dir(&folder).unwrap().count(), "every file has its row");
}

#[test]
#[ignore = "writes models/golden anew"]
fn write_golden() {
    let folder = folder();
    let hostile_folder = folder.join("hostile");
    std::fs::create_dir_all(&hostile_folder).unwrap();
    let key = Key::new();
    std::fs::write(folder.join("release.pub"), key.public()).unwrap();
    std::fs::write(folder.join("pair.coilbundle"), crate::session::testing::pair(&key)).unwrap();
    let mut readme = "# Bundles that must be refused\n\nAll but `another-key` are signed, where they are signed, with \
                      `../release.pub`; its secret half is gone.\nThe right column is what the refusal says.\n\n\
                      | case | refusal |\n|---|---|\n"
        .to_string();
    for (case, bytes) in hostile(&key) {
        std::fs::write(hostile_folder.join(case).with_extension("coilbundle"), &bytes).unwrap();
        let refused = Verified::read(&bytes[..], &keys(), &Limits::default()).unwrap_err();
        writeln!(readme, "| `{case}` | {} |", said(&refused)).unwrap();
    }
    std::fs::write(hostile_folder.join("README.md"), readme).unwrap();
    assert!(
        Verified::read(
            &std::fs::read(folder.join("pair.coilbundle")).unwrap()[..],
            &keys(),
            &Limits::default()
        )
        .unwrap()
        .file(&name("trunk.onnx"))
        .is_some()
    );
}
