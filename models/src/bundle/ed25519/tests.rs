//! The table of edge cases (cases.json, made by cases.py), each through the ways that keys and signatures
//! really take, and the tables of encodings against arithmetic that knows nothing of them.

use super::super::signature::{Half, SignatureFault, SignatureText};
use super::super::trust::{KeyFault, TrustedKeys};
use super::super::{Front, Limits, RefusedBundle, Verified};
use super::*;
use serde::Deserialize;

/// A minisign signature, taken apart.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What is special about it.
    comment: String,
    /// Where it comes from.
    #[serde(rename = "source")]
    _source: String,
    /// As all minisign signatures since 2021; the RFC's own vectors are not.
    prehashed: bool,
    /// The public key, 32 bytes.
    key: String,
    message: String,
    /// Over the message's BLAKE2b-512, or over the message.
    signature: String,
    trusted_comment: String,
    /// Over signature and comment.
    global: String,
    /// `valid`, or what is wrong with it.
    result: String,
    /// Whether minisign-verify takes it when it is asked alone.
    alone: bool,
}

impl Case {
    fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("cases.json")).unwrap()
    }

    fn public_key(&self) -> String {
        base64(&[b"Ed".as_slice(), b"edgecase", &hex(&self.key)].concat())
    }

    fn minisig(&self) -> String {
        let algorithm = if self.prehashed { b"ED" } else { b"Ed" };
        let first = base64(&[algorithm.as_slice(), b"edgecase", &hex(&self.signature)].concat());
        let (comment, global) = (&self.trusted_comment, base64(&hex(&self.global)));
        format!(
            "untrusted comment: coilsight bundle signature\n{first}\ntrusted comment: {comment}\n{global}\n"
        )
    }

    /// A bundle's front with the message for a manifest.
    fn front(&self) -> Result<Front, SignatureFault> {
        Ok(Front::new(vec![SignatureText::from_tool(&self.minisig())?], hex(&self.message)).unwrap())
    }

    /// What this crate makes of it.
    fn outcome(&self) -> String {
        let keys = match TrustedKeys::new([("edge", self.public_key())]) {
            Ok(keys) => keys,
            Err(KeyFault::Weak { name, fault }) if name == "edge" => return format!("key: {}", short(fault)),
            Err(other) => return other.to_string(),
        };
        let front = match self.front() {
            Ok(front) => front,
            Err(SignatureFault::Legacy) => return "legacy".into(),
            Err(SignatureFault::Weak { half, fault }) => {
                let half = if half == Half::Message { "message" } else { "comment" };
                return match fault {
                    HalfFault::Point(PointFault::NonCanonical) => format!("{half}: R not canonical"),
                    HalfFault::Point(PointFault::SmallOrder) => format!("{half}: R of small order"),
                    HalfFault::Scalar => format!("{half}: S"),
                };
            }
            Err(other) => return other.to_string(),
        };
        match keys.signers(&front) {
            Ok(_) => "valid".into(),
            Err(RefusedBundle::Forged { .. }) => "equation".into(),
            Err(other) => other.to_string(),
        }
    }

    /// Whether minisign-verify takes it by itself.
    fn alone(&self) -> bool {
        let key = minisign_verify::PublicKey::from_base64(&self.public_key()).unwrap();
        let signature = minisign_verify::Signature::decode(&self.minisig()).unwrap();
        key.verify(&hex(&self.message), &signature, true).is_ok()
    }
}

fn short(fault: PointFault) -> &'static str {
    match fault {
        PointFault::SmallOrder => "small order",
        PointFault::NonCanonical => "not canonical",
    }
}

fn hex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0);
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().chain([0; 2].iter()).take(3).fold(0u32, |bits, b| bits << 8 | u32::from(*b));
        for digit in 0..4 {
            let six = DIGITS[(bits >> (18 - 6 * digit) & 63) as usize];
            text.push(if digit <= three.len() { six as char } else { '=' });
        }
    }
    text
}

#[test]
fn every_edge_case_ends_as_the_table_says() {
    let cases = Case::all();
    assert_eq!(cases.len(), 73);
    for case in &cases {
        // Which of the two equations fails is not told apart.
        let expected =
            case.result.replace("message: equation", "equation").replace("comment: equation", "equation");
        assert_eq!(case.outcome(), expected, "{}", case.comment);
        assert_eq!(case.alone(), case.alone, "asked alone: {}", case.comment);
    }
}

/// If this fails the library has become stricter: the checks here stay all the same.
#[test]
fn the_library_alone_would_take_keys_that_anybody_can_sign_for() {
    let taken = |case: &&Case| case.alone && case.result == "key: small order";
    assert_eq!(Case::all().iter().filter(taken).count(), 11);
}

#[test]
fn a_whole_bundle_forged_for_a_key_of_small_order_is_refused() {
    let cases = Case::all();
    let forged = cases.iter().find(|case| case.alone && case.result == "key: small order").unwrap();
    let mut file = Vec::new();
    forged.front().unwrap().write(&mut file).unwrap();
    // The key cannot be trusted in the first place,
    let refused = TrustedKeys::new([("trainer", forged.public_key())]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "remove the key \"trainer\" and find out who made it: it is a point of small order, for which anybody \
         can make signatures (key compromise)"
    );
    // and beside a good key under the same id the forgery is one.
    let good = cases.iter().find(|case| case.result == "valid").unwrap();
    let keys = TrustedKeys::new([("trainer", good.public_key())]).unwrap();
    let refused = Verified::read(&file[..], &keys, &Limits::default()).unwrap_err();
    assert!(matches!(refused, RefusedBundle::Forged { key } if key == "trainer"));
}

#[test]
fn a_whole_bundle_with_an_altered_signature_is_refused_before_its_manifest_is_read() {
    let cases = Case::all();
    let good = cases.iter().find(|case| case.comment == "a good one").unwrap();
    let altered = cases.iter().find(|case| case.result == "message: S").unwrap();
    let signature = altered.minisig();
    let mut file = b"COILSGHT".to_vec();
    let message = hex(&altered.message);
    for field in [1, 1, 4 + signature.len() as u32, message.len() as u32, signature.len() as u32] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    file.extend_from_slice(signature.as_bytes());
    file.extend_from_slice(&message);
    let keys = TrustedKeys::new([("trainer", good.public_key())]).unwrap();
    let refused = Verified::read(&file[..], &keys, &Limits::default()).unwrap_err();
    let weak = SignatureFault::Weak { half: Half::Message, fault: HalfFault::Scalar };
    assert!(matches!(refused, RefusedBundle::Signature { number: 1, source } if source == weak));
}

#[test]
fn bounds_are_exact() {
    let with_s = |s: [u8; 32]| {
        let mut signature = [0; 64];
        signature[0] = 2;
        signature[32..].copy_from_slice(&s);
        check_signature(&signature)
    };
    let mut largest = L;
    largest[0] -= 1;
    assert_eq!(with_s(largest), Ok(()));
    assert_eq!(with_s(L), Err(HalfFault::Scalar));
    let mut above = L;
    above[31] += 1;
    above[0] = 0;
    assert_eq!(with_s(above), Err(HalfFault::Scalar));
    for low in 0..=0xeb {
        assert_eq!(check_point(&near_p(low)), Ok(()), "p - {}", 0xed - i32::from(low));
    }
    for low in 0xec..=0xee {
        assert_eq!(check_point(&near_p(low)), Err(PointFault::SmallOrder));
    }
    for low in 0xef..=0xff {
        assert_eq!(check_point(&near_p(low)), Err(PointFault::NonCanonical));
    }
}
