//! The permanent log: the truth of the archive. Append-only, one sync for each record, never shortened but by
//! what a power cut left half-written at its end.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::disk::{Disk, DiskFile, is_full, numbered};
use super::error::{Error, Result};
use super::frame::{self, Frames, Place, Step, Stream};

const DIR: &str = "log";
/// Files are numbered one after the other and stay: one whose number lies further beyond the last has
/// lost its name, and does not make thousands of others missing.
const MOST_MISSING: u32 = 1000;

/// Where a record of the log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file's number, from 1.
    pub file: u32,
    /// The byte at which its frame begins.
    pub offset: u64,
}

/// Part of the log that cannot be read: records may have been lost there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The file's number.
    pub file: u32,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes, as far as is known.
    pub bytes: u64,
    /// What happened.
    pub kind: GapKind,
}

/// What made a [`Gap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// The bytes are there but are no valid record.
    Damaged,
    /// The file is shorter than it was at the last orderly stop.
    Shortened,
    /// The file is not there.
    Missing,
}

impl Gap {
    /// Whether a record said to be at `at` lies in it.
    pub fn covers(&self, at: Location) -> bool {
        at.file == self.file
            && (self.kind == GapKind::Missing
                || (at.offset >= self.offset && at.offset - self.offset < self.bytes))
    }
}

/// What a walk through the whole log found besides its records.
#[derive(Debug, Default)]
pub struct Scan {
    /// Unreadable parts.
    pub gaps: Vec<Gap>,
    /// Where the half-written end of the last file begins, and its bytes.
    pub torn: Option<(u64, u64)>,
    /// The last record of the last file: its first byte and its end.
    last: Option<(u64, u64)>,
    /// Whether the disk does not read the end of the last file.
    dead_end: bool,
}

impl Scan {
    /// What a walk would find according to an earlier one.
    pub fn known(gaps: Vec<Gap>) -> Self {
        Self { gaps, ..Self::default() }
    }
}

#[derive(Debug, Clone)]
pub(super) struct LogFile {
    pub number: u32,
    pub file: Arc<dyn DiskFile>,
    pub len: u64,
}

impl LogFile {
    pub fn frames(&self) -> Frames {
        self.frames_from(0)
    }

    pub fn frames_from(&self, at: u64) -> Frames {
        Frames::from(Arc::clone(&self.file), place(self.number), at, self.len)
    }
}

/// The log's files, all open: with the usual limits ten of them hold a million decisions.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    rotate: u64,
    files: Vec<LogFile>,
    /// Numbers and lengths of files that lie too far beyond the others to be of them.
    stray: Vec<(u32, u64)>,
    next: u32,
    /// Nothing more goes into the last file.
    sealed: bool,
}

fn place(file: u32) -> Place {
    Place { stream: Stream::Log, file: u64::from(file) }
}

/// The last number of those that follow each other, 0 without one.
fn last_of(numbers: impl Iterator<Item = u32>) -> u32 {
    let numbers: BTreeSet<u32> = numbers.collect();
    numbers.into_iter().fold(0, |last, number| if number - last <= MOST_MISSING { number } else { last })
}

/// The path of a file of the log.
pub fn path(file: u32) -> String {
    format!("{DIR}/{file:08}.log")
}

impl Log {
    /// Opens what is there; `sealed` is what an orderly stop said of numbers and lengths.
    pub fn open(disk: &Arc<dyn Disk>, rotate: u64, sealed: &[(u32, u64)]) -> Result<Self> {
        let (mut files, mut stray) = (Vec::new(), Vec::new());
        let numbers = numbered(disk.as_ref(), DIR, "log").map_err(Error::io("listing", DIR))?;
        let last = last_of(numbers.iter().copied().chain(sealed.iter().map(|s| s.0)));
        for number in numbers {
            let file = disk.open(&path(number)).map_err(Error::io("opening", path(number)))?;
            let len = file.size().map_err(Error::io("measuring", path(number)))?;
            if number <= last {
                files.push(LogFile { number, file, len });
            } else {
                stray.push((number, len));
            }
        }
        Ok(Self { disk: Arc::clone(disk), rotate, files, stray, next: last + 1, sealed: false })
    }

