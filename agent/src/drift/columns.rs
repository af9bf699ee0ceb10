//! What drift keeps of a coil: a row of numbers.

use coilsight_models::coil::{CHUNKS, CoilMatrix, GAUGES, Gauge, Order, SIDE_GAUGES, Side, ToleranceClass};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The most models whose scores are kept: as many as a bundle may have.
pub const MAX_VOTES: usize = 16;
/// Columns beside the models' votes.
const FIXED: usize = 3 * GAUGES + 2 + 4 + 1 + 1;
/// Positions of the others, after three for each gauge.
const LEVEL: usize = 3 * GAUGES;
const NOMINAL: usize = LEVEL + 2;
const WIDTH: usize = NOMINAL + 1;
const LENGTH: usize = WIDTH + 1;
const CLASS: usize = LENGTH + 1;
const P_NOK: usize = CLASS + 1;
const UNLIKE: usize = P_NOK + 1;
/// Fewer chunks than these say nothing about a gauge.
const FEWEST_CHUNKS: usize = CHUNKS / 10;
/// Fewer gauges of a side than these have no median worth comparing with.
const FEWEST_GAUGES: usize = 5;
/// Interquartile range of a normal distribution in its standard deviations.
const QUARTILES: f64 = 1.349;

/// What a column is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A gauge's reading against the median of its side, chunk by chunk; the median along the strip, per cent.
    GaugeOffset,
    /// How much that varies along the strip: interquartile range over 1.349, per cent.
    GaugeSpread,
    /// Share of the strip that a gauge missed while another read it, 0 to 1.
    GaugeGaps,
    /// A side's median deviation from the ordered weight, per cent.
    Level,
    /// What was ordered, a number; or the coil's length.
    Order,
    /// What was ordered: the tolerance class.
    OrderClass,
    /// P(NOK) of the ensemble or of a model.
    Prediction,
}

impl Kind {
    /// Whether it is about what was ordered.
    pub fn of_order(self) -> bool {
        matches!(self, Self::Order | Self::OrderClass)
    }
}

/// A column that is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, as a program would call it.
    pub name: String,
    /// What it is about.
    pub kind: Kind,
    /// The gauge that it is about, as a column of the matrix.
    pub gauge: Option<usize>,
    /// The side that it is about.
    pub side: Option<Side>,
    at: usize,
}

/// What there is to know of a judged coil.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its coating.
    pub matrix: &'a CoilMatrix,
    /// What was ordered.
    pub order: Option<&'a Order>,
    /// Its length, m.
    pub length_m: Option<f64>,
    /// The ensemble's P(NOK).
    pub p_nok: Option<f64>,
    /// Each model's, in the set's order.
    pub votes: &'a [f64],
    /// Whether it was too unlike those trained on.
    pub unlike: bool,
}

/// A coil as drift keeps it: `f32`, not a number where something is not known; 248 bytes and four a model.
#[derive(Clone, Debug)]
pub struct Columns(Box<[f32]>);

/// Bytes that are no columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a coil's columns take 248 bytes and 4 a model, of which there are at most 16, here {0}: take the reference anew"
)]
pub struct BadColumns(pub usize);

impl Columns {
    /// Of a judged coil. Votes beyond [`MAX_VOTES`] are left out.
    pub fn of(seen: &Seen<'_>) -> Self {
        let mut row = vec![f32::NAN; FIXED + seen.votes.len().min(MAX_VOTES)];
        let set = |value: Option<f64>| value.map_or(f32::NAN, |v| v as f32);
        let read: Vec<bool> =
            seen.matrix.mean().chunks_exact(GAUGES).map(|row| row.iter().any(|m| *m > 0)).collect();
        let chunks = read.iter().filter(|r| **r).count();
        for side in 0..2 {
            let (ratios, mut medians) = against_median(seen.matrix, side * SIDE_GAUGES);
            for (g, mut ratios) in ratios.into_iter().enumerate() {
                let column = side * SIDE_GAUGES + g;
                if ratios.len() >= FEWEST_CHUNKS {
                    ratios.sort_unstable_by(f32::total_cmp);
                    let quartile = |q: f64| f64::from(quantile(&ratios, q));
                    row[column] = quantile(&ratios, 0.5);
                    row[GAUGES + column] = ((quartile(0.75) - quartile(0.25)) / QUARTILES) as f32;
                }
                let blank = (0..CHUNKS).filter(|k| read[*k] && seen.matrix.at(*k, column).is_none()).count();
                row[2 * GAUGES + column] = set((chunks > 0).then(|| blank as f64 / chunks as f64));
            }
            if let (Some(order), true) = (seen.order, medians.len() >= FEWEST_CHUNKS) {
                medians.sort_unstable_by(f32::total_cmp);
                let level = f64::from(quantile(&medians, 0.5)) / order.nominal_g_m2();
                row[LEVEL + side] = (100.0 * (level - 1.0)) as f32;
            }
        }
        row[NOMINAL] = set(seen.order.map(Order::nominal_g_m2));
        row[WIDTH] = set(seen.order.map(Order::width_mm));
        row[CLASS] = set(seen.order.map(|order| f64::from(order.tolerance_class() as u8)));
        row[LENGTH] = set(seen.length_m);
        row[P_NOK] = set(seen.p_nok);
        row[UNLIKE] = f32::from(u8::from(seen.unlike));
        for (at, vote) in row[FIXED..].iter_mut().zip(seen.votes) {
            *at = *vote as f32;
        }
        Self(row.into())
    }

