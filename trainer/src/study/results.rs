//! What a study comes to: everything that its report tells, as `results.json`.
//!
//! Nothing here depends on when, where or in how many pieces the cells ran: the same study gives the same bytes. What cells cost
//! stands apart, in `costs.json`.

use super::plan::School;
use crate::score::report::Estimate;
use crate::score::{Bootstrap, Confusion, OnTheLine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A finished study, but for its looks at gold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// The study's name.
    pub name: String,
    /// The trainer's version; all cells have the same.
    pub trainer: String,
    /// Seed of splits and networks.
    pub seed: u64,
    /// Folds of a repeat.
    pub folds: usize,
    /// Repeats.
    pub repeats: usize,
    /// Shares of the set at which it is cut in time.
    pub forward: Vec<f64>,
    /// What configurations are chosen by.
    pub select: Metric,
    /// The set.
    pub data: Data,
    /// How intervals were drawn.
    pub bootstrap: Bootstrap,
    /// In the study's order.
    pub experiments: Vec<Experiment>,
    /// The best configuration of each school, compared with each other.
    pub chosen: Vec<Chosen>,
    /// Every two of the chosen ones.
    pub between: Vec<Comparison>,
}

/// The set that was studied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Its name.
    pub set: String,
    /// SHA-256 of coils and labels, in hex.
    pub sha256: String,
    /// Coils.
    pub coils: usize,
    /// NOK coils among them.
    pub nok: usize,
    /// Days on which they were made.
    pub days: usize,
    /// Share of NOK coils on the line that alarms and misses per 1,000 assume.
    pub prevalence: f64,
}

/// Metrics of a cell: of one network on the coils that it has not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// F1 of NOK under the policy, its threshold chosen on the other folds of the repeat.
    F1Nok,
    /// Precision of NOK, likewise.
    PrecisionNok,
    /// Recall of NOK, likewise.
    RecallNok,
    /// Share decided rightly, likewise.
    Accuracy,
    /// Mean of both classes' F1, likewise.
    MacroF1,
    /// Matthews' correlation coefficient, likewise.
    Mcc,
    /// F1 of NOK where the larger logit decides: what the paper reports.
    F1Argmax,
    /// Area under the ROC curve.
    RocAuc,
    /// Area under the precision-recall curve.
    AveragePrecision,
}

/// A question: configurations that differ in what is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// What it asks, for people.
    pub title: String,
    /// Which school its configurations are of.
    pub school: School,
    /// Its axes in order: name and labels of its values.
    pub axes: Vec<(String, Vec<String>)>,
    /// Axes over which the best is taken before the others are compared (a learning rate tuned per size).
    pub tuned: Vec<String>,
    /// Its configurations, in order; the first axis moves slowest.
    pub configurations: Vec<Configuration>,
    /// Each configuration against the first one, p values corrected for their number (Holm).
    pub comparisons: Vec<Comparison>,
}

/// A configuration and what its cells come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// `frozen=3,size=s`; unique in its experiment.
    pub name: String,
    /// Its label on each axis.
    pub point: Vec<String>,
    /// The architecture.
    pub network: String,
    /// Where its weights came from.
    pub weight_origin: String,
    /// Learned values, frozen ones included.
    pub parameters: usize,
    /// Those that training moved.
    pub trainable: usize,
    /// Share of the training coils that it was given.
    pub share: f64,
    /// A cell's metrics each, in order of repeats and folds.
    pub cells: Vec<CellMetrics>,
    /// Mean over cells, spread, and interval.
    pub summary: BTreeMap<Metric, Summary>,
    /// Decisions of all repeats together, each coil counted once a repeat.
    pub confusion: Confusion,
    /// At the line's share of NOK coils, of all coils and by tolerance class (`?`: not known).
    pub on_the_line: BTreeMap<String, Option<OnTheLine>>,
    /// How far P(NOK) can be believed.
    pub calibration: Calibration,
    /// Judged by networks that learned from earlier coils alone.
    pub forward: Option<Forward>,
}

/// A metric over cells.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Mean over the cells that define it.
    pub mean: Option<f64>,
    /// Standard deviation over cells (n - 1).
    pub sd: Option<f64>,
    /// Of the mean over repeats, coils redrawn (BCa).
    pub by_coil: Estimate,
    /// The same, days of production redrawn: coils of one day resemble each other.
    pub by_day: Estimate,
}

