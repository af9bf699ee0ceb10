//! Public keys and signatures, as they lie in files: a byte for which, then the file.

use super::bundle::{GENUINE, RELEASE_KEY, release};
use coilsight_models::bundle::{
    Front, KeyFault, KeyFileFault, Limits, SignatureText, TrustedKeys, Verified, read_key_files,
};
use std::io::Write;

/// A key is itself under every name; a signature stays what it is; neither makes a bundle genuine.
pub fn run(data: &[u8]) {
    let Some((which, file)) = data.split_first() else { return };
    if which.is_multiple_of(2) {
        key(file);
    } else if let Ok(text) = std::str::from_utf8(file) {
        signature(text);
    }
}

fn key(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a temporary file takes bytes");
    let read = read_key_files(&[file.path().to_owned()]);
    let text = match (read, std::str::from_utf8(bytes)) {
        (Ok(keys), Ok(text)) => {
            assert!(text.len() <= 4096 && keys.len() == 1 && keys[0].1 == text);
            text
        }
        (Err(KeyFileFault::TooLong(_)), _) => return assert!(bytes.len() > 4096),
        // A file that is too long may be cut inside a character.
        (Err(KeyFileFault::Read { .. }), text) => return assert!(text.is_err() || bytes.len() > 4096),
        (read, _) => panic!("{read:?}"),
    };
    let Ok(keys) = TrustedKeys::new([("fuzzed", text)]) else { return };
    assert_eq!(keys.names().count(), 1);
    assert!(keys.document().is_none(), "keys by themselves have no roles");
    let twice = TrustedKeys::new([("a", text), ("b", text)]);
    assert!(matches!(twice, Err(KeyFault::SameKey(..))), "one key would count as two signers");
    assert!(keys.clone().require(2).is_err());
    // No other key than the one that signed takes the genuine bundle.
    if Verified::read(GENUINE, &keys, &Limits::default()).is_ok() {
        assert!(text.contains(release_line()), "{text:?}");
    }
}

/// The line of the release key's file that is the key.
fn release_line() -> &'static str {
    RELEASE_KEY.lines().nth(1).expect("a key file has two lines")
}

fn signature(text: &str) {
    let Ok(signature) = SignatureText::from_tool(text) else { return };
    let again = SignatureText::from_tool(signature.as_str()).expect("its own form is taken");
    assert_eq!(again.as_str(), signature.as_str());
    assert_eq!((again.key_id(), again.trusted_comment()), (signature.key_id(), signature.trusted_comment()));
    assert!(!signature.as_str().contains(|c: char| c.is_control() && c != '\n' && c != '\t'));

    let genuine = Front::read(&mut &GENUINE[..]).expect("the genuine bundle has a front");
    let front =
        Front::new(vec![signature.clone()], genuine.manifest_bytes().to_vec()).expect("within limits");
    let mut bundle = Vec::new();
    front.write(&mut bundle).expect("memory takes bytes");
    let read = Front::read(&mut &bundle[..]).expect("what was written is read");
    assert_eq!(read.signatures()[0].as_str(), signature.as_str());
    // Nobody has the secret half of the release key any more: it has signed this manifest once.
    bundle.extend_from_slice(&GENUINE[genuine.length() as usize..]);
    if Verified::read(&bundle[..], release(), &Limits::default()).is_ok() {
        assert_eq!(signature.as_str(), genuine.signatures()[0].as_str(), "forged");
    }
}

/// The release key as a file and as a line, and the genuine signature.
pub fn seeds() -> Vec<Vec<u8>> {
    let genuine = Front::read(&mut &GENUINE[..]).expect("the genuine bundle has a front");
    let signature = genuine.signatures()[0].as_str();
    let legacy = signature.replacen("\nRU", "\nRW", 1);
    let files =
        [(0, RELEASE_KEY), (0, release_line()), (1, signature), (1, &legacy), (1, signature.trim_end())];
    files.into_iter().map(|(which, text)| [&[which], text.as_bytes()].concat()).collect()
}
