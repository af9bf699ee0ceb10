//! A study's end: results from its cells, the best of each school trained on all coils, and one look at gold.

use super::assess::{Assessed, Resampling, days};
use super::cell::Bench;
use super::compare::{best, compare, correct};
use super::gather::{Gathered, gather};
use super::plan::{Plan, School};
use super::results::{Chosen, Cost, Curves, Data, Experiment, Results, Wrong};
use super::store::Store;
use crate::run::Spent;
use crate::score::Bootstrap;
use crate::score::cost_curve::CostCurve;
use crate::score::curves::{Point, precision_recall, roc, thin};
use anyhow::Context;
use rayon::prelude::*;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

/// Coils told of that a chosen configuration judges wrongly.
const WRONG: usize = 12;
/// How far the area under a thinned curve may lie from the whole one's.
const TOLERANCE: f64 = 1e-3;

/// A finished study, but for its final networks.
pub struct Finished {
    /// What the study comes to.
    pub results: Results,
    /// What its cells cost.
    pub costs: Vec<Cost>,
}

/// Reads all cells and works out what they come to; `progress` is told the configurations done, and of how many.
pub fn finish(
    plan: &Plan,
    bench: &Bench,
    store: &Store,
    bootstrap: Bootstrap,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> anyhow::Result<Finished> {
    let gathered = gather(plan, bench, store)?;
    let resampling = Resampling::new(bench, bootstrap);
    let configurations: HashMap<String, &super::Configuration> =
        plan.experiments.iter().flat_map(|e| &e.configurations).map(|c| (c.digest(), c)).collect();
    let assessed: HashMap<String, Assessed> = gathered
        .par_iter()
        .map(|(digest, done)| {
            let config = &configurations[digest].config.policy;
            Ok((digest.clone(), Assessed::new(plan, bench, done, config)?))
        })
        .collect::<anyhow::Result<_>>()?;
    let told = tell(plan, bench, &gathered, &assessed, &resampling, progress);
    let nok: Vec<bool> = bench.set().coils.iter().map(|coil| coil.nok).collect();
    let mut experiments = Vec::new();
    for experiment in &plan.experiments {
        let named =
            |c: &super::Configuration| (format!("{}/{}", experiment.name, c.name), &assessed[&c.digest()]);
        let first = &experiment.configurations[0];
        let others = || experiment.configurations.iter().skip(1).filter(|c| c.digest() != first.digest());
        let mut comparisons: Vec<_> =
            others().map(|c| compare(plan, named(c), named(first), &nok, &resampling)).collect();
        correct(&mut comparisons);
        experiments.push(Experiment {
            name: experiment.name.clone(),
            title: experiment.title.clone(),
            school: experiment.school,
            axes: experiment.axes.clone(),
            tuned: experiment.tuned.clone(),
            configurations: experiment
                .configurations
                .iter()
                .map(|c| {
                    let mut told = told[&c.digest()].clone();
                    (told.name, told.point) = (c.name.clone(), c.point.clone());
                    told
                })
                .collect(),
            comparisons,
        });
    }
    let (chosen, between) = choose(plan, bench, &experiments, &assessed, &resampling);
    let set = bench.set();
    let results = Results {
        name: plan.name.clone(),
        trainer: gathered.values().flatten().next().map_or_else(String::new, |done| done.trainer.clone()),
        seed: plan.seed,
        folds: plan.folds,
        repeats: plan.repeats,
        forward: plan.forward.clone(),
        select: plan.select,
        data: Data {
            set: set.name.clone(),
            sha256: bench.data_sha256().into(),
            coils: set.coils.len(),
            nok: set.nok(),
            days: days(bench).into_iter().collect::<BTreeSet<_>>().len(),
            prevalence: plan.experiments[0].configurations[0].config.policy.costs.prevalence,
        },
        bootstrap,
        experiments,
        chosen,
        between,
    };
    Ok(Finished { results, costs: costs(plan, &gathered) })
}

fn tell(
    plan: &Plan,
    bench: &Bench,
    gathered: &Gathered,
    assessed: &HashMap<String, Assessed>,
    resampling: &Resampling,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> HashMap<String, super::results::Configuration> {
    let mut told = HashMap::new();
    for configuration in plan.experiments.iter().flat_map(|e| &e.configurations) {
        let digest = configuration.digest();
        let Entry::Vacant(place) = told.entry(digest.clone()) else { continue };
        place.insert(assessed[&digest].tell(plan, bench, configuration, &gathered[&digest], resampling));
        progress(told.len(), gathered.len());
    }
    told
}

/// The best configuration of each school by the mean over cells, and every two of them compared.
fn choose(
    plan: &Plan,
    bench: &Bench,
    experiments: &[Experiment],
    assessed: &HashMap<String, Assessed>,
    resampling: &Resampling,
) -> (Vec<Chosen>, Vec<super::results::Comparison>) {
    let nok: Vec<bool> = bench.set().coils.iter().map(|coil| coil.nok).collect();
    let mut found: Vec<(Chosen, &Assessed)> = Vec::new();
    for school in [School::Transfer, School::Contrastive, School::Baseline] {
        let all: Vec<(usize, usize)> = (0..experiments.len())
            .filter(|e| experiments[*e].school == school)
            .flat_map(|e| (0..experiments[e].configurations.len()).map(move |c| (e, c)))
            .collect();
        let mean = |(e, c): &(usize, usize)| {
            experiments[*e].configurations[*c].summary.get(&plan.select).and_then(|summary| summary.mean)
        };
        let Some((e, c)) = best(all.iter().map(|at| (mean(at), at))).copied() else { continue };
        let assessed = &assessed[&plan.experiments[e].configurations[c].digest()];
        found.push((
            Chosen {
                school,
                experiment: experiments[e].name.clone(),
                configuration: experiments[e].configurations[c].name.clone(),
                curves: curves(&nok, &assessed.mean_p()),
                errors: wrong(bench, assessed),
            },
            assessed,
        ));
    }
    let mut between = Vec::new();
    for (i, (a, first)) in found.iter().enumerate() {
        for (b, second) in found.iter().skip(i + 1) {
            let name = |c: &Chosen| format!("{}/{}", c.experiment, c.configuration);
            between.push(compare(plan, (name(a), *first), (name(b), *second), &nok, resampling));
        }
    }
    correct(&mut between);
    (found.into_iter().map(|(chosen, _)| chosen).collect(), between)
}

/// ROC, precision-recall and cost curves, thinned.
pub fn curves(nok: &[bool], p_nok: &[f64]) -> Curves {
    let points = |found: Option<Vec<Point>>| {
        thin(&found.unwrap_or_default(), TOLERANCE).iter().map(|p| (p.x, p.y)).collect()
    };
    Curves {
        roc: points(roc(nok, p_nok)),
        precision_recall: points(precision_recall(nok, p_nok)),
        cost: CostCurve::new(nok, p_nok).map(|curve| curve.corners()).unwrap_or_default(),
    }
}

/// The coils that most repeats judge wrongly, the surest first.
fn wrong(bench: &Bench, assessed: &Assessed) -> Vec<Wrong> {
    let p = assessed.mean_p();
    let told = |(row, coil): (usize, &crate::data::coils::LabelledCoil)| Wrong {
        coil_id: coil.id.as_str().into(),
        row,
        nok: coil.nok,
        class: coil.class(),
        p_nok: p[row],
        wrong: assessed.repeats().iter().filter(|r| r.called_nok[row] != coil.nok).count(),
    };
    let mut all: Vec<Wrong> =
        bench.set().coils.iter().enumerate().map(told).filter(|w| w.wrong > 0).collect();
    let sure = |w: &Wrong| if w.nok { 1.0 - w.p_nok } else { w.p_nok };
    all.sort_by(|a, b| b.wrong.cmp(&a.wrong).then(sure(b).total_cmp(&sure(a))).then(a.row.cmp(&b.row)));
    // Misses and false alarms by turns: there are far more of the latter.
    let (misses, alarms): (Vec<Wrong>, Vec<Wrong>) = all.into_iter().partition(|w| w.nok);
    misses.into_iter().take(WRONG / 2).chain(alarms.into_iter().take(WRONG / 2)).collect()
}

fn costs(plan: &Plan, gathered: &Gathered) -> Vec<Cost> {
    let mut rows: Vec<Cost> = Vec::new();
    for configuration in plan.experiments.iter().flat_map(|e| &e.configurations) {
        let done = &gathered[&configuration.digest()];
        let name = &done[0].configuration;
        if rows.iter().any(|row| row.configuration == *name) {
            continue;
        }
        let sum = |of: fn(&Spent) -> f64| done.iter().map(|cell| of(&cell.cost.spent)).sum();
        let on: BTreeSet<String> =
            done.iter().map(|cell| format!("{}, {} threads", cell.cost.device, cell.cost.threads)).collect();
        rows.push(Cost {
            configuration: name.clone(),
            cells: done.len(),
            wall_s: sum(|spent| spent.wall_s),
            processor_s: sum(|spent| spent.processor_s),
            peak_mib: done.iter().map(|cell| cell.cost.spent.peak_mib).fold(0.0, f64::max),
            on: on.into_iter().collect(),
        });
    }
    rows
}

/// Writes `results.json` and `costs.json`.
pub fn write(out: &std::path::Path, finished: &Finished) -> anyhow::Result<()> {
    let put = |name: &str, bytes: Vec<u8>| {
        crate::run::write_whole(&out.join(name), &bytes).with_context(|| format!("cannot write {name}"))
    };
    put("results.json", serde_json::to_vec_pretty(&finished.results)?)?;
    put("costs.json", serde_json::to_vec_pretty(&finished.costs)?)
}
