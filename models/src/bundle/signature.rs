//! The text of one minisign signature, in the only form that a bundle takes.
//!
//! minisign signs everything in its file except the first line, the "untrusted comment". So that no
//! byte of a bundle can change unnoticed, that line has one fixed text here; `minisign -V` accepts it.

use super::ed25519::{HalfFault, check_signature};

/// The first line of every signature in a bundle.
pub const UNTRUSTED_COMMENT: &str = "untrusted comment: coilsight bundle signature";
/// Longest text of one signature, in bytes.
pub const MAX_SIGNATURE: usize = 16 * 1024;

const TRUSTED_PREFIX: &str = "trusted comment: ";

/// Why a text is no signature for a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// Not UTF-8.
    #[error("it is not text")]
    NotText,
    /// More than 16 KiB.
    #[error("it has {0} bytes, at most 16384 are allowed")]
    TooLong(usize),
    /// Not the four lines of a minisign signature, each ended by a line feed.
    #[error("it is not the four lines of a minisign signature file")]
    NotMinisign,
    /// The first line, which no signature covers, is not the fixed one.
    #[error("its first line, which nothing protects, is not {UNTRUSTED_COMMENT:?}")]
    UntrustedComment,
    /// Signed without prehashing, as minisign did before 2021.
    #[error("it is a legacy signature without prehashing; sign with minisign 0.10 or later, or with -H")]
    Legacy,
    /// An Ed25519 signature that no honest tool makes.
    #[error("{half}: {fault}")]
    Weak {
        /// Which of the file's two.
        half: Half,
        /// What is wrong with it.
        fault: HalfFault,
    },
}

/// The two Ed25519 signatures of a minisign signature file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The second line's, over the hash of what is signed.
    Message,
    /// The fourth line's, over the first signature and the trusted comment.
    Comment,
}

impl std::fmt::Display for Half {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Message => "the signature over the manifest",
            Self::Comment => "the signature over the trusted comment",
        })
    }
}

/// The id of a minisign key: eight bytes, shown as minisign shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(super) [u8; 8]);

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

/// A well-formed, prehashed minisign signature. Well-formed says nothing about valid.
#[derive(Clone)]
pub struct SignatureText {
    text: String,
    key_id: KeyId,
    parsed: minisign_verify::Signature,
}

impl SignatureText {
    /// Takes a signature as a signing tool wrote it and gives it the form that bundles take:
    /// line feeds alone, and the fixed first line.
    pub fn from_tool(text: &str) -> Result<Self, SignatureFault> {
        if text.len() > MAX_SIGNATURE {
            return Err(SignatureFault::TooLong(text.len()));
        }
        let mut lines = text.lines();
        let mut next = || lines.next().ok_or(SignatureFault::NotMinisign);
        let (comment, signature, trusted, global) = (next()?, next()?, next()?, next()?);
        if !comment.starts_with("untrusted comment:") {
            return Err(SignatureFault::NotMinisign);
        }
        Self::from_bundle(format!("{UNTRUSTED_COMMENT}\n{signature}\n{trusted}\n{global}\n").as_bytes())
    }

    /// Takes a signature out of a bundle, where it must have that form already.
    pub(super) fn from_bundle(bytes: &[u8]) -> Result<Self, SignatureFault> {
        if bytes.len() > MAX_SIGNATURE {
            return Err(SignatureFault::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| SignatureFault::NotText)?;
        let lines: Vec<&str> = text.split('\n').collect();
        let [comment, signature, trusted, global, ""] = lines[..] else {
            return Err(SignatureFault::NotMinisign);
        };
        let control = |c: char| c.is_control() && c != '\n' && c != '\t';
        if text.contains(control) || !trusted.starts_with(TRUSTED_PREFIX) {
            return Err(SignatureFault::NotMinisign);
        }
        if comment != UNTRUSTED_COMMENT {
            return Err(SignatureFault::UntrustedComment);
        }
        let raw = base64(signature).ok_or(SignatureFault::NotMinisign)?;
        let (algorithm, key_id) = (raw.get(..2), raw.get(2..10));
        match algorithm {
            Some(b"ED") => {}
            Some(b"Ed") => return Err(SignatureFault::Legacy),
            _ => return Err(SignatureFault::NotMinisign),
        }
        let key_id =
            key_id.and_then(|id| id.try_into().ok()).map(KeyId).ok_or(SignatureFault::NotMinisign)?;
        let parsed = minisign_verify::Signature::decode(text).map_err(|_| SignatureFault::NotMinisign)?;
        for (half, bytes) in [(Half::Message, raw.get(10..)), (Half::Comment, base64(global).as_deref())] {
            let bytes = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(SignatureFault::NotMinisign)?;
            check_signature(bytes).map_err(|fault| SignatureFault::Weak { half, fault })?;
        }
        Ok(Self { text: text.to_string(), key_id, parsed })
    }

    /// The whole text, as a `.minisig` file holds it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The key that claims to have signed.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The comment that the signature covers.
    pub fn trusted_comment(&self) -> &str {
        self.parsed.trusted_comment()
    }

    /// As the verifying crate wants it.
    pub(super) fn parsed(&self) -> &minisign_verify::Signature {
        &self.parsed
    }
}

impl std::fmt::Debug for SignatureText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignatureText(key {})", self.key_id)
    }
}

/// Decodes standard base64. Lenient about padding: minisign-verify, which is not, decides in the end;
/// this serves to read key ids, which that crate keeps to itself.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut have) = (0u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xffff;
        have += 6;
        if have >= 8 {
            have -= 8;
            bytes.push((bits >> have) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From minisign-verify's own tests: made by the reference implementation.
    const REAL: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1556193335\tfile:test
y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==
";

    #[test]
    fn a_signature_of_the_reference_tool_is_taken() {
        for text in [REAL.to_string(), REAL.replace('\n', "\r\n"), REAL.trim_end().to_string()] {
            let signature = SignatureText::from_tool(&text).unwrap();
            assert_eq!(signature.key_id().to_string(), "E7620F1842B4E81F");
            assert_eq!(signature.trusted_comment(), "timestamp:1556193335\tfile:test");
            assert!(signature.as_str().starts_with(UNTRUSTED_COMMENT));
        }
    }

    #[test]
    fn a_bundle_takes_one_form_only() {
        let good = SignatureText::from_tool(REAL).unwrap().as_str().to_string();
        assert!(SignatureText::from_bundle(good.as_bytes()).is_ok());
        let fault = |text: &str| SignatureText::from_bundle(text.as_bytes()).unwrap_err();
        assert_eq!(fault(REAL), SignatureFault::UntrustedComment);
        assert_eq!(fault(good.trim_end()), SignatureFault::NotMinisign);
        assert_eq!(fault(&good.replace('\n', "\r\n")), SignatureFault::NotMinisign);
        assert_eq!(fault(&format!("{good}more\n")), SignatureFault::NotMinisign);
        assert_eq!(
            fault(&good.replace("trusted comment: t", "trusted komment: t")),
            SignatureFault::NotMinisign
        );
        assert_eq!(fault(""), SignatureFault::NotMinisign);
        assert_eq!(SignatureText::from_bundle(b"\xff\xfe").unwrap_err(), SignatureFault::NotText);
        assert_eq!(
            SignatureText::from_bundle("a".repeat(20_000).as_bytes()).unwrap_err(),
            SignatureFault::TooLong(20_000)
        );
    }

    #[test]
    fn legacy_signatures_are_named() {
        let legacy = REAL.replace("RUQf6", "RWQf6");
        assert_eq!(SignatureText::from_tool(&legacy).unwrap_err(), SignatureFault::Legacy);
    }
}
