//! The watch: keeps the book up with the archive, and looks at how the models and the gauges do. On a thread of its
//! own, behind the line: a coil is judged and stored before anything here hears of it.

mod drawn;
mod gauges;
mod scores;
#[cfg(test)]
mod tests;

use crate::archive::{Archive, Disk};
use crate::book::{self, Book, MAX_SIGNATURES, Seq};
use crate::drift::{Of, References};
use crate::score::{Agreement, Judged, Trigger};
use crate::web::{Board, Rejudging};
use crate::{drift, score};
use coilsight_models::message::status::Trouble;
use drawn::Drawing;
use gauges::Gauges;
use jiff::Timestamp;
use scores::Alarms;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Without a word from anybody, the archive is looked at so often.
const TICK: Duration = Duration::from_millis(250);
/// What is read of the log at once, bytes: lists wait no longer than that takes.
const AT_ONCE: u64 = 256 << 10;
/// Scores and drift are told so often at most: both take tens of milliseconds.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What the watch has found, for the page.
#[derive(Debug, Default)]
pub struct Findings {
    /// What the reference of drift is.
    pub references: References,
    built: AtomicBool,
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    drift: Option<drift::Report>,
    triggers: Vec<Trigger>,
    /// `None` until the rules were asked.
    asking: Option<Arc<[Asking]>>,
}

/// A rule that fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Asking {
    /// What it said.
    pub trigger: Trigger,
    /// Whether it still says so.
    pub holds: bool,
}

impl Findings {
    /// Nothing yet, over these references.
    pub fn over(references: References) -> Self {
        Self { references, ..Self::default() }
    }

    /// Whether the book holds all that the archive had at the start.
    pub fn is_built(&self) -> bool {
        self.built.load(Ordering::Acquire)
    }

    /// What scores need of every coil in the book.
    pub fn judged(book: &Book) -> Vec<Judged> {
        scores::judged(book)
    }

    /// How far inspectors agree, with themselves and with the models; `None` without an answer.
    pub fn agreement(session: &Rejudging, book: &Book) -> Option<Agreement> {
        scores::agreement(session, book)
    }

    /// When the models were found to do badly, latest first.
    pub fn triggers(&self) -> Vec<Trigger> {
        self.shown().triggers.clone()
    }

    /// The newest of them, latest first, and whether they hold; the same value until something about it is new. `None` until
    /// the rules were asked.
    pub fn asking(&self) -> Option<Arc<[Asking]>> {
        self.shown().asking.clone()
    }

