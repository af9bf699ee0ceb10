//! The coating of a coil as a matrix of hundredths of g/m2.

use super::{CELLS, GAUGES};
use std::fmt;

/// The coating of a coil: mean and standard deviation of each chunk under each gauge.
///
/// Both are `[264][18]`, row-major, in units of 0.01 g/m2 a side; a mean of 0 says that the gauge gave
/// no reading there. This is also how data sets and recordings keep it (`NAME-mean.npy`).
#[derive(Clone, PartialEq, Eq)]
pub struct CoilMatrix {
    mean: Box<[u16]>,
    std: Box<[u16]>,
}

/// A matrix of the wrong number of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a coil matrix has 264 x 18 = 4752 cells of mean and of standard deviation, here {mean} and {std}")]
pub struct BadShape {
    /// Cells of the mean that came.
    pub mean: usize,
    /// Cells of the standard deviation that came.
    pub std: usize,
}

impl CoilMatrix {
    /// Takes `[264][18]` hundredths of g/m2, row-major.
    pub fn from_hundredths(mean: Vec<u16>, std: Vec<u16>) -> Result<Self, BadShape> {
        if mean.len() != CELLS || std.len() != CELLS {
            return Err(BadShape { mean: mean.len(), std: std.len() });
        }
        let mut std = std;
        // No reading has no spread: one way to say "gap", so that equal coils have equal bytes.
        for (s, m) in std.iter_mut().zip(&mean) {
            if *m == 0 {
                *s = 0;
            }
        }
        Ok(Self { mean: mean.into(), std: std.into() })
    }

    /// Rounds cells in g/m2 (`None` = no reading) to hundredths, half away from zero.
    ///
    /// A true mean under 0.005 g/m2 (bare strip) is kept as 0.01, for 0 says "no reading".
    pub fn from_cells(cells: &[Option<(f64, f64)>]) -> Result<Self, BadShape> {
        let hundredths = |v: f64| (v * 100.0).round().clamp(0.0, f64::from(u16::MAX)) as u16;
        let mean = cells.iter().map(|c| c.map_or(0, |(m, _)| hundredths(m).max(1))).collect();
        let std = cells.iter().map(|c| c.map_or(0, |(_, s)| hundredths(s))).collect();
        Self::from_hundredths(mean, std)
    }

    /// Means, `[264][18]` row-major, 0.01 g/m2; 0 = no reading.
    pub fn mean(&self) -> &[u16] {
        &self.mean
    }

    /// Population standard deviations, as [`Self::mean`].
    pub fn std(&self) -> &[u16] {
        &self.std
    }

    /// The mean at a chunk (0..264) and column (0..18) in g/m2, or `None` where nothing was read.
    pub fn at(&self, chunk: usize, column: usize) -> Option<f64> {
        match self.mean[chunk * GAUGES + column] {
            0 => None,
            m => Some(f64::from(m) / 100.0),
        }
    }

    /// Mean then standard deviation as little-endian bytes (19,008 of them): what is stored and hashed.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.mean.iter().chain(&self.std).flat_map(|v| v.to_le_bytes()).collect()
    }

    /// The reverse of [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadShape> {
        if bytes.len() != 4 * CELLS {
            // Half a cell is a cell missing, or one too many.
            let cells = if bytes.len() < 4 * CELLS { bytes.len() / 2 } else { bytes.len().div_ceil(2) };
            return Err(BadShape { mean: cells.min(CELLS), std: cells.saturating_sub(CELLS) });
        }
        let mut cells: Vec<u16> = bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        let std = cells.split_off(CELLS);
        Self::from_hundredths(cells, std)
    }

    /// SHA-256 of [`Self::to_bytes`]: the same coating, whatever its coil was called.
    pub fn content_hash(&self) -> [u8; 32] {
        use sha2::Digest;
        sha2::Sha256::digest(self.to_bytes()).into()
    }
}

impl fmt::Debug for CoilMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = self.mean.iter().filter(|m| **m > 0).count();
        write!(f, "CoilMatrix({read} of {CELLS} cells read)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bare_strip_is_not_a_gap() {
        let mut cells = vec![None; CELLS];
        cells[5] = Some((0.0, 0.0));
        let matrix = CoilMatrix::from_cells(&cells).unwrap();
        assert_eq!(matrix.at(0, 5), Some(0.01));
        assert_eq!(matrix.at(0, 4), None);
    }

    #[test]
    fn half_a_cell_is_refused() {
        let read = |n| CoilMatrix::from_bytes(&vec![1; n]);
        assert!(read(4 * CELLS).is_ok());
        assert_eq!(read(4 * CELLS - 1), Err(BadShape { mean: CELLS, std: CELLS - 1 }));
        assert_eq!(read(4 * CELLS + 1), Err(BadShape { mean: CELLS, std: CELLS + 1 }));
    }

    proptest! {
        #[test]
        fn bytes_round_trip(seed in proptest::collection::vec(any::<u16>(), 2 * CELLS)) {
            let matrix = CoilMatrix::from_hundredths(seed[..CELLS].to_vec(), seed[CELLS..].to_vec()).unwrap();
            prop_assert_eq!(CoilMatrix::from_bytes(&matrix.to_bytes()).unwrap(), matrix);
        }

        #[test]
        fn wrong_lengths_are_refused(n in 0usize..40_000) {
            prop_assume!(n != 4 * CELLS);
            prop_assert!(CoilMatrix::from_bytes(&vec![1; n]).is_err());
        }
    }
}
