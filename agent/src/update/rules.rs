//! When a candidate takes over, and when a set that took over goes back. Pure: what was seen in, a word out.

use crate::slots::Say;
use serde::{Deserialize, Serialize};

/// The rules, by configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Coils that a candidate judges in shadow before it takes over. 0: it takes over at the next coil's start.
    pub shadow_coils: usize,
    /// Least share of these on which both sets say the same, OK or NOK.
    pub min_agreement: f64,
    /// Longest time for a coil, as the median over those judged, ms.
    pub max_judge_ms: f64,
    /// Coils that a set must judge after it took over before its probation is over.
    pub probation_coils: usize,
    /// Most of these that may go to a person or be NOK, as a share, once ten were judged.
    pub max_not_ok: f64,
    /// Most starts of the agent in a row in which it did not get to judge three coils, before the set on probation is
    /// taken for the cause.
    pub max_starts: u32,
    /// No bundle is larger, MiB.
    pub max_mib: u64,
    /// Bundles are taken over the broker.
    pub over_broker: bool,
    /// A bundle must be received within so many hours.
    pub max_hours: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            shadow_coils: 30,
            min_agreement: 0.85,
            max_judge_ms: 2000.0,
            probation_coils: 30,
            max_not_ok: 0.5,
            max_starts: 3,
            max_mib: 64,
            over_broker: true,
            max_hours: 24,
        }
    }
}

/// What the rules say of a candidate in shadow.
#[derive(Clone, Debug, PartialEq)]
pub enum Fitness {
    /// Too few coils yet.
    Open,
    /// It takes over, because.
    Fit(String),
    /// It is given up, because.
    Unfit(String),
}

/// A fault on one coil may be the coil's; on two it is the set's.
const MAX_FAULTS: usize = 2;
/// Fewer coils say nothing about a share.
const FEW: usize = 10;
/// A candidate that takes so many times the longest time allowed is not asked again.
const FAR_TOO_SLOW: f64 = 5.0;

impl Rules {
    /// Of a candidate, by what both sets said: the active one, then the candidate.
    pub fn of_shadow(&self, shadow: &[(Say, Say)]) -> Fitness {
        let faults =
            shadow.iter().filter(|(active, candidate)| candidate.p_nok.is_none() && active.p_nok.is_some());
        let faults = faults.count();
        if faults >= MAX_FAULTS {
            return Fitness::Unfit(format!("it failed on {faults} of {} coils in shadow", shadow.len()));
        }
        if let Some((_, slow)) = shadow.iter().find(|(_, c)| c.took_ms > FAR_TOO_SLOW * self.max_judge_ms) {
            return Fitness::Unfit(format!("it took {:.0} ms for one coil", slow.took_ms));
        }
        if shadow.len() < self.shadow_coils {
            return Fitness::Open;
        }
        let took = median(shadow.iter().map(|(_, candidate)| candidate.took_ms));
        if took > self.max_judge_ms {
            return Fitness::Unfit(format!(
                "it takes {took:.0} ms a coil, at most {} ms are allowed",
                self.max_judge_ms
            ));
        }
        // With what gave no score nobody can agree.
        let both = shadow.iter().filter(|(a, c)| a.by_score.is_some() && c.by_score.is_some());
        let (alike, of) = both.fold((0_u32, 0_u32), |(alike, of), (a, c)| {
            (alike + u32::from(a.by_score == c.by_score), of + 1)
        });
        if f64::from(alike) < self.min_agreement * f64::from(of) {
            return Fitness::Unfit(format!(
                "in shadow it agreed on {alike} of {of} coils, at least {:.0} % are asked for; if the change is meant, \
                 activate it by hand",
                100.0 * self.min_agreement
            ));
        }
        Fitness::Fit(format!(
            "golden coils met, {alike} of {of} coils in shadow judged alike, {took:.0} ms a coil"
        ))
    }

