//! A coil as a heat map: the strip from left to right, top side above bottom side, operator side above drive side on each.
//!
//! Colours say how far a reading lies from the ordered weight, on the diverging map `RdBu` of `ColorBrewer` (C. Brewer, M. Harrower,
//! Pennsylvania State University; safe for colour-blind eyes): red is thin, white as ordered, blue heavy. Gaps are grey and hatched.

use coilsight_models::coil::{CHUNKS, CoilMatrix, GAUGES, SIDE_GAUGES};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{FONT, PlotError};

/// Pixels of a cell, along and across.
pub const CELL: (i32, i32) = (2, 7);
/// Pixels between the sides.
const SEAM: i32 = 8;
/// Pixels of the names of sides and edges.
const LEFT: i32 = 104;
/// Pixels of title and notes.
const ABOVE: i32 = 60;
/// Pixels of the axis of metres, and of the space below.
const BELOW: i32 = 36;
/// Pixels to the right of the strip.
const RIGHT: i32 = 24;
/// Letters of a note in a row, and rows.
const NOTE: (usize, usize) = (86, 2);

/// Pixels of a heat map, with its words.
pub const SIZE: (u32, u32) =
    ((LEFT + CHUNKS as i32 * CELL.0 + RIGHT) as u32, (ABOVE + GAUGES as i32 * CELL.1 + SEAM + BELOW) as u32);

/// Deviations beyond are of the last colour.
pub const LIMIT: f64 = 0.3;

/// `RdBu` in eleven classes, from -[`LIMIT`] to [`LIMIT`].
const MAP: [(u8, u8, u8); 11] = [
    (0x67, 0x00, 0x1f),
    (0xb2, 0x18, 0x2b),
    (0xd6, 0x60, 0x4d),
    (0xf4, 0xa5, 0x82),
    (0xfd, 0xdb, 0xc7),
    (0xf7, 0xf7, 0xf7),
    (0xd1, 0xe5, 0xf0),
    (0x92, 0xc5, 0xde),
    (0x43, 0x93, 0xc3),
    (0x21, 0x66, 0xac),
    (0x05, 0x30, 0x61),
];

/// A gap, and its hatching.
const GAP: (RGBColor, RGBColor) = (RGBColor(0xc4, 0xc4, 0xc4), RGBColor(0x70, 0x70, 0x70));

/// A coil to draw.
#[derive(Clone, Debug)]
pub struct Heatmap {
    /// What it is: one line.
    pub title: String,
    /// More about it: two lines.
    pub note: String,
    /// Its coating.
    pub matrix: CoilMatrix,
    /// Ordered weight, g/m2 a side: what is white.
    pub nominal_g_m2: f64,
    /// Length of the strip, m.
    pub length_m: f64,
}

