//! PyTorch's form before 1.6: five pickles one after the other, then each storage's length and numbers.

use super::element::Element;
use super::{CheckpointFault as Fault, Gathered, pickle, torch};
use std::collections::BTreeMap;

/// The first pickle: a number that says what the file is.
const MAGIC: [u8; 12] = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Whether the file is of this form.
pub(super) fn is(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x80) && bytes.get(2..).is_some_and(|rest| rest.starts_with(&MAGIC))
}

/// Reads all weights.
pub(super) fn read(bytes: &[u8]) -> Result<Gathered, Fault> {
    let mut rest = bytes;
    let _magic = pickle::read(&mut rest)?;
    let _protocol = pickle::read(&mut rest)?;
    let machine = pickle::read(&mut rest)?;
    let little = machine.entry(machine.root(), "little_endian").map(|id| machine.get(id));
    if little == Some(&pickle::Value::Bool(false)) {
        return Err(Fault::BigEndian);
    }
    let pickle = pickle::read(&mut rest)?;
    let keys = pickle::read(&mut rest)?;
    let keys = keys.items(keys.root()).ok_or(Fault::Cut)?.iter().map(|id| keys.text(*id));
    let classes: BTreeMap<&str, &str> =
        pickle.values().iter().filter_map(|value| torch::stored(&pickle, value)).collect();
    let mut storages = BTreeMap::new();
    for key in keys {
        let width = key.and_then(|key| Element::of_storage(classes.get(key)?)).ok_or(Fault::Cut)?.width();
        let (count, after) = rest.split_first_chunk::<8>().ok_or(Fault::Cut)?;
        let length = usize::try_from(u64::from_le_bytes(*count)).ok().and_then(|n| n.checked_mul(width));
        let (numbers, after) = length.and_then(|length| after.split_at_checked(length)).ok_or(Fault::Cut)?;
        rest = after;
        storages.insert(key.unwrap_or_default(), numbers);
    }
    let found = torch::find(&pickle)?;
    let mut gathered = Gathered::new(bytes.len(), found.modules, found.says);
    for tensor in &found.tensors {
        let Some(element) = Element::of_storage(tensor.class) else {
            gathered.pass_over();
            continue;
        };
        let storage = storages.get(tensor.key).ok_or_else(|| Fault::Missing { name: tensor.name.clone() })?;
        gathered.add(tensor.name.clone(), element, &tensor.view, storage)?;
    }
    Ok(gathered)
}
