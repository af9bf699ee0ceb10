//! Pictures of surfaces from a folder for each class: read with limits, made grey and of one size.

use super::decode::decode;
use super::error::OneShotError;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes of a file at most.
pub const MAX_FILE: u64 = 16 << 20;
/// Classes, and files in a class, at most.
const MAX_CLASSES: usize = 256;
const MAX_FILES: usize = 20_000;
/// The longest name of a class.
pub const MAX_NAME: usize = 64;
/// Side of the pictures that are kept, pixels; those of the NEU database have it.
pub const SIDE: usize = 200;

/// A grey picture, [`SIDE`] x [`SIDE`], row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Class, by its place among [`Pictures::classes`].
    pub class: usize,
    /// Folder and file, for messages.
    pub name: String,
    /// Brightness 0 to 255.
    pub pixels: Vec<u8>,
}

/// All pictures of a folder: by class, then by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    /// Names of the classes, sorted.
    pub classes: Vec<String>,
    /// The pictures, sorted.
    pub all: Vec<Picture>,
}

impl Pictures {
    /// Reads every picture of every class below `folder`. Hidden files are passed over; anything else that is no picture is an
    /// error, for a picture that silently lacks would change every figure.
    pub fn read(folder: &Path) -> Result<Self, OneShotError> {
        let mut classes: Vec<(String, PathBuf)> = Vec::new();
        for path in listed(folder, MAX_CLASSES)?.into_iter().filter(|path| path.is_dir()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            check_name(&name)?;
            classes.push((name, path));
        }
        if classes.len() < 2 {
            let found = format!("{} folder{}", classes.len(), if classes.len() == 1 { "" } else { "s" });
            return Err(OneShotError::NoClasses { path: folder.to_owned(), found });
        }
        let mut files = Vec::new();
        for (class, (_, folder)) in classes.iter().enumerate() {
            let here = listed(folder, MAX_FILES)?;
            if here.is_empty() {
                return Err(OneShotError::NoClasses { path: folder.clone(), found: "no pictures".into() });
            }
            files.extend(here.into_iter().map(|path| (class, path)));
        }
        let read = |(class, path): (usize, PathBuf)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{}/{name}", classes[class].0);
            Ok(Picture { class, name, pixels: read_picture(&path)? })
        };
        let all = files.into_par_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { classes: classes.into_iter().map(|(name, _)| name).collect(), all })
    }

    /// The places of classes by their names.
    pub fn places<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<usize>, OneShotError> {
        let place = |name: &S| {
            let unknown =
                || OneShotError::UnknownClass { name: name.as_ref().to_owned(), known: self.classes.clone() };
            self.classes.iter().position(|class| class == name.as_ref()).ok_or_else(unknown)
        };
        names.iter().map(place).collect()
    }

    /// The pictures of a class, by their places.
    pub fn of(&self, class: usize) -> Vec<usize> {
        (0..self.all.len()).filter(|at| self.all[*at].class == class).collect()
    }

    /// Class of every picture.
    pub fn labels(&self) -> Vec<usize> {
        self.all.iter().map(|picture| picture.class).collect()
    }

    /// SHA-256 of names and pixels: what was computed of other pictures is not taken for these.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for picture in &self.all {
            hash.update((picture.name.len() as u64).to_le_bytes());
            hash.update(picture.name.as_bytes());
            hash.update(&picture.pixels);
        }
        hash.finalize().into()
    }
}

/// Whether a class may be called so; names become folders of a library.
pub fn check_name(name: &str) -> Result<(), OneShotError> {
    let fits = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
    let good = name.chars().next().is_some_and(char::is_alphanumeric) && name.chars().all(fits);
    if good && name.len() <= MAX_NAME {
        return Ok(());
    }
    Err(OneShotError::Name { name: name.chars().take(MAX_NAME).collect(), limit: MAX_NAME })
}

/// A picture's pixels: grey, its middle square, [`SIDE`] x [`SIDE`].
pub fn read_picture(path: &Path) -> Result<Vec<u8>, OneShotError> {
    let file = |source| OneShotError::File { what: "read", path: path.to_owned(), source };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(file)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(OneShotError::TooLarge { path: path.to_owned(), limit: MAX_FILE });
    }
    decode(&bytes, path)
}

/// What a folder holds, sorted, without what is hidden.
fn listed(folder: &Path, limit: usize) -> Result<Vec<PathBuf>, OneShotError> {
    let failed = |source| OneShotError::File { what: "list the folder", path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry: io::Result<std::fs::DirEntry> = entry;
        let path = entry.map_err(failed)?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if paths.len() == limit {
            return Err(OneShotError::TooMany { path: folder.to_owned(), limit });
        }
        paths.push(path);
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
#[path = "pictures/tests.rs"]
mod tests;
