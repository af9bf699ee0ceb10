//! The archive: what must outlive a power cut. Nothing acknowledged is lost, nothing is decided twice.
//!
//! | on disk | holds | kept |
//! |---|---|---|
//! | `log/` | decisions, feedback, receipts: the truth | for ever |
//! | `coils/` | matrices of decided coils | until retention needs the room, oldest first |
//! | `open/` | rows of coils that are not decided yet | until their decision is durable |
//! | views' folder | sled, finding things in the log | built again from the log whenever in doubt |
//! | `clean` | what an orderly stop left | removed at start |
//! | `reserve` | room given up when the disk is full and a decision must be stored | refilled when there is room |
//!
//! Keys are texts of at most [`MAX_KEY`] bytes, payloads are bytes; what they mean is the caller's business.
//! All calls block, some until the disk has synced; one lock orders them.

mod calls;
mod coils;
mod disk;
mod error;
mod frame;
mod ledger;
mod log;
mod lookup;
mod marker;
mod record;
mod recover;
mod reserve;
mod segments;
#[cfg(test)]
pub(crate) mod sim;
mod store;
#[cfg(test)]
mod tests;
mod views;
mod walk;

pub use calls::Archive;
pub(crate) use disk::is_full;
pub use disk::{Disk, DiskFile, RealDisk};
pub use error::{Error, Result};
pub use ledger::{Entries, Ledger};
pub use log::{Gap, GapKind};
pub use marker::Counts;
pub use record::{MAX_JSON, MAX_KEY};
pub use segments::{OpenSegment, SegmentId};
pub use walk::{DecisionWalk, FeedbackWalk, Followed, Mark};

/// No row payload and no matrix is longer, in bytes.
pub const MAX_ROWS: usize = frame::MAX_PAYLOAD;

/// How much room the archive may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Disk use, all files together, bytes.
    pub cap: u64,
    /// The last part of `cap`, kept for decisions, receipts and feedback, bytes.
    pub reserve: u64,
    /// Size of the file given up when the disk itself is full, bytes.
    pub reserve_file: u64,
    /// A log file is not extended beyond this, bytes.
    pub log_file: u64,
    /// A file of matrices is not extended beyond this, bytes.
    pub coils_file: u64,
    /// Memory that sled may use as cache, bytes.
    pub views_cache: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cap: 8 << 30,
            reserve: 256 << 20,
            reserve_file: 1 << 20,
            log_file: 64 << 20,
            coils_file: 16 << 20,
            views_cache: 16 << 20,
        }
    }
}

/// A decision to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewDecision<'a> {
    /// Its id, its own.
    pub decision_id: &'a str,
    /// The coil.
    pub coil_id: &'a str,
    /// The pass: gets one decision, ever.
    pub pass_key: &'a str,
    /// The segment that holds its rows; dropped once the decision is durable, also if it was known before.
    pub segment: Option<SegmentId>,
    /// The decision itself.
    pub json: &'a [u8],
    /// Its matrix; not stored if there is no room for it, which [`Archive::matrix`] then says.
    pub matrix: Option<&'a [u8]>,
}

/// What [`Archive::decide`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// The decision is durable.
    Recorded,
    /// The pass had a decision, and keeps it.
    Known {
        /// Its id.
        decision_id: String,
        /// The decision itself.
        json: Vec<u8>,
    },
}

/// A decision as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its id.
    pub decision_id: String,
    /// The coil.
    pub coil_id: String,
    /// The pass.
    pub pass_key: String,
    /// The decision itself.
    pub json: Vec<u8>,
}

/// A decision's matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matrix {
    /// Here it is.
    Kept(Vec<u8>),
    /// Retention has dropped it to make room.
    Dropped,
    /// There was no room for it when the decision was made.
    NoRoom,
    /// The decision came without one.
    Absent,
}

/// Feedback as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// Tells it from every other feedback.
    pub key: String,
    /// The decision it is about, if one is known.
    pub about: Option<String>,
    /// The feedback itself.
    pub json: Vec<u8>,
}

/// Something that waits for its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// A decision.
    Decision(Decision),
    /// A word on a decision.
    Feedback(Feedback),
}

impl Waiting {
    /// What its receipt names: the decision's id or the feedback's key.
    pub fn id(&self) -> &str {
        match self {
            Self::Decision(decision) => &decision.decision_id,
            Self::Feedback(feedback) => &feedback.key,
        }
    }
}

/// What [`Archive::feedback`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedbackStored {
    /// It is durable.
    Recorded,
    /// The key was known; the first stands.
    Known,
}

/// What was found at start.
#[derive(Debug)]
pub struct Recovery {
    /// Coils that await their decision.
    pub open: Vec<OpenSegment>,
    /// What became of the views.
    pub views: ViewsFound,
    /// Bytes of the log's half-written end that were cut off: never acknowledged.
    pub torn_bytes: u64,
    /// Parts of the log that cannot be read: tell somebody.
    pub gaps: Vec<Gap>,
    /// Segments removed because the log has their decision.
    pub decided_segments: usize,
    /// What the log holds.
    pub counts: Counts,
}

/// What became of the views at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewsFound {
    /// They are what an orderly stop left.
    Trusted,
    /// They were built from the log.
    Rebuilt {
        /// Why.
        why: String,
    },
}

/// Room taken, bytes, and what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// The log.
    pub log: u64,
    /// Matrices.
    pub coils: u64,
    /// Rows of open coils.
    pub open: u64,
    /// The views' folder.
    pub views: u64,
    /// The reserve file; 0 while it is given up.
    pub reserve_file: u64,
    /// All of these.
    pub used: u64,
    /// The configured cap.
    pub cap: u64,
    /// Part of the cap kept for decisions, receipts and feedback.
    pub reserve: u64,
    /// What the log holds.
    pub counts: Counts,
    /// Parts of the log that cannot be read.
    pub gaps: usize,
    /// Matrices not stored for want of room, since start.
    pub matrices_refused: u64,
    /// Files of matrices dropped by retention, since start.
    pub files_dropped: u64,
    /// Whether the views are in memory because the disk did not take them.
    pub views_in_memory: bool,
    /// Why nothing more is accepted, if so.
    pub stopped: Option<String>,
}
