//! From a coil to a tensor: the versioned contract that trainer and agent share.
//!
//! A bundle names the version and the parameters ([`PrepareSpec`]) it was trained with; whoever cannot
//! do exactly that refuses the bundle. Only additions, multiplications, divisions and comparisons of
//! `f32` are used, in a fixed order, so that every machine gives the same bits; golden files hold them.
//!
//! Version 1, in order: gaps are filled from their neighbours ([`mod@fill`]); the ordered weight, or where
//! there is no order the coil's own median, is the `nominal`; each channel is its [`Signal`], shifted,
//! scaled and limited; the two sides are laid out; the side vector is made of the order data.

mod fill;

use crate::coil::{CELLS, CHUNKS, CoilMatrix, GAUGES, Order, SIDE_GAUGES, ToleranceClass};
use serde::{Deserialize, Serialize};

pub use fill::fill;

/// The version of the contract that this code fulfils.
pub const VERSION: u32 = 1;

/// What a network was trained with: a version of the contract and its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepareSpec {
    /// [`VERSION`] of the contract.
    pub version: u32,
    /// How the two sides of the strip lie in the image.
    pub layout: Layout,
    /// Channels of the image, in order.
    pub channels: Vec<Channel>,
    /// Values of the side vector, in order; may be empty.
    pub side: Vec<SideValue>,
}

/// How the two sides of the strip lie in the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Beside each other, as the paper has it: `[channels][264][18]`.
    Beside,
    /// On top of each other, so that what lies opposite on the strip lies in one place of the image:
    /// `[2 channels][264][9]`, all channels of the top side, then all of the bottom side.
    Stacked,
    /// Beside each other, the columns stretched to as many as there are rows, linearly between the gauges' middles and
    /// flat beyond the first and the last: the paper's square, `[channels][264][264]` (section 3.1).
    Square,
}

/// A channel of the image: `scale (x - shift)`, kept between `low` and `high`, `x` by its [`Signal`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// What is looked at.
    pub signal: Signal,
    /// What becomes 0.
    pub shift: f32,
    /// How much one unit of the signal becomes.
    pub scale: f32,
    /// Nothing is below.
    pub low: f32,
    /// Nothing is above.
    pub high: f32,
}

/// What a channel looks at, cell by cell. `m` is the cell's mean, g/m2, with gaps filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// `m`: with the population's limits as `shift` and `1 / scale`, the paper's grey image.
    Weight,
    /// `m / nominal - 1`: what the customer did not order.
    Deviation,
    /// `m / median of its gauge - 1`: blind to a gauge's calibration.
    GaugeDeviation,
    /// `m / median of its chunk and side - 1`: the profile across the strip.
    ProfileDeviation,
    /// `s / nominal`, `s` the standard deviation inside the chunk; at a gap the median of its coil.
    Spread,
    /// 1 where the gauge gave no reading, else 0.
    Gap,
    /// 1 everywhere if the tolerance class is A, else 0.
    ClassA,
    /// 1 everywhere if the tolerance class is B, else 0.
    ClassB,
    /// 1 everywhere if the tolerance class is C, else 0.
    ClassC,
}

impl Channel {
    /// The paper's grey image (section 3.1): the population's limits become 0 and 1.
    pub fn grey(low_g_m2: f32, high_g_m2: f32) -> Self {
        let scale = 1.0 / (high_g_m2 - low_g_m2);
        Self { signal: Signal::Weight, shift: low_g_m2, scale, low: 0.0, high: 1.0 }
    }

    fn value(&self, x: f32) -> f32 {
        (self.scale * (x - self.shift)).clamp(self.low, self.high)
    }

    fn makes_sense(&self) -> bool {
        let finite =
            [self.shift, self.scale, self.low, self.high].iter().all(|v| v.is_finite() && v.abs() <= 1e6);
        finite && self.scale != 0.0 && self.low < self.high
    }
}

