//! The way to the broker below MQTT. rumqttc opens its transports itself, and what it brings for TLS is not wanted
//! here; so it is given a socket inside this process, and the bytes are carried between it and TCP or TLS.

use super::Broker;
use anyhow::Context;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Longest wait for a name, for a connection, and for its encryption.
const PATIENCE: Duration = Duration::from_secs(10);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open way to the broker; ends with its value.
pub(crate) struct Link {
    /// A Unix socket's name, for rumqttc.
    pub name: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// Opens one.
    pub async fn open(broker: &Broker) -> anyhow::Result<Self> {
        // What is wrong with files is told before anyone is disturbed.
        let encryption = broker.encryption()?;
        let (host, port) = broker.host_and_port()?;
        let connect = tokio::time::timeout(PATIENCE, TcpStream::connect((host, port)));
        let tcp = connect
            .await
            .with_context(|| format!("{host}:{port} does not answer"))?
            .with_context(|| format!("no connection to the broker at {host}:{port}"))?;
        tcp.set_nodelay(true)?;
        let mut stream: Box<dyn Stream> = match encryption {
            None => Box::new(tcp),
            Some(config) => {
                let name = ServerName::try_from(host.to_owned())
                    .with_context(|| format!("{host:?} is no name that a certificate could bear"))?;
                let handshake = TlsConnector::from(Arc::new(config)).connect(name, tcp);
                let encrypted = tokio::time::timeout(PATIENCE, handshake)
                    .await
                    .with_context(|| format!("{host}:{port} does not answer in TLS"))?
                    .with_context(|| format!("no encryption with the broker at {host}:{port}: check --ca, and the name in --broker"))?;
                Box::new(encrypted)
            }
        };
        let (listener, name) = inside().context("no socket inside this process")?;
        let task = tokio::spawn(async move {
            if let Ok(mut socket) = accept(&listener).await {
                // When one side ends so does the other; why is of no use to whoever connects again.
                let _ = copy_bidirectional(&mut socket, &mut stream).await;
            }
        });
        Ok(Self { name, task })
    }
}

/// A socket inside this process: an abstract name (unix(7)) leaves no file behind.
fn inside() -> io::Result<(UnixListener, String)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("\0coilsight-trainer/{}/{number}", std::process::id());
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
