//! One model's judgement of one set of coils, in full, as JSON and as a table to read.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Bootstrap, Class, Confusion, Interval, OnTheLine, average_precision, f1, mcc, roc_auc};

/// A coil as labelled and as judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The inspector's label.
    pub nok: bool,
    /// The model's probability of NOK, or any score that grows with it.
    pub p_nok: f64,
    /// NOK by threshold. A coil sent to REVIEW counts as the class underneath.
    pub called_nok: bool,
    /// Whether the coil was sent to REVIEW.
    pub review: bool,
    /// The customer's tolerance class.
    pub class: char,
}

/// A metric and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// On the sample as it is; `null` where the sample does not define it.
    pub value: Option<f64>,
    /// By stratified bootstrap over coils.
    pub interval: Option<Interval>,
}

/// Coils sent to people instead of being decided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// How many.
    pub coils: u64,
    /// How many of them are NOK.
    pub nok: u64,
    /// How many of them would have been decided wrongly.
    pub wrong_underneath: u64,
}

/// The metrics of a set of coils, or of one tolerance class of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Right and wrong decisions.
    pub confusion: Confusion,
    /// Sent to REVIEW.
    pub review: Review,
    /// Share decided rightly.
    pub accuracy: Estimate,
    /// Mean of both classes' F1.
    pub macro_f1: Estimate,
    /// Of the coils called NOK, the share that is.
    pub precision_nok: Estimate,
    /// Of the NOK coils, the share called so.
    pub recall_nok: Estimate,
    /// F1 of NOK.
    pub f1_nok: Estimate,
    /// Of the coils called OK, the share that is.
    pub precision_ok: Estimate,
    /// Of the OK coils, the share called so.
    pub recall_ok: Estimate,
    /// F1 of OK.
    pub f1_ok: Estimate,
    /// Matthews' correlation coefficient.
    pub mcc: Estimate,
    /// Area under the ROC curve.
    pub roc_auc: Estimate,
    /// Area under the precision-recall curve, in steps.
    pub average_precision: Estimate,
    /// NOK coils let through per 1,000 at the stated prevalence.
    pub misses_per_1000: Estimate,
    /// OK coils stopped per 1,000 at the stated prevalence.
    pub false_alarms_per_1000: Estimate,
    /// F1 of NOK at the stated prevalence.
    pub f1_nok_on_line: Estimate,
}

/// Everything a model's judgement comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Share of NOK coils that the figures "per 1,000" and "on the line" assume, in every tolerance class alike.
    pub prevalence: f64,
    /// How the intervals were drawn.
    pub bootstrap: Bootstrap,
    /// All coils.
    pub overall: Metrics,
    /// By tolerance class, in order.
    pub by_class: Vec<ClassMetrics>,
}

/// The metrics of one tolerance class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Its letter.
    pub class: char,
    /// Its coils' metrics.
    pub metrics: Metrics,
}

impl Report {
    /// Works everything out. An empty set gives undefined metrics, not an error.
    pub fn new(coils: &[Judged], prevalence: f64, bootstrap: Bootstrap) -> Self {
        let classes: BTreeSet<char> = coils.iter().map(|c| c.class).collect();
        let by_class = classes
            .into_iter()
            .map(|class| {
                let own: Vec<Judged> = coils.iter().filter(|c| c.class == class).copied().collect();
                ClassMetrics { class, metrics: Metrics::new(&own, prevalence, &bootstrap) }
            })
            .collect();
        Self { prevalence, bootstrap, overall: Metrics::new(coils, prevalence, &bootstrap), by_class }
    }

