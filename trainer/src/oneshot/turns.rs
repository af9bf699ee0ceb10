//! The eight ways in which a square picture can lie, as at the line.

pub use coilsight_models::surface::{TURNS, turned};
