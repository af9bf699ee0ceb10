//! Weighs runs and writes the ensemble's folder.

use super::{Ensemble, EnsembleMember};
use crate::data::coils::CoilSet;
use crate::run::cost::Cost;
use crate::run::forward::{Forward, Found, stretches};
use crate::run::policy;
use crate::run::scores::{ScoreTable, Scored, calibrate, judged, p_nok, plain, read_table, table};
use crate::run::{RunFolder, RunRecord, hex, write_whole};
use crate::score::mixture::weights;
use crate::score::{Bootstrap, Judged, Platt, Report};
use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};

/// Most networks of a bundle.
const MAX_MODELS: usize = 12;

/// What is made of what.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The runs' folders.
    pub runs: &'a [PathBuf],
    /// What it is called.
    pub name: &'a str,
    /// Its folder.
    pub out: &'a Path,
}

/// A run that takes part.
struct Part {
    path: PathBuf,
    record: RunRecord,
    scores: ScoreTable,
    later: Option<ScoreTable>,
}

/// Runs on the same coils in the same folds.
struct Parts<'a> {
    set: &'a CoilSet,
    parts: Vec<Part>,
}

/// Weighs the runs on `set`, the coils that all of them were trained on, and writes the ensemble.
pub fn build(request: &Request, set: &CoilSet) -> anyhow::Result<Ensemble> {
    ensure!(request.runs.len() >= 2, "an ensemble needs two runs or more, got {}", request.runs.len());
    let parts = request.runs.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let parts = Parts { set, parts };
    parts.check()?;
    let first = &parts.parts[0].record;
    let bootstrap = Bootstrap::default();
    let (p_nok, weights_without_fold) = parts.cross_fitted()?;
    let unjudged: Vec<Judged> = set.coils.iter().zip(&p_nok).map(|(c, p)| plain(c, *p)).collect();
    let policy_config = first.config.policy;
    let policy = policy(&unjudged, &policy_config)?;
    let judged: Vec<Judged> = set.coils.iter().zip(&p_nok).map(|(c, p)| judged(c, *p, &policy)).collect();
    let scores = &parts.parts[0].scores;
    let margins: Vec<Vec<f64>> =
        (0..p_nok.len()).map(|i| parts.each(|part| part.scores.margins[i].clone())).collect();
    let rows = set.coils.iter().enumerate().map(|(i, coil)| Scored {
        coil,
        fold: scores.fold[i],
        margins: &margins[i],
        p_nok: p_nok[i],
    });
    let oof = table(rows)?;
    let forward = parts.forward(bootstrap)?;
    let ensemble = Ensemble {
        trainer: env!("CARGO_PKG_VERSION").into(),
        name: request.name.into(),
        members: parts.members()?,
        weights_without_fold,
        set: first.config.set.clone(),
        data_sha256: first.data_sha256.clone(),
        coils: first.coils,
        nok: first.nok,
        weight_origin: parts.origins(),
        parameters: parts.parts.iter().map(|p| p.record.parameters * p.record.config.members).sum(),
        policy_config,
        policy,
        out_of_fold: Report::new(&judged, policy_config.costs.prevalence, bootstrap),
        forward: forward.as_ref().map(|(forward, _)| forward.clone()),
        cost: parts.cost(),
    };
    std::fs::create_dir_all(request.out).with_context(|| format!("cannot make {}", request.out.display()))?;
    write_whole(&request.out.join("oof.csv"), oof.as_bytes())?;
    if let Some((_, table)) = &forward {
        write_whole(&request.out.join("forward.csv"), table.as_bytes())?;
    }
    ensemble.write(request.out)?;
    Ok(ensemble)
}

fn read(path: &Path) -> anyhow::Result<Part> {
    let record = RunFolder::open(path)?.record()?;
    let later = record.forward.is_some().then(|| read_table(&path.join("forward.csv"))).transpose()?;
    let scores = read_table(&path.join("oof.csv"))?;
    let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
    Ok(Part { path, record, scores, later })
}

/// The mean P(NOK) by weights.
fn mix(p: &[Vec<f64>], weights: &[f64], row: usize) -> f64 {
    // Weights sum to 1 but for rounding.
    p.iter().zip(weights).map(|(p, weight)| weight * p[row]).sum::<f64>().clamp(0.0, 1.0)
}

/// A run's calibration on some rows, and its P(NOK) of all rows by it.
fn calibrated(table: &ScoreTable, rows: &[usize]) -> anyhow::Result<(Platt, Vec<f64>)> {
    let nok: Vec<bool> = rows.iter().map(|i| table.nok[*i]).collect();
    let margins: Vec<Vec<f64>> = rows.iter().map(|i| table.margins[*i].clone()).collect();
    let calibration = calibrate(&nok, &margins)?;
    Ok((calibration, table.margins.iter().map(|margins| p_nok(&calibration, margins)).collect()))
}

/// P(NOK) of all rows, run by run, and weights; both learned on some of the rows.
fn learned(tables: &[&ScoreTable], rows: &[usize]) -> anyhow::Result<(Vec<Vec<f64>>, Vec<f64>)> {
    let p: Vec<Vec<f64>> =
        tables.iter().map(|t| Ok(calibrated(t, rows)?.1)).collect::<anyhow::Result<_>>()?;
    let nok: Vec<bool> = rows.iter().map(|i| tables[0].nok[*i]).collect();
    let of_rows: Vec<Vec<f64>> = p.iter().map(|p| rows.iter().map(|i| p[*i]).collect()).collect();
    let weights = weights(&nok, &of_rows)?;
    Ok((p, weights))
}