/// A value beside the image, from the order data; all are 0 where there is no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SideValue {
    /// `(ordered weight - 90) / 40`.
    Nominal,
    /// 1 if the tolerance class is A.
    ClassA,
    /// 1 if the tolerance class is B.
    ClassB,
    /// 1 if the tolerance class is C.
    ClassC,
    /// `(width - 1400) / 300`.
    Width,
    /// 1 if there are order data.
    Known,
}

/// A coil as a network takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// As [`PrepareSpec::image_shape`] says, row-major.
    pub image: Vec<f32>,
    /// One value for each of the spec's side values.
    pub side: Vec<f32>,
}

/// Why a spec cannot be fulfilled here.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadSpec {
    /// Another version of the contract.
    #[error(
        "update the agent (or train again with this version): the model was trained with version {theirs} of \
         the matrix-to-tensor contract, this program fulfils version {VERSION}"
    )]
    Version {
        /// What the model asks for.
        theirs: u32,
    },
    /// No channels, or more than 16.
    #[error("build the bundle again: an image has 1 to 16 channels, not {0}")]
    Channels(usize),
    /// A channel that maps everything to one value or to none.
    #[error("build the bundle again: its channel {0:?} has no sensible scale and limits")]
    Channel(Channel),
    /// More than 16 side values.
    #[error("build the bundle again: a side vector has at most 16 values, not {0}")]
    Side(usize),
}

impl PrepareSpec {
    /// Whether this program can do exactly what the spec says.
    pub fn check(&self) -> Result<(), BadSpec> {
        if self.version != VERSION {
            return Err(BadSpec::Version { theirs: self.version });
        }
        if !(1..=16).contains(&self.channels.len()) {
            return Err(BadSpec::Channels(self.channels.len()));
        }
        if self.side.len() > 16 {
            return Err(BadSpec::Side(self.side.len()));
        }
        self.channels.iter().find(|c| !c.makes_sense()).map_or(Ok(()), |c| Err(BadSpec::Channel(*c)))
    }

    /// Shape of the image tensor without the batch: channels, height along the strip, width across it.
    pub fn image_shape(&self) -> [usize; 3] {
        match self.layout {
            Layout::Beside => [self.channels.len(), CHUNKS, GAUGES],
            Layout::Stacked => [2 * self.channels.len(), CHUNKS, SIDE_GAUGES],
            Layout::Square => [self.channels.len(), CHUNKS, CHUNKS],
        }
    }

    /// The coil as the network takes it.
    pub fn prepare(&self, matrix: &CoilMatrix, order: Option<&Order>) -> Prepared {
        let coil = Signals::of(matrix, order);
        let planes: Vec<Vec<f32>> = self
            .channels
            .iter()
            .map(|channel| coil.signal(channel.signal).into_iter().map(|x| channel.value(x)).collect())
            .collect();
        let image = match self.layout {
            Layout::Beside => planes.concat(),
            Layout::Square => {
                planes.iter().flat_map(|plane| plane.chunks_exact(GAUGES).flat_map(stretch)).collect()
            }
            Layout::Stacked => {
                let half = |plane: &[f32], first: usize| -> Vec<f32> {
                    plane
                        .chunks_exact(GAUGES)
                        .flat_map(|row| row[first..first + SIDE_GAUGES].to_vec())
                        .collect()
                };
                [0, SIDE_GAUGES]
                    .iter()
                    .flat_map(|first| planes.iter().flat_map(|p| half(p, *first)))
                    .collect()
            }
        };
        let side = self.side.iter().map(|value| side_value(*value, order)).collect();
        Prepared { image, side }
    }
}