/// Where things are drawn.
pub type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// The colour of a deviation from the ordered weight.
pub fn colour(deviation: f64) -> RGBColor {
    // Steps of one per cent: neighbours that differ by noise alone look alike, and files are small.
    let steps = 100.0 * LIMIT;
    let at = ((deviation / LIMIT).clamp(-1.0, 1.0) * steps).round() / steps;
    let place = f64::midpoint(at, 1.0) * (MAP.len() - 1) as f64;
    let first = (place.floor() as usize).min(MAP.len() - 2);
    let part = place - first as f64;
    let mix = |a: u8, b: u8| (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8;
    let (a, b) = (MAP[first], MAP[first + 1]);
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// Letters of a size.
pub fn letters(size: f64, colour: RGBColor, x: HPos, y: VPos) -> TextStyle<'static> {
    TextStyle { font: (FONT, size).into_font(), color: colour.to_backend_color(), pos: Pos::new(x, y) }
}

/// The pixels of a rectangle.
fn pixels((x, y): (i32, i32), (w, h): (i32, i32)) -> impl Iterator<Item = (i32, i32)> {
    (x..x + w).flat_map(move |x| (y..y + h).map(move |y| (x, y)))
}

/// Fills a rectangle that begins at a place.
pub fn fill(area: &Area, (x, y): (i32, i32), (w, h): (i32, i32), colour: RGBColor) -> Result<(), PlotError> {
    // Pixel by pixel: plotters draws nothing of a rectangle that is one pixel thin.
    pixels((x, y), (w, h)).try_for_each(|at| area.draw_pixel(at, &colour)).map_err(failed)
}

/// A rectangle as gaps look.
pub fn hatch(area: &Area, (x, y): (i32, i32), (w, h): (i32, i32)) -> Result<(), PlotError> {
    fill(area, (x, y), (w, h), GAP.0)?;
    let mut lines = pixels((x, y), (w, h)).filter(|(x, y)| (x + y) % 6 == 0);
    lines.try_for_each(|at| area.draw_pixel(at, &GAP.1)).map_err(failed)
}

pub(super) fn failed(error: impl std::fmt::Display) -> PlotError {
    PlotError::Draw(error.to_string())
}

impl Heatmap {
    /// Draws it into an area of [`SIZE`].
    pub fn draw(&self, area: &Area) -> Result<(), PlotError> {
        let (dark, grey) = (RGBColor(0x20, 0x20, 0x20), RGBColor(0x60, 0x60, 0x60));
        let text = |words: &str, style: &TextStyle, at| area.draw_text(words, style, at).map_err(failed);
        text(&self.title, &letters(15.0, dark, HPos::Left, VPos::Top), (LEFT, 6))?;
        for (row, line) in (0..).zip(lines(&self.note)) {
            text(&line, &letters(12.0, grey, HPos::Left, VPos::Top), (LEFT, 25 + 15 * row))?;
        }
        for side in 0..2 {
            self.side(area, side)?;
            let (first, last) = (top_of(side * SIDE_GAUGES), top_of(side * SIDE_GAUGES + SIDE_GAUGES - 1));
            let edge = letters(11.0, grey, HPos::Right, VPos::Center);
            text("operator", &edge, (LEFT - 6, first + CELL.1 / 2))?;
            text("drive", &edge, (LEFT - 6, last + CELL.1 / 2))?;
            let name = ["top", "bottom"][side];
            let middle = i32::midpoint(first, last + CELL.1);
            text(name, &letters(13.0, dark, HPos::Left, VPos::Center), (4, middle))?;
        }
        self.metres(area, &letters(11.0, grey, HPos::Center, VPos::Top))
    }

    fn side(&self, area: &Area, side: usize) -> Result<(), PlotError> {
        for column in side * SIDE_GAUGES..(side + 1) * SIDE_GAUGES {
            for chunk in 0..CHUNKS {
                let at = (LEFT + chunk as i32 * CELL.0, top_of(column));
                match self.matrix.at(chunk, column) {
                    Some(weight) => fill(area, at, CELL, colour(weight / self.nominal_g_m2 - 1.0))?,
                    None => hatch(area, at, CELL)?,
                }
            }
        }
        Ok(())
    }

    /// The axis of metres along the strip.
    fn metres(&self, area: &Area, style: &TextStyle) -> Result<(), PlotError> {
        let under = top_of(GAUGES - 1) + CELL.1;
        let across = f64::from(CHUNKS as i32 * CELL.0);
        let step = step(self.length_m);
        let ticks = (0..).map(|k| f64::from(k) * step).take_while(|at| *at <= self.length_m);
        for at in ticks {
            let x = LEFT + (at / self.length_m * across).round() as i32;
            fill(area, (x, under), (1, 4), RGBColor(0x60, 0x60, 0x60))?;
            let unit = if at == 0.0 { " m" } else { "" };
            area.draw_text(&format!("{at}{unit}"), style, (x, under + 6)).map_err(failed)?;
        }
        Ok(())
    }
}

/// The first row of pixels of a column of the matrix.
fn top_of(column: usize) -> i32 {
    ABOVE + column as i32 * CELL.1 + if column < SIDE_GAUGES { 0 } else { SEAM }
}

/// Metres between ticks: 1, 2 or 5 times a power of ten, at most eight of them on the strip.
fn step(length_m: f64) -> f64 {
    let power = 10_f64.powf((length_m.max(1.0) / 10.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0, 20.0].into_iter().map(|k| k * power).find(|s| length_m / s <= 8.0).unwrap_or(power)
}

/// A note in rows; what does not fit ends in dots.
fn lines(note: &str) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in note.split_whitespace() {
        let last = rows.len() - 1;
        if rows[last].is_empty() {
            rows[last].push_str(word);
        } else if rows[last].chars().count() + 1 + word.chars().count() <= NOTE.0 {
            rows[last] = format!("{} {word}", rows[last]);
        } else if rows.len() < NOTE.1 {
            rows.push(word.into());
        } else {
            rows[last].push_str(" …");
            break;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_the_maps_at_its_places_and_stay_at_its_ends() {
        assert_eq!(colour(0.0), RGBColor(0xf7, 0xf7, 0xf7));
        assert_eq!((colour(-0.3), colour(-5.0)), (colour(-0.3), RGBColor(0x67, 0x00, 0x1f)));
        assert_eq!((colour(0.3), colour(5.0)), (colour(0.3), RGBColor(0x05, 0x30, 0x61)));
        assert_eq!(colour(0.06), RGBColor(0xd1, 0xe5, 0xf0));
        // Thin is red, heavy is blue.
        assert!(colour(-0.1).0 > colour(-0.1).2 && colour(0.1).2 > colour(0.1).0);
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!([1782.5, 900.0, 500.0, 80.0, 2800.0].map(step), [500.0, 200.0, 100.0, 10.0, 500.0]);
    }

    #[test]
    fn notes_are_broken_between_words_and_end_in_dots() {
        let note = ["word"; 100].join(" ");
        let rows = lines(&note);
        assert_eq!(rows.len(), 2);
        assert!(rows[0].ends_with("word") && rows[1].ends_with("word …"));
        assert!(rows.iter().all(|row| row.chars().count() <= NOTE.0 + 2));
        assert_eq!(lines(""), [""]);
    }
}
