//! Heat maps under headings, with the colours explained.

use super::heatmap::{Area, LIMIT, SIZE, colour, failed, fill, hatch, letters};
use super::{Heatmap, Picture, PlotError, register};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Heat maps beside each other.
const COLUMNS: usize = 3;
/// Pixels of the page's heading with the colour bar, of a section's heading, and around it all.
const HEAD: u32 = 84;
const SECTION: u32 = 42;
const MARGIN: u32 = 16;

/// A page of heat maps.
#[derive(Clone, Debug)]
pub struct Page {
    /// What it shows.
    pub heading: String,
    /// In order.
    pub sections: Vec<Section>,
}

/// Heat maps that belong together.
#[derive(Clone, Debug)]
pub struct Section {
    /// What they show.
    pub heading: String,
    /// In order, row by row.
    pub maps: Vec<Heatmap>,
}

impl Section {
    fn height(&self) -> u32 {
        SECTION + self.maps.len().div_ceil(COLUMNS) as u32 * SIZE.1
    }
}

impl Page {
    /// Pixels across and down.
    pub fn size(&self) -> (u32, u32) {
        let below: u32 = self.sections.iter().map(Section::height).sum();
        (COLUMNS as u32 * SIZE.0 + 2 * MARGIN, HEAD + below + 2 * MARGIN)
    }

    /// Draws it.
    pub fn draw(&self) -> Result<Picture, PlotError> {
        register()?;
        let (width, height) = self.size();
        let mut rgb = vec![0xff; 3 * width as usize * height as usize];
        {
            let page = BitMapBackend::with_buffer(&mut rgb, (width, height)).into_drawing_area();
            let inner = page.margin(MARGIN, MARGIN, MARGIN, MARGIN);
            let (head, mut rest) = inner.split_vertically(HEAD);
            let dark = RGBColor(0x20, 0x20, 0x20);
            let large = |size| letters(size, dark, HPos::Left, VPos::Top);
            head.draw_text(&self.heading, &large(22.0), (4, 4)).map_err(failed)?;
            bar(&head)?;
            for section in &self.sections {
                let (area, below) = rest.split_vertically(section.height());
                rest = below;
                let (heading, maps) = area.split_vertically(SECTION);
                fill(&heading, (4, 4), ((width - 2 * MARGIN) as i32 - 8, 1), RGBColor(0xa0, 0xa0, 0xa0))?;
                heading.draw_text(&section.heading, &large(18.0), (4, 12)).map_err(failed)?;
                for (row, of_row) in section.maps.chunks(COLUMNS).enumerate() {
                    for (column, map) in of_row.iter().enumerate() {
                        let at = (column as u32 * SIZE.0, row as u32 * SIZE.1);
                        let at = (at.0 as i32, at.1 as i32);
                        map.draw(&maps.clone().shrink(at, SIZE))?;
                    }
                }
            }
            page.present().map_err(failed)?;
        }
        Ok(Picture { width, height, rgb })
    }
}

/// The colour bar, in per cent, and what gaps look like.
fn bar(head: &Area) -> Result<(), PlotError> {
    let grey = RGBColor(0x40, 0x40, 0x40);
    let (left, top, across) = (4, 38, 600);
    for x in 0..across {
        let deviation = LIMIT * (2.0 * f64::from(x) / f64::from(across - 1) - 1.0);
        fill(head, (left + x, top), (1, 16), colour(deviation))?;
    }
    let text = |words: &str, x: HPos, at| head.draw_text(words, &letters(12.0, grey, x, VPos::Top), at);
    for percent in (-30..=30).step_by(10) {
        let x = left + (percent + 30) * (across - 1) / 60;
        fill(head, (x, top + 16), (1, 4), grey)?;
        let place = match percent {
            -30 => HPos::Left,
            30 => HPos::Right,
            _ => HPos::Center,
        };
        text(&format!("{percent:+}"), place, (x, top + 22)).map_err(failed)?;
    }
    let words = "% of the ordered weight: red is thinner, blue is heavier";
    text(words, HPos::Left, (left + across + 16, top + 2)).map_err(failed)?;
    hatch(head, (left + across + 400, top), (40, 16))?;
    text("no reading", HPos::Left, (left + across + 448, top + 2)).map_err(failed)
}
