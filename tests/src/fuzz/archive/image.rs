//! Bytes as a disk: a list of steps, each a byte and what it needs, that write files, whole or broken.
//!
//! | step | what |
//! |---|---|
//! | 0 | from here on file `[u8 which][u8 number]` |
//! | 1 | a valid record: `[u8 kind][u16 length][payload]` |
//! | 2 | raw bytes: `[u16 length][bytes]` |
//! | 3 | a byte of the file is changed: `[u16 where][u8 by]` |
//! | 4 | the file is cut: `[u16 length]` |
//! | 5 | the file is gone |
//!
//! A step that lacks something ends the list. Frames are written here anew, not by the archive's code: the
//! layout on disk is a promise to archives that exist.

use super::super::mem_disk::MemDisk;
use super::{Archive, NewDecision, open};
use std::collections::BTreeMap;

/// Files by number; the first byte of their frames' place.
const FILES: [(&str, &str, u8); 3] = [("log", "log", 1), ("coils", "seg", 2), ("open", "rows", 3)];
/// Numbers that files have, and one that nearly none has.
const NUMBERS: [u32; 8] = [1, 2, 3, 4, 5, 9, 300, u32::MAX];

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn short(&mut self) -> Option<usize> {
        Some(usize::from(u16::from_le_bytes([self.byte()?, self.byte()?])))
    }

    /// As many as are there, if there are fewer.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.short()?.min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(taken)
    }
}

/// A file that is being written.
#[derive(Clone)]
struct Current {
    path: String,
    stream: u8,
    number: u64,
}

fn current(which: u8, number: u8) -> Current {
    if let Some((dir, extension, stream)) = FILES.get(usize::from(which % 8)) {
        let number = NUMBERS[usize::from(number) % NUMBERS.len()];
        return Current {
            path: format!("{dir}/{number:08}.{extension}"),
            stream: *stream,
            number: number.into(),
        };
    }
    let (path, stream) = match which % 8 {
        3 => ("clean", 4),
        4 => ("FORMAT", 0),
        5 => ("reserve", 0),
        6 => ("clean.tmp", 4),
        _ => ("log/notes.txt", 0),
    };
    Current { path: path.into(), stream, number: 0 }
}

/// A valid record at `offset` of a file.
fn frame(file: &Current, offset: u64, kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_le_bytes();
    let mut hash = crc32fast::Hasher::new();
    for part in
        [&[file.stream][..], &file.number.to_le_bytes(), &offset.to_le_bytes(), &length, &[kind], payload]
    {
        hash.update(part);
    }
    [&length[..], &hash.finalize().to_le_bytes(), &[kind], payload].concat()
}

/// The disk that the steps leave; it says that it is an archive.
pub fn disk(data: &[u8]) -> MemDisk {
    let mut files = BTreeMap::from([("FORMAT".to_owned(), b"coilsight-archive 1\n".to_vec())]);
    let mut input = Input(data);
    let mut file = current(0, 0);
    while let Some(()) = step(&mut input, &mut file, &mut files) {}
    let disk = MemDisk::default();
    for (path, bytes) in files {
        disk.put(&path, bytes);
    }
    disk
}

fn step(input: &mut Input<'_>, file: &mut Current, files: &mut BTreeMap<String, Vec<u8>>) -> Option<()> {
    let what = input.byte()? % 6;
    if what == 0 {
        *file = current(input.byte()?, input.byte()?);
        files.entry(file.path.clone()).or_default();
        return Some(());
    }
    let bytes = files.entry(file.path.clone()).or_default();
    match what {
        1 => {
            let kind = input.byte()?.max(1);
            let record = frame(file, bytes.len() as u64, kind, input.bytes()?);
            bytes.extend(record);
        }
        2 => bytes.extend_from_slice(input.bytes()?),
        3 => {
            let (at, by) = (input.short()?, input.byte()?);
            if let Some(at) = at.checked_rem(bytes.len()) {
                bytes[at] ^= by;
            }
        }
        4 => bytes.truncate(input.short()?),
        _ => {
            files.remove(&file.path);
        }
    }
    Some(())
}

