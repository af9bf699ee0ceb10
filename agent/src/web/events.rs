//! The stream that tells a page to look again: it says that something changed, not what.

use super::Desk;
use super::fault::Fault;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Streams at once. A page without one asks again by itself, every few seconds.
const MAX_STREAMS: usize = 16;
/// A line without meaning is sent so often: a browser that has gone is noticed.
const ALIVE: Duration = Duration::from_secs(15);
/// Changes within this time are one.
const TOGETHER: Duration = Duration::from_millis(200);

/// How many listen.
#[derive(Debug, Default)]
pub(super) struct Streams(Arc<AtomicUsize>);

/// One who listens; counts until it is dropped.
struct Listening(Arc<AtomicUsize>);

impl Streams {
    fn listen(&self) -> Option<Listening> {
        let one_more = |n| (n < MAX_STREAMS).then_some(n + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Listening(Arc::clone(&self.0)))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) async fn events(State(desk): State<Arc<Desk>>) -> Result<Response, Fault> {
    let listening = desk.streams.listen().ok_or_else(|| {
        Fault::not_yet(
            format!("{MAX_STREAMS} pages listen already"),
            "ask for the list every few seconds instead",
        )
    })?;
    let mut changed = desk.changed.clone();
    changed.mark_changed();
    let events = stream::unfold((changed, listening), |(mut changed, listening)| async move {
        let text = match tokio::time::timeout(ALIVE, changed.changed()).await {
            Err(_) => ": still here\n\n".to_owned(),
            // The agent stops.
            Ok(Err(_)) => return None,
            Ok(Ok(())) => {
                tokio::time::sleep(TOGETHER).await;
                format!("event: revision\ndata: {}\n\n", *changed.borrow_and_update())
            }
        };
        Some((Ok::<_, Infallible>(Bytes::from(text)), (changed, listening)))
    });
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response())
}
