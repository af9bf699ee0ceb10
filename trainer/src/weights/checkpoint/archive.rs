//! The directory of a zip file in memory, every number in it checked before it is used.
//!
//! PyTorch's checkpoints and Python's wheels are zip files. The crate `zip` reserves memory for as many entries
//! as a file claims to have; here the file's own bytes bound everything, and what is stored is not copied.

use super::CheckpointFault as Fault;
use std::collections::BTreeMap;

/// Entries in a file at most.
const MAX_ENTRIES: u64 = 65_535;
/// The size of the record at the end, and how much comment may follow it.
const END: usize = 22;
const MAX_COMMENT: usize = 65_535;

/// What the directory says of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) struct Entry {
    /// How it is packed.
    pub(in crate::weights) method: Method,
    crc: u32,
    packed: u64,
    header: u64,
}

/// How an entry is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum Method {
    /// As it is.
    Stored,
    /// Deflated.
    Deflated,
}

/// A zip file's entries.
#[derive(Debug)]
pub(in crate::weights) struct Archive<'a> {
    bytes: &'a [u8],
    entries: BTreeMap<&'a str, Entry>,
}

fn damaged(what: &'static str) -> Fault {
    Fault::Zip { what }
}

fn part(bytes: &[u8], at: u64, length: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(at).ok()?..usize::try_from(at.checked_add(length)?).ok()?)
}

fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..at + width].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Where the directory lies and how many entries it has.
fn directory(bytes: &[u8]) -> Option<(u64, u64, u64)> {
    let last = bytes.len().checked_sub(END)?;
    let end = (last.saturating_sub(MAX_COMMENT)..=last).rev().find(|at| {
        bytes[*at..].starts_with(b"PK\x05\x06") && number(bytes, at + 20, 2) as usize == last - at
    })?;
    let found = (number(bytes, end + 10, 2), number(bytes, end + 12, 4), number(bytes, end + 16, 4));
    if found.0 != 0xffff && found.1 != 0xffff_ffff && found.2 != 0xffff_ffff {
        return Some(found);
    }
    // More than the old record can say stands in a wider one, which another record finds.
    let locator = part(bytes, end.checked_sub(20)? as u64, 20)?;
    let wide = part(bytes, locator.starts_with(b"PK\x06\x07").then(|| number(locator, 8, 8))?, 56)?;
    wide.starts_with(b"PK\x06\x06").then(|| (number(wide, 32, 8), number(wide, 40, 8), number(wide, 48, 8)))
}

impl<'a> Archive<'a> {
    /// Reads the directory.
    pub(in crate::weights) fn open(bytes: &'a [u8]) -> Result<Self, Fault> {
        let (count, size, start) = directory(bytes).ok_or(damaged("its directory is not at its end"))?;
        if count > MAX_ENTRIES {
            return Err(Fault::Limit { what: "entries in its zip directory", limit: MAX_ENTRIES });
        }
        let mut rest = part(bytes, start, size).ok_or(damaged("its directory lies outside it"))?;
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let (name, entry, length) = entry(rest).ok_or(damaged("its directory is cut short"))?;
            let name = std::str::from_utf8(name).map_err(|_| damaged("an entry's name is no text"))?;
            if entries.insert(name, entry?).is_some() {
                return Err(damaged("two of its entries have one name"));
            }
            rest = &rest[length..];
        }
        Ok(Self { bytes, entries })
    }

    /// The entries by name.
    pub(in crate::weights) fn entries(&self) -> &BTreeMap<&'a str, Entry> {
        &self.entries
    }

    /// The bytes of an entry as they lie in the file; where nothing packed them, checked.
    pub(in crate::weights) fn packed(&self, entry: Entry) -> Result<&'a [u8], Fault> {
        let outside = || damaged("an entry lies outside it");
        let header = part(self.bytes, entry.header, 30).ok_or_else(outside)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(damaged("an entry is not where its directory says"));
        }
        let names = number(header, 26, 2) + number(header, 28, 2);
        let packed = part(self.bytes, entry.header + 30 + names, entry.packed).ok_or_else(outside)?;
        if entry.method == Method::Stored && crc32fast::hash(packed) != entry.crc {
            return Err(damaged("an entry's bytes are not those that were written"));
        }
        Ok(packed)
    }
}

type Read<'a> = (&'a [u8], Result<Entry, Fault>, usize);

/// The entry at the front of the directory, with its name and its length there.
fn entry(rest: &[u8]) -> Option<Read<'_>> {
    let head = rest.get(..46).filter(|head| head.starts_with(b"PK\x01\x02"))?;
    let lengths = [28, 30, 32].map(|at| number(head, at, 2) as usize);
    let name = rest.get(46..46 + lengths[0])?;
    let extra = rest.get(46 + lengths[0]..46 + lengths[0] + lengths[1])?;
    let length = 46 + lengths.iter().sum::<usize>();
    rest.get(..length)?;
    // What does not fit into four bytes stands in an extra field, in this order.
    let mut sizes = [number(head, 24, 4), number(head, 20, 4), number(head, 42, 4)];
    let mut wide = wide(extra);
    for size in sizes.iter_mut().filter(|size| **size == 0xffff_ffff) {
        *size = number(wide.get(..8)?, 0, 8);
        wide = &wide[8..];
    }
    let method = match number(head, 10, 2) {
        0 if sizes[0] == sizes[1] => Ok(Method::Stored),
        8 => Ok(Method::Deflated),
        _ => Err(damaged("an entry is packed in a way that is not read here")),
    };
    let method = if number(head, 8, 2) & 1 == 1 { Err(damaged("an entry is encrypted")) } else { method };
    let crc = number(head, 16, 4) as u32;
    let entry = method.map(|method| Entry { method, crc, packed: sizes[1], header: sizes[2] });
    Some((name, entry, length))
}

/// The extra field for what is too large for four bytes.
fn wide(mut extra: &[u8]) -> &[u8] {
    while let Some(head) = extra.get(..4) {
        let Some(body) = extra.get(4..4 + number(head, 2, 2) as usize) else { break };
        if number(head, 0, 2) == 1 {
            return body;
        }
        extra = &extra[4 + body.len()..];
    }
    &[]
}
