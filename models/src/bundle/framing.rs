//! The outermost layer of a bundle: header, signatures, manifest bytes. All that is interpreted before
//! a signature is checked is here, and it is fixed: 24 bytes of numbers and length-prefixed texts.

use super::error::RefusedBundle;
use super::name::Sha256;
use super::read;
use super::signature::SignatureText;
use std::io::{self, Read, Write};

/// The first eight bytes of every bundle.
pub const MAGIC: &[u8; 8] = b"COILSGHT";
/// The container version that this program writes and reads.
pub const FRAMING: u32 = 1;
/// Bytes of the header.
pub const HEADER: usize = 24;
/// Most signatures.
pub const MAX_SIGNATURES: u32 = 16;
/// Most bytes of the signatures block.
pub const MAX_SIGNATURES_BLOCK: u32 = 64 * 1024;
/// Most bytes of the manifest.
pub const MAX_MANIFEST: u32 = 1024 * 1024;

/// What comes before the files: the signatures and the exact bytes that they sign.
#[derive(Clone, Debug)]
pub struct Front {
    signatures: Vec<SignatureText>,
    manifest: Vec<u8>,
}

impl Front {
    /// Puts a front together, within the limits of the container.
    pub fn new(signatures: Vec<SignatureText>, manifest: Vec<u8>) -> Result<Self, RefusedBundle> {
        let front = Self { signatures, manifest };
        let block = front.signatures_len();
        checked(front.signatures.len() as u64, block, front.manifest.len() as u64)?;
        Ok(front)
    }

    /// Reads a front and nothing after it.
    pub fn read(reader: &mut impl Read) -> Result<Self, RefusedBundle> {
        let header = read::exactly(reader, HEADER as u64, "the header")?;
        if &header[..8] != MAGIC {
            return Err(RefusedBundle::NotABundle);
        }
        let field =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (version, count, block, manifest) = (field(8), field(12), field(16), field(20));
        if version != FRAMING {
            return Err(RefusedBundle::NewerFraming { found: version });
        }
        checked(count.into(), block.into(), manifest.into())?;
        let block = read::exactly(reader, block.into(), "the signatures")?;
        let signatures = signatures(&block, count)?;
        let manifest = read::exactly(reader, manifest.into(), "the manifest")?;
        Ok(Self { signatures, manifest })
    }

    /// Writes header, signatures and manifest; the files follow.
    pub fn write(&self, writer: &mut impl Write) -> io::Result<()> {
        let mut block = Vec::new();
        for signature in &self.signatures {
            block.extend_from_slice(&(signature.as_str().len() as u32).to_le_bytes());
            block.extend_from_slice(signature.as_str().as_bytes());
        }
        writer.write_all(MAGIC)?;
        for field in [FRAMING, self.signatures.len() as u32, block.len() as u32, self.manifest.len() as u32] {
            writer.write_all(&field.to_le_bytes())?;
        }
        writer.write_all(&block)?;
        writer.write_all(&self.manifest)
    }

    /// The same manifest with one signature more; a second signer's way in.
    pub fn with_signature(self, signature: SignatureText) -> Result<Self, RefusedBundle> {
        let Self { mut signatures, manifest } = self;
        signatures.push(signature);
        Self::new(signatures, manifest)
    }

    /// The signatures, valid or not, in the order of the file.
    pub fn signatures(&self) -> &[SignatureText] {
        &self.signatures
    }

    /// The exact bytes that the signatures sign.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest
    }

    /// What a bundle is called by: the SHA-256 of its manifest, which covers every file.
    pub fn fingerprint(&self) -> Sha256 {
        Sha256::of(&self.manifest)
    }

    /// Bytes before the first file.
    pub fn length(&self) -> u64 {
        HEADER as u64 + self.signatures_len() + self.manifest.len() as u64
    }

    fn signatures_len(&self) -> u64 {
        self.signatures.iter().map(|s| 4 + s.as_str().len() as u64).sum()
    }
}

/// Checks the header's three numbers against the container's caps.
fn checked(count: u64, block: u64, manifest: u64) -> Result<(), RefusedBundle> {
    if count > MAX_SIGNATURES.into() {
        return Err(RefusedBundle::TooManySignatures { count });
    }
    for (field, length, most) in
        [("signatures", block, MAX_SIGNATURES_BLOCK), ("manifest", manifest, MAX_MANIFEST)]
    {
        if length > most.into() {
            return Err(RefusedBundle::BlockTooLong { field, length, most });
        }
    }
    Ok(())
}

/// Splits the block into `count` texts that fill it exactly.
fn signatures(mut block: &[u8], count: u32) -> Result<Vec<SignatureText>, RefusedBundle> {
    let mut found = Vec::new();
    for number in 1..=count as usize {
        let (length, rest) = block.split_first_chunk::<4>().ok_or(RefusedBundle::SignaturesBlock)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (text, rest) = rest.split_at_checked(length).ok_or(RefusedBundle::SignaturesBlock)?;
        let text =
            SignatureText::from_bundle(text).map_err(|source| RefusedBundle::Signature { number, source })?;
        found.push(text);
        block = rest;
    }
    if block.is_empty() { Ok(found) } else { Err(RefusedBundle::SignaturesBlock) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(version: u32, count: u32, block: u32, manifest: u32) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for field in [version, count, block, manifest] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn an_unsigned_front_comes_back_as_it_went() {
        let front = Front::new(vec![], b"{}".to_vec()).unwrap();
        let mut bytes = Vec::new();
        front.write(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, front.length());
        assert_eq!(Front::read(&mut &bytes[..]).unwrap().manifest_bytes(), b"{}");
    }

    #[test]
    fn oversized_fields_are_refused_by_name_before_anything_is_read() {
        let read = |bytes: Vec<u8>| Front::read(&mut &bytes[..]).unwrap_err();
        assert!(matches!(read(header(1, 17, 0, 2)), RefusedBundle::TooManySignatures { count: 17 }));
        assert!(matches!(read(header(1, u32::MAX, 0, 2)), RefusedBundle::TooManySignatures { .. }));
        assert!(matches!(
            read(header(1, 1, 65_537, 2)),
            RefusedBundle::BlockTooLong { field: "signatures", length: 65_537, .. }
        ));
        assert!(matches!(
            read(header(1, 1, 0, u32::MAX)),
            RefusedBundle::BlockTooLong { field: "manifest", .. }
        ));
        assert!(matches!(read(header(2, 0, 0, 2)), RefusedBundle::NewerFraming { found: 2 }));
        assert!(matches!(read(b"PK\x03\x04 is another kind of file".to_vec()), RefusedBundle::NotABundle));
        assert!(matches!(read(b"COILSGHT".to_vec()), RefusedBundle::Cut { .. }));
    }

    #[test]
    fn signatures_fill_their_block_exactly() {
        let mut gap = header(1, 0, 4, 2);
        gap.extend_from_slice(b"\0\0\0\0{}");
        assert!(matches!(Front::read(&mut &gap[..]), Err(RefusedBundle::SignaturesBlock)));
        let mut over = header(1, 1, 8, 2);
        over.extend_from_slice(b"\xff\xff\xff\xffabcd{}");
        assert!(matches!(Front::read(&mut &over[..]), Err(RefusedBundle::SignaturesBlock)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(tail in proptest::collection::vec(any::<u8>(), 0..200),
                          count in 0u32..20, block in 0u32..200, manifest in 0u32..200) {
            let mut bytes = header(FRAMING, count, block, manifest);
            bytes.extend_from_slice(&tail);
            let _ = Front::read(&mut &bytes[..]);
            let _ = Front::read(&mut &tail[..]);
        }
    }
}
