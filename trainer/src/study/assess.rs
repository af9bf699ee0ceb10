//! What a configuration's cells come to.

use super::cell::{Bench, Done};
use super::judge::{Coils, Repeat};
use super::plan::{self, Plan};
use super::results::{Calibration, CellMetrics, Configuration, Forward, Metric, Summary};
use crate::run::{Found, PolicyConfig};
use crate::score::bca::bca;
use crate::score::brier::brier;
use crate::score::ranked::Ranked;
use crate::score::reliability::{Bins, calibration_error, reliability};
use crate::score::report::Estimate;
use crate::score::{Bootstrap, Class, Confusion, OnTheLine, Units, f1, mcc};
use std::collections::BTreeMap;

/// All metrics of cells.
pub const METRICS: [Metric; 9] = [
    Metric::F1Nok,
    Metric::PrecisionNok,
    Metric::RecallNok,
    Metric::Accuracy,
    Metric::MacroF1,
    Metric::Mcc,
    Metric::F1Argmax,
    Metric::RocAuc,
    Metric::AveragePrecision,
];

/// Bins of the reliability curve.
const BINS: usize = 10;

/// A configuration's repeats, ready to be measured on any rows.
#[derive(Clone, Debug)]
pub struct Assessed {
    repeats: Vec<Repeat>,
    ranked: Vec<Ranked>,
    nok: Vec<bool>,
}

/// What intervals are drawn from.
pub struct Resampling {
    /// How.
    pub bootstrap: Bootstrap,
    /// Coils, NOK and OK apart.
    pub coils: Units,
    /// Days of production.
    pub days: Units,
}

impl Resampling {
    /// Of a set.
    pub fn new(bench: &Bench, bootstrap: Bootstrap) -> Self {
        let nok: Vec<bool> = bench.set().coils.iter().map(|coil| coil.nok).collect();
        Self { bootstrap, coils: Units::by_label(&nok), days: Units::clusters(&days(bench)) }
    }
}

/// The day of each coil, as its time begins (`2026-01-31`).
pub fn days<'a>(bench: &Bench<'a>) -> Vec<&'a str> {
    let day = |at: &'a str| at.get(..10).unwrap_or(at);
    bench.set().coils.iter().map(|coil| day(&coil.produced_at)).collect()
}

impl Assessed {
    /// From the cells of a configuration, in the plan's order.
    pub fn new(plan: &Plan, bench: &Bench, done: &[Done], config: &PolicyConfig) -> anyhow::Result<Self> {
        let coils = &bench.set().coils;
        let nok: Vec<bool> = coils.iter().map(|coil| coil.nok).collect();
        let class: Vec<char> = coils.iter().map(crate::data::coils::LabelledCoil::class).collect();
        let mut repeats = Vec::with_capacity(plan.repeats);
        for (repeat, cells) in done.chunks_exact(plan.folds).take(plan.repeats).enumerate() {
            let fold = bench.folds(repeat);
            let mut margin = vec![0.0; coils.len()];
            for (k, cell) in cells.iter().enumerate() {
                let held = (0..fold.len()).filter(|i| fold[*i] == k);
                held.zip(&cell.margins).for_each(|(i, found)| margin[i] = *found);
            }
            repeats.push(Repeat::new(Coils { nok: &nok, class: &class }, fold, margin, config)?);
        }
        let ranked = repeats.iter().map(|repeat| Ranked::new(&nok, &repeat.margin)).collect();
        Ok(Self { repeats, ranked, nok })
    }

    /// The repeats.
    pub fn repeats(&self) -> &[Repeat] {
        &self.repeats
    }

    /// P(NOK) of each coil, averaged over repeats.
    pub fn mean_p(&self) -> Vec<f64> {
        let mean = |i| self.repeats.iter().map(|r| r.p_nok[i]).sum::<f64>() / self.repeats.len() as f64;
        (0..self.nok.len()).map(mean).collect()
    }

    /// Decisions of one repeat on some rows.
    pub fn confusion(&self, repeat: usize, rows: &[usize]) -> Confusion {
        let called = &self.repeats[repeat].called_nok;
        Confusion::count(rows.iter().map(|i| (self.nok[*i], called[*i])))
    }

    /// A metric of one repeat on some rows.
    pub fn of_repeat(&self, metric: Metric, repeat: usize, rows: &[usize]) -> Option<f64> {
        let decided = || self.confusion(repeat, rows);
        match metric {
            Metric::F1Nok => f1::f1(&decided(), Class::Nok),
            Metric::PrecisionNok => decided().precision(Class::Nok),
            Metric::RecallNok => decided().recall(Class::Nok),
            Metric::Accuracy => decided().accuracy(),
            Metric::MacroF1 => f1::macro_f1(&decided()),
            Metric::Mcc => mcc::mcc(&decided()),
            Metric::F1Argmax => {
                let margin = &self.repeats[repeat].margin;
                let counts = Confusion::count(rows.iter().map(|i| (self.nok[*i], margin[*i] > 0.0)));
                f1::f1(&counts, Class::Nok)
            }
            Metric::RocAuc => self.ranked[repeat].roc_auc(rows),
            Metric::AveragePrecision => self.ranked[repeat].average_precision(rows),
        }
    }

    /// Its mean over repeats. A ranking is worth what it is worth over all folds together, so it suffers from networks whose
    /// margins have different scales, as on the line.
    pub fn over_repeats(&self, metric: Metric, rows: &[usize]) -> Option<f64> {
        let all: Option<Vec<f64>> =
            (0..self.repeats.len()).map(|r| self.of_repeat(metric, r, rows)).collect();
        let all = all?;
        Some(all.iter().sum::<f64>() / all.len() as f64)
    }

