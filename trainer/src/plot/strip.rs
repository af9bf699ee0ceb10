//! A single coil, and below it, cell by cell, what speaks for NOK and what against.
//!
//! Colours of evidence are those of the diverging map `PuOr` of `ColorBrewer`: orange speaks for NOK, purple for OK, white for
//! neither. They are scaled to the strongest cell.

use super::heatmap::{CELL, SIZE, failed, fill, letters};
use super::{Heatmap, Picture, PlotError, register};
use coilsight_models::coil::{CHUNKS, GAUGES, SIDE_GAUGES};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// `PuOr` in seven classes, from against NOK to for it.
const MAP: [(u8, u8, u8); 7] = [
    (0x54, 0x27, 0x88),
    (0x99, 0x8e, 0xc3),
    (0xd8, 0xda, 0xeb),
    (0xf7, 0xf7, 0xf7),
    (0xfe, 0xe0, 0xb6),
    (0xf1, 0xa3, 0x40),
    (0xb3, 0x58, 0x06),
];
/// Pixels above the evidence, between its sides, and below.
const GAPS: (i32, i32, i32) = (22, 8, 12);

/// Draws the coil; `evidence` is what each cell of `[264][18]` adds to the log-odds of NOK, row-major, left out if it has another
/// shape.
pub fn strip(map: &Heatmap, evidence: Option<&[f64]>) -> Result<Picture, PlotError> {
    register()?;
    let evidence = evidence.filter(|e| e.len() == CHUNKS * GAUGES);
    let below = GAPS.0 + GAUGES as i32 * CELL.1 + GAPS.1 + GAPS.2;
    let (width, height) = (SIZE.0, SIZE.1 + if evidence.is_some() { below as u32 } else { 0 });
    let mut rgb = vec![0xff; 3 * width as usize * height as usize];
    {
        let area = BitMapBackend::with_buffer(&mut rgb, (width, height)).into_drawing_area();
        map.draw(&area.clone().shrink((0, 0), SIZE))?;
        if let Some(evidence) = evidence {
            draw(&area, evidence)?;
        }
        area.present().map_err(failed)?;
    }
    Ok(Picture { width, height, rgb })
}

fn draw(area: &super::heatmap::Area, evidence: &[f64]) -> Result<(), PlotError> {
    let most = evidence.iter().filter(|v| v.is_finite()).fold(0.0_f64, |most, v| most.max(v.abs()));
    let (left, top) = (SIZE.0 as i32 - CHUNKS as i32 * CELL.0 - 24, SIZE.1 as i32);
    let words = format!("speaks for NOK (orange) or OK (purple): log-odds up to {most:.2}");
    area.draw_text(
        &words,
        &letters(12.0, RGBColor(0x60, 0x60, 0x60), HPos::Left, VPos::Top),
        (left, top + 3),
    )
    .map_err(failed)?;
    for (i, value) in evidence.iter().enumerate() {
        let (chunk, column) = ((i / GAUGES) as i32, (i % GAUGES) as i32);
        let seam = if (column as usize) < SIDE_GAUGES { 0 } else { GAPS.1 };
        let part = if most > 0.0 && value.is_finite() { value / most } else { 0.0 };
        fill(area, (left + chunk * CELL.0, top + GAPS.0 + column * CELL.1 + seam), CELL, colour(part))?;
    }
    Ok(())
}

/// The colour of -1 to 1.
fn colour(part: f64) -> RGBColor {
    let place = (part.clamp(-1.0, 1.0) + 1.0) * (MAP.len() - 1) as f64 / 2.0;
    let (r, g, b) = MAP[place.round() as usize];
    RGBColor(r, g, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coilsight_models::coil::CoilMatrix;

    #[test]
    fn evidence_lies_below_the_strip_and_another_shape_is_left_out() {
        let matrix =
            CoilMatrix::from_hundredths(vec![4000; CHUNKS * GAUGES], vec![10; CHUNKS * GAUGES]).unwrap();
        let map =
            Heatmap { title: "A".into(), note: String::new(), matrix, nominal_g_m2: 40.0, length_m: 1000.0 };
        let mut evidence = vec![0.0; CHUNKS * GAUGES];
        evidence[0] = 2.0;
        evidence[GAUGES * CHUNKS - 1] = -2.0;
        let drawn = strip(&map, Some(&evidence)).unwrap();
        let bare = strip(&map, Some(&[1.0])).unwrap();
        assert_eq!((bare.height, drawn.height), (SIZE.1, SIZE.1 + 168));
        let has = |rgb: (u8, u8, u8)| drawn.rgb.chunks_exact(3).any(|p| (p[0], p[1], p[2]) == rgb);
        assert!(has(MAP[0]) && has(MAP[6]), "the strongest cells have the last colours");
        assert!(drawn.rgb.starts_with(&bare.rgb[..1000]));
    }
}
