//! The whole container against damage and attack: each case is built from a good bundle, in memory.

use super::testing::{Key, around, layout, manifest, name, signed};
use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

/// A good bundle with its keys; signing once keeps the many cases quick.
static GOOD: LazyLock<(Vec<u8>, TrustedKeys, u64)> = LazyLock::new(|| {
    let key = Key::new();
    let bytes = signed(&layout(), &[&key]);
    let front = Unverified::read(&bytes[..]).unwrap().front().length();
    (bytes, key.trusted(), front)
});

fn read(bytes: &[u8], keys: &TrustedKeys) -> Result<Verified, RefusedBundle> {
    Verified::read(bytes, keys, &Limits::default())
}

#[test]
fn a_bundle_comes_back_as_it_was_built() {
    let (key, layout) = (Key::new(), layout());
    let bytes = signed(&layout, &[&key]);
    let bundle = read(&bytes, &key.trusted()).unwrap();
    assert_eq!(bundle.file(&name("net.onnx")), Some(&b"onnx"[..]));
    assert_eq!(bundle.file(&name("other")), None);
    assert_eq!(bundle.front().manifest_bytes(), layout.manifest_bytes());
    assert_eq!(bundle.fingerprint(), Sha256::of(layout.manifest_bytes()));
    assert_eq!(bundle.signers().len(), 1);
    assert_eq!(bundle.signers()[0].name, "release");
    assert_eq!(bundle.signers()[0].comment, "timestamp:1790000000\tfile:manifest.json");
    assert_eq!(bundle.manifest().content, manifest().content);
    assert_eq!(Unverified::read(&bytes[..]).unwrap().claimed(), bundle.manifest());
}

#[test]
fn the_manifest_reads_like_this() {
    let text = String::from_utf8(layout().manifest_bytes().to_vec()).unwrap();
    insta::assert_snapshot!("manifest_format_3", text);
}

/// Header, signature and manifest: every byte in turn.
#[test]
fn any_byte_of_the_front_changed_is_refused() {
    let (good, keys, front) = &*GOOD;
    let mut bytes = good.clone();
    for at in 0..*front as usize {
        bytes[at] ^= 1 << (at % 8);
        assert!(read(&bytes, keys).is_err(), "byte {at}");
        bytes[at] = good[at];
    }
}

/// Header, signature, manifest, and the first and last bytes of what follows: cut at every one.
#[test]
fn a_cut_anywhere_is_refused() {
    let (good, keys, front) = &*GOOD;
    let (head, tail) = (*front as usize + 40, good.len() - 40);
    for at in (0..head).step_by(3).chain(tail..good.len()) {
        assert!(read(&good[..at], keys).is_err(), "cut at {at}");
    }
}

proptest! {
    #[test]
    fn any_byte_of_the_files_changed_is_refused(at in 0usize..19_000, bit in 0u8..8) {
        let (good, keys, front) = &*GOOD;
        let mut bytes = good.clone();
        let at = (*front as usize + at).min(bytes.len() - 1);
        bytes[at] ^= 1 << bit;
        let refused = read(&bytes, keys);
        prop_assert!(matches!(refused, Err(RefusedBundle::FileAltered { .. })), "{:?}", refused);
    }

    #[test]
    fn anything_appended_is_refused(tail in prop::collection::vec(any::<u8>(), 1..50)) {
        let (good, keys, _) = &*GOOD;
        let longer = [&good[..], &tail].concat();
        prop_assert!(matches!(read(&longer, keys), Err(RefusedBundle::Trailing)));
    }

    #[test]
    fn any_splice_is_refused(at in 0usize..21_000, piece in prop::collection::vec(any::<u8>(), 1..30)) {
        let (good, keys, _) = &*GOOD;
        let at = at.min(good.len());
        let spliced = [&good[..at], &piece, &good[at..]].concat();
        prop_assert!(read(&spliced, keys).is_err());
    }
}

