//! From a coil to a tensor: the versioned contract that trainer and agent share.
//!
//! A bundle names the version and the parameters ([`PrepareSpec`]) it was trained with; whoever cannot
//! do exactly that refuses the bundle. Only additions, multiplications, divisions and comparisons of
//! `f32` are used, in a fixed order, so that every machine gives the same bits; golden files hold them.
//!
//! Version 1, in order: gaps are filled from their neighbours ([`fill`]); the ordered weight, or where
//! there is no order the coil's own median, is the `nominal`; each channel is computed as its
//! documentation says; the side vector is made of the order data.

mod fill;

use crate::coil::{CELLS, CHUNKS, CoilMatrix, GAUGES, Order, ToleranceClass};
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
    /// The population's limits for [`Channel::Grey`], g/m2 a side.
    pub grey: GreyLimits,
    /// Channels of the image, in order.
    pub channels: Vec<Channel>,
    /// Values of the side vector, in order; may be empty.
    pub side: Vec<SideValue>,
}

/// The population's global limits (paper, section 3.1): black and white of the grey image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GreyLimits {
    /// What becomes 0, g/m2 a side.
    pub low_g_m2: f32,
    /// What becomes 1, g/m2 a side.
    pub high_g_m2: f32,
}

/// A channel of the image: one value a cell, `[264][18]`. `m` is the cell's mean with gaps filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// `(m - low) / (high - low)`, between 0 and 1: the paper's grey image.
    Grey,
    /// `5 (m / nominal - 1)`, between -2 and 2: what the customer did not order.
    Deviation,
    /// `10 (m / median of its gauge - 1)`, between -2 and 2: blind to a gauge's calibration.
    GaugeDeviation,
    /// `10 (m / median of its chunk and side - 1)`, between -2 and 2: the profile across the strip.
    ProfileDeviation,
    /// `10 s / nominal - 0.5`, between -2 and 2, `s` the standard deviation inside the chunk.
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
    /// `[channels][264][18]`, row-major.
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
    /// No channels, or one twice.
    #[error("build the bundle again: its image channels are empty or name one twice ({0:?})")]
    Channels(Vec<Channel>),
    /// A side value twice.
    #[error("build the bundle again: its side vector names a value twice ({0:?})")]
    Side(Vec<SideValue>),
    /// Limits that do not span anything.
    #[error("build the bundle again: its grey limits {low} to {high} g/m2 span nothing")]
    Limits {
        /// The lower one.
        low: f32,
        /// The upper one.
        high: f32,
    },
}

impl PrepareSpec {
    /// Whether this program can do exactly what the spec says.
    pub fn check(&self) -> Result<(), BadSpec> {
        let twice = |n: usize, mut unique: Vec<u8>| {
            unique.sort_unstable();
            unique.dedup();
            unique.len() != n
        };
        if self.version != VERSION {
            return Err(BadSpec::Version { theirs: self.version });
        }
        let codes = self.channels.iter().map(|c| *c as u8).collect();
        if self.channels.is_empty() || twice(self.channels.len(), codes) {
            return Err(BadSpec::Channels(self.channels.clone()));
        }
        if twice(self.side.len(), self.side.iter().map(|s| *s as u8).collect()) {
            return Err(BadSpec::Side(self.side.clone()));
        }
        let GreyLimits { low_g_m2: low, high_g_m2: high } = self.grey;
        if !(low.is_finite() && high.is_finite() && high - low >= 1.0) {
            return Err(BadSpec::Limits { low, high });
        }
        Ok(())
    }

    /// Shape of the image tensor without the batch: channels, chunks, gauges.
    pub fn image_shape(&self) -> [usize; 3] {
        [self.channels.len(), CHUNKS, GAUGES]
    }

    /// The coil as the network takes it.
    pub fn prepare(&self, matrix: &CoilMatrix, order: Option<&Order>) -> Prepared {
        let filled = fill(matrix, order.map(|o| o.nominal_g_m2() as f32));
        let nominal = order.map_or_else(|| median(filled.to_vec()), |o| o.nominal_g_m2() as f32);
        let mut image = Vec::with_capacity(self.channels.len() * CELLS);
        for channel in &self.channels {
            self.channel(*channel, matrix, &filled, nominal, order, &mut image);
        }
        let side = self.side.iter().map(|value| side_value(*value, order)).collect();
        Prepared { image, side }
    }

    fn channel(
        &self,
        channel: Channel,
        matrix: &CoilMatrix,
        filled: &[f32],
        nominal: f32,
        order: Option<&Order>,
        image: &mut Vec<f32>,
    ) {
        let class = |class| if order.is_some_and(|o| o.tolerance_class() == class) { 1.0 } else { 0.0 };
        let plane = |image: &mut Vec<f32>, value: f32| image.extend([value; CELLS]);
        match channel {
            Channel::Grey => {
                let GreyLimits { low_g_m2: low, high_g_m2: high } = self.grey;
                image.extend(filled.iter().map(|m| ((m - low) / (high - low)).clamp(0.0, 1.0)));
            }
            Channel::Deviation => image.extend(filled.iter().map(|m| off(*m, nominal, 5.0))),
            Channel::GaugeDeviation => {
                let gauge = |g: usize| median((0..CHUNKS).map(|k| filled[k * GAUGES + g]).collect());
                let medians: Vec<f32> = (0..GAUGES).map(gauge).collect();
                image.extend(filled.iter().enumerate().map(|(i, m)| off(*m, medians[i % GAUGES], 10.0)));
            }
            Channel::ProfileDeviation => {
                for side in filled.chunks_exact(GAUGES / 2) {
                    let across = median(side.to_vec());
                    image.extend(side.iter().map(|m| off(*m, across, 10.0)));
                }
            }
            Channel::Spread => {
                let spread = |s: &u16| (f32::from(*s) / 100.0 * 10.0 / nominal - 0.5).clamp(-2.0, 2.0);
                image.extend(matrix.std().iter().map(spread));
            }
            Channel::Gap => image.extend(matrix.mean().iter().map(|m| if *m == 0 { 1.0 } else { 0.0 })),
            Channel::ClassA => plane(image, class(ToleranceClass::A)),
            Channel::ClassB => plane(image, class(ToleranceClass::B)),
            Channel::ClassC => plane(image, class(ToleranceClass::C)),
        }
    }
}

/// `scale (m / reference - 1)`, between -2 and 2. A reference of next to nothing counts as 1 g/m2.
fn off(m: f32, reference: f32, scale: f32) -> f32 {
    ((m / reference.max(1.0) - 1.0) * scale).clamp(-2.0, 2.0)
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
