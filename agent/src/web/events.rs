//! The stream that tells a page to look again: it says that something changed, not what.

use super::Desk;
use super::fault::Fault;
use super::guard::Peer;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Streams at once. A page without one asks again by itself, every few seconds.
const MAX_STREAMS: usize = 16;
/// Of one address. This machine's own may be a server with TLS that asks for everybody.
const MAX_OF_ONE: usize = 4;
/// A line without meaning is sent so often: a browser that has gone is noticed.
const ALIVE: Duration = Duration::from_secs(15);
/// Changes within this time are one.
const TOGETHER: Duration = Duration::from_millis(200);

/// The addresses of those who listen.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<Mutex<Vec<IpAddr>>>);

/// One who listens; counts until it is dropped.
struct Listening(Streams, IpAddr);

impl Streams {
    fn listen(&self, peer: IpAddr) -> Option<Listening> {
        let mut all = self.all();
        let of_one = all.iter().filter(|known| **known == peer).count();
        if all.len() >= MAX_STREAMS || (of_one >= MAX_OF_ONE && !peer.is_loopback()) {
            return None;
        }
        all.push(peer);
        Some(Listening(self.clone(), peer))
    }

    fn all(&self) -> MutexGuard<'_, Vec<IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut all = self.0.all();
        if let Some(at) = all.iter().position(|peer| *peer == self.1) {
            all.swap_remove(at);
        }
    }
}

pub(super) async fn events(
    State(desk): State<Arc<Desk>>,
    Extension(Peer(peer)): Extension<Peer>,
) -> Result<Response, Fault> {
    let listening = desk.streams.listen(peer).ok_or_else(|| {
        Fault::not_yet(
            format!("{MAX_STREAMS} pages listen already, or {MAX_OF_ONE} of yours"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_streams() {
        let streams = Streams::default();
        let peer = |n: u8| IpAddr::from([10, 0, 0, n]);
        let mut held: Vec<_> = (0..MAX_OF_ONE).map(|_| streams.listen(peer(1)).unwrap()).collect();
        assert!(streams.listen(peer(1)).is_none());
        held.pop();
        assert!(streams.listen(peer(1)).is_some());
        held.extend((2..15).map(|n| streams.listen(peer(n)).unwrap()));
        assert!(streams.listen(peer(99)).is_none());
        held.clear();
        assert!(streams.listen(peer(99)).is_some());
    }
}
