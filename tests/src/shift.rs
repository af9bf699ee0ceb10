//! A recorded shift: what was sent, and what the line should make of it.

use anyhow::{Context, ensure};
use coilsight_models::coil::{CHUNKS, CoilMatrix, GAUGES};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Cells are compared to this, g/m2: what differences in rounding may make.
pub const TOLERANCE_G_M2: f64 = 0.02;

/// A pass, as the recording's table has it.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The coil, not always a valid id.
    pub coil_id: String,
    /// Start's `at`, RFC 3339.
    pub started_at: String,
    /// What was done to its messages.
    pub fault: String,
    /// What chunking must give for all that was measured.
    pub matrix: CoilMatrix,
}

/// A recording with its table and its matrices.
#[derive(Clone, Debug)]
pub struct Shift {
    /// What `mosquitto_sub -F %j` wrote.
    pub recording: PathBuf,
    /// In order of production.
    pub passes: Vec<Pass>,
}

impl Shift {
    /// Reads `NAME.csv`, `NAME-mean.npy` and `NAME-std.npy` beside `NAME.jsonl`.
    pub fn read(recording: &Path) -> anyhow::Result<Self> {
        let beside = |end: &str| {
            let stem = recording.file_stem().unwrap_or_default().to_string_lossy();
            recording.with_file_name(format!("{stem}{end}"))
        };
        let means = matrices(&beside("-mean.npy"))?;
        let stds = matrices(&beside("-std.npy"))?;
        let mut passes = Vec::new();
        for (row, (mean, std)) in rows(&beside(".csv"))?.into_iter().zip(means.into_iter().zip(stds)) {
            let [coil_id, started_at, fault] = row;
            passes.push(Pass { coil_id, started_at, fault, matrix: CoilMatrix::from_hundredths(mean, std)? });
        }
        Ok(Self { recording: recording.to_owned(), passes })
    }
}

fn rows(path: &Path) -> anyhow::Result<Vec<[String; 3]>> {
    let mut table = csv::Reader::from_path(path).with_context(|| path.display().to_string())?;
    let headers = table.headers()?.clone();
    let column = |name: &str| headers.iter().position(|h| h == name).with_context(|| format!("no {name}"));
    let columns = [column("coil_id")?, column("started_at")?, column("what_was_done")?];
    let mut rows = Vec::new();
    for record in table.records() {
        let record = record?;
        rows.push(columns.map(|c| record[c].to_owned()));
    }
    Ok(rows)
}

fn matrices(path: &Path) -> anyhow::Result<Vec<Vec<u16>>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let npy = npyz::NpyFile::new(BufReader::new(file))?;
    let shape = npy.shape().to_vec();
    ensure!(shape[1..] == [CHUNKS as u64, GAUGES as u64], "{} has the shape {shape:?}", path.display());
    let cells: Vec<u16> = npy.into_vec()?;
    Ok(cells.chunks_exact(CHUNKS * GAUGES).map(<[u16]>::to_vec).collect())
}

/// Cells (chunk, column) in which two matrices differ by more than [`TOLERANCE_G_M2`], in mean, in
/// standard deviation or in whether there is a reading at all.
pub fn differences(a: &CoilMatrix, b: &CoilMatrix) -> Vec<(usize, usize)> {
    let apart = |x: u16, y: u16| f64::from(x.abs_diff(y)) / 100.0 > TOLERANCE_G_M2 + 1e-9;
    (0..CHUNKS * GAUGES)
        .filter(|&i| {
            let gap = (a.mean()[i] == 0) != (b.mean()[i] == 0);
            gap || apart(a.mean()[i], b.mean()[i]) || apart(a.std()[i], b.std()[i])
        })
        .map(|i| (i / GAUGES, i % GAUGES))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_seen() {
        let cells = CHUNKS * GAUGES;
        let a = CoilMatrix::from_hundredths(vec![7000; cells], vec![100; cells]).unwrap();
        assert_eq!(differences(&a, &a), []);
        let (mut mean, mut std) = (vec![7000; cells], vec![100; cells]);
        (mean[0], mean[1], mean[19], std[40]) = (7002, 7003, 0, 97);
        let b = CoilMatrix::from_hundredths(mean, std).unwrap();
        assert_eq!(differences(&a, &b), [(0, 1), (1, 1), (2, 4)]);
    }
}
