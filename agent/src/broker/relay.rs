//! Carries bytes between an MQTT client of this process and the broker. rumqttc opens its transports itself, so it
//! is given a socket inside this process; here [`Guard`] looks at what comes, and what breaks is said in plain words.

use super::Broker;
use super::guard::{Guard, NotMqtt};
use super::link::{LinkError, Stream};
use bytes::BytesMut;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// Requests that may wait for the client to send them.
const BEHIND: usize = 16;
/// After writing failed, what the broker said before is still read, but not for longer.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The first packet that comes from a broker: CONNACK, the packet type in the upper half of the first byte.
const CONNACK: u8 = 2;
/// The first byte of a complaint in TLS (RFC 8446, section 5.1).
const TLS_ALERT: u8 = 21;

/// A relay for one connection; ends with its value.
#[derive(Debug)]
pub struct Relay {
    name: String,
    broken: Arc<Mutex<Option<LinkError>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Relay {
    /// Carries what goes through `stream`, an open way to `broker`. While more requests than [`BEHIND`] wait for the
    /// client to send them, nothing more is read for it: rumqttc sends one between two reads of ten packets, and would
    /// fall ever further behind a broker that sends without end.
    pub fn start(
        stream: Box<dyn Stream>,
        guard: Guard,
        requests: watch::Receiver<usize>,
        broker: &Broker,
    ) -> io::Result<Self> {
        let (listener, name) = inside()?;
        let broken = Arc::new(Mutex::new(None));
        let (broker, note) = (broker.clone(), Arc::clone(&broken));
        let task = tokio::spawn(async move {
            let Ok(mut socket) = accept(&listener).await else { return };
            let fault = carry(&mut socket, stream, guard, requests, &broker).await;
            // Noted before the client hears that the connection is gone, so that it finds it.
            *note.lock().unwrap_or_else(PoisonError::into_inner) = fault;
            drop(socket);
        });
        Ok(Self { name, broken, task })
    }

    /// Where the client connects to: a Unix socket's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What broke, once.
    pub fn broken(&self) -> Option<LinkError> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A socket inside this process.
fn inside() -> io::Result<(UnixListener, String)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // An abstract name (unix(7)): there is no file to leave behind, nor a folder that must be writable.
    let name = format!("\0coilsight/{}/{number}", std::process::id());
    Ok((UnixListener::bind(&name)?, name))
}

/// Accepts this very process and nobody else.
async fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    let own = i32::try_from(std::process::id()).ok();
    loop {
        let (socket, _) = listener.accept().await?;
        if socket.peer_cred()?.pid() == own {
            return Ok(socket);
        }
    }
}

/// Carries both ways until one side ends; says what broke.
async fn carry(
    socket: &mut UnixStream,
    stream: Box<dyn Stream>,
    mut guard: Guard,
    mut requests: watch::Receiver<usize>,
    broker: &Broker,
) -> Option<LinkError> {
    let (mut from_us, mut to_us) = socket.split();
    let (mut from_broker, mut to_broker) = tokio::io::split(stream);
    let first = AtomicBool::new(true);
    let inward = async {
        let mut out = BytesMut::new();
        loop {
            let mut buffer = BytesMut::with_capacity(16 << 10);
            if from_broker.read_buf(&mut buffer).await.map_err(Stop::Io)? == 0 {
                return if first.load(Ordering::Relaxed) { Err(Stop::Mute) } else { Ok(()) };
            }
            if first.swap(false, Ordering::Relaxed) && buffer[0] >> 4 != CONNACK {
                return Err(if buffer[0] == TLS_ALERT { Stop::Tls } else { Stop::Strange });
            }
            guard.feed(buffer.freeze(), &mut out).map_err(Stop::NotMqtt)?;
            // The client is gone: nobody is left to tell.
            if to_us.write_all(&out).await.is_err() {
                return Ok(());
            }
            out.clear();
            // An error means that nobody counts: then nothing waits.
            let _ = requests.wait_for(|waiting| *waiting <= BEHIND).await;
        }
    };
    let outward = async {
        tokio::io::copy(&mut from_us, &mut to_broker).await?;
        to_broker.shutdown().await
    };
    tokio::pin!(inward);
    let ended = tokio::select! {
        ended = &mut inward => ended,
        outward = outward => match outward {
            Ok(()) => Ok(()),
            // A broker that refuses says why before it hangs up.
            Err(source) => match tokio::time::timeout(LAST_WORDS, inward).await {
                Ok(Err(stop)) => Err(stop),
                _ => Err(Stop::Io(source)),
            },
        },
    };
    ended.err().map(|stop| match stop {
        Stop::Io(source) => match LinkError::of(source, broker) {
            LinkError::Broken(_) if first.load(Ordering::Relaxed) => LinkError::Mute(broker.address()),
            other => other,
        },
        Stop::NotMqtt(fault) => LinkError::NotMqtt(fault),
        Stop::Mute => LinkError::Mute(broker.address()),
        Stop::Tls => LinkError::WantsTls,
        Stop::Strange => LinkError::NoBroker(broker.address()),
    })
}

/// Why what comes from the broker ends.
enum Stop {
    Io(io::Error),
    NotMqtt(NotMqtt),
    /// Without a byte.
    Mute,
    Tls,
    Strange,
}
