//! A disk in memory: what is written is there, any bytes can be put there beforehand, and it may be full.

use coilsight_agent::archive::{self, Disk, DiskFile};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The archive reads no more at once than its longest record takes: a larger buffer is one that damaged
/// bytes have asked for.
const LARGEST_READ: usize = archive::MAX_ROWS + 64;
/// Nothing that a target does fills more; a file that grows beyond it grows without bound.
const LARGEST_FILE: usize = 64 << 20;

/// The disk; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct MemDisk {
    files: Arc<Mutex<BTreeMap<String, Arc<MemFile>>>>,
    locked: Arc<AtomicBool>,
    room: Arc<Room>,
}

#[derive(Debug, Default)]
struct MemFile {
    bytes: Mutex<Vec<u8>>,
    room: Arc<Room>,
}

/// Bytes by which files may still grow, all together.
#[derive(Debug)]
struct Room(AtomicUsize);

impl Default for Room {
    fn default() -> Self {
        Self(AtomicUsize::new(usize::MAX))
    }
}

impl Room {
    /// Takes as much of `bytes` as there is.
    fn take(&self, bytes: usize) -> usize {
        let had =
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| Some(room.saturating_sub(bytes)));
        bytes.min(had.unwrap_or_default())
    }
}

#[derive(Debug)]
struct Lock(Arc<AtomicBool>);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemDisk {
    /// Puts a file there, whatever was there before.
    pub fn put(&self, path: &str, bytes: Vec<u8>) {
        let file = MemFile { bytes: Mutex::new(bytes), room: Arc::clone(&self.room) };
        held(&self.files).insert(path.to_owned(), Arc::new(file));
    }

    /// Lets files grow by so many bytes more, and then says that the disk is full.
    pub fn set_room(&self, bytes: usize) {
        self.room.0.store(bytes, Ordering::SeqCst);
    }

    /// All files and what they hold.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        held(&self.files).iter().map(|(path, file)| (path.clone(), held(&file.bytes).clone())).collect()
    }

    fn find(&self, path: &str) -> io::Result<Arc<MemFile>> {
        held(&self.files).get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Folder and name of a path.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl Disk for MemDisk {
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let names = held(&self.files);
        Ok(names.keys().map(|path| split(path)).filter(|(d, _)| *d == dir).map(|(_, n)| n.into()).collect())
    }

    fn make_dir(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        if held(&self.files).contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.put(path, Vec::new());
        self.open(path)
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.find(path)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let file = self.find(from)?;
        let mut files = held(&self.files);
        files.remove(from);
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        held(&self.files).remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _: &str) -> io::Result<Box<dyn Send + Sync>> {
        if self.locked.swap(true, Ordering::SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Lock(Arc::clone(&self.locked))))
    }
}

impl DiskFile for MemFile {
    fn size(&self) -> io::Result<u64> {
        Ok(held(&self.bytes).len() as u64)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        assert!(buf.len() <= LARGEST_READ, "{} bytes wanted at once", buf.len());
        let bytes = held(&self.bytes);
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let n = buf.len().min(bytes.len() - from);
        buf[..n].copy_from_slice(&bytes[from..from + n]);
        Ok(n)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = held(&self.bytes);
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = from.saturating_add(data.len());
        assert!(end <= LARGEST_FILE, "a file of {end} bytes");
        let growth = end.saturating_sub(bytes.len());
        let end = end - (growth - self.room.take(growth));
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        let fits = end.saturating_sub(from).min(data.len());
        bytes[from..from + fits].copy_from_slice(&data[..fits]);
        if fits == data.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        assert!(len <= LARGEST_FILE as u64, "a file of {len} bytes");
        held(&self.bytes).resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
