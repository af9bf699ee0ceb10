//! How the page is served.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// How the page is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether there is a page at all.
    pub enabled: bool,
    /// Where it listens. Beyond this machine, put a server with TLS before it: codes and words travel in the clear.
    pub listen: SocketAddr,
    /// Names, beside this machine's own, by which browsers may ask for it.
    pub hosts: Vec<String>,
    /// The roster: who may say what a coil is.
    pub operators: PathBuf,
    /// A login lasts so long, hours.
    pub shift_hours: u32,
    /// Whether this is the demo: the page says so.
    #[serde(skip)]
    pub demo: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 8480)),
            hosts: Vec::new(),
            operators: "/etc/coilsight/operators.json".into(),
            shift_hours: 10,
            demo: false,
        }
    }
}
