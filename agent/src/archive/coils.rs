//! Matrices of decided coils, in append-only files of which retention drops the oldest whole.
//!
//! A matrix is durable before the decision that names it. A matrix without a decision, left by a power cut
//! between the two, is never read and goes with its file.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::disk::{Disk, DiskFile, numbered};
use super::error::{Error, Result};
use super::frame::{self, Place, Stream};
use super::log::{append_durably, create};

const DIR: &str = "coils";
const MATRIX: u8 = 1;

/// Where a matrix was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixAt {
    /// The file's number, from 1.
    pub file: u32,
    /// The byte at which its frame begins.
    pub offset: u64,
    /// Its length, bytes.
    pub length: u32,
    /// Its frame's checksum.
    pub crc: u32,
}

/// The files of matrices.
#[derive(Debug)]
pub struct Coils {
    disk: Arc<dyn Disk>,
    rotate: u64,
    /// Length by number.
    files: BTreeMap<u32, u64>,
    newest: Option<Arc<dyn DiskFile>>,
}

fn place(file: u32) -> Place {
    Place { stream: Stream::Coils, file: u64::from(file) }
}

fn path(file: u32) -> String {
    format!("{DIR}/{file:08}.seg")
}

impl Coils {
    /// Opens what is there.
    pub fn open(disk: &Arc<dyn Disk>, rotate: u64) -> Result<Self> {
        let mut coils = Self { disk: Arc::clone(disk), rotate, files: BTreeMap::new(), newest: None };
        for number in numbered(disk.as_ref(), DIR, "seg").map_err(Error::io("listing", DIR))? {
            let file = disk.open(&path(number)).map_err(Error::io("opening", path(number)))?;
            coils.files.insert(number, file.size().map_err(Error::io("measuring", path(number)))?);
            coils.newest = Some(file);
        }
        Ok(coils)
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.files.values().sum()
    }

    /// Stores a matrix; it is durable when this returns.
    pub fn append(&mut self, matrix: &[u8]) -> Result<MatrixAt> {
        let bytes = (frame::HEADER + matrix.len()) as u64;
        let end = self.files.last_key_value().map(|(_, &len)| len);
        if end.is_none_or(|len| len > 0 && len + bytes > self.rotate) {
            self.begin_file()?;
        }
        let (Some(file), Some(mut entry)) = (&self.newest, self.files.last_entry()) else {
            unreachable!("a file was just begun")
        };
        let (number, offset) = (*entry.key(), *entry.get());
        let (frame, crc) = frame::encode(place(number), offset, MATRIX, matrix);
        append_durably(file.as_ref(), &path(number), offset, &frame)?;
        *entry.get_mut() += bytes;
        Ok(MatrixAt { file: number, offset, length: matrix.len() as u32, crc })
    }

    fn begin_file(&mut self) -> Result<()> {
        let number = self.files.last_key_value().map_or(0, |(&n, _)| n) + 1;
        let file = create(self.disk.as_ref(), &path(number))?;
        self.newest = Some(file);
        self.files.insert(number, 0);
        self.disk.sync_dir(DIR).map_err(Error::unsure("syncing the folder of", path(number)))
    }

    /// A stored matrix, or `None` once retention has dropped its file.
    pub fn read(&self, at: MatrixAt) -> Result<Option<Vec<u8>>> {
        if self.files.first_key_value().is_none_or(|(&oldest, _)| at.file < oldest) {
            return Ok(None);
        }
        let name = path(at.file);
        let damaged = || Error::Damaged { file: name.clone(), offset: at.offset };
        if !self.files.contains_key(&at.file) {
            return Err(damaged());
        }
        let file = self.disk.open(&name).map_err(Error::io("opening", &*name))?;
        let found = frame::read_one(file.as_ref(), place(at.file), at.offset)
            .map_err(Error::io("reading", &*name))?;
        match found {
            Some((MATRIX, matrix, crc)) if crc == at.crc && matrix.len() == at.length as usize => {
                Ok(Some(matrix))
            }
            _ => Err(damaged()),
        }
    }

    /// Removes the oldest file and returns the bytes it had; `None` if only the newest is left.
    ///
    /// One at a time, each durably: a file missing between two others is damage, not retention.
    pub fn drop_oldest(&mut self) -> Result<Option<u64>> {
        if self.files.len() < 2 {
            return Ok(None);
        }
        let Some((number, bytes)) = self.files.pop_first() else { return Ok(None) };
        let removed = self.disk.remove(&path(number));
        if let Err(source) = removed {
            self.files.insert(number, bytes);
            return Err(Error::Io { file: path(number), doing: "removing", source });
        }
        self.disk.sync_dir(DIR).map_err(Error::unsure("syncing the folder of", path(number)))?;
        Ok(Some(bytes))
    }
}
