//! The archive's calls: limits are checked here, the work is done in `store`.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::{Error, Result};
use super::lookup::{decision, feedback};
use super::record::{MAX_JSON, Record, check_key, check_size};
use super::segments::SegmentId;
use super::store::{State, Store};
use super::views::{ViewsAt, key};
use super::walk::{self, DecisionWalk, FeedbackWalk, Followed, Mark};
use super::{
    Decided, Decision, Disk, Feedback, FeedbackStored, Limits, MAX_ROWS, Matrix, NewDecision, Recovery,
    Stats, Waiting, recover,
};

const LOCK: &str = "lock";

/// The archive. Share it in an `Arc`.
pub struct Archive {
    store: Mutex<Store>,
    /// Given back at the orderly stop, or with the archive.
    lock: Mutex<Option<Box<dyn Send + Sync>>>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").finish_non_exhaustive()
    }
}

impl Archive {
    /// Opens the archive on `disk`, recovering what an abrupt stop left; the views live in `views_dir`, a
    /// folder of their own.
    pub fn open(
        disk: Arc<dyn Disk>,
        views_dir: impl Into<PathBuf>,
        limits: Limits,
    ) -> Result<(Self, Recovery)> {
        let views = ViewsAt::Folder(views_dir.into(), limits.views_cache);
        Self::open_with(disk, views, limits)
    }

    /// The same with views in memory, which every start builds from the log.
    pub fn open_without_views_folder(disk: Arc<dyn Disk>, limits: Limits) -> Result<(Self, Recovery)> {
        Self::open_with(disk, ViewsAt::Memory, limits)
    }

    fn open_with(disk: Arc<dyn Disk>, views: ViewsAt, limits: Limits) -> Result<(Self, Recovery)> {
        let lock = disk.lock(LOCK).map_err(|source| {
            if source.kind() == io::ErrorKind::WouldBlock {
                Error::Locked { file: LOCK.into() }
            } else {
                Error::Io { file: LOCK.into(), doing: "locking", source }
            }
        })?;
        let (store, recovery) = recover::open(disk, views, limits)?;
        Ok((Self { store: Mutex::new(store), lock: Mutex::new(Some(lock)) }, recovery))
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(|poisoned| {
            // Whoever held it panicked half-way: the disk is right, what is in memory may not be.
            let mut store = poisoned.into_inner();
            if store.state == State::Accepting {
                store.state = State::Stopped("a call panicked".into());
            }
            store
        })
    }

    fn call<T>(&self, work: impl FnOnce(&mut Store) -> Result<T>) -> Result<T> {
        let mut store = self.store();
        let done = work(&mut store);
        store.heed(done)
    }

    /// Lets a test tamper with the views.
    #[cfg(test)]
    pub(super) fn with_views(&self, tamper: impl FnOnce(&mut super::views::Views)) {
        tamper(self.store().views.as_mut().expect("open views"));
    }

    /// Begins a coil's segment.
    pub fn begin(&self) -> Result<SegmentId> {
        self.call(|store| {
            store.accepting()?;
            store.segments.begin()
        })
    }

    /// Appends rows to a segment. Not durable, and not to be acknowledged, before [`Archive::sync`].
    pub fn append(&self, segment: SegmentId, rows: &[u8]) -> Result<()> {
        check_size("a message's rows", rows.len(), MAX_ROWS)?;
        self.call(|store| store.append(segment, rows))
    }

    /// Makes all that was appended so far durable.
    pub fn sync(&self) -> Result<()> {
        self.call(|store| {
            store.accepting()?;
            store.segments.sync()
        })
    }

    /// Gives up a segment whose coil gets no decision; durable when it returns.
    pub fn discard(&self, segment: SegmentId) -> Result<()> {
        self.call(|store| {
            store.accepting()?;
            store.segments.remove(segment)?;
            store.segments.sync()
        })
    }

    /// Stores a pass's decision unless it has one; durable when it returns.
    pub fn decide(&self, new: NewDecision<'_>) -> Result<Decided> {
        check_key("the decision id", new.decision_id)?;
        check_key("the coil id", new.coil_id)?;
        check_key("the pass key", new.pass_key)?;
        check_size("the decision", new.json.len(), MAX_JSON)?;
        check_size("the matrix", new.matrix.map_or(0, <[u8]>::len), MAX_ROWS)?;
        self.call(|store| store.decide(&new))
    }

    /// A pass's decision, if it has one.
    pub fn pass(&self, pass_key: &str) -> Result<Option<Decision>> {
        self.call(|store| store.pass(pass_key))
    }

