//! The instructions of a pickle, followed one by one: a stack, marks in it, and what is remembered for later.

use super::{Id, Value};
use std::collections::HashMap;

/// What an instruction does, or what is wrong with it.
pub(super) type Step<T> = Result<T, &'static str>;

/// What reads a pickle.
#[derive(Default)]
pub(super) struct Machine<'a> {
    /// What has not been read yet.
    pub(super) rest: &'a [u8],
    /// The objects so far.
    pub(super) values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Reads these bytes.
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest, ..Self::default() }
    }

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
    pub(super) fn step(&mut self) -> Step<Option<Id>> {
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
