//! The roster's file.

use argon2::Argon2;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;
/// A longer file is no roster, bytes.
const MAX_FILE: u64 = 1 << 20;
/// More people than any line has.
const MAX_ENTRIES: usize = 2_000;
/// Longest name, characters: as in words over the broker.
const MAX_NAME: usize = 64;
/// Shortest and longest code; badges have long ones.
const CODE: std::ops::RangeInclusive<usize> = 4..=64;
/// Operators and programs, with hashes of what they show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    version: u32,
    /// Of all codes: a code alone must say whose it is. Hex.
    salt: String,
    #[serde(default)]
    operators: Vec<Entry>,
    #[serde(default)]
    tokens: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// An operator's: Argon2id of the code; a program's: SHA-256 of the token. Hex.
    hash: String,
}

/// What is wrong with a roster, or with what should go into it.
#[derive(Debug, thiserror::Error)]
pub enum RosterFault {
    /// Not read.
    #[error(
        "the roster {0} cannot be read: see to its owner and rights, or name another file (web.operators)"
    )]
    Read(PathBuf, #[source] io::Error),
    /// Not written.
    #[error("the roster {0} cannot be written: run this as the machine's owner (sudo)")]
    Write(PathBuf, #[source] io::Error),
    /// Too long.
    #[error("the roster {0} is longer than {MAX_FILE} bytes: is it the right file?")]
    TooLong(PathBuf),
    /// Not understood.
    #[error(
        "the roster {0} is not understood: restore it from a backup, or remove it and add the operators again"
    )]
    Syntax(PathBuf, #[source] serde_json::Error),
    /// Another version.
    #[error("the roster has version {0}, and this program knows {VERSION}: it was written by a newer one")]
    Version(u32),
    /// A name.
    #[error("{0:?} is no name: give 1 to {MAX_NAME} printable characters")]
    Name(String),
    /// A code.
    #[error("this is no code: give {} to {} letters and digits", CODE.start(), CODE.end())]
    Code,
    /// A short one of digits.
    #[error(
        "this code is easily guessed: give at least {} digits, or letters among them",
        super::codes::LEAST_DIGITS
    )]
    FewDigits,
    /// Taken.
    #[error("{0:?} is in the roster already: remove it first")]
    Known(String),
    /// Somebody else's.
    #[error("somebody else has this code: choose another one")]
    CodeTaken,
    /// Not there.
    #[error("{0:?} is not in the roster: `operator list` shows who is")]
    Unknown(String),
    /// Full.
    #[error("the roster has {MAX_ENTRIES} entries: remove some")]
    Full,
    /// No hash.
    #[error("the code cannot be hashed: {0}")]
    Hash(argon2::Error),
}

impl Roster {
    /// Reads a file; one that is not there is an empty roster.
    pub fn load(file: &Path) -> Result<Self, RosterFault> {
        let read = |error| RosterFault::Read(file.to_owned(), error);
        let length = match fs::metadata(file) {
            Ok(about) => about.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(read(error)),
        };
        if length > MAX_FILE {
            return Err(RosterFault::TooLong(file.to_owned()));
        }
        let bytes = fs::read(file).map_err(read)?;
        let roster: Self =
            serde_json::from_slice(&bytes).map_err(|error| RosterFault::Syntax(file.to_owned(), error))?;
        if roster.version != VERSION {
            return Err(RosterFault::Version(roster.version));
        }
        Ok(roster)
    }

    /// Writes it, whole or not at all, for its owner and its group.
    pub fn save(&self, file: &Path) -> Result<(), RosterFault> {
        self.save_for(file, None)
    }

    /// The same for its owner and a group, the agent's: there is no moment at which the agent cannot read it.
    pub fn save_for(&self, file: &Path, gid: Option<u32>) -> Result<(), RosterFault> {
        let write = |error| RosterFault::Write(file.to_owned(), error);
        let part = file.with_extension("part");
        let json = serde_json::to_vec_pretty(self).expect("a roster becomes JSON");
        let put = || {
            let _ = fs::remove_file(&part);
            let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(&part)?;
            if let Some(gid) = gid.filter(|gid| out.metadata().is_ok_and(|own| own.gid() != *gid)) {
                fchown(&out, None, Some(gid))?;
            }
            io::Write::write_all(&mut out, &json)?;
            out.sync_all()?;
            fs::rename(&part, file)?;
            file.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
        };
        put().map_err(write)
    }

    /// Names of operators.
    pub fn operators(&self) -> impl Iterator<Item = &str> {
        self.operators.iter().map(|entry| entry.name.as_str())
    }

