//! Coils that look alike: the nearest by a coarse picture of the coating.

use super::{Book, Coil, Seq};
use coilsight_models::coil::{CHUNKS, CoilMatrix, GAUGES, Order};

/// Cells along the strip of the coarse picture.
const ALONG: usize = 33;
/// Cells across: three a side.
const ACROSS: usize = 6;
const CELLS: usize = ALONG * ACROSS;
/// Steps a per cent.
const STEPS: f64 = 2.0;

/// The coarse picture: for each of 33 stretches and six strips across (three a side), the least mean deviation from
/// the order in it, half a per cent a step. The least, because a flaw is thin coating and may be small. 198 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature([i8; CELLS]);

/// A coil that looks alike.
#[derive(Clone, Copy, Debug)]
pub struct Similar<'a> {
    /// It.
    pub coil: &'a Coil,
    /// Root mean square difference of the coarse pictures, per cent of the order.
    pub distance: f32,
}

impl Signature {
    /// Of a matrix and its order; without one, deviation is from the coil's own mean.
    pub fn of(matrix: &CoilMatrix, order: Option<&Order>) -> Self {
        let nominal = order.map_or_else(|| own_mean(matrix), |order| order.nominal_g_m2() * 100.0);
        let mut cells = [0; CELLS];
        for (i, cell) in cells.iter_mut().enumerate() {
            let (along, across) = (i / ACROSS, i % ACROSS);
            let chunks = along * CHUNKS / ALONG..(along + 1) * CHUNKS / ALONG;
            let gauges = across * GAUGES / ACROSS..(across + 1) * GAUGES / ACROSS;
            let read =
                chunks.flat_map(|chunk| gauges.clone().map(move |g| matrix.mean()[chunk * GAUGES + g]));
            let least = read.filter(|v| *v > 0).min().map_or(nominal, f64::from);
            *cell = (100.0 * STEPS * (least / nominal - 1.0)).round().clamp(-127.0, 127.0) as i8;
        }
        Self(cells)
    }

    fn distance(&self, other: &Self) -> f32 {
        let squares = self.0.iter().zip(&other.0).map(|(a, b)| {
            let d = i32::from(*a) - i32::from(*b);
            d * d
        });
        (squares.sum::<i32>() as f32 / CELLS as f32).sqrt() / STEPS as f32
    }
}

fn own_mean(matrix: &CoilMatrix) -> f64 {
    let read = || matrix.mean().iter().filter(|v| **v > 0);
    let n = read().count();
    if n == 0 { 1.0 } else { read().map(|v| f64::from(*v)).sum::<f64>() / n as f64 }
}

impl Book {
    /// The coils that look most like this picture, nearest first, without the one at `except`.
    pub fn similar(&self, to: &Signature, except: Option<Seq>, most: usize) -> Vec<Similar<'_>> {
        let mut near: Vec<(f32, Seq)> = self
            .signatures
            .iter()
            .filter(|(at, _)| Some(**at) != except)
            .map(|(at, signature)| (to.distance(signature), *at))
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let found = near.into_iter().take(most);
        found.filter_map(|(distance, at)| Some(Similar { coil: self.get(at)?, distance })).collect()
    }
}
