//! How the plant's broker is reached from a workstation.

use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The variable that holds the password at the broker.
pub const PASSWORD: &str = "COILSIGHT_BROKER_PASSWORD";
/// No password file is longer, bytes.
const MAX_PASSWORD: u64 = 4096;

/// Where the broker is and who we are there.
#[derive(Clone, Debug, clap::Args)]
pub struct Broker {
    /// The plant's broker; usual ports are 1883, and with --ca 8883.
    #[arg(long = "broker", value_name = "HOST[:PORT]")]
    pub address: String,
    /// Encrypt, and believe the authorities in this file (PEM).
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// This workstation's certificate (PEM), if the broker asks for one.
    #[arg(long, value_name = "FILE", requires_all = ["key_file", "ca"])]
    pub cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key_file: Option<PathBuf>,
    /// The user at the broker; the password stands in `COILSIGHT_BROKER_PASSWORD` or in --password-file.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// A file with the user's password in its first line.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
}

impl Broker {
    /// Name or address, and port.
    pub fn host_and_port(&self) -> anyhow::Result<(&str, u16)> {
        let usual = if self.ca.is_some() { 8883 } else { 1883 };
        let address = self.address.as_str();
        // [::1]:1883, ::1, host:1883, host
        let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => match address.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') => (host, Some(port)),
                _ => (address, None),
            },
        };
        let bad = || format!("--broker takes HOST or HOST:PORT, not {address:?}");
        let port = port.map_or(Ok(usual), str::parse).with_context(bad)?;
        ensure!(!host.is_empty() && port > 0, bad());
        Ok((host, port))
    }

    /// User name and password, if there is a user.
    pub fn login(&self) -> anyhow::Result<Option<(String, String)>> {
        let Some(user) = &self.user else { return Ok(None) };
        let password = match &self.password_file {
            Some(file) => first_line(file)
                .with_context(|| format!("the password cannot be read from {}", file.display()))?,
            None => std::env::var(PASSWORD).with_context(|| {
                format!("put the password of {user} into {PASSWORD}, or name a file with --password-file")
            })?,
        };
        Ok(Some((user.clone(), password)))
    }

    /// What the files give for encryption, if it is asked for.
    pub fn encryption(&self) -> anyhow::Result<Option<ClientConfig>> {
        let Some(ca) = &self.ca else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates(ca)?);
        ensure!(added > 0, "there is no authority's certificate in {}", ca.display());
        let provider = std::sync::Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let Some((cert, key)) = self.cert.as_ref().zip(self.key_file.as_ref()) else {
            return Ok(Some(builder.with_no_client_auth()));
        };
        let key_read = PrivateKeyDer::from_pem_file(key)
            .with_context(|| format!("no private key can be read from {}", key.display()))?;
        let config = builder.with_client_auth_cert(certificates(cert)?, key_read);
        Ok(Some(config.with_context(|| {
            format!(
                "the certificate in {} and the key in {} cannot be used together",
                cert.display(),
                key.display()
            )
        })?))
    }
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let cannot = || format!("no certificates can be read from {}", path.display());
    let read = CertificateDer::pem_file_iter(path).with_context(cannot)?;
    read.collect::<Result<_, _>>().with_context(cannot)
}

fn first_line(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_PASSWORD).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(address: &str) -> Broker {
        let (ca, cert, key_file, user, password_file) = (None, None, None, None, None);
        Broker { address: address.into(), ca, cert, key_file, user, password_file }
    }

    #[test]
    fn an_address_may_leave_the_port_out() {
        let read = |address: &str| broker(address).host_and_port().map(|(h, p)| (h.to_owned(), p)).ok();
        assert_eq!(read("broker.plant"), Some(("broker.plant".into(), 1883)));
        assert_eq!(read("10.0.0.1:18"), Some(("10.0.0.1".into(), 18)));
        assert_eq!(read("[::1]:18"), Some(("::1".into(), 18)));
        assert_eq!(read("::1"), Some(("::1".into(), 1883)));
        for bad in ["", ":1883", "a:b", "a:0", "a:70000"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        let encrypted = Broker { ca: Some("ca.pem".into()), ..broker("b") };
        assert_eq!(encrypted.host_and_port().unwrap().1, 8883);
    }

    #[test]
    fn the_password_comes_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p");
        std::fs::write(&file, "secret\nmore\n").unwrap();
        assert_eq!(broker("b").login().unwrap(), None);
        let user = Broker { user: Some("kim".into()), password_file: Some(file), ..broker("b") };
        assert_eq!(user.login().unwrap(), Some(("kim".into(), "secret".into())));
        let missing = Broker { password_file: Some("/nowhere/p".into()), ..user };
        assert!(format!("{:#}", missing.login().unwrap_err()).contains("/nowhere/p"));
    }

    #[test]
    fn files_that_hold_no_certificate_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "nothing").unwrap();
        let encrypted = Broker { ca: Some(file), ..broker("b") };
        assert!(encrypted.encryption().unwrap_err().to_string().contains("ca.pem"));
        assert!(broker("b").encryption().unwrap().is_none());
    }
}
