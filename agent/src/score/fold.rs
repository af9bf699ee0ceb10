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
//! Both count in the judge's favour what is not known, so no missing label raises an alarm ([`super::evidence`]).

use super::config::Config;
use super::confusion::Confusion;
use super::estimated::Estimated;
use super::evidence::Evidence;
use super::judged::Judged;
use super::strata::{Said, Strata};
use coilsight_models::verdict::Verdict;

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
    /// Errors that are known, and coils called NOK that are: misses, found, false alarms.
    pub(super) known: Known,
}

/// Coils with a label that the sequential test uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// NOK coils of which it said OK.
    pub missed: u64,
    /// NOK coils of which it said NOK.
    pub found: u64,
    /// OK coils of which it said NOK.
    pub false_alarms: u64,
    /// Coils of which it said OK and that nobody called NOK.
    pub passed: u64,
}

impl Fold {
    /// Before the first coil. The configuration has passed its check.
    pub fn new(course: Course, config: &Config) -> Self {
        Self {
            course,
            strata: Strata::default(),
            misses: Evidence::new(1.0 - config.sequential.recall),
            false_alarms: Evidence::new(1.0 - config.sequential.specificity),
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
        self.strata.take(coil, if nok { Said::Nok } else { Said::Ok });
        match (nok, coil.label_nok()) {
            (true, Some(false)) => {
                self.known.false_alarms += 1;
                self.misses.silent();
                self.false_alarms.error(1.0);
            }
            (true, is) => {
                self.known.found += u64::from(is == Some(true));
                self.misses.right();
                self.false_alarms.silent();
            }
            (false, Some(true)) => {
                self.known.missed += 1;
                match coil.drawn() {
                    Some(share) => self.misses.error(1.0 / share),
                    // Chosen by people: they would have to stand for those that nobody looked at.
                    None if coil.verdict() == Verdict::Ok => self.misses.silent(),
                    None => self.misses.error(1.0),
                }
                self.false_alarms.silent();
            }
            (false, _) => {
                self.known.passed += 1;
                self.misses.silent();
                self.false_alarms.right();
            }
        }
    }

    /// The evidence that it misses too many NOK coils.
    pub fn misses(&self) -> f64 {
        self.misses.value()
    }

    /// The evidence that it has too many false alarms.
    pub fn false_alarms(&self) -> f64 {
        self.false_alarms.value()
    }

    /// Labelled coils that count, and the score on them: of all coils, as those that nobody chose stand for them, or
    /// of the labelled ones as they are. `None` where labels do not say.
    pub fn score(&self, weighted: bool) -> Option<(u64, f64)> {
        if !weighted {
            return Some((self.strata.labelled(), self.strata.counted().accuracy()?));
        }
        let labelled = self.strata.labelled() - self.strata.volunteered().total() as u64;
        Some((labelled, self.strata.estimate().ok().as_ref().map(Estimated::confusion)?.accuracy()?))
    }

    /// Whether the paper's rule is met.
    pub fn paper(&self, config: &Config) -> Option<(u64, f64)> {
        let met =
            |(n, score): &(u64, f64)| *n > u64::from(config.paper.more_than) && *score < config.paper.under;
        self.score(config.paper.weighted).filter(met)
    }

    /// Labelled coils, each counting once.
    pub fn counted(&self) -> Confusion {
        self.strata.counted()
    }
}
