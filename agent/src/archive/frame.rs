//! How records lie in every file of the archive, and how a damaged file is read.
//!
//! A frame is `[u32 length][u32 crc32][u8 kind][payload]`, little-endian; `length` counts the payload. The
//! checksum covers the place (stream, file number, offset), length, kind and payload: a frame is valid only
//! where it was written, so neither old blocks that a file system hands out again nor frames inside payloads
//! are ever taken for records. Kind 0 is no kind: a run of zeros is not a frame.

use std::io;
use std::sync::Arc;

use super::disk::DiskFile;

/// Bytes before the payload.
pub const HEADER: usize = 9;
/// No payload is longer, in bytes.
pub const MAX_PAYLOAD: usize = 1 << 20;

const WINDOW: usize = 256 << 10;
/// What a disk fails to read, it fails to read in blocks of this size, bytes.
const BLOCK: u64 = 4096;

/// The file in which a frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which of the archive's streams.
    pub stream: Stream,
    /// The file's number within it.
    pub file: u64,
}

/// The archive's streams of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// `log/`
    Log = 1,
    /// `coils/`
    Coils = 2,
    /// `open/`
    Open = 3,
    /// The clean-stop marker.
    Marker = 4,
}

fn checksum(place: Place, offset: u64, kind: u8, payload: &[u8]) -> u32 {
    let mut head = [0; 22];
    head[0] = place.stream as u8;
    head[1..9].copy_from_slice(&place.file.to_le_bytes());
    head[9..17].copy_from_slice(&offset.to_le_bytes());
    head[17..21].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[21] = kind;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head);
    hasher.update(payload);
    hasher.finalize()
}

/// The frame of `payload` to be written at `offset` of the file at `place`, and its checksum.
///
/// # Panics
/// If the payload is longer than [`MAX_PAYLOAD`] or the kind is 0: callers have checked.
pub fn encode(place: Place, offset: u64, kind: u8, payload: &[u8]) -> (Vec<u8>, u32) {
    assert!(payload.len() <= MAX_PAYLOAD && kind != 0, "a frame outside its limits");
    let crc = checksum(place, offset, kind, payload);
    let mut frame = Vec::with_capacity(HEADER + payload.len());
    frame.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    frame.extend_from_slice(&crc.to_le_bytes());
    frame.push(kind);
    frame.extend_from_slice(payload);
    (frame, crc)
}

struct Header {
    len: usize,
    crc: u32,
    kind: u8,
}

fn header(bytes: &[u8]) -> Option<Header> {
    let bytes: &[u8; HEADER] = bytes.first_chunk()?;
    let len = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    let crc = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    (len <= MAX_PAYLOAD && bytes[8] != 0).then_some(Header { len, crc, kind: bytes[8] })
}

/// Reads the one frame at `offset`: its kind, payload and checksum, or `None` where no valid frame lies.
pub fn read_one(file: &dyn DiskFile, place: Place, offset: u64) -> io::Result<Option<(u8, Vec<u8>, u32)>> {
    // Most records of the log fit in one read.
    let mut bytes = vec![0; 2048];
    let have = file.read_at(&mut bytes, offset).or_else(|_| {
        // What follows the record may be unreadable.
        bytes.truncate(HEADER);
        file.read_at(&mut bytes, offset)
    })?;
    bytes.truncate(have);
    let Some(Header { len, crc, kind }) = header(&bytes) else { return Ok(None) };
    if bytes.len() < HEADER + len {
        bytes.resize(HEADER + len, 0);
        let more = file.read_at(&mut bytes[have..], offset + have as u64)?;
        bytes.truncate(have + more);
    }
    let Some(payload) = bytes.get(HEADER..HEADER + len) else { return Ok(None) };
    if checksum(place, offset, kind, payload) != crc {
        return Ok(None);
    }
    Ok(Some((kind, payload.to_vec(), crc)))
}

