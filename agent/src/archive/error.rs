//! What can go wrong in the archive, and what to do about it.

use std::io;

/// Why the archive did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the archive.
    #[error(
        "the archive's lock ({file}) is held by another process: only one agent may use an archive; stop the other"
    )]
    Locked {
        /// The lock file.
        file: String,
    },
    /// The folder holds something else, or a later version's archive.
    #[error(
        "the archive's FORMAT file says {found:?} where \"{known}\" was expected: use the agent version that wrote it, or another folder"
    )]
    Format {
        /// What the file says; empty if it is missing beside a log.
        found: String,
        /// What this version writes.
        known: &'static str,
    },
    /// The disk refused something that leaves what is stored as it was.
    #[error("{doing} {file} failed: see to the disk, then start the agent again")]
    Io {
        /// The file or folder.
        file: String,
        /// What was being done.
        doing: &'static str,
        /// The disk's word.
        #[source]
        source: io::Error,
    },
    /// A write or sync failed, so nobody knows what the disk holds.
    #[error(
        "{doing} {file} failed, so what was just written cannot be trusted: nothing more is accepted until the agent has been restarted and has read the disk again; check the disk"
    )]
    Unsure {
        /// The file or folder.
        file: String,
        /// What was being done.
        doing: &'static str,
        /// The disk's word.
        #[source]
        source: io::Error,
    },
    /// An earlier [`Error::Unsure`] has stopped the archive.
    #[error("the archive stopped accepting because {cause}; restart the agent")]
    Stopped {
        /// The first failure.
        cause: String,
    },
    /// The archive was closed.
    #[error("the archive is closed: nothing may be stored after an orderly stop")]
    Closed,
    /// The configured share of the disk is used up.
    #[error(
        "the archive uses {used} of {cap} bytes and keeps the last {reserve} for decisions: raise the cap, or see why coils stay open"
    )]
    Full {
        /// Bytes in use.
        used: u64,
        /// Configured cap, bytes.
        cap: u64,
        /// Part of the cap kept for decisions, receipts and feedback, bytes.
        reserve: u64,
    },
    /// The disk itself has no room.
    #[error("no room on the disk for {file}: free space there, or lower the archive's cap")]
    DiskFull {
        /// The file.
        file: String,
        /// The disk's word.
        #[source]
        source: io::Error,
    },
    /// Bytes that were stored cannot be read back as they were.
    #[error(
        "{file} is damaged at byte {offset}: what was stored there cannot be read; check the disk and restore the file from a copy if there is one"
    )]
    Damaged {
        /// The file.
        file: String,
        /// Where the record should begin.
        offset: u64,
    },
    /// Something to store is too long.
    #[error("{what} of {bytes} bytes is over the limit of {limit}: set it aside")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// An id or key is empty.
    #[error("{what} is empty: give one")]
    NoKey {
        /// Which.
        what: &'static str,
    },
    /// The segment is not open.
    #[error("open coil segment {id} is not there: it was decided or discarded; begin another")]
    UnknownSegment {
        /// Its number.
        id: u64,
    },
    /// No such decision.
    #[error("decision {decision_id:?} is not in the log: receipts are for decisions made here")]
    UnknownDecision {
        /// The id asked for.
        decision_id: String,
    },
    /// Two passes want the same decision id.
    #[error("decision id {decision_id:?} belongs to pass {pass_key:?}: every pass needs an id of its own")]
    DecisionIdTaken {
        /// The id.
        decision_id: String,
        /// The pass that has it.
        pass_key: String,
    },
    /// The views contradict the log even after they were built again.
    #[error(
        "the views do not agree with the log ({why}): restart the agent; if it stays so, check memory and disk"
    )]
    Views {
        /// How.
        why: String,
    },
}

/// What the archive's calls return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// For `map_err` where what is stored stays as it was.
    pub(super) fn io(doing: &'static str, file: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        move |source| Self::Io { file, doing, source }
    }

    /// For `map_err` where what is stored is unknown from here on.
    pub(super) fn unsure(doing: &'static str, file: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        move |source| Self::Unsure { file, doing, source }
    }

    /// Whether there is no room, which passes by itself or by a person's hand; nothing was stored or lost.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::DiskFull { .. })
    }

    /// Whether nothing more may be accepted.
    pub(super) fn is_fatal(&self) -> bool {
        matches!(self, Self::Unsure { .. })
    }
}
