//! The archive behind its lock: what the calls do, in which order things become durable.

use std::sync::Arc;

use super::coils::Coils;
use super::disk::{Disk, DiskFile};
use super::error::{Error, Result};
use super::log::{Gap, Location, Log};
use super::marker::Counts;
use super::record::{Ids, MatrixNote, Record};
use super::reserve::ReserveFile;
use super::segments::{SegmentId, Segments};
use super::views::{Views, ViewsAt, key};
use super::{Decided, Decision, FeedbackStored, Limits, NewDecision, Stats};

/// Whether the archive accepts anything.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    Accepting,
    Stopped(String),
    Closed,
}

#[derive(Debug)]
pub(super) struct Store {
    pub disk: Arc<dyn Disk>,
    pub limits: Limits,
    pub log: Log,
    pub coils: Coils,
    pub segments: Segments,
    pub reserve: ReserveFile,
    /// `None` once closed.
    pub views: Option<Views>,
    pub views_at: ViewsAt,
    pub views_bytes: u64,
    pub counts: Counts,
    pub gaps: Vec<Gap>,
    /// View entries that lead into gaps: what the log itself can no longer tell.
    pub witnessed: Vec<(Vec<u8>, Location)>,
    pub matrices_refused: u64,
    pub files_dropped: u64,
    /// The file that heartbeats go to, once there was one.
    pub alive: Option<Arc<dyn DiskFile>>,
    pub beats: u64,
    pub state: State,
}

/// What heartbeats are written to.
const ALIVE: &str = "alive";

impl Store {
    pub fn accepting(&self) -> Result<()> {
        match &self.state {
            State::Accepting => Ok(()),
            State::Stopped(cause) => Err(Error::Stopped { cause: cause.clone() }),
            State::Closed => Err(Error::Closed),
        }
    }

