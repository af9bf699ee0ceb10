//! When to say that models should be trained again.

use super::config::Config;
use super::fold::{Course, Fold, Known, Score};
use super::judged::Judged;
use coilsight_models::message::status::Why;
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
        /// Whether all coils that passed count as judged right, for want of labelled ones among those drawn.
        #[serde(default)]
        at_most: bool,
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
        /// For how many these stand: a coil that was drawn from the OK ones stands for others that nobody looked at.
        #[serde(default)]
        stand_for: f64,
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

/// What a rule says as long as it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// As though it fired now.
    pub trigger: Trigger,
    /// Whether it would. Else there has been evidence enough, and some of it is left.
    pub met: bool,
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
    /// they were judged. `past` are earlier firings, in their order: the same rule is silent about the same judge of
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
        self.news(judged, &self.standing(judged, now), past)
    }

    /// Of what stands, what fires.
    pub fn news(&self, judged: &[Judged], standing: &[Standing], past: &[Trigger]) -> Vec<Trigger> {
        let of = standing.iter().filter(|standing| standing.met).map(|standing| &standing.trigger);
        of.filter(|trigger| !self.is_silent(judged, trigger, past)).cloned().collect()
    }

    /// What every rule says of every judge of the set that judged last. It says it as long as the coils and their labels
    /// say so: nothing is left of a word that was taken back. The sequential test, once it had the evidence at some coil,
    /// stands until there is no more of it than there was at the beginning; the score rule, once it was met at some coil,
    /// until the score is clearly above its bound ([`super::Paper::margin`]).
    pub fn standing(&self, judged: &[Judged], now: Timestamp) -> Vec<Standing> {
        let Some(last) = judged.last() else { return Vec::new() };
        let panel = last.panel();
        let models = panel.models.len();
        let mut standing = Vec::new();
        for course in std::iter::once(Course::Ensemble).chain((0..models).map(Course::Model)) {
            let mut fold = Fold::new(course, &self.config);
            let (mut coils, mut labelled, mut held, mut low) = (0, 0, [false; 2], false);
            let needed = self.needed(course, models);
            // A set whose models have other names or another order is another panel: its votes are not these.
            let same = |coil: &&Judged| course == Course::Ensemble || coil.panel().models == panel.models;
            for coil in of_set(judged).filter(same) {
                coils += 1;
                fold.take(coil);
                for (held, evidence) in held.iter_mut().zip([fold.misses(), fold.false_alarms()]) {
                    *held =
                        self.config.sequential.on && if *held { evidence > 1.0 } else { evidence >= needed };
                }
                if self.config.paper.on && coil.label_nok().is_some() {
                    labelled += 1;
                    if is_looked_at(labelled) {
                        low = self.is_low(&fold, low);
                    }
                }
            }
            low = self.config.paper.on && self.is_low(&fold, low);
            let model = match course {
                Course::Ensemble => None,
                Course::Model(model) => Some(panel.models[model].to_string()),
            };
            let rules = self.rules(&fold, needed).into_iter().zip([low, held[0], held[1]]);
            for ((rule, met), _) in rules.filter(|((_, met), held)| *met || *held) {
                let trigger = Trigger {
                    text: rule.text(model.as_deref()),
                    to_do: rule.to_do(),
                    rule,
                    model: model.clone(),
                    set: panel.set.to_string(),
                    at: now,
                    place: last.place(),
                    coils,
                };
                standing.push(Standing { trigger, met });
            }
        }
        standing
    }

    fn is_low(&self, fold: &Fold, was: bool) -> bool {
        fold.score(&self.config.paper).is_some_and(|score| score.stands(&self.config.paper, was))
    }

    /// Whether the rule fired of late.
    fn is_silent(&self, judged: &[Judged], trigger: &Trigger, past: &[Trigger]) -> bool {
        let Some(past) = past.iter().rev().find(|past| past.is_like(trigger)) else { return false };
        // Places begin anew when only the newest decisions are read back: then the plant's time says which are new.
        let anew = trigger.place < past.place;
        // The clock was ahead when it fired: its time says nothing.
        let ahead = past.at > trigger.at;
        let later = |coil: &&Judged| {
            if anew { ahead || coil.at().is_some_and(|at| at > past.at) } else { coil.place() > past.place }
        };
        let since = of_set(judged).filter(later).count();
        let days = SignedDuration::from_hours(24 * i64::from(self.config.cool_down.days));
        since < self.config.cool_down.coils.max(1) as usize
            || (!ahead && trigger.at.duration_since(past.at) < days)
    }

    /// The rules that a judge's course meets, of a set with so many models.
    pub fn met(&self, fold: &Fold, course: Course, models: usize) -> Vec<Rule> {
        let rules = self.rules(fold, self.needed(course, models));
        rules.into_iter().filter(|(_, met)| *met).map(|(rule, _)| rule).collect()
    }

    /// The evidence that is needed.
    fn needed(&self, course: Course, models: usize) -> f64 {
        let judges = match course {
            Course::Ensemble => 2.0,
            Course::Model(_) => 2.0 * models as f64,
        };
        2.0 * judges / self.config.sequential.false_alarms
    }

    /// Every rule, and whether it is met.
    fn rules(&self, fold: &Fold, needed: f64) -> [(Rule, bool); 3] {
        let Config { paper, sequential, .. } = self.config;
        let score = fold.score(&paper);
        let low = score.is_some_and(|score| score.meets(&paper));
        let Score { labelled, score, at_most } =
            score.unwrap_or(Score { labelled: 0, score: 1.0, at_most: true });
        let Known { missed, stand_for, found, false_alarms, passed } = fold.known;
        let (misses, alarms) = (fold.misses(), fold.false_alarms());
        let (recall, specificity) = (sequential.recall, sequential.specificity);
        [
            (
                Rule::Score { score, under: paper.under, labelled, weighted: paper.weighted, at_most },
                paper.on && low,
            ),
            (
                Rule::Misses { evidence: misses, needed, recall, missed, stand_for, found },
                sequential.on && misses >= needed,
            ),
            (
                Rule::FalseAlarms { evidence: alarms, needed, specificity, false_alarms, passed },
                sequential.on && alarms >= needed,
            ),
        ]
    }
}

