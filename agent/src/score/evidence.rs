//! Evidence that a rate is above its bound, that may be looked at at any time.
//!
//! Coils that come together are judged alike: of a campaign whose strip looks odd all may be missed. So one bet is
//! made on a run, which are neighbouring coils of one order ([`super::Fold`]), against "whatever came in earlier runs,
//! no coil of this one is missed with more than b" (b: 0.2, say; how coils of one run hang together does not matter).
//! A run's payoff X is the mean over those of its coils that could be an error (NOK coils, for misses): 1 - b for an
//! error, -b for a coil judged right. If that is true X has a mean of at most 0, for so has each of its terms. The
//! product of `1 + lambda X` is then a nonnegative supermartingale for any lambda in
//! `[0, 1/b]`; it ever exceeds 1/alpha with probability at most alpha, at whatever moments one looks (J. Ville, Etude
//! critique de la notion de collectif, 1939; I. Waudby-Smith, A. Ramdas, Estimating means of bounded random variables
//! by betting, Journal of the Royal Statistical Society B 86 (2024); A. Ramdas, P. Gruenwald, V. Vovk, G. Shafer,
//! Game-theoretic statistics and safe anytime-valid inference, Statistical Science 38 (2023)). So is every mixture of
//! such products, and what is kept here is a mixture over [`STAKES`] and over the run at which betting begins: half
//! of the weight bets from the first run on; the rest, thinner and thinner, from each later one, so that years of
//! good work do not hide that it ends (the sum over beginnings is Shiryaev and Roberts's statistic with weights that
//! sum to 1; compare J. Shin, A. Ramdas, A. Rinaldo, E-detectors, The New England Journal of Statistics in Data
//! Science 2 (2024)). A run that is not over is not counted yet: looks into it would be looks of their own.
//!
//! An OK coil that was drawn with share p counts 1/p times if it turns out to be a miss, and 0 undrawn: the mean over
//! the draw is the same. Where a label is missing, the payoff is the smallest that it could be: a coil that may have
//! been judged right was, one that may be an error adds nothing to the sum, and the sum is divided by the number of
//! coils that it could be the mean of: the most if it is above 0, the least if it is below (a mean that is at least -b
//! only falls by another -b). Each factor then is at most what it would be with all labels known, so the bound holds
//! whichever labels are missing, late, or given by whom.

/// Stakes, in shares of the highest that cannot ruin, and their weights. Small ones win by small excesses and by
/// misses that weigh much, large ones by blatant failures.
const STAKES: [(f64, f64); 5] = [(0.01, 0.15), (0.03, 0.15), (0.1, 0.15), (0.3, 0.15), (0.9, 0.4)];
/// Fortunes beyond this are not told apart.
const PLENTY: f64 = 1e200;

/// The evidence so far.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The rate that is still good.
    bound: f64,
    /// What each stake has won, over all beginnings.
    won: [f64; STAKES.len()],
    /// The weight that has not begun to bet.
    waiting: f64,
    runs: u64,
    run: Run,
}

/// The run that is not over.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    sum: f64,
    /// How many coils that is the mean of, at least and at most.
    least: u64,
    most: u64,
}

impl Evidence {
    /// None yet; the bound lies between 0 and 1, both excluded.
    pub fn new(bound: f64) -> Self {
        Self { bound, won: [0.0; STAKES.len()], waiting: 1.0, runs: 0, run: Run::default() }
    }

    /// An error, standing for `weight` (at least 1) of its kind.
    pub fn error(&mut self, weight: f64) {
        self.count((1.0 - self.bound) * weight);
    }

    /// An error that somebody found who looked where nobody had asked to: it stands for none.
    pub fn volunteered(&mut self) {
        self.count(0.0);
    }

    /// Judged right, or perhaps so, where it could have been an error.
    pub fn right(&mut self) {
        self.count(-self.bound);
    }

    /// Perhaps an error, perhaps none.
    pub fn unknown(&mut self) {
        self.run.most += 1;
    }

    fn count(&mut self, payoff: f64) {
        self.run.sum += payoff;
        self.run.least += 1;
        self.run.most += 1;
    }

    /// The run is over: what it says counts from here on.
    pub fn end_run(&mut self) {
        let Run { sum, least, most } = std::mem::take(&mut self.run);
        let of = if sum < 0.0 { least } else { most };
        self.pay(sum / of.max(1) as f64);
    }

    fn pay(&mut self, payoff: f64) {
        self.runs += 1;
        let waiting = 0.5 / (self.runs as f64 + 1.0).log2();
        let begins = self.waiting - waiting;
        self.waiting = waiting;
        for (won, (stake, _)) in self.won.iter_mut().zip(STAKES) {
            let factor = 1.0 + stake / self.bound * payoff;
            *won = ((*won + begins) * factor).min(PLENTY);
        }
    }

