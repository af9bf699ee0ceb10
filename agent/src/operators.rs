//! Who may say what a coil is: operators with a short code or a badge, and programs with a token.
//!
//! The roster is one file (JSON) that the agent reads and only the machine's owner writes
//! (`coilsight-agent operator`). Codes are short, so what protects them is that they cannot be tried fast
//! ([`crate::web`]) and that the file is not for everybody's eyes; Argon2id makes trying a stolen file slow.

mod codes;
pub mod command;
mod roster;

pub use codes::{fresh_code, is_hard_enough};
pub use roster::{Roster, RosterFault};
pub(crate) use roster::{hex, random};

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// What tells one state of a file from another.
type Stamp = Option<(SystemTime, u64)>;

/// The operators, as the roster's file has them now; without a file of whom to ask, everybody counts.
#[derive(Debug, Default)]
pub struct Operators {
    file: Option<PathBuf>,
    read: Mutex<Read>,
}

/// Somebody who showed a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The operator.
    pub name: String,
    /// The code's hash: with another code the operator is somebody else.
    pub hash: String,
}

#[derive(Debug, Default)]
struct Read {
    stamp: Option<Stamp>,
    roster: Roster,
    fault: Option<String>,
}

impl Operators {
    /// Those of a roster's file, which is read again whenever it has changed. No file means no operators.
    pub fn of(file: PathBuf) -> Self {
        Self { file: Some(file), read: Mutex::default() }
    }

    /// Whether words of this name count.
    pub fn knows(&self, name: &str) -> bool {
        self.file.is_none() || self.with(|roster| roster.knows(name))
    }

    /// Whose code this is. Takes tens of milliseconds, on purpose.
    pub fn who(&self, code: &str) -> Option<Known> {
        // Hashing must not hold up whoever asks for a name.
        let roster = self.with(Roster::clone);
        let (name, hash) = roster.who(code)?;
        Some(Known { name: name.to_owned(), hash: hash.to_owned() })
    }

    /// Whether somebody still has the code that he showed.
    pub fn still_has(&self, known: &Known) -> bool {
        self.with(|roster| roster.has(&known.name, &known.hash))
    }

    /// Whose token this is.
    pub fn bearer(&self, token: &str) -> Option<String> {
        self.with(|roster| roster.bearer(token).map(str::to_owned))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.with(|roster| roster.operators().count())
    }

    /// Why the roster cannot be used, if so.
    pub fn fault(&self) -> Option<String> {
        self.with(|_| ());
        self.read.lock().unwrap_or_else(PoisonError::into_inner).fault.clone()
    }

    fn with<T>(&self, ask: impl FnOnce(&Roster) -> T) -> T {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = &self.file else { return ask(&read.roster) };
        let stamp = std::fs::metadata(file).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
        if read.stamp != Some(stamp) {
            read.again(file, stamp);
        }
        ask(&read.roster)
    }
}

impl Read {
    fn again(&mut self, file: &Path, stamp: Stamp) {
        let fault = match Roster::load(file) {
            Ok(roster) => {
                (self.roster, self.stamp, self.fault) = (roster, Some(stamp), None);
                return;
            }
            Err(fault) => fault,
        };
        // What could not be read may be read the next moment with nothing changed but its rights: it is asked for again,
        // and until then those count who did. One that is read and no roster knows nobody: nothing gets in that should
        // not.
        if matches!(fault, RosterFault::Read(..)) {
            self.stamp = None;
        } else {
            (self.roster, self.stamp) = (Roster::default(), Some(stamp));
        }
        let fault = crate::say::chain(&fault);
        if self.fault.as_ref() != Some(&fault) {
            tracing::warn!(fault, "the roster of operators is not as it should be");
        }
        self.fault = Some(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("operators.json");
        let operators = Operators::of(file.clone());
        assert!(!operators.knows("Ada"), "no file, no operators");
        assert_eq!(operators.fault(), None, "having none yet is no fault");
        let mut roster = Roster::default();
        roster.add("Ada", "482913").unwrap();
        roster.save(&file).unwrap();
        assert!(operators.knows("Ada"));
        let ada = operators.who("482913").unwrap();
        assert_eq!((ada.name.as_str(), operators.still_has(&ada)), ("Ada", true));
        assert_eq!(operators.who("482914"), None);
        roster.remove("Ada").unwrap();
        roster.add("Ada", "482915").unwrap();
        roster.save(&file).unwrap();
        assert!(operators.knows("Ada") && !operators.still_has(&ada), "the code is another");
        std::fs::write(&file, "{").unwrap();
        assert!(!operators.knows("Ada"));
        assert!(operators.fault().is_some());
    }

    /// Rights change neither a file's time nor its length. A folder in its place cannot be read by anybody, root included.
    #[test]
    fn a_roster_that_cannot_be_read_for_a_moment_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("operators.json");
        let mut roster = Roster::default();
        roster.add("Ada", "482913").unwrap();
        roster.save(&file).unwrap();
        let operators = Operators::of(file.clone());
        assert!(operators.knows("Ada"));
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(operators.knows("Ada"), "who counted counts on");
        assert!(operators.fault().is_some());
        // The same state of the file as when it could not be read.
        let unreadable = std::fs::metadata(&file).unwrap();
        std::fs::remove_dir(&file).unwrap();
        roster.add("Ben", "482914").unwrap();
        roster.save(&file).unwrap();
        let stamp = Some((unreadable.modified().unwrap(), unreadable.len()));
        assert_ne!(operators.read.lock().unwrap().stamp, Some(stamp), "it is not taken for read");
        assert!(operators.knows("Ben"));
        assert_eq!(operators.fault(), None);
    }

    #[test]
    fn without_a_file_to_ask_everybody_counts_and_nobody_has_a_code() {
        let operators = Operators::default();
        assert!(operators.knows("anybody"));
        assert_eq!(operators.who("000000"), None);
        assert_eq!(operators.bearer("x"), None);
    }
}
