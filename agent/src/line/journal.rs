//! How what was heard of an open coil is kept in its segment, until its decision is durable.
//!
//! A record is a kind byte and its content: JSON where it is small, rows and matrices as plain
//! little-endian numbers, for flash wears and a batch of rows in JSON is three times as long.

use super::before::Before;
use coilsight_models::chunk::{MAX_LENGTH_M, MAX_ROWS, Position, Readings, Row};
use coilsight_models::coil::{CELLS, CoilId, CoilMatrix, GAUGES, MAX_READING, Order, OrderFault};
use coilsight_models::message::inbound::{Start, WholeCoil};
use coilsight_models::tally::Reason;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something heard of a coil.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// Always first.
    Opened(CoilId),
    /// To the set that judges it.
    Bound(String),
    Start(Start),
    Rows(Vec<Row>),
    End {
        length_m: f64,
        at: Option<Timestamp>,
    },
    Whole(WholeCoil),
    /// Rows that the coil's pass before had.
    Before(Before),
    /// So many rows in all came that could not be read.
    Unreadable(u64),
}

const OPENED: u8 = 1;
const START: u8 = 2;
const ROWS: u8 = 3;
const END: u8 = 4;
const WHOLE: u8 = 5;
const UNREADABLE: u8 = 6;
const BOUND: u8 = 7;
const BEFORE: u8 = 8;
/// No binding is longer, bytes: two fingerprints.
const MAX_BINDING: usize = 256;

/// Bytes of a row: its position in millimetres and 18 readings.
const ROW: usize = 4 + 4 * GAUGES;

#[derive(Serialize, Deserialize)]
struct StartRecord {
    coil_id: CoilId,
    at: Timestamp,
    order: Result<Order, OrderFault>,
}

#[derive(Serialize, Deserialize)]
struct WholeRecord {
    start: StartRecord,
    length_m: Option<f64>,
    absurd_cells: u64,
    unusable: Option<Reason>,
}

impl From<&Start> for StartRecord {
    fn from(start: &Start) -> Self {
        Self { coil_id: start.coil_id.clone(), at: start.at, order: start.order }
    }
}

impl From<StartRecord> for Start {
    fn from(record: StartRecord) -> Self {
        Self { coil_id: record.coil_id, at: record.at, order: record.order }
    }
}

impl Entry {
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Opened(id) => json(OPENED, id),
            Self::Bound(binding) => json(BOUND, binding),
            Self::Start(start) => json(START, &StartRecord::from(start)),
            Self::End { length_m, at } => json(END, &(length_m, at)),
            Self::Unreadable(rows) => json(UNREADABLE, rows),
            Self::Before(rows) => [&[BEFORE], &rows.to_bytes()[..]].concat(),
            Self::Rows(rows) => {
                let mut bytes = vec![ROWS];
                for row in rows {
                    bytes.extend(row.position.millimetres().to_le_bytes());
                    row.readings.raw().iter().for_each(|v| bytes.extend(v.to_le_bytes()));
                }
                bytes
            }
            Self::Whole(coil) => {
                let head = WholeRecord {
                    start: StartRecord::from(&coil.start),
                    length_m: coil.length_m,
                    absurd_cells: coil.absurd_cells,
                    unusable: coil.matrix.as_ref().err().copied(),
                };
                let head = json(WHOLE, &head);
                let mut bytes = vec![head[0]];
                bytes.extend((head.len() as u32 - 1).to_le_bytes());
                bytes.extend(&head[1..]);
                if let Ok(matrix) = &coil.matrix {
                    bytes.extend(matrix.to_bytes());
                }
                bytes
            }
        }
    }

    /// The coil, where the entry says which.
    pub fn coil_id(&self) -> Option<&CoilId> {
        match self {
            Self::Opened(id) => Some(id),
            Self::Start(start) => Some(&start.coil_id),
            Self::Whole(coil) => Some(&coil.start.coil_id),
            Self::Bound(_) | Self::Rows(_) | Self::End { .. } | Self::Before(_) | Self::Unreadable(_) => None,
        }
    }

    /// `None` for anything that [`Self::encode`] does not write for what a message may say.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, content) = bytes.split_first()?;
        match *kind {
            OPENED => serde_json::from_slice(content).ok().map(Self::Opened),
            BOUND => {
                let binding: String = serde_json::from_slice(content).ok()?;
                (binding.len() <= MAX_BINDING).then_some(Self::Bound(binding))
            }
            START => serde_json::from_slice::<StartRecord>(content).ok().map(|s| Self::Start(s.into())),
            END => {
                let (length_m, at) = serde_json::from_slice(content).ok()?;
                is_length(length_m).then_some(Self::End { length_m, at })
            }
            UNREADABLE => {
                let rows = serde_json::from_slice(content).ok()?;
                (rows <= MAX_ROWS as u64).then_some(Self::Unreadable(rows))
            }
            ROWS if content.len() % ROW == 0 => {
                content.chunks_exact(ROW).map(row).collect::<Option<_>>().map(Self::Rows)
            }
            BEFORE => Before::from_bytes(content).map(Self::Before),
            WHOLE => whole(content),
            _ => None,
        }
    }
}

fn json(kind: u8, value: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![kind];
    // Writing these plain structures to memory has no way to fail.
    serde_json::to_writer(&mut bytes, value).expect("plain data become JSON");
    bytes
}

