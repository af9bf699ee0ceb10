//! A disk in memory that loses power as badly as a real one may, for tests.
//!
//! Written bytes count only after their file's `sync_data`, names only after their folder's `sync_dir`. At a
//! power cut each write since may be whole, gone, torn at a byte or in any set of sectors, or its length may have
//! arrived without its bytes, whatever became of earlier ones; where bytes did not arrive lie zeros, noise, or
//! what other files once held. Each new, removed or renamed name is there or not on its own. A failed
//! sync behaves as on Linux: the bytes stay readable, later syncs succeed, and the bytes are not on the disk;
//! names whose sync failed are left to a later one (file systems that fail there stop writing altogether).

mod cut;
mod rng;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use rng::Rng;

use super::disk::{Disk, DiskFile};

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Write(offset, data) => put(to, *offset, data),
            Change::SetLen(len) => to.resize(*len as usize, 0),
        }
    }
}

fn put(to: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let (from, end) = (offset as usize, offset as usize + data.len());
    if to.len() < end {
        to.resize(end, 0);
    }
    to[from..end].copy_from_slice(data);
}

#[derive(Debug, Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    visible: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Naming {
    Link(String, usize),
    Unlink(String),
    Rename(String, String, usize),
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Naming::Link(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Naming::Unlink(name) => {
                names.remove(name);
            }
            Naming::Rename(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Folder {
    durable: BTreeMap<String, usize>,
    visible: BTreeMap<String, usize>,
    pending: Vec<Naming>,
    /// Whether its own name is durable.
    made: bool,
}

/// Something that goes wrong in a file whose path begins so: once, but for reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Write(&'static str, io::ErrorKind),
    Sync(&'static str),
    SyncDir(&'static str),
    /// Bytes from the first to before the second are never read.
    Read(&'static str, u64, u64),
}

#[derive(Debug, Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    folders: BTreeMap<String, Folder>,
    ops: u64,
    cut_at: Option<u64>,
    dead: bool,
    capacity: Option<u64>,
    fault: Option<Fault>,
}

/// The disk; clones are the same disk.
#[derive(Debug, Clone)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
    locked: Arc<AtomicBool>,
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
    path: String,
}

#[derive(Debug)]
struct Lock(Arc<AtomicBool>);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

fn power_cut() -> io::Error {
    io::Error::other("the power is gone")
}

impl State {
    /// Counts a change; `false` if the power goes during it.
    fn change(&mut self) -> io::Result<bool> {
        if self.dead {
            return Err(power_cut());
        }
        self.ops += 1;
        self.dead = self.cut_at == Some(self.ops);
        Ok(!self.dead)
    }

    fn folder(&mut self, dir: &str) -> io::Result<&mut Folder> {
        if self.dead {
            return Err(power_cut());
        }
        self.folders.get_mut(dir).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn find(&mut self, path: &str) -> io::Result<usize> {
        let (dir, name) = split(path);
        self.folder(dir)?.visible.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rename_pending(&mut self, dir: &str, naming: Naming) -> io::Result<()> {
        let alive = self.change()?;
        let Some(folder) = self.folders.get_mut(dir) else { return Err(io::ErrorKind::NotFound.into()) };
        naming.apply(&mut folder.visible);
        folder.pending.push(naming);
        if alive { Ok(()) } else { Err(power_cut()) }
    }

    fn used(&self) -> u64 {
        self.folders
            .values()
            .flat_map(|f| f.visible.values())
            .map(|&i| self.inodes[i].visible.len() as u64)
            .sum()
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl SimDisk {
    pub fn new() -> Self {
        let mut state = State::default();
        state.folders.insert(String::new(), Folder { made: true, ..Folder::default() });
        Self::of(state)
    }

    fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)), locked: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes so far: writes, syncs, names made and removed.
    pub fn ops(&self) -> u64 {
        self.state().ops
    }

    /// Cuts the power during the `n`-th change from now, counted from 1.
    pub fn cut_after(&self, n: u64) {
        let mut state = self.state();
        state.cut_at = Some(state.ops + n);
    }

    /// Gives the disk so many bytes, all files together.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Bytes in all files.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// Lets one thing go wrong.
    pub fn fail(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// Changes the bytes of a file as rot does.
    pub fn spoil(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let inode = state.find(path).expect("the file to spoil");
        let inode = &mut state.inodes[inode];
        change(&mut inode.visible);
        inode.durable.clone_from(&inode.visible);
        inode.pending.clear();
    }

    /// The disk as found after a power cut.
    pub fn after_cut(&self, rng: &mut Rng) -> Self {
        let old = self.state();
        let mut new = State { capacity: old.capacity, ..State::default() };
        for (name, folder) in &old.folders {
            if !folder.made && rng.coin() {
                continue;
            }
            let mut names = folder.durable.clone();
            let all = rng.below(4);
            for naming in &folder.pending {
                if all == 0 || (all > 1 && rng.coin()) {
                    naming.apply(&mut names);
                }
            }
            let mut survivors = BTreeMap::new();
            for (name, inode) in names {
                let content = cut::survive(&old, inode, rng);
                survivors.insert(name, new.inodes.len());
                new.inodes.push(Inode { durable: content.clone(), visible: content, pending: Vec::new() });
            }
            let folder =
                Folder { durable: survivors.clone(), visible: survivors, pending: Vec::new(), made: true };
            new.folders.insert(name.clone(), folder);
        }
        Self::of(new)
    }
}

impl Disk for SimDisk {
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        Ok(self.state().folder(dir)?.visible.keys().cloned().collect())
    }

    fn make_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        let alive = state.change()?;
        state.folders.entry(dir.to_owned()).or_default();
        if alive { Ok(()) } else { Err(power_cut()) }
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let (dir, name) = split(path);
        if state.folder(dir)?.visible.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        state.rename_pending(dir, Naming::Link(name.to_owned(), inode))?;
        drop(state);
        Ok(Arc::new(SimFile { disk: self.clone(), inode, path: path.to_owned() }))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.state().find(path)?;
        Ok(Arc::new(SimFile { disk: self.clone(), inode, path: path.to_owned() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.find(from)?;
        let ((dir, from), (_, to)) = (split(from), split(to));
        state.rename_pending(dir, Naming::Rename(from.to_owned(), to.to_owned(), inode))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.find(path)?;
        let (dir, name) = split(path);
        state.rename_pending(dir, Naming::Unlink(name.to_owned()))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        if !state.change()? {
            return Err(power_cut());
        }
        if state.fault.take_if(|f| matches!(f, Fault::SyncDir(d) if *d == dir)).is_some() {
            return Err(io::Error::other("input/output error"));
        }
        let folder = state.folder(dir)?;
        for naming in std::mem::take(&mut folder.pending) {
            naming.apply(&mut folder.durable);
        }
        if dir.is_empty() {
            state.folders.values_mut().for_each(|folder| folder.made = true);
        }
        Ok(())
    }

    fn lock(&self, _path: &str) -> io::Result<Box<dyn Send + Sync>> {
        if self.locked.swap(true, Ordering::SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Lock(Arc::clone(&self.locked))))
    }
}

impl SimFile {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.disk.state();
        let alive = state.change()?;
        let inode = &mut state.inodes[self.inode];
        change.apply(&mut inode.visible);
        inode.pending.push(change);
        if alive { Ok(()) } else { Err(power_cut()) }
    }
}

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        let state = self.disk.state();
        if state.dead { Err(power_cut()) } else { Ok(state.inodes[self.inode].visible.len() as u64) }
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        if state.dead {
            return Err(power_cut());
        }
        if let Some(Fault::Read(path, from, to)) = state.fault
            && self.path.starts_with(path)
            && offset < to
            && offset + buf.len() as u64 > from
        {
            return Err(io::Error::other("input/output error"));
        }
        let bytes = state.inodes[self.inode].visible.get(offset as usize..).unwrap_or_default();
        let n = buf.len().min(bytes.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let fault = state.fault.take_if(|f| matches!(f, Fault::Write(p, _) if self.path.starts_with(*p)));
        let len = state.inodes[self.inode].visible.len() as u64;
        let growth = (offset + data.len() as u64).saturating_sub(len);
        let room = state.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used()));
        drop(state);
        let (fits, error) = match fault {
            Some(Fault::Write(_, kind)) => (data.len() / 2, Some(io::Error::from(kind))),
            _ if growth > room => {
                (data.len() - (growth - room) as usize, Some(io::ErrorKind::StorageFull.into()))
            }
            _ => (data.len(), None),
        };
        self.change(Change::Write(offset, data[..fits].to_vec()))?;
        error.map_or(Ok(()), Err)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        if !state.change()? {
            return Err(power_cut());
        }
        let failed = state.fault.take_if(|f| matches!(f, Fault::Sync(p) if self.path.starts_with(*p)));
        let Inode { durable, pending, .. } = &mut state.inodes[self.inode];
        let pending = std::mem::take(pending);
        if failed.is_some() {
            return Err(io::Error::other("input/output error"));
        }
        for change in pending {
            change.apply(durable);
        }
        Ok(())
    }
}
