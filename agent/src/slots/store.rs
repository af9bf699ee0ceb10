//! Bundles on disk, each under its fingerprint. A name is given once all of the file is durable.

use super::{Error, Result};
use crate::archive::{Disk, DiskFile};
use coilsight_models::bundle::Sha256;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

const STORE: &str = "store";
const INBOX: &str = "inbox";
const INCOMING: &str = "incoming";
/// A bundle is copied in pieces of so many bytes.
const PIECE: usize = 1 << 20;
const EXTENSION: &str = ".coilbundle";

/// Where bundles lie.
#[derive(Clone, Debug)]
pub struct Store {
    disk: Arc<dyn Disk>,
}

fn fault(doing: &'static str, file: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let file = file.into();
    move |source| Error::Store { doing, file, source }
}

fn path(fingerprint: impl std::fmt::Display) -> String {
    format!("{STORE}/{fingerprint}{EXTENSION}")
}

impl Store {
    pub(super) fn open(disk: Arc<dyn Disk>) -> Result<Self> {
        for folder in [STORE, INBOX, INCOMING] {
            disk.make_dir(folder).map_err(fault("making", folder))?;
        }
        disk.sync_dir("").map_err(fault("syncing", "the folder"))?;
        Ok(Self { disk })
    }

    /// Looks at a disk and makes nothing: a running agent may have it.
    pub fn over(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }

    /// The disk, for whoever brings files together on it.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Opens a file anywhere on the disk for reading.
    pub fn read(&self, path: &str) -> io::Result<impl Read + use<>> {
        Ok(Reader { file: self.disk.open(path)?, at: 0 })
    }

    /// Opens a kept bundle.
    pub fn bundle(&self, fingerprint: Sha256) -> io::Result<impl Read + use<>> {
        self.read(&path(fingerprint))
    }

    /// Copies a file to the kept bundles, durably. It is written under another name first: what bears a fingerprint is
    /// whole. (Renaming it from elsewhere would not do: two folders are not made durable at once.)
    pub(super) fn keep(&self, from: &str, fingerprint: Sha256) -> io::Result<()> {
        let (temporary, to) = (format!("{STORE}/{fingerprint}.tmp"), path(fingerprint));
        copy(self.disk.as_ref(), self.read(from)?, &temporary)?;
        self.disk.rename(&temporary, &to)?;
        self.disk.sync_dir(STORE)
    }

    /// Removes a file that is not wanted; it is none of the kept bundles.
    pub fn drop_file(&self, path: &str) {
        if let Err(error) = self.disk.remove(path) {
            tracing::debug!(path, %error, "a file that is not wanted stays for now");
        }
    }

    /// Removes every kept bundle whose fingerprint is not `wanted`.
    pub(super) fn remove_all_but(&self, wanted: &BTreeSet<String>) -> Result<()> {
        for name in self.disk.list(STORE).map_err(fault("listing", STORE))? {
            let known = name.strip_suffix(EXTENSION).is_some_and(|stem| wanted.contains(stem));
            if !known {
                let file = format!("{STORE}/{name}");
                self.disk.remove(&file).map_err(fault("removing", file))?;
            }
        }
        Ok(())
    }
}

/// Writes what comes into a new file at `path`, durably, in the place of what an earlier try left there.
pub(crate) fn copy(disk: &dyn Disk, mut source: impl Read, path: &str) -> io::Result<()> {
    if disk.open(path).is_ok() {
        disk.remove(path)?;
    }
    let file = disk.create(path)?;
    let (mut piece, mut at) = (vec![0; PIECE], 0);
    loop {
        let have = source.read(&mut piece)?;
        if have == 0 {
            return file.sync_data();
        }
        file.write_at(&piece[..have], at)?;
        at += have as u64;
    }
}

/// A file from its beginning to its end.
struct Reader {
    file: Arc<dyn DiskFile>,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let have = self.file.read_at(buffer, self.at)?;
        self.at += have as u64;
        Ok(have)
    }
}