/// What [`Frames`] comes upon.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A valid frame.
    Record {
        /// Where its header lies.
        offset: u64,
        /// Its kind, never 0.
        kind: u8,
        /// Its payload.
        payload: &'a [u8],
    },
    /// Bytes that are no frame, with a valid frame after them.
    Damaged {
        /// Where they begin.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// Bytes that are no frame, and no valid frame after them in this file.
    Tail {
        /// Where they begin.
        offset: u64,
        /// How many, to the end of the file.
        bytes: u64,
        /// Whether the disk refused to read some of them: then nobody knows that they are no frames.
        unreadable: bool,
    },
    /// The end of the file.
    End,
}

/// Walks through the frames of a file in a bounded window of memory.
#[derive(Debug)]
pub struct Frames {
    file: Arc<dyn DiskFile>,
    place: Place,
    at: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
    /// The end of what the disk refused to read, 0 if it read everything.
    unreadable_to: u64,
}

impl Frames {
    /// Reads the first `end` bytes of `file`.
    pub fn new(file: Arc<dyn DiskFile>, place: Place, end: u64) -> Self {
        Self::from(file, place, 0, end)
    }

    /// The same from byte `at` on, where a frame begins.
    pub fn from(file: Arc<dyn DiskFile>, place: Place, at: u64, end: u64) -> Self {
        Self { file, place, at, end, window: Vec::new(), window_at: 0, unreadable_to: 0 }
    }

    /// Where the next step begins.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next thing in the file.
    pub fn step(&mut self) -> io::Result<Step<'_>> {
        let offset = self.at;
        if offset >= self.end {
            return Ok(Step::End);
        }
        if let Some((kind, len)) = self.valid_at(offset)? {
            self.at = offset + (HEADER + len) as u64;
            let payload = self.bytes(offset + HEADER as u64, len)?;
            return Ok(Step::Record { offset, kind, payload });
        }
        self.at = self.end;
        for next in offset + 1..self.end.saturating_sub(HEADER as u64 - 1) {
            if self.valid_at(next)?.is_some() {
                self.at = next;
                return Ok(Step::Damaged { offset, bytes: next - offset });
            }
        }
        Ok(Step::Tail { offset, bytes: self.end - offset, unreadable: self.unreadable_to > offset })
    }

    fn valid_at(&mut self, at: u64) -> io::Result<Option<(u8, usize)>> {
        let place = self.place;
        let Some(Header { len, crc, kind }) = header(self.bytes(at, HEADER)?) else { return Ok(None) };
        if at + (HEADER + len) as u64 > self.end {
            return Ok(None);
        }
        let frame = self.bytes(at, HEADER + len)?;
        let valid = frame.len() == HEADER + len && checksum(place, at, kind, &frame[HEADER..]) == crc;
        Ok(valid.then_some((kind, len)))
    }

    /// Fills the window where the disk does not read all of it: blocks that it refuses become zeros, which
    /// are no frames. A disk that reads nothing at all is an error.
    fn read_around(&mut self, at: u64, error: io::Error) -> io::Result<usize> {
        let mut done = 0;
        let mut any = false;
        while done < self.window.len() {
            let from = at + done as u64;
            let to = self.window.len().min(done + (BLOCK - from % BLOCK) as usize);
            let piece = &mut self.window[done..to];
            if let Ok(have) = self.file.read_at(piece, from) {
                any = true;
                if have < piece.len() {
                    return Ok(done + have);
                }
            } else {
                piece.fill(0);
                self.unreadable_to = self.unreadable_to.max(at + to as u64);
            }
            done = to;
        }
        if any || self.file.size().is_ok() { Ok(done) } else { Err(error) }
    }

    /// `n` bytes from `at` on, fewer at the end of the file.
    fn bytes(&mut self, at: u64, n: usize) -> io::Result<&[u8]> {
        let n = n.min((self.end - at) as usize);
        let held = self.window_at + self.window.len() as u64;
        if at < self.window_at || at + n as u64 > held {
            let want = n.max(WINDOW).min((self.end - at) as usize);
            self.window.resize(want, 0);
            self.window_at = at;
            let have = match self.file.read_at(&mut self.window, at) {
                Ok(have) => have,
                Err(error) => self.read_around(at, error)?,
            };
            self.window.truncate(have);
        }
        let from = (at - self.window_at) as usize;
        Ok(&self.window[from..self.window.len().min(from + n)])
    }
}
