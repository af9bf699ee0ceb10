//! From the margins of a repeat's cells to P(NOK) and decisions, with nothing learned from the coils that are judged.

use crate::run::{PolicyConfig, policy};
use crate::score::{Judged, Platt};
use coilsight_models::coil::ToleranceClass;

/// Coils as a study judges them: by row of the set.
#[derive(Clone, Copy, Debug)]
pub struct Coils<'a> {
    /// Labels.
    pub nok: &'a [bool],
    /// Tolerance classes, `?` if not known.
    pub class: &'a [char],
}

/// What the networks of one repeat make of all coils.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// The fold that each coil was left out with.
    pub fold: Vec<usize>,
    /// Logit NOK - logit OK.
    pub margin: Vec<f64>,
    /// P(NOK), calibrated on the other folds.
    pub p_nok: Vec<f64>,
    /// NOK by the policy chosen on the other folds.
    pub called_nok: Vec<bool>,
}

impl Repeat {
    /// Calibrates and decides fold by fold, by the other folds of the repeat. Where these cannot be told apart (a network that
    /// has learned nothing), P(NOK) is their share of NOK, and nothing is called NOK: that is what such a network is worth.
    pub fn new(
        coils: Coils,
        fold: Vec<usize>,
        margin: Vec<f64>,
        config: &PolicyConfig,
    ) -> anyhow::Result<Self> {
        let folds = fold.iter().max().map_or(0, |last| last + 1);
        let (mut p_nok, mut called_nok) = (vec![0.0; fold.len()], vec![false; fold.len()]);
        for k in 0..folds {
            let (held, others): (Vec<usize>, Vec<usize>) = (0..fold.len()).partition(|i| fold[*i] == k);
            let (nok, margins): (Vec<bool>, Vec<f64>) =
                others.iter().map(|i| (coils.nok[*i], margin[*i])).unzip();
            let Some(platt) = Platt::fit(&nok, &margins, None).ok().filter(|platt| platt.slope > 0.0) else {
                let share = nok.iter().filter(|n| **n).count() as f64 / nok.len().max(1) as f64;
                for i in held {
                    p_nok[i] = share;
                }
                continue;
            };
            let unjudged = |i: &usize| Judged {
                nok: coils.nok[*i],
                p_nok: platt.p_nok(margin[*i]),
                called_nok: false,
                review: false,
                class: coils.class[*i],
            };
            let policy = policy(&others.iter().map(unjudged).collect::<Vec<_>>(), config)?;
            for i in held {
                p_nok[i] = platt.p_nok(margin[i]);
                let class = coils.class[i].to_string().parse::<ToleranceClass>().ok();
                called_nok[i] = p_nok[i] >= policy.threshold(class).nok_from;
            }
        }
        Ok(Self { fold, margin, p_nok, called_nok })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 coils in 4 folds, every tenth NOK; margins tell them apart but for a few.
    fn coils() -> (Vec<bool>, Vec<char>, Vec<usize>, Vec<f64>) {
        let nok: Vec<bool> = (0..200).map(|i| i % 10 == 0).collect();
        let margin =
            (0..200).map(|i| if nok[i] { 1.0 } else { -1.0 } + 0.9 * (i as f64 * 0.7).sin()).collect();
        (nok, vec!['A'; 200], (0..200).map(|i| i / 50).collect(), margin)
    }

    #[test]
    fn a_coil_has_no_part_in_how_it_is_judged() {
        let (nok, class, fold, margin) = coils();
        let config = PolicyConfig::default();
        let found =
            Repeat::new(Coils { nok: &nok, class: &class }, fold.clone(), margin.clone(), &config).unwrap();
        let mut other = nok.clone();
        // All labels of fold 1 turned round: fold 1 is judged as before, the others are not.
        (50..100).for_each(|i| other[i] = !other[i]);
        let turned = Repeat::new(Coils { nok: &other, class: &class }, fold, margin, &config).unwrap();
        assert_eq!(found.p_nok[50..100], turned.p_nok[50..100]);
        assert_eq!(found.called_nok[50..100], turned.called_nok[50..100]);
        assert_ne!(found.p_nok[..50], turned.p_nok[..50]);
        assert!((0..200).filter(|i| found.called_nok[*i] == nok[*i]).count() > 180);
    }

    #[test]
    fn a_network_that_has_learned_nothing_calls_nothing_nok() {
        let (nok, class, fold, _) = coils();
        let coils = Coils { nok: &nok, class: &class };
        for margin in [vec![0.3; 200], nok.iter().map(|n| if *n { -1.0 } else { 1.0 }).collect()] {
            let found = Repeat::new(coils, fold.clone(), margin, &PolicyConfig::default()).unwrap();
            assert!(found.called_nok.iter().all(|called| !called));
            assert!(found.p_nok.iter().all(|p| (p - 0.1).abs() < 1e-12));
        }
    }
}
