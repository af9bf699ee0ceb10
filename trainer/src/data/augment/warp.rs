//! Flaws a little elsewhere along the strip, or at an angle to it.
//!
//! `rotate` is the paper's small rotation (section 3.1), about the middle of each side by itself: across the seam of top
//! and bottom a rotation would mean nothing. The strip is 264 chunks long and 9 gauges wide, so 0.43 degrees move its ends by
//! one gauge across: a strip that wanders under the gauges, or a flaw that runs slantwise.
//!
//! `shift_length` moves what lies in the strip's middle along it: the place x of the length (0 to 1) shows what was at
//! `x + a sin(πx) + b/2 sin(2πx)`. Both ends stay where they are, because thin heads and tails come of welds and are judged
//! as such, and what lies between is shifted and slightly stretched.
//!
//! What moves is the deviation of a reading from its gauge's median over the strip: calibration and the profile across the strip
//! (edges are coated more) belong to the place. Gaps stay where they are, and lend nothing to others.

use super::{AugmentConfig, Sheet, normal};
use coilsight_models::coil::{CHUNKS, GAUGES, SIDE_GAUGES};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::PI;

/// Warps it as the settings say.
pub fn apply(config: &AugmentConfig, sheet: &mut Sheet, rng: &mut ChaCha8Rng, changes: &mut Vec<String>) {
    let angle = normal(config.rotate, rng);
    let (shift, stretch) = (normal(config.shift_length, rng), normal(config.shift_length, rng));
    if config.rotate > 0.0 {
        changes.push(format!("rotate {angle:+.2}°"));
    }
    if config.shift_length > 0.0 {
        changes.push(format!("shift_length {:+.1} %", 100.0 * shift));
    }
    if config.rotate > 0.0 || config.shift_length > 0.0 {
        warp(sheet, angle.to_radians(), (shift, stretch));
    }
}

/// Rotates by an angle (radians) and moves along (shares of the length).
fn warp(sheet: &mut Sheet, angle: f64, (shift, stretch): (f64, f64)) {
    let medians = sheet.medians();
    let before = sheet.clone();
    let (sin, cos) = angle.sin_cos();
    let (last, middle) = ((CHUNKS - 1) as f64, (SIDE_GAUGES - 1) as f64 / 2.0);
    for chunk in 0..CHUNKS {
        let x = chunk as f64 / last;
        let moved = last * (shift * (PI * x).sin() + 0.5 * stretch * (2.0 * PI * x).sin());
        let along = chunk as f64 - last / 2.0;
        for column in 0..GAUGES {
            let cell = chunk * GAUGES + column;
            let across = (column % SIDE_GAUGES) as f64 - middle;
            let at = (
                (last / 2.0 + cos * along + sin * across + moved).clamp(0.0, last),
                (middle - sin * along + cos * across).clamp(0.0, 2.0 * middle),
            );
            let first = column / SIDE_GAUGES * SIDE_GAUGES;
            if before.read(cell)
                && let Some((mean, std)) = there(&before, &medians, first, at)
            {
                sheet.mean[cell] = (mean * medians[column]).max(1.0);
                sheet.std[cell] = std * medians[column];
            }
        }
    }
}

/// Mean and standard deviation over the gauge's median between the four cells around a place of the side whose first column
/// is `first`; `None` where none of them was read.
fn there(
    sheet: &Sheet,
    medians: &[f64; GAUGES],
    first: usize,
    (chunk, gauge): (f64, f64),
) -> Option<(f64, f64)> {
    let (mut mean, mut std, mut sum) = (0.0, 0.0, 0.0);
    for (k, along) in [(chunk.floor(), 1.0 - chunk.fract()), (chunk.floor() + 1.0, chunk.fract())] {
        for (g, across) in [(gauge.floor(), 1.0 - gauge.fract()), (gauge.floor() + 1.0, gauge.fract())] {
            let weight = along * across;
            if weight > 0.0 {
                let column = first + g as usize;
                let cell = k as usize * GAUGES + column;
                if sheet.read(cell) {
                    mean += weight * sheet.mean[cell] / medians[column];
                    std += weight * sheet.std[cell] / medians[column];
                    sum += weight;
                }
            }
        }
    }
    (sum > 0.0).then(|| (mean / sum, std / sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coilsight_models::coil::{CELLS, CoilMatrix};

    /// A flat coil with a thin stripe under gauge 5 of the top side.
    fn striped() -> Sheet {
        let mean = (0..CELLS).map(|i| if i % GAUGES == 4 && i / GAUGES >= 100 { 5000 } else { 7000 });
        Sheet::of(&CoilMatrix::from_hundredths(mean.collect(), vec![100; CELLS]).unwrap())
    }

    /// The column of the top side that is thinnest in a chunk, and the one of the bottom side.
    fn thinnest(sheet: &Sheet, chunk: usize) -> usize {
        let row = &sheet.mean[chunk * GAUGES..][..SIDE_GAUGES];
        (0..SIDE_GAUGES).min_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
    }

    #[test]
    fn a_rotation_moves_the_ends_across_and_the_middle_not() {
        // The stripe's own gauge is thin over most of the strip: its median is the stripe, which would be no deviation.
        let mut sheet = striped();
        for chunk in 100..CHUNKS {
            sheet.mean[chunk * GAUGES + 4] = if (chunk - 100) % 40 < 10 { 5000.0 } else { 7000.0 };
        }
        let before = sheet.clone();
        warp(&mut sheet, 0.868_f64.to_radians(), (0.0, 0.0));
        // Two gauges at the ends of the strip, none in its middle.
        assert_eq!(thinnest(&sheet, 132 + 10), 4);
        let end = 264 - 20; // of the stripe's last piece: 220..230, 260..264
        assert_eq!(thinnest(&before, 262), 4);
        assert_eq!(thinnest(&sheet, 262), 6, "{:?}", &sheet.mean[end * GAUGES..][..9]);
        // The bottom side has no flaw, and gets none.
        assert!((0..CHUNKS).all(|k| (sheet.mean[k * GAUGES + 13] - 7000.0).abs() < 1e-6));
    }

    #[test]
    fn a_shift_moves_what_lies_between_the_ends() {
        let mut sheet = Sheet::of(&CoilMatrix::from_hundredths(vec![7000; CELLS], vec![0; CELLS]).unwrap());
        for chunk in [0, 140, CHUNKS - 1] {
            sheet.mean[chunk * GAUGES + 3] = 5000.0;
        }
        warp(&mut sheet, 0.0, (10.0 / 263.0, 0.0));
        let thin: Vec<usize> = (0..CHUNKS).filter(|k| sheet.mean[k * GAUGES + 3] < 6000.0).collect();
        assert_eq!(thin, [0, 130, CHUNKS - 1]);
    }

    #[test]
    fn calibration_stays_with_its_gauge() {
        let mean = (0..CELLS).map(|i| 6000 + 100 * (i % GAUGES) as u16).collect();
        let mut sheet = Sheet::of(&CoilMatrix::from_hundredths(mean, vec![70; CELLS]).unwrap());
        let before = sheet.clone();
        warp(&mut sheet, 0.01, (0.05, -0.02));
        assert!(sheet.mean.iter().zip(&before.mean).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
