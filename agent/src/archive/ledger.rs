//! A log by itself, in a folder of its own: for what must be as durable as a decision and is not one.
//!
//! The same frames as the archive's log, read from the beginning at every start: for thousands of entries, not for
//! millions.

use super::disk::Disk;
use super::error::{Error, Result};
use super::frame::MAX_PAYLOAD;
use super::log::{Gap, Log};
use super::record::check_size;
use std::sync::Arc;

const DIR: &str = "log";
/// What its frames hold: entries.
const ENTRY: u8 = 16;
/// A file is not extended beyond this, bytes.
const FILE: u64 = 8 << 20;

/// An append-only log of entries.
#[derive(Debug)]
pub struct Ledger {
    log: Log,
}

/// What was read at the start.
#[derive(Debug, Default)]
pub struct Entries {
    /// All of them, oldest first.
    pub entries: Vec<Vec<u8>>,
    /// Parts that cannot be read.
    pub gaps: Vec<Gap>,
}

impl Ledger {
    /// Opens the log in the folder `log/` of a disk that is this process's alone, makes what is read durable, and
    /// cuts off what a power cut left half-written.
    pub fn open(disk: &Arc<dyn Disk>) -> Result<(Self, Entries)> {
        disk.make_dir(DIR).map_err(Error::io("making", DIR))?;
        for folder in [DIR, ""] {
            disk.sync_dir(folder).map_err(Error::unsure("syncing", format!("folder {folder:?}")))?;
        }
        let mut log = Log::open(disk, FILE, &[])?;
        let mut read = Entries::default();
        let scan = log.scan(&[], |_, kind, payload| {
            if kind == ENTRY {
                read.entries.push(payload.to_vec());
            }
            Ok(())
        })?;
        log.settle(&scan)?;
        read.gaps = scan.gaps;
        Ok((Self { log }, read))
    }

    /// Reads what is there and changes nothing: another process may be appending.
    pub fn look(disk: &Arc<dyn Disk>) -> Result<Entries> {
        let mut read = Entries::default();
        let scan = Log::open(disk, FILE, &[])?.scan(&[], |_, kind, payload| {
            if kind == ENTRY {
                read.entries.push(payload.to_vec());
            }
            Ok(())
        })?;
        read.gaps = scan.gaps;
        Ok(read)
    }

    /// Appends an entry; it is durable when this returns.
    pub fn append(&mut self, entry: &[u8]) -> Result<()> {
        check_size("an entry", entry.len(), MAX_PAYLOAD)?;
        self.log.append(ENTRY, entry).map(drop)
    }
}
