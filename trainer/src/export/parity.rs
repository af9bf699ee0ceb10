//! The parity gate: how far the int8 export's P(NOK) is from the f32 export's, on real coils, in tract.

use super::runtime::{Runtime, RuntimeError};
use crate::score::sigmoid;

/// How the two exports of a network differ.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Parity {
    /// Coils compared.
    pub coils: usize,
    /// Mean of |P(NOK) int8 - P(NOK) f32|.
    pub mean: f64,
    /// Greatest |P(NOK) int8 - P(NOK) f32|.
    pub max: f64,
    /// The coil of the greatest difference, counted from 0.
    pub worst: usize,
    /// Mean of P(NOK) int8 - P(NOK) f32, with its sign.
    pub bias: f64,
}

/// What the gate lets through.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Greatest [`Parity::mean`].
    pub mean: f64,
    /// Greatest [`Parity::max`].
    pub max: f64,
}

impl Default for Limits {
    /// 0.01 in the mean; 0.1 on any coil. Trained ten-convolution networks came to 0.002 and 0.04: where P(NOK) is
    /// steep a single coil may move far, and a broken export moves all.
    fn default() -> Self {
        Self { mean: 0.01, max: 0.1 }
    }
}

/// Why the gate stays shut.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// Nothing was compared.
    #[error("there are no coils to compare the exports on; give some")]
    NoCoils,
    /// An export that does not load.
    #[error("the {kind} export cannot be loaded")]
    Load {
        /// `f32` or `int8`.
        kind: &'static str,
        /// What the runtime says.
        source: RuntimeError,
    },
    /// An export that does not run.
    #[error("the {kind} export fails on coil {coil}")]
    Run {
        /// `f32` or `int8`.
        kind: &'static str,
        /// Which, counted from 0.
        coil: usize,
        /// What the runtime says.
        source: RuntimeError,
    },
    /// The exports differ by more than allowed.
    #[error(
        "P(NOK) of the int8 export is {:.4} off in the mean and {:.4} on coil {} ({} coils), more than {} and {}; \
         calibrate on more coils, or release it in f32 (bundle build --f32)",
        parity.mean, parity.max, parity.worst, parity.coils, limits.mean, limits.max
    )]
    TooFar {
        /// What was found.
        parity: Parity,
        /// What is allowed.
        limits: Limits,
    },
}

/// What two exports of a network make of coils: logit NOK - logit OK of each, as released and in f32.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Margins {
    /// By the f32 export.
    pub f32: Vec<f64>,
    /// By the export that is to be released.
    pub released: Vec<f64>,
}

/// Runs two exports of a network on coils, each an image and its side vector.
pub fn margins<I, S>(
    f32_onnx: &[u8],
    int8_onnx: &[u8],
    coils: impl IntoIterator<Item = (I, S)>,
) -> Result<Margins, ParityError>
where
    I: AsRef<[f32]>,
    S: AsRef<[f32]>,
{
    let load = |kind, onnx| Runtime::load(onnx).map_err(|source| ParityError::Load { kind, source });
    let (mut float, mut int8) = (load("f32", f32_onnx)?, load("int8", int8_onnx)?);
    let mut margins = Margins::default();
    for (coil, (image, side)) in coils.into_iter().enumerate() {
        let margin = |runtime: &mut Runtime, kind| {
            let logits = runtime.logits(image.as_ref(), side.as_ref());
            let [ok, nok] = logits.map_err(|source| ParityError::Run { kind, coil, source })?;
            Ok(f64::from(nok) - f64::from(ok))
        };
        margins.released.push(margin(&mut int8, "int8")?);
        margins.f32.push(margin(&mut float, "f32")?);
    }
    Ok(margins)
}

/// Compares P(NOK) of two exports of a network on coils, each an image and its side vector.
pub fn compare<I, S>(
    f32_onnx: &[u8],
    int8_onnx: &[u8],
    coils: impl IntoIterator<Item = (I, S)>,
) -> Result<Parity, ParityError>
where
    I: AsRef<[f32]>,
    S: AsRef<[f32]>,
{
    let margins = margins(f32_onnx, int8_onnx, coils)?;
    Parity::of(&margins.f32, &margins.released, sigmoid)
}

impl Parity {
    /// How P(NOK) of coils as released differs from f32; `p_nok` makes it of what is given for each.
    pub fn of(f32: &[f64], released: &[f64], p_nok: impl Fn(f64) -> f64) -> Result<Self, ParityError> {
        let mut parity = Self { coils: f32.len(), mean: 0.0, max: 0.0, worst: 0, bias: 0.0 };
        for (coil, (float, released)) in f32.iter().zip(released).enumerate() {
            let difference = p_nok(*released) - p_nok(*float);
            parity.mean += difference.abs();
            parity.bias += difference;
            if difference.abs() > parity.max {
                (parity.max, parity.worst) = (difference.abs(), coil);
            }
        }
        if parity.coils == 0 {
            return Err(ParityError::NoCoils);
        }
        parity.mean /= parity.coils as f64;
        parity.bias /= parity.coils as f64;
        Ok(parity)
    }

    /// Opens the gate or says why not.
    pub fn within(self, limits: Limits) -> Result<Self, ParityError> {
        // Written so that a difference that is not a number is refused.
        if self.mean <= limits.mean && self.max <= limits.max {
            Ok(self)
        } else {
            Err(ParityError::TooFar { parity: self, limits })
        }
    }
}