/// The steps that leave these files, of which all are whole.
fn steps(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut steps = Vec::new();
    for (path, bytes) in files {
        let Some((which, number)) = place(path) else { continue };
        steps.extend([0, which, number]);
        let mut rest = &bytes[..];
        while let Some((header, behind)) = rest.split_first_chunk::<9>() {
            let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
            steps.extend([1, header[8]]);
            steps.extend((length as u16).to_le_bytes());
            steps.extend(&behind[..length]);
            rest = &behind[length..];
        }
    }
    steps
}

/// What step 0 says for a file of records.
fn place(path: &str) -> Option<(u8, u8)> {
    let all = (0..4).flat_map(|which| (0..NUMBERS.len() as u8).map(move |number| (which, number)));
    all.into_iter().find(|(which, number)| current(*which, *number).path == path)
}

/// An archive as a power cut and as an orderly stop leave it, and each of them with damage.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for stopped in [false, true] {
        let disk = MemDisk::default();
        let (archive, _) = open(&disk).expect("a new archive opens");
        fill(&archive);
        if stopped {
            archive.close().expect("there is room");
        }
        drop(archive);
        let mut files = disk.files();
        files.retain(|path, _| path != "reserve");
        let whole = steps(&files);
        assert_eq!(
            self::disk(&whole).files(),
            files,
            "frames are written otherwise than the archive writes them"
        );
        // Behind it: a changed byte, a cut, a lost file, a torn end, a record of no kind, a far number.
        let log = [0, 0, 0];
        for damage in [&[][..], &[3, 99, 0, 1], &[4, 40, 0], &[5], &[2, 3, 0, 9, 9, 9], &[1, 77, 1, 0, 0]] {
            seeds.push([&whole[..], &log, damage].concat());
        }
        seeds.push([&whole[..], &[0, 0, 6]].concat());
        seeds.push([&whole[..], &[0, 2, 0], &[3, 12, 0, 1]].concat());
    }
    seeds
}

fn fill(archive: &Archive) {
    let segment = archive.begin().expect("there is room");
    let start = br#"{"coil_id":"B","at":"2026-01-05T07:00:00Z","order":{"Err":"width"}}"#;
    for entry in
        [&b"\x01\"B\""[..], &[&[2], &start[..]].concat(), &[&[3], &[0; 76][..]].concat(), b"\x0499.5"]
    {
        archive.append(segment, entry).expect("there is room");
    }
    archive.sync().expect("memory syncs");
    for (id, pass) in [("d1", "A@2026-01-05T06:00:00Z"), ("d2", "A@unheard-0"), ("d3", "C@unheard-0")] {
        let decision = NewDecision {
            decision_id: id,
            coil_id: &pass[..1],
            pass_key: pass,
            segment: None,
            json: ASSESSMENT,
            matrix: Some(b"a matrix"),
        };
        archive.decide(decision).expect("there is room");
    }
    archive.receipts(&["d1"]).expect("it is there");
    let word = br#"{"coil_id":"A","label":"OK","operator":"o","at":"2026-01-05T09:00:00Z","known":true}"#;
    archive.feedback("w1", Some("d2"), word).expect("there is room");
    archive.feedback("w2", None, word).expect("there is room");
}

const ASSESSMENT: &[u8] = br#"{"version":1,"decision_id":"d1","line":"gl2","coil_id":"A","pass":null,"verdict":"REVIEW","by_score":null,"p_nok":null,"confidence":null,"votes":[],"reasons":[],"evidence":[],"order":null,"length_m":null,"coverage":{"chunks":0.0,"gauges":0.0,"cells":0.0,"blind_gauges":[]},"rows":{"received":0,"used":0,"duplicate":0,"set_aside":{}},"model":{"bundle":"b","release":1,"fingerprint":"f","prepare":1,"agent":"0"},"timing":{"closed_at":null,"judged_in_ms":0.0}}"#;