#[test]
fn whom_it_is_signed_by_matters() {
    let (ours, theirs, layout) = (Key::new(), Key::new(), layout());
    let refuse = |bytes: &[u8], keys: &TrustedKeys| read(bytes, keys).unwrap_err();

    let unsigned = signed(&layout, &[]);
    assert!(matches!(refuse(&unsigned, &ours.trusted()), RefusedBundle::Unsigned));

    let other = refuse(&signed(&layout, &[&theirs]), &ours.trusted());
    let RefusedBundle::TooFewSigners { role: None, required: 1, signers, strangers } = &other else {
        panic!("{other}")
    };
    assert_eq!((signers.len(), strangers.len()), (0, 1));

    // A signature of ours, over another manifest.
    let mut swapped = Vec::new();
    layout.write(&mut swapped, [ours.sign(b"{}")]).unwrap();
    assert!(matches!(refuse(&swapped, &ours.trusted()), RefusedBundle::Forged { .. }));

    // A stranger's beside ours does no harm, whichever comes first.
    for keys in [[&ours, &theirs], [&theirs, &ours]] {
        assert_eq!(read(&signed(&layout, &keys), &ours.trusted()).unwrap().signers().len(), 1);
    }
}

#[test]
fn two_of_three_means_two_different_keys() {
    let (a, b, c, layout) = (Key::new(), Key::new(), Key::new(), layout());
    let all = [("a", a.public()), ("b", b.public()), ("c", c.public())];
    let keys = TrustedKeys::new(all).unwrap().require(2).unwrap();
    assert_eq!(read(&signed(&layout, &[&a, &c]), &keys).unwrap().signers().len(), 2);
    for too_few in [vec![&a], vec![&a, &a], vec![&b; 16]] {
        let refused = read(&signed(&layout, &too_few), &keys).unwrap_err();
        assert!(matches!(refused, RefusedBundle::TooFewSigners { required: 2, .. }), "{refused}");
    }
    // The second signer adds to what the first has signed; the content stays the same to the byte.
    let once = signed(&layout, &[&a]);
    let mut rest = &once[..];
    let front = Front::read(&mut rest).unwrap();
    let second = SignatureText::from_tool(&b.sign(front.manifest_bytes())).unwrap();
    let mut twice = Vec::new();
    front.with_signature(second).unwrap().write(&mut twice).unwrap();
    twice.extend_from_slice(rest);
    assert_eq!(read(&twice, &keys).unwrap().signers().len(), 2);
}

#[test]
fn legacy_signatures_and_seventeen_are_refused_when_building_too() {
    let (key, layout) = (Key::new(), layout());
    let signature = key.sign(layout.manifest_bytes());
    let write = |texts: Vec<String>| layout.write(&mut Vec::new(), texts).unwrap_err();
    // The third and fourth characters of the base64 hold the algorithm's second letter.
    let line = signature.lines().nth(1).unwrap();
    let legacy = signature.replace(line, &format!("RW{}", &line[2..]));
    let fault = write(vec![legacy]);
    assert!(
        matches!(fault, BuildFault::Signature { number: 1, source: SignatureFault::Legacy }),
        "{fault:?}"
    );
    let many = write(vec![signature; 17]);
    assert!(matches!(many, BuildFault::Limits(RefusedBundle::TooManySignatures { count: 17 })));
}

/// A signer's manifest may be as hostile as it likes: it is read strictly all the same.
#[test]
fn a_signed_manifest_is_still_read_strictly() {
    let key = Key::new();
    let good = String::from_utf8(layout().manifest_bytes().to_vec()).unwrap();
    let refuse = |text: &str| read(&around(&key, text.as_bytes(), b""), &key.trusted()).unwrap_err();

    let newer = refuse(&good.replacen("\"format\": 3", "\"format\": 4", 1));
    assert!(matches!(newer, RefusedBundle::NewerFormat { found: 4, reads: 3 }), "{newer}");
    let older = refuse(&good.replacen("\"format\": 3", "\"format\": 2", 1));
    assert!(matches!(older, RefusedBundle::OlderFormat { found: 2, reads: 3 }), "{older}");
    assert!(older.to_string().contains("Build the bundle again"), "{older}");
    for (what, text) in [
        ("unknown field", good.replacen("\"release\"", "\"expires\": 1, \"release\"", 1)),
        ("unknown field inside", good.replacen("\"miss_cost\"", "\"x\": 1, \"miss_cost\"", 1)),
        ("field twice", good.replacen("\"release\"", "\"release\": 9, \"release\"", 1)),
        ("a path as file", good.replace("net.onnx", "../net.onnx")),
        ("not a number", good.replacen("\"weight\": 1.0", "\"weight\": NaN", 1)),
        ("infinite", good.replacen("\"weight\": 1.0", "\"weight\": 1e999", 1)),
        ("negative length", good.replacen("\"length\": 4", "\"length\": -4", 1)),
        ("no manifest", "[]".to_string()),
        ("nothing", String::new()),
        ("nested without end", "[".repeat(100_000)),
        ("not text", "\u{0}\u{0}".to_string()),
        ("more than one value", format!("{good}{good}")),
    ] {
        let refused = refuse(&text);
        assert!(matches!(refused, RefusedBundle::ManifestText(_)), "{what}: {refused}");
    }
    let zero = refuse(&good.replacen("\"weight\": 1.0", "\"weight\": 0.0", 1));
    assert!(matches!(zero, RefusedBundle::Manifest(ManifestFault::Number { .. })), "{zero}");
    let twice = refuse(&good.replace("golden.bin", "net.onnx"));
    assert!(matches!(twice, RefusedBundle::Manifest(_)), "{twice}");
}