/// One network on the coils that it has not seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellMetrics {
    /// Counted from 0.
    pub repeat: usize,
    /// Counted from 0.
    pub fold: usize,
    /// Epochs trained.
    pub epochs: usize,
    /// Coils judged.
    pub coils: usize,
    /// NOK coils among them.
    pub nok: usize,
    /// Right and wrong decisions under the policy.
    pub confusion: Confusion,
    /// Where defined.
    pub metrics: BTreeMap<Metric, f64>,
}

/// How far P(NOK) can be believed; a coil's is its mean over repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Mean squared error of P(NOK).
    pub brier: f64,
    /// Expected calibration error, ten bins of equally many coils.
    pub ece: f64,
    /// Reliability curve: mean P(NOK), share of NOK, coils of each bin.
    pub bins: Vec<(f64, f64, usize)>,
}

/// Judging forward in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// Each coil ranked among those of its stretch.
    pub average_precision: Estimate,
    /// Likewise.
    pub roc_auc: Estimate,
    /// Of the last stretch, the threshold chosen on those before it.
    pub f1_nok: Estimate,
    /// Of the last stretch, at the line's share of NOK coils.
    pub on_the_line: Option<OnTheLine>,
}

/// Two configurations on the same coils.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// `experiment/configuration`.
    pub of: String,
    /// What it is compared with.
    pub with: String,
    /// Mean difference of the metric that selects, over cells.
    pub difference: Option<f64>,
    /// Nadeau and Bengio's corrected t test over cells: p.
    pub corrected_t: Option<Test>,
    /// The naive paired t test over cells that the paper used. Its p is too small: cells share coils.
    pub naive_t: Option<Test>,
    /// McNemar's exact test of the first repeat's decisions.
    pub mcnemar: Option<Test>,
    /// Paired permutation of F1 of NOK (mean over repeats), decisions swapped coil by coil.
    pub permutation: Option<Test>,
    /// DeLong's test of the AUCs of mean P(NOK).
    pub delong: Option<Test>,
}

/// A test's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// t, z, or the difference; absent where the test has none.
    pub statistic: Option<f64>,
    /// Two-sided.
    pub p: f64,
    /// Corrected for the number of comparisons beside it (Holm).
    pub holm: Option<f64>,
}

/// The best configuration of a school.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// The school.
    pub school: School,
    /// Its experiment.
    pub experiment: String,
    /// Its configuration.
    pub configuration: String,
    /// Curves of mean P(NOK) over repeats.
    pub curves: Curves,
    /// Coils that it judges wrongly most often.
    pub errors: Vec<Wrong>,
}

/// Curves for plots, thinned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curves {
    /// False positive rate, true positive rate.
    pub roc: Vec<(f64, f64)>,
    /// Recall, precision.
    pub precision_recall: Vec<(f64, f64)>,
    /// Probability-cost, normalised expected cost of the best threshold (Drummond and Holte).
    pub cost: Vec<(f64, f64)>,
}

/// A coil that is judged wrongly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrong {
    /// Which.
    pub coil_id: String,
    /// Its row in the set, counted from 0.
    pub row: usize,
    /// Its label.
    pub nok: bool,
    /// Its tolerance class.
    pub class: char,
    /// Mean P(NOK) over repeats.
    pub p_nok: f64,
    /// Repeats that judged it wrongly.
    pub wrong: usize,
}

/// What the cells of a configuration cost together: `costs.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// `experiment/configuration`.
    pub configuration: String,
    /// Cells that were measured.
    pub cells: usize,
    /// Time that went by, s.
    pub wall_s: f64,
    /// Time of processor cores, s.
    pub processor_s: f64,
    /// Most memory, MiB.
    pub peak_mib: f64,
    /// Devices and threads.
    pub on: Vec<String>,
}

/// The looks at gold: `gold.json`. It exists as soon as anybody has looked, and nobody looks again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gold {
    /// The set.
    pub set: String,
    /// SHA-256 of coils and labels, in hex.
    pub sha256: String,
    /// Looks on record in this study's ledger.
    pub looks: usize,
    /// What the chosen ones come to on it, each trained on all of the set.
    pub of: Vec<GoldOf>,
}

/// A chosen configuration on gold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldOf {
    /// The school.
    pub school: School,
    /// `experiment/configuration`.
    pub configuration: String,
    /// Everything.
    pub report: crate::score::Report,
    /// ROC and precision-recall curves.
    pub curves: Curves,
}
