//! Bundles: a byte for what the rest is, then a whole file, a manifest with files to be signed here, the
//! index of golden coils, or a name of the manifest.

mod signed;

use coilsight_models::bundle::golden::GoldenSet;
use coilsight_models::bundle::manifest::Source;
use coilsight_models::bundle::{
    FileName, Front, Id, Limits, Place, Sha256, TrustedKeys, Unverified, Verified, Version,
};
use coilsight_models::coil::CELLS;
use std::path::Path;
use std::sync::OnceLock;

/// A bundle that a key signed whose secret half is gone.
pub const GENUINE: &[u8] = include_bytes!("../../../models/golden/pair.coilbundle");
/// The public half.
pub const RELEASE_KEY: &str = include_str!("../../../models/golden/release.pub");

/// Trust in that key alone.
pub fn release() -> &'static TrustedKeys {
    static KEYS: OnceLock<TrustedKeys> = OnceLock::new();
    KEYS.get_or_init(|| TrustedKeys::new([("release", RELEASE_KEY)]).expect("a public key"))
}

/// What is verified is to the byte what was signed; what is read says the same when written again.
pub fn run(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    match which % 4 {
        0 => file(rest),
        1 => signed::run(rest),
        2 => golden(rest),
        _ => {
            if let Ok(text) = std::str::from_utf8(rest) {
                names(text);
            }
        }
    }
}

fn file(bytes: &[u8]) {
    let front = Front::read(&mut &bytes[..]);
    let unverified = Unverified::read(bytes);
    let verified = Verified::read(bytes, release(), &Limits::default());
    let Ok(front) = front else {
        assert!(unverified.is_err() && verified.is_err());
        return;
    };
    let mut written = Vec::new();
    front.write(&mut written).expect("memory takes bytes");
    assert_eq!(written.len() as u64, front.length());
    assert!(bytes.starts_with(&written), "a front that is written otherwise than it was read");
    if let Ok(unverified) = unverified {
        let claimed = unverified.claimed();
        assert_eq!(claimed.check(), Ok(()));
        let json = serde_json::to_vec(claimed).expect("a manifest becomes JSON");
        assert_eq!(serde_json::from_slice(&json).ok().as_ref(), Some(claimed));
    }
    if verified.is_ok() {
        let genuine = Front::read(&mut &GENUINE[..]).expect("the genuine bundle has a front");
        assert_eq!(front.manifest_bytes(), genuine.manifest_bytes(), "forged");
        assert_eq!(bytes[front.length() as usize..], GENUINE[genuine.length() as usize..], "forged");
    }
}

/// The bytes are a golden file, and the index of one whose lengths are right.
fn golden(bytes: &[u8]) {
    let coils = serde_json::from_slice::<Vec<serde_json::Value>>(bytes).map_or(1, |coils| coils.len());
    let mut file = b"COILGOLD\x02\0\0\0".to_vec();
    file.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    file.extend_from_slice(bytes);
    file.resize(file.len() + coils.min(70) * 4 * CELLS, 0x17);
    for file in [bytes, &file] {
        if let Ok(set) = GoldenSet::from_bytes(file) {
            assert!((1..=64).contains(&set.coils().len()));
            let again = set.to_bytes().expect("golden coils become a file");
            assert_eq!(GoldenSet::from_bytes(&again).ok(), Some(set));
        }
    }
}

/// Whatever is taken as a name is taken as it is, and no name is a path.
fn names(text: &str) {
    let one_piece = |name: &str| Path::new(name).components().count() == 1 && !name.starts_with('.');
    if let Ok(name) = FileName::new(text) {
        assert!(name.as_str() == text && one_piece(text) && Id::new(text).is_ok(), "{text:?}");
    }
    assert!(Sha256::try_from(text.to_string()).map_or(true, |digest| digest.to_string() == text));
    assert!(Place::try_from(text.to_string()).map_or(true, |place| place.to_string() == text));
    assert!(Version::try_from(text.to_string()).map_or(true, |version| version.to_string() == text));
    assert!(Source::try_from(text.to_string()).map_or(true, |source| source.to_string() == text));
}

/// The genuine bundle, its parts to be signed here, and names.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![[&[0], GENUINE].concat()];
    let index = br#"[{"id":"a","order":null,"p_nok":0.5,"models":{"one":0.5},"distance":1.5}]"#;
    seeds.push([&[2], &index[..]].concat());
    seeds.extend(signed::seeds().into_iter().map(|rest| [&[1], &rest[..]].concat()));
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let names = [
        "net.onnx",
        "../net",
        "0.12.3",
        "GL2",
        "*",
        "part:trunk:features",
        "reference:ok",
        "image:beside",
        digest,
    ];
    seeds.extend(names.iter().map(|name| [&[3], name.as_bytes()].concat()));
    seeds
}