    /// Stops accepting if an error says that what is on disk is unknown.
    pub fn heed<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && error.is_fatal()
            && self.state == State::Accepting
        {
            self.state = State::Stopped(with_sources(error));
        }
        result
    }

    pub fn used(&self) -> u64 {
        self.log.bytes()
            + self.coils.bytes()
            + self.segments.bytes()
            + self.reserve.bytes()
            + self.views_bytes
    }

    fn full(&self) -> Error {
        Error::Full { used: self.used(), cap: self.limits.cap, reserve: self.limits.reserve }
    }

    /// Drops old matrices until `bytes` more stay outside the reserve; whether they do.
    fn make_room(&mut self, bytes: u64) -> Result<bool> {
        while self.used() + bytes > self.limits.cap.saturating_sub(self.limits.reserve) {
            if !self.drop_oldest()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn drop_oldest(&mut self) -> Result<bool> {
        let dropped = self.coils.drop_oldest()?;
        if let Some(bytes) = dropped {
            self.files_dropped += 1;
            tracing::info!(bytes, "retention dropped the oldest file of matrices");
        }
        Ok(dropped.is_some())
    }

    pub fn append(&mut self, id: SegmentId, rows: &[u8]) -> Result<()> {
        self.accepting()?;
        self.segments.check(id)?;
        if !self.make_room(rows.len() as u64)? {
            return Err(self.full());
        }
        match self.segments.append(id, rows) {
            Err(Error::DiskFull { .. }) if self.drop_oldest()? => self.segments.append(id, rows),
            done => done,
        }
    }

    pub fn decide(&mut self, new: &NewDecision<'_>) -> Result<Decided> {
        self.accepting()?;
        if let Some(Decision { decision_id, json, .. }) = self.pass(new.pass_key)? {
            self.drop_segment(new.segment);
            return Ok(Decided::Known { decision_id, json });
        }
        if let Some((_, taken)) = self.find_decision(new.decision_id)? {
            let pass_key = taken.pass_key;
            return Err(Error::DecisionIdTaken { decision_id: taken.decision_id, pass_key });
        }
        new.segment.map_or(Ok(()), |id| self.segments.check(id))?;
        // The matrix first: no decision ever names one that is not durable.
        let matrix = new.matrix.map_or(Ok(MatrixNote::Absent), |matrix| self.store_matrix(matrix))?;
        let at = self.append_log(&Record::Decision {
            decision_id: new.decision_id,
            coil_id: new.coil_id,
            pass_key: new.pass_key,
            segment: new.segment.map_or(0, |id| id.0.into()),
            matrix,
            json: new.json,
        })?;
        // It is durable: whatever happens below, the answer is yes.
        self.counts.decisions += 1;
        let place = key::place(at);
        self.record_view(|views| {
            views.put(key::pass(new.pass_key), place.clone())?;
            views.put(key::decision(new.decision_id), place.clone())?;
            views.put(key::at(&key::coil(new.coil_id), at), Vec::new())?;
            views.put(key::at(key::OUTBOX, at), Vec::new())
        });
        self.drop_segment(new.segment);
        self.refill_reserve();
        Ok(Decided::Recorded)
    }

    /// A matrix that finds no room is given up: its decision must not wait for it.
    fn store_matrix(&mut self, matrix: &[u8]) -> Result<MatrixNote> {
        // Within the reserve if need be: the rows it was made of are about to go.
        let stored = match self.make_room(matrix.len() as u64) {
            Ok(true) => self.coils.append(matrix),
            Ok(false) if self.used() + matrix.len() as u64 <= self.limits.cap => self.coils.append(matrix),
            Ok(false) => Err(self.full()),
            Err(error) => Err(error),
        };
        let stored = match stored {
            Err(Error::DiskFull { .. }) if self.drop_oldest()? => self.coils.append(matrix),
            stored => stored,
        };
        match stored {
            Ok(at) => Ok(MatrixNote::At(at)),
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                self.matrices_refused += 1;
                tracing::warn!(error = %with_sources(&error), "a decision is stored without its matrix");
                Ok(MatrixNote::NoRoom)
            }
        }
    }

    /// Appends to the log. If the disk is full, room is made from the reserve, then from old matrices.
    fn append_log(&mut self, record: &Record<'_>) -> Result<Location> {
        let (kind, payload) = record.encode();
        loop {
            match self.log.append(kind, &payload) {
                Err(Error::DiskFull { .. }) if self.reserve.give_up()? => {
                    tracing::warn!("the disk is full: the archive's reserve is given up");
                }
                Err(Error::DiskFull { .. }) if self.drop_oldest()? => {}
                done => return done,
            }
        }
    }

    pub fn refill_reserve(&mut self) {
        if let Err(error) = self.reserve.fill() {
            tracing::warn!(error = %with_sources(&error), "the archive's reserve cannot be filled again");
        }
    }

    /// Rows of a decided pass. If their file cannot be removed now, the next start does it.
    fn drop_segment(&mut self, segment: Option<SegmentId>) {
        if let Some(id) = segment.filter(|id| self.segments.check(*id).is_ok())
            && let Err(error) = self.segments.remove(id)
        {
            tracing::warn!(error = %with_sources(&error), "the rows of a decided coil stay for now");
            self.segments.forget(id);
        }
    }

    pub fn feedback(&mut self, feedback_key: &str, about: &str, json: &[u8]) -> Result<FeedbackStored> {
        self.accepting()?;
        if self.find_feedback(feedback_key)?.is_some() {
            return Ok(FeedbackStored::Known);
        }
        let bytes = json.len() as u64;
        if self.used() + bytes > self.limits.cap
            && !self.make_room(bytes)?
            && self.used() + bytes > self.limits.cap
        {
            return Err(self.full());
        }
        let at = self.append_log(&Record::Feedback { key: feedback_key, about, json })?;
        self.counts.feedback += 1;
        self.record_view(|views| {
            views.put(key::feedback(feedback_key), key::place(at))?;
            if about.is_empty() {
                return Ok(());
            }
            views.put(key::at(&key::words(about), at), Vec::new())?;
            views.put(key::at(key::OUTBOX, at), Vec::new())
        });
        Ok(FeedbackStored::Recorded)
    }

    pub fn receipts(&mut self, ids: &[&str]) -> Result<()> {
        self.accepting()?;
        let mut taken = Vec::new();
        for id in ids {
            let decision = self.find_decision(id)?.map(|(at, _)| at);
            let feedback = self.find_feedback(id)?.map(|(at, _)| at);
            if decision.is_none() && feedback.is_none() {
                return Err(Error::UnknownDecision { decision_id: (*id).to_owned() });
            }
            for at in decision.into_iter().chain(feedback) {
                let waiting = key::at(key::OUTBOX, at);
                if self.view(|views| views.get(&waiting))?.is_some() {
                    taken.push((*id, waiting));
                }
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        let ids = Ids::encode(taken.iter().map(|(id, _)| *id));
        self.append_log(&Record::Receipts { ids: Ids::over(&ids) })?;
        self.counts.receipts += taken.len() as u64;
        self.record_view(|views| taken.iter().try_for_each(|(_, waiting)| views.remove(waiting)));
        Ok(())
    }

    /// Shows that the disk takes and keeps bytes.
    pub fn heartbeat(&mut self) -> Result<()> {
        self.accepting()?;
        if self.alive.is_none() {
            let names = self.disk.list("").map_err(Error::io("listing", "the archive's folder"))?;
            let known = names.iter().any(|name| name == ALIVE);
            self.alive = Some(if known {
                self.disk.open(ALIVE).map_err(Error::io("opening", ALIVE))?
            } else {
                super::log::create(self.disk.as_ref(), ALIVE)?
            });
        }
        self.beats += 1;
        let Some(file) = &self.alive else { return Ok(()) };
        super::log::overwrite(file.as_ref(), ALIVE, &self.beats.to_le_bytes())
    }

    pub fn stats(&self) -> Stats {
        Stats {
            log: self.log.bytes(),
            coils: self.coils.bytes(),
            open: self.segments.bytes(),
            views: self.views_bytes,
            reserve_file: self.reserve.bytes(),
            used: self.used(),
            cap: self.limits.cap,
            reserve: self.limits.reserve,
            counts: self.counts,
            gaps: self.gaps.len(),
            matrices_refused: self.matrices_refused,
            files_dropped: self.files_dropped,
            views_in_memory: self.views.as_ref().is_some_and(Views::in_memory),
            stopped: match &self.state {
                State::Stopped(cause) => Some(cause.clone()),
                _ => None,
            },
        }
    }
}

/// An error and what is behind it, in one line.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        source = inner.source();
    }
    line
}
