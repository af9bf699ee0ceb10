//! Rows along the strip, as they come, become 264 equal chunks once the length is known.
//!
//! Chunk k holds the rows with `floor(position / length * 264) = k`; a cell is the mean and the
//! population standard deviation of what its gauge read there (plant interface; paper, section 3.1).

use crate::coil::{CELLS, CHUNKS, CoilMatrix, GAUGES, Gauge};
use crate::tally::{Counts, Fate, Reason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The longest coil that is believed, m.
pub const MAX_LENGTH_M: f64 = 20_000.0;
/// Most rows of one coil that are kept: 10 km at a row every half metre.
pub const MAX_ROWS: usize = 20_000;

/// A place along the strip, to the millimetre, from the coil's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    millimetres: u32,
}

impl Position {
    /// `None` where it is negative, not a number or beyond any coil.
    pub fn from_metres(metres: f64) -> Option<Self> {
        let fine = (0.0..=MAX_LENGTH_M).contains(&metres);
        fine.then(|| Self { millimetres: (metres * 1000.0).round() as u32 })
    }

    /// From whole millimetres.
    pub fn from_millimetres(millimetres: u32) -> Self {
        Self { millimetres }
    }

    /// In millimetres.
    pub fn millimetres(self) -> u32 {
        self.millimetres
    }

    /// In metres.
    pub fn metres(self) -> f64 {
        f64::from(self.millimetres) / 1000.0
    }

    /// The chunk it lies in, or `None` beyond a strip of `length_m`.
    pub fn chunk(self, length_m: f64) -> Option<usize> {
        let chunk = (self.metres() / length_m * CHUNKS as f64).floor();
        (chunk >= 0.0 && chunk < CHUNKS as f64).then_some(chunk as usize)
    }
}

/// What 18 gauges read at one place, g/m2 a side; a gauge may have read nothing.
#[derive(Clone, Copy, Debug)]
pub struct Readings([f32; GAUGES]);

impl Readings {
    /// No gauge read anything.
    pub const NONE: Self = Self([f32::NAN; GAUGES]);

    /// What the gauge of `column` read.
    pub fn at(&self, column: usize) -> Option<f64> {
        let v = self.0[column];
        (!v.is_nan()).then_some(f64::from(v))
    }

    /// Says what the gauge of `column` read.
    pub fn set(&mut self, column: usize, g_m2: f64) {
        self.0[column] = g_m2 as f32;
    }

    /// As they are stored: not a number = no reading.
    pub fn raw(&self) -> &[f32; GAUGES] {
        &self.0
    }

    /// From how they are stored.
    pub fn from_raw(raw: [f32; GAUGES]) -> Self {
        Self(raw)
    }
}

impl PartialEq for Readings {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
    }
}

/// A row across the strip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Where.
    pub position: Position,
    /// What was read.
    pub readings: Readings,
}

/// The rows of one pass, in whatever order they come.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    rows: BTreeMap<Position, Readings>,
}

/// A strip laid out in chunks, and where each of its rows and readings ended.
#[derive(Clone, Debug)]
pub struct Chunked {
    /// The coil's coating.
    pub matrix: CoilMatrix,
    /// Rows: used, or set aside beyond the length.
    pub rows: Counts,
    /// Readings inside the length: used, or set aside beyond twice the order.
    pub readings: Counts,
}

impl Strip {
    /// Takes a row: the first reading of a place stands.
    pub fn add(&mut self, row: &Row) -> Fate {
        let full = self.rows.len() >= MAX_ROWS;
        match self.rows.entry(row.position) {
            Entry::Occupied(first) if *first.get() == row.readings => Fate::Duplicate,
            Entry::Occupied(_) => Fate::SetAside(Reason::Conflicting),
            Entry::Vacant(_) if full => Fate::SetAside(Reason::TooManyRows),
            Entry::Vacant(place) => {
                place.insert(row.readings);
                Fate::Used
            }
        }
    }

    /// Puts a row in place of what was kept there.
    pub fn replace(&mut self, row: &Row) {
        self.rows.insert(row.position, row.readings);
    }

