//! Views of the log: where things lie, by the keys people ask with. Never the truth: all of it can be built
//! again from the log, and is whenever it is missing, older than the log, or in doubt.
//!
//! They live in sled, or in memory where sled cannot be had. sled is not power-safe and may lose or damage
//! entries silently, so a folder of it is opened only if it is, byte for byte, what an orderly stop left.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::sync_folder;
use super::log::Location;
use super::marker::Fingerprint;

/// Why the views cannot be used; they are then built again.
pub type Doubt = String;

/// Where views are kept.
#[derive(Debug, Clone)]
pub enum ViewsAt {
    /// In sled, in numbered folders under this one, with a cache of so many bytes.
    Folder(PathBuf, u64),
    /// In memory.
    Memory,
}

#[derive(Debug)]
enum Store {
    Sled {
        db: sled::Db,
        folder: PathBuf,
        generation: u32,
    },
    Memory(BTreeMap<Vec<u8>, Vec<u8>>),
    #[cfg(test)]
    Failing,
}

/// The views: an ordered map.
#[derive(Debug)]
pub struct Views {
    store: Store,
}

impl Views {
    /// Opens a folder that is known to be what an orderly stop left.
    pub fn reopen(dir: &Path, cache: u64, generation: u32) -> Result<Self, Doubt> {
        let folder = dir.join(generation.to_string());
        let db = open_sled(&folder, cache)?;
        Ok(Self { store: Store::Sled { db, folder, generation } })
    }

    /// Empty views, where they belong. What was there before is removed.
    pub fn empty(at: &ViewsAt) -> Result<Self, Doubt> {
        let ViewsAt::Folder(dir, cache) = at else {
            return Ok(Self { store: Store::Memory(BTreeMap::new()) });
        };
        // A number never used before: a sled that is still closing may write into its own folder.
        let last = remove_all(dir).map_err(|e| format!("{} cannot be emptied: {e}", dir.display()))?;
        Self::reopen(dir, *cache, last + 1)
    }

    /// Views that fail at every call.
    #[cfg(test)]
    pub fn failing() -> Self {
        Self { store: Store::Failing }
    }

