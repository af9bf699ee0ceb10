//! safetensors files of others, in PyTorch's layout.

use super::element::{Element, View};
use super::{CheckpointFault as Fault, Gathered, MAX_TENSORS, name};
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::BTreeMap;

/// Whether the file is one: the length of its header, then the header, a JSON object.
pub(super) fn is(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    rest.first() == Some(&b'{') && u64::from_le_bytes(*length) <= rest.len() as u64
}

/// Reads all weights.
pub(super) fn read(bytes: &[u8]) -> Result<Gathered, Fault> {
    let file = SafeTensors::deserialize(bytes).map_err(Fault::Safetensors)?;
    if file.len() > MAX_TENSORS {
        return Err(Fault::Limit { what: "tensors", limit: MAX_TENSORS as u64 });
    }
    let mut gathered = Gathered::new(bytes.len(), false, BTreeMap::new());
    for (given, tensor) in file.iter() {
        let element = match tensor.dtype() {
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::Bf16,
            Dtype::F32 => Element::F32,
            Dtype::F64 => Element::F64,
            _ => {
                gathered.pass_over();
                continue;
            }
        };
        let size = tensor.shape().to_vec();
        let mut stride = vec![1usize; size.len()];
        for axis in (1..size.len()).rev() {
            stride[axis - 1] = stride[axis].saturating_mul(size[axis]);
        }
        gathered.add(name("", given)?, element, &View { offset: 0, size, stride }, tensor.data())?;
    }
    Ok(gathered)
}
