//! The watch: keeps the book up with the archive, and looks at how the models and the gauges do. On a thread of its
//! own, behind the line: a coil is judged and stored before anything here hears of it.

use crate::archive::{Archive, Matrix};
use crate::book::{Book, MAX_SIGNATURES, Seq, Signature};
use coilsight_models::coil::{CoilMatrix, Order};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// Without a word from anybody, the archive is looked at so often.
const TICK: Duration = Duration::from_millis(250);
/// What is read of the log at once, bytes: lists wait no longer than that takes.
const AT_ONCE: u64 = 256 << 10;

/// What the watch has found.
#[derive(Debug, Default)]
pub struct Findings {
    built: AtomicBool,
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    drift: Option<Value>,
    triggers: Vec<Value>,
}

impl Findings {
    /// Whether the book holds all that the archive had at the start.
    pub fn is_built(&self) -> bool {
        self.built.load(Ordering::Acquire)
    }

    /// How the models do, over a window: `all`, `200c` (coils), `30d` (days).
    pub fn scores(&self, _book: &Book, _window: &str) -> Option<Value> {
        None
    }

    /// How far inspectors agree, with themselves and with the models.
    pub fn agreement(&self, _session: &crate::web::Rejudging, _book: &Book) -> Option<Value> {
        None
    }

    /// When the models were found to do badly, latest first.
    pub fn triggers(&self) -> Vec<Value> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).triggers.clone()
    }

    /// How gauges and inputs have changed.
    pub fn drift(&self) -> Value {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).drift.clone().unwrap_or_else(|| json!(null))
    }
}

/// The watch's thread.
#[derive(Debug)]
pub struct Watch {
    thread: Option<std::thread::JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
}

impl Watch {
    /// Begins; `changed` is told of every change of the book.
    pub fn start(
        archive: Arc<Archive>,
        book: Arc<RwLock<Book>>,
        findings: Arc<Findings>,
        changed: watch::Sender<u64>,
    ) -> std::io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let round = Round { archive, book, findings, changed, signed: None, stopping: Arc::clone(&stopping) };
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
    archive: Arc<Archive>,
    book: Arc<RwLock<Book>>,
    findings: Arc<Findings>,
    changed: watch::Sender<u64>,
    /// Coils before this place have been looked at.
    signed: Option<Seq>,
    stopping: Arc<AtomicBool>,
}

impl Round {
    fn run(mut self) {
        while !self.stopping.load(Ordering::Relaxed) {
            if !self.read_on() {
                continue;
            }
            self.findings.built.store(true, Ordering::Release);
            if !self.look() {
                std::thread::park_timeout(TICK);
            }
        }
    }

    /// Reads the archive on; whether the book is up with it.
    fn read_on(&mut self) -> bool {
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        let up = match book.catch_up(&self.archive, AT_ONCE) {
            Ok(more) => !more,
            Err(error) => {
                tracing::warn!(error = crate::say::chain(&error), "part of the archive is missing in lists");
                false
            }
        };
        let revision = book.revision();
        drop(book);
        self.changed.send_if_modified(|last| std::mem::replace(last, revision) != revision);
        up
    }

    /// Looks at the next coil that has not been looked at; whether there was one.
    fn look(&mut self) -> bool {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        let span = book.span();
        let at = self.signed.unwrap_or(0).max(span.end.saturating_sub(MAX_SIGNATURES as Seq)).max(span.start);
        let Some(coil) = book.get(at) else { return false };
        let id = coil.decision_id.clone();
        let order = match (coil.nominal_g_m2, coil.class, coil.width_mm) {
            (Some(nominal), Some(class), Some(width)) => Order::new(nominal.into(), class, width.into()).ok(),
            _ => None,
        };
        drop(book);
        self.signed = Some(at + 1);
        let Ok(Matrix::Kept(bytes)) = self.archive.matrix(&id) else { return true };
        let Ok(matrix) = CoilMatrix::from_bytes(&bytes) else { return true };
        let signature = Signature::of(&matrix, order.as_ref());
        self.book.write().unwrap_or_else(PoisonError::into_inner).sign(&id, signature);
        true
    }
}
