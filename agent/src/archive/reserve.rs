//! A file that only takes up room, given up when the disk is full and a decision must be stored.

use std::sync::Arc;

use super::disk::{Disk, DiskFile, is_full};
use super::error::{Error, Result};

const PATH: &str = "reserve";

/// The file, full-sized or empty.
#[derive(Debug)]
pub struct ReserveFile {
    file: Arc<dyn DiskFile>,
    size: u64,
    held: u64,
}

impl ReserveFile {
    /// Opens or makes it; [`ReserveFile::fill`] gives it its size.
    pub fn open(disk: &dyn Disk, size: u64) -> Result<Self> {
        let names = disk.list("").map_err(Error::io("listing", "the archive's folder"))?;
        let file = if names.iter().any(|name| name == PATH) { disk.open(PATH) } else { disk.create(PATH) };
        let file = file.map_err(Error::io("opening", PATH))?;
        let held = file.size().map_err(Error::io("measuring", PATH))?;
        Ok(Self { file, size, held })
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.held
    }

    /// Takes its room if there is as much; whether it has it now.
    pub fn fill(&mut self) -> Result<bool> {
        if self.held == self.size {
            return Ok(true);
        }
        // Bytes that no compressing file system makes smaller.
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut piece = vec![0; 64 << 10];
        self.held = 0;
        while self.held < self.size {
            let n = piece.len().min((self.size - self.held) as usize);
            for eight in piece[..n].chunks_mut(8) {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                eight.copy_from_slice(&state.to_be_bytes()[..eight.len()]);
            }
            match self.file.write_at(&piece[..n], self.held) {
                Ok(()) => self.held += n as u64,
                Err(error) if is_full(&error) => {
                    self.release()?;
                    return Ok(false);
                }
                Err(error) => return Err(Error::io("writing", PATH)(error)),
            }
        }
        self.file.set_len(self.size).map_err(Error::io("cutting", PATH))?;
        self.file.sync_data().map_err(Error::io("syncing", PATH))?;
        Ok(true)
    }

    /// Gives its room to whoever writes next; whether there was any.
    pub fn give_up(&mut self) -> Result<bool> {
        let had = self.held > 0;
        if had {
            self.release()?;
        }
        Ok(had)
    }

    fn release(&mut self) -> Result<()> {
        self.held = 0;
        self.file.set_len(0).map_err(Error::io("cutting", PATH))?;
        self.file.sync_data().map_err(Error::io("syncing", PATH))
    }
}
