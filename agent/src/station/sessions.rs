//! Which sessions the broker should know: one that it has forgotten is a gap in the record.

use crate::broker::Role;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What is remembered, in a small file that is replaced as a whole.
#[derive(Debug)]
pub struct Sessions {
    file: PathBuf,
    /// `host:port/client_id`.
    name: String,
    kept: Kept,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Sessions that were begun.
    begun: BTreeSet<String>,
    /// Gaps that nobody has been told of.
    gaps: Vec<Gap>,
}

/// The broker had forgotten a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Which session.
    pub role: Role,
    /// When it was noticed, by this machine's clock.
    pub noticed: Option<Timestamp>,
}

/// Why it cannot be remembered.
#[derive(Debug, thiserror::Error)]
#[error("{file} cannot be written: see to the disk and the folder's owner")]
pub struct SessionsFault {
    /// Which file.
    pub file: PathBuf,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

/// The file is not longer, bytes.
const MAX_FILE: u64 = 64 << 10;
/// No more gaps are kept.
const MAX_GAPS: usize = 16;

impl Sessions {
    /// Reads what an earlier run left in `file`; what cannot be read is as if there had been nothing.
    pub fn open(file: impl Into<PathBuf>, broker: &str, client_id: &str) -> Self {
        let file = file.into();
        let kept = read(&file).unwrap_or_else(|error| {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(file = %file.display(), %error, "what the broker should know is not known");
            }
            Kept::default()
        });
        Self { file, name: format!("{broker}/{client_id}"), kept }
    }

    /// Notes that a session is there; says whether it was there before.
    pub fn begin(&mut self, role: Role) -> Result<bool, SessionsFault> {
        let name = format!("{}/{role:?}", self.name);
        if !self.kept.begun.insert(name) {
            return Ok(true);
        }
        self.write().map(|()| false)
    }

    /// Notes a gap.
    pub fn gap(&mut self, role: Role, noticed: Option<Timestamp>) -> Result<(), SessionsFault> {
        if self.kept.gaps.len() < MAX_GAPS {
            self.kept.gaps.push(Gap { role, noticed });
        }
        self.write()
    }

    /// Gaps that nobody has been told of.
    pub fn unreported(&self) -> &[Gap] {
        &self.kept.gaps
    }

    /// Somebody has been told.
    pub fn reported(&mut self, role: Role) {
        self.kept.gaps.retain(|gap| gap.role != role);
        if let Err(fault) = self.write() {
            tracing::warn!(error = &fault as &dyn std::error::Error, "a gap may be told twice");
        }
    }

    fn write(&self) -> Result<(), SessionsFault> {
        replace(&self.file, &self.kept).map_err(|source| SessionsFault { file: self.file.clone(), source })
    }
}

fn read(file: &Path) -> std::io::Result<Kept> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

fn replace(file: &Path, kept: &Kept) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(&serde_json::to_vec(kept)?)?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_and_what_was_not_told_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let open = |client| Sessions::open(folder.path().join("sessions"), "broker:1883", client);
        let mut sessions = open("a");
        assert!(!sessions.begin(Role::Line).unwrap());
        assert!(sessions.begin(Role::Line).unwrap());
        sessions.gap(Role::Line, None).unwrap();
        let mut sessions = open("a");
        assert!(sessions.begin(Role::Line).unwrap());
        assert!(!sessions.begin(Role::Words).unwrap());
        assert_eq!(sessions.unreported(), [Gap { role: Role::Line, noticed: None }]);
        sessions.reported(Role::Line);
        assert_eq!(open("a").unreported(), []);
        assert!(!open("b").begin(Role::Line).unwrap(), "another client is another session");
    }

    #[test]
    fn a_damaged_file_is_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sessions");
        std::fs::write(&file, b"{\"begun\":").unwrap();
        assert!(!Sessions::open(&file, "b", "c").begin(Role::Line).unwrap());
    }
}
