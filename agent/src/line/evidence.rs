//! Where on the strip the evidence lies: occlusion (Zeiler & Fergus 2014, section 4.1).
//!
//! A stretch is made unremarkable (the median of its side, gauge noise as usual) and the coil is judged
//! again: what the log-odds of NOK then lose, that stretch had given. (P(NOK) itself hardly moves where a
//! coil has two flaws, for either is enough.) It asks nothing of the models but scores, so it
//! serves every network. Coarse first, then finer where it mattered: about 60 judgements a coil, and only
//! for coils that are not plainly OK.

use super::judge::Judge;
use coilsight_models::coil::{CHUNKS, CoilMatrix, GAUGES, Gauge, Order, SIDE_GAUGES, Side};
use coilsight_models::message::assessment::Evidence;
use std::ops::Range;

/// Stretches along the strip that are tried first on each side.
const STRETCHES: usize = 12;
/// Most places that are told.
const MOST: usize = 3;
/// A place is told if without it the odds of NOK fall at least by half.
const LEAST: f64 = std::f64::consts::LN_2;

/// A piece of the strip: chunks and columns of the matrix.
#[derive(Clone, Debug, PartialEq)]
struct Window {
    chunks: Range<usize>,
    columns: Range<usize>,
}

/// The places that speak for NOK, strongest first.
pub(super) fn find(
    judge: &mut dyn Judge,
    matrix: &CoilMatrix,
    order: Option<&Order>,
    length_m: Option<f64>,
    p_nok: f64,
) -> Vec<Evidence> {
    let mut drop = |window: &Window| -> f64 {
        let without = judge.scores(&occlude(matrix, window), order);
        without.map_or(0.0, |without| logit(p_nok) - logit(without.p_nok))
    };
    let mut found: Vec<(Window, f64)> = strongest(&coarse(), &mut drop);
    for (window, weight) in &mut found {
        // Half the length or a third of the width may tell as much: then it is that.
        while let Some((finer, w)) = strongest(&split(window), &mut drop).into_iter().next() {
            if w < 0.7 * *weight {
                break;
            }
            (*window, *weight) = (finer, w);
        }
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut told: Vec<(Window, f64)> = Vec::new();
    for (window, weight) in found {
        let new = told.iter().all(|(other, _)| !overlaps(other, &window));
        if new && weight >= LEAST {
            told.push((window, weight));
        }
    }
    // Of a strip whose length is unknown (the assessment then has none) places are told in chunks, and the page shows
    // them as shares.
    let metre = length_m.unwrap_or(CHUNKS as f64) / CHUNKS as f64;
    told.into_iter()
        .map(|(window, weight)| {
            let p_nok_without = 1.0 / (1.0 + (weight - logit(p_nok)).exp());
            Evidence { weight, p_nok_without, ..evidence(matrix, order, &window, metre) }
        })
        .collect()
}

/// Log-odds, kept finite.
fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-12, 1.0 - 1e-12);
    (p / (1.0 - p)).ln()
}

/// Stretches of each side, and thirds of each side over the whole length (streaks).
fn coarse() -> Vec<Window> {
    let mut windows = Vec::new();
    let third = SIDE_GAUGES / 3;
    for side in [0, SIDE_GAUGES] {
        for i in 0..STRETCHES {
            let chunks = i * CHUNKS / STRETCHES..(i + 1) * CHUNKS / STRETCHES;
            windows.push(Window { chunks, columns: side..side + SIDE_GAUGES });
        }
        for i in 0..3 {
            let columns = side + i * third..side + (i + 1) * third;
            windows.push(Window { chunks: 0..CHUNKS, columns });
        }
    }
    windows
}

fn split(window: &Window) -> Vec<Window> {
    let Window { chunks, columns } = window;
    let mut finer = Vec::new();
    if chunks.len() > 8 {
        let middle = chunks.start + chunks.len() / 2;
        for part in [chunks.start..middle, middle..chunks.end] {
            finer.push(Window { chunks: part, columns: columns.clone() });
        }
    }
    if columns.len() >= 3 {
        let third = columns.len() / 3;
        for i in 0..3 {
            let part = columns.start + i * third..columns.start + (i + 1) * third;
            finer.push(Window { chunks: chunks.clone(), columns: part });
        }
    }
    finer
}

