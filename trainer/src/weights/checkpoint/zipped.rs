//! PyTorch's form since 1.6: a zip file with the pickle and a file of raw numbers per storage.

use super::archive::{Archive, Method};
use super::element::Element;
use super::{CheckpointFault as Fault, Gathered, pickle, torch};
use std::collections::BTreeMap;

/// Reads all weights.
pub(super) fn read(bytes: &[u8]) -> Result<Gathered, Fault> {
    let archive = Archive::open(bytes)?;
    let file = |name: &str| match archive.entries().get(name) {
        Some(entry) if entry.method == Method::Stored => archive.packed(*entry).map(Some),
        Some(_) => Err(Fault::Zip { what: "an entry is compressed, which PyTorch never does" }),
        None => Ok(None),
    };
    let described = archive.entries().keys().find(|name| **name == "data.pkl" || name.ends_with("/data.pkl"));
    let described = *described.ok_or(Fault::Unknown)?;
    let folder = described.strip_suffix("data.pkl").unwrap_or_default();
    if file(&format!("{folder}byteorder"))?.is_some_and(|order| order.starts_with(b"big")) {
        return Err(Fault::BigEndian);
    }
    let mut rest = file(described)?.ok_or(Fault::Unknown)?;
    let pickle = pickle::read(&mut rest)?;
    let found = torch::find(&pickle)?;
    let mut gathered = Gathered::new(bytes.len(), found.modules, found.says);
    let mut storages: BTreeMap<&str, &[u8]> = BTreeMap::new();
    let mut checked = 0;
    for tensor in &found.tensors {
        let Some(element) = Element::of_storage(tensor.class) else {
            gathered.pass_over();
            continue;
        };
        let storage = if let Some(storage) = storages.get(tensor.key) {
            storage
        } else {
            let storage = file(&format!("{folder}data/{}", tensor.key))?
                .ok_or_else(|| Fault::Missing { name: tensor.name.clone() })?;
            checked += storage.len();
            // Entries that lie over each other would be checked again and again.
            if checked > bytes.len() {
                return Err(Fault::Zip { what: "its entries overlap" });
            }
            storages.entry(tensor.key).or_insert(storage)
        };
        gathered.add(tensor.name.clone(), element, &tensor.view, storage)?;
    }
    Ok(gathered)
}
