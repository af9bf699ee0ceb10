//! When to say that models should be trained again.

use super::config::Config;
use super::fold::{Course, Fold};
use super::judged::Judged;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A rule that fired, with what it saw: kept in the ledger, told to people, served by `GET /api/v1/triggers`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Which rule, and its numbers.
    #[serde(flatten)]
    pub rule: Rule,
    /// The model's name in its set; `null` for the ensemble.
    pub model: Option<String>,
    /// The set's fingerprint.
    pub set: String,
    /// When it was noticed.
    pub at: Timestamp,
    /// The place of the newest coil that was looked at.
    pub place: u64,
    /// Coils that the set had judged by then.
    pub coils: u64,
    /// What was seen, for people.
    pub text: String,
    /// What they can do.
    pub to_do: String,
}

/// A rule with the numbers by which it fired.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// The paper's.
    Score {
        /// The score.
        score: f64,
        /// The bound that it is under.
        under: f64,
        /// Labelled coils behind it.
        labelled: u64,
        /// Whether labelled coils stand for all.
        weighted: bool,
    },
    /// The sequential test of misses.
    Misses {
        /// The evidence.
        evidence: f64,
        /// The evidence that is needed.
        needed: f64,
        /// The share of NOK coils that good models find.
        recall: f64,
        /// NOK coils that it missed, as far as is known.
        missed: u64,
        /// NOK coils that it found, as far as is known.
        found: u64,
    },
    /// The sequential test of false alarms.
    FalseAlarms {
        /// The evidence.
        evidence: f64,
        /// The evidence that is needed.
        needed: f64,
        /// The share of OK coils that good models pass.
        specificity: f64,
        /// OK coils of which it said NOK, as far as is known.
        false_alarms: u64,
        /// Coils of which it said OK and that nobody called NOK.
        passed: u64,
    },
}

/// The rules in force.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Triggers {
    config: Config,
}

impl Triggers {
    /// Rules by a configuration that passed its check.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Which rules fire now, over the coils of the set that judged last; all coils are given in the order in which
    /// they were judged. `past` are earlier firings (in any order): the same rule is silent about the same judge of
    /// the same set until its cool-down is over, and then says again what still holds.
    ///
    /// The paper's rule (section 4.6, "Feedback Loop and Real-World Use"): "The Model Re-Training Workflow is
    /// activated periodically (e.g., weekly) to check for models that have evaluated more than 10 coils with a score
    /// below 75%."
    ///
    /// The sequential test: a set of which every judge finds and passes the shares in [`super::Sequential`] is ever
    /// reported with probability at most `false_alarms`, however often this is called. Half of that is the ensemble's,
    /// the rest is shared by its models; of each judge's share half is for misses, half for false alarms (Bonferroni).
    pub fn evaluate(&self, judged: &[Judged], past: &[Trigger], now: Timestamp) -> Vec<Trigger> {
        let Some(last) = judged.last() else { return Vec::new() };
        let panel = last.panel();
        let of_set = || judged.iter().filter(|coil| coil.panel().set == panel.set);
        let models = panel.models.len();
        let mut fired = Vec::new();
        for course in std::iter::once(Course::Ensemble).chain((0..models).map(Course::Model)) {
            let mut fold = Fold::new(course, &self.config);
            let mut coils = 0;
            // A set whose models have other names or another order is another panel: its votes are not these.
            let same = |coil: &&Judged| course == Course::Ensemble || coil.panel().models == panel.models;
            for coil in of_set().filter(same) {
                coils += 1;
                fold.take(coil);
            }
            let model = match course {
                Course::Ensemble => None,
                Course::Model(model) => Some(panel.models[model].to_string()),
            };
            for rule in self.met(&fold, course, models) {
                let earlier = past
                    .iter()
                    .filter(|past| past.set == *panel.set && past.model == model && past.rule.is_like(&rule));
                let silent = earlier.max_by_key(|past| past.at).is_some_and(|past| {
                    // Places begin anew when only the newest decisions are read back: then the plant's time says which are new.
                    let anew = last.place() < past.place;
                    let later = |coil: &&Judged| {
                        if anew {
                            coil.at().is_some_and(|at| at > past.at)
                        } else {
                            coil.place() > past.place
                        }
                    };
                    let since = of_set().filter(later).count();
                    let days = SignedDuration::from_hours(24 * i64::from(self.config.cool_down.days));
                    since < self.config.cool_down.coils as usize || now.duration_since(past.at) < days
                });
                if !silent {
                    fired.push(Trigger {
                        text: rule.text(model.as_deref()),
                        to_do: rule.to_do(),
                        rule,
                        model: model.clone(),
                        set: panel.set.to_string(),
                        at: now,
                        place: last.place(),
                        coils,
                    });
                }
            }
        }
        fired
    }