    /// The rows kept, from the coil's beginning on.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.rows.iter().map(|(position, readings)| Row { position: *position, readings: *readings })
    }

    /// Rows kept.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What was read at a place.
    pub fn at(&self, position: Position) -> Option<&Readings> {
        self.rows.get(&position)
    }

    /// The last place seen and the usual step between rows, as a length, m: what stands in for the
    /// length of a coil whose end never came. `None` where nothing was seen.
    pub fn seen_length_m(&self) -> Option<f64> {
        let (last, _) = self.rows.last_key_value()?;
        let step = self.step_mm()?;
        Some(f64::from(last.millimetres + step) / 1000.0)
    }

    /// Metres of a strip of `length_m` of which no row came: all that is wider than one and a half times the
    /// usual step between rows, less that step.
    pub fn missing_m(&self, length_m: f64) -> f64 {
        let Some(step) = self.step_mm() else { return length_m };
        let end = (length_m * 1000.0) as u32;
        let places = self.rows.keys().map(|p| p.millimetres).filter(|mm| *mm < end);
        // The strip's beginning as if a row lay one step before it, its end as if one lay on it.
        let mut last = -i64::from(step);
        let mut missing = 0;
        for place in places.map(i64::from).chain([i64::from(end)]) {
            let apart = place - last;
            if 2 * apart > 3 * i64::from(step) {
                missing += apart - i64::from(step);
            }
            last = place;
        }
        missing as f64 / 1000.0
    }

    /// The usual step between rows, m.
    pub fn step_m(&self) -> f64 {
        f64::from(self.step_mm().unwrap_or(500)) / 1000.0
    }

    /// The usual step between rows, mm: the median; half a metre where there is one row only.
    fn step_mm(&self) -> Option<u32> {
        self.rows.first_key_value()?;
        let mut steps: Vec<u32> = self
            .rows
            .keys()
            .zip(self.rows.keys().skip(1))
            .map(|(a, b)| b.millimetres - a.millimetres)
            .collect();
        let middle = steps.len() / 2;
        Some(if steps.is_empty() { 500 } else { *steps.select_nth_unstable(middle).1 })
    }

    /// Whether the rows leave no chunk of a strip of `length_m` unseen.
    pub fn covers(&self, length_m: f64) -> bool {
        let mut seen = [false; CHUNKS];
        self.rows.keys().filter_map(|p| p.chunk(length_m)).for_each(|k| seen[k] = true);
        seen.iter().all(|s| *s)
    }

    /// Lays the rows out over `length_m`; readings over `max_reading` g/m2 are left out.
    ///
    /// Rows are summed in order of position, so the result does not depend on how they arrived.
    pub fn chunk(&self, length_m: f64, max_reading: f64) -> Chunked {
        let mut cells = vec![Cell::default(); CELLS];
        let (mut rows, mut readings) = (Counts::default(), Counts::default());
        for (position, row) in &self.rows {
            let Some(chunk) = position.chunk(length_m) else {
                rows.add(Fate::SetAside(Reason::BeyondLength));
                continue;
            };
            rows.add(Fate::Used);
            for column in 0..GAUGES {
                match row.at(column) {
                    Some(v) if v <= max_reading => {
                        readings.add(Fate::Used);
                        cells[chunk * GAUGES + column].add(v);
                    }
                    Some(_) => readings.add(Fate::SetAside(Reason::AbsurdValue)),
                    None => {}
                }
            }
        }
        let cells: Vec<_> = cells.iter().map(Cell::mean_and_std).collect();
        // The number of cells is fixed above, so the shape is right.
        let matrix = CoilMatrix::from_cells(&cells).expect("264 x 18 cells");
        Chunked { matrix, rows, readings }
    }
}

/// Mean and spread as readings come (Welford 1962): no cancellation, one pass.
#[derive(Clone, Copy, Default)]
struct Cell {
    n: f64,
    mean: f64,
    squares: f64,
}

impl Cell {
    fn add(&mut self, v: f64) {
        self.n += 1.0;
        let off = v - self.mean;
        self.mean += off / self.n;
        self.squares += off * (v - self.mean);
    }

    fn mean_and_std(&self) -> Option<(f64, f64)> {
        (self.n > 0.0).then(|| (self.mean, (self.squares / self.n).max(0.0).sqrt()))
    }
}

/// How much of a coil was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Share of the 264 chunks in which any gauge read anything.
    pub chunks: f64,
    /// Share of the 18 gauges that read in at least half of the chunks seen.
    pub gauges: f64,
    /// Share of all cells that were read.
    pub cells: f64,
    /// Gauges that read in fewer than half of the chunks seen.
    pub blind_gauges: Vec<Gauge>,
}

impl Coverage {
    /// Of a matrix.
    pub fn of(matrix: &CoilMatrix) -> Self {
        let read = |k: usize, g: usize| matrix.mean()[k * GAUGES + g] > 0;
        let seen: Vec<usize> = (0..CHUNKS).filter(|k| (0..GAUGES).any(|g| read(*k, g))).collect();
        let blind_gauges: Vec<Gauge> = (0..GAUGES)
            .filter(|g| 2 * seen.iter().filter(|k| read(**k, *g)).count() < seen.len().max(1))
            .map(Gauge::of_column)
            .collect();
        let cells = matrix.mean().iter().filter(|m| **m > 0).count();
        Self {
            chunks: seen.len() as f64 / CHUNKS as f64,
            gauges: 1.0 - blind_gauges.len() as f64 / GAUGES as f64,
            cells: cells as f64 / CELLS as f64,
            blind_gauges,
        }
    }

    /// Of a coil of which nothing was seen.
    pub fn nothing() -> Self {
        let blind_gauges = (0..GAUGES).map(Gauge::of_column).collect();
        Self { chunks: 0.0, gauges: 0.0, cells: 0.0, blind_gauges }
    }
}

#[cfg(test)]
mod tests;
