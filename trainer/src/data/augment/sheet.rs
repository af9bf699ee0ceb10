//! A coil's matrix while it is changed: plain numbers, gaps as zeros.

use coilsight_models::coil::{CELLS, CHUNKS, CoilMatrix, GAUGES};

/// Means and standard deviations, `[264][18]` row-major, 0.01 g/m2 with fractions; a mean of 0 is a gap.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Means.
    pub mean: Vec<f64>,
    /// Standard deviations inside the chunks.
    pub std: Vec<f64>,
}

impl Sheet {
    /// A coil's.
    pub fn of(matrix: &CoilMatrix) -> Self {
        let plain = |cells: &[u16]| cells.iter().map(|v| f64::from(*v)).collect();
        Self { mean: plain(matrix.mean()), std: plain(matrix.std()) }
    }

    /// Whether a cell has a reading.
    pub fn read(&self, cell: usize) -> bool {
        self.mean[cell] > 0.0
    }

    /// Multiplies every reading by `factor(chunk, column)`; the spread inside a chunk is the strip's, and stays.
    pub fn scale(&mut self, mut factor: impl FnMut(usize, usize) -> f64) {
        for chunk in 0..CHUNKS {
            for column in 0..GAUGES {
                // Rounded to hundredths, half a hundredth would be 0, and 0 is a gap.
                let cell = &mut self.mean[chunk * GAUGES + column];
                if *cell > 0.0 {
                    *cell = (*cell * factor(chunk, column)).max(1.0);
                }
            }
        }
    }

    /// Takes the reading of a cell away.
    pub fn blind(&mut self, chunk: usize, column: usize) {
        self.mean[chunk * GAUGES + column] = 0.0;
        self.std[chunk * GAUGES + column] = 0.0;
    }

    /// Each gauge's median over the strip, 0 where it read nothing.
    pub fn medians(&self) -> [f64; GAUGES] {
        std::array::from_fn(|column| {
            let cells = self.mean.iter().skip(column).step_by(GAUGES);
            let mut read: Vec<f64> = cells.copied().filter(|v| *v > 0.0).collect();
            let middle = read.len() / 2;
            if read.is_empty() { 0.0 } else { *read.select_nth_unstable_by(middle, f64::total_cmp).1 }
        })
    }

    /// Rounded to hundredths; a reading stays one.
    pub fn into_matrix(self) -> CoilMatrix {
        debug_assert_eq!(self.mean.len(), CELLS);
        let most = f64::from(u16::MAX);
        let mean = self.mean.iter().map(|v| if *v > 0.0 { v.round().clamp(1.0, most) as u16 } else { 0 });
        let std = self.std.iter().map(|v| v.round().clamp(0.0, most) as u16);
        CoilMatrix::from_hundredths(mean.collect(), std.collect()).expect("as many cells as the coil had")
    }
}
