//! One judge's course, coil by coil: what the trigger rules look at. Made afresh from the list of coils whenever a word
//! is superseded or withdrawn.
//!
//! The paper's rule looks at the score. The sequential test looks at two rates apart, because with 97 % of coils OK a
//! model that says OK to everything is right 97 % of the time:
//!
//! - **misses**: of the NOK coils, the share of which it says OK. A miss is known if the coil went to NOK or REVIEW
//!   (it then counts once) or was drawn from the OK ones (it then counts 1 / share times). Every coil of which it says
//!   NOK, and that nobody called OK, counts as a NOK coil that it found.
//! - **false alarms**: of the OK coils, the share of which it says NOK. Every coil of which it says OK, and that nobody
//!   called NOK, counts as an OK coil that it passed.
//!
//! Both count in the judge's favour what is not known, so no missing label raises an alarm ([`super::evidence`]). A bet
//! is on a run: neighbouring coils of one order, at most [`super::Sequential::run`] of them.

use super::config::{Config, Paper};
use super::confusion::Confusion;
use super::estimated::Estimated;
use super::evidence::Evidence;
use super::judged::Judged;
use super::strata::{Missing, Said, Strata};

/// The judge of whose course it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// The ensemble's threshold alone.
    Ensemble,
    /// A model, by its place in the panel.
    Model(usize),
}

/// What is known of a judge up to some coil.
#[derive(Clone, Debug)]
pub struct Fold {
    course: Course,
    strata: Strata,
    misses: Evidence,
    false_alarms: Evidence,
    /// The last coil, and how many of its run were taken.
    run: Option<(Judged, u32)>,
    longest: u32,
    /// Errors that are known, and coils called NOK that are: misses, found, false alarms.
    pub(super) known: Known,
}

/// Coils with a label that the sequential test uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// NOK coils of which it said OK.
    pub missed: u64,
    /// NOK coils of which it said OK for which these stand: one drawn with share p for 1/p.
    pub stand_for: f64,
    /// NOK coils of which it said NOK.
    pub found: u64,
    /// OK coils of which it said NOK.
    pub false_alarms: u64,
    /// Coils of which it said OK and that nobody called NOK.
    pub passed: u64,
}

/// The share of coils that a judge judges right, as the paper's rule sees it: of all coils, as those that nobody chose
/// stand for them, or of the labelled ones as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Labelled coils that count.
    pub labelled: u64,
    /// The share.
    pub score: f64,
    /// The share is no higher than that: too few drawn coils are labelled, so all that passed count as judged right.
    pub at_most: bool,
}

impl Score {
    /// Whether it meets the paper's rule.
    pub fn meets(&self, paper: &Paper) -> bool {
        self.labelled > u64::from(paper.more_than) && self.score < paper.under
    }

    /// Whether it is met, or was and the score is not clearly above its bound since.
    pub(super) fn stands(&self, paper: &Paper, stood: bool) -> bool {
        self.meets(paper) || (stood && self.score < (paper.under + paper.margin).min(1.0))
    }
}

impl Fold {
    /// Before the first coil. The configuration has passed its check.
    pub fn new(course: Course, config: &Config) -> Self {
        Self {
            course,
            strata: Strata::default(),
            misses: Evidence::new(1.0 - config.sequential.recall),
            false_alarms: Evidence::new(1.0 - config.sequential.specificity),
            run: None,
            longest: config.sequential.run,
            known: Known::default(),
        }
    }

    /// Takes the next coil, in the order in which they were judged. Coils of which the judge said nothing are passed
    /// over.
    pub fn take(&mut self, coil: &Judged) {
        let nok = match self.course {
            Course::Ensemble => coil.ensemble_nok(),
            Course::Model(model) => coil.vote_nok(model),
        };
        let Some(nok) = nok else { return };
        self.begin_or_go_on(coil);
        self.strata.take(coil, if nok { Said::Nok } else { Said::Ok });
        match (nok, coil.label_nok()) {
            (true, Some(false)) => {
                self.known.false_alarms += 1;
                self.false_alarms.error(1.0);
            }
            (true, is) => {
                self.known.found += u64::from(is == Some(true));
                self.misses.right();
                if is.is_none() {
                    self.false_alarms.unknown();
                }
            }
            (false, Some(true)) => {
                self.known.missed += 1;
                let stands_for = coil.drawn().map_or(1.0, f64::recip);
                self.known.stand_for += stands_for;
                // Chosen by people: they would have to stand for those that nobody looked at.
                if coil.volunteered() { self.misses.volunteered() } else { self.misses.error(stands_for) }
            }
            (false, is) => {
                self.known.passed += 1;
                self.false_alarms.right();
                if is.is_none() {
                    self.misses.unknown();
                }
            }
        }
    }

    /// Ends the run before this coil where it belongs to another, or the run is as long as one may be.
    fn begin_or_go_on(&mut self, coil: &Judged) {
        let coils = match &self.run {
            Some((last, coils)) if last.is_ordered_like(coil) && *coils < self.longest => coils + 1,
            last => {
                if last.is_some() {
                    self.misses.end_run();
                    self.false_alarms.end_run();
                }
                1
            }
        };
        self.run = Some((coil.clone(), coils));
    }

    /// The evidence that it misses too many NOK coils.
    pub fn misses(&self) -> f64 {
        self.misses.value()
    }

    /// The evidence that it has too many false alarms.
    pub fn false_alarms(&self) -> f64 {
        self.false_alarms.value()
    }

    /// The score as the paper's rule sees it; `None` where labels do not say.
    pub fn score(&self, paper: &Paper) -> Option<Score> {
        if !paper.weighted {
            let (labelled, score) = (self.strata.labelled(), self.strata.counted().accuracy()?);
            return Some(Score { labelled, score, at_most: false });
        }
        let labelled = self.strata.labelled() - self.strata.volunteered().total() as u64;
        let accuracy =
            |of: Result<Estimated, Missing>| of.ok().as_ref().map(Estimated::confusion)?.accuracy();
        if self.strata.drawn() > u64::from(paper.more_than) {
            return Some(Score { labelled, score: accuracy(self.strata.estimate())?, at_most: false });
        }
        // So few drawn coils say little of the many that they would stand for.
        let (judged, passed) = (self.strata.coils(), self.strata.passed());
        let others = if judged > passed { accuracy(self.strata.looked_at().estimate())? } else { 1.0 };
        let right = passed as f64 + (judged - passed) as f64 * others;
        Some(Score { labelled, score: right / judged as f64, at_most: passed > 0 })
    }

    /// The score, if the paper's rule is met.
    pub fn paper(&self, paper: &Paper) -> Option<Score> {
        self.score(paper).filter(|score| score.meets(paper))
    }

    /// Labelled coils, each counting once.
    pub fn counted(&self) -> Confusion {
        self.strata.counted()
    }
}
