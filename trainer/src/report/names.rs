//! What schools and metrics are called, and what the paper found.

use crate::study::School;
use crate::study::results::{Chosen, Configuration, Experiment, Metric, Results};

/// All metrics, in the order of tables.
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

/// For a heading.
pub fn metric(metric: Metric) -> &'static str {
    match metric {
        Metric::F1Nok => "F1 of NOK",
        Metric::PrecisionNok => "Precision of NOK",
        Metric::RecallNok => "Recall of NOK",
        Metric::Accuracy => "Accuracy",
        Metric::MacroF1 => "Macro F1",
        Metric::Mcc => "MCC",
        Metric::F1Argmax => "F1 of NOK, larger logit",
        Metric::RocAuc => "ROC AUC",
        Metric::AveragePrecision => "Average precision",
    }
}

/// For files: as in `results.json`.
pub fn key(metric: Metric) -> &'static str {
    match metric {
        Metric::F1Nok => "f1_nok",
        Metric::PrecisionNok => "precision_nok",
        Metric::RecallNok => "recall_nok",
        Metric::Accuracy => "accuracy",
        Metric::MacroF1 => "macro_f1",
        Metric::Mcc => "mcc",
        Metric::F1Argmax => "f1_argmax",
        Metric::RocAuc => "roc_auc",
        Metric::AveragePrecision => "average_precision",
    }
}

/// For people.
pub fn school(school: School) -> &'static str {
    match school {
        School::Transfer => "Transfer learning",
        School::Contrastive => "Contrastive learning",
        School::Baseline => "From scratch",
    }
}

/// The school's colour, of the page's palette.
pub fn colour(school: School) -> usize {
    match school {
        School::Transfer => 0,
        School::Contrastive => 1,
        School::Baseline => 2,
    }
}

/// F1 of NOK that the paper reports on its gold set of 30 OK and 30 NOK coils (sections 5.1, 5.5 and 6.1), and its interval.
pub fn paper(school: School) -> (f64, Option<(f64, f64)>) {
    match school {
        School::Transfer => (0.79, Some((0.65, 0.90))),
        School::Contrastive => (0.62, Some((0.50, 0.74))),
        School::Baseline => (0.75, None),
    }
}

/// What was chosen, with its experiment; `None` if results are not whole.
pub fn find<'a>(results: &'a Results, chosen: &Chosen) -> Option<(&'a Experiment, &'a Configuration)> {
    let experiment = results.experiments.iter().find(|e| e.name == chosen.experiment)?;
    Some((experiment, experiment.configurations.iter().find(|c| c.name == chosen.configuration)?))
}

/// The school of `experiment/configuration` among the chosen ones, or the path itself.
pub fn of_path<'a>(results: &Results, path: &'a str) -> &'a str {
    let own = |c: &&Chosen| format!("{}/{}", c.experiment, c.configuration) == path;
    results.chosen.iter().find(own).map_or(path, |c| school(c.school))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_results() {
        for metric in METRICS {
            assert_eq!(serde_json::to_value(metric).unwrap(), key(metric));
        }
    }
}