    /// Indented JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

impl Metrics {
    fn new(coils: &[Judged], prevalence: f64, bootstrap: &Bootstrap) -> Self {
        let all: Vec<usize> = (0..coils.len()).collect();
        let nok: Vec<bool> = coils.iter().map(|c| c.nok).collect();
        let count =
            |rows: &[usize]| Confusion::count(rows.iter().map(|&i| (coils[i].nok, coils[i].called_nok)));
        let estimate = |metric: &(dyn Fn(&[usize]) -> Option<f64> + Sync)| Estimate {
            value: metric(&all),
            interval: bootstrap.interval(&nok, metric),
        };
        let decided =
            |metric: fn(&Confusion) -> Option<f64>| estimate(&move |rows: &[usize]| metric(&count(rows)));
        let line = |part: fn(&OnTheLine) -> f64| {
            estimate(&move |rows: &[usize]| OnTheLine::at(prevalence, &count(rows)).as_ref().map(part))
        };
        let ranked = |metric: fn(&[bool], &[f64]) -> Option<f64>| {
            estimate(&move |rows: &[usize]| {
                let (nok, p): (Vec<bool>, Vec<f64>) =
                    rows.iter().map(|&i| (coils[i].nok, coils[i].p_nok)).unzip();
                metric(&nok, &p)
            })
        };
        Self {
            confusion: count(&all),
            review: Review::count(coils),
            accuracy: decided(Confusion::accuracy),
            macro_f1: decided(f1::macro_f1),
            precision_nok: decided(|c| c.precision(Class::Nok)),
            recall_nok: decided(|c| c.recall(Class::Nok)),
            f1_nok: decided(|c| f1::f1(c, Class::Nok)),
            precision_ok: decided(|c| c.precision(Class::Ok)),
            recall_ok: decided(|c| c.recall(Class::Ok)),
            f1_ok: decided(|c| f1::f1(c, Class::Ok)),
            mcc: decided(mcc::mcc),
            roc_auc: ranked(roc_auc),
            average_precision: ranked(average_precision),
            misses_per_1000: line(|l| l.misses),
            false_alarms_per_1000: line(|l| l.false_alarms),
            f1_nok_on_line: line(|l| l.f1),
        }
    }

