//! The clean-stop marker: what an orderly stop left behind, to the byte. It is removed, durably, before
//! anything else is touched, so one that matches what is there proves that nothing happened since.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::{Disk, MAX_NUMBER, sync_folder};
use super::error::{Error, Result};
use super::frame::{self, Place, Stream};
use super::log::Gap;

const PATH: &str = "clean";
const TEMPORARY: &str = "clean.tmp";
const KIND: u8 = 1;
const PLACE: Place = Place { stream: Stream::Marker, file: 0 };

/// Records of the log by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Decisions.
    pub decisions: u64,
    /// Feedback.
    pub feedback: u64,
    /// Receipts.
    pub receipts: u64,
    /// Of kinds that this version does not know.
    pub unknown: u64,
}

/// What an orderly stop left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The log's files and lengths.
    pub log: Vec<(u32, u64)>,
    /// Checksum of the log's end.
    pub log_tail_crc: u32,
    /// What the log holds.
    pub counts: Counts,
    /// Its known gaps.
    pub gaps: Vec<Gap>,
    /// The open segments.
    pub segments: Vec<u32>,
    /// The number of the next segment.
    pub next_segment: u32,
    /// The views' folder, if they were on disk.
    pub views: Option<Fingerprint>,
}

/// Everything in a folder of the views.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The folder's number.
    pub generation: u32,
    /// Path, length and CRC-32 of every file, sorted by path.
    pub files: Vec<(String, u64, u32)>,
}

impl Fingerprint {
    /// Takes the fingerprint of a folder; with `sync`, makes its files durable on the way.
    pub fn take(generation: u32, folder: &Path, sync: bool) -> io::Result<Self> {
        let mut files = Vec::new();
        walk(folder, "", sync, &mut files)?;
        files.sort();
        Ok(Self { generation, files })
    }

    /// What is not as in `left`, if anything.
    pub fn unlike(&self, left: &Self) -> Option<String> {
        let differs = |(name, len, crc): &(String, u64, u32), others: &[(String, u64, u32)]| {
            let other = others.iter().find(|other| other.0 == *name);
            match other {
                Some((_, other_len, other_crc)) if (other_len, other_crc) == (len, crc) => None,
                Some((_, other_len, _)) => {
                    Some(format!("{name} has {len} bytes, other than the {other_len} left"))
                }
                None => Some(format!("{name} is on one side only")),
            }
        };
        let found = self.files.iter().find_map(|file| differs(file, &left.files));
        let found = found.or_else(|| left.files.iter().find_map(|file| differs(file, &self.files)));
        found.map(|what| format!("the views' files are not those of the last stop: {what}"))
    }
}

fn walk(folder: &Path, prefix: &str, sync: bool, files: &mut Vec<(String, u64, u32)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{name}/"), sync, files)?;
            continue;
        }
        let mut file = File::open(entry.path())?;
        if sync {
            file.sync_all()?;
        }
        let mut hasher = crc32fast::Hasher::new();
        let mut piece = vec![0; 256 << 10];
        let mut len = 0;
        loop {
            let n = file.read(&mut piece)?;
            if n == 0 {
                break;
            }
            hasher.update(&piece[..n]);
            len += n as u64;
        }
        files.push((name, len, hasher.finalize()));
    }
    if sync {
        sync_folder(folder)?;
    }
    Ok(())
}

/// Reads the marker, if there is a readable one, and removes it durably.
pub fn take(disk: &dyn Disk) -> Result<Option<Marker>> {
    let names = disk.list("").map_err(Error::io("listing", "the archive's folder"))?;
    let mut marker = None;
    for name in names.iter().filter(|name| *name == PATH || *name == TEMPORARY) {
        if name == PATH {
            let file = disk.open(name).map_err(Error::io("opening", name))?;
            let read = frame::read_one(file.as_ref(), PLACE, 0).map_err(Error::io("reading", name))?;
            marker = read
                .filter(|(kind, ..)| *kind == KIND)
                .and_then(|(_, json, _)| serde_json::from_slice(&json).ok())
                .filter(|marker: &Marker| marker.next_segment <= MAX_NUMBER + 1);
        }
        disk.remove(name).map_err(Error::io("removing", name))?;
    }
    Ok(marker)
}

/// Writes the marker, durably: the last thing that an orderly stop does.
pub fn leave(disk: &dyn Disk, marker: &Marker) -> Result<()> {
    let json = serde_json::to_vec(marker).unwrap_or_default();
    if json.len() > frame::MAX_PAYLOAD {
        // Thousands of gaps: the next start reads the whole log again, which says the same.
        return Ok(());
    }
    let (frame, _) = frame::encode(PLACE, 0, KIND, &json);
    let file = disk.create(TEMPORARY).map_err(Error::io("creating", TEMPORARY))?;
    file.write_at(&frame, 0).map_err(Error::io("writing", TEMPORARY))?;
    file.sync_data().map_err(Error::io("syncing", TEMPORARY))?;
    disk.rename(TEMPORARY, PATH).map_err(Error::io("naming", PATH))?;
    disk.sync_dir("").map_err(Error::io("syncing the folder of", PATH))
}
