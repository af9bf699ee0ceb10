//! Where to draw the line between OK and NOK, from what a miss and a false alarm cost.
//!
//! The rule, in full:
//! 1. Scores are out-of-fold probabilities of NOK. Every NOK coil counts as `prevalence / share of NOK` coils and
//!    every OK coil correspondingly, so that costs are those of the line and not of the sample.
//! 2. The common threshold is the one with the least cost over all coils. Candidates lie midway, in log-odds,
//!    between neighbouring scores. Of equally cheap ones that nearest to Bayes' threshold,
//!    `false_alarm / (false_alarm + miss)`, is taken: it is right where the scores are calibrated.
//! 3. A tolerance class with fewer than [`Costs::enough_nok`] NOK coils, or without an OK coil, takes the common
//!    threshold.
//! 4. Any other class finds its own in the same way and moves towards it, in log-odds, by n / (n + 2·enough) of the
//!    way, n being its NOK coils: a third of the way at just enough, ever closer with more.
//!
//! Cost-sensitive thresholds: C. Elkan, The foundations of cost-sensitive learning, IJCAI 2001.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::average_precision::descending;
use super::{Judged, logit, sigmoid};

/// What being wrong costs, stated before the scores are seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Cost of a NOK coil let through, in any unit.
    pub miss: f64,
    /// Cost of an OK coil stopped, in the same unit.
    pub false_alarm: f64,
    /// Share of NOK coils on the line.
    pub prevalence: f64,
    /// NOK coils a tolerance class must have for a threshold of its own.
    pub enough_nok: usize,
}

impl Default for Costs {
    fn default() -> Self {
        Self { miss: 10.0, false_alarm: 1.0, prevalence: super::alarms::LINE_PREVALENCE, enough_nok: 20 }
    }
}

/// P(NOK) from which a coil is NOK, in common and by tolerance class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// For classes not named in `by_class`.
    pub common: f64,
    /// Classes with a threshold of their own.
    pub by_class: BTreeMap<char, f64>,
}

/// Why no threshold can be chosen.
#[derive(Debug, Error, PartialEq)]
pub enum ThresholdError {
    /// Costs or prevalence are not usable.
    #[error(
        "costs must be positive and finite and the prevalence between 0 and 1, got miss {miss}, false alarm \
         {false_alarm}, prevalence {prevalence}"
    )]
    Costs {
        /// Cost of a miss.
        miss: f64,
        /// Cost of a false alarm.
        false_alarm: f64,
        /// Share of NOK.
        prevalence: f64,
    },
    /// One label does not occur.
    #[error("a threshold needs both labels, got {nok} NOK and {ok} OK coils; use more coils")]
    OneLabel {
        /// NOK coils given.
        nok: usize,
        /// OK coils given.
        ok: usize,
    },
    /// A score is no probability.
    #[error("score {row} is {score}, not a probability")]
    NotAProbability {
        /// Which row.
        row: usize,
        /// Its score.
        score: f64,
    },
}

impl Thresholds {
    /// The threshold for a tolerance class.
    pub fn of(&self, class: char) -> f64 {
        self.by_class.get(&class).copied().unwrap_or(self.common)
    }

    /// Whether a coil of this class and P(NOK) is NOK.
    pub fn is_nok(&self, class: char, p_nok: f64) -> bool {
        p_nok >= self.of(class)
    }

    /// Chooses thresholds by the rule at the head of this module; only `nok`, `p_nok` and `class` are looked at.
    pub fn choose(coils: &[Judged], costs: &Costs) -> Result<Self, ThresholdError> {
        let Costs { miss, false_alarm, prevalence, enough_nok } = *costs;
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !positive(miss) || !positive(false_alarm) || !positive(prevalence) || prevalence >= 1.0 {
            return Err(ThresholdError::Costs { miss, false_alarm, prevalence });
        }
        if let Some((row, bad)) = coils.iter().enumerate().find(|(_, c)| !(0.0..=1.0).contains(&c.p_nok)) {
            return Err(ThresholdError::NotAProbability { row, score: bad.p_nok });
        }
        let nok = coils.iter().filter(|c| c.nok).count();
        let ok = coils.len() - nok;
        if nok == 0 || ok == 0 {
            return Err(ThresholdError::OneLabel { nok, ok });
        }
        let search = Search {
            miss: miss * prevalence / nok as f64,
            false_alarm: false_alarm * (1.0 - prevalence) / ok as f64,
            bayes: logit(false_alarm / (false_alarm + miss)),
        };
        let common = search.cheapest(coils);
        let classes: BTreeSet<char> = coils.iter().map(|c| c.class).collect();
        let mut by_class = BTreeMap::new();
        for class in classes {
            let own: Vec<Judged> = coils.iter().filter(|c| c.class == class).copied().collect();
            let n = own.iter().filter(|c| c.nok).count();
            if n < enough_nok.max(1) || n == own.len() {
                continue;
            }
            let weight = n as f64 / (n + 2 * enough_nok) as f64;
            by_class.insert(class, sigmoid(common + weight * (search.cheapest(&own) - common)));
        }
        Ok(Self { common: sigmoid(common), by_class })
    }
}

/// Costs per coil of the sample, and where to go when costs do not decide.
struct Search {
    miss: f64,
    false_alarm: f64,
    bayes: f64,
}