    /// The keys of a coil's passes that have their decision, oldest first.
    pub fn passes_of(&self, coil_id: &str) -> Result<Vec<String>> {
        self.call(|store| {
            store.records_under(&key::coil(coil_id), usize::MAX, |record| {
                let (decision, _) = decision(record)?;
                (decision.coil_id == coil_id).then_some(decision.pass_key)
            })
        })
    }

    /// A decision by its id.
    pub fn decision(&self, decision_id: &str) -> Result<Option<Decision>> {
        self.call(|store| Ok(store.find_decision(decision_id)?.map(|(_, decision)| decision)))
    }

    /// A decision's matrix, or why there is none; [`Error::UnknownDecision`] for an id that is not here.
    pub fn matrix(&self, decision_id: &str) -> Result<Matrix> {
        self.call(|store| store.matrix(decision_id))
    }

    /// Stores feedback unless its key is known; durable when it returns. What is `about` a decision waits in
    /// the outbox.
    pub fn feedback(&self, key: &str, about: Option<&str>, json: &[u8]) -> Result<FeedbackStored> {
        check_key("the feedback's key", key)?;
        about.map_or(Ok(()), |id| check_key("the decision id", id))?;
        check_size("the feedback", json.len(), MAX_JSON)?;
        self.call(|store| store.feedback(key, about.unwrap_or_default(), json))
    }

    /// A piece of feedback by its key.
    pub fn word(&self, key: &str) -> Result<Option<Feedback>> {
        self.call(|store| Ok(store.find_feedback(key)?.map(|(_, feedback)| feedback)))
    }

    /// Feedback that is about a decision, in the order in which it came.
    pub fn feedback_on(&self, decision_id: &str) -> Result<Vec<Feedback>> {
        self.call(|store| {
            store.records_under(&key::words(decision_id), usize::MAX, |record| {
                feedback(record).filter(|f| f.about.as_deref() == Some(decision_id))
            })
        })
    }

    /// Notes that decisions (by id) or words on them (by key) were taken by whom they were meant for; durable
    /// when it returns, once is enough.
    pub fn receipts(&self, ids: &[&str]) -> Result<()> {
        self.call(|store| store.receipts(ids))
    }

    /// The first `limit` decisions and words on them that have no receipt, oldest first.
    pub fn outbox(&self, limit: usize) -> Result<Vec<Waiting>> {
        self.call(|store| {
            store.records_under(key::OUTBOX, limit, |record| match record {
                Record::Decision { .. } => decision(record).map(|(decision, _)| Waiting::Decision(decision)),
                record => feedback(record).map(Waiting::Feedback),
            })
        })
    }

    /// How many wait in the outbox, counted up to `limit`.
    pub fn outbox_len(&self, limit: usize) -> Result<usize> {
        self.call(|store| store.view(|views| Ok(views.under(key::OUTBOX, limit)?.len())))
    }

    /// Shows that the disk takes and keeps bytes: a small write, synced.
    pub fn heartbeat(&self) -> Result<()> {
        self.call(Store::heartbeat)
    }

    /// All decisions, oldest first, read from the log as one goes.
    pub fn decisions(&self) -> DecisionWalk {
        let store = self.store();
        DecisionWalk::new(store.log.files(), store.gaps.clone())
    }

    /// All feedback, oldest first, read from the log as one goes.
    pub fn feedbacks(&self) -> FeedbackWalk {
        let store = self.store();
        FeedbackWalk::new(store.log.files(), store.gaps.clone())
    }

    /// Decisions and feedback that were stored after `mark`, in the log's order, at most about `bytes` of them at a
    /// time; `mark` moves behind them. Nothing is returned once all was read. What cannot be read is passed over:
    /// the archive tells of it elsewhere.
    pub fn follow(&self, mark: &mut Mark, bytes: u64) -> Result<Vec<Followed>> {
        Ok(self.follow_marked(mark, bytes)?.into_iter().map(|(one, _)| one).collect())
    }

    /// The same, each with the place behind it: somebody who takes only the first of them goes on there.
    pub fn follow_marked(&self, mark: &mut Mark, bytes: u64) -> Result<Vec<(Followed, Mark)>> {
        let files = self.store().log.files();
        walk::follow(&files, mark, bytes)
    }

    /// Where the log ends.
    pub fn end(&self) -> Mark {
        let files = self.store().log.files();
        files.last().map_or(Mark::default(), |file| Mark { file: file.number, offset: file.len })
    }

    /// Room taken and what is stored.
    pub fn stats(&self) -> Stats {
        self.store().stats()
    }

    /// The orderly stop: the next start finds the views as they are now. Without it nothing is lost, but the
    /// next start reads the whole log. Every call after it is refused.
    pub fn close(&self) -> Result<()> {
        self.call(recover::close)?;
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}
