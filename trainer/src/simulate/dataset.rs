//! Coils as a data set: `NAME-mean.npy`, `NAME-std.npy` and `NAME.csv`, in order of production.
//!
//! Both arrays are `uint16 [n, 264, 18]` in 0.01 g/m2 a side; a mean of 0 says that the gauge gave no reading. The
//! table has a row per coil: index, id, time of production, label, order data and length. What was really there lies
//! beside them ([`super::truth`]).

use std::path::Path;

use coilsight_models::coil::{CHUNKS, CoilMatrix, GAUGES};
use jiff::{SignedDuration, Timestamp};
use rayon::prelude::*;
use serde::Serialize;

use super::table::Table;
use super::truth::{Told, Truth};
use super::{Coil, Plan, SimulateError, Summary, coil};
use crate::data::npy::U16Writer;

/// Coils in work at a time: what bounds memory, with enough for many threads.
const BATCH: u64 = 128;

/// Writes the plan's coils into `folder`, which must exist, as `name-mean.npy`, `name-std.npy` and `name.csv`.
/// `progress` hears how many coils are done. Any number of threads writes the same bytes.
pub fn coils(
    plan: &Plan,
    folder: &Path,
    name: &str,
    progress: &dyn Fn(u64),
) -> Result<Summary, SimulateError> {
    plan.check(name)?;
    let mut files = Files::create(folder, name, plan.count)?;
    let mut before = None;
    for first in (0..plan.count).step_by(BATCH as usize) {
        let indices: Vec<u64> = (first..plan.count.min(first + BATCH)).collect();
        let batch: Vec<(Entry, Told, CoilMatrix)> = indices
            .into_par_iter()
            .map(|index| {
                let coil = coil(plan, index);
                (Entry::of(&coil), Told::of(&coil), coil.chunked().matrix)
            })
            .collect();
        for (mut entry, told, matrix) in batch {
            let start = plan.starts(&plan.place(entry.index), before)?;
            entry.produced_at = whole_seconds(start);
            before = Some((start, start + SignedDuration::from_secs(entry.duration_s)));
            files.push(&entry, &told, &matrix)?;
        }
        progress(files.summary.coils);
    }
    files.finish()
}

/// A row of the table.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entry {
    index: u64,
    coil_id: String,
    pub(super) produced_at: String,
    label: &'static str,
    nominal_g_m2: f64,
    tolerance_class: &'static str,
    width_mm: u32,
    length_m: f64,
    #[serde(skip)]
    pub(super) duration_s: i64,
}

impl Entry {
    /// Of a coil; when it was produced is filled in later.
    pub(super) fn of(coil: &Coil) -> Self {
        Self {
            index: coil.index,
            coil_id: coil.id.to_string(),
            produced_at: String::new(),
            label: if coil.nok { "NOK" } else { "OK" },
            nominal_g_m2: coil.order.nominal_g_m2(),
            tolerance_class: coil.order.tolerance_class().letter(),
            width_mm: coil.order.width_mm() as u32,
            length_m: coil.length_m,
            duration_s: coil.duration_s().ceil() as i64,
        }
    }
}

/// RFC 3339, UTC, without a fraction.
pub(super) fn whole_seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// The files of a set of coils.
pub(super) struct Files {
    mean: U16Writer,
    std: U16Writer,
    table: Table,
    truth: Truth,
    summary: Summary,
}

impl Files {
    pub(super) fn create(folder: &Path, name: &str, count: u64) -> Result<Self, SimulateError> {
        let shape = [count, CHUNKS as u64, GAUGES as u64];
        Ok(Self {
            table: Table::create(folder, name)?,
            truth: Truth::create(folder, name)?,
            mean: U16Writer::create(&folder.join(format!("{name}-mean.npy")), &shape)?,
            std: U16Writer::create(&folder.join(format!("{name}-std.npy")), &shape)?,
            summary: Summary::default(),
        })
    }

    pub(super) fn push(
        &mut self,
        entry: &Entry,
        told: &Told,
        matrix: &CoilMatrix,
    ) -> Result<(), SimulateError> {
        self.mean.push(matrix.mean())?;
        self.std.push(matrix.std())?;
        self.summary.coils += 1;
        self.summary.nok += u64::from(entry.label == "NOK");
        self.truth.push(told)?;
        self.table.push(entry)
    }

    pub(super) fn finish(self) -> Result<Summary, SimulateError> {
        self.mean.finish()?;
        self.std.finish()?;
        self.truth.finish()?;
        self.table.finish()?;
        Ok(self.summary)
    }
}
