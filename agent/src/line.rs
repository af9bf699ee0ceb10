//! A coil's way, in six calls: [`ingest`], [`normalise`], [`infer`], [`decide`], [`store`], [`publish`].
//!
//! [`Line`] takes messages one by one and knows nothing of where they come from: a recording and a
//! broker go the same way. It has no clock of its own; whoever feeds it says what time it is on the
//! line, and lets that time stand still while the broker is away or a backlog is being worked off.
//!
//! What [`Line::take`] has taken is durable, and may be acknowledged, after the next [`Line::commit`].

mod before;
mod config;
mod decide;
mod error;
mod evidence;
mod feedback;
mod infer;
mod ingest;
mod journal;
mod judge;
mod judges;
mod normalise;
mod pass;
mod publish;
mod recover;
mod store;
#[cfg(test)]
pub(crate) mod tests;

pub use config::Config;
pub use error::Error;
pub use infer::Opinion;
pub use judge::{BundleJudge, Judge, NoJudge, Unfit, Unjudged};
pub use judges::Judges;
pub(crate) use pass::short_hex;
pub use pass::{BadPassKey, PassKey, decision_id};
pub use publish::{NotTaken, Outgoing, Publish};

use crate::archive::{Archive, OpenSegment};
use crate::operators::Operators;
use before::Before;
use coilsight_models::coil::{CoilId, CoilMatrix, Order};
use coilsight_models::message::assessment::Assessment;
use coilsight_models::message::{Kind, inbound};
use coilsight_models::tally::{Counts, Fate, Reason, Tally};
use jiff::Timestamp;
use journal::Entry;
use pass::OpenPass;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

/// Time on the line: `elapsed` never runs backwards and is what rules go by; `wall` is for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since the line was opened, without the time it stood still.
    pub elapsed: Duration,
    /// The plant's time, where it is known.
    pub wall: Option<Timestamp>,
}

/// Rows that a message of rows carries, by the plant's interface: what is missing with one that cannot be read.
const ROWS_A_MESSAGE: u64 = 50;

/// What the line's calls return.
pub type Result<T> = std::result::Result<T, Error>;

/// One line: its open passes, its archive and whoever judges.
pub struct Line {
    config: Config,
    archive: Arc<Archive>,
    judges: Judges,
    open: BTreeMap<CoilId, OpenPass>,
    /// Coils whose gateway repeats a pass that has its decision: their rows are duplicates.
    /// By the step at which they began, for the oldest to be forgotten when there are too many.
    repeating: BTreeMap<CoilId, u64>,
    /// Rows of the coils closed last, the newest first.
    left: VecDeque<(CoilId, Before)>,
    tally: Tally,
    now: Now,
    /// Checksums of the last payloads that could not be read: what is delivered again is no further loss.
    garbage: VecDeque<u32>,
    /// Counts what made progress, so that "a later coil" has a meaning without a clock.
    step: u64,
    /// Passes closed since the start: work that a watchdog believes in.
    closed: u64,
    /// Of these, for want of room.
    closed_early: u64,
    keep_judged: bool,
    judged: VecDeque<Judged>,
    /// Whose words over the broker count.
    operators: Arc<Operators>,
    /// Words since the start of people who are none of them.
    quarantined: u64,
}

/// A coil that was judged, and its decision.
#[derive(Debug)]
pub struct Judged {
    /// What was seen of it.
    pub matrix: CoilMatrix,
    /// What was ordered, if it is known.
    pub order: Option<Order>,
    /// The decision.
    pub assessment: Assessment,
}

/// Coils whose rows are known again, 8 bytes a row: a gateway has so many messages at most on their way.
const MAX_LEFT: usize = 8;
/// Coils kept for a second opinion, 38 kB each; older ones go first when there are more.
const MAX_JUDGED: usize = 8;