    /// Numbers and lengths of its files.
    pub fn lengths(&self) -> Vec<(u32, u64)> {
        self.files.iter().map(|f| (f.number, f.len)).collect()
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.len).sum()
    }

    /// The files as they are now: they only grow, so this can be read while records are appended.
    pub(super) fn files(&self) -> Vec<LogFile> {
        self.files.clone()
    }

    /// Checksum of the last 64 KiB of the last file, 0 without one.
    pub fn tail_crc(&self) -> Result<u32> {
        let Some(last) = self.files.last() else { return Ok(0) };
        let mut bytes = vec![0; last.len.min(64 << 10) as usize];
        let from = last.len - bytes.len() as u64;
        let have = last.file.read_at(&mut bytes, from).map_err(Error::io("reading", path(last.number)))?;
        Ok(crc32fast::hash(&bytes[..have]))
    }

    /// Walks through all records in order. `sealed` as in [`Log::open`]: what lies before a sealed end was
    /// whole once, so it is damaged, not torn.
    pub fn scan(
        &self,
        sealed: &[(u32, u64)],
        mut visit: impl FnMut(Location, u8, &[u8]) -> Result<()>,
    ) -> Result<Scan> {
        let mut scan = Scan::default();
        for number in 1..self.next {
            let sealed_len = sealed.iter().find(|s| s.0 == number).map_or(0, |s| s.1);
            let Some(file) = self.files.iter().find(|f| f.number == number) else {
                scan.gaps.push(Gap { file: number, offset: 0, bytes: sealed_len, kind: GapKind::Missing });
                continue;
            };
            let is_last = number + 1 == self.next;
            let mut frames = file.frames();
            loop {
                match frames.step().map_err(Error::io("reading", path(number)))? {
                    Step::Record { offset, kind, payload } => {
                        if is_last {
                            scan.last = Some((offset, offset + (frame::HEADER + payload.len()) as u64));
                        }
                        visit(Location { file: number, offset }, kind, payload)?;
                    }
                    Step::Damaged { offset, bytes } => {
                        scan.gaps.push(Gap { file: number, offset, bytes, kind: GapKind::Damaged });
                    }
                    Step::Tail { offset, bytes, unreadable } => {
                        // Cut off only what is known to be half-written.
                        let may_be_torn = is_last && !unreadable;
                        scan.dead_end = is_last && unreadable;
                        let whole_once =
                            if may_be_torn { sealed_len.clamp(offset, file.len) } else { file.len };
                        if whole_once > offset {
                            let bytes = whole_once - offset;
                            scan.gaps.push(Gap { file: number, offset, bytes, kind: GapKind::Damaged });
                        }
                        if whole_once < file.len {
                            scan.torn = Some((whole_once, offset + bytes - whole_once));
                        }
                    }
                    Step::End => break,
                }
            }
            if file.len < sealed_len {
                let (offset, bytes) = (file.len, sealed_len - file.len);
                scan.gaps.push(Gap { file: number, offset, bytes, kind: GapKind::Shortened });
            }
        }
        for &(file, bytes) in &self.stray {
            scan.gaps.push(Gap { file, offset: 0, bytes, kind: GapKind::Damaged });
        }
        Ok(scan)
    }

    /// Makes what a scan after an unclean stop has read durable, and cuts off the torn end.
    ///
    /// After a kill without a power cut the last record may be in memory only; after a failed sync the system
    /// may call it clean though it never reached the disk. Writing its bytes again makes it dirty.
    pub fn settle(&mut self, scan: &Scan) -> Result<()> {
        let Some(last) = self.files.last_mut() else { return Ok(()) };
        let name = path(last.number);
        // A record written beside what cannot be read might not be read either.
        self.sealed = scan.dead_end;
        if let Some((offset, _)) = scan.torn {
            last.file.set_len(offset).map_err(Error::unsure("cutting", &*name))?;
            last.len = offset;
        }
        if let Some((from, to)) = scan.last {
            let mut bytes = vec![0; (to - from) as usize];
            last.file.read_at(&mut bytes, from).map_err(Error::io("reading", &*name))?;
            last.file.write_at(&bytes, from).map_err(Error::unsure("writing", &*name))?;
        }
        last.file.sync_data().map_err(Error::unsure("syncing", name))
    }

    /// Appends a record; it is durable when this returns.
    pub fn append(&mut self, kind: u8, payload: &[u8]) -> Result<Location> {
        let bytes = (frame::HEADER + payload.len()) as u64;
        if self.files.last().is_none_or(|f| f.len > 0 && (self.sealed || f.len + bytes > self.rotate)) {
            self.begin_file()?;
        }
        let Some(last) = self.files.last_mut() else { unreachable!("a file was just begun") };
        let (number, offset) = (last.number, last.len);
        let (frame, _) = frame::encode(place(number), offset, kind, payload);
        append_durably(last.file.as_ref(), &path(number), offset, &frame)?;
        last.len += bytes;
        Ok(Location { file: number, offset })
    }

    fn begin_file(&mut self) -> Result<()> {
        let number = self.next;
        let name = path(number);
        let file = create(self.disk.as_ref(), &name)?;
        // From here on the number is taken, whatever becomes of the sync.
        self.files.push(LogFile { number, file, len: 0 });
        self.next += 1;
        self.sealed = false;
        self.disk.sync_dir(DIR).map_err(Error::unsure("syncing the folder of", name))
    }

    /// The record at `at`: kind and payload, or `None` if there is no valid one.
    pub fn read(&self, at: Location) -> Result<Option<(u8, Vec<u8>)>> {
        let Some(file) = self.files.iter().find(|f| f.number == at.file) else { return Ok(None) };
        if at.offset >= file.len {
            return Ok(None);
        }
        let found = frame::read_one(file.file.as_ref(), place(at.file), at.offset)
            .map_err(Error::io("reading", path(at.file)))?;
        Ok(found.map(|(kind, payload, _)| (kind, payload)))
    }
}

