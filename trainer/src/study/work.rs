//! The cells of a shard, one after the other; those that are done are left alone.

use super::cell::Bench;
use super::plan::{Cell, Plan};
use super::store::Store;
use crate::fit::EpochReport;
use anyhow::{bail, ensure};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Part I of N of a study's cells, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// I.
    pub number: usize,
    /// N.
    pub of: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { number: 1, of: 1 }
    }
}

impl std::str::FromStr for Shard {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts = text.split_once('/').map(|(number, of)| (number.parse(), of.parse()));
        match parts {
            Some((Ok(number), Ok(of))) if (1..=of).contains(&number) && of <= 100_000 => {
                Ok(Self { number, of })
            }
            _ => bail!("the shard {text} is not usable: give I/N, as 1/3, 2/3 and 3/3 for three machines"),
        }
    }
}

impl Shard {
    /// Its cells. Neighbours fall into different shards, so that each has its share of large and small networks.
    pub fn cells(self, plan: &Plan) -> Vec<Cell> {
        plan.cells().into_iter().skip(self.number - 1).step_by(self.of).collect()
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// Cells done of the shard, and those that it has.
    Cells(usize, usize),
    /// An epoch of a cell is over.
    Epoch(&'a Cell, &'a EpochReport),
    /// Coils that frozen stages have made ready, of how many.
    Kept(usize, usize),
}

/// Computes the cells that are missing; `progress` may break off after any epoch.
pub fn work(
    plan: &Plan,
    bench: &mut Bench,
    store: &Store,
    shard: Shard,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> anyhow::Result<usize> {
    let cells = shard.cells(plan);
    ensure!(!cells.is_empty(), "the shard {}/{} has no cells: the study has fewer", shard.number, shard.of);
    let there: HashSet<String> = store.list(super::cell::FOLDER)?.into_iter().collect();
    let is_there = |cell: &Cell| there.contains(bench.name(cell).trim_start_matches("cells/"));
    let (finished, missing): (Vec<Cell>, Vec<Cell>) = cells.iter().copied().partition(is_there);
    // Whoever was killed after a cell was put into the store had no time to clear away.
    finished.iter().try_for_each(|cell| bench.clear(cell))?;
    let mut done = cells.len() - missing.len();
    let _ = progress(Progress::Cells(done, cells.len()));
    for cell in &missing {
        let shared = std::cell::RefCell::new(&mut *progress);
        let mut observer = |report: &EpochReport| (shared.borrow_mut())(Progress::Epoch(cell, report));
        let mut keeping = |ready, of| {
            // What is kept stays: breaking off waits for the next epoch.
            let _ = (shared.borrow_mut())(Progress::Kept(ready, of));
        };
        bench.work(store, cell, &mut observer, &mut keeping)?;
        done += 1;
        let _ = progress(Progress::Cells(done, cells.len()));
    }
    Ok(missing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_read_and_senseless_ones_refused() {
        assert_eq!("2/3".parse::<Shard>().unwrap(), Shard { number: 2, of: 3 });
        for wrong in ["0/3", "4/3", "3", "a/b", "1/", "1/0", "1/999999999"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