impl Line {
    /// Opens the line over its archive; `open` are the passes that an earlier run left undecided.
    pub fn new(
        config: Config,
        archive: impl Into<Arc<Archive>>,
        open: &[OpenSegment],
        judges: impl Into<Judges>,
    ) -> Result<Self> {
        let mut line = Self {
            config,
            archive: archive.into(),
            judges: judges.into(),
            open: BTreeMap::new(),
            repeating: BTreeMap::new(),
            left: VecDeque::new(),
            tally: Tally::default(),
            now: Now::default(),
            garbage: VecDeque::new(),
            step: 0,
            closed: 0,
            closed_early: 0,
            keep_judged: false,
            judged: VecDeque::new(),
            operators: Arc::default(),
            quarantined: 0,
        };
        for segment in open {
            line.recover(segment)?;
        }
        Ok(line)
    }

    /// With operators: words of others over the broker are kept apart. Without them everybody's count.
    pub fn believe(&mut self, operators: Arc<Operators>) {
        self.operators = operators;
    }

    /// Words since the start of people who are no operators.
    pub fn quarantined(&self) -> u64 {
        self.quarantined
    }

    /// Takes one message of the plant, whatever it is. Durable after [`Self::commit`].
    pub fn take(&mut self, topic: &str, payload: &[u8], now: Now) -> Result<Fate> {
        self.tick(now)?;
        let fate = match self.config.topics.kind(topic) {
            None => Fate::SetAside(Reason::UnknownTopic),
            // What nobody could foresee must not come again and again: it is set aside like garbage.
            Some(kind) => {
                match catch_unwind(|| inbound::parse(kind, payload)).unwrap_or(Err(Reason::Poisonous)) {
                    Err(reason) => {
                        // A message under a name that is no coil's is no other coil's either.
                        let of_a_coil = kind == Kind::Gauge && reason != Reason::BadCoilId;
                        if of_a_coil {
                            self.garbage(payload, ROWS_A_MESSAGE)?;
                        }
                        Fate::SetAside(reason)
                    }
                    Ok(message) => self.ingest(message)?,
                }
            }
        };
        self.tally.messages.add(fate);
        if let Fate::SetAside(reason) = fate {
            tracing::debug!(topic, ?reason, bytes = payload.len(), "message set aside");
        }
        Ok(fate)
    }

    /// Lets the line's time pass: coils that are due are closed.
    pub fn tick(&mut self, now: Now) -> Result<()> {
        self.now = Now { elapsed: now.elapsed.max(self.now.elapsed), wall: now.wall };
        while let Some(id) = self.due() {
            self.close(&id)?;
        }
        Ok(())
    }

    /// Makes everything taken so far durable: only now may it be acknowledged.
    pub fn commit(&mut self) -> Result<()> {
        Ok(self.archive.sync()?)
    }

    /// Closes what is open, as silence would: a recording is over, nothing more will come.
    pub fn finish(&mut self) -> Result<()> {
        while let Some(id) = self.open.keys().next().cloned() {
            self.close(&id)?;
        }
        Ok(())
    }

