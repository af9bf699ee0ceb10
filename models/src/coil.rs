//! A coil: its id, its order data and the 264 x 18 matrix of its coating. Valid once built.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Chunks along a coil, whatever its length (paper, section 3.1).
pub const CHUNKS: usize = 264;
/// Gauges across both sides of the strip.
pub const GAUGES: usize = 18;
/// Gauges on one side: columns 0..9 are the top, 9..18 the bottom, operator to drive side.
pub const SIDE_GAUGES: usize = 9;
/// Cells of a matrix.
pub const CELLS: usize = CHUNKS * GAUGES;
/// The most a single reading may be, in g/m2 a side, where no order says anything closer.
pub const MAX_READING: f64 = 600.0;

/// A coil's name as the plant gives it: opaque, 1 to 64 printable characters, no path, no markup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CoilId(String);

/// Why a text is no [`CoilId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCoilId {
    /// Nothing in it.
    #[error("a coil id must not be empty")]
    Empty,
    /// More than 64 characters.
    #[error("a coil id has at most 64 characters")]
    TooLong,
    /// A control character, markup, a path separator, or white space at an end.
    #[error("a coil id holds letters, digits, inner spaces and any of - _ . : # + * ( ) [ ] @ , = only")]
    Character,
    /// It begins as a hidden file or a parent folder would.
    #[error("a coil id must not begin with a dot")]
    Dot,
}

impl CoilId {
    /// Most characters of an id.
    pub const MAX: usize = 64;

