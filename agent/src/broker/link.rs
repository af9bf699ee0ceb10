//! The way to the broker below MQTT: TCP, and TLS over it. What is wrong is said in plain words.

use super::Broker;
use super::config::Tls;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, ClientConfig, RootCertStore};

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Longest wait for a connection, and for its encryption.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no way to the broker.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The name is not known.
    #[error("the broker's name {0:?} is not known here")]
    Resolve(String, #[source] io::Error),
    /// Nobody listens, or nobody is reached.
    #[error("no connection to {0}")]
    Connect(String, #[source] io::Error),
    /// No answer.
    #[error("{0} does not answer")]
    Silent(String),
    /// A file for encryption cannot be read.
    #[error("{what} cannot be read from {path}")]
    File {
        /// What it should hold.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: tokio_rustls::rustls::pki_types::pem::Error,
    },
    /// There is nothing in it.
    #[error("there is no certificate in {0}")]
    NoCertificate(PathBuf),
    /// Key and certificate do not fit, or are of an unknown kind.
    #[error("this agent's certificate and key cannot be used")]
    KeyPair(#[source] rustls::Error),
    /// No name for a certificate.
    #[error("{0:?} is no name that a certificate could bear")]
    Name(String),
    /// The broker's certificate comes from elsewhere.
    #[error(
        "the broker's certificate was not issued by an authority in {0}: wrong CA, or not this plant's broker"
    )]
    WrongCa(PathBuf),
    /// The broker's certificate is too old.
    #[error("the broker's certificate has expired, by this machine's clock")]
    Expired,
    /// The broker's certificate is of the future.
    #[error("the broker's certificate is not valid yet, by this machine's clock: is the clock right?")]
    NotYetValid,
    /// The broker's certificate is another's.
    #[error("the broker's certificate is not for the name {0:?}")]
    WrongName(String),
    /// The broker does not take ours.
    #[error("the broker refuses this agent's certificate ({0:?})")]
    Refused(AlertDescription),
    /// Something else about encryption.
    #[error("encryption with the broker failed")]
    Tls(#[source] io::Error),
    /// The other side speaks something else.
    #[error(transparent)]
    NotMqtt(#[from] super::guard::NotMqtt),
    /// It broke.
    #[error("the connection to the broker broke")]
    Broken(#[source] io::Error),
}

impl LinkError {
    /// What a person should do.
    pub fn to_do(&self) -> String {
        match self {
            Self::Resolve(..) => "check broker.host, and this machine's name servers".into(),
            Self::Connect(..) | Self::Silent(_) => {
                "check broker.host and broker.port, the network, and that the broker runs".into()
            }
            Self::File { path, .. } | Self::NoCertificate(path) => {
                format!("put the PEM file to {}, readable by the agent's user", path.display())
            }
            Self::KeyPair(_) => "check broker.tls.cert_file and broker.tls.key_file".into(),
            Self::Name(_) | Self::WrongName(_) => {
                "set broker.tls.server_name to a name in the broker's certificate".into()
            }
            Self::WrongCa(_) => "set broker.tls.ca_file to the authority of the plant's broker".into(),
            Self::Expired => "have the broker's certificate renewed; check this machine's clock".into(),
            Self::NotYetValid => "set this machine's clock".into(),
            Self::Refused(_) => "have a client certificate issued that the broker takes".into(),
            Self::Tls(_) | Self::NotMqtt(_) => {
                "check broker.port and broker.tls.enabled: both sides must encrypt, or neither".into()
            }
            Self::Broken(_) => "nothing: it is tried again; if it stays so, see the broker's log".into(),
        }
    }

    /// What an error on an established connection means.
    pub fn of(source: io::Error, tls: &Tls, name: &str) -> Self {
        let inner = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(fault)) => match fault {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    Self::WrongCa(tls.ca_file.clone())
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::NotYetValid
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Self::WrongName(name.to_owned())
                }
                _ => Self::Tls(source),
            },
            Some(rustls::Error::AlertReceived(alert)) => Self::Refused(*alert),
            Some(_) => Self::Tls(source),
            None => Self::Broken(source),
        }
    }
}

/// Opens the way to the broker.
pub async fn open(broker: &Broker) -> Result<Box<dyn Stream>, LinkError> {
    let address = broker.address();
    // What is wrong with files is told before anyone is disturbed.
    let tls = broker.tls.enabled.then(|| encryption(&broker.tls)).transpose()?;
    let silent = |_| LinkError::Silent(address.clone());
    let addresses = tokio::net::lookup_host((broker.host.as_str(), broker.port)).await;
    let addresses: Vec<_> = addresses.map_err(|e| LinkError::Resolve(broker.host.clone(), e))?.collect();
    let connect = tokio::time::timeout(PATIENCE, TcpStream::connect(&addresses[..]));
    let tcp = connect.await.map_err(silent)?.map_err(|e| LinkError::Connect(address.clone(), e))?;
    // Small packets, each waited for.
    tcp.set_nodelay(true).map_err(|e| LinkError::Connect(address.clone(), e))?;
    let Some(config) = tls else { return Ok(Box::new(tcp)) };
    let name = server_name(broker);
    let server = ServerName::try_from(name.to_owned()).map_err(|_| LinkError::Name(name.to_owned()))?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(server, tcp);
    let stream = tokio::time::timeout(PATIENCE, handshake).await.map_err(silent)?;
    let stream = stream.map_err(|e| match LinkError::of(e, &broker.tls, name) {
        LinkError::Broken(source) => LinkError::Tls(source),
        other => other,
    })?;
    Ok(Box::new(stream))
}

/// The name that the broker's certificate must bear.
pub fn server_name(broker: &Broker) -> &str {
    if broker.tls.server_name.is_empty() { &broker.host } else { &broker.tls.server_name }
}

fn encryption(tls: &Tls) -> Result<ClientConfig, LinkError> {
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
