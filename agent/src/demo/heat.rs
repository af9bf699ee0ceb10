//! A strip as a small heat map: along the strip from left to right, a side above the other.

use coilsight_models::coil::{CHUNKS, CoilMatrix, GAUGES, Order, SIDE_GAUGES};
use std::fmt::Write;

/// Chunks in one character.
const CHUNKS_A_CELL: usize = 3;

/// What stands for a part of the strip, from thin to thick; blue to orange, which colour-blind people
/// tell apart, and letters where there are no colours.
const STEPS: [(f64, u8, char); 9] = [
    (-15.0, 21, '#'),
    (-9.0, 33, '='),
    (-5.0, 75, '-'),
    (-2.0, 117, ','),
    (2.0, 255, ' '),
    (5.0, 223, '.'),
    (9.0, 215, '+'),
    (15.0, 208, '*'),
    (f64::INFINITY, 202, '@'),
];

/// What the colours or letters mean.
pub fn legend(colours: bool) -> String {
    let names = [
        "-15 % and less",
        "-15..-9",
        "-9..-5",
        "-5..-2",
        "as ordered",
        "+2..+5",
        "+5..+9",
        "+9..+15",
        "over +15 %",
    ];
    let mut text = String::from("Against the ordered weight: ");
    for ((_, colour, letter), name) in STEPS.iter().zip(names) {
        if colours {
            let _ = write!(text, "\x1b[48;5;{colour}m  \x1b[0m {name}  ");
        } else {
            let _ = write!(text, "[{letter}] {name}  ");
        }
    }
    text + if colours { "\x1b[48;5;240m//\x1b[0m no reading" } else { "[/] no reading" }
}

/// Nine lines a side; the mean of three chunks a character.
pub fn draw(matrix: &CoilMatrix, order: Option<&Order>, colours: bool) -> String {
    let usual = order.map_or_else(|| mean(matrix, 0..CHUNKS, 0..GAUGES).unwrap_or(1.0), Order::nominal_g_m2);
    let mut text = String::new();
    for column in 0..GAUGES {
        let label = match column % SIDE_GAUGES {
            0 => "o",
            8 => "d",
            4 if column < SIDE_GAUGES => "top   ",
            4 => "bottom",
            _ => "",
        };
        let _ = write!(text, "{label:>8} ");
        for cell in 0..CHUNKS / CHUNKS_A_CELL {
            let chunks = cell * CHUNKS_A_CELL..(cell + 1) * CHUNKS_A_CELL;
            let found = mean(matrix, chunks, column..column + 1).map(|m| (m / usual - 1.0) * 100.0);
            match (found, colours) {
                (None, true) => text.push_str("\x1b[48;5;240m/\x1b[0m"),
                (None, false) => text.push('/'),
                (Some(percent), true) => {
                    let _ = write!(text, "\x1b[48;5;{}m \x1b[0m", step(percent).1);
                }
                (Some(percent), false) => text.push(step(percent).2),
            }
        }
        text.push('\n');
        if column == SIDE_GAUGES - 1 {
            text.push('\n');
        }
    }
    text.truncate(text.trim_end_matches('\n').len());
    text
}

fn step(percent: f64) -> &'static (f64, u8, char) {
    STEPS.iter().find(|(limit, ..)| percent < *limit).unwrap_or(&STEPS[STEPS.len() - 1])
}

fn mean(matrix: &CoilMatrix, chunks: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> Option<f64> {
    let read: Vec<f64> = chunks.flat_map(|k| columns.clone().filter_map(move |g| matrix.at(k, g))).collect();
    (!read.is_empty()).then(|| read.iter().sum::<f64>() / read.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coilsight_models::coil::{CELLS, ToleranceClass};

    #[test]
    fn a_thin_place_and_a_gap_are_seen_where_they_are() {
        let mut mean = vec![7000u16; CELLS];
        (0..6).for_each(|k| mean[k * GAUGES + 2] = 5000);
        (0..6).for_each(|k| mean[k * GAUGES + 12] = 0);
        let matrix = CoilMatrix::from_hundredths(mean, vec![100; CELLS]).unwrap();
        let order = Order::new(70.0, ToleranceClass::A, 1250.0).unwrap();
        let picture = draw(&matrix, Some(&order), false);
        let lines: Vec<&str> = picture.lines().collect();
        assert_eq!(lines.len(), 19);
        assert!(lines[2].contains(" ##"), "{picture}");
        assert!(lines[13].contains(" //"), "{picture}");
        assert_eq!(picture.matches('#').count(), 2);
    }
}
