//! Runs beside each other: a row each, and differences from a baseline on the very same coils.

mod table;

use super::Cost;
use super::contender::{Contender, confusion};
use super::scores::ScoreTable;
use crate::score::paired::difference;
use crate::score::report::{Estimate, Metrics};
use crate::score::wilson::wilson;
use crate::score::{Blocks, Bootstrap, Interval, OnTheLine, Report};
use anyhow::ensure;
use coilsight_models::verdict::Policy;
use serde::Serialize;
pub use table::ForwardTable;

/// The share of NOK coils of "F1 at 50 %": that of sets made half and half, as gold sets are.
const EVEN: f64 = 0.5;

/// All runs that were compared.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// SHA-256 of the coils and labels that all of them were trained on.
    pub data_sha256: String,
    /// Coils, and NOK coils among them.
    pub coils: usize,
    /// NOK coils.
    pub nok: usize,
    /// How intervals were drawn.
    pub bootstrap: Bootstrap,
    /// The run that others are compared with.
    pub baseline: Option<String>,
    /// A run each.
    pub rows: Vec<Row>,
}

/// A run or an ensemble.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its folder's name.
    pub name: String,
    /// The architecture.
    pub network: String,
    /// Where the weights came from.
    pub weight_origin: String,
    /// Learned values of all networks that judge a coil together.
    pub parameters: usize,
    /// Judged by networks of stratified folds.
    pub out_of_fold: Figures,
    /// Judged by networks that learned from earlier coils alone.
    pub forward: Option<Figures>,
    /// What training cost.
    pub cost: Option<Cost>,
    /// Less the baseline's.
    pub difference: Option<Differences>,
}

/// What judging comes to.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Area under the precision-recall curve.
    pub average_precision: Estimate,
    /// Area under the ROC curve.
    pub roc_auc: Estimate,
    /// F1 of NOK under the policy.
    pub f1_nok: Estimate,
    /// The same, were half of the coils NOK.
    pub f1_nok_even: Estimate,
    /// Recall of NOK.
    pub recall_nok: Estimate,
    /// Misses and false alarms at the line's prevalence, of all coils and of each class.
    pub alarms: Vec<Alarms>,
}

/// Misses and false alarms per 1,000 coils at the line's prevalence, with Wilson's 95 % intervals.
#[derive(Clone, Debug, Serialize)]
pub struct Alarms {
    /// The tolerance class; all of them when absent.
    pub class: Option<char>,
    /// Coils judged.
    pub coils: u64,
    /// NOK coils among them.
    pub nok: u64,
    /// NOK coils let through.
    pub misses_per_1000: Estimate,
    /// OK coils stopped.
    pub false_alarms_per_1000: Estimate,
}

/// A run less the baseline, on the same coils.
#[derive(Clone, Debug, Serialize)]
pub struct Differences {
    /// Out of fold.
    pub out_of_fold: Difference,
    /// Forward in time, where both judged the same coils.
    pub forward: Option<Difference>,
}

/// Of three metrics.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Of average precision.
    pub average_precision: Estimate,
    /// Of AUC.
    pub roc_auc: Estimate,
    /// Of F1 were half of the coils NOK, each under its own policy.
    pub f1_nok_even: Estimate,
}

