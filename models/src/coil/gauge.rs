//! Gauges as people name them: a side of the strip and a number across it.

use super::SIDE_GAUGES;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A side of the strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Columns 0..9.
    Top,
    /// Columns 9..18.
    Bottom,
}

/// A gauge as people name it: a side and a number from 1 (operator side) to 9 (drive side).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gauge {
    /// Where it looks.
    pub side: Side,
    /// 1 at the operator side to 9 at the drive side.
    pub number: u8,
}

impl Gauge {
    /// The gauge behind a matrix column, 0..18.
    pub fn of_column(column: usize) -> Self {
        let side = if column < SIDE_GAUGES { Side::Top } else { Side::Bottom };
        Self { side, number: (column % SIDE_GAUGES) as u8 + 1 }
    }

    /// Its matrix column, 0..18; `None` if there is no gauge of that number.
    pub fn column(self) -> Option<usize> {
        let at = usize::from(self.number).checked_sub(1).filter(|at| *at < SIDE_GAUGES)?;
        Some(at + if self.side == Side::Top { 0 } else { SIDE_GAUGES })
    }
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Top => "top",
            Side::Bottom => "bottom",
        };
        write!(f, "{side} {}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_named_by_side_and_number() {
        assert_eq!(Gauge::of_column(0).to_string(), "top 1");
        assert_eq!(Gauge::of_column(17).to_string(), "bottom 9");
        assert!((0..18).all(|column| Gauge::of_column(column).column() == Some(column)));
        for number in [0, 10, 255] {
            assert_eq!(Gauge { side: Side::Top, number }.column(), None);
        }
    }
}