    /// The rules that a judge's course meets, of a set with so many models.
    pub fn met(&self, fold: &Fold, course: Course, models: usize) -> Vec<Rule> {
        let Config { paper, sequential, .. } = self.config;
        let mut met = Vec::new();
        if let Some((labelled, score)) = fold.paper(&self.config).filter(|_| paper.on) {
            met.push(Rule::Score { score, under: paper.under, labelled, weighted: paper.weighted });
        }
        let judges = match course {
            Course::Ensemble => 2.0,
            Course::Model(_) => 2.0 * models as f64,
        };
        let needed = 2.0 * judges / sequential.false_alarms;
        if sequential.on && fold.misses() >= needed {
            let (recall, missed, found) = (sequential.recall, fold.known.missed, fold.known.found);
            met.push(Rule::Misses { evidence: fold.misses(), needed, recall, missed, found });
        }
        if sequential.on && fold.false_alarms() >= needed {
            let (false_alarms, passed) = (fold.known.false_alarms, fold.known.passed);
            let (evidence, specificity) = (fold.false_alarms(), sequential.specificity);
            met.push(Rule::FalseAlarms { evidence, needed, specificity, false_alarms, passed });
        }
        met
    }
}

impl Rule {
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    fn text(self, model: Option<&str>) -> String {
        let who = model.map_or_else(|| "The ensemble".to_owned(), |model| format!("Model {model}"));
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        match self {
            Self::Score { score, under, labelled, weighted } => {
                // Never rounded up to the bound.
                let (score, under) = ((1000.0 * score).floor() / 10.0, percent(under));
                if weighted {
                    format!(
                        "{who} judges {score:.1} % of coils right, by {labelled} labelled ones that stand for all: under {under}."
                    )
                } else {
                    format!("{who} judged {score:.1} % of {labelled} labelled coils right: under {under}.")
                }
            }
            Self::Misses { evidence, needed, recall, missed, found } => format!(
                "{who} misses too many NOK coils: it said OK of {missed} that inspectors call NOK, and found {found}. That it \
                 finds {} of them can no longer be believed (evidence {}, needed {needed:.0}).",
                percent(recall),
                times(evidence)
            ),
            Self::FalseAlarms { evidence, needed, specificity, false_alarms, passed } => format!(
                "{who} calls too many good coils NOK: {false_alarms} that inspectors call OK, beside {passed} that it passed. That \
                 it passes {} of them can no longer be believed (evidence {}, needed {needed:.0}).",
                percent(specificity),
                times(evidence)
            ),
        }
    }

    fn to_do(self) -> String {
        let look = match self {
            Self::Score { .. } => "Look at the coils that inspectors label otherwise than they were judged",
            Self::Misses { .. } => {
                "Until then look at more OK coils (line.review_share). Look at the missed coils: are the labels right"
            }
            Self::FalseAlarms { .. } => "Look at the coils wrongly called NOK: are the labels right",
        };
        format!(
            "{look}, do the inspectors agree, did a gauge or the product change (drift)? If the labels hold, train again with \
             them and send the new set to the line."
        )
    }
}

fn times(evidence: f64) -> String {
    if evidence < 1e6 { format!("{evidence:.0}") } else { "above a million".to_owned() }
}
