//! Pictures for people: heat maps of coils, as PNG files.
//!
//! Drawn by plotters into memory. Letters are those of [`FONT`], which travels with the program: pictures are the same on a
//! workstation and on a machine without any fonts.

pub mod heatmap;
mod page;
mod png;
mod strip;

pub use heatmap::Heatmap;
pub use page::{Page, Section};
pub use strip::strip;

use plotters::style::{FontStyle, register_font};
use std::path::{Path, PathBuf};

/// The font's name for plotters.
pub const FONT: &str = "DejaVu Sans";

/// A picture in memory.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Red, green, blue, row by row.
    pub rgb: Vec<u8>,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The drawing library.
    #[error("the picture cannot be drawn: {0}")]
    Draw(String),
    /// Packing it.
    #[error("the picture cannot be packed as PNG")]
    Pack(#[source] std::io::Error),
    /// The file.
    #[error("cannot write the picture {}: choose a folder that exists and may be written to", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Picture {
    /// Its PNG file's bytes.
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        png::encode(self).map_err(PlotError::Pack)
    }

    /// Writes it as a PNG file.
    pub fn write(&self, path: &Path) -> Result<(), PlotError> {
        let written = png::encode(self).and_then(|bytes| std::fs::write(path, bytes));
        written.map_err(|source| PlotError::Write { path: path.into(), source })
    }
}

/// Makes [`FONT`] known to plotters; more than once is as good as once.
fn register() -> Result<(), PlotError> {
    register_font(FONT, FontStyle::Normal, include_bytes!("font/DejaVuSans.ttf"))
        .map_err(|_| PlotError::Draw("its font is damaged".into()))
}