    /// Checks `text` and keeps it as it is.
    pub fn new(text: impl Into<String>) -> Result<Self, BadCoilId> {
        let text = text.into();
        if text.is_empty() {
            return Err(BadCoilId::Empty);
        }
        if text.len() > Self::MAX * 4 || text.chars().count() > Self::MAX {
            return Err(BadCoilId::TooLong);
        }
        if text.starts_with('.') {
            return Err(BadCoilId::Dot);
        }
        let fine = |c: char| c.is_alphanumeric() || " -_.:#+*()[]@,=".contains(c);
        if text.trim() != text || !text.chars().all(fine) {
            return Err(BadCoilId::Character);
        }
        Ok(Self(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CoilId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CoilId {
    type Error = BadCoilId;
    fn try_from(text: String) -> Result<Self, BadCoilId> {
        Self::new(text)
    }
}

impl From<CoilId> for String {
    fn from(id: CoilId) -> Self {
        id.0
    }
}

/// How much a customer bears: the ordered tolerance class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ToleranceClass {
    /// Exposed automotive parts: the strictest.
    A,
    /// Unexposed parts.
    B,
    /// Building: the most lenient.
    C,
}

impl ToleranceClass {
    /// All of them, strictest first.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    /// Its letter.
    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

impl fmt::Display for ToleranceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

impl std::str::FromStr for ToleranceClass {
    type Err = OrderFault;
    fn from_str(text: &str) -> Result<Self, OrderFault> {
        Self::ALL.into_iter().find(|class| class.letter() == text).ok_or(OrderFault::ToleranceClass)
    }
}

/// What the customer ordered. Within sense once built.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "OrderFields", into = "OrderFields")]
pub struct Order {
    nominal_g_m2: f64,
    tolerance_class: ToleranceClass,
    width_mm: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderFields {
    nominal_g_m2: f64,
    tolerance_class: ToleranceClass,
    width_mm: f64,
}

/// Which of the order data make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum OrderFault {
    /// Not there, not a number, or outside 5 to 300 g/m2 a side.
    #[error("the ordered weight is missing or outside 5 to 300 g/m2 a side")]
    NominalWeight,
    /// Not there, or none of A, B, C.
    #[error("the tolerance class is missing or none of A, B, C")]
    ToleranceClass,
    /// Not there, not a number, or outside 200 to 3000 mm.
    #[error("the strip width is missing or outside 200 to 3000 mm")]
    Width,
}

impl Order {
    /// Checks the three against what a galvanizing line can be asked for.
    pub fn new(
        nominal_g_m2: f64,
        tolerance_class: ToleranceClass,
        width_mm: f64,
    ) -> Result<Self, OrderFault> {
        if !(5.0..=300.0).contains(&nominal_g_m2) {
            return Err(OrderFault::NominalWeight);
        }
        if !(200.0..=3000.0).contains(&width_mm) {
            return Err(OrderFault::Width);
        }
        Ok(Self { nominal_g_m2, tolerance_class, width_mm })
    }

    /// Ordered coating weight per side, g/m2.
    pub fn nominal_g_m2(&self) -> f64 {
        self.nominal_g_m2
    }

    /// The customer's tolerance class.
    pub fn tolerance_class(&self) -> ToleranceClass {
        self.tolerance_class
    }

    /// Strip width, mm.
    pub fn width_mm(&self) -> f64 {
        self.width_mm
    }

    /// The most a reading of this coil may be and still be believed: twice the order, g/m2.
    pub fn max_reading(&self) -> f64 {
        2.0 * self.nominal_g_m2
    }
}

impl TryFrom<OrderFields> for Order {
    type Error = OrderFault;
    fn try_from(f: OrderFields) -> Result<Self, OrderFault> {
        Self::new(f.nominal_g_m2, f.tolerance_class, f.width_mm)
    }
}

impl From<Order> for OrderFields {
    fn from(o: Order) -> Self {
        Self { nominal_g_m2: o.nominal_g_m2, tolerance_class: o.tolerance_class, width_mm: o.width_mm }
    }
}

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

/// The coating of a coil: mean and standard deviation of each chunk under each gauge.
///
/// Both are `[264][18]`, row-major, in units of 0.01 g/m2 a side; a mean of 0 says that the gauge gave
/// no reading there. This is also how data sets and recordings keep it (`NAME-mean.npy`).
#[derive(Clone, PartialEq, Eq)]
pub struct CoilMatrix {
    mean: Box<[u16]>,
    std: Box<[u16]>,
}

/// A matrix of the wrong number of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a coil matrix has 264 x 18 = 4752 cells of mean and of standard deviation, here {mean} and {std}")]
pub struct BadShape {
    /// Cells of the mean that came.
    pub mean: usize,
    /// Cells of the standard deviation that came.
    pub std: usize,
}

impl CoilMatrix {
    /// Takes `[264][18]` hundredths of g/m2, row-major.
    pub fn from_hundredths(mean: Vec<u16>, std: Vec<u16>) -> Result<Self, BadShape> {
        if mean.len() != CELLS || std.len() != CELLS {
            return Err(BadShape { mean: mean.len(), std: std.len() });
        }
        let mut std = std;
        // No reading has no spread: one way to say "gap", so that equal coils have equal bytes.
        for (s, m) in std.iter_mut().zip(&mean) {
            if *m == 0 {
                *s = 0;
            }
        }
        Ok(Self { mean: mean.into(), std: std.into() })
    }

    /// Rounds cells in g/m2 (`None` = no reading) to hundredths, half away from zero.
    ///
    /// A true mean under 0.005 g/m2 (bare strip) is kept as 0.01, for 0 says "no reading".
    pub fn from_cells(cells: &[Option<(f64, f64)>]) -> Result<Self, BadShape> {
        let hundredths = |v: f64| (v * 100.0).round().clamp(0.0, f64::from(u16::MAX)) as u16;
        let mean = cells.iter().map(|c| c.map_or(0, |(m, _)| hundredths(m).max(1))).collect();
        let std = cells.iter().map(|c| c.map_or(0, |(_, s)| hundredths(s))).collect();
        Self::from_hundredths(mean, std)
    }

    /// Means, `[264][18]` row-major, 0.01 g/m2; 0 = no reading.
    pub fn mean(&self) -> &[u16] {
        &self.mean
    }

    /// Population standard deviations, as [`Self::mean`].
    pub fn std(&self) -> &[u16] {
        &self.std
    }

    /// The mean at a chunk (0..264) and column (0..18) in g/m2, or `None` where nothing was read.
    pub fn at(&self, chunk: usize, column: usize) -> Option<f64> {
        match self.mean[chunk * GAUGES + column] {
            0 => None,
            m => Some(f64::from(m) / 100.0),
        }
    }

    /// Mean then standard deviation as little-endian bytes (19,008 of them): what is stored and hashed.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.mean.iter().chain(&self.std).flat_map(|v| v.to_le_bytes()).collect()
    }

    /// The reverse of [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadShape> {
        let mut cells: Vec<u16> = bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        let std = if cells.len() > CELLS { cells.split_off(CELLS) } else { Vec::new() };
        Self::from_hundredths(cells, std)
    }

    /// SHA-256 of [`Self::to_bytes`]: the same coating, whatever its coil was called.
    pub fn content_hash(&self) -> [u8; 32] {
        use sha2::Digest;
        sha2::Sha256::digest(self.to_bytes()).into()
    }
}

impl fmt::Debug for CoilMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = self.mean.iter().filter(|m| **m > 0).count();
        write!(f, "CoilMatrix({read} of {CELLS} cells read)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_of_plants_pass_and_markup_and_paths_do_not() {
        for good in ["GL2-2500000", "a", "Bund 7 (neu)", "Ä-12:3", "x.1#2+3"] {
            assert!(CoilId::new(good).is_ok(), "{good}");
        }
        for bad in
            ["", " a", "a ", "../a", "a/b", "a\\b", "<img src=x>", "a&b", "a\nb", "a\u{202e}b", "'x", ".h"]
        {
            assert!(CoilId::new(bad).is_err(), "{bad:?}");
        }
        assert!(CoilId::new("x".repeat(64)).is_ok());
        assert_eq!(CoilId::new("x".repeat(65)), Err(BadCoilId::TooLong));
    }

    #[test]
    fn orders_out_of_sense_are_refused() {
        use ToleranceClass::A;
        assert!(Order::new(70.0, A, 1250.0).is_ok());
        assert_eq!(Order::new(-3.0, A, 1250.0), Err(OrderFault::NominalWeight));
        assert_eq!(Order::new(f64::NAN, A, 1250.0), Err(OrderFault::NominalWeight));
        assert_eq!(Order::new(70.0, A, 0.0), Err(OrderFault::Width));
        assert_eq!("Z".parse::<ToleranceClass>(), Err(OrderFault::ToleranceClass));
    }

    #[test]
    fn gauges_are_named_by_side_and_number() {
        assert_eq!(Gauge::of_column(0).to_string(), "top 1");
        assert_eq!(Gauge::of_column(17).to_string(), "bottom 9");
    }

    #[test]
    fn bare_strip_is_not_a_gap() {
        let mut cells = vec![None; CELLS];
        cells[5] = Some((0.0, 0.0));
        let matrix = CoilMatrix::from_cells(&cells).unwrap();
        assert_eq!(matrix.at(0, 5), Some(0.01));
        assert_eq!(matrix.at(0, 4), None);
    }

    proptest! {
        #[test]
        fn bytes_round_trip(seed in proptest::collection::vec(any::<u16>(), 2 * CELLS)) {
            let matrix = CoilMatrix::from_hundredths(seed[..CELLS].to_vec(), seed[CELLS..].to_vec()).unwrap();
            prop_assert_eq!(CoilMatrix::from_bytes(&matrix.to_bytes()).unwrap(), matrix);
        }

        #[test]
        fn wrong_lengths_are_refused(n in 0usize..40_000) {
            prop_assume!(n / 2 != 2 * CELLS);
            prop_assert!(CoilMatrix::from_bytes(&vec![1; n]).is_err());
        }

        #[test]
        fn an_accepted_id_is_harmless(text in "\\PC{0,80}") {
            if let Ok(id) = CoilId::new(text) {
                prop_assert!(!id.as_str().contains(['/', '\\', '<', '>', '&', '"', '\'', '`', '\0', '\n']));
            }
        }
    }
}