impl Comparison {
    /// Compares; the baseline, too, has a row if it is among the runs.
    pub fn of(
        runs: &[Contender],
        baseline: Option<&Contender>,
        bootstrap: Bootstrap,
    ) -> anyhow::Result<Self> {
        ensure!(!runs.is_empty(), "there is no run to compare");
        let first = &runs[0];
        for run in runs.iter().chain(baseline) {
            ensure!(
                run.data_sha256 == first.data_sha256 && run.scores.coil_id == first.scores.coil_id,
                "{} and {} were trained on other data ({} and {}): compare runs of the same coils and labels",
                first.name,
                run.name,
                short(&first.data_sha256),
                short(&run.data_sha256)
            );
        }
        let row = |run: &Contender| Row {
            name: run.name.clone(),
            network: run.network.clone(),
            weight_origin: run.weight_origin.clone(),
            parameters: run.parameters,
            out_of_fold: out_of_fold(run, &bootstrap),
            forward: forward(run, &bootstrap),
            cost: run.cost.clone(),
            difference: baseline.map(|baseline| differences(run, baseline, &bootstrap)),
        };
        Ok(Self {
            data_sha256: first.data_sha256.clone(),
            coils: first.scores.nok.len(),
            nok: first.scores.nok.iter().filter(|nok| **nok).count(),
            bootstrap,
            baseline: baseline.map(|baseline| baseline.name.clone()),
            rows: runs.iter().map(row).collect(),
        })
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn out_of_fold(run: &Contender, bootstrap: &Bootstrap) -> Figures {
    let all = &run.out_of_fold.overall;
    let even = Decided::out_of_fold(run).estimate(bootstrap);
    figures(&run.out_of_fold, (all.average_precision, all.roc_auc), even)
}

fn forward(run: &Contender, bootstrap: &Bootstrap) -> Option<Figures> {
    let (_, forward) = run.forward.as_ref()?;
    let even = Decided::forward(run)?.estimate(bootstrap);
    Some(figures(&forward.last, (forward.average_precision, forward.roc_auc), even))
}

fn figures(report: &Report, ranked: (Estimate, Estimate), f1_nok_even: Estimate) -> Figures {
    let prevalence = report.prevalence;
    let alarms = |class: Option<char>, Metrics { confusion, .. }: &Metrics| {
        let line = OnTheLine::at(prevalence, confusion);
        // A class may have few NOK coils.
        let estimate = |value: Option<f64>, interval: Option<Interval>, scale: f64| Estimate {
            value,
            interval: interval.map(|i| Interval { low: scale * i.low, high: scale * i.high }),
        };
        let missed = wilson(confusion.false_ok, confusion.nok());
        let stopped = wilson(confusion.false_nok, confusion.ok());
        Alarms {
            class,
            coils: confusion.coils(),
            nok: confusion.nok(),
            misses_per_1000: estimate(line.map(|l| l.misses), missed, 1000.0 * prevalence),
            false_alarms_per_1000: estimate(
                line.map(|l| l.false_alarms),
                stopped,
                1000.0 * (1.0 - prevalence),
            ),
        }
    };
    let classes = report.by_class.iter().map(|of| alarms(Some(of.class), &of.metrics));
    Figures {
        average_precision: ranked.0,
        roc_auc: ranked.1,
        f1_nok: report.overall.f1_nok,
        f1_nok_even,
        recall_nok: report.overall.recall_nok,
        alarms: std::iter::once(alarms(None, &report.overall)).chain(classes).collect(),
    }
}

/// Coils on which decisions count, and the policy that they are made by.
struct Decided<'a> {
    table: &'a ScoreTable,
    policy: &'a Policy,
    rows: Vec<usize>,
}

impl<'a> Decided<'a> {
    fn out_of_fold(run: &'a Contender) -> Self {
        let rows = (0..run.scores.nok.len()).collect();
        Self { table: &run.scores, policy: &run.policy, rows }
    }

    /// Forward in time decisions count on the last stretch.
    fn forward(run: &'a Contender) -> Option<Self> {
        let (table, forward) = run.forward.as_ref()?;
        let last = table.fold.iter().max()?;
        let rows = (0..table.nok.len()).filter(|i| table.fold[*i] == *last).collect();
        Some(Self { table, policy: &forward.policy, rows })
    }

    fn strata(&self) -> Vec<Vec<usize>> {
        let (nok, ok) = self.rows.iter().partition(|i| self.table.nok[**i]);
        vec![nok, ok]
    }

    fn f1_even(&self, rows: &[usize]) -> Option<f64> {
        OnTheLine::at(EVEN, &confusion(self.table, self.policy, rows)).map(|line| line.f1)
    }

    fn estimate(&self, bootstrap: &Bootstrap) -> Estimate {
        let metric = |rows: &[usize]| self.f1_even(rows);
        Estimate { value: metric(&self.rows), interval: bootstrap.interval_within(&self.strata(), metric) }
    }

    fn less(&self, baseline: &Decided, bootstrap: &Bootstrap) -> Estimate {
        difference(bootstrap, &self.strata(), |rows| self.f1_even(rows), |rows| baseline.f1_even(rows))
    }
}

fn differences(run: &Contender, baseline: &Contender, bootstrap: &Bootstrap) -> Differences {
    let decided = Decided::out_of_fold(run).less(&Decided::out_of_fold(baseline), bootstrap);
    // Folds may differ from run to run: scores of all folds are pooled, by one calibration.
    let one = vec![0; run.scores.nok.len()];
    let out_of_fold = ranked((&run.scores, &baseline.scores), &one, decided, bootstrap);
    let forward = || {
        let ((of_run, _), (of_baseline, _)) = (run.forward.as_ref()?, baseline.forward.as_ref()?);
        let same = of_run.coil_id == of_baseline.coil_id && of_run.fold == of_baseline.fold;
        if !same {
            return None;
        }
        let decided = Decided::forward(run)?.less(&Decided::forward(baseline)?, bootstrap);
        Some(ranked((of_run, of_baseline), &of_run.fold, decided, bootstrap))
    };
    Differences { out_of_fold, forward: forward() }
}

fn ranked(
    (run, baseline): (&ScoreTable, &ScoreTable),
    block: &[usize],
    f1_nok_even: Estimate,
    bootstrap: &Bootstrap,
) -> Difference {
    let a = Blocks { block, nok: &run.nok, scores: &run.p_nok };
    let b = Blocks { block, nok: &baseline.nok, scores: &baseline.p_nok };
    let strata = a.strata();
    Difference {
        average_precision: difference(
            bootstrap,
            &strata,
            |rows| a.average_precision(rows),
            |rows| b.average_precision(rows),
        ),
        roc_auc: difference(bootstrap, &strata, |rows| a.roc_auc(rows), |rows| b.roc_auc(rows)),
        f1_nok_even,
    }
}

#[cfg(test)]
#[path = "compare/tests.rs"]
mod tests;
