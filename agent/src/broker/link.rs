//! The way to the broker below MQTT: TCP, and TLS over it. What is wrong is said in plain words.

mod error;

pub use error::LinkError;

use super::Broker;
use super::config::Tls;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Longest wait for a name, for a connection, and for its encryption.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the way to the broker.
pub async fn open(broker: &Broker) -> Result<Box<dyn Stream>, LinkError> {
    // What is wrong with files is told before anyone is disturbed.
    let tls = broker.tls.enabled.then(|| encryption(&broker.tls)).transpose()?;
    let tcp = connect(broker, &resolve(broker).await?).await?;
    match tls {
        None => Ok(Box::new(tcp)),
        Some(config) => Ok(Box::new(encrypt(broker, config, tcp).await?)),
    }
}

/// The broker's addresses.
pub async fn resolve(broker: &Broker) -> Result<Vec<SocketAddr>, LinkError> {
    let unknown = |source| LinkError::Resolve(broker.host.clone(), source);
    let lookup = tokio::net::lookup_host((broker.host.as_str(), broker.port));
    let late = |_| unknown(io::Error::new(io::ErrorKind::TimedOut, "no name server answers"));
    Ok(tokio::time::timeout(PATIENCE, lookup).await.map_err(late)?.map_err(unknown)?.collect())
}

/// A connection to one of them.
pub async fn connect(broker: &Broker, addresses: &[SocketAddr]) -> Result<TcpStream, LinkError> {
    let address = broker.address();
    let failed = |source| LinkError::Connect(address.clone(), source);
    let connect = tokio::time::timeout(PATIENCE, TcpStream::connect(addresses));
    let tcp = connect.await.map_err(|_| LinkError::Silent(address.clone()))?.map_err(failed)?;
    // Small packets, each waited for.
    tcp.set_nodelay(true).map_err(failed)?;
    Ok(tcp)
}

/// Encryption over a connection.
pub async fn encrypt(
    broker: &Broker,
    config: ClientConfig,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, LinkError> {
    let name = server_name(broker);
    let server = ServerName::try_from(name.to_owned()).map_err(|_| LinkError::Name(name.to_owned()))?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(server, tcp);
    let stream = tokio::time::timeout(PATIENCE, handshake).await;
    stream.map_err(|_| LinkError::SilentTls(broker.address()))?.map_err(|error| {
        match LinkError::of(error, broker) {
            LinkError::Broken(source) => LinkError::NoTls(source),
            other => other,
        }
    })
}

/// The name that the broker's certificate must bear.
pub fn server_name(broker: &Broker) -> &str {
    if broker.tls.server_name.is_empty() { &broker.host } else { &broker.tls.server_name }
}

/// What the configured files give for encryption.
pub fn encryption(tls: &Tls) -> Result<ClientConfig, LinkError> {
    let mut roots = RootCertStore::empty();
    let (added, _) =
        roots.add_parsable_certificates(certificates("the authorities' certificates", &tls.ca_file)?);
    if added == 0 {
        return Err(LinkError::NoCertificate(tls.ca_file.clone()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(LinkError::KeyPair)?
        .with_root_certificates(roots);
    if tls.cert_file.as_os_str().is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let chain = certificates("this agent's certificate", &tls.cert_file)?;
    let what = "this agent's key";
    let key = PrivateKeyDer::from_pem_file(&tls.key_file).map_err(|source| LinkError::File {
        what,
        path: tls.key_file.clone(),
        source,
    })?;
    builder.with_client_auth_cert(chain, key).map_err(LinkError::KeyPair)
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, LinkError> {
    let fault = |source| LinkError::File { what, path: path.to_owned(), source };
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(fault)?.collect::<Result<_, _>>().map_err(fault)?;
    if found.is_empty() { Err(LinkError::NoCertificate(path.to_owned())) } else { Ok(found) }
}
