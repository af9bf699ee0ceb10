//! How the broker is reached.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// The broker's part of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Broker {
    /// Name or address.
    pub host: String,
    /// Port; usually 1883, with TLS 8883.
    pub port: u16,
    /// The sessions' names at the broker, and with them what it keeps while the agent is away: `ID` for the line,
    /// `ID-words` for feedback, `ID-models` for bundles. Two agents must not share one.
    pub client_id: String,
    /// User name; empty for none.
    pub username: String,
    /// File that holds the password in its first line; empty for none. Under systemd a credential named
    /// `broker-password` is used if this is empty.
    pub password_file: PathBuf,
    /// Encryption.
    pub tls: Tls,
    /// The connection counts as lost after one and a half times this without a sign of life, s.
    pub keep_alive_s: u16,
    /// The longest wait between two tries to connect, s.
    pub longest_wait_s: u64,
    /// Hear one's own status and decisions back, to notice a broker that takes them and throws them away.
    pub check_echo: bool,
}

/// Encryption on the way to the broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Whether to encrypt.
    pub enabled: bool,
    /// Certificates of the authorities that are believed, PEM.
    pub ca_file: PathBuf,
    /// The name in the broker's certificate; empty: `host`.
    pub server_name: String,
    /// This agent's certificate chain, PEM; empty for none.
    pub cert_file: PathBuf,
    /// Its private key, PEM; empty for none.
    pub key_file: PathBuf,
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: 1883,
            client_id: "coilsight-gl2".into(),
            username: String::new(),
            password_file: PathBuf::new(),
            tls: Tls::default(),
            keep_alive_s: 30,
            longest_wait_s: 30,
            check_echo: true,
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            enabled: false,
            ca_file: "/etc/ssl/certs/ca-certificates.crt".into(),
            server_name: String::new(),
            cert_file: PathBuf::new(),
            key_file: PathBuf::new(),
        }
    }
}

/// What is wrong with the broker's part.
#[derive(Debug, thiserror::Error)]
pub enum BadBroker {
    /// Not what MQTT allows.
    #[error("broker.client_id must be 1 to 60 letters, digits, `-` or `_`, not {0:?}")]
    ClientId(String),
    /// Nowhere to connect to.
    #[error("broker.host is empty: name the plant's broker")]
    Host,
    /// Too short or too long.
    #[error("broker.keep_alive_s must be 5 to 600, not {0}")]
    KeepAlive(u16),
    /// Half a key pair.
    #[error("broker.tls.cert_file and broker.tls.key_file belong together: give both or none")]
    HalfAPair,
    /// The password file.
    #[error("the broker's password cannot be read from {path}: see broker.password_file")]
    Password {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A password without a user.
    #[error("there is a password for the broker but no broker.username")]
    NoUser,
}

/// No password is longer, bytes.
const MAX_PASSWORD: u64 = 4096;

impl Broker {
    /// Whether it makes sense.
    pub fn check(&self) -> Result<(), BadBroker> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if self.host.trim().is_empty() {
            return Err(BadBroker::Host);
        }
        if self.client_id.is_empty() || self.client_id.len() > 60 || !self.client_id.chars().all(fine) {
            return Err(BadBroker::ClientId(self.client_id.clone()));
        }
        if !(5..=600).contains(&self.keep_alive_s) {
            return Err(BadBroker::KeepAlive(self.keep_alive_s));
        }
        if self.tls.cert_file.as_os_str().is_empty() != self.tls.key_file.as_os_str().is_empty() {
            return Err(BadBroker::HalfAPair);
        }
        Ok(())
    }

    /// User name and password, if there is a user. `credentials` is systemd's folder of them, if there is one.
    pub fn login(&self, credentials: Option<PathBuf>) -> Result<Option<(String, String)>, BadBroker> {
        let file = if self.password_file.as_os_str().is_empty() {
            credentials.map(|folder| folder.join("broker-password")).filter(|file| file.exists())
        } else {
            Some(self.password_file.clone())
        };
        let password = match file {
            None => String::new(),
            Some(path) => first_line(&path).map_err(|source| BadBroker::Password { path, source })?,
        };
        match (self.username.is_empty(), password.is_empty()) {
            (true, true) => Ok(None),
            (true, false) => Err(BadBroker::NoUser),
            (false, _) => Ok(Some((self.username.clone(), password))),
        }
    }

    /// Time between signs of life.
    pub fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive_s.into())
    }

    /// `host:port`, for people.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

fn first_line(path: &std::path::Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_PASSWORD).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        assert!(Broker::default().check().is_ok());
        let bad = |change: fn(&mut Broker)| {
            let mut broker = Broker::default();
            change(&mut broker);
            broker.check().unwrap_err().to_string()
        };
        assert!(bad(|b| b.host = " ".into()).contains("broker.host"));
        assert!(bad(|b| b.client_id = "a b".into()).contains("client_id"));
        assert!(bad(|b| b.keep_alive_s = 1).contains("keep_alive_s"));
        assert!(bad(|b| b.tls.key_file = "x".into()).contains("cert_file"));
    }

    #[test]
    fn the_password_comes_from_a_file_or_a_credential() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("broker-password"), "secret\n").unwrap();
        let broker = Broker { username: "u".into(), ..Broker::default() };
        let login = |b: &Broker, folder: Option<&std::path::Path>| b.login(folder.map(Into::into));
        assert_eq!(login(&broker, None).unwrap(), Some(("u".into(), String::new())));
        assert_eq!(login(&broker, Some(folder.path())).unwrap(), Some(("u".into(), "secret".into())));
        assert!(matches!(login(&Broker::default(), Some(folder.path())), Err(BadBroker::NoUser)));
        let missing = Broker { password_file: "/nowhere/p".into(), ..broker };
        assert!(login(&missing, None).unwrap_err().to_string().contains("/nowhere/p"));
    }
}