fn row(bytes: &[u8]) -> Option<Row> {
    let word = |i: usize| [bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]];
    let position = Position::from_millimetres(u32::from_le_bytes(word(0)));
    let raw: [f32; GAUGES] = std::array::from_fn(|g| f32::from_le_bytes(word(g + 1)));
    let fine = |v: &f32| v.is_nan() || (0.0..=MAX_READING).contains(&f64::from(*v));
    let sensible = position.metres() <= MAX_LENGTH_M && raw.iter().all(fine);
    sensible.then(|| Row { position, readings: Readings::from_raw(raw) })
}

fn is_length(metres: f64) -> bool {
    metres > 0.0 && metres <= MAX_LENGTH_M
}

fn whole(content: &[u8]) -> Option<Entry> {
    let (length, rest) = content.split_at_checked(4)?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let (head, cells) = rest.split_at_checked(length)?;
    let head: WholeRecord = serde_json::from_slice(head).ok()?;
    let matrix = match head.unusable {
        Some(reason) => Err(reason),
        None => Ok(CoilMatrix::from_bytes(cells).ok()?),
    };
    let (length_m, absurd_cells) = (head.length_m, head.absurd_cells);
    if !length_m.is_none_or(is_length) || absurd_cells > CELLS as u64 {
        return None;
    }
    Some(Entry::Whole(WholeCoil { start: head.start.into(), length_m, matrix, absurd_cells }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coilsight_models::chunk::Strip;
    use coilsight_models::coil::ToleranceClass;
    use coilsight_models::tally::Fate;
    use proptest::prelude::*;

    const SIX: &str = "2026-01-05T06:00:00Z";

    fn before(rows: &[Row]) -> Before {
        let mut strip = Strip::default();
        for row in rows {
            assert_eq!(strip.add(row), Fate::Used);
        }
        Before::of(&strip)
    }

    fn start(order: Result<Order, OrderFault>) -> Start {
        let at = SIX.parse().unwrap();
        Start { coil_id: CoilId::new("GL2-1").unwrap(), at, order }
    }

    #[test]
    fn every_entry_comes_back_as_it_was() {
        let good = start(Ok(Order::new(70.0, ToleranceClass::A, 1250.0).unwrap()));
        let bad = start(Err(OrderFault::Width));
        let mut readings = Readings::NONE;
        readings.set(3, 71.25);
        let row = Row { position: Position::from_millimetres(12_500), readings };
        let matrix = CoilMatrix::from_hundredths(vec![7000; CELLS], vec![100; CELLS]).unwrap();
        let whole = |matrix| WholeCoil { start: bad.clone(), length_m: Some(900.5), matrix, absurd_cells: 2 };
        for entry in [
            Entry::Opened(CoilId::new("GL2-1").unwrap()),
            Entry::Bound("a".repeat(129)),
            Entry::Start(good),
            Entry::Start(bad.clone()),
            Entry::Rows(vec![row, row]),
            Entry::End { length_m: 1234.5, at: Some(SIX.parse().unwrap()) },
            Entry::Unreadable(50),
            Entry::Before(before(&[row])),
            Entry::Whole(whole(Ok(matrix))),
            Entry::Whole(whole(Err(Reason::WrongShape))),
        ] {
            assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        }
    }

    #[test]
    fn what_no_message_says_is_no_entry() {
        let row = |millimetres: u32, reading: f32| {
            let mut raw = [f32::NAN; GAUGES];
            raw[17] = reading;
            let (position, readings) = (Position::from_millimetres(millimetres), Readings::from_raw(raw));
            Entry::decode(&Entry::Rows(vec![Row { position, readings }]).encode())
        };
        assert!(row(20_000_000, 600.0).is_some());
        for (millimetres, reading) in [(20_000_001, 70.0), (u32::MAX, 70.0), (1, -0.5), (1, f32::INFINITY)] {
            assert_eq!(row(millimetres, reading), None, "{millimetres} mm, {reading} g/m2");
        }
        for length_m in [0.0, -1.0, 20_000.5, 1e300] {
            assert_eq!(Entry::decode(&Entry::End { length_m, at: None }.encode()), None, "{length_m} m");
        }
        assert_eq!(Entry::decode(&Entry::Bound("a".repeat(257)).encode()), None);
        let left = |millimetres| {
            let position = Position::from_millimetres(millimetres);
            let mut entry = Entry::Before(before(&[Row { position, readings: Readings::NONE }])).encode();
            entry.extend([0; 8].repeat(MAX_ROWS - 1));
            entry
        };
        assert!(Entry::decode(&left(20_000_000)).is_some());
        let too_far = left(20_000_001);
        let (too_many, cut_off) = ([&left(0)[..], &[0; 8]].concat(), left(0)[..13].to_vec());
        for bytes in [too_far, too_many, cut_off] {
            assert_eq!(Entry::decode(&bytes), None);
        }
        assert_eq!(Entry::decode(&Entry::Unreadable(u64::MAX).encode()), None);
        let whole = |absurd_cells| WholeCoil {
            start: start(Err(OrderFault::Width)),
            length_m: None,
            matrix: Err(Reason::WrongShape),
            absurd_cells,
        };
        assert!(Entry::decode(&Entry::Whole(whole(CELLS as u64)).encode()).is_some());
        assert_eq!(Entry::decode(&Entry::Whole(whole(u64::MAX)).encode()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Entry::decode(&bytes);
        }
    }
}
