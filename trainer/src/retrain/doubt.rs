//! Whose words contradict what everybody else's teach.
//!
//! The candidate is cross-validated: what it says of a coil it has learned from other coils, by other words for the most part. Of
//! the coils that look OK to it an operator calls some NOK, and of those that look NOK he calls some OK: misses of the
//! network, and his errors. The first are shared among all who looked; who does it far more often than the others together
//! errs, or looks by another measure, or means harm. A new kind of defect, or a bad week, changes nothing about that: it comes to all.
//! Plain shares of NOK would not do: whoever works on a bad week says NOK more often, rightly.
//!
//! R. A. Fisher's exact test, one-sided, at a level shared among all questions, and a least difference that matters: an
//! operator who is a little stricter is no doubtful one. If most words are wrong, nothing can tell them from the truth (A. P. Dawid,
//! A. M. Skene, Applied Statistics 28, 1979, have the same limit): so beyond a third of all words a person decides.

use serde::{Deserialize, Serialize};
use statrs::distribution::{DiscreteCDF, Hypergeometric};
use std::collections::BTreeSet;

/// The probability of doubting anybody where all look alike.
const LEVEL: f64 = 0.01;
/// Least difference of shares that matters.
const LEAST: f64 = 0.2;
/// With fewer words of an operator, or of the others, on coils of a kind, nothing is said.
const FEW: u64 = 5;
/// Words that may be left out without a person, as a share.
pub const MOST: f64 = 1.0 / 3.0;

/// What somebody said of a coil, and what was to be expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said<'a> {
    /// Who.
    pub by: &'a str,
    /// What he said.
    pub nok: bool,
    /// P(NOK) by networks that have not learned from this coil.
    pub p_nok: f64,
}

/// An operator whose words are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubted {
    /// Who.
    pub operator: String,
    /// What he says of coils that look otherwise: NOK where they look OK, or OK where they look NOK.
    pub says: String,
    /// So often.
    pub times: u64,
    /// Of so many coils.
    pub of: u64,
    /// The others' share of the same.
    pub others: f64,
    /// How likely that is by chance.
    pub p: f64,
}

/// Who is doubted, the least likely first: one after the other, for beside one who errs the others look odd.
pub fn doubted(said: &[Said]) -> Vec<Doubted> {
    let operators: BTreeSet<&str> = said.iter().map(|one| one.by).collect();
    let needed = LEVEL / (2 * operators.len()).max(1) as f64;
    let (mut left, mut doubted) = (said.to_vec(), Vec::<Doubted>::new());
    loop {
        let questions = operators.iter().flat_map(|operator| [(operator, true), (operator, false)]);
        let against = questions.filter_map(|(operator, nok)| against(&left, operator, nok));
        let Some(worst) = against.filter(|one| one.p < needed).min_by(|a, b| a.p.total_cmp(&b.p)) else {
            return doubted;
        };
        left.retain(|one| one.by != worst.operator);
        doubted.push(worst);
    }
}

/// What an operator says of coils that look otherwise, if it is far more than the others.
fn against(said: &[Said], operator: &str, nok: bool) -> Option<Doubted> {
    // More likely than not, by what most say of coils like it.
    let looks = said.iter().filter(|one| (one.p_nok < 0.5) == nok);
    let (mut his, mut others) = ((0, 0), (0, 0));
    for one in looks {
        let (times, of) = if one.by == operator { &mut his } else { &mut others };
        *times += u64::from(one.nok == nok);
        *of += 1;
    }
    if his.1 < FEW || others.1 < FEW {
        return None;
    }
    let share = |(times, of): (u64, u64)| times as f64 / of as f64;
    if share(his) - share(others) < LEAST {
        return None;
    }
    let p = fisher(his, others);
    let says = if nok { "NOK" } else { "OK" }.to_owned();
    Some(Doubted { operator: operator.to_owned(), says, times: his.0, of: his.1, others: share(others), p })
}

/// The chance that of `his.0 + others.0` hits at least `his.0` fall into his part.
fn fisher(his: (u64, u64), others: (u64, u64)) -> f64 {
    let Some(below) = his.0.checked_sub(1) else { return 1.0 };
    // No part is larger than the whole.
    Hypergeometric::new(his.1 + others.1, his.0 + others.0, his.1).map_or(1.0, |chance| chance.sf(below))
}

impl std::fmt::Display for Doubted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { operator, says, times, of, others, .. } = self;
        let otherwise = if says == "NOK" { "OK" } else { "NOK" };
        write!(
            f,
            "{operator} says {says} of {times} in {of} coils that look {otherwise} by everybody else's words, the others of \
             {:.0} in 100",
            100.0 * others
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A month of three operators; `answer` says what the third says of a coil that is NOK or not.
    fn month(seed: u64, answer: impl Fn(bool, &mut ChaCha8Rng) -> bool) -> Vec<Doubted> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let operators = ["ada", "ben", "cy"];
        let said: Vec<Said> = (0..240)
            .map(|coil| {
                let by = operators[coil % 3];
                // Cy's weeks are bad ones.
                let truth = rng.random_bool(if by == "cy" { 0.6 } else { 0.2 });
                // One in eight is missed, or looks NOK and is not.
                let p_nok = if truth ^ rng.random_bool(0.125) { 0.9 } else { 0.1 };
                let nok = if by == "cy" { answer(truth, &mut rng) } else { truth ^ rng.random_bool(0.02) };
                Said { by, nok, p_nok }
            })
            .collect();
        doubted(&said)
    }

    #[test]
    fn who_looks_as_well_as_the_others_is_hardly_ever_doubted() {
        let honest = |truth: bool, rng: &mut ChaCha8Rng| truth ^ rng.random_bool(0.02);
        let found = (0..400).filter(|seed| !month(*seed, honest).is_empty()).count();
        assert!(found <= 12, "{found} of 400 months, though he works on bad weeks");
    }

    #[test]
    fn who_says_the_same_of_everything_is_found() {
        for (always, says) in [(true, "NOK"), (false, "OK")] {
            for seed in 0..100 {
                let found = month(seed, |_, _| always);
                assert_eq!(found.len(), 1, "{found:?}");
                assert_eq!((found[0].operator.as_str(), found[0].says.as_str()), ("cy", says));
                assert!(found[0].to_string().starts_with("cy says"), "{}", found[0]);
            }
        }
    }

    #[test]
    fn by_hand_and_alone() {
        // Fisher's tea: all four of four.
        assert!((fisher((4, 4), (0, 4)) - 1.0 / 70.0).abs() < 1e-12);
        assert!((fisher((3, 4), (1, 4)) - 17.0 / 70.0).abs() < 1e-12);
        assert!((fisher((0, 4), (4, 4)) - 1.0).abs() < 1e-12);
        let said = vec![Said { by: "ada", nok: true, p_nok: 0.1 }; 100];
        assert_eq!(doubted(&said), [], "nobody to compare with");
    }
}