    /// How gauges and inputs have changed; `None` before the first coil.
    pub fn drift(&self) -> Option<drift::Report> {
        self.shown().drift.clone()
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the watch works with.
#[derive(Debug)]
pub struct Parts {
    /// The truth.
    pub archive: Arc<Archive>,
    /// To be kept up with it.
    pub book: Arc<RwLock<Book>>,
    /// Where what is found is shown.
    pub findings: Arc<Findings>,
    /// Where what a person must act on is told.
    pub board: Arc<Board>,
    /// Told of every change of the book.
    pub changed: watch::Sender<u64>,
    /// Where firings of the triggers are kept, by itself.
    pub disk: Arc<dyn Disk>,
    /// When models do badly.
    pub score: score::Config,
    /// When gauges do.
    pub drift: drift::Config,
    /// The share of OK coils that is drawn by lot, 0 to 1.
    pub review_share: f64,
}

/// The watch's thread.
#[derive(Debug)]
pub struct Watch {
    thread: Option<std::thread::JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
}

impl Watch {
    /// Begins.
    pub fn start(parts: Parts) -> io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let alarms = Alarms::open(parts.score, &parts.disk).map_err(io::Error::other)?;
        let gauges = Gauges::new(parts.drift.clone());
        let drawing = Drawing::new(parts.score.drawn, parts.review_share);
        let round = Round {
            parts,
            alarms,
            drawing,
            gauges,
            renewals: 0,
            renewed: VecDeque::new(),
            to_look_at: VecDeque::new(),
            looked: None,
            troubles: BTreeMap::new(),
            stale: true,
            seen: 0,
            told: None,
            stopping: Arc::clone(&stopping),
        };
        let thread = std::thread::Builder::new().name("watch".into()).spawn(move || round.run())?;
        Ok(Self { thread: Some(thread), stopping })
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Round {
    parts: Parts,
    alarms: Alarms,
    drawing: Drawing,
    gauges: Gauges,
    /// How many new references were heard of, and before which places those stand that are still to be taken.
    renewals: usize,
    renewed: VecDeque<(Seq, Of)>,
    /// Places still to be looked at, in their order.
    to_look_at: VecDeque<Seq>,
    /// Coils before this place are looked at, or to be.
    looked: Option<Seq>,
    /// What was told and is not over.
    troubles: BTreeMap<String, Trouble>,
    /// Whether something came since scores and drift were told.
    stale: bool,
    /// The book's revision at the last look: the page brings the book up, too.
    seen: u64,
    told: Option<Instant>,
    stopping: Arc<AtomicBool>,
}

impl Round {
    fn run(mut self) {
        self.parts.findings.shown().triggers = self.alarms.all();
        while !self.stopping.load(Ordering::Relaxed) {
            if !self.read_on() {
                continue;
            }
            self.parts.findings.built.store(true, Ordering::Release);
            self.find_new();
            let looked = self.look();
            if self.stale && !looked && self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                self.tell();
            }
            if !looked {
                std::thread::park_timeout(TICK);
            }
        }
    }

    /// Reads the archive on; whether the book is up with it.
    fn read_on(&mut self) -> bool {
        let up = match book::catch_up(&self.parts.book, &self.parts.archive, AT_ONCE) {
            Ok(more) => !more,
            Err(error) => {
                tracing::warn!(error = crate::say::chain(&error), "part of the archive is missing in lists");
                false
            }
        };
        let revision = self.parts.book.read().unwrap_or_else(PoisonError::into_inner).revision();
        self.stale |= std::mem::replace(&mut self.seen, revision) != revision;
        self.parts.changed.send_if_modified(|last| std::mem::replace(last, revision) != revision);
        up
    }

    /// Notes which coils are to be looked at: at the start what brings the watch over drift up to date and the newest,
    /// then every new one.
    fn find_new(&mut self) {
        self.hear_of_references();
        let book = self.parts.book.read().unwrap_or_else(PoisonError::into_inner);
        let span = book.span();
        if let Some(looked) = self.looked {
            self.to_look_at.extend(looked.max(span.start)..span.end);
        } else {
            let newest = span.end.saturating_sub(MAX_SIGNATURES as Seq).max(span.start)..span.end;
            let mut places = self.gauges.places(&book, &self.renewed);
            places.extend(newest);
            places.sort_unstable();
            places.dedup();
            self.to_look_at = places.into();
        }
        self.stale |= self.looked != Some(span.end);
        self.looked = Some(span.end);
    }

    /// A coil that came into the book behind a new reference came after it was kept: whoever hears of the coil hears of it.
    fn hear_of_references(&mut self) {
        let new = self.parts.findings.references.since(self.renewals);
        let book = self.parts.book.read().unwrap_or_else(PoisonError::into_inner);
        self.renewals += new.len();
        // What the book no longer has lies before all that it has.
        let place = |after: Option<String>| after.and_then(|id| book.place(&id)).map_or(0, |at| at + 1);
        self.renewed.extend(new.into_iter().map(|one| (place(one.after), one.of)));
    }

    /// Takes new references before the coil at this place is looked at.
    fn renew(&mut self, before: Seq) {
        while let Some((_, of)) = self.renewed.pop_front_if(|(at, _)| *at <= before) {
            self.gauges.renew(of);
            self.stale = true;
        }
    }

    /// Looks at the next coil; whether there was one.
    fn look(&mut self) -> bool {
        let Some(at) = self.to_look_at.pop_front() else {
            self.renew(self.looked.unwrap_or(0));
            return false;
        };
        self.renew(at);
        let coil = self.parts.book.read().unwrap_or_else(PoisonError::into_inner).get(at).cloned();
        let looked =
            coil.and_then(|coil| Some((gauges::look(&coil, &self.parts.archive)?, coil.decision_id)));
        let Some((looked, id)) = looked else { return true };
        let signature = looked.signature.clone();
        self.gauges.take(looked);
        self.parts.book.write().unwrap_or_else(PoisonError::into_inner).sign(&id, signature);
        true
    }

    /// Asks the rules, and tells what is new and what is over.
    fn tell(&mut self) {
        (self.stale, self.told) = (false, Some(Instant::now()));
        let now = Timestamp::now();
        let mut troubles = BTreeMap::new();
        {
            let book = self.parts.book.read().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = self.alarms.ask(&book, now) {
                tracing::warn!(
                    error = crate::say::chain(&error),
                    "a trigger could not be kept, and fires again"
                );
            }
            troubles.extend(self.alarms.troubles());
            troubles.extend(self.drawing.trouble(&book).map(|trouble| ("drawn".to_owned(), trouble)));
        }
        let report = self.gauges.report();
        if let Some(report) = &report {
            troubles.extend(self.gauges.troubles(report));
        }
        let asking = self.alarms.asking();
        {
            let mut shown = self.parts.findings.shown();
            let same = shown.asking.take().filter(|was| **was == *asking);
            let asking = Some(same.unwrap_or_else(|| asking.into()));
            *shown = Shown { drift: report, triggers: self.alarms.all(), asking };
        }
        for over in self.troubles.keys().filter(|key| !troubles.contains_key(*key)) {
            self.parts.board.tell(over, Vec::new());
        }
        for (key, trouble) in &troubles {
            if self.troubles.get(key) != Some(trouble) {
                self.parts.board.tell(key, vec![trouble.clone()]);
            }
        }
        self.troubles = troubles;
    }
}
