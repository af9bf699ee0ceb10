//! What a power cut leaves of a file.

use super::{Change, Inode, Rng, State, put};

const SECTOR: u64 = 512;

/// What a power cut leaves of a file.
pub(super) fn survive(state: &State, inode: usize, rng: &mut Rng) -> Vec<u8> {
    let Inode { durable, pending, .. } = &state.inodes[inode];
    let mut left = durable.clone();
    // Whole, gone, in order up to a torn write, or each on its own.
    let way = rng.below(5);
    let torn = if way == 2 { rng.below(pending.len()) } else { usize::MAX };
    for (i, change) in pending.iter().enumerate() {
        let fate = match way {
            0 => 0,
            1 => 1,
            2 if i < torn => 0,
            2 if i > torn => 1,
            2 => 2 + rng.below(3),
            _ => rng.below(5),
        };
        match change {
            _ if fate == 1 => {}
            Change::SetLen(_) => change.apply(&mut left),
            Change::Write(offset, data) => {
                let end = (*offset as usize) + data.len();
                let extended = left.len()..end;
                if fate != 0 && left.len() < end {
                    left.resize(end, 0);
                    fill(state, &mut left[extended], rng);
                } else if left.len() < *offset as usize {
                    let hole = left.len()..*offset as usize;
                    left.resize(*offset as usize, 0);
                    fill(state, &mut left[hole], rng);
                }
                match fate {
                    0 => put(&mut left, *offset, data),
                    2 => {
                        let arrived = rng.below(data.len() + 1);
                        put(&mut left, *offset, &data[..arrived]);
                        if rng.coin() && left.len() == end && durable.len() < end {
                            left.truncate((*offset as usize + arrived).max(durable.len()));
                        }
                    }
                    3 => sectors(&mut left, *offset, data, rng),
                    // The length arrived, the bytes did not.
                    _ => {}
                }
            }
        }
    }
    left
}

fn sectors(left: &mut Vec<u8>, offset: u64, data: &[u8], rng: &mut Rng) {
    let mut from = 0;
    while from < data.len() {
        let to_boundary = SECTOR - (offset + from as u64) % SECTOR;
        let to = data.len().min(from + to_boundary as usize);
        if rng.coin() {
            put(left, offset + from as u64, &data[from..to]);
        }
        from = to;
    }
}

/// What lies where bytes did not arrive.
fn fill(state: &State, hole: &mut [u8], rng: &mut Rng) {
    match rng.below(3) {
        0 => {}
        1 => hole.copy_from_slice(&rng.bytes(hole.len())),
        _ => {
            let other = &state.inodes[rng.below(state.inodes.len())].visible;
            let from = rng.below(other.len());
            let n = hole.len().min(other.len() - from);
            hole[..n].copy_from_slice(&other[from..from + n]);
        }
    }
}