fn strongest(windows: &[Window], drop: &mut dyn FnMut(&Window) -> f64) -> Vec<(Window, f64)> {
    let mut weighed: Vec<(Window, f64)> = windows.iter().map(|w| (w.clone(), drop(w))).collect();
    weighed.sort_by(|a, b| b.1.total_cmp(&a.1));
    weighed.truncate(MOST);
    weighed
}

fn overlaps(a: &Window, b: &Window) -> bool {
    let meet = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
    meet(&a.chunks, &b.chunks) && meet(&a.columns, &b.columns)
}

/// The coil with a window as unremarkable as the rest of its side.
fn occlude(matrix: &CoilMatrix, window: &Window) -> CoilMatrix {
    let (mut mean, mut std) = (matrix.mean().to_vec(), matrix.std().to_vec());
    let side = if window.columns.start < SIDE_GAUGES { 0..SIDE_GAUGES } else { SIDE_GAUGES..GAUGES };
    let cells = || (0..CHUNKS).flat_map(|k| side.clone().map(move |g| k * GAUGES + g));
    let read = || cells().filter(|i| matrix.mean()[*i] > 0);
    let usual_mean = median(read().map(|i| matrix.mean()[i]).collect());
    let usual_std = median(read().map(|i| matrix.std()[i]).collect());
    for chunk in window.chunks.clone() {
        for column in window.columns.clone() {
            (mean[chunk * GAUGES + column], std[chunk * GAUGES + column]) = (usual_mean, usual_std);
        }
    }
    CoilMatrix::from_hundredths(mean, std).unwrap_or_else(|_| matrix.clone())
}

fn median(mut values: Vec<u16>) -> u16 {
    let middle = values.len() / 2;
    if values.is_empty() { 0 } else { *values.select_nth_unstable(middle).1 }
}

fn evidence(matrix: &CoilMatrix, order: Option<&Order>, window: &Window, metres_a_chunk: f64) -> Evidence {
    let read: Vec<f64> = window
        .chunks
        .clone()
        .flat_map(|k| window.columns.clone().filter_map(move |g| matrix.at(k, g)))
        .collect();
    let mean = read.iter().sum::<f64>() / read.len().max(1) as f64;
    let deviation = |order: &Order| (mean / order.nominal_g_m2() - 1.0) * 100.0;
    Evidence {
        from_m: window.chunks.start as f64 * metres_a_chunk,
        to_m: window.chunks.end as f64 * metres_a_chunk,
        side: if window.columns.start < SIDE_GAUGES { Side::Top } else { Side::Bottom },
        gauges: window.columns.clone().map(Gauge::of_column).collect(),
        weight: 0.0,
        p_nok_without: 0.0,
        deviation_percent: order.filter(|_| !read.is_empty()).map(deviation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::ThinSpotJudge;
    use coilsight_models::coil::CELLS;

    fn coil(thin: impl Fn(usize, usize) -> bool) -> CoilMatrix {
        let mean = (0..CELLS).map(|i| if thin(i / GAUGES, i % GAUGES) { 4000 } else { 7000 }).collect();
        CoilMatrix::from_hundredths(mean, vec![150; CELLS]).unwrap()
    }

    fn look(matrix: &CoilMatrix) -> Vec<Evidence> {
        let mut judge = ThinSpotJudge::default();
        let p_nok = judge.scores(matrix, None).unwrap().p_nok;
        find(&mut judge, matrix, None, Some(2640.0), p_nok)
    }

    #[test]
    fn a_thin_patch_is_found_in_metres_side_and_gauges() {
        let found = look(&coil(|k, g| (100..104).contains(&k) && (12..15).contains(&g)));
        let first = &found[0];
        assert_eq!(first.side, Side::Bottom);
        assert!(
            first.from_m <= 1000.0 && first.to_m >= 1040.0 && first.to_m - first.from_m < 200.0,
            "{first:?}"
        );
        assert!(first.gauges.iter().any(|g| g.number == 4 || g.number == 5), "{first:?}");
    }

    #[test]
    fn a_streak_over_the_whole_length_is_found_as_one() {
        let found = look(&coil(|_, g| g == 4));
        assert_eq!((found[0].side, found[0].gauges.as_slice()), (Side::Top, &[Gauge::of_column(4)][..]));
        assert_eq!((found[0].from_m, found[0].to_m), (0.0, 2640.0));
    }
}