    /// Why a set on probation must go back, if it must, by what it did since it took over.
    pub fn of_probation(&self, probation: &Probation) -> Option<String> {
        let Probation { judged, not_ok, faults, took_ms, .. } = probation;
        if *faults >= MAX_FAULTS {
            return Some(format!("it failed on {faults} coils after it took over"));
        }
        if *judged < FEW {
            return None;
        }
        let took = median(took_ms.iter().copied());
        if took > self.max_judge_ms {
            return Some(format!(
                "it takes {took:.0} ms a coil, at most {} ms are allowed",
                self.max_judge_ms
            ));
        }
        (*not_ok as f64 > self.max_not_ok * *judged as f64)
            .then(|| format!("{not_ok} of {judged} coils after it took over were not plainly OK"))
    }
}

/// What a set did since it took over, or since the agent started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probation {
    /// Coils judged.
    pub judged: usize,
    /// Of these, NOK or for a person by their score.
    pub not_ok: usize,
    /// Coils without a score, though there was something to judge.
    pub faults: usize,
    /// How long each took, ms.
    pub took_ms: Vec<f64>,
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coilsight_models::verdict::Verdict;

    fn say(nok: bool, took_ms: f64) -> Say {
        let p_nok = if nok { 0.9 } else { 0.1 };
        Say { by_score: Some(if nok { Verdict::Nok } else { Verdict::Ok }), p_nok: Some(p_nok), took_ms }
    }

    fn silent() -> Say {
        Say { by_score: None, p_nok: None, took_ms: 0.0 }
    }

    fn shadow(alike: usize, other: usize) -> Vec<(Say, Say)> {
        let ok = || say(false, 10.0);
        let same = std::iter::repeat_with(|| (ok(), ok())).take(alike);
        same.chain(std::iter::repeat_with(|| (ok(), say(true, 10.0))).take(other)).collect()
    }

    #[test]
    fn a_candidate_takes_over_after_enough_coils_on_which_it_agrees() {
        let rules = Rules { shadow_coils: 20, min_agreement: 0.9, ..Rules::default() };
        assert_eq!(rules.of_shadow(&shadow(19, 0)), Fitness::Open);
        assert!(matches!(rules.of_shadow(&shadow(18, 2)), Fitness::Fit(why) if why.contains("18 of 20")));
        assert!(matches!(rules.of_shadow(&shadow(17, 3)), Fitness::Unfit(why) if why.contains("17 of 20")));
        assert!(matches!(Rules { shadow_coils: 0, ..rules }.of_shadow(&[]), Fitness::Fit(_)));
    }

    #[test]
    fn a_candidate_that_fails_or_dawdles_is_given_up() {
        let rules = Rules { shadow_coils: 5, ..Rules::default() };
        let mut faults = shadow(1, 0);
        faults.push((say(false, 1.0), silent()));
        assert_eq!(rules.of_shadow(&faults), Fitness::Open);
        // A coil on which both fail is the coil's fault.
        faults.push((silent(), silent()));
        assert_eq!(rules.of_shadow(&faults), Fitness::Open);
        faults.push((say(false, 1.0), silent()));
        assert!(matches!(rules.of_shadow(&faults), Fitness::Unfit(why) if why.contains("failed on 2")));
        let slow: Vec<_> = (0..5).map(|_| (say(false, 10.0), say(false, 2500.0))).collect();
        assert!(matches!(rules.of_shadow(&slow), Fitness::Unfit(why) if why.contains("2500 ms")));
    }

    #[test]
    fn a_set_goes_back_that_fails_dawdles_or_rejects_everything() {
        let rules = Rules::default();
        let good = Probation { judged: 20, not_ok: 3, faults: 1, took_ms: vec![20.0; 20] };
        assert_eq!(rules.of_probation(&good), None);
        let back = |change: &dyn Fn(&mut Probation)| {
            let mut bad = good.clone();
            change(&mut bad);
            rules.of_probation(&bad)
        };
        assert!(back(&|p| p.faults = 2).unwrap().contains("failed on 2"));
        assert!(back(&|p| p.not_ok = 11).unwrap().contains("11 of 20"));
        assert!(back(&|p| p.took_ms = vec![2001.0; 20]).unwrap().contains("2001 ms"));
        // Three NOK coils in a row at the beginning are nobody's fault.
        assert_eq!(back(&|p| (p.judged, p.not_ok) = (9, 9)), None);
    }
}
