//! Rows of f32 on disk under a key, found by content and draw; read through a memory map.
//!
//! In the folder of a key `rows` holds the rows and `index` what each is of, with its checksum. Rows are synced before their
//! index, so that what the index names is there; a torn end is cut off by who writes next. Files only grow: many read while one
//! writes, and who would write waits for its turn and then finds what the other has written. Whoever uses a key holds its `lock`
//! together with others, so that nobody removes it.

use super::KeepConfig;
use memmap2::Mmap;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Bytes of an index record: content, draw, checksum.
const RECORD: usize = 32 + 4 + 4;
/// Most rows of a key: an index of 640 MB.
const MOST: u64 = 16 << 20;

/// What rows under one key have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// From everything that decides what a row holds besides the coil and the draw.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// Why nothing can be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk refused.
    #[error("what frozen stages give cannot be kept in {}; free space, name another keep.folder, or set keep.budget_mib to 0", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A row is not what was written.
    #[error("row {row} in {} is damaged; remove the folder, and it is computed again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which row.
        row: usize,
    },
}

/// Where the row of a (content, draw) lies, and its checksum.
type Found = HashMap<([u8; 32], u32), (usize, u32)>;

/// Rows under one key.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Values of a row.
    length: usize,
    /// Most rows that fit the budget.
    room: usize,
    rows: File,
    index: File,
    found: Found,
    map: Option<Mmap>,
    budget: u64,
    /// Held together with others as long as the store is open.
    _lock: File,
}

/// The only one that writes rows under a key, as long as it lives.
#[derive(Debug)]
pub struct Writer<'a> {
    store: &'a mut Store,
    _turn: File,
}

impl Store {
    /// Opens or makes the rows of `key`, each of `length` values; makes room by removing what other keys keep, the least
    /// recently used first.
    pub fn open(keep: &KeepConfig, folder: &Path, key: Key, length: usize) -> Result<Self, StoreError> {
        let name = crate::run::hex(&key.0[..16]);
        let own = folder.join(name);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { path, source }
        };
        std::fs::create_dir_all(&own).map_err(failed(&own))?;
        let file = |name: &str| {
            let path = own.join(name);
            let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            open.map_err(failed(&path))
        };
        let lock = file("lock")?;
        lock.lock_shared().map_err(failed(&own))?;
        // The youngest is the last to be removed.
        lock.set_modified(SystemTime::now()).map_err(failed(&own))?;
        let (rows, index) = (file("rows")?, file("index")?);
        let budget = keep.budget_mib << 20;
        let (found, map) = (Found::new(), None);
        let mut store = Self { folder: own, length, room: 0, rows, index, found, map, budget, _lock: lock };
        store.read_index()?;
        let others = others(folder, &store.folder, budget).map_err(failed(folder))?;
        let left = store.budget.saturating_sub(others);
        store.room = (left / (4 * length.max(1) + RECORD) as u64).min(MOST) as usize;
        Ok(store)
    }

    /// Waits until nobody else writes, and sees what they have written.
    pub fn writer(&mut self) -> Result<Writer<'_>, StoreError> {
        let path = self.folder.join("writing");
        let turn = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let turn = turn.and_then(|turn| turn.lock().map(|()| turn));
        let turn = turn.map_err(|source| StoreError::Io { path, source })?;
        let whole = self.read_index()?;
        let cut = |file: &mut File, length| file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0)));
        cut(&mut self.index, whole * RECORD as u64)
            .and_then(|_| cut(&mut self.rows, whole * 4 * self.length as u64))
            .map_err(|source| StoreError::Io { path: self.folder.clone(), source })?;
        Ok(Writer { store: self, _turn: turn })
    }

    /// Reads what both files hold, and gives the number of rows.
    fn read_index(&mut self) -> Result<u64, StoreError> {
        let read = read_index(&self.rows, &mut self.index, self.length);
        let found = read.map_err(|source| StoreError::Io { path: self.folder.clone(), source })?;
        let whole = found.0;
        self.found = found.1;
        self.remap()?;
        Ok(whole)
    }

    /// Whether a row is kept.
    pub fn has(&self, content: &[u8; 32], draw: u32) -> bool {
        self.found.contains_key(&(*content, draw))
    }

    /// How many more rows fit.
    pub fn room(&self) -> usize {
        self.room.saturating_sub(self.found.len())
    }

    /// Copies a row; `false` if it is not kept.
    pub fn read(&self, content: &[u8; 32], draw: u32, to: &mut [f32]) -> Result<bool, StoreError> {
        let (Some((row, sum)), Some(map)) = (self.found.get(&(*content, draw)), &self.map) else {
            return Ok(false);
        };
        let bytes = &map[4 * row * self.length..4 * (row + 1) * self.length];
        if crc32fast::hash(bytes) != *sum {
            return Err(StoreError::Damaged { path: self.folder.join("rows"), row: *row });
        }
        for (value, bytes) in to.iter_mut().zip(bytes.chunks_exact(4)) {
            *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        Ok(true)
    }

    #[allow(unsafe_code)]
    fn remap(&mut self) -> Result<(), StoreError> {
        self.map = None;
        if self.found.is_empty() || self.length == 0 {
            return Ok(());
        }
        // SAFETY: the file is written to by appending alone, and who writes cuts off only what no index has ever named, which
        // nobody reads. Who else cuts a file under our feet gets a SIGBUS.
        let map = unsafe { Mmap::map(&self.rows) };
        self.map = Some(map.map_err(|source| StoreError::Io { path: self.folder.clone(), source })?);
        Ok(())
    }
}

