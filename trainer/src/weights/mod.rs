//! Weights of others: where they are had, how their files are read, and how they get into a network.
//!
//! [`obtain`] turns what a user named (an entry of the [`catalogue`] or a file) into a [`Checkpoint`] and its
//! [`Origin`]; [`load()`] puts it into a network. Nothing is fetched but by `coilsight-trainer weights fetch`.

pub mod cache;
pub mod catalogue;
pub mod checkpoint;
pub mod error;
pub mod fetch;
pub mod load;
pub mod origin;
pub mod wheel;

pub use cache::Cache;
pub use checkpoint::{Checkpoint, Kind};
pub use error::WeightsError;
pub use load::{Loaded, Rules, load};
pub use origin::Origin;

use catalogue::{CATALOGUE, Entry, Package};
use std::io::Read;
use std::path::Path;

/// The weights that `spec` names: an entry of the catalogue, which must have been fetched, or a file. Of a
/// file, `licence` is what the user says of its licence.
pub fn obtain(
    spec: &str,
    licence: Option<&str>,
    cache: &Cache,
) -> Result<(Checkpoint, Origin), WeightsError> {
    let Some(entry) = Entry::find(spec) else {
        let path = Path::new(spec);
        if !path.exists() {
            return Err(WeightsError::Unknown { name: spec.into(), known: catalogue::names() });
        }
        let checkpoint = Checkpoint::read(path)?;
        let origin = origin_of_file(path, &checkpoint, licence);
        return Ok((checkpoint, origin));
    };
    let package = entry.package()?;
    let origin = origin_in_catalogue(entry, package);
    let not_here = || WeightsError::NotHere { name: spec.into(), cache: cache.folder().to_owned() };
    let checkpoint = Checkpoint::read(&cache.find(package).ok_or_else(not_here)?)?;
    if checkpoint.sha256 != package.sha256 {
        let (what, found) = (package.file().into(), checkpoint.sha256);
        return Err(WeightsError::Hash { what, expected: package.sha256, found });
    }
    Ok((checkpoint, origin))
}

/// Where a file's weights came from. One of the catalogue's is known by its hash, wherever it lies.
fn origin_of_file(path: &Path, checkpoint: &Checkpoint, licence: Option<&str>) -> Origin {
    let mut packages = CATALOGUE.iter().filter_map(|entry| Some((entry, entry.package().ok()?)));
    if let Some((entry, package)) = packages.find(|(_, package)| package.sha256 == checkpoint.sha256) {
        return origin_in_catalogue(entry, package);
    }
    Origin::File {
        name: path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        kind: checkpoint.kind,
        sha256: checkpoint.sha256.clone(),
        licence: licence.map(Into::into),
        licence_in_file: checkpoint.says.get("license").cloned(),
    }
}

fn origin_in_catalogue(entry: &Entry, package: &Package) -> Origin {
    Origin::Catalogue {
        name: entry.name.into(),
        title: entry.title.into(),
        package: package.package.into(),
        version: package.version.into(),
        sha256: package.sha256.into(),
        licence: entry.licence.into(),
    }
}

/// A file's bytes, `limit` of them at most.
pub(crate) fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, WeightsError> {
    let read = || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes =
        read().map_err(|source| WeightsError::File { what: "read", path: path.to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(WeightsError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod tests;