    /// The evidence: with probability at most alpha it ever exceeds 1/alpha if the rate is at most the bound.
    pub fn value(&self) -> f64 {
        self.waiting + self.won.iter().zip(STAKES).map(|(won, (_, weight))| won * weight).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What four runs of two coils of the kind come to, each missed with `bound`, together (`alike`) or each by itself:
    /// the mean over all courses. `seen` says what is known of a miss.
    fn mean(bound: f64, alike: bool, seen: impl Fn(&mut Evidence, u32) -> Vec<(f64, Evidence)>) -> f64 {
        let mut courses = vec![(1.0, Evidence::new(bound))];
        for coil in 0..8 {
            let mut next = Vec::new();
            for (probability, evidence) in courses {
                let same = alike && coil % 2 == 1;
                // Of runs alike the second coil is what the first was, as the sum says.
                let outcomes: &[(bool, f64)] = match (same, evidence.run.sum > 0.0) {
                    (true, true) => &[(true, 1.0)],
                    (true, false) => &[(false, 1.0)],
                    (false, _) => &[(true, bound), (false, 1.0 - bound)],
                };
                for (missed, p) in outcomes {
                    let mut evidence = evidence.clone();
                    let known = if *missed {
                        seen(&mut evidence, coil)
                    } else {
                        evidence.right();
                        vec![(1.0, evidence)]
                    };
                    for (q, mut evidence) in known {
                        if coil % 2 == 1 {
                            evidence.end_run();
                        }
                        next.push((probability * p * q, evidence));
                    }
                }
            }
            courses = next;
        }
        courses.iter().map(|(probability, evidence)| probability * evidence.value()).sum()
    }

    #[test]
    fn at_the_bound_the_mean_stays_one_however_the_coils_of_a_run_hang_together() {
        assert!((STAKES.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-15);
        let known = |evidence: &mut Evidence, _| {
            evidence.error(1.0);
            vec![(1.0, evidence.clone())]
        };
        for bound in [0.2, 0.5, 0.01] {
            for alike in [false, true] {
                let mean = mean(bound, alike, known);
                assert!((mean - 1.0).abs() < 1e-12, "{bound} {alike}: {mean}");
            }
        }
    }

    #[test]
    fn where_not_all_is_known_the_mean_is_at_most_one() {
        // Drawn with a half, or not known.
        let drawn = |evidence: &mut Evidence, _| {
            let mut other = evidence.clone();
            evidence.error(2.0);
            other.unknown();
            vec![(0.5, evidence.clone()), (0.5, other)]
        };
        // Every other miss labelled.
        let late = |evidence: &mut Evidence, coil: u32| {
            if coil.is_multiple_of(2) {
                evidence.error(1.0);
            } else {
                evidence.unknown();
            }
            vec![(1.0, evidence.clone())]
        };
        for bound in [0.2, 0.5, 0.01] {
            for mean in [mean(bound, false, drawn), mean(bound, false, late), mean(bound, true, late)] {
                assert!(mean <= 1.0 + 1e-12, "{bound}: {mean}");
            }
        }
    }

    #[test]
    fn a_run_counts_once_and_when_it_is_over() {
        let mut evidence = Evidence::new(0.2);
        for _ in 0..8 {
            evidence.error(1.0);
        }
        assert_eq!(evidence.value(), 1.0);
        evidence.end_run();
        let mut one = Evidence::new(0.2);
        one.error(1.0);
        one.end_run();
        assert!(one.value() > 1.5 && (evidence.value() / one.value() - 1.0).abs() < 1e-12);
        // What may be no error thins the errors out, and never what was judged right.
        let mut thin = Evidence::new(0.2);
        thin.error(1.0);
        thin.unknown();
        thin.end_run();
        assert!(thin.value() < one.value());
        let (mut right, mut perhaps) = (Evidence::new(0.2), Evidence::new(0.2));
        right.right();
        right.end_run();
        perhaps.right();
        perhaps.unknown();
        perhaps.end_run();
        assert_eq!(right.value(), perhaps.value());
    }

    #[test]
    fn it_begins_at_one_stays_finite_and_comes_back() {
        let mut evidence = Evidence::new(0.2);
        assert_eq!(evidence.value(), 1.0);
        evidence.end_run();
        assert!((evidence.value() - 1.0).abs() < 1e-15);
        for _ in 0..100_000 {
            evidence.error(50.0);
            evidence.end_run();
        }
        assert!(evidence.value().is_finite() && evidence.value() > 1e100);
        for _ in 0..100_000 {
            evidence.right();
            evidence.end_run();
        }
        assert!(evidence.value() < 1.0 && evidence.value() > 0.0);
        // Good work does not hide its end for ever: 100 errors in 150 coils.
        for coil in 0..150 {
            if coil % 3 == 0 {
                evidence.right();
            } else {
                evidence.error(1.0);
            }
            evidence.end_run();
        }
        assert!(evidence.value() > 1000.0, "{}", evidence.value());
    }
}
