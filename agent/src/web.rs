//! The operators' page and its REST interface, on a thread of its own: nothing that a browser does holds up the line.
//!
//! It reads the [`Book`], the archive and what the line's thread has put on the [`Board`]; it writes words of people
//! and nothing else. Reads are open to whoever reaches the port (loopback unless set otherwise); writes need an
//! operator's login or a program's token. `openapi.json` beside this file says what there is; a test holds that
//! both agree.

mod coils;
mod config;
mod drift;
mod events;
mod fault;
mod guard;
mod login;
mod metrics;
mod page;
mod reading;
mod rejudge;
mod serve;
mod sessions;
mod state;
#[cfg(test)]
mod tests;
mod tries;
mod unread;
mod words;

pub use config::Config;
pub use rejudge::{Rejudge, Session as Rejudging};
pub use serve::{Server, bind};
pub use state::Board;

use crate::archive::Archive;
use crate::book::{self, Book};
use crate::config::Settings;
use crate::operators::Operators;
use crate::watch::Findings;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use events::Streams;
use reading::Readers;
use sessions::Sessions;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;
use tokio::sync::watch;
use tries::Tries;

/// No request's body is longer, bytes.
const MAX_BODY: usize = 16 << 10;

/// What is read of the log at once when somebody waits, bytes.
const CATCH_UP: u64 = 1 << 20;

/// What all handlers share.
pub struct Desk {
    /// The line's id, how the page is served, where the models' trail lies.
    pub settings: Settings,
    /// The truth.
    pub archive: Arc<Archive>,
    /// What is asked all day.
    pub book: Arc<RwLock<Book>>,
    /// Who may say something.
    pub operators: Arc<Operators>,
    /// How the line is.
    pub board: Arc<Board>,
    /// How the models do.
    pub findings: Arc<Findings>,
    /// Blind re-judging.
    pub rejudge: Mutex<Rejudge>,
    sessions: Mutex<Sessions>,
    tries: Mutex<Tries>,
    /// One word at a time: between what somebody saw and what he says no other word slips in.
    saying: Mutex<()>,
    /// Grows when the list or the status changed.
    changed: watch::Receiver<u64>,
    streams: Streams,
    readers: Readers,
}

impl Desk {
    /// Over what the agent has opened; `changed` grows with every change.
    #[allow(clippy::too_many_arguments)] // Each is a part of its own.
    pub fn new(
        settings: Settings,
        archive: Arc<Archive>,
        book: Arc<RwLock<Book>>,
        operators: Arc<Operators>,
        board: Arc<Board>,
        findings: Arc<Findings>,
        rejudge: Rejudge,
        changed: watch::Receiver<u64>,
    ) -> Arc<Self> {
        let sessions = Mutex::new(Sessions::new(settings.web.shift_hours));
        Arc::new(Self {
            settings,
            archive,
            book,
            operators,
            board,
            findings,
            rejudge: Mutex::new(rejudge),
            sessions,
            tries: Mutex::new(Tries::new(Instant::now())),
            saying: Mutex::new(()),
            changed,
            streams: Streams::default(),
            readers: Readers::default(),
        })
    }

    fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the book take in what was just kept, so that whoever kept it sees it.
    pub(crate) fn catch_up(&self) {
        if let Err(error) = book::catch_up(&self.book, &self.archive, CATCH_UP) {
            tracing::warn!(error = crate::say::chain(&error), "the book stays behind the archive");
        }
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every route, behind the guards that hold for all of them.
pub fn router(desk: Arc<Desk>) -> Router {
    let api = Router::new()
        .route("/coils", get(coils::list))
        .route("/coils/{decision_id}", get(coils::one))
        .route("/coils/{decision_id}/matrix", get(coils::matrix))
        .route("/coils/{decision_id}/feedback", post(words::say))
        .route("/dispositions/{disposition_id}/withdraw", post(words::withdraw))
        .route("/quarantine", get(words::quarantine))
        .route("/session", get(login::session))
        .route("/login", post(login::login))
        .route("/logout", post(login::logout))
        .route("/status", get(state::status))
        .route("/models", get(state::models))
        .route("/scores", get(state::scores))
        .route("/triggers", get(state::triggers))
        .route("/drift", get(drift::show))
        .route("/drift/reference", post(drift::renew))
        .route("/rejudge", get(rejudge::show).post(rejudge::start))
        .route("/rejudge/next", get(rejudge::next))
        .route("/rejudge/items/{item}", post(rejudge::answer))
        .route("/rejudge/items/{item}/matrix", get(rejudge::matrix))
        .route("/events", get(events::events))
        .route("/openapi.json", get(page::openapi));
    Router::new()
        .nest("/api/v1", api)
        .route("/", get(page::index))
        .route("/static/{name}", get(page::file))
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(state::healthz))
        .route("/readyz", get(state::readyz))
        .fallback(fault::nothing_there)
        .method_not_allowed_fallback(fault::not_that_way)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&desk), guard::guard))
        .with_state(desk)
}