    /// All columns that are compared, for models of these names.
    pub fn names(models: &[String]) -> Vec<Column> {
        let mut columns = Vec::new();
        for (n, (kind, what)) in
            [(Kind::GaugeOffset, "offset"), (Kind::GaugeSpread, "spread"), (Kind::GaugeGaps, "gaps")]
                .into_iter()
                .enumerate()
        {
            columns.extend((0..GAUGES).map(|g| {
                let gauge = Gauge::of_column(g);
                let name = format!("{what} {gauge}");
                Column { name, kind, gauge: Some(g), side: Some(gauge.side), at: n * GAUGES + g }
            }));
        }
        let mut plain = |name: &str, kind, side, at| {
            columns.push(Column { name: name.to_owned(), kind, gauge: None, side, at });
        };
        plain("level top", Kind::Level, Some(Side::Top), LEVEL);
        plain("level bottom", Kind::Level, Some(Side::Bottom), LEVEL + 1);
        plain("nominal_g_m2", Kind::Order, None, NOMINAL);
        plain("width_mm", Kind::Order, None, WIDTH);
        plain("length_m", Kind::Order, None, LENGTH);
        plain("tolerance_class", Kind::OrderClass, None, CLASS);
        plain("p_nok", Kind::Prediction, None, P_NOK);
        for (n, model) in models.iter().take(MAX_VOTES).enumerate() {
            plain(&format!("p_nok {model}"), Kind::Prediction, None, FIXED + n);
        }
        columns
    }

    /// The value of a column; not a number where it is not known.
    pub fn get(&self, column: &Column) -> f64 {
        self.0.get(column.at).map_or(f64::NAN, |v| f64::from(*v))
    }

    /// Each gauge's reading against its side's median, per cent.
    pub fn offsets(&self) -> [f64; GAUGES] {
        std::array::from_fn(|g| f64::from(self.0[g]))
    }

    /// Share of the strip that a gauge missed.
    pub fn gap(&self, gauge: usize) -> f64 {
        f64::from(self.0[2 * GAUGES + gauge])
    }

    /// Without what models said: other models than those that the columns are named after.
    #[must_use]
    pub fn without_scores(mut self) -> Self {
        self.0[P_NOK] = f32::NAN;
        self.0[UNLIKE] = 0.0;
        self.0[FIXED..].fill(f32::NAN);
        self
    }

    /// Without what a gauge read: another one hung there.
    #[must_use]
    pub fn without_gauge(mut self, gauge: usize) -> Self {
        for of_gauge in 0..3 {
            self.0[of_gauge * GAUGES + gauge] = f32::NAN;
        }
        self
    }

    /// Whether the coil was too unlike those trained on.
    pub fn unlike(&self) -> bool {
        self.0[UNLIKE] > 0.0
    }

    /// Coils that may be compared with one another: one tolerance class, and weights within some 20 % of each other.
    /// `None` without an order.
    pub fn stratum(&self) -> Option<(u8, i16)> {
        let (class, nominal) = (self.0[CLASS], self.0[NOMINAL]);
        (class.is_finite() && nominal > 0.0)
            .then(|| (class as u8, (f64::from(nominal).ln() / 0.2).round() as i16))
    }

    /// Little-endian, for whoever keeps the reference over a restart.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    /// The reverse of [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadColumns> {
        let (values, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() || !(FIXED..=FIXED + MAX_VOTES).contains(&values.len()) {
            return Err(BadColumns(bytes.len()));
        }
        Ok(Self(values.iter().map(|v| f32::from_le_bytes(*v)).collect()))
    }
}

/// Same bits: what is not known equals what is not known.
impl PartialEq for Columns {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

/// The letter of a class as [`Columns`] keep it.
pub(super) fn class_letter(class: f64) -> &'static str {
    ToleranceClass::ALL.get(class as usize).map_or("?", |class| class.letter())
}

/// Per gauge of a side (from column `first` on) its readings against the side's median, per cent, where both are; and
/// those medians, g/m2.
fn against_median(matrix: &CoilMatrix, first: usize) -> ([Vec<f32>; SIDE_GAUGES], Vec<f32>) {
    let mut ratios: [Vec<f32>; SIDE_GAUGES] = std::array::from_fn(|_| Vec::with_capacity(CHUNKS));
    let mut medians = Vec::with_capacity(CHUNKS);
    for row in matrix.mean().chunks_exact(GAUGES) {
        let side = &row[first..first + SIDE_GAUGES];
        let mut read = [0_u16; SIDE_GAUGES];
        let mut n = 0;
        for &value in side.iter().filter(|m| **m > 0) {
            read[n] = value;
            n += 1;
        }
        if n < FEWEST_GAUGES {
            continue;
        }
        let read = &mut read[..n];
        read.sort_unstable();
        let median = 0.5 * (f32::from(read[(n - 1) / 2]) + f32::from(read[n / 2]));
        medians.push(median / 100.0);
        for (ratios, &value) in ratios.iter_mut().zip(side).filter(|(_, m)| **m > 0) {
            ratios.push(100.0 * (f32::from(value) / median - 1.0));
        }
    }
    (ratios, medians)
}

/// A quantile of sorted values, between neighbours by distance.
fn quantile(sorted: &[f32], q: f64) -> f32 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, (at - at.floor()) as f32);
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + part * (sorted[high] - sorted[low])
}