/// Makes a file, telling a full disk from a failing one.
pub(super) fn create(disk: &dyn Disk, path: &str) -> Result<Arc<dyn DiskFile>> {
    disk.create(path).map_err(|source| {
        let file = path.to_owned();
        if is_full(&source) {
            Error::DiskFull { file, source }
        } else {
            Error::Io { file, doing: "creating", source }
        }
    })
}

/// Writes at the end of a file. A full disk leaves the file as it was; any other failure is fatal.
pub(super) fn append_bytes(file: &dyn DiskFile, path: &str, end: u64, bytes: &[u8]) -> Result<()> {
    match file.write_at(bytes, end) {
        Ok(()) => Ok(()),
        Err(source) if is_full(&source) => {
            file.set_len(end).map_err(Error::unsure("cutting", path))?;
            file.sync_data().map_err(Error::unsure("syncing", path))?;
            Err(Error::DiskFull { file: path.to_owned(), source })
        }
        Err(source) => Err(Error::Unsure { file: path.to_owned(), doing: "writing", source }),
    }
}

/// Writes a file's beginning anew, durably. A full disk leaves it as it was; any other failure is fatal.
pub(super) fn overwrite(file: &dyn DiskFile, path: &str, bytes: &[u8]) -> Result<()> {
    match file.write_at(bytes, 0).and_then(|()| file.sync_data()) {
        Err(source) if is_full(&source) => Err(Error::DiskFull { file: path.to_owned(), source }),
        done => done.map_err(Error::unsure("writing", path)),
    }
}

/// As [`append_bytes`], and durable.
pub(super) fn append_durably(file: &dyn DiskFile, path: &str, end: u64, bytes: &[u8]) -> Result<()> {
    append_bytes(file, path, end, bytes)?;
    file.sync_data().map_err(Error::unsure("syncing", path))
}