    /// The counts by name, as the table prints them.
    fn counts(&self) -> [(&'static str, String); 4] {
        let (c, r) = (&self.confusion, &self.review);
        [
            ("coils (NOK)", format!("{} ({})", c.coils(), c.nok())),
            ("found / missed", format!("{} / {}", c.true_nok, c.false_ok)),
            ("false alarms", c.false_nok.to_string()),
            ("REVIEW (NOK, wrong)", format!("{} ({}, {})", r.coils, r.nok, r.wrong_underneath)),
        ]
    }

    /// The metrics by name, as the table prints them.
    fn rows(&self) -> [(&'static str, &Estimate); 14] {
        [
            ("accuracy", &self.accuracy),
            ("macro F1", &self.macro_f1),
            ("precision NOK", &self.precision_nok),
            ("recall NOK", &self.recall_nok),
            ("F1 NOK", &self.f1_nok),
            ("precision OK", &self.precision_ok),
            ("recall OK", &self.recall_ok),
            ("F1 OK", &self.f1_ok),
            ("MCC", &self.mcc),
            ("ROC AUC", &self.roc_auc),
            ("average precision", &self.average_precision),
            ("misses / 1,000", &self.misses_per_1000),
            ("false alarms / 1,000", &self.false_alarms_per_1000),
            ("F1 NOK on the line", &self.f1_nok_on_line),
        ]
    }
}

impl Review {
    fn count(coils: &[Judged]) -> Self {
        let sent = || coils.iter().filter(|c| c.review);
        Self {
            coils: sent().count() as u64,
            nok: sent().filter(|c| c.nok).count() as u64,
            wrong_underneath: sent().filter(|c| c.nok != c.called_nok).count() as u64,
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(value) = self.value else { return f.pad("-") };
        let digits = if value.abs() >= 10.0 { 1 } else { 3 };
        match self.interval {
            Some(i) => f.pad(&format!("{value:.digits$} [{:.digits$}, {:.digits$}]", i.low, i.high)),
            None => f.pad(&format!("{value:.digits$}")),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "NOK is the positive class; per 1,000 and on the line: {:.1} % NOK; {:.0} % intervals, {} draws.",
            100.0 * self.prevalence,
            100.0 * self.bootstrap.level,
            self.bootstrap.draws
        )?;
        let columns: Vec<(String, &Metrics)> = std::iter::once(("all".to_owned(), &self.overall))
            .chain(self.by_class.iter().map(|c| (format!("class {}", c.class), &c.metrics)))
            .collect();
        let line = |f: &mut fmt::Formatter<'_>, name: &str, cells: &[String]| {
            write!(f, "{name:<22}")?;
            for cell in cells {
                write!(f, "  {cell:<22}")?;
            }
            writeln!(f)
        };
        line(f, "", &columns.iter().map(|c| c.0.clone()).collect::<Vec<_>>())?;
        for (i, (name, _)) in self.overall.counts().into_iter().enumerate() {
            line(f, name, &columns.iter().map(|c| c.1.counts()[i].1.clone()).collect::<Vec<_>>())?;
        }
        for (i, (name, _)) in self.overall.rows().into_iter().enumerate() {
            let cells: Vec<String> = columns.iter().map(|c| c.1.rows()[i].1.to_string()).collect();
            line(f, name, &cells)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coils() -> Vec<Judged> {
        // Class A: 3 found, 1 missed, 2 false alarms, 4 let go; class B: all OK, all let go.
        let row = |nok, called_nok, p_nok, review, class| Judged { nok, p_nok, called_nok, review, class };
        let mut rows = vec![
            row(true, true, 0.9, false, 'A'),
            row(true, true, 0.8, false, 'A'),
            row(true, true, 0.6, true, 'A'),
            row(true, false, 0.4, true, 'A'),
            row(false, true, 0.7, false, 'A'),
            row(false, true, 0.55, true, 'A'),
        ];
        rows.extend((0..4).map(|i| row(false, false, 0.1 * f64::from(i), false, 'A')));
        rows.extend((0..5).map(|_| row(false, false, 0.05, false, 'B')));
        rows
    }

    #[test]
    fn review_is_told_apart_and_counted_underneath() {
        let report = Report::new(&coils(), 0.03, Bootstrap { draws: 200, ..Bootstrap::default() });
        let a = &report.by_class[0].metrics;
        assert_eq!(a.confusion, Confusion { true_nok: 3, false_nok: 2, false_ok: 1, true_ok: 4 });
        assert_eq!(a.review, Review { coils: 3, nok: 2, wrong_underneath: 2 });
        assert_eq!(a.recall_nok.value, Some(0.75));
        assert!((a.misses_per_1000.value.unwrap() - 7.5).abs() < 1e-9);
        assert_eq!(report.overall.confusion.true_ok, 9);
        let i = report.overall.recall_nok.interval.unwrap();
        assert!(i.low <= 0.75 && 0.75 <= i.high && i.low < i.high, "{i:?}");
    }

    #[test]
    fn a_class_without_nok_leaves_gaps_and_not_numbers() {
        let report = Report::new(&coils(), 0.03, Bootstrap { draws: 50, ..Bootstrap::default() });
        let b = &report.by_class[1].metrics;
        assert_eq!(report.by_class[1].class, 'B');
        assert_eq!(b.roc_auc, Estimate { value: None, interval: None });
        assert_eq!(b.misses_per_1000.value, None);
        assert_eq!(b.accuracy.value, Some(1.0));
        let table = report.to_string();
        assert!(table.contains("F1 NOK") && table.contains("class B"), "{table}");
        assert!(table.lines().any(|l| l.starts_with("ROC AUC") && l.trim_end().ends_with('-')), "{table}");
    }

    #[test]
    fn json_holds_all_of_it() {
        let report = Report::new(&coils(), 0.03, Bootstrap { draws: 50, ..Bootstrap::default() });
        let back: Report = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(back, report);
        assert_eq!(Report::new(&[], 0.03, Bootstrap::default()).overall.accuracy.value, None);
    }
}
