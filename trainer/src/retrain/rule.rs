//! Whether a candidate takes the place of the set that judges: by rules that are stated before anybody looks.
//!
//! Both judge the same coils, of which neither has learned: coils whose chance of being looked at by a person is known (all that
//! went out as NOK or REVIEW, and OK coils drawn by lot, each of which stands for 1 / share). Coils that somebody
//! came back with of his own accord are learned from and never judged by: they are found because the old set was
//! wrong, and any other set would shine on them.
//!
//! Two things must hold. *Not worse*: the mean cost of a coil, misses and false alarms at their stated prices, grows by no
//! more than a stated margin, by the lower end of a bootstrap interval over coils. *Better where it hurts*: on coils that people
//! call NOK (what fires the triggers), the candidate is right alone more often than the old set is right alone, by
//! McNemar's test, exact and one-sided. Its level is spent over the attempts since the last takeover, the k-th gets
//! 6 / (pi k)^2 of it, so that a line that is retrained every week for ever is promoted on nothing with at most that probability.

use crate::score::mcnemar::McNemar;
use crate::score::{Bootstrap, Interval};
use serde::{Deserialize, Serialize};

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// What a missed NOK coil costs.
    pub miss_cost: f64,
    /// What a false alarm costs.
    pub false_alarm_cost: f64,
    /// So much more may a coil cost in the mean, by the interval's worse end.
    pub margin: f64,
    /// Level of the interval that says so.
    pub level: f64,
    /// Probability of promoting a candidate that is no better on NOK coils, over all attempts until a promotion.
    pub alpha: f64,
    /// With fewer OK coils drawn by lot nothing is decided.
    pub least_drawn: usize,
    /// With fewer NOK coils nothing is decided.
    pub least_nok: usize,
    /// Resamples.
    pub draws: u32,
    /// Where the resamples come from.
    pub seed: u64,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            miss_cost: 5.0,
            false_alarm_cost: 1.0,
            margin: 0.02,
            level: 0.95,
            alpha: 0.01,
            least_drawn: 30,
            least_nok: 6,
            draws: 2000,
            seed: 0,
        }
    }
}

/// A coil that both sets have judged, and people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// What people say.
    pub nok: bool,
    /// Its chance of being drawn by lot; `None` if it was looked at for its verdict.
    pub drawn: Option<f64>,
    /// Whether the set that judges calls it NOK, by its threshold.
    pub before: bool,
    /// Whether the candidate does.
    pub after: bool,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The candidate is offered.
    Promoted,
    /// A person decides, with the report.
    Waits {
        /// What is missing, and what to do.
        why: String,
    },
}

/// All that was seen, and what comes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The rules.
    pub rule: Rule,
    /// Which attempt since the last takeover, from 1.
    pub attempt: u32,
    /// Coils that both judged.
    pub coils: usize,
    /// Of these drawn by lot.
    pub drawn: usize,
    /// Of all of them NOK.
    pub nok: usize,
    /// Saved by the candidate a coil, each coil for as many as it stands for; `None` without coils.
    pub saved: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
    /// On NOK coils, the set that judges being the first.
    pub on_nok: McNemar,
    /// One-sided p of the candidate being better on them.
    pub p: f64,
    /// What p must stay under.
    pub needed: f64,
    /// What comes of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Rule {
    /// Judges a candidate; `attempt` counts from 1 since the last takeover.
    pub fn judge(&self, held: &[Held], attempt: u32) -> Judgement {
        let nok: Vec<&Held> = held.iter().filter(|coil| coil.nok).collect();
        let drawn = held.iter().filter(|coil| coil.drawn.is_some()).count();
        let right = |of: fn(&Held) -> bool| nok.iter().map(|coil| of(coil)).collect::<Vec<_>>();
        let on_nok = McNemar::of(&right(|coil| coil.before), &right(|coil| coil.after));
        let p = better(&on_nok);
        let k = f64::from(attempt.max(1));
        let needed = self.alpha * 6.0 / (std::f64::consts::PI * k).powi(2);
        let all: Vec<usize> = (0..held.len()).collect();
        let saved = self.saved(held, &all);
        let resample = Bootstrap { draws: self.draws, seed: self.seed, level: self.level };
        // Coils of one kind of draw stand for equally many.
        let (by_lot, by_verdict) = all.iter().partition(|&&i| held[i].drawn.is_some());
        let interval = resample.interval_within(&[by_lot, by_verdict], |rows| self.saved(held, rows));
        let why = if drawn < self.least_drawn {
            Some(format!(
                "{drawn} OK coils drawn by lot have a word, {} are needed: label what waits in the page's queue",
                self.least_drawn
            ))
        } else if nok.len() < self.least_nok {
            Some(format!(
                "{} coils are NOK by people's word, {} are needed: wait for more",
                nok.len(),
                self.least_nok
            ))
        } else if interval.is_none_or(|interval| interval.low < -self.margin) {
            let cost = interval.map_or(f64::NAN, |interval| -interval.low);
            Some(format!(
                "a coil may cost up to {cost:.3} more than now, {} are allowed: look at the report, label more drawn coils",
                self.margin
            ))
        } else if p > needed {
            Some(format!(
                "of NOK coils {} are seen by the candidate alone and {} by the present set alone (p {p:.3}, {needed:.3} is \
                 needed): no better where it hurts",
                on_nok.only_second, on_nok.only_first
            ))
        } else {
            None
        };
        let outcome = why.map_or(Outcome::Promoted, |why| Outcome::Waits { why });
        let (coils, nok) = (held.len(), nok.len());
        Judgement { rule: *self, attempt, coils, drawn, nok, saved, interval, on_nok, p, needed, outcome }
    }

    /// What the candidate saves a coil, over `rows`; `None` without any.
    fn saved(&self, held: &[Held], rows: &[usize]) -> Option<f64> {
        let cost = |nok: bool, called: bool| match (nok, called) {
            (true, false) => self.miss_cost,
            (false, true) => self.false_alarm_cost,
            _ => 0.0,
        };
        let (mut sum, mut coils) = (0.0, 0.0);
        for coil in rows.iter().map(|&row| &held[row]) {
            let stands_for = coil.drawn.map_or(1.0, |share| 1.0 / share);
            sum += stands_for * (cost(coil.nok, coil.before) - cost(coil.nok, coil.after));
            coils += stands_for;
        }
        (coils > 0.0).then(|| sum / coils)
    }
}

