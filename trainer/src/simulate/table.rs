//! A CSV file that says where it could not be written.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::SimulateError;

/// A table that is being written.
pub(super) struct Table {
    out: csv::Writer<BufWriter<File>>,
    path: PathBuf,
}

impl Table {
    /// `FOLDER/NAME.csv`.
    pub(super) fn create(folder: &Path, name: &str) -> Result<Self, SimulateError> {
        let path = folder.join(format!("{name}.csv"));
        let file =
            File::create(&path).map_err(|source| SimulateError::Write { path: path.clone(), source })?;
        Ok(Self { out: csv::Writer::from_writer(BufWriter::new(file)), path })
    }

    /// A row; the first one's field names, where it has some, become the heading.
    pub(super) fn push(&mut self, row: &impl Serialize) -> Result<(), SimulateError> {
        let wrote = self.out.serialize(row);
        wrote.map_err(|source| SimulateError::Table { path: self.path.clone(), source })
    }

    pub(super) fn finish(mut self) -> Result<(), SimulateError> {
        self.out.flush().map_err(|source| SimulateError::Write { path: self.path, source })
    }
}