impl Parts<'_> {
    /// Same data, same folds, nobody twice, not too many.
    fn check(&self) -> anyhow::Result<()> {
        let first = &self.parts[0];
        let data = hex(&self.set.sha256());
        for (i, part) in self.parts.iter().enumerate() {
            let path = part.path.display();
            ensure!(
                part.record.data_sha256 == data,
                "{path} was trained on other data than set {} here: give the data that it was trained on",
                self.set.name
            );
            ensure!(
                part.scores.coil_id == first.scores.coil_id && part.scores.fold == first.scores.fold,
                "{path} has other folds than {}: weights learned out of fold need the same ones (the same folds and \
                 split_seed)",
                first.path.display()
            );
            let costs = (&part.record.config.policy, &first.record.config.policy);
            ensure!(
                costs.0 == costs.1,
                "{path} has other costs than {}: state the same",
                first.path.display()
            );
            ensure!(self.parts[..i].iter().all(|p| p.path != part.path), "{path} is given twice");
        }
        let models: usize = self.parts.iter().map(|part| part.record.config.members).sum();
        ensure!(models <= MAX_MODELS, "{models} networks are too many: a bundle holds at most {MAX_MODELS}");
        Ok(())
    }

    fn each<T>(&self, what: impl Fn(&Part) -> Vec<T>) -> Vec<T> {
        self.parts.iter().flat_map(what).collect()
    }

    /// P(NOK) of every coil by what was learned without its fold, and those weights.
    fn cross_fitted(&self) -> anyhow::Result<(Vec<f64>, Vec<Vec<f64>>)> {
        let tables: Vec<&ScoreTable> = self.parts.iter().map(|part| &part.scores).collect();
        let folds = &tables[0].fold;
        let (mut p_nok, mut all) = (vec![0.0; folds.len()], Vec::new());
        for fold in 0..=folds.iter().max().copied().unwrap_or(0) {
            let (held, others): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|i| folds[*i] == fold);
            let (p, weights) = learned(&tables, &others)?;
            for row in held {
                p_nok[row] = mix(&p, &weights, row);
            }
            all.push(weights);
        }
        Ok((p_nok, all))
    }

    /// Networks with the weights and calibrations of all coils.
    fn members(&self) -> anyhow::Result<Vec<EnsembleMember>> {
        let tables: Vec<&ScoreTable> = self.parts.iter().map(|part| &part.scores).collect();
        let p: Vec<Vec<f64>> = tables.iter().map(|table| table.p_nok.clone()).collect();
        let weights = weights(&tables[0].nok, &p)?;
        let mut members = Vec::new();
        for (part, weight) in self.parts.iter().zip(weights) {
            let config = &part.record.config;
            members.extend((0..config.members).map(|number| EnsembleMember {
                run: part.path.clone(),
                name: config.name.clone(),
                network: config.network.name(),
                number,
                weight: weight / config.members as f64,
                calibration: part.record.calibration,
            }));
        }
        Ok(members)
    }

    /// Forward in time, where all runs judged the same stretches. What comes before the last stretch is ranked with equal
    /// weights, for nothing was known before it; what the last is judged by was learned on it.
    fn forward(&self, bootstrap: Bootstrap) -> anyhow::Result<Option<(Forward, String)>> {
        let Some(tables) = self.parts.iter().map(|p| p.later.as_ref()).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let first = tables[0];
        if tables.iter().any(|t| t.coil_id != first.coil_id || t.fold != first.fold) {
            return Ok(None);
        }
        let config = &self.parts[0].record.config;
        let stretches = stretches(self.set, &config.forward)?;
        let last = first.fold.iter().max().copied().unwrap_or(0);
        let earlier: Vec<usize> = (0..first.fold.len()).filter(|i| first.fold[*i] < last).collect();
        let (p, weights) = learned(&tables, &earlier)?;
        let equal = vec![1.0 / tables.len() as f64; tables.len()];
        let mixed: Vec<f64> = (0..first.fold.len()).map(|row| mix(&p, &weights, row)).collect();
        let rows = |row: usize| if first.fold[row] < last { mix(&p, &equal, row) } else { mixed[row] };
        let ranked: Vec<f64> = (0..first.fold.len()).map(rows).collect();
        let margins = (0..first.fold.len())
            .map(|i| tables.iter().flat_map(|table| table.margins[i].clone()).collect())
            .collect();
        let found = Found::new(self.set, &stretches, margins);
        found.report(&config.policy, bootstrap, &ranked, &mixed, None).map(Some)
    }

    fn origins(&self) -> String {
        let mut origins: Vec<&str> = Vec::new();
        for part in &self.parts {
            if !origins.contains(&part.record.weight_origin.as_str()) {
                origins.push(&part.record.weight_origin);
            }
        }
        origins.join("; ")
    }

    fn cost(&self) -> Option<Cost> {
        let costs: Vec<&Cost> = self.parts.iter().filter_map(|part| part.record.cost.as_ref()).collect();
        let first = costs.first()?;
        let all = costs.iter().skip(1).fold(first.spent, |sum, cost| sum.and(cost.spent));
        let networks = costs.iter().map(|cost| cost.networks).sum();
        Some(Cost { networks, spent: all, ..(*first).clone() })
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