/// One-sided and exact: with even odds, the second is right alone at least so often.
fn better(split: &McNemar) -> f64 {
    use statrs::distribution::{Binomial, DiscreteCDF};
    let (only_first, only_second) = (split.only_first, split.only_second);
    let Some(below) = only_second.checked_sub(1) else { return 1.0 };
    // Even odds are a valid distribution over any number of coils.
    Binomial::new(0.5, only_first + only_second).map_or(1.0, |even| even.sf(below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const SHARE: f64 = 0.02;

    /// A coil of a plant in which the sets call coils NOK with these chances.
    fn coil(rng: &mut impl Rng, nok: bool, before: f64, after: f64) -> Held {
        let (before, after) = (rng.random_bool(before), rng.random_bool(after));
        // What the old set lets pass is seen by lot alone.
        Held { nok, drawn: (!before).then_some(SHARE), before, after }
    }

    /// Some weeks: 300 drawn OK coils, and NOK coils that were seen.
    fn weeks(seed: u64, nok: usize, recall: (f64, f64), alarms: (f64, f64)) -> Vec<Held> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut held: Vec<Held> = (0..300).map(|_| coil(&mut rng, false, alarms.0, alarms.1)).collect();
        held.extend((0..nok).map(|_| coil(&mut rng, true, recall.0, recall.1)));
        held
    }

    fn promoted(held: &[Held], attempt: u32) -> bool {
        let rule = Rule { draws: 200, ..Rule::default() };
        rule.judge(held, attempt).outcome == Outcome::Promoted
    }

    #[test]
    fn a_better_candidate_is_promoted_and_says_why() {
        let found = Rule::default().judge(&weeks(1, 40, (0.5, 0.95), (0.01, 0.01)), 1);
        assert_eq!(found.outcome, Outcome::Promoted, "{found:?}");
        assert!(found.on_nok.only_second > found.on_nok.only_first && found.p < found.needed);
        assert!(found.saved.unwrap() > 0.0 && found.interval.unwrap().low > -0.02);
    }

    #[test]
    fn by_hand() {
        // One drawn miss that the candidate sees stands for 50 coils, one coil seen for its verdict for itself.
        let held = [
            Held { nok: true, drawn: Some(0.02), before: false, after: true },
            Held { nok: false, drawn: None, before: true, after: true },
        ];
        let found = Rule::default().judge(&held, 1);
        assert!((found.saved.unwrap() - 5.0 * 50.0 / 51.0).abs() < 1e-12);
        assert!((found.p - 0.5).abs() < 1e-12, "{}", found.p);
        assert!((found.needed - 0.01 * 6.0 / std::f64::consts::PI.powi(2)).abs() < 1e-12);
        assert!((better(&McNemar::new(1, 5)) - 7.0 / 64.0).abs() < 1e-12);
        assert!((better(&McNemar::new(3, 0)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn too_little_seen_waits_for_a_person() {
        let held = weeks(1, 40, (0.5, 0.95), (0.01, 0.01));
        let few = |held: &[Held]| match Rule::default().judge(held, 1).outcome {
            Outcome::Waits { why } => why,
            Outcome::Promoted => panic!("promoted"),
        };
        let not_drawn: Vec<Held> =
            held.iter().copied().filter(|coil| coil.drawn.is_none() || coil.nok).collect();
        assert!(few(&not_drawn).contains("drawn by lot"), "{}", few(&not_drawn));
        assert!(few(&held[..300]).contains("wait for more"));
        assert!(few(&[]).contains("drawn by lot"));
    }

    #[test]
    fn a_candidate_that_alarms_at_everything_is_not_promoted() {
        let held = weeks(2, 40, (0.5, 1.0), (0.01, 0.4));
        let found = Rule::default().judge(&held, 1);
        assert!(found.p < found.needed, "better on NOK coils");
        assert!(matches!(&found.outcome, Outcome::Waits { why } if why.contains("cost")), "{found:?}");
    }

    #[test]
    fn an_equal_candidate_is_promoted_no_more_often_than_stated() {
        // Equally good, wrong on unlike coils; a candidate a week for ten weeks, over 300 lines.
        let lines = 300;
        let ever = (0..lines).filter(|&line| {
            (1..=10).any(|week| {
                promoted(&weeks(1000 * line + u64::from(week), 30, (0.7, 0.7), (0.01, 0.01)), week)
            })
        });
        let share = ever.count() as f64 / lines as f64;
        assert!(share <= 0.01, "{share} of lines were given a candidate that is no better");
    }

    #[test]
    fn a_good_candidate_is_not_held_back() {
        let seen = (0..100).filter(|&seed| promoted(&weeks(seed, 40, (0.5, 0.9), (0.01, 0.01)), 1)).count();
        assert!(seen >= 80, "{seen} of 100");
    }
}
