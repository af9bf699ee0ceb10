//! A set of labelled coils: `NAME-mean.npy`, `NAME-std.npy` (`[n][264][18]`, 0.01 g/m2) and `NAME.csv`.

use super::npy::{self, NpyError, U16Writer};
use coilsight_models::coil::{CELLS, CHUNKS, CoilId, CoilMatrix, GAUGES, Order, OrderFault};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Most coils of a set: fifty years of a line.
pub const MAX_COILS: usize = 1_000_000;

/// A coil with what an inspector said of it.
#[derive(Clone, Debug)]
pub struct LabelledCoil {
    /// Its name.
    pub id: CoilId,
    /// When it was made, as its file says; in order of time.
    pub produced_at: String,
    /// Its coating.
    pub matrix: CoilMatrix,
    /// What was ordered, if it makes sense.
    pub order: Option<Order>,
    /// Length of the strip, m.
    pub length_m: f64,
    /// Whether the inspector said NOK.
    pub nok: bool,
}

impl LabelledCoil {
    /// The tolerance class as a letter, `?` if it is not known.
    pub fn class(&self) -> char {
        self.order.map_or('?', |order| order.tolerance_class().letter().chars().next().unwrap_or('?'))
    }
}

/// A set of coils, in order of production.
#[derive(Clone, Debug)]
pub struct CoilSet {
    /// Its name.
    pub name: String,
    /// The coils.
    pub coils: Vec<LabelledCoil>,
}

/// What is wrong with a set's files.
#[derive(Debug, thiserror::Error)]
pub enum CoilSetError {
    /// One of the arrays.
    #[error("the set's matrices cannot be read")]
    Npy(#[from] NpyError),
    /// The table.
    #[error("{} cannot be read: give a table with the columns of the data description", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: csv::Error,
    },
    /// A row of the table that makes no sense.
    #[error("{} row {row} ({coil}): {what}; correct it or take the coil out of all three files", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Counted from 1, without the heading.
        row: usize,
        /// Its coil.
        coil: String,
        /// What is wrong.
        what: String,
    },
    /// Arrays and table of unlike length.
    #[error("set {name} has {rows} rows in its table and {matrices} matrices: they must be as many")]
    Length {
        /// The set.
        name: String,
        /// Rows of the table.
        rows: usize,
        /// Matrices.
        matrices: usize,
    },
    /// Too large to be meant.
    #[error("{} has more than {MAX_COILS} coils: split the set", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
    },
}

/// The table's columns.
const COLUMNS: [&str; 8] =
    ["index", "coil_id", "produced_at", "label", "nominal_g_m2", "tolerance_class", "width_mm", "length_m"];

#[derive(Deserialize)]
struct Row {
    coil_id: String,
    #[serde(default)]
    produced_at: String,
    label: String,
    nominal_g_m2: f64,
    tolerance_class: String,
    width_mm: f64,
    length_m: f64,
}

