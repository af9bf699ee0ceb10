//! Where a network looked: occlusion (M. D. Zeiler, R. Fergus, 2014, section 4.1). A piece of the strip is made as unremarkable as
//! the rest of its side, and what the log-odds of NOK then lose, that piece had given.

use crate::data::coils::LabelledCoil;
use crate::fit::{FitError, predict};
use crate::nets::Network;
use crate::run::CoilSource;
use coilsight_models::coil::{CHUNKS, CoilMatrix, GAUGES, SIDE_GAUGES};
use coilsight_models::prepare::PrepareSpec;

/// Pieces along the strip, and gauges across of a piece.
const PIECES: (usize, usize) = (24, 3);

/// What each cell of `[264][18]` gives to the log-odds of NOK, row-major: positive speaks for NOK.
pub fn evidence(network: &Network, spec: &PrepareSpec, coil: &LabelledCoil) -> Result<Vec<f64>, FitError> {
    let length = CHUNKS / PIECES.0;
    let across = GAUGES / PIECES.1;
    let pieces = || (0..PIECES.0).flat_map(move |i| (0..across).map(move |j| (i * length, j * PIECES.1)));
    let mut coils = vec![coil.clone()];
    coils.extend(pieces().map(|(chunk, column)| {
        let matrix = without(&coil.matrix, chunk..chunk + length, column..column + PIECES.1);
        LabelledCoil { matrix, ..coil.clone() }
    }));
    let source = CoilSource::new(coils.iter().collect(), spec, None);
    let odds: Vec<f64> = predict(network, &source, 0)?
        .logits
        .iter()
        .map(|[ok, nok]| f64::from(*nok) - f64::from(*ok))
        .collect();
    let mut found = vec![0.0; CHUNKS * GAUGES];
    for ((chunk, column), odds_without) in pieces().zip(&odds[1..]) {
        for k in chunk..chunk + length {
            for g in column..column + PIECES.1 {
                found[k * GAUGES + g] = odds[0] - odds_without;
            }
        }
    }
    Ok(found)
}

/// The coil with a piece that has the median of its side.
fn without(
    matrix: &CoilMatrix,
    chunks: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
) -> CoilMatrix {
    let (mut mean, mut std) = (matrix.mean().to_vec(), matrix.std().to_vec());
    let side = if columns.start < SIDE_GAUGES { 0..SIDE_GAUGES } else { SIDE_GAUGES..GAUGES };
    let read: Vec<usize> = (0..CHUNKS)
        .flat_map(|k| side.clone().map(move |g| k * GAUGES + g))
        .filter(|i| matrix.mean()[*i] > 0)
        .collect();
    let median = |of: &[u16]| {
        let mut values: Vec<u16> = read.iter().map(|i| of[*i]).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or(0)
    };
    let usual = (median(matrix.mean()), median(matrix.std()));
    for k in chunks {
        for g in columns.clone() {
            (mean[k * GAUGES + g], std[k * GAUGES + g]) = usual;
        }
    }
    CoilMatrix::from_hundredths(mean, std).unwrap_or_else(|_| matrix.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_becomes_as_its_side_and_the_other_side_stays() {
        let mut mean = vec![4000; CHUNKS * GAUGES];
        for k in 0..CHUNKS {
            mean[k * GAUGES + 9..(k + 1) * GAUGES].fill(5000);
        }
        mean[100 * GAUGES + 2] = 1000;
        let matrix = CoilMatrix::from_hundredths(mean.clone(), vec![10; CHUNKS * GAUGES]).unwrap();
        let mended = without(&matrix, 99..110, 0..3);
        assert_eq!(mended.mean()[100 * GAUGES + 2], 4000);
        let changed = mended.mean().iter().zip(&mean).filter(|(a, b)| a != b).count();
        assert_eq!(changed, 1);
        assert_eq!(without(&matrix, 0..CHUNKS, 9..18), matrix);
    }
}