impl Writer<'_> {
    /// Keeps rows `[rows, length]` of (content, draw); those beyond the budget are let go.
    pub fn add(&mut self, of: &[([u8; 32], u32)], values: &[f32]) -> Result<(), StoreError> {
        let store = &mut *self.store;
        let failed = |source| StoreError::Io { path: store.folder.clone(), source };
        let count = of.len().min(store.room());
        let (mut bytes, mut records) = (Vec::with_capacity(4 * count * store.length), Vec::new());
        for ((content, draw), row) in of.iter().zip(values.chunks_exact(store.length)).take(count) {
            let at = bytes.len();
            bytes.extend(row.iter().flat_map(|v| v.to_le_bytes()));
            let sum = crc32fast::hash(&bytes[at..]);
            records.extend(content.iter().copied().chain(draw.to_le_bytes()).chain(sum.to_le_bytes()));
            let next = store.found.len();
            store.found.insert((*content, *draw), (next, sum));
        }
        store.rows.write_all(&bytes).and_then(|()| store.rows.sync_data()).map_err(failed)?;
        store.index.write_all(&records).and_then(|()| store.index.sync_data()).map_err(failed)?;
        store.remap()
    }

    /// Whether a row is kept.
    pub fn has(&self, content: &[u8; 32], draw: u32) -> bool {
        self.store.has(content, draw)
    }

    /// How many more rows fit.
    pub fn room(&self) -> usize {
        self.store.room()
    }
}

/// How many rows both files hold whole, and where they are.
fn read_index(rows: &File, index: &mut File, length: usize) -> std::io::Result<(u64, Found)> {
    let whole = rows.metadata()?.len() / (4 * length.max(1)) as u64;
    let count = (index.metadata()?.len() / RECORD as u64).min(whole).min(MOST);
    let mut records = vec![0; count as usize * RECORD];
    index.seek(SeekFrom::Start(0))?;
    index.read_exact(&mut records)?;
    let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let entry = |(row, record): (usize, &[u8])| {
        let content = std::array::from_fn(|i| record[i]);
        ((content, number(&record[32..])), (row, number(&record[36..])))
    };
    Ok((count, records.chunks_exact(RECORD).enumerate().map(entry).collect()))
}

/// Bytes that other keys keep, after the least recently used were removed to leave half of the budget.
fn others(folder: &Path, own: &Path, budget: u64) -> std::io::Result<u64> {
    let size = |path: &Path| -> u64 {
        ["rows", "index"].iter().filter_map(|name| path.join(name).metadata().ok()).map(|m| m.len()).sum()
    };
    let mut found: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path != own && path.join("lock").is_file() {
            let used = path.join("lock").metadata()?.modified()?;
            found.push((used, path.clone(), size(&path)));
        }
    }
    found.sort();
    let mut total: u64 = found.iter().map(|(.., bytes)| bytes).sum();
    for (_, path, bytes) in found {
        // Who holds the lock is at work there.
        let free = File::open(path.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok());
        if total > budget / 2 && free {
            std::fs::remove_dir_all(&path)?;
            total -= bytes;
        }
    }
    Ok(total)
}

#[cfg(test)]
#[path = "store/tests.rs"]
mod tests;
