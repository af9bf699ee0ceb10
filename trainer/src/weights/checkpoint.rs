//! Checkpoints of others, whatever form they have: tensors by their publisher's names, as f32.
//!
//! A checkpoint comes from outside. Nothing in it is executed, no path in it is followed, every length is held
//! against the bytes that are there, and what is made of it takes no more than four times its own size.

mod archive;
mod element;
mod fault;
mod legacy;
mod pickle;
mod safetensors;
#[cfg(test)]
mod tests;
mod torch;
mod zipped;

pub(in crate::weights) use archive::{Archive, Method};
pub use fault::CheckpointFault;

use super::WeightsError;
use candle_core::{Device, Tensor};
use element::{Element, View};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// The largest file that is read; the largest network that weights are had for takes 230 MB.
pub const MAX_FILE: u64 = 1 << 30;
/// Tensors in a file at most.
pub const MAX_TENSORS: usize = 20_000;
/// Bytes of a tensor's name at most.
const MAX_NAME: usize = 256;

/// What kind of file a checkpoint was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A safetensors file.
    Safetensors,
    /// PyTorch's zip form with a state dict.
    StateDict,
    /// PyTorch's zip form with whole modules, as Ultralytics writes it.
    Modules,
    /// PyTorch's form before 1.6 with a state dict.
    OldStateDict,
    /// PyTorch's form before 1.6 with whole modules.
    OldModules,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::StateDict => "PyTorch, a state dict",
            Self::Modules => "PyTorch, whole modules",
            Self::OldStateDict => "PyTorch in its old form, a state dict",
            Self::OldModules => "PyTorch in its old form, whole modules",
        })
    }
}

/// The weights of a file.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Tensors by the publisher's names, in PyTorch's layout, all f32. Counters and masks are left out.
    pub tensors: BTreeMap<String, Tensor>,
    /// The file's SHA-256, in hexadecimal.
    pub sha256: String,
    /// What kind of file it was.
    pub kind: Kind,
    /// Tensors that were passed over because they hold no floating-point numbers.
    pub passed_over: usize,
    /// What the file says of itself, where it does: its licence, version and date.
    pub says: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Reads a file; what it is, is seen from its bytes, not from its name.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        let bytes = super::read_file(path, MAX_FILE)?;
        Self::parse(&bytes)
            .map_err(|fault| WeightsError::Checkpoint { path: path.to_owned(), source: Box::new(fault) })
    }

    /// Reads a file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointFault> {
        let (gathered, kinds) = if bytes.starts_with(b"PK") {
            (zipped::read(bytes)?, [Kind::StateDict, Kind::Modules])
        } else if legacy::is(bytes) {
            (legacy::read(bytes)?, [Kind::OldStateDict, Kind::OldModules])
        } else if safetensors::is(bytes) {
            (safetensors::read(bytes)?, [Kind::Safetensors; 2])
        } else {
            return Err(CheckpointFault::Unknown);
        };
        if gathered.tensors.is_empty() {
            return Err(CheckpointFault::Empty);
        }
        Ok(Self {
            tensors: gathered.tensors,
            sha256: sha256(bytes),
            kind: kinds[usize::from(gathered.modules)],
            passed_over: gathered.passed_over,
            says: gathered.says,
        })
    }

    /// Values in all tensors.
    pub fn values(&self) -> usize {
        self.tensors.values().map(Tensor::elem_count).sum()
    }
}

/// The SHA-256 of `bytes`, in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The name of a tensor or a module within another, if it is one that can be printed.
fn name(prefix: &str, key: &str) -> Result<String, CheckpointFault> {
    if prefix.len() + key.len() > MAX_NAME || key.is_empty() || key.chars().any(char::is_control) {
        return Err(refused(key));
    }
    Ok(format!("{prefix}{key}"))
}

fn refused(name: &str) -> CheckpointFault {
    CheckpointFault::Name { name: name.chars().take(40).collect(), max: MAX_NAME }
}

/// The tensors taken out of a file so far.
struct Gathered {
    tensors: BTreeMap<String, Tensor>,
    modules: bool,
    passed_over: usize,
    says: BTreeMap<String, String>,
    /// Values that may still be taken: one per byte of the file. Stored numbers take two bytes or more, so that
    /// only tensors which share their numbers many times over, or repeat one number, come to an end here.
    left: usize,
}

impl Gathered {
    fn new(bytes: usize, modules: bool, says: BTreeMap<String, String>) -> Self {
        Self { tensors: BTreeMap::new(), modules, passed_over: 0, says, left: bytes }
    }

    fn pass_over(&mut self) {
        self.passed_over += 1;
    }

    fn add(
        &mut self,
        name: String,
        element: Element,
        view: &View,
        storage: &[u8],
    ) -> Result<(), CheckpointFault> {
        if let Element::Other(_) = element {
            self.pass_over();
            return Ok(());
        }
        let count = view.count().ok_or_else(|| CheckpointFault::View { name: name.clone() })?;
        self.left = self
            .left
            .checked_sub(count)
            .ok_or(CheckpointFault::Limit { what: "values for its size", limit: self.left as u64 })?;
        let numbers = view.gather(&name, storage, element)?;
        let tensor = Tensor::from_vec(numbers, view.size.as_slice(), &Device::Cpu)
            .map_err(|source| CheckpointFault::Tensor { name: name.clone(), source })?;
        if self.tensors.contains_key(&name) {
            return Err(refused(&name));
        }
        self.tensors.insert(name, tensor);
        Ok(())
    }
}