    /// The sums so far; they add up at any time.
    pub fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        for pass in self.open.values() {
            let waiting = pass.strip.len() as u64;
            tally.rows += &pass.rows;
            tally.rows += &Counts { received: waiting, open: waiting, ..Counts::default() };
            tally.readings += &pass.readings;
        }
        tally
    }

    /// How it behaves.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Coils that are open.
    pub fn open_coils(&self) -> impl Iterator<Item = &CoilId> {
        self.open.keys()
    }

    /// Rows of open coils held in memory.
    pub fn open_rows(&self) -> usize {
        self.open.values().map(|pass| pass.strip.len()).sum()
    }

    /// Passes closed since the start.
    pub fn closed(&self) -> u64 {
        self.closed
    }

    /// Passes closed early since the start, because too much was open.
    pub fn closed_early(&self) -> u64 {
        self.closed_early
    }

    /// Who decides for coils that begin now.
    pub fn judge(&self) -> &dyn Judge {
        self.judges.active()
    }

    /// Puts a known coil through whoever judges and a small write on the disk: whether the line could work.
    pub fn prove(&mut self) -> Result<()> {
        self.judges.active_mut().prove().map_err(Error::Judge)?;
        Ok(self.archive.heartbeat()?)
    }

    /// The archive, to read from, also beside the line.
    pub fn archive(&self) -> &Arc<Archive> {
        &self.archive
    }

    /// The orderly stop. Open coils stay open and are found again.
    pub fn stop(self) -> Result<()> {
        self.archive.sync()?;
        Ok(self.archive.close()?)
    }

    /// A pass that must be closed now, if there is one.
    fn due(&self) -> Option<CoilId> {
        let silent = |pass: &OpenPass| self.now.elapsed.saturating_sub(pass.heard);
        let is_due = |pass: &OpenPass| {
            if pass.end.is_some() || pass.given.is_some() {
                return silent(pass) >= Duration::from_secs(self.config.late_rows_s);
            }
            let later = self.step > pass.step && self.later_progress(pass);
            later && silent(pass) >= Duration::from_secs(self.config.silence_s)
        };
        self.open.iter().find(|(_, pass)| is_due(pass)).map(|(id, _)| id.clone())
    }

    /// Whether a coil that began after this one has been heard of after it.
    fn later_progress(&self, pass: &OpenPass) -> bool {
        pass.overtaken || self.open.values().any(|other| other.opened > pass.opened && other.step > pass.step)
    }

    /// From closed pass to published decision: the line's way behind the rows.
    fn close(&mut self, id: &CoilId) -> Result<()> {
        let Some(pass) = self.open.remove(id) else { return Ok(()) };
        let span = tracing::info_span!(
            "coil",
            coil_id = %id,
            bundle = tracing::field::Empty,
            verdict = tracing::field::Empty,
            elapsed_ms = tracing::field::Empty
        );
        let stored = span.in_scope(|| self.judge_and_store(&pass));
        let Ok(seen) = stored else {
            // Not decided, so not over: it is tried again, and a restart finds it too.
            self.open.insert(id.clone(), pass);
            return stored.map(drop);
        };
        for earlier in self.open.values_mut().filter(|other| other.opened < pass.opened) {
            earlier.overtaken = true;
        }
        let left = Before::of(&pass.strip);
        if !left.is_empty() {
            self.left.truncate(MAX_LEFT - 1);
            self.left.push_front((id.clone(), left));
        }
        self.tally.rows += &seen.rows;
        self.tally.readings += &seen.readings;
        self.closed += 1;
        self.let_go();
        Ok(())
    }

    /// From the next coil's start on `judge` decides; coils that are open keep whom they are bound to.
    pub fn take_over(&mut self, judge: Box<dyn Judge>) {
        self.judges.take_over(judge);
        // Decisions of the set before say nothing of this one.
        self.judged.clear();
        self.let_go();
    }

    fn let_go(&mut self) {
        let open = &self.open;
        self.judges.keep(|binding| open.values().any(|pass| pass.bound == binding));
    }

    /// What open coils are bound to.
    pub fn bindings(&self) -> impl Iterator<Item = String> {
        self.open.values().map(|pass| pass.bound.clone())
    }

    /// What the open coils that an earlier run left are bound to.
    pub fn bindings_of(open: &[OpenSegment]) -> BTreeSet<String> {
        let records = open.iter().flat_map(|segment| &segment.records);
        records
            .filter_map(|bytes| match Entry::decode(bytes) {
                Some(Entry::Bound(binding)) => Some(binding),
                _ => None,
            })
            .collect()
    }

    /// Keeps what is judged from here on for [`Self::take_judged`], or does not.
    pub fn keep_judged(&mut self, keep: bool) {
        self.keep_judged = keep;
        if !keep {
            self.judged.clear();
        }
    }

    /// The oldest coil of the last few that were judged and stored, for a second opinion that changes nothing.
    pub fn take_judged(&mut self) -> Option<Judged> {
        self.judged.pop_front()
    }

    fn judge_and_store(&mut self, pass: &OpenPass) -> Result<normalise::Seen> {
        let seen = self.normalise(pass)?;
        let judged = self.infer(&seen);
        let assessment = self.decide(&seen, judged);
        self.store(&seen, &assessment, pass.segment)?;
        self.remember(&seen, assessment);
        Ok(seen)
    }
}
