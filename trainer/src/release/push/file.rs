//! The file that is pushed.

use anyhow::{Context, ensure};
use coilsight_models::bundle::{Sha256, Unverified};
use coilsight_models::message::model::{MAX_FILE, MAX_PIECE_BYTES, Offer, Piece, VERSION};
use sha2::Digest;
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A bundle on disk, and what is offered of it.
#[derive(Debug)]
pub struct BundleFile {
    file: File,
    /// What is offered.
    pub offer: Offer,
    /// The bundle's fingerprint.
    pub fingerprint: Sha256,
}

impl BundleFile {
    /// Opens a bundle, and hashes all of it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        let mut file = File::open(path).with_context(cannot)?;
        let bundle = Unverified::read(BufReader::new(&file))?;
        let (name, release) = (bundle.claimed().name.clone(), bundle.claimed().release);
        std::io::Seek::rewind(&mut file).with_context(cannot)?;
        let (mut hasher, mut bytes, mut part) = (sha2::Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            let count = file.read(&mut part).with_context(cannot)?;
            if count == 0 {
                break;
            }
            hasher.update(&part[..count]);
            bytes += count as u64;
        }
        ensure!(bytes <= MAX_FILE, "{} is longer than any bundle", path.display());
        let offer = Sha256::from_bytes(hasher.finalize().into());
        let offer = Offer { version: VERSION, offer, bytes, piece_bytes: MAX_PIECE_BYTES, name, release };
        Ok(Self { file, offer, fingerprint: bundle.front().fingerprint() })
    }

    /// A piece as it is published. A file that was changed since it was opened is found out by the line.
    pub fn piece(&self, index: u32) -> anyhow::Result<Vec<u8>> {
        let (at, length) = self.offer.place(index).context("there is no such piece: please report this")?;
        let mut data = vec![0; length];
        self.file.read_exact_at(&mut data, at).context("the bundle cannot be read any more")?;
        Ok(Piece { offer: self.offer.offer, index, data: &data }.payload())
    }
}
