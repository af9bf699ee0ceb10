//! What a person at the machine asks of a running agent: small files in a folder that only the agent's user may write.
//!
//! `NAME.request` (JSON, [`Wish`]) names a bundle beside it, if it brings one; the answer is `NAME.answer` ([`Reply`]).
//! A request appears by being renamed, so it is whole.

use crate::archive::Disk;
use crate::slots::copy;
use coilsight_models::bundle::Sha256;
use coilsight_models::message::model::Stage;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The folder, on the slots' disk.
pub const FOLDER: &str = "inbox";
/// The folder is looked into so often.
const EVERY: Duration = Duration::from_millis(500);
/// No request is longer, bytes.
const MAX_REQUEST: usize = 16 << 10;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Who asks, as far as the system knows.
    pub by: String,
    /// Why.
    pub why: String,
    /// What.
    pub command: Command,
}

/// What the agent is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Take this file in.
    Install {
        /// Its path, on the slots' disk: in the same folder.
        file: String,
    },
    /// Have the candidate decide.
    Activate {
        /// Which it was when this was asked for; another one is not activated in its place.
        fingerprint: Sha256,
    },
    /// Go back to the last good set.
    Rollback {
        /// Which it was when this was asked for.
        fingerprint: Sha256,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Whether it was done.
    pub done: bool,
    /// How far the bundle is.
    pub stage: Stage,
    /// In words.
    pub text: String,
}

/// The folder.
pub struct Inbox {
    disk: Arc<dyn Disk>,
    looked: Option<Instant>,
}

impl Inbox {
    /// On the slots' disk.
    pub(super) fn over(disk: &Arc<dyn Disk>) -> Self {
        Self { disk: Arc::clone(disk), looked: None }
    }

    /// Looks again at the next call, however soon that is.
    #[cfg(test)]
    pub(super) fn look_again(&mut self) {
        self.looked = None;
    }

    /// Removes what an earlier run left: whoever asked has given up, or asks again.
    pub(super) fn sweep(&self) {
        for file in self.disk.list(FOLDER).unwrap_or_default() {
            if let Err(error) = self.disk.remove(&format!("{FOLDER}/{file}")) {
                tracing::debug!(file, %error, "what is left in the inbox stays");
            }
        }
    }

    /// Requests that came since the last look, each with its name; they are taken.
    pub(super) fn wishes(&mut self) -> Vec<(String, Wish)> {
        if self.looked.is_some_and(|at| at.elapsed() < EVERY) {
            return Vec::new();
        }
        self.looked = Some(Instant::now());
        let mut wishes = Vec::new();
        for file in self.disk.list(FOLDER).unwrap_or_default() {
            let Some(name) = file.strip_suffix(".request") else { continue };
            let path = format!("{FOLDER}/{file}");
            let wish = self.read(&path);
            if let Err(error) = self.disk.remove(&path) {
                // It would be carried out again and again.
                tracing::error!(path, %error, "a request cannot be taken out of the inbox, so it is not heard");
                continue;
            }
            match wish {
                Ok(wish) => wishes.push((name.to_owned(), wish)),
                Err(why) => {
                    tracing::warn!(path, why, "a request in the inbox is not understood");
                    self.reply(name, &Reply { done: false, stage: Stage::Refused, text: why });
                }
            }
        }
        wishes
    }

    fn read(&self, path: &str) -> Result<Wish, String> {
        let mut bytes = vec![0; MAX_REQUEST + 1];
        let have =
            self.disk.open(path).and_then(|file| file.read_at(&mut bytes, 0)).map_err(|e| e.to_string())?;
        if have > MAX_REQUEST {
            return Err("the request is too long".into());
        }
        let wish: Wish = serde_json::from_slice(&bytes[..have]).map_err(|error| error.to_string())?;
        match &wish.command {
            Command::Install { file } if !is_inside(file) => Err("the bundle must lie in the inbox".into()),
            Command::Install { .. } | Command::Activate { .. } | Command::Rollback { .. } => Ok(wish),
        }
    }

    /// Answers a request. Whoever asked may be gone: then the answer stays until the next one of that name.
    pub(super) fn reply(&self, name: &str, reply: &Reply) {
        let (temporary, path) = (format!("{FOLDER}/{name}.tmp"), format!("{FOLDER}/{name}.answer"));
        let bytes = serde_json::to_vec(reply).expect("a reply becomes JSON");
        let _ = self.disk.remove(&temporary);
        let written = self.disk.create(&temporary).and_then(|file| file.write_at(&bytes, 0));
        if let Err(error) = written.and_then(|()| self.disk.rename(&temporary, &path)) {
            tracing::warn!(path, %error, "a request cannot be answered");
        }
    }

    /// Copies a file from anywhere into the inbox, durably; says where.
    pub(super) fn bring(&self, from: &Path) -> io::Result<String> {
        let path = format!("{FOLDER}/factory.coilbundle");
        copy(self.disk.as_ref(), std::fs::File::open(from)?, &path)?;
        Ok(path)
    }
}

/// Whether a path names a bundle in the inbox, and nothing elsewhere.
fn is_inside(file: &str) -> bool {
    let name = file.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/'));
    name.is_some_and(|name| {
        name.ends_with(".coilbundle")
            && !name.starts_with('.')
            && !name.contains(['/', '\0'])
            && name.len() <= 128
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_inbox_is_named() {
        assert!(is_inside("inbox/a-1.coilbundle"));
        for bad in [
            "a.coilbundle",
            "inbox/../store/a.coilbundle",
            "inbox/.coilbundle",
            "/inbox/a.coilbundle",
            "inbox/a",
            "inboxa.coilbundle",
            "inbox/",
        ] {
            assert!(!is_inside(bad), "{bad}");
        }
    }
}
