//! What PyTorch pickled: where in the pickle the weights are, and what each tensor's numbers are called.

use super::element::{MAX_AXES, View};
use super::pickle::{Id, Pickle, Value};
use super::{CheckpointFault as Fault, MAX_NAME, MAX_TENSORS};
use std::collections::BTreeMap;

/// Entries that are looked at for weights, at most: a pickle may refer to one object from many others.
const MAX_VISITS: usize = 1_000_000;
/// Modules within modules at most.
const MAX_DEPTH: usize = 64;
/// Wrappings around one tensor at most.
const MAX_WRAPPINGS: usize = 4;
/// Where training loops put the weights, the best first: averaged ones before those of the last step.
const PLACES: [&str; 3] = ["ema", "model", "state_dict"];
/// What a file may say of itself, and how much of it is repeated.
const SAYS: [&str; 3] = ["license", "version", "date"];
const MAX_SAID: usize = 120;

/// A tensor as the pickle describes it.
pub(super) struct Described<'a> {
    pub(super) name: String,
    /// The storage's name and the name of its class.
    pub(super) key: &'a str,
    pub(super) class: &'a str,
    pub(super) view: View,
}

/// The weights that a pickle describes.
pub(super) struct Found<'a> {
    pub(super) tensors: Vec<Described<'a>>,
    /// Whether they were in modules, not in a state dict.
    pub(super) modules: bool,
    pub(super) says: BTreeMap<String, String>,
}

/// Finds the weights.
pub(super) fn find<'a>(pickle: &Pickle<'a>) -> Result<Found<'a>, Fault> {
    let root = pickle.root();
    let places = PLACES.iter().filter_map(|place| pickle.entry(root, place));
    for place in places.chain([root]) {
        let mut finder = Finder { pickle, tensors: vec![], visits: 0 };
        let modules = matches!(pickle.get(place), Value::Call { .. });
        if modules {
            finder.module(place, "", 0)?;
        } else {
            finder.entries(place, "")?;
        }
        if !finder.tensors.is_empty() {
            return Ok(Found { tensors: finder.tensors, modules, says: says(pickle) });
        }
    }
    Err(Fault::Empty)
}

fn says(pickle: &Pickle) -> BTreeMap<String, String> {
    let said = |key: &str| pickle.text(pickle.entry(pickle.root(), key)?);
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(MAX_SAID).collect::<String>();
    SAYS.iter().filter_map(|key| Some(((*key).to_string(), plain(said(key)?)))).collect()
}

struct Finder<'p, 'a> {
    pickle: &'p Pickle<'a>,
    tensors: Vec<Described<'a>>,
    visits: usize,
}

impl<'p> Finder<'p, '_> {
    /// Entries of a dictionary, counted.
    fn visit(&mut self, dict: Id) -> Result<&'p [(Id, Id)], Fault> {
        let entries = self.pickle.dict(dict).unwrap_or_default();
        self.visits += 1 + entries.len();
        if self.visits > MAX_VISITS {
            return Err(Fault::Limit { what: "entries", limit: MAX_VISITS as u64 });
        }
        Ok(entries)
    }

    /// The tensors of a dictionary.
    fn entries(&mut self, dict: Id, prefix: &str) -> Result<(), Fault> {
        for (key, value) in self.visit(dict)? {
            let (Some(key), Value::Call { .. }) = (self.pickle.text(*key), self.pickle.get(*value)) else {
                continue;
            };
            self.tensors.extend(tensor(self.pickle, *value, super::name(prefix, key)?)?);
            if self.tensors.len() > MAX_TENSORS {
                return Err(Fault::Limit { what: "tensors", limit: MAX_TENSORS as u64 });
            }
        }
        Ok(())
    }

    /// The tensors of a module and of the modules in it, as `state_dict()` would name them.
    fn module(&mut self, module: Id, prefix: &str, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Limit { what: "modules within modules", limit: MAX_DEPTH as u64 });
        }
        let pickle = self.pickle;
        let Value::Call { state: Some(state), .. } = pickle.get(module) else { return Ok(()) };
        self.visit(*state)?;
        for part in ["_parameters", "_buffers"] {
            if let Some(dict) = pickle.entry(*state, part) {
                self.entries(dict, prefix)?;
            }
        }
        let Some(modules) = pickle.entry(*state, "_modules") else { return Ok(()) };
        for (key, value) in self.visit(modules)? {
            if let Some(key) = pickle.text(*key) {
                self.module(*value, &(super::name(prefix, key)? + "."), depth + 1)?;
            }
        }
        Ok(())
    }
}

/// The tensor that a call in the pickle would have made; `None` for anything else.
fn tensor<'a>(pickle: &Pickle<'a>, value: Id, name: String) -> Result<Option<Described<'a>>, Fault> {
    let Value::Call { callable, args, .. } = pickle.get(value) else { return Ok(None) };
    let (mut callable, mut args) = (*callable, *args);
    for _ in 0..MAX_WRAPPINGS {
        let Value::Global { module, name: function } = pickle.get(callable) else { return Ok(None) };
        let given = pickle.items(args).unwrap_or_default();
        match (*module, *function, given) {
            // The tensor within: its call, or the function and the arguments apart.
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state", [inner, ..]) => {
                let Value::Call { callable: c, args: a, .. } = pickle.get(*inner) else { return Ok(None) };
                (callable, args) = (*c, *a);
            }
            ("torch._tensor", "_rebuild_from_type_v2", [inner, _class, a, ..]) => {
                (callable, args) = (*inner, *a);
            }
            (
                "torch._utils",
                "_rebuild_tensor_v2" | "_rebuild_tensor",
                [storage, offset, size, stride, ..],
            ) => {
                let view = || {
                    let numbers = |id: Id| {
                        let items = pickle.items(id).filter(|items| items.len() <= MAX_AXES)?;
                        items.iter().map(|id| natural(pickle, *id)).collect::<Option<Vec<_>>>()
                    };
                    let view = View {
                        offset: natural(pickle, *offset)?,
                        size: numbers(*size)?,
                        stride: numbers(*stride)?,
                    };
                    let (key, class) = stored(pickle, pickle.get(*storage))?;
                    Some((key, class, view))
                };
                let (key, class, view) = view().ok_or_else(|| Fault::Described { name: name.clone() })?;
                return Ok(Some(Described { name, key, class, view }));
            }
            _ => return Ok(None),
        }
    }
    Err(Fault::Described { name })
}

fn natural(pickle: &Pickle, id: Id) -> Option<usize> {
    usize::try_from(pickle.int(id)?).ok()
}

/// The name and the class of a storage: `('storage', class, name, device, count)`, and in the old form a view
/// of another storage, which nobody has written for years.
pub(super) fn stored<'a>(pickle: &Pickle<'a>, value: &Value<'a>) -> Option<(&'a str, &'a str)> {
    let Value::Stored(id) = value else { return None };
    let items = pickle.items(*id)?;
    let viewed = items.get(5).is_some_and(|view| *pickle.get(*view) != Value::None);
    let Value::Global { module: _, name: class } = pickle.get(*items.get(1)?) else { return None };
    let key = pickle.text(*items.get(2)?)?;
    let is_storage = pickle.text(*items.first()?) == Some("storage") && !viewed && key.len() <= MAX_NAME;
    is_storage.then_some((key, class))
}
