//! The archive on a disk that loses power, fills up, fails and rots.

mod crash;
mod damage;
mod faults;
mod plain;
mod views;
mod workload;

use std::sync::Arc;

use super::sim::SimDisk;
use super::{Archive, Limits, NewDecision, Recovery, Result};

/// Limits so small that files rotate and retention drops within a few dozen calls.
fn tiny() -> Limits {
    Limits {
        cap: 28_000,
        reserve: 16_000,
        reserve_file: 3_000,
        log_file: 1_000,
        coils_file: 1_500,
        views_cache: 1 << 20,
    }
}

/// Limits that nothing here reaches.
fn roomy() -> Limits {
    Limits { reserve_file: 3_000, ..Limits::default() }
}

fn open(disk: &SimDisk, limits: Limits) -> Result<(Archive, Recovery)> {
    Archive::open_without_views_folder(Arc::new(disk.clone()), limits)
}

/// A decision on pass `n` of coil `n % 3`.
struct Sample {
    id: String,
    coil: String,
    pass: String,
    json: Vec<u8>,
    matrix: Option<Vec<u8>>,
}

impl Sample {
    fn new(n: usize) -> Self {
        let matrix = (n % 4 != 3).then(|| super::sim::Rng(n as u64).bytes(500 + n * 37 % 400));
        Self {
            id: format!("d-{n}"),
            coil: format!("coil-{}", n % 3),
            pass: format!("coil-{}@{n}", n % 3),
            json: format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(n * 13 % 300)).into_bytes(),
            matrix,
        }
    }

    fn new_decision(&self) -> NewDecision<'_> {
        NewDecision {
            decision_id: &self.id,
            coil_id: &self.coil,
            pass_key: &self.pass,
            segment: None,
            json: &self.json,
            matrix: self.matrix.as_deref(),
        }
    }
}

fn exists(disk: &SimDisk, path: &str) -> bool {
    use super::Disk;
    disk.open(path).is_ok()
}
