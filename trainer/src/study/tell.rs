//! A study's results in words, for a terminal.

use super::results::{Gold, Metric, Results, Test};
use std::fmt;

/// Results, and the look at gold if there was one.
pub struct Told<'a> {
    /// What the study comes to.
    pub results: &'a Results,
    /// What the chosen ones come to on gold.
    pub gold: Option<&'a Gold>,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Results { name, data, folds, repeats, experiments, chosen, between, .. } = self.results;
        writeln!(
            f,
            "{name}: {} coils ({} NOK) on {} days; {repeats} x {folds} folds; [95 % intervals, coils redrawn]",
            data.coils, data.nok, data.days
        )?;
        for experiment in experiments {
            writeln!(f, "\n{} ({})", experiment.title, experiment.name)?;
            let width = experiment.configurations.iter().map(|c| c.name.len()).max().unwrap_or(0);
            writeln!(f, "  {:width$}  {:20}  {:20}  {:20}", "", "F1 NOK", "average precision", "AUC")?;
            for configuration in &experiment.configurations {
                write!(f, "  {:width$}", configuration.name)?;
                for metric in [Metric::F1Nok, Metric::AveragePrecision, Metric::RocAuc] {
                    let told = configuration.summary.get(&metric).map(|s| s.by_coil.to_string());
                    write!(f, "  {:20}", told.unwrap_or_else(|| "-".into()))?;
                }
                writeln!(f)?;
            }
        }
        writeln!(f, "\nThe best of each school:")?;
        for chosen in chosen {
            writeln!(f, "  {:?}: {}/{}", chosen.school, chosen.experiment, chosen.configuration)?;
        }
        for c in between {
            let p = |test: &Option<Test>| {
                test.map_or_else(|| "-".into(), |t| format!("{:.3}", t.holm.unwrap_or(t.p)))
            };
            writeln!(
                f,
                "  {} less {}: {}; p (Holm) corrected t {}, naive t {}, McNemar {}, permutation {}, DeLong {}",
                c.of,
                c.with,
                c.difference.map_or_else(|| "-".into(), |d| format!("{d:+.3}")),
                p(&c.corrected_t),
                p(&c.naive_t),
                p(&c.mcnemar),
                p(&c.permutation),
                p(&c.delong)
            )?;
        }
        let Some(gold) = self.gold else { return Ok(()) };
        writeln!(f, "\nOn {} ({} looks on record):", gold.set, gold.looks)?;
        for of in &gold.of {
            let all = &of.report.overall;
            writeln!(f, "  {}: F1 NOK {}, AUC {}", of.configuration, all.f1_nok, all.roc_auc)?;
        }
        Ok(())
    }
}
