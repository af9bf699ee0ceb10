//! The few things the archive asks of a disk, and the real one.
//!
//! Paths are relative to the archive's folder, at most one folder deep. What survives a power cut: bytes of a
//! file after its `sync_data`, names in a folder after its `sync_dir`; nothing else is relied on.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder on something that keeps bytes.
pub trait Disk: Send + Sync + Debug {
    /// Names of the files in a folder, sorted; `""` is the archive's own folder.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;
    /// Makes a folder; one that is there already is no error.
    fn make_dir(&self, dir: &str) -> io::Result<()>;
    /// Makes a new empty file; `AlreadyExists` where there is one.
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading and writing; `NotFound` where there is none.
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name, taking the place of what bore it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
    /// Takes the archive's lock for as long as the returned value lives; `WouldBlock` where another holds it.
    fn lock(&self, path: &str) -> io::Result<Box<dyn Send + Sync>>;
}

/// An open file.
pub trait DiskFile: Send + Sync + Debug {
    /// Length in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Fills `buf` from `offset` on; fewer bytes only at the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `data` at `offset`; after an error part of it may be there.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts the file short or extends it by zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes contents and length durable.
    fn sync_data(&self) -> io::Result<()>;
}

/// Whether an error says that the disk has no room left, which passes, unlike one that says it is failing.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A folder of the file system.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// Uses `root`, making it where it is missing.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        if !root.is_dir() {
            fs::create_dir_all(&root)?;
            if let Some(parent) = root.parent().filter(|p| !p.as_os_str().is_empty()) {
                sync_folder(parent)?;
            }
        }
        Ok(Self { root })
    }
}

/// Makes the names in a folder of the file system durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

impl Disk for RealDisk {
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(dir))? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn make_dir(&self, dir: &str) -> io::Result<()> {
        fs::create_dir_all(self.root.join(dir))
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.root.join(path))?;
        Ok(Arc::new(file))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(true).open(self.root.join(path))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.root.join(path))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        sync_folder(&self.root.join(dir))
    }

    fn lock(&self, path: &str) -> io::Result<Box<dyn Send + Sync>> {
        let path = self.root.join(path);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match FileExt::read_at(self, &mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(data, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }
}

/// No file is numbered higher: a name that says so is damaged, or not ours.
pub(super) const MAX_NUMBER: u32 = 999_999_999;

/// Numbers of the files `NNNNNNNN.extension` in a folder, ascending; other names are not ours and stay.
pub(super) fn numbered(disk: &dyn Disk, dir: &str, extension: &str) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for name in disk.list(dir)? {
        if let Some((stem, "")) = name.split_once(&format!(".{extension}"))
            && let Ok(number) = stem.parse::<u32>()
            && (1..=MAX_NUMBER).contains(&number)
            && name == format!("{number:08}.{extension}")
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}