/// A row of gauges as `CHUNKS` columns.
fn stretch(row: &[f32]) -> impl Iterator<Item = f32> {
    (0..CHUNKS).map(|column| {
        // Where the column's middle lies between the gauges', in 1 / (2 CHUNKS) of a gauge: whole numbers, so exact.
        let at = ((2 * column + 1) * GAUGES).saturating_sub(CHUNKS).min(2 * CHUNKS * (GAUGES - 1));
        let (gauge, past) = (at / (2 * CHUNKS), at % (2 * CHUNKS));
        let next = (gauge + 1).min(GAUGES - 1);
        let share = past as f32 / (2 * CHUNKS) as f32;
        row[gauge] * (1.0 - share) + row[next] * share
    })
}

/// A coil from which every signal can be computed.
struct Signals<'a> {
    matrix: &'a CoilMatrix,
    order: Option<&'a Order>,
    filled: Box<[f32]>,
    nominal: f32,
}

impl<'a> Signals<'a> {
    fn of(matrix: &'a CoilMatrix, order: Option<&'a Order>) -> Self {
        let filled = fill(matrix, order.map(|o| o.nominal_g_m2() as f32));
        let nominal = order.map_or_else(|| median(filled.to_vec()), |o| o.nominal_g_m2() as f32);
        Self { matrix, order, filled, nominal }
    }

    /// `[264][18]` values of one signal.
    fn signal(&self, signal: Signal) -> Vec<f32> {
        let class = |class| {
            let is = self.order.is_some_and(|o| o.tolerance_class() == class);
            vec![if is { 1.0 } else { 0.0 }; CELLS]
        };
        let filled = &self.filled;
        match signal {
            Signal::Weight => filled.to_vec(),
            Signal::Deviation => filled.iter().map(|m| off(*m, self.nominal)).collect(),
            Signal::GaugeDeviation => {
                let gauge = |g: usize| median((0..CHUNKS).map(|k| filled[k * GAUGES + g]).collect());
                let medians: Vec<f32> = (0..GAUGES).map(gauge).collect();
                filled.iter().enumerate().map(|(i, m)| off(*m, medians[i % GAUGES])).collect()
            }
            Signal::ProfileDeviation => filled
                .chunks_exact(SIDE_GAUGES)
                .flat_map(|side| {
                    let across = median(side.to_vec());
                    side.iter().map(move |m| off(*m, across))
                })
                .collect(),
            Signal::Spread => self.spread(),
            Signal::Gap => self.matrix.mean().iter().map(|m| if *m == 0 { 1.0 } else { 0.0 }).collect(),
            Signal::ClassA => class(ToleranceClass::A),
            Signal::ClassB => class(ToleranceClass::B),
            Signal::ClassC => class(ToleranceClass::C),
        }
    }

    fn spread(&self) -> Vec<f32> {
        let cells = || self.matrix.mean().iter().zip(self.matrix.std());
        let ratio = |s: u16| f32::from(s) / 100.0 / self.nominal.max(1.0);
        let usual = median(cells().filter(|(m, _)| **m > 0).map(|(_, s)| ratio(*s)).collect());
        cells().map(|(m, s)| if *m == 0 { usual } else { ratio(*s) }).collect()
    }
}

/// `m / reference - 1`. A reference of next to nothing counts as 1 g/m2.
fn off(m: f32, reference: f32) -> f32 {
    m / reference.max(1.0) - 1.0
}

/// The lower median; of nothing, 0.
fn median(mut values: Vec<f32>) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

fn side_value(value: SideValue, order: Option<&Order>) -> f32 {
    let Some(order) = order else { return 0.0 };
    let class = |class| if order.tolerance_class() == class { 1.0 } else { 0.0 };
    match value {
        SideValue::Nominal => (order.nominal_g_m2() as f32 - 90.0) / 40.0,
        SideValue::ClassA => class(ToleranceClass::A),
        SideValue::ClassB => class(ToleranceClass::B),
        SideValue::ClassC => class(ToleranceClass::C),
        SideValue::Width => (order.width_mm() as f32 - 1400.0) / 300.0,
        SideValue::Known => 1.0,
    }
}

#[cfg(test)]
mod tests;