    /// Whether they are in memory, in want of a disk that takes them.
    pub fn in_memory(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        match &self.store {
            Store::Sled { db, .. } => guard(|| db.size_on_disk()).unwrap_or(0),
            Store::Memory(_) => 0,
            #[cfg(test)]
            Store::Failing => 0,
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Doubt> {
        match &self.store {
            Store::Sled { db, .. } => Ok(guard(|| db.get(key))?.map(|value| value.to_vec())),
            Store::Memory(map) => Ok(map.get(key).cloned()),
            #[cfg(test)]
            Store::Failing => Err("failing".into()),
        }
    }

    /// Sets a key's value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), Doubt> {
        match &mut self.store {
            Store::Sled { db, .. } => guard(|| db.insert(key, value)).map(drop),
            Store::Memory(map) => {
                map.insert(key, value);
                Ok(())
            }
            #[cfg(test)]
            Store::Failing => Err("failing".into()),
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &[u8]) -> Result<(), Doubt> {
        match &mut self.store {
            Store::Sled { db, .. } => guard(|| db.remove(key)).map(drop),
            Store::Memory(map) => {
                map.remove(key);
                Ok(())
            }
            #[cfg(test)]
            Store::Failing => Err("failing".into()),
        }
    }

    /// The first `limit` keys that begin with `prefix`, in order, without it.
    pub fn under(&self, prefix: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, Doubt> {
        match &self.store {
            Store::Sled { db, .. } => guard(|| {
                db.scan_prefix(prefix)
                    .keys()
                    .take(limit)
                    .map(|key| key.map(|k| k[prefix.len()..].to_vec()))
                    .collect()
            }),
            Store::Memory(map) => Ok(map
                .range(prefix.to_vec()..)
                .map_while(|(key, _)| key.strip_prefix(prefix))
                .take(limit)
                .map(<[u8]>::to_vec)
                .collect()),
            #[cfg(test)]
            Store::Failing => Err("failing".into()),
        }
    }

    /// Closes them and takes the fingerprint of their folder, all of it durable; `None` from memory.
    pub fn close(self) -> Result<Option<Fingerprint>, Doubt> {
        let Store::Sled { db, folder, generation } = self.store else { return Ok(None) };
        guard(|| db.flush())?;
        guard(|| {
            drop(db);
            Ok(())
        })?;
        let db = folder.join("db");
        wait_until_released(&db).map_err(|e| format!("{}: {e}", db.display()))?;
        let take = || {
            let fingerprint = Fingerprint::take(generation, &folder, true)?;
            folder.parent().map_or(Ok(()), sync_folder)?;
            Ok(fingerprint)
        };
        take().map(Some).map_err(|e: io::Error| format!("{}: {e}", folder.display()))
    }
}

/// Waits for sled's own threads to let go of its file: they outlive the handle for a moment, and nothing tells
/// when they are done but the lock that they hold.
fn wait_until_released(db: &Path) -> io::Result<()> {
    let file = fs::File::open(db)?;
    let mut tries = 2000;
    while let Err(error) = file.try_lock() {
        tries -= 1;
        if tries == 0 {
            return Err(error.into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Runs what may fail inside sled, where a failure may also be a panic.
fn guard<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, Doubt> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| format!("sled: {error}")),
        Err(_) => Err("sled panicked".into()),
    }
}

fn open_sled(folder: &Path, cache: u64) -> Result<sled::Db, Doubt> {
    // No compression and no flushing by the clock: nothing here has to outlive a power cut.
    let config = sled::Config::new()
        .path(folder)
        .cache_capacity(cache)
        .mode(sled::Mode::LowSpace)
        .use_compression(false)
        .flush_every_ms(None);
    guard(|| config.open())
}

/// Removes all numbered folders and returns the highest number.
fn remove_all(dir: &Path) -> io::Result<u32> {
    fs::create_dir_all(dir)?;
    let mut last = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if let Some(generation) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) {
            last = last.max(generation);
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(last)
}

/// Keys of the views; all values but those of lists (the outbox, a coil's passes, the words on a
/// decision) are locations.
pub mod key {
    use super::Location;

    fn tagged(tag: u8, text: &str) -> Vec<u8> {
        let mut key = vec![tag];
        key.extend_from_slice(text.as_bytes());
        key
    }

    /// A pass's decision.
    pub fn pass(pass_key: &str) -> Vec<u8> {
        tagged(b'p', pass_key)
    }

    /// A decision by its id.
    pub fn decision(id: &str) -> Vec<u8> {
        tagged(b'd', id)
    }

    /// Known feedback.
    pub fn feedback(key: &str) -> Vec<u8> {
        tagged(b'f', key)
    }

    /// Before the locations of all words on a decision.
    pub fn words(decision_id: &str) -> Vec<u8> {
        let mut key = vec![b'w'];
        key.extend_from_slice(&(decision_id.len() as u16).to_be_bytes());
        key.extend_from_slice(decision_id.as_bytes());
        key
    }

    /// Before the locations of all decisions on a coil: with its length, so that no id is another's beginning.
    pub fn coil(coil_id: &str) -> Vec<u8> {
        let mut key = vec![b'c'];
        key.extend_from_slice(&(coil_id.len() as u16).to_be_bytes());
        key.extend_from_slice(coil_id.as_bytes());
        key
    }

    /// Before the locations of all that has no receipt: decisions, and words on them.
    pub const OUTBOX: &[u8] = b"o";

    /// `prefix` and a location, so that keys sort as the log does.
    pub fn at(prefix: &[u8], at: Location) -> Vec<u8> {
        let mut key = prefix.to_vec();
        key.extend_from_slice(&place(at));
        key
    }

    /// A location as bytes.
    pub fn place(at: Location) -> Vec<u8> {
        let mut bytes = at.file.to_be_bytes().to_vec();
        bytes.extend_from_slice(&at.offset.to_be_bytes());
        bytes
    }

    /// Bytes as a location.
    pub fn location(bytes: &[u8]) -> Option<Location> {
        let bytes: &[u8; 12] = bytes.try_into().ok()?;
        let (file, offset) = bytes.split_first_chunk::<4>()?;
        Some(Location {
            file: u32::from_be_bytes(*file),
            offset: u64::from_be_bytes(offset.try_into().ok()?),
        })
    }
}
