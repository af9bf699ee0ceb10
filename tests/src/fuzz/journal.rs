//! What an open coil's segment holds: records that the disk gives back whole, of which nobody knows who
//! wrote them (another version, a fault of our own, a hand on the disk).
//!
//! `[u16 length][record]` again and again; a length of 0xffff begins another segment.

use super::archive::{Heard, open};
use super::judge::StandIn;
use super::mem_disk::MemDisk;
use coilsight_agent::archive::Archive;
use coilsight_agent::line::{Config, Line};

/// A line opens over them, passing over what it does not know; the second start finds what the first
/// found; and what was open is decided, once.
pub fn run(data: &[u8]) {
    let disk = MemDisk::default();
    fill(&disk, data);
    let first = seen(&disk);
    assert_eq!(seen(&disk), first, "a second start finds something else");

    let mut line = start(&disk);
    line.finish().expect("there is room");
    let mut heard = Heard::default();
    line.publish(&mut heard).expect("what was decided is an assessment");
    assert!(heard.0.iter().all(|assessment| assessment.rows.adds_up()));
    let tally = line.tally();
    assert!(tally.adds_up() && tally.rows.open == 0, "{tally:#?}");
    let stored = line.archive().decisions().count();
    assert_eq!(heard.0.len(), stored, "a decision that nobody hears");
    line.stop().expect("there is room");
    let (_, recovery) = open(&disk).expect("what was stopped opens again");
    assert_eq!((recovery.open.len(), recovery.counts.decisions), (0, stored as u64));
}

fn fill(disk: &MemDisk, mut data: &[u8]) {
    let (archive, _) = open(disk).expect("a new archive opens");
    let mut segment = archive.begin().expect("there is room");
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let length = u16::from_le_bytes(*length);
        data = rest;
        if length == u16::MAX {
            segment = archive.begin().expect("there is room");
            continue;
        }
        let (record, rest) = data.split_at(usize::from(length).min(data.len()));
        archive.append(segment, record).expect("there is room");
        data = rest;
    }
    archive.sync().expect("memory syncs");
}

fn start(disk: &MemDisk) -> Line {
    let (archive, recovery): (Archive, _) = open(disk).expect("what was written opens");
    assert_eq!(recovery.gaps, []);
    Line::new(Config::default(), archive, &recovery.open, Box::<StandIn>::default())
        .expect("whatever is open")
}

/// Coils that a start finds open, and decisions that it finds or makes (on passes that lack nothing).
fn seen(disk: &MemDisk) -> (Vec<String>, usize) {
    let line = start(disk);
    let tally = line.tally();
    assert!(tally.adds_up(), "{tally:#?}");
    let open = line.open_coils().map(ToString::to_string).collect();
    (open, line.archive().decisions().count())
}

/// Segments as the line writes them, one with two coils, one without a beginning.
pub fn seeds() -> Vec<Vec<u8>> {
    let opened = |coil: &str| format!("\x01\"{coil}\"").into_bytes();
    let start = |coil: &str| {
        let order = r#"{"Ok":{"nominal_g_m2":70.0,"tolerance_class":"B","width_mm":1250.0}}"#;
        format!(r#"{{"coil_id":"{coil}","at":"2026-01-05T06:00:00Z","order":{order}}}"#)
    };
    let started = |coil: &str| [&[2], start(coil).as_bytes()].concat();
    let ended = b"\x04[132.0,null]".to_vec();
    let head =
        format!(r#"{{"start":{},"length_m":132.0,"absurd_cells":1,"unusable":"wrong_shape"}}"#, start("C"));
    let whole = [&[5], &(head.len() as u32).to_le_bytes()[..], head.as_bytes()].concat();
    let segments: [&[Vec<u8>]; 7] = [
        &[opened("A"), started("A"), rows(0, 3)],
        &[opened("A"), rows(0, 4), rows(2, 4), ended.clone()],
        &[opened("B"), started("B"), rows(0, 264), ended],
        &[opened("C"), whole],
        &[started("A"), rows(5, 1)],
        &[b"{}".to_vec()],
        // Farther than any strip: with its step beyond what 32 bits hold in millimetres.
        &[opened("D"), rows(8_589_934, 1)],
    ];
    let mut seeds: Vec<Vec<u8>> = segments.iter().map(|records| lengths(records)).collect();
    seeds.push(seeds[..4].join(&[0xff, 0xff][..]));
    seeds
}

fn lengths(records: &[Vec<u8>]) -> Vec<u8> {
    records.iter().flat_map(|r| [&(r.len() as u16).to_le_bytes()[..], r].concat()).collect()
}

/// Rows of 70 g/m2 every half metre.
fn rows(from: u32, count: u32) -> Vec<u8> {
    let row = |i: u32| [(i * 500).to_le_bytes().to_vec(), 70f32.to_le_bytes().repeat(18)].concat();
    [vec![3], (from..from + count).flat_map(row).collect()].concat()
}