    /// The cells' metrics, in order of repeats and folds.
    pub fn cells(&self, done: &[Done], folds: usize) -> Vec<CellMetrics> {
        let of = |(repeat, fold): (usize, usize)| {
            let rows: Vec<usize> =
                (0..self.nok.len()).filter(|i| self.repeats[repeat].fold[*i] == fold).collect();
            let value = |metric| Some((metric, self.of_repeat(metric, repeat, &rows)?));
            CellMetrics {
                repeat,
                fold,
                epochs: done[repeat * folds + fold].epochs,
                coils: rows.len(),
                nok: rows.iter().filter(|i| self.nok[**i]).count(),
                confusion: self.confusion(repeat, &rows),
                metrics: METRICS.into_iter().filter_map(value).collect(),
            }
        };
        (0..self.repeats.len()).flat_map(|r| (0..folds).map(move |f| (r, f))).map(of).collect()
    }

    fn summary(&self, metric: Metric, cells: &[CellMetrics], resampling: &Resampling) -> Summary {
        let values: Vec<f64> = cells.iter().filter_map(|cell| cell.metrics.get(&metric).copied()).collect();
        let n = values.len() as f64;
        let mean = (n > 0.0).then(|| values.iter().sum::<f64>() / n);
        let sd = mean.filter(|_| n > 1.0);
        let sd = sd.map(|m| (values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (n - 1.0)).sqrt());
        let on = |rows: &[usize]| self.over_repeats(metric, rows);
        let value = on(resampling.coils.all());
        let estimate = |units| {
            let interval = bca(&resampling.bootstrap, units, on).map(|found| found.interval);
            Estimate { value, interval }
        };
        Summary { mean, sd, by_coil: estimate(&resampling.coils), by_day: estimate(&resampling.days) }
    }

    fn calibration(&self) -> Calibration {
        let p = self.mean_p();
        let bins = reliability(&self.nok, &p, Bins::Mass(BINS)).unwrap_or_default();
        Calibration {
            brier: brier(&self.nok, &p).unwrap_or(f64::NAN),
            ece: calibration_error(&bins).unwrap_or(f64::NAN),
            bins: bins.iter().map(|bin| (bin.mean_p, bin.share, bin.coils as usize)).collect(),
        }
    }

    /// Everything that a report tells of the configuration.
    pub fn tell(
        &self,
        plan: &Plan,
        bench: &Bench,
        configuration: &plan::Configuration,
        done: &[Done],
        resampling: &Resampling,
    ) -> Configuration {
        let cells = self.cells(done, plan.folds);
        let all: Vec<usize> = (0..self.nok.len()).collect();
        let together = |rows: &[usize]| {
            (0..self.repeats.len()).map(|r| self.confusion(r, rows)).fold(Confusion::default(), add)
        };
        let prevalence = configuration.config.policy.costs.prevalence;
        let mut on_the_line =
            BTreeMap::from([("all".to_owned(), OnTheLine::at(prevalence, &together(&all)))]);
        let class: Vec<char> =
            bench.set().coils.iter().map(crate::data::coils::LabelledCoil::class).collect();
        for letter in class.iter().collect::<std::collections::BTreeSet<_>>() {
            let own: Vec<usize> = all.iter().copied().filter(|i| class[*i] == *letter).collect();
            on_the_line.insert(letter.to_string(), OnTheLine::at(prevalence, &together(&own)));
        }
        let first = &done[0];
        let summary = METRICS.into_iter().map(|m| (m, self.summary(m, &cells, resampling))).collect();
        Configuration {
            name: configuration.name.clone(),
            point: configuration.point.clone(),
            network: first.network.clone(),
            weight_origin: first.weight_origin.clone(),
            parameters: first.parameters,
            trainable: first.trainable,
            share: configuration.share,
            summary,
            cells,
            confusion: together(&all),
            on_the_line,
            calibration: self.calibration(),
            forward: forward(plan, bench, configuration, done, resampling),
        }
    }
}

fn add(a: Confusion, b: Confusion) -> Confusion {
    Confusion {
        true_nok: a.true_nok + b.true_nok,
        false_nok: a.false_nok + b.false_nok,
        false_ok: a.false_ok + b.false_ok,
        true_ok: a.true_ok + b.true_ok,
    }
}

/// Forward in time; nothing where the networks before the last stretch have learned nothing.
fn forward(
    plan: &Plan,
    bench: &Bench,
    configuration: &plan::Configuration,
    done: &[Done],
    resampling: &Resampling,
) -> Option<Forward> {
    let cells = done.get(plan.repeats * plan.folds..).filter(|cells| !cells.is_empty())?;
    let margins = cells.iter().flat_map(|cell| cell.margins.iter().map(|margin| vec![*margin])).collect();
    let found = Found::new(bench.set(), bench.forward(), margins);
    let (calibration, p) = found.calibrated().ok()?;
    let policy = &configuration.config.policy;
    let (report, _) = found.report(policy, resampling.bootstrap, &p, &p, Some(calibration)).ok()?;
    Some(Forward {
        average_precision: report.average_precision,
        roc_auc: report.roc_auc,
        f1_nok: report.last.overall.f1_nok,
        on_the_line: OnTheLine::at(report.last.prevalence, &report.last.overall.confusion),
    })
}
