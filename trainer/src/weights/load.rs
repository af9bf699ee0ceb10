//! Puts the tensors of a checkpoint into a network: by name and shape, and with a word on what did not match.

use super::WeightsError;
use super::checkpoint::Checkpoint;
use crate::nn::params::Params;
use candle_core::{Result as TensorResult, Tensor, Var};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How much of a network must be in a checkpoint, of its tensors outside the head.
pub const LEAST: f64 = 0.9;
/// Names that are told of one kind; the rest is counted.
const NAMED: usize = 3;

/// What may differ between a checkpoint and the network.
#[derive(Debug, Clone, Default)]
pub struct Rules<'a> {
    /// Beginnings of names of the head (`_fc.`, `model.9.linear.`): where one of its tensors is missing or of
    /// another shape, the whole head keeps its own initial values.
    pub heads: &'a [&'a str],
    /// The name of the first convolution's weights. Where the network's image has other channels than the checkpoint's,
    /// theirs are dealt out over ours in turn, so that the sum over channels stays what it was (as R. Wightman's timm does).
    pub stem: Option<&'a str>,
}

/// A tensor of a replaced head, as there and here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Its name.
    pub name: String,
    /// Its shape in the checkpoint, in our layout; `None` where the checkpoint lacks it.
    pub theirs: Option<Vec<usize>>,
    /// Its shape in the network.
    pub ours: Vec<usize>,
}

/// What was loaded and what was not, for run records and for people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Loaded {
    /// Tensors that came from the checkpoint.
    pub tensors: usize,
    /// Values in them.
    pub values: usize,
    /// The head's tensors that keep their own initial values because the checkpoint's head is another.
    pub replaced: Vec<Replaced>,
    /// Input channels of the first convolution there and here, where they differ.
    #[serde(default)]
    pub stem: Option<(usize, usize)>,
    /// Other tensors of the network that the checkpoint lacks: they keep their own initial values.
    pub missing: Vec<String>,
    /// Tensors of the checkpoint that the network has no place for.
    pub unused: Vec<String>,
}

/// Loads every tensor of the network that the checkpoint has; on an error nothing has changed.
pub fn load(params: &Params, checkpoint: &Checkpoint, rules: &Rules) -> Result<Loaded, WeightsError> {
    let places: BTreeMap<&String, &Var> = params.all().collect();
    let head_of = |name: &str| rules.heads.iter().position(|head| name.starts_with(head));
    let mut loaded = Loaded::default();
    let mut found = BTreeMap::new();
    let mut other = Vec::new();
    for (name, place) in &places {
        let Some(theirs) = checkpoint.tensors.get(*name) else {
            if head_of(name).is_none() {
                loaded.missing.push((*name).clone());
            }
            continue;
        };
        let failed = |source| WeightsError::Tensor { name: (*name).clone(), source };
        let mut turned = turned(theirs, place).map_err(failed)?;
        if rules.stem == Some(name.as_str())
            && let Some((stem, channels)) = dealt_out(&turned, place).map_err(failed)?
        {
            turned = stem;
            loaded.stem = Some(channels);
        }
        if turned.dims() == place.dims() {
            finite(name, &turned).map_err(failed)??;
            found.insert(*name, turned);
        } else if head_of(name).is_none() {
            let (theirs, ours) = (turned.dims().to_vec(), place.dims().to_vec());
            other.push(WeightsError::Shape { name: (*name).clone(), theirs, ours });
        }
    }
    let matched = found.keys().filter(|name| head_of(name).is_none()).count();
    let of = matched + loaded.missing.len() + other.len();
    if let Some(missing) = loaded.missing.first()
        && (matched as f64) < LEAST * of as f64
    {
        return Err(WeightsError::OtherNetwork { matched, of, missing: missing.clone() });
    }
    if let Some(other) = other.into_iter().next() {
        return Err(other);
    }
    replace_heads(&mut loaded, &mut found, &places, checkpoint, head_of);
    for (name, tensor) in &found {
        let set = places[*name].set(tensor);
        set.map_err(|source| WeightsError::Tensor { name: (*name).clone(), source })?;
    }
    (loaded.tensors, loaded.values) = (found.len(), found.values().map(Tensor::elem_count).sum());
    loaded.unused = checkpoint.tensors.keys().filter(|name| !places.contains_key(name)).cloned().collect();
    Ok(loaded)
}

