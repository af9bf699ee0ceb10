//! All cells of a study, none missing, none of another.

use super::cell::{Bench, Done, FOLDER};
use super::plan::{Cell, Plan};
use super::store::Store;
use anyhow::ensure;
use std::collections::{BTreeSet, HashMap};

/// The cells of each configuration, in the plan's order of folds, by the digest of its settings.
pub type Gathered = HashMap<String, Vec<Done>>;

/// Reads them; refuses a store that lacks cells, has others, or was filled by different versions of the trainer.
pub fn gather(plan: &Plan, bench: &Bench, store: &Store) -> anyhow::Result<Gathered> {
    let cells = plan.cells();
    let names: HashMap<String, &Cell> =
        cells.iter().map(|cell| (bench.name(cell).trim_start_matches("cells/").to_owned(), cell)).collect();
    let there: BTreeSet<String> = store.list(FOLDER)?.into_iter().collect();
    let missing: Vec<&Cell> =
        cells.iter().filter(|c| !there.contains(bench.name(c).trim_start_matches("cells/"))).collect();
    ensure!(
        missing.is_empty(),
        "{} of {} cells are missing in the store {}, the first of {}: run `coilsight-trainer study` (all shards of it) until \
         they are there",
        missing.len(),
        cells.len(),
        store.name(),
        missing.first().map_or(String::new(), |cell| plan.path(cell))
    );
    let foreign: Vec<&String> = there.iter().filter(|name| !names.contains_key(*name)).collect();
    ensure!(
        foreign.is_empty(),
        "{} objects in the store {} are not of this study with these coils (the first is {FOLDER}/{}): give each study a store \
         of its own, or remove them",
        foreign.len(),
        store.name(),
        foreign[0]
    );
    let mut gathered = Gathered::new();
    let mut version: Option<String> = None;
    for cell in &cells {
        let done = bench.find(store, cell)?;
        let done = done.ok_or_else(|| anyhow::anyhow!("the cell of {} has just gone", plan.path(cell)))?;
        ensure!(
            done.data_sha256 == bench.data_sha256()
                && done.fold == cell.fold.name()
                && done.repeat == cell.repeat,
            "{} in the store {} says that it is another cell: remove it, and it is computed again",
            bench.name(cell),
            store.name()
        );
        let first = version.get_or_insert_with(|| done.trainer.clone());
        ensure!(
            *first == done.trainer,
            "the cells of the store {} are mixed: some were computed by trainer {first}, others by {} ({}): remove those of one \
             of them",
            store.name(),
            done.trainer,
            bench.name(cell)
        );
        gathered.entry(plan.configuration(cell).digest()).or_default().push(done);
    }
    Ok(gathered)
}