#[test]
fn sizes_are_refused_before_anything_is_read() {
    let key = Key::new();
    let good = String::from_utf8(layout().manifest_bytes().to_vec()).unwrap();
    let with_length = |n: u64| good.replacen("\"length\": 4", &format!("\"length\": {n}"), 1);
    for length in [129 << 20, u64::MAX] {
        let refused = read(&around(&key, with_length(length).as_bytes(), b""), &key.trusted()).unwrap_err();
        assert!(matches!(refused, RefusedBundle::FileTooLarge { .. }), "{refused}");
    }
    let (bytes, keys, _) = &*GOOD;
    let tight = Limits { total: bytes.len() as u64 - 1, ..Limits::default() };
    let refused = Verified::read(&bytes[..], keys, &tight).unwrap_err();
    assert!(matches!(refused, RefusedBundle::TooLarge { .. }), "{refused}");
    let just = Limits { total: bytes.len() as u64, ..Limits::default() };
    assert!(Verified::read(&bytes[..], keys, &just).is_ok());
}

/// A reader that fails in the middle is the disk's fault, not the bundle's.
#[test]
fn a_failing_source_is_named_as_such() {
    struct Broken<'a>(&'a [u8]);
    impl std::io::Read for Broken<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match std::io::Read::read(&mut self.0, buffer)? {
                0 => Err(std::io::Error::other("bad sector")),
                n => Ok(n),
            }
        }
    }
    let (good, keys, _) = &*GOOD;
    let refused = Verified::read(Broken(&good[..5_000]), keys, &Limits::default()).unwrap_err();
    assert!(matches!(refused, RefusedBundle::Unreadable(_)), "{refused}");
}

/// Gives what it has byte by byte, then zeros without end; counts what was taken.
struct Endless<'a>(&'a [u8], u64);

impl std::io::Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else {
            buffer.fill(0);
            self.1 += buffer.len() as u64;
            return Ok(buffer.len());
        };
        buffer[0] = *first;
        self.0 = rest;
        self.1 += 1;
        Ok(1)
    }
}

/// Whatever is claimed, no more is read than the caps allow before the signatures are checked, and no
/// more than what was signed (and one byte) after it.
#[test]
fn a_source_without_end_is_left_alone() {
    let (good, keys, front) = &*GOOD;
    let taken = |bytes: &[u8]| {
        let mut source = Endless(bytes, 0);
        let refused = Verified::read(&mut source, keys, &Limits::default()).unwrap_err();
        (source.1, refused)
    };
    let (read, refused) = taken(good);
    assert!(matches!(refused, RefusedBundle::Trailing), "{refused}");
    assert_eq!(read, good.len() as u64 + 1);
    let (read, _) = taken(&good[..*front as usize - 5]);
    assert_eq!(read, *front, "a manifest that is not what was signed: none of the files is read");
    for at in [12, 16, 20] {
        let mut huge = good.clone();
        huge[at + 3] = 0x7f;
        assert_eq!(taken(&huge).0, 24, "field at {at}");
    }
    let (read, refused) = taken(b"COILSGHT\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0");
    assert!(matches!(refused, RefusedBundle::Unsigned), "{refused}");
    assert_eq!(read, 24 + (1 << 20));
}
