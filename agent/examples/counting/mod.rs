//! The real disk, counted: what is written into which folder, and how often it is synced.

#![allow(dead_code, reason = "each example uses its part")]

use anyhow::{Context, Result};
use coilsight_agent::archive::{Disk, DiskFile, RealDisk};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a disk writes at least, bytes.
const PAGE: u64 = 4096;

/// A folder of the file system that counts.
#[derive(Debug)]
pub struct Counting {
    disk: RealDisk,
    /// What was counted.
    pub counts: Arc<Counts>,
}

/// What was written, by folder.
#[derive(Debug)]
pub struct Counts {
    folders: Mutex<BTreeMap<String, Sum>>,
    /// Whether syncs reach the disk.
    durable: bool,
}

/// Of a folder.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    /// Bytes handed to the file system.
    pub written: u64,
    /// Bytes of whole pages that syncs send to the device.
    pub pages: u64,
    /// Syncs of files and of the folder.
    pub syncs: u64,
}

#[derive(Debug)]
struct CountedFile {
    file: Arc<dyn DiskFile>,
    folder: String,
    dirty: Mutex<BTreeSet<u64>>,
    counts: Arc<Counts>,
}

impl Counts {
    fn folders(&self) -> MutexGuard<'_, BTreeMap<String, Sum>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew.
    pub fn reset(&self) {
        self.folders().clear();
    }

    /// By folder; the archive's own is `""`.
    pub fn by_folder(&self) -> BTreeMap<String, Sum> {
        self.folders().clone()
    }

    /// All folders together.
    pub fn all(&self) -> Sum {
        self.folders().values().fold(Sum::default(), |a, b| Sum {
            written: a.written + b.written,
            pages: a.pages + b.pages,
            syncs: a.syncs + b.syncs,
        })
    }

    fn add(&self, folder: &str, change: impl FnOnce(&mut Sum)) {
        change(self.folders().entry(folder.to_owned()).or_default());
    }
}

impl Counting {
    /// Counts what is done in `folder/archive`; syncs reach the disk if `durable`.
    pub fn new(folder: &Path, durable: bool) -> io::Result<Self> {
        let counts = Arc::new(Counts { folders: Mutex::default(), durable });
        Ok(Self { disk: RealDisk::new(folder.join("archive"))?, counts })
    }

    fn counted(&self, path: &str, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        Arc::new(CountedFile { file, folder, dirty: Mutex::default(), counts: Arc::clone(&self.counts) })
    }
}

impl Disk for Counting {
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn make_dir(&self, dir: &str) -> io::Result<()> {
        self.disk.make_dir(dir)
    }
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.counted(path, self.disk.create(path)?))
    }
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.counted(path, self.disk.open(path)?))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.counts.add(dir, |sum| sum.syncs += 1);
        if self.counts.durable { self.disk.sync_dir(dir) } else { Ok(()) }
    }
    fn lock(&self, path: &str) -> io::Result<Box<dyn Send + Sync>> {
        self.disk.lock(path)
    }
}

impl DiskFile for CountedFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let pages = offset / PAGE..=(offset + data.len() as u64).saturating_sub(1) / PAGE;
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner).extend(pages);
        self.counts.add(&self.folder, |sum| sum.written += data.len() as u64);
        self.file.write_at(data, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        let pages =
            std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner)).len() as u64;
        self.counts
            .add(&self.folder, |sum| (sum.syncs, sum.pages) = (sum.syncs + 1, sum.pages + pages * PAGE));
        if self.counts.durable { self.file.sync_data() } else { Ok(()) }
    }
}

/// A number from a file of `/proc`.
pub fn proc_value(file: &str, name: &str) -> Result<u64> {
    let text = std::fs::read_to_string(file)?;
    let rest = text.split_once(name).with_context(|| format!("{name} in {file}"))?.1;
    Ok(rest.split_whitespace().next().context("a number")?.parse()?)
}

/// Bytes of all files in a folder and below.
pub fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(sum)
}
