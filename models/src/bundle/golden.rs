//! Golden coils: coils with the scores that the trainer got, so that a device can tell before it judges
//! whether it computes what was trained.
//!
//! The file: `COILGOLD`, version `u32` = 2, length of the index `u32`, the index (JSON), then one
//! 19,008-byte matrix a coil ([`CoilMatrix::to_bytes`]) in the index's order. Nothing follows. Numbers
//! are little-endian.

use super::name::Id;
use crate::coil::{CELLS, CoilId, CoilMatrix, Order};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most that a score may be off and still count as met.
pub const MAX_TOLERANCE: f64 = 0.01;
/// The most that a distance from training may be off, as a share of itself, and still count as met. Float layers
/// differ in their last bits between machines, and directions of little spread enlarge that.
pub const DISTANCE_TOLERANCE: f64 = 0.01;
/// Most golden coils.
pub const MAX_GOLDEN: usize = 64;
/// Most bytes of a golden file.
pub const MAX_GOLDEN_BYTES: u64 = (HEADER + MAX_INDEX + MAX_GOLDEN * MATRIX) as u64;

const MAGIC: &[u8; 8] = b"COILGOLD";
const VERSION: u32 = 2;
const HEADER: usize = 16;
const MAX_INDEX: usize = 1024 * 1024;
const MATRIX: usize = 4 * CELLS;

/// A coil and what it must score.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldenCoil {
    /// What the coil was called.
    pub id: CoilId,
    /// Its coating.
    pub matrix: CoilMatrix,
    /// Its order data, if it had any.
    pub order: Option<Order>,
    /// P(NOK) of the ensemble at the trainer.
    pub p_nok: f64,
    /// P(NOK) of each model at the trainer.
    pub models: BTreeMap<Id, f64>,
    /// Its distance from the coils trained on at the trainer, where the set tells one.
    pub distance: Option<f64>,
}

/// 1 to 64 golden coils.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldenSet(Vec<GoldenCoil>);

/// What the index says of a coil.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: CoilId,
    order: Option<Order>,
    p_nok: f64,
    models: BTreeMap<Id, f64>,
    distance: Option<f64>,
}

/// Why bytes are no golden file.
#[derive(Debug, thiserror::Error)]
pub enum GoldenFault {
    /// Another kind of file, another version, or lengths that do not add up.
    #[error(
        "build the bundle again: its golden coils are not a golden file of version {VERSION}, or cut off"
    )]
    Form,
    /// None or too many.
    #[error("build the bundle again with 1 to {MAX_GOLDEN} golden coils: it has {0}")]
    Count(usize),
    /// The index.
    #[error("build the bundle again: the index of its golden coils cannot be read")]
    Index(#[source] serde_json::Error),
    /// A score that is no probability.
    #[error("build the bundle again: the golden coil {0} has a score that is no probability")]
    Score(CoilId),
    /// A distance that is none.
    #[error("build the bundle again: the golden coil {0} has a distance that is no number, or below 0")]
    Distance(CoilId),
    /// An id twice.
    #[error("build the bundle again: it has the golden coil {0} twice")]
    Twice(CoilId),
}

impl GoldenSet {
    /// Checks number, names and scores.
    pub fn new(coils: Vec<GoldenCoil>) -> Result<Self, GoldenFault> {
        if !(1..=MAX_GOLDEN).contains(&coils.len()) {
            return Err(GoldenFault::Count(coils.len()));
        }
        for (at, coil) in coils.iter().enumerate() {
            if coils[..at].iter().any(|other| other.id == coil.id) {
                return Err(GoldenFault::Twice(coil.id.clone()));
            }
            if !coil.models.values().chain([&coil.p_nok]).all(|p| (0.0..=1.0).contains(p)) {
                return Err(GoldenFault::Score(coil.id.clone()));
            }
            if !coil.distance.is_none_or(|d| d.is_finite() && d >= 0.0) {
                return Err(GoldenFault::Distance(coil.id.clone()));
            }
        }
        Ok(Self(coils))
    }

    /// The coils.
    pub fn coils(&self) -> &[GoldenCoil] {
        &self.0
    }

