//! Connections: a few at a time, none for ever, each with its bounds.

use super::guard::Peer;
use super::reading::AT_ONCE;
use super::unread::Unread;
use super::{Config, Desk, router};
use axum::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Connections at once, and of one address.
const MAX_CONNECTIONS: usize = 128;
const MAX_OF_ONE: usize = 24;
/// Of the former, such as only this machine has: its own panel, and a server with TLS before the page.
const OWN: usize = 16;
/// A request's head must have come by then; so long an idle connection stays.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// No request's head is longer, bytes.
const MAX_HEAD: usize = 16 << 10;

/// The page's thread.
#[derive(Debug)]
pub struct Server {
    thread: Option<std::thread::JoinHandle<()>>,
    stop: watch::Sender<bool>,
    /// Where it listens.
    pub at: SocketAddr,
}

/// Takes the address, so that nobody else does and a bad one is told at once.
pub fn bind(config: &Config) -> io::Result<StdListener> {
    let listener = StdListener::bind(config.listen)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Server {
    /// Serves on a thread of its own until it is stopped.
    pub fn start(listener: StdListener, desk: Arc<Desk>) -> io::Result<Self> {
        let at = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // Hashing codes, keeping words: enough for a few people at once beside all who read.
            .max_blocking_threads(AT_ONCE.0 + AT_ONCE.1 + 4)
            .thread_name("page-work")
            .build()?;
        let thread = std::thread::Builder::new().name("page".into()).spawn(move || {
            runtime.block_on(accept(listener, desk, stopped));
            // What still reads the archive is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { thread: Some(thread), stop, at })
    }

    /// Takes no more requests. Does not wait for those who listen.
    pub fn stop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How many connections each address has.
type PerPeer = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// One connection of an address; counts until it is dropped.
struct OneOf(PerPeer, IpAddr);

impl OneOf {
    fn more(all: &PerPeer, peer: IpAddr) -> Option<Self> {
        let mut counts = all.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(peer).or_default();
        (*count < MAX_OF_ONE).then(|| {
            *count += 1;
            Self(Arc::clone(all), peer)
        })
    }
}

impl Drop for OneOf {
    fn drop(&mut self) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

async fn accept(listener: StdListener, desk: Arc<Desk>, mut stopped: watch::Receiver<bool>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the page cannot be served"),
    };
    let router = router(desk);
    let (room, others) = (Semaphore::new(MAX_CONNECTIONS), Semaphore::new(MAX_CONNECTIONS - OWN));
    let (room, others) = (Arc::new(room), Arc::new(others));
    let per_peer = PerPeer::default();
    loop {
        let come = tokio::select! {
            _ = stopped.changed() => return,
            come = listener.accept() => come,
        };
        let (stream, peer) = match come {
            Ok((stream, peer)) => (stream, peer.ip().to_canonical()),
            Err(error) => {
                // Out of file handles, most likely: those who are here must leave first.
                tracing::debug!(%error, "a connection was not taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Who finds no room is hung up on, and comes again.
        let Ok(room) = Arc::clone(&room).try_acquire_owned() else { continue };
        let other = (!peer.is_loopback()).then(|| Arc::clone(&others).try_acquire_owned()).transpose();
        let Ok(other) = other else { continue };
        let Some(one) = OneOf::more(&per_peer, peer) else { continue };
        let router = router.clone().layer(Extension(Peer(peer)));
        let stopped = stopped.clone();
        tokio::spawn(async move {
            serve(stream, router, stopped).await;
            drop((room, other, one));
        });
    }
}

async fn serve(stream: TcpStream, router: axum::Router, mut stopped: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Unread::new(stream)), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        // Broken off, too slow, no HTTP: the other side's business.
        done = &mut connection => if let Err(error) = done {
            tracing::debug!(%error, "a connection ended badly");
        },
        _ = stopped.changed() => {}
    }
}
