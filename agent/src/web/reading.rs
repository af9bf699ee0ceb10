//! Reads that anybody may ask for: a few at a time, so that whoever floods the page with them holds up neither a word nor
//! a login. What takes long to work out is worked out once and kept while it holds.

use super::Desk;
use super::fault::Fault;
use super::words::blocking;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Reads at once, and such as take long.
pub(super) const AT_ONCE: (usize, usize) = (3, 1);
/// Whoever has not got his turn by then is told to come again.
const TURN: Duration = Duration::from_secs(2);
/// What was worked out is shown so long, as long as the book is what it was.
const FRESH: Duration = Duration::from_secs(2);
/// Answers that are kept: nobody looks at more windows of scores at once.
const MAX_KEPT: usize = 16;

/// Turns, and answers that hold.
#[derive(Debug)]
pub(super) struct Readers {
    turns: Semaphore,
    long: Semaphore,
    kept: Mutex<HashMap<String, Kept>>,
}

#[derive(Debug)]
struct Kept {
    revision: u64,
    at: Instant,
    answer: Bytes,
}

impl Default for Readers {
    fn default() -> Self {
        let (turns, long) = (Semaphore::new(AT_ONCE.0), Semaphore::new(AT_ONCE.1));
        Self { turns, long, kept: Mutex::default() }
    }
}

impl Readers {
    fn kept(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, what: &str, revision: u64) -> Option<Bytes> {
        let kept = self.kept();
        let kept = kept.get(what).filter(|kept| kept.revision == revision && kept.at.elapsed() < FRESH)?;
        Some(kept.answer.clone())
    }

    fn keep(&self, what: String, revision: u64, answer: Bytes) {
        let mut kept = self.kept();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(what, Kept { revision, at: Instant::now(), answer });
    }
}

async fn turn(of: &Semaphore) -> Result<SemaphorePermit<'_>, Fault> {
    let busy = || Fault::not_yet("others are reading", "try again in some seconds");
    tokio::time::timeout(TURN, of.acquire()).await.ok().and_then(Result::ok).ok_or_else(busy)
}

/// Reads what takes a moment, or waits for the disk.
pub(super) async fn reading<T: Send + 'static>(
    desk: &Arc<Desk>,
    work: impl FnOnce(&Desk) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let _turn = turn(&desk.readers.turns).await?;
    let desk = Arc::clone(desk);
    blocking(move || work(&desk)).await
}

/// Works out what takes long; `what` names it.
pub(super) async fn working_out<T: Serialize>(
    desk: &Arc<Desk>,
    what: String,
    work: impl FnOnce(&Desk) -> Result<T, Fault> + Send + 'static,
) -> Result<Response, Fault> {
    let revision = || desk.book().revision();
    let answer = if let Some(fresh) = desk.readers.fresh(&what, revision()) {
        fresh
    } else {
        let _turn = turn(&desk.readers.long).await?;
        // Somebody else may have asked for it before.
        let revision = revision();
        if let Some(fresh) = desk.readers.fresh(&what, revision) {
            fresh
        } else {
            let asked = Arc::clone(desk);
            // Our own plain data: becoming JSON has no way to fail.
            let json = move || Ok(serde_json::to_vec(&work(&asked)?).expect("an answer becomes JSON"));
            let answer = Bytes::from(blocking(json).await?);
            desk.readers.keep(what, revision, answer.clone());
            answer
        }
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], answer).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_while_the_book_is_what_it_was() {
        let readers = Readers::default();
        readers.keep("scores all".into(), 7, Bytes::from_static(b"{}"));
        assert!(readers.fresh("scores all", 7).is_some());
        assert!(readers.fresh("scores all", 8).is_none());
        assert!(readers.fresh("scores 5c", 7).is_none());
        for n in 0..100 {
            readers.keep(n.to_string(), 7, Bytes::new());
            assert!(readers.kept().len() <= MAX_KEPT);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_no_turn_is_told_to_come_again() {
        let readers = Readers::default();
        let taken = turn(&readers.long).await.unwrap();
        let refused = turn(&readers.long).await.map(drop).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.after_s), (503, Some(5)));
        drop(taken);
        assert!(turn(&readers.long).await.is_ok());
    }
}
