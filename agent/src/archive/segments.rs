//! Rows of coils that are still open, a file for each, removed once the decision is durable.
//!
//! A number is never used again once a decision has named it: recovery drops the segments that the log calls
//! decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, numbered};
use super::error::{Error, Result};
use super::frame::{self, Frames, Place, Step, Stream};
use super::log::{append_bytes, create};

pub(super) const DIR: &str = "open";
const ROWS: u8 = 1;

/// An open coil's segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub(super) u32);

/// A segment found at start that awaits its decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSegment {
    /// Its id, good for further calls.
    pub id: SegmentId,
    /// What was appended and is still there, in order: all that was synced, and maybe some of what was not.
    pub records: Vec<Vec<u8>>,
    /// Bytes among them that are no valid record: appended after the last sync, or damaged since.
    pub skipped_bytes: u64,
}

#[derive(Debug)]
struct Segment {
    file: Arc<dyn DiskFile>,
    len: u64,
    dirty: bool,
}

/// The open segments.
#[derive(Debug)]
pub struct Segments {
    disk: Arc<dyn Disk>,
    open: BTreeMap<SegmentId, Segment>,
    next: u32,
    names_dirty: bool,
}

fn place(id: SegmentId) -> Place {
    Place { stream: Stream::Open, file: u64::from(id.0) }
}

fn path(id: SegmentId) -> String {
    format!("{DIR}/{:08}.rows", id.0)
}

/// The segments on disk.
pub fn list(disk: &dyn Disk) -> Result<Vec<SegmentId>> {
    let numbers = numbered(disk, DIR, "rows").map_err(Error::io("listing", DIR))?;
    Ok(numbers.into_iter().map(SegmentId).collect())
}

impl Segments {
    /// Opens those on disk, removing what is `decided`. `next` is above every number the log names; `settle`
    /// after an unclean stop: what is read is then written again and synced (see `Log::settle`).
    pub fn open(
        disk: &Arc<dyn Disk>,
        decided: &BTreeSet<SegmentId>,
        next: u32,
        settle: bool,
    ) -> Result<(Self, Vec<OpenSegment>)> {
        let mut segments = Self { disk: Arc::clone(disk), open: BTreeMap::new(), next, names_dirty: false };
        let mut found = Vec::new();
        for id in list(disk.as_ref())? {
            segments.next = segments.next.max(id.0 + 1);
            if decided.contains(&id) {
                disk.remove(&path(id)).map_err(Error::io("removing", path(id)))?;
                segments.names_dirty = true;
                continue;
            }
            let (segment, read) = read(disk.as_ref(), id, settle)?;
            segments.open.insert(id, segment);
            found.push(read);
        }
        if segments.names_dirty {
            segments.sync()?;
        }
        Ok((segments, found))
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.open.values().map(|s| s.len).sum()
    }

    /// The open ones.
    pub fn ids(&self) -> Vec<u32> {
        self.open.keys().map(|id| id.0).collect()
    }

    /// The number that the next segment gets.
    pub fn next(&self) -> u32 {
        self.next
    }

    /// Refuses an id that is not open.
    pub fn check(&self, id: SegmentId) -> Result<()> {
        if self.open.contains_key(&id) { Ok(()) } else { Err(Error::UnknownSegment { id: id.0.into() }) }
    }

    /// Begins a segment; it is durable with the next sync.
    pub fn begin(&mut self) -> Result<SegmentId> {
        let id = SegmentId(self.next);
        let file = create(self.disk.as_ref(), &path(id))?;
        self.next += 1;
        self.names_dirty = true;
        self.open.insert(id, Segment { file, len: 0, dirty: false });
        Ok(id)
    }

    /// Appends to a segment; durable with the next sync.
    pub fn append(&mut self, id: SegmentId, rows: &[u8]) -> Result<()> {
        let segment = self.open.get_mut(&id).ok_or(Error::UnknownSegment { id: id.0.into() })?;
        let (frame, _) = frame::encode(place(id), segment.len, ROWS, rows);
        segment.dirty = true;
        append_bytes(segment.file.as_ref(), &path(id), segment.len, &frame)?;
        segment.len += frame.len() as u64;
        Ok(())
    }

    /// Makes everything so far durable.
    pub fn sync(&mut self) -> Result<()> {
        for (&id, segment) in self.open.iter_mut().filter(|(_, s)| s.dirty) {
            segment.file.sync_data().map_err(Error::unsure("syncing", path(id)))?;
            segment.dirty = false;
        }
        if self.names_dirty {
            self.disk.sync_dir(DIR).map_err(Error::unsure("syncing", DIR))?;
            self.names_dirty = false;
        }
        Ok(())
    }

    /// Removes a segment; durable with the next sync.
    pub fn remove(&mut self, id: SegmentId) -> Result<()> {
        self.check(id)?;
        self.disk.remove(&path(id)).map_err(Error::io("removing", path(id)))?;
        self.open.remove(&id);
        self.names_dirty = true;
        Ok(())
    }

    /// Leaves a decided segment's file to the next start.
    pub fn forget(&mut self, id: SegmentId) {
        self.open.remove(&id);
    }
}

fn read(disk: &dyn Disk, id: SegmentId, settle: bool) -> Result<(Segment, OpenSegment)> {
    let name = path(id);
    let file = disk.open(&name).map_err(Error::io("opening", &*name))?;
    let mut len = file.size().map_err(Error::io("measuring", &*name))?;
    let mut records = Vec::new();
    let mut skipped_bytes = 0;
    let mut frames = Frames::new(Arc::clone(&file), place(id), len);
    loop {
        match frames.step().map_err(Error::io("reading", &*name))? {
            Step::Record { kind: ROWS, payload, .. } => records.push(payload.to_vec()),
            Step::Record { .. } => {}
            Step::Damaged { bytes, .. } => skipped_bytes += bytes,
            Step::Tail { offset, bytes, unreadable } => {
                skipped_bytes += bytes;
                if settle && !unreadable {
                    file.set_len(offset).map_err(Error::unsure("cutting", &*name))?;
                    len = offset;
                }
            }
            Step::End => break,
        }
    }
    if settle {
        rewrite(file.as_ref(), len).map_err(Error::unsure("writing and syncing", &*name))?;
    }
    Ok((Segment { file, len, dirty: false }, OpenSegment { id, records, skipped_bytes }))
}

/// Writes everything again, but for blocks that the disk does not read, and syncs.
fn rewrite(file: &dyn DiskFile, len: u64) -> std::io::Result<()> {
    let mut block = vec![0; 4096];
    let mut at = 0;
    while at < len {
        let want = block.len().min((len - at) as usize);
        if let Ok(have) = file.read_at(&mut block[..want], at) {
            file.write_at(&block[..have], at)?;
        }
        at += want as u64;
    }
    file.sync_data()
}