/// Whether the score is looked at after so many labelled coils: a look takes a microsecond or more, and of many coils one more
/// moves it by little. At all of the first 256, then some hundred times as often as they double.
fn is_looked_at(labelled: u64) -> bool {
    labelled.is_multiple_of((labelled / 256 + 1).next_power_of_two())
}

/// Coils of the set that judged last.
fn of_set(judged: &[Judged]) -> impl Iterator<Item = &Judged> {
    judged.iter().filter(|coil| judged.last().is_some_and(|last| coil.panel().set == last.panel().set))
}

impl Trigger {
    /// Its rule and the numbers by which it fired, for programs that say it in another language.
    pub fn why(&self) -> Why {
        let why = Why::of("").with("model", &self.model);
        // Plain data: becoming a value has no way to fail.
        let rule = serde_json::to_value(self.rule).expect("a rule becomes JSON");
        let mut why =
            rule.as_object().into_iter().flatten().fold(why, |why, (name, value)| why.with(name, value));
        why.code =
            why.values.remove("rule").and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
        why
    }

    /// Whether both are about the same rule and judge.
    pub fn is_like(&self, other: &Self) -> bool {
        self.set == other.set && self.model == other.model && self.rule.is_like(&other.rule)
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
            Self::Score { score, under, labelled, weighted, at_most } => {
                // Never rounded up to the bound.
                let (score, under) = ((1000.0 * score).floor() / 10.0, percent(under));
                if at_most {
                    format!(
                        "{who} judges at most {score:.1} % of coils right, by {labelled} labelled ones and if all that passed were \
                         OK: under {under}."
                    )
                } else if weighted {
                    format!(
                        "{who} judges {score:.1} % of coils right, by {labelled} labelled ones that stand for all: under {under}."
                    )
                } else {
                    format!("{who} judged {score:.1} % of {labelled} labelled coils right: under {under}.")
                }
            }
            Self::Misses { evidence, needed, recall, missed, stand_for, found } => {
                let others = if stand_for >= missed as f64 + 1.0 {
                    format!(
                        "; of these, coils drawn at random stand for others that nobody looked at, so some {stand_for:.0} were missed"
                    )
                } else {
                    String::new()
                };
                format!(
                    "{who} misses too many NOK coils: it said OK of {missed} that inspectors call NOK, and found {found}{others}. \
                     That it finds {} of them can no longer be believed (evidence {}, needed {needed:.0}).",
                    percent(recall),
                    times(evidence)
                )
            }
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
