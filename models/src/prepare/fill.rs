//! Gaps filled from their neighbours: along the strip first, then across it.

use crate::coil::{CELLS, CHUNKS, CoilMatrix, GAUGES, SIDE_GAUGES};

/// Means in g/m2, `[264][18]` row-major, without gaps.
///
/// A gap between two readings of its gauge lies on the line between them; before the first and after
/// the last it repeats them. A gauge that read nothing takes the mean of its nearest living neighbours
/// left and right on its side, chunk by chunk; a side that read nothing takes `fallback` (the ordered
/// weight) or, without one, the other side; a coil of which nothing was read is 0 everywhere.
pub fn fill(matrix: &CoilMatrix, fallback: Option<f32>) -> Box<[f32]> {
    let mut cells = vec![0.0_f32; CELLS].into_boxed_slice();
    for (cell, mean) in cells.iter_mut().zip(matrix.mean()) {
        *cell = f32::from(*mean) / 100.0;
    }
    let alive: Vec<bool> = (0..GAUGES).map(|gauge| along(&mut cells, gauge)).collect();
    for side in 0..2 {
        across(&mut cells, &alive, side * SIDE_GAUGES);
    }
    let side_alive = [0, 1].map(|side| alive[side * SIDE_GAUGES..][..SIDE_GAUGES].contains(&true));
    for side in [0, 1].into_iter().filter(|side| !side_alive[*side]) {
        for chunk in cells.chunks_exact_mut(GAUGES) {
            for gauge in 0..SIDE_GAUGES {
                let other = chunk[(1 - side) * SIDE_GAUGES + gauge];
                chunk[side * SIDE_GAUGES + gauge] = fallback.unwrap_or(other);
            }
        }
    }
    cells
}

/// Fills one gauge along the strip; says whether it read anything at all.
fn along(cells: &mut [f32], gauge: usize) -> bool {
    let at = |chunk: usize| chunk * GAUGES + gauge;
    let read: Vec<usize> = (0..CHUNKS).filter(|k| cells[at(*k)] > 0.0).collect();
    let (Some(&first), Some(&last)) = (read.first(), read.last()) else { return false };
    (0..first).for_each(|k| cells[at(k)] = cells[at(first)]);
    (last + 1..CHUNKS).for_each(|k| cells[at(k)] = cells[at(last)]);
    for pair in read.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let (from, to) = (cells[at(a)], cells[at(b)]);
        for k in a + 1..b {
            let share = (k - a) as f32 / (b - a) as f32;
            cells[at(k)] = from + (to - from) * share;
        }
    }
    true
}

/// Fills the gauges of one side that read nothing from those that did.
fn across(cells: &mut [f32], alive: &[bool], first: usize) {
    for gauge in (0..SIDE_GAUGES).filter(|g| !alive[first + g]) {
        let left = (0..gauge).rev().find(|g| alive[first + g]);
        let right = (gauge + 1..SIDE_GAUGES).find(|g| alive[first + g]);
        for chunk in cells.chunks_exact_mut(GAUGES) {
            chunk[first + gauge] = match (left, right) {
                (Some(l), Some(r)) => 0.5 * (chunk[first + l] + chunk[first + r]),
                (Some(near), None) | (None, Some(near)) => chunk[first + near],
                (None, None) => return,
            };
        }
    }
}
