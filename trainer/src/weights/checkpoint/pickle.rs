//! Pickles as data: what a checkpoint's description says, with nothing called and nothing executed.
//!
//! candle's reader copies an object whenever a pickle refers to it again and nests boxes without bound: a
//! hundred hostile bytes take all memory, or the stack when it lets go, and no guard around it can stop that.
//! Here every object stands once in one list and is referred to by number, so that memory grows with the bytes
//! read and nothing recurses; and a shared dictionary is the same dictionary wherever it is seen.

mod machine;

use super::CheckpointFault as Fault;
use machine::Machine;

/// Pickled bytes that are read at most.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// Instructions that are followed at most; genuine checkpoints of the largest networks take some 100,000.
const MAX_STEPS: usize = 4_000_000;

/// An object's number.
pub(super) type Id = u32;

/// An object; what checkpoints do not need is `Opaque`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Opaque,
    None,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    /// A class or a function, by name only.
    Global {
        module: &'a str,
        name: &'a str,
    },
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// What a call with these arguments would have given; and the state that it was to take on.
    Call {
        callable: Id,
        args: Id,
        state: Option<Id>,
    },
    /// What is stored beside the pickle, under this name.
    Stored(Id),
}

/// One pickle's objects.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// The object that was pickled.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    /// Every object in it.
    pub(super) fn values(&self) -> &[Value<'a>] {
        &self.values
    }

    /// An object.
    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }

    /// Its entries, if it is a dictionary.
    pub(super) fn dict(&self, id: Id) -> Option<&[(Id, Id)]> {
        if let Value::Dict(entries) = self.get(id) { Some(entries) } else { None }
    }

    /// Its items, if it is a tuple or a list.
    pub(super) fn items(&self, id: Id) -> Option<&[Id]> {
        if let Value::Tuple(items) | Value::List(items) = self.get(id) { Some(items) } else { None }
    }

    /// Its text, if it is one.
    pub(super) fn text(&self, id: Id) -> Option<&'a str> {
        if let Value::Text(text) = self.get(id) { Some(text) } else { None }
    }

    /// Its value, if it is a whole number.
    pub(super) fn int(&self, id: Id) -> Option<i64> {
        if let Value::Int(value) = self.get(id) { Some(*value) } else { None }
    }

    /// What stands under `key` in a dictionary; where it was set twice, the later.
    pub(super) fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        self.dict(dict)?.iter().rev().find(|(k, _)| self.text(*k) == Some(key)).map(|(_, value)| *value)
    }
}

/// Reads one pickle at the front of `bytes`; what it took is cut off them.
pub(super) fn read<'a>(bytes: &mut &'a [u8]) -> Result<Pickle<'a>, Fault> {
    let all = *bytes;
    let mut machine = Machine::new(&all[..all.len().min(MAX_BYTES)]);
    let root = (0..MAX_STEPS)
        .find_map(|_| machine.step().transpose())
        .unwrap_or(Err("it is longer than any checkpoint's"))
        .map_err(|why| {
            let at = all.len().min(MAX_BYTES) - machine.rest.len();
            Fault::Pickle { at, why }
        })?;
    *bytes = &all[all.len().min(MAX_BYTES) - machine.rest.len()..];
    Ok(Pickle { values: machine.values, root })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(mut bytes: &[u8]) -> Result<Pickle<'_>, Fault> {
        read(&mut bytes)
    }

    #[test]
    fn a_dictionary_filled_after_it_was_remembered_is_seen_full_everywhere() {
        // d = {}; (d, d) with d["a"] = 7 set after the first mention.
        let pickle = parsed(b"\x80\x02(}q\x00X\x01\0\0\0aK\x07sh\x00t.").expect("read");
        let items = pickle.items(pickle.root()).expect("tuple");
        for item in items {
            assert_eq!(pickle.entry(*item, "a").and_then(|id| pickle.int(id)), Some(7));
        }
    }

    #[test]
    fn numbers_keep_their_signs() {
        let pickle =
            parsed(b"(J\xff\xff\xff\xff\x8a\x01\xfe\x8a\x00M\x00\x01\x8a\x03\x00\x00\x01t.").expect("read");
        let items = pickle.items(pickle.root()).expect("tuple");
        let values: Vec<_> = items.iter().map(|id| pickle.int(*id)).collect();
        assert_eq!(values, [-1, -2, 0, 256, 65536].map(Some));
    }

    #[test]
    fn a_bomb_of_references_and_endless_nesting_take_no_more_than_their_bytes() {
        // Sixty times a pair of the last pair: 2^60 objects for a reader that copies.
        let mut bomb = b"N".to_vec();
        bomb.extend(b"q\x00h\x00\x86".repeat(60));
        bomb.push(b'.');
        let pickle = parsed(&bomb).expect("read");
        assert_eq!(pickle.values().len(), 61);
        let deep = [b"N".to_vec(), vec![0x85; 3_000_000], b".".to_vec()].concat();
        assert_eq!(parsed(&deep).expect("read").values().len(), 3_000_001);
        let endless = vec![b'N'; MAX_STEPS + 1];
        assert!(matches!(parsed(&endless), Err(Fault::Pickle { why, .. }) if why.contains("longer")));
    }

    #[test]
    fn nonsense_is_an_error_that_says_where() {
        for bytes in [&b""[..], b".", b"t.", b"h\x00.", b"X\xff\xff\xff\xff", b"cno line", b"}NsN.", b"P1\n."]
        {
            assert!(matches!(parsed(bytes), Err(Fault::Pickle { .. })), "{bytes:?}");
        }
        assert!(matches!(parsed(b"NNP1\n."), Err(Fault::Pickle { at: 3, .. })));
    }
}
