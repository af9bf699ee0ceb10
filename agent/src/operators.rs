//! Who may say what a coil is: operators with a short code or a badge, and programs with a token.
//!
//! The roster is one file (JSON) that the agent reads and only the machine's owner writes
//! (`coilsight-agent operator`). Codes are short, so what protects them is that they cannot be tried fast
//! ([`crate::web`]) and that the file is not for everybody's eyes; Argon2id makes trying a stolen file slow.

pub mod command;
mod roster;

pub use roster::{Roster, RosterFault, fresh_code};
pub(crate) use roster::{hex, random};

use std::path::PathBuf;
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
    pub fn who(&self, code: &str) -> Option<String> {
        // Hashing must not hold up whoever asks for a name.
        let roster = self.with(Roster::clone);
        roster.who(code).map(str::to_owned)
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
            // A roster that cannot be read knows nobody: nothing gets in that should not.
            (read.roster, read.fault) = match Roster::load(file) {
                Ok(roster) => (roster, None),
                Err(fault) => (Roster::default(), Some(crate::say::chain(&fault))),
            };
            if let Some(fault) = &read.fault {
                tracing::warn!(fault, "nobody can say what a coil is");
            }
            read.stamp = Some(stamp);
        }
        ask(&read.roster)
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
        assert_eq!(operators.who("482913").as_deref(), Some("Ada"));
        assert_eq!(operators.who("482914"), None);
        std::fs::write(&file, "{").unwrap();
        assert!(!operators.knows("Ada"));
        assert!(operators.fault().is_some());
    }

    #[test]
    fn without_a_file_to_ask_everybody_counts_and_nobody_has_a_code() {
        let operators = Operators::default();
        assert!(operators.knows("anybody"));
        assert_eq!(operators.who("000000"), None);
        assert_eq!(operators.bearer("x"), None);
    }
}