    /// The file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, GoldenFault> {
        let entry = |c: &GoldenCoil| Entry {
            id: c.id.clone(),
            order: c.order,
            p_nok: c.p_nok,
            models: c.models.clone(),
            distance: c.distance,
        };
        let index: Vec<Entry> = self.0.iter().map(entry).collect();
        let index = serde_json::to_vec(&index).map_err(GoldenFault::Index)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(index.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&index);
        self.0.iter().for_each(|coil| bytes.extend_from_slice(&coil.matrix.to_bytes()));
        Ok(bytes)
    }

    /// Reads a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GoldenFault> {
        let (header, rest) = bytes.split_at_checked(HEADER).ok_or(GoldenFault::Form)?;
        let field =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let length = field(12) as usize;
        if &header[..8] != MAGIC || field(8) != VERSION || length > MAX_INDEX {
            return Err(GoldenFault::Form);
        }
        let (index, matrices) = rest.split_at_checked(length).ok_or(GoldenFault::Form)?;
        let index: Vec<Entry> = serde_json::from_slice(index).map_err(GoldenFault::Index)?;
        if index.len() > MAX_GOLDEN {
            return Err(GoldenFault::Count(index.len()));
        }
        if matrices.len() != index.len() * MATRIX {
            return Err(GoldenFault::Form);
        }
        let coil = |(entry, matrix): (Entry, &[u8])| {
            let matrix = CoilMatrix::from_bytes(matrix).map_err(|_| GoldenFault::Form)?;
            let Entry { id, order, p_nok, models, distance } = entry;
            Ok(GoldenCoil { id, matrix, order, p_nok, models, distance })
        };
        let coils = index.into_iter().zip(matrices.chunks_exact(MATRIX)).map(coil);
        Self::new(coils.collect::<Result<_, GoldenFault>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::golden_coil;
    use proptest::prelude::*;

    #[test]
    fn a_golden_file_comes_back_as_it_went() {
        let mut nameless = golden_coil("b", 0.75);
        (nameless.order, nameless.distance) = (None, Some(1.25));
        let set = GoldenSet::new(vec![golden_coil("a", 0.1), nameless]).unwrap();
        let bytes = set.to_bytes().unwrap();
        assert!(bytes.len() < 2 * 19_008 + 400, "{}", bytes.len());
        assert_eq!(GoldenSet::from_bytes(&bytes).unwrap(), set);
    }

    #[test]
    fn what_is_no_probability_or_there_twice_is_refused() {
        assert!(matches!(GoldenSet::new(vec![]), Err(GoldenFault::Count(0))));
        let over: Vec<_> = (0..65).map(|i| golden_coil(&format!("c{i}"), 0.5)).collect();
        assert!(matches!(GoldenSet::new(over), Err(GoldenFault::Count(65))));
        assert!(matches!(GoldenSet::new(vec![golden_coil("a", 1.5)]), Err(GoldenFault::Score(_))));
        assert!(matches!(GoldenSet::new(vec![golden_coil("a", f64::NAN)]), Err(GoldenFault::Score(_))));
        for bad in [f64::NAN, f64::INFINITY, -0.5] {
            let far = GoldenCoil { distance: Some(bad), ..golden_coil("a", 0.5) };
            assert!(matches!(GoldenSet::new(vec![far]), Err(GoldenFault::Distance(_))), "{bad}");
        }
        let twice = vec![golden_coil("a", 0.5), golden_coil("a", 0.6)];
        assert!(matches!(GoldenSet::new(twice), Err(GoldenFault::Twice(_))));
    }

    proptest! {
        #[test]
        fn cuts_and_noise_never_panic(cut in 0usize..19_200, noise in prop::collection::vec(any::<u8>(), 0..64)) {
            let bytes = GoldenSet::new(vec![golden_coil("a", 0.25)]).unwrap().to_bytes().unwrap();
            if cut < bytes.len() {
                prop_assert!(GoldenSet::from_bytes(&bytes[..cut]).is_err());
            }
            let mut longer = bytes;
            longer.extend_from_slice(&noise);
            prop_assert_eq!(GoldenSet::from_bytes(&longer).is_ok(), noise.is_empty());
            prop_assert!(GoldenSet::from_bytes(&noise).is_err());
        }
    }
}
