//! Whose words contradict what everybody else's teach.
//!
//! The candidate is cross-validated: how a coil looks to it, it has learned from other coils, by other words for the most part.
//! Of coils that look OK an honest operator calls some NOK: those that the network misses. How many, follows from how well
//! the network agrees with the *others* and from how many of *his* coils look NOK: he may have the bad weeks. Far more than that is doubt: he
//! errs, looks by another measure, means harm, or a defect has come that only he sees. Which of these, a person must find
//! out. Plain shares of NOK would not do, for they follow what the line makes.
//!
//! One-sided and binomial, at a level shared among all questions, and with a least difference that matters: somebody who is a
//! little stricter is no doubtful one. If most words are wrong, nothing can tell them from the truth (A. P. Dawid, A. M. Skene,
//! Applied Statistics 28, 1979, have the same limit).

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};
use std::collections::BTreeSet;

/// The probability of doubting anybody where all look alike, if all that is estimated were known.
const LEVEL: f64 = 0.01;
/// Least difference from what is expected that matters, a share.
const LEAST: f64 = 0.4;
/// With fewer words on coils of a kind nothing is said.
const FEW: usize = 5;

/// What somebody said of a coil, and how it looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said<'a> {
    /// Who.
    pub by: &'a str,
    /// What he said.
    pub nok: bool,
    /// P(NOK) by networks that have not learned from this coil.
    pub p_nok: f64,
}

/// An operator whose words want a person's look.
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
    /// The share that an honest one would.
    pub expected: f64,
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

/// What an operator says of coils that look otherwise, if it is far more than expected.
fn against(said: &[Said], operator: &str, nok: bool) -> Option<Doubted> {
    // More likely than not, by what most say of coils like it.
    let looks_nok = |one: &Said| one.p_nok >= 0.5;
    let (his, others): (Vec<&Said>, Vec<&Said>) = said.iter().partition(|one| one.by == operator);
    let looks = |of: &mut dyn Iterator<Item = &&Said>| {
        let looks: Vec<bool> = of.map(|one| looks_nok(one)).collect();
        (looks.iter().filter(|looks| **looks).count(), looks.len())
    };
    let (seen, alarms) =
        (looks(&mut others.iter().filter(|one| one.nok)), looks(&mut others.iter().filter(|one| !one.nok)));
    if seen.1 < FEW || alarms.1 < FEW {
        return None;
    }
    // Shares as of one coil more, half of it a hit: none is certain.
    let share = |(hits, of): (usize, usize)| (hits as f64 + 0.5) / (of as f64 + 1.0);
    let (seen, alarms) = (share(seen), share(alarms));
    if seen <= alarms {
        return None;
    }
    let bad = (share(looks(&mut his.iter())) - alarms) / (seen - alarms);
    let bad = bad.clamp(0.02, 0.98);
    let kind: Vec<&&Said> = his.iter().filter(|one| looks_nok(one) != nok).collect();
    if kind.len() < FEW {
        return None;
    }
    let (missed, fine) = (bad * (1.0 - seen), (1.0 - bad) * (1.0 - alarms));
    let (alarmed, found) = ((1.0 - bad) * alarms, bad * seen);
    let expected = if nok { missed / (missed + fine) } else { alarmed / (alarmed + found) };
    let (times, of) = (kind.iter().filter(|one| one.nok == nok).count() as u64, kind.len() as u64);
    if times as f64 / (of as f64) < expected + LEAST {
        return None;
    }
    // A share between 0 and 1 of a known number.
    let p = Binomial::new(expected, of).map_or(1.0, |chance| chance.sf(times - 1));
    let says = if nok { "NOK" } else { "OK" }.to_owned();
    Some(Doubted { operator: operator.to_owned(), says, times, of, expected, p })
}

impl std::fmt::Display for Doubted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { operator, says, times, of, expected, .. } = self;
        let otherwise = if says == "NOK" { "OK" } else { "NOK" };
        write!(
            f,
            "{operator} says {says} of {times} in {of} coils that look {otherwise}, some {:.0} are to be expected by what the \
             others say",
            expected * *of as f64
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
        assert!(found <= 8, "{found} of 400 months, though he works on bad weeks");
    }

    #[test]
    fn who_says_the_same_of_everything_is_found() {
        for (always, says, least) in [(true, "NOK", 80), (false, "OK", 95)] {
            let months = (0..100).map(|seed| month(seed, |_, _| always));
            let found = months
                .filter(|found| found.first().is_some_and(|one| one.operator == "cy" && one.says == says));
            let found = found.count();
            assert!(found >= least, "{says}: {found} of 100 months");
        }
    }

    #[test]
    fn by_hand_and_alone() {
        // Of the others' coils 9 of 10 NOK look so, and 1 of 10 OK; half of his look NOK: half are, and of those
        // that look OK one in ten is missed. He says NOK of all ten.
        let of =
            |by, nok, looks_nok: bool, n| vec![Said { by, nok, p_nok: if looks_nok { 0.9 } else { 0.1 } }; n];
        let mut said = [of("ada", true, true, 9), of("ada", true, false, 1)].concat();
        said.extend([of("ben", false, true, 1), of("ben", false, false, 9)].concat());
        said.extend([of("cy", true, true, 10), of("cy", true, false, 10)].concat());
        let found = against(&said, "cy", true).unwrap();
        let (seen, alarms) = (9.5 / 11.0, 1.5 / 11.0);
        let expected: f64 = (1.0 - seen) / (1.0 - seen + 1.0 - alarms);
        assert_eq!((found.times, found.of), (10, 10));
        assert!((found.expected - expected).abs() < 1e-12, "{}", found.expected);
        assert!((found.p - expected.powi(10)).abs() < 1e-15);
        assert_eq!(against(&said, "cy", false), None);
        assert!(
            found.to_string().starts_with("cy says NOK of 10 in 10 coils that look OK, some 1 are"),
            "{found}"
        );
        let said = vec![Said { by: "ada", nok: true, p_nok: 0.1 }; 100];
        assert_eq!(doubted(&said), [], "nobody to compare with");
    }
}