impl CoilSet {
    /// Reads set `name` of a folder.
    pub fn load(folder: &Path, name: &str) -> Result<Self, CoilSetError> {
        let path = folder.join(format!("{name}.csv"));
        let csv = |source| CoilSetError::Csv { path: path.clone(), source };
        let mut table = csv::Reader::from_path(&path).map_err(csv)?;
        let mut rows: Vec<Row> = Vec::new();
        for row in table.deserialize() {
            rows.push(row.map_err(csv)?);
            if rows.len() > MAX_COILS {
                return Err(CoilSetError::TooMany { path });
            }
        }
        let shape = [None, Some(CHUNKS as u64), Some(GAUGES as u64)];
        let mean = npy::read_u16(&folder.join(format!("{name}-mean.npy")), &shape)?;
        let std = npy::read_u16(&folder.join(format!("{name}-std.npy")), &shape)?;
        let matrices = mean.len() / CELLS;
        if rows.len() != matrices || mean.len() != std.len() {
            return Err(CoilSetError::Length { name: name.into(), rows: rows.len(), matrices });
        }
        let cells = mean.chunks_exact(CELLS).zip(std.chunks_exact(CELLS));
        let coils = rows
            .into_iter()
            .zip(cells)
            .enumerate()
            .map(|(i, (row, (mean, std)))| {
                let coil = row.coil_id.clone();
                labelled(row, mean, std).map_err(|what| CoilSetError::Row {
                    path: path.clone(),
                    row: i + 1,
                    coil,
                    what,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { name: name.into(), coils })
    }

    /// Writes the set as [`Self::load`] reads it. Only coils with order data can be told in the table.
    pub fn save(&self, folder: &Path) -> Result<(), CoilSetError> {
        let coils: Vec<(&LabelledCoil, Order)> =
            self.coils.iter().filter_map(|coil| Some((coil, coil.order?))).collect();
        let path = folder.join(format!("{}.csv", self.name));
        let csv = |source| CoilSetError::Csv { path: path.clone(), source };
        let mut table = csv::Writer::from_path(&path).map_err(csv)?;
        table.write_record(COLUMNS).map_err(csv)?;
        let shape = [coils.len() as u64, CHUNKS as u64, GAUGES as u64];
        let array = |kind: &str| U16Writer::create(&folder.join(format!("{}-{kind}.npy", self.name)), &shape);
        let (mut mean, mut std) = (array("mean")?, array("std")?);
        for (index, (coil, order)) in coils.iter().enumerate() {
            mean.push(coil.matrix.mean())?;
            std.push(coil.matrix.std())?;
            table
                .write_record([
                    index.to_string().as_str(),
                    coil.id.as_str(),
                    coil.produced_at.as_str(),
                    if coil.nok { "NOK" } else { "OK" },
                    order.nominal_g_m2().to_string().as_str(),
                    order.tolerance_class().letter(),
                    order.width_mm().to_string().as_str(),
                    coil.length_m.to_string().as_str(),
                ])
                .map_err(csv)?;
        }
        mean.finish()?;
        std.finish()?;
        table.flush().map_err(|source| csv(source.into()))
    }

    /// Coils that are NOK.
    pub fn nok(&self) -> usize {
        self.coils.iter().filter(|coil| coil.nok).count()
    }

    /// SHA-256 over every coil's content and label: what a run says it was trained on.
    pub fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for coil in &self.coils {
            hash.update(coil.matrix.content_hash());
            hash.update([u8::from(coil.nok)]);
        }
        hash.finalize().into()
    }
}

fn labelled(row: Row, mean: &[u16], std: &[u16]) -> Result<LabelledCoil, String> {
    let nok = match row.label.as_str() {
        "OK" => false,
        "NOK" => true,
        other => return Err(format!("its label is {other:?}, neither OK nor NOK")),
    };
    let order = || -> Result<Order, OrderFault> {
        Order::new(row.nominal_g_m2, row.tolerance_class.parse()?, row.width_mm)
    };
    Ok(LabelledCoil {
        id: CoilId::new(row.coil_id).map_err(|error| error.to_string())?,
        produced_at: row.produced_at,
        matrix: CoilMatrix::from_hundredths(mean.to_vec(), std.to_vec())
            .map_err(|error| error.to_string())?,
        order: order().ok(),
        length_m: row.length_m,
        nok,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use coilsight_models::coil::ToleranceClass;

    fn set() -> CoilSet {
        let coil = |i: u16| LabelledCoil {
            id: CoilId::new(format!("X-{i}")).unwrap(),
            produced_at: "2026-01-05T06:00:00Z".into(),
            matrix: CoilMatrix::from_hundredths(vec![7000 + i; CELLS], vec![i; CELLS]).unwrap(),
            order: Order::new(70.0, ToleranceClass::B, 1250.0).ok(),
            length_m: 900.5,
            nok: i == 2,
        };
        CoilSet { name: "some".into(), coils: (0..3).map(coil).collect() }
    }

    #[test]
    fn a_set_comes_back_as_it_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        set().save(folder.path()).unwrap();
        let read = CoilSet::load(folder.path(), "some").unwrap();
        assert_eq!((read.sha256(), read.nok()), (set().sha256(), 1));
        assert_eq!(read.coils[1].order, set().coils[1].order);
        assert_eq!((read.coils[2].class(), read.coils[2].length_m), ('B', 900.5));
    }

    #[test]
    fn damaged_sets_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        set().save(folder.path()).unwrap();
        let table = folder.path().join("some.csv");
        let text = std::fs::read_to_string(&table).unwrap();
        for (from, to, wanted) in [
            ("X-1", "<b>", "row 2"),
            (",NOK,", ",BAD,", "neither OK nor NOK"),
            ("2,X-2", "2,X-2\n3,X-3", "cannot be read"),
        ] {
            assert!(text.contains(from));
            std::fs::write(&table, text.replacen(from, to, 1)).unwrap();
            let error = CoilSet::load(folder.path(), "some").unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        std::fs::write(&table, text.lines().take(3).collect::<Vec<_>>().join("\n")).unwrap();
        assert!(matches!(CoilSet::load(folder.path(), "some"), Err(CoilSetError::Length { .. })));
    }
}
