//! Pickles as data: what a checkpoint's description says, with nothing called and nothing executed.
//!
//! candle's reader copies an object whenever a pickle refers to it again and nests boxes without bound: a
//! hundred hostile bytes take all memory, or the stack when it lets go, and no guard around it can stop that.
//! Here every object stands once in one list and is referred to by number, so that memory grows with the bytes
//! read and nothing recurses; and a shared dictionary is the same dictionary wherever it is seen.

use super::CheckpointFault as Fault;
use std::collections::HashMap;

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
    let mut machine = Machine { rest: &all[..all.len().min(MAX_BYTES)], ..Machine::default() };
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

type Step<T> = Result<T, &'static str>;

#[derive(Default)]
struct Machine<'a> {
    rest: &'a [u8],
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: u64) -> Step<&'a [u8]> {
        let count = usize::try_from(count).ok().filter(|n| *n <= self.rest.len()).ok_or("it is cut short")?;
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }

    /// An unsigned number of `width` bytes, at most 8.
    fn number(&mut self, width: u64) -> Step<u64> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn line(&mut self) -> Step<&'a str> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or("it is cut short")?;
        let line = self.take(end as u64 + 1)?;
        std::str::from_utf8(&line[..end]).map_err(|_| "a name in it is no text")
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len() as Id);
        self.values.push(value);
    }

    fn pop(&mut self) -> Step<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() > floor { self.stack.pop() } else { None }.ok_or("an object is missing")
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or("a mark is missing")?;
        Ok(self.stack.split_off(mark))
    }

    fn last(&mut self) -> Step<Id> {
        self.stack.last().copied().ok_or("an object is missing")
    }

    fn text(&mut self, width: u64) -> Step<()> {
        let length = self.number(width)?;
        let bytes = self.take(length)?;
        self.push(std::str::from_utf8(bytes).map_or(Value::Opaque, Value::Text));
        Ok(())
    }

    fn skip(&mut self, width: u64) -> Step<()> {
        let length = self.number(width)?;
        self.take(length)?;
        self.push(Value::Opaque);
        Ok(())
    }

    fn long(&mut self, width: u64) -> Step<()> {
        let length = self.number(width)?;
        let bytes = self.take(length)?;
        let mut wide = [if bytes.last().is_some_and(|b| *b >= 0x80) { 0xff } else { 0 }; 8];
        let value = match wide.get_mut(..bytes.len()) {
            Some(part) => {
                part.copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(wide))
            }
            None => Value::Opaque,
        };
        self.push(value);
        Ok(())
    }

    fn tuple(&mut self, count: usize) -> Step<()> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Step<Vec<_>>>()?;
        items.reverse();
        self.push(Value::Tuple(items));
        Ok(())
    }

    /// Gives items to the list (or whatever behaves like one) on top of the stack.
    fn extend(&mut self, items: &[Id]) -> Step<()> {
        let target = self.last()?;
        if let Value::List(list) = &mut self.values[target as usize] {
            list.extend(items);
        }
        Ok(())
    }

    /// Gives keys and values, by turns, to the dictionary (or whatever behaves like one) on top of the stack.
    fn set(&mut self, items: &[Id]) -> Step<()> {
        let target = self.last()?;
        if items.len() % 2 == 1 {
            return Err("a key has no value");
        }
        if let Value::Dict(dict) = &mut self.values[target as usize] {
            dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        }
        Ok(())
    }

    fn call(&mut self, callable: Id, args: Id) {
        let made = match &self.values[callable as usize] {
            Value::Global { module: "collections", name: "OrderedDict" | "defaultdict" } => {
                Value::Dict(self.pairs(args))
            }
            _ => Value::Call { callable, args, state: None },
        };
        self.push(made);
    }

    /// The entries in `OrderedDict([[key, value], ...])`: so Python 2 wrote them.
    fn pairs(&self, args: Id) -> Vec<(Id, Id)> {
        let items = |id: Id| match &self.values[id as usize] {
            Value::Tuple(items) | Value::List(items) => items.as_slice(),
            _ => &[],
        };
        let pairs = items(args).first().map_or(&[][..], |first| items(*first));
        pairs.iter().filter_map(|pair| Some((*items(*pair).first()?, *items(*pair).get(1)?))).collect()
    }

    fn build(&mut self) -> Step<()> {
        let given = self.pop()?;
        let target = self.last()?;
        if let Value::Call { state, .. } = &mut self.values[target as usize] {
            *state = Some(given);
        }
        Ok(())
    }

    /// Follows one instruction; the pickled object, if it was the last.
    fn step(&mut self) -> Step<Option<Id>> {
        match self.number(1)? as u8 {
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let last = self.last()?;
                self.stack.push(last);
            }
            b'N' => self.push(Value::None),
            code @ (0x88 | 0x89) => self.push(Value::Bool(code == 0x88)),
            code @ (b'K' | b'M') => {
                let value = self.number(if code == b'K' { 1 } else { 2 })?;
                self.push(Value::Int(value as i64));
            }
            b'J' => {
                let value = self.number(4)?;
                self.push(Value::Int(i64::from(value as u32 as i32)));
            }
            0x8a => self.long(1)?,
            0x8b => self.long(4)?,
            b'G' => {
                self.take(8)?;
                self.push(Value::Opaque);
            }
            b'U' | 0x8c => self.text(1)?,
            b'X' | b'T' => self.text(4)?,
            0x8d => self.text(8)?,
            b'C' => self.skip(1)?,
            b'B' => self.skip(4)?,
            0x8e | 0x96 => self.skip(8)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global { module, name });
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) =
                    (&self.values[module as usize], &self.values[name as usize])
                else {
                    return Err("a name in it is no text");
                };
                let value = Value::Global { module, name };
                self.push(value);
            }
            code => self.shape(code)?,
        }
        Ok(None)
    }

    /// Instructions that put objects together.
    fn shape(&mut self, code: u8) -> Step<()> {
        match code {
            b')' => self.push(Value::Tuple(vec![])),
            b']' => self.push(Value::List(vec![])),
            b'}' => self.push(Value::Dict(vec![])),
            0x8f => self.push(Value::Opaque),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            0x85..=0x87 => self.tuple(usize::from(code - 0x84))?,
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items));
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(vec![]));
                self.set(&items)?;
            }
            // Sets hold nothing that is looked for.
            0x90 => drop(self.pop_to_mark()?),
            0x91 => {
                self.pop_to_mark()?;
                self.push(Value::Opaque);
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.extend(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(&items)?;
            }
            b'q' | b'r' | 0x94 => {
                let last = self.last()?;
                let place = match code {
                    b'q' => self.number(1)? as u32,
                    b'r' => self.number(4)? as u32,
                    _ => self.memo.len() as u32,
                };
                self.memo.insert(place, last);
            }
            b'h' | b'j' => {
                let place = self.number(if code == b'h' { 1 } else { 4 })? as u32;
                let id = *self.memo.get(&place).ok_or("it refers to an object that is not there")?;
                self.stack.push(id);
            }
            b'R' | 0x81 => {
                let (args, callable) = (self.pop()?, self.pop()?);
                self.call(callable, args);
            }
            0x92 => {
                let (_named, args, callable) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callable, args);
            }
            b'b' => self.build()?,
            b'Q' => {
                let name = self.pop()?;
                self.push(Value::Stored(name));
            }
            _ => return Err("it has an instruction that checkpoints do not use"),
        }
        Ok(())
    }
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
