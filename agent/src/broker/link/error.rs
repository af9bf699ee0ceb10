//! Why there is no way to the broker, and what to do.

use super::server_name;
use crate::broker::Broker;
use crate::broker::guard::NotMqtt;
use std::io;
use std::path::PathBuf;
use tokio_rustls::rustls::pki_types::pem;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

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
    /// No answer to TLS.
    #[error("{0} takes the connection and does not answer in TLS")]
    SilentTls(String),
    /// A file for encryption cannot be read.
    #[error("{what} cannot be read from {path}")]
    File {
        /// What it should hold.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: pem::Error,
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
    /// The broker's certificate is wrong in another way.
    #[error("the broker's certificate cannot be accepted")]
    BadCertificate(#[source] rustls::Error),
    /// The broker wants to know who we are.
    #[error("the broker asks for a client certificate, and none is configured ({0:?})")]
    NoClientCertificate(AlertDescription),
    /// The broker does not take ours.
    #[error("the broker refuses this agent's certificate ({0:?})")]
    ClientCertificate(AlertDescription),
    /// Something else that the broker does not like about encryption.
    #[error("the broker refuses the encryption ({0:?})")]
    Alert(AlertDescription),
    /// It does not speak TLS, or hung up.
    #[error("the broker does not answer in TLS")]
    NoTls(#[source] io::Error),
    /// Something else about encryption.
    #[error("encryption with the broker failed")]
    Tls(#[source] io::Error),
    /// It wants encryption.
    #[error("the broker answers in TLS, and this agent does not encrypt")]
    WantsTls,
    /// Not a word.
    #[error("{0} takes the connection and hangs up without an answer")]
    Mute(String),
    /// The other side speaks something else.
    #[error("what answers at {0} is not an MQTT broker")]
    NoBroker(String),
    /// It speaks something else later on.
    #[error(transparent)]
    NotMqtt(#[from] NotMqtt),
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
                "set broker.tls.server_name to a name in the broker's certificate (its subjectAltName; a common name \
                 does not count)"
                    .into()
            }
            Self::WrongCa(_) => "set broker.tls.ca_file to the authority of the plant's broker".into(),
            Self::Expired => "have the broker's certificate renewed; check this machine's clock".into(),
            Self::NotYetValid => "set this machine's clock".into(),
            Self::BadCertificate(_) => {
                "have a certificate issued for the broker by the plant's authority: version 3, for servers, not the \
                 authority's own"
                    .into()
            }
            Self::NoClientCertificate(_) => {
                "have a client certificate issued, and set broker.tls.cert_file and broker.tls.key_file".into()
            }
            Self::ClientCertificate(_) => {
                "have a client certificate issued that the broker takes; see the broker's log".into()
            }
            Self::Alert(_) | Self::Tls(_) => {
                "see the broker's log; it must speak TLS 1.2 or 1.3 with a cipher of today".into()
            }
            Self::NoTls(_) | Self::SilentTls(_) => {
                "check broker.port, usually 8883 with TLS; set broker.tls.enabled = false only if the plant's broker \
                 does not encrypt"
                    .into()
            }
            Self::WantsTls => {
                "set broker.tls.enabled = true and broker.tls.ca_file, or check broker.port".into()
            }
            Self::Mute(_) | Self::NoBroker(_) | Self::NotMqtt(_) => {
                "check broker.port and broker.tls.enabled: both sides must encrypt, or neither; see the broker's log"
                    .into()
            }
            Self::Broken(_) => "nothing: it is tried again; if it stays so, see the broker's log".into(),
        }
    }

    /// What an error on a connection means.
    pub fn of(source: io::Error, broker: &Broker) -> Self {
        let inner = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(fault)) => match fault {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    Self::WrongCa(broker.tls.ca_file.clone())
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::NotYetValid
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Self::WrongName(server_name(broker).to_owned())
                }
                fault => Self::BadCertificate(rustls::Error::InvalidCertificate(fault.clone())),
            },
            Some(rustls::Error::AlertReceived(alert)) => Self::alert(*alert, broker),
            // What it sends is no TLS.
            Some(rustls::Error::InvalidMessage(_)) => Self::NoTls(source),
            Some(_) => Self::Tls(source),
            None => Self::Broken(source),
        }
    }

    fn alert(alert: AlertDescription, broker: &Broker) -> Self {
        use AlertDescription as A;
        let has_none = broker.tls.cert_file.as_os_str().is_empty();
        match alert {
            // A broker that wants a certificate ends TLS 1.2 with a mere failure of the handshake.
            A::CertificateRequired | A::HandshakeFailure if has_none => Self::NoClientCertificate(alert),
            A::CertificateRequired
            | A::HandshakeFailure
            | A::NoCertificate
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied => Self::ClientCertificate(alert),
            other => Self::Alert(other),
        }
    }
}