/// Takes a head of which something does not fit out of what was found, whole.
fn replace_heads(
    loaded: &mut Loaded,
    found: &mut BTreeMap<&String, Tensor>,
    places: &BTreeMap<&String, &Var>,
    checkpoint: &Checkpoint,
    head_of: impl Fn(&str) -> Option<usize>,
) {
    let heads = places.keys().filter_map(|name| Some((head_of(name)?, *name)));
    let unfit: Vec<usize> =
        heads.clone().filter(|(_, name)| !found.contains_key(name)).map(|(head, _)| head).collect();
    for (_, name) in heads.filter(|(head, _)| unfit.contains(head)) {
        found.remove(name);
        let ours = places[name];
        let theirs = checkpoint.tensors.get(name).map(|theirs| {
            turned(theirs, ours).map_or_else(|_| theirs.dims().to_vec(), |turned| turned.dims().to_vec())
        });
        loaded.replaced.push(Replaced { name: name.clone(), theirs, ours: ours.dims().to_vec() });
    }
}

/// A tensor of PyTorch's layout in ours: `[out, in, kh, kw]` becomes `[kh, kw, in, out]`, `[out, in]` a
/// convolution of one pixel.
fn turned(theirs: &Tensor, ours: &Var) -> TensorResult<Tensor> {
    let turned = match theirs.rank() {
        4 => theirs.permute((2, 3, 1, 0))?,
        2 => theirs.t()?.unsqueeze(0)?.unsqueeze(0)?,
        _ => theirs.clone(),
    };
    turned.contiguous()?.to_dtype(ours.dtype())?.to_device(ours.device())
}

/// The weights `[kh, kw, in, out]` of a first convolution for the channels of ours. Where ours are more, channel `i` takes
/// those of `i mod in`, divided by how many share them; where they are fewer, it takes the sum of those that meet in it.
/// `None` if nothing is to be done, or something else differs, too.
fn dealt_out(theirs: &Tensor, ours: &Var) -> TensorResult<Option<(Tensor, (usize, usize))>> {
    let (Ok((kh, kw, from, out)), Ok((h, w, to, o))) = (theirs.dims4(), ours.dims4()) else {
        return Ok(None);
    };
    if (kh, kw, out) != (h, w, o) || from == to {
        return Ok(None);
    }
    let sharing = |channel: usize| (0..to).filter(|i| i % from == channel % from).count() as f64;
    let channel = |i: usize| -> TensorResult<Tensor> {
        let first = (theirs.narrow(2, i % from, 1)? / sharing(i))?;
        (i + to..from).step_by(to).try_fold(first, |sum, j| sum + theirs.narrow(2, j, 1)?)
    };
    let channels: Vec<Tensor> = (0..to).map(channel).collect::<TensorResult<_>>()?;
    Ok(Some((Tensor::cat(&channels, 2)?, (from, to))))
}

fn finite(name: &str, tensor: &Tensor) -> TensorResult<Result<(), WeightsError>> {
    // A sum of absolute values is finite only where all of them are.
    let sum = tensor.abs()?.to_dtype(candle_core::DType::F64)?.sum_all()?.to_scalar::<f64>()?;
    Ok(if sum.is_finite() { Ok(()) } else { Err(WeightsError::NotFinite { name: name.into() }) })
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} tensors, {} values", self.tensors, self.values)?;
        if let Some(first) = self.replaced.first() {
            let theirs = first.theirs.as_ref().map_or("none".into(), |theirs| format!("{theirs:?}"));
            write!(f, "; the head starts anew: {} is {theirs} there, {:?} here", first.name, first.ours)?;
        }
        if let Some((theirs, ours)) = self.stem {
            write!(f, "; the first convolution's {theirs} channels are dealt out over {ours}")?;
        }
        for (what, names) in [("not in the file", &self.missing), ("of the file not used", &self.unused)] {
            if !names.is_empty() {
                let more = names.len().saturating_sub(NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                write!(f, "; {what}: {}{more}", names[..names.len().min(NAMED)].join(", "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