impl Search {
    /// The log-odds with the least cost on these coils.
    fn cheapest(&self, coils: &[Judged]) -> f64 {
        let (nok, scores): (Vec<bool>, Vec<f64>) = coils.iter().map(|c| (c.nok, logit(c.p_nok))).unzip();
        let groups = descending(&nok, &scores);
        // Above every score nothing is called NOK; then each group in turn is.
        let mut cost = self.miss * nok.iter().filter(|&&n| n).count() as f64;
        let mut best = (cost, self.nearest(groups[0].score, f64::INFINITY));
        for (i, group) in groups.iter().enumerate() {
            cost += self.false_alarm * group.ok - self.miss * group.nok;
            let below = groups.get(i + 1).map_or(f64::NEG_INFINITY, |next| next.score);
            let at = self.nearest(below, group.score);
            let cheaper = cost < best.0 - 1e-12;
            let as_cheap = cost <= best.0 + 1e-12;
            if cheaper || (as_cheap && (at - self.bayes).abs() < (best.1 - self.bayes).abs()) {
                best = (cost, at);
            }
        }
        best.1
    }

    /// Midway between two neighbouring scores; one log-odd beyond the outermost.
    fn nearest(&self, below: f64, above: f64) -> f64 {
        match (below.is_finite(), above.is_finite()) {
            (true, true) => 0.5 * (below + above),
            (true, false) => self.bayes.max(below + 1.0),
            (false, _) => self.bayes.min(above - 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn coil(class: char, nok: bool, p_nok: f64) -> Judged {
        Judged { nok, p_nok, called_nok: false, review: false, class }
    }

    fn even() -> Costs {
        Costs { miss: 1.0, false_alarm: 1.0, prevalence: 0.5, enough_nok: 2 }
    }

    #[test]
    fn by_hand() {
        // One OK among the NOK; NOK 0.8 0.6 0.3, OK 0.7 0.2 0.1. Even costs, even labels: cost in sixths is 3 above
        // all, 2 below .8, 3 below .7, 2 below .6, 1 below .3: midway in log-odds between 0.3 and 0.2.
        let coils = [
            coil('A', true, 0.8),
            coil('A', false, 0.7),
            coil('A', true, 0.6),
            coil('A', true, 0.3),
            coil('A', false, 0.2),
            coil('A', false, 0.1),
        ];
        let t = Thresholds::choose(&coils, &Costs { enough_nok: 9, ..even() }).unwrap();
        let midway = sigmoid(0.5 * ((0.3_f64 / 0.7).ln() + (0.2_f64 / 0.8).ln()));
        assert!((t.common - midway).abs() < 1e-12, "{t:?}");
        // Where a false alarm costs five misses, only what lies above every OK coil is NOK.
        let t = Thresholds::choose(&coils, &Costs { false_alarm: 5.0, enough_nok: 9, ..even() }).unwrap();
        assert!(t.common > 0.7 && t.common < 0.8, "{t:?}");
    }

    #[test]
    fn a_class_with_enough_nok_goes_part_of_the_way() {
        let mut coils = Vec::new();
        for i in 0..40 {
            coils.push(coil('A', true, 0.90 + 0.001 * f64::from(i)));
            coils.push(coil('A', false, 0.10 + 0.001 * f64::from(i)));
        }
        // Class C separates higher up, and has exactly enough NOK for a third of the way; class B has too few.
        coils.extend([
            coil('C', true, 0.99),
            coil('C', true, 0.995),
            coil('C', false, 0.8),
            coil('B', true, 0.2),
        ]);
        let t = Thresholds::choose(&coils, &even()).unwrap();
        assert!(!t.by_class.contains_key(&'B'));
        assert_eq!(t.of('B'), t.common);
        let own = 0.5 * (logit(0.99) + logit(0.8));
        let expected = logit(t.common) + (own - logit(t.common)) / 3.0;
        assert!((logit(t.of('C')) - expected).abs() < 1e-9, "{t:?}");
        assert!(t.is_nok('A', 0.95) && !t.is_nok('A', 0.13));
    }

    #[test]
    fn what_cannot_be_decided_is_said() {
        let one = [coil('A', true, 0.5)];
        assert_eq!(Thresholds::choose(&one, &even()), Err(ThresholdError::OneLabel { nok: 1, ok: 0 }));
        let bad = [coil('A', true, f64::NAN), coil('A', false, 0.1)];
        assert!(matches!(
            Thresholds::choose(&bad, &even()),
            Err(ThresholdError::NotAProbability { row: 0, .. })
        ));
        let free = Costs { miss: 0.0, ..even() };
        assert!(matches!(Thresholds::choose(&one, &free), Err(ThresholdError::Costs { .. })));
    }

    proptest! {
        #[test]
        fn no_other_threshold_is_cheaper(
            rows in prop::collection::vec((any::<bool>(), 0_u8..=20), 2..40), miss in 0.5_f64..20.0, other in 0.0_f64..1.0
        ) {
            let coils: Vec<Judged> =
                rows.iter().map(|&(nok, s)| coil('A', nok, 0.01 + 0.98 * f64::from(s) / 20.0)).collect();
            let costs = Costs { miss, enough_nok: 1000, ..Costs::default() };
            let Ok(t) = Thresholds::choose(&coils, &costs) else { return Ok(()) };
            let nok = coils.iter().filter(|c| c.nok).count() as f64;
            let ok = coils.len() as f64 - nok;
            let cost = |t: f64| coils.iter().map(|c| match (c.nok, c.p_nok >= t) {
                (true, false) => miss * costs.prevalence / nok,
                (false, true) => costs.false_alarm * (1.0 - costs.prevalence) / ok,
                _ => 0.0,
            }).sum::<f64>();
            prop_assert!(cost(t.common) <= cost(other) + 1e-9);
        }
    }
}