    /// Names of programs.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().map(|entry| entry.name.as_str())
    }

    /// Whether an operator has this name.
    pub fn knows(&self, name: &str) -> bool {
        self.operators().any(|known| known == name)
    }

    /// Whose code this is, and its hash.
    pub fn who(&self, code: &str) -> Option<(&str, &str)> {
        let hash = self.hash(code).ok()?;
        // What is compared are hashes of a salted code: how far they agree tells nothing of use.
        let entry = self.operators.iter().find(|entry| entry.hash == hash)?;
        Some((&entry.name, &entry.hash))
    }

    /// Whether an operator has this name, and a code with this hash.
    pub fn has(&self, name: &str, hash: &str) -> bool {
        self.operators.iter().any(|entry| entry.name == name && entry.hash == hash)
    }

    /// Whose token this is.
    pub fn bearer(&self, token: &str) -> Option<&str> {
        let hash = hex(&Sha256::digest(token));
        self.tokens.iter().find(|entry| entry.hash == hash).map(|entry| entry.name.as_str())
    }

    /// Adds an operator.
    pub fn add(&mut self, name: &str, code: &str) -> Result<(), RosterFault> {
        self.may_add(name)?;
        let printable = code.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
        if !CODE.contains(&code.len()) || !printable {
            return Err(RosterFault::Code);
        }
        let hash = self.hash(code)?;
        if self.operators.iter().any(|entry| entry.hash == hash) {
            return Err(RosterFault::CodeTaken);
        }
        self.operators.push(Entry { name: name.to_owned(), hash });
        Ok(())
    }

    /// Adds a program and returns its token, which is shown once.
    pub fn add_program(&mut self, name: &str) -> Result<String, RosterFault> {
        self.may_add(name)?;
        let token = hex(&random::<32>());
        self.tokens.push(Entry { name: name.to_owned(), hash: hex(&Sha256::digest(&token)) });
        Ok(token)
    }

    /// Removes an operator or a program.
    pub fn remove(&mut self, name: &str) -> Result<(), RosterFault> {
        let before = self.operators.len() + self.tokens.len();
        self.operators.retain(|entry| entry.name != name);
        self.tokens.retain(|entry| entry.name != name);
        let removed = before != self.operators.len() + self.tokens.len();
        if removed { Ok(()) } else { Err(RosterFault::Unknown(name.to_owned())) }
    }

    fn may_add(&mut self, name: &str) -> Result<(), RosterFault> {
        let fine = (1..=MAX_NAME).contains(&name.chars().count())
            && name.trim() == name
            && !name.chars().any(char::is_control);
        if !fine {
            return Err(RosterFault::Name(name.to_owned()));
        }
        if self.operators().chain(self.programs()).any(|known| known == name) {
            return Err(RosterFault::Known(name.to_owned()));
        }
        if self.operators.len() + self.tokens.len() >= MAX_ENTRIES {
            return Err(RosterFault::Full);
        }
        if self.salt.is_empty() {
            (self.version, self.salt) = (VERSION, hex(&random::<16>()));
        }
        Ok(())
    }

    fn hash(&self, code: &str) -> Result<String, RosterFault> {
        let mut out = [0; 32];
        Argon2::default()
            .hash_password_into(code.as_bytes(), self.salt.as_bytes(), &mut out)
            .map_err(RosterFault::Hash)?;
        Ok(hex(&out))
    }
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Fails only where the kernel has no random numbers at all: nothing can be kept safe there.
    getrandom::fill(&mut bytes).expect("random numbers of the kernel");
    bytes
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn names_and_codes_are_checked() {
        let mut roster = Roster::default();
        roster.add("Ada", "1234").unwrap();
        assert!(matches!(roster.add("Ada", "5678"), Err(RosterFault::Known(_))));
        assert!(matches!(roster.add("Ben", "1234"), Err(RosterFault::CodeTaken)));
        assert!(matches!(roster.add("Ben", "12"), Err(RosterFault::Code)));
        assert!(matches!(roster.add("Ben", "12 34"), Err(RosterFault::Code)));
        for name in ["", " Ben", "B\nen", &"x".repeat(65)] {
            assert!(matches!(roster.add(name, "5678"), Err(RosterFault::Name(_))), "{name:?}");
        }
        assert!(matches!(roster.remove("Ben"), Err(RosterFault::Unknown(_))));
        roster.remove("Ada").unwrap();
        assert_eq!(roster.who("1234"), None);
    }

    #[test]
    fn a_token_is_its_programs_and_the_file_holds_no_secret() {
        let mut roster = Roster::default();
        let token = roster.add_program("historian").unwrap();
        roster.add("Ada", "482913").unwrap();
        assert_eq!(roster.bearer(&token), Some("historian"));
        assert_eq!(roster.bearer(&token[1..]), None);
        assert!(!roster.knows("historian"), "a program is no inspector");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("operators.json");
        roster.save(&file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("482913") && !text.contains(&token));
        assert_eq!(Roster::load(&file).unwrap(), roster);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_bad_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("operators.json");
        std::fs::write(&file, r#"{"version":9,"salt":""}"#).unwrap();
        assert!(matches!(Roster::load(&file), Err(RosterFault::Version(9))));
        std::fs::write(&file, r#"{"version":1,"salt":"","who":[]}"#).unwrap();
        assert!(matches!(Roster::load(&file), Err(RosterFault::Syntax(..))));
        std::fs::write(&file, vec![b' '; MAX_FILE as usize + 1]).unwrap();
        assert!(matches!(Roster::load(&file), Err(RosterFault::TooLong(_))));
    }
}
