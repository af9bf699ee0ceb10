//! What the pass before left, where a coil is coated again at once.
//!
//! Rows name their coil and no time. A connection that breaks near the border between two passes of one coil brings rows
//! of the first again while the second is open: at least once, and in order, is all that MQTT promises. They are known by
//! what they say.

use coilsight_models::chunk::{MAX_LENGTH_M, MAX_ROWS, Position, Readings, Row, Strip};
use std::collections::BTreeMap;

/// Bytes of a row: its position in millimetres and a checksum.
const ROW: usize = 8;

/// Rows of a coil's pass before, by place: checksums of their readings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Before(BTreeMap<Position, u32>);

impl Before {
    /// What a pass leaves.
    pub fn of(strip: &Strip) -> Self {
        Self(strip.rows().map(|row| (row.position, checksum(&row.readings))).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the pass before had this very row.
    pub fn has(&self, row: &Row) -> bool {
        self.0.get(&row.position).is_some_and(|sum| *sum == checksum(&row.readings))
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|(position, sum)| [position.millimetres().to_le_bytes(), sum.to_le_bytes()].concat())
            .collect()
    }

    /// `None` for anything that no strip leaves.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (rows, rest) = bytes.as_chunks::<ROW>();
        if !rest.is_empty() || rows.len() > MAX_ROWS {
            return None;
        }
        let row = |[a, b, c, d, e, f, g, h]: &[u8; ROW]| {
            let position = Position::from_millimetres(u32::from_le_bytes([*a, *b, *c, *d]));
            (position.metres() <= MAX_LENGTH_M).then(|| (position, u32::from_le_bytes([*e, *f, *g, *h])))
        };
        rows.iter().map(row).collect::<Option<_>>().map(Self)
    }
}

fn checksum(readings: &Readings) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    for value in readings.raw() {
        // Every value that says "nothing was read" says the same.
        let value = if value.is_nan() { f32::NAN } else { *value };
        hash.update(&value.to_le_bytes());
    }
    hash.finalize()
}
