//! Evidence that a rate is above its bound, that may be looked at after every coil.
//!
//! Coil by coil a bet is made against "the rate is at most b, whatever came before" (b: 0.2 of NOK coils missed, say; a long-run rate
//! is not enough: coils of one campaign that are missed together are taken for so many errors). Each coil has a
//! payoff X of mean at most 0 if that is true: 1 - b for an error, -b for a coil judged right that could have been
//! one, 0 for any other coil. The product of `1 + lambda X` is then a nonnegative supermartingale for any lambda in
//! `[0, 1/b]`; it ever exceeds 1/alpha with probability at most alpha, at whatever moments one looks (J. Ville, Etude
//! critique de la notion de collectif, 1939; I. Waudby-Smith, A. Ramdas, Estimating means of bounded random variables
//! by betting, Journal of the Royal Statistical Society B 86 (2024); A. Ramdas, P. Gruenwald, V. Vovk, G. Shafer,
//! Game-theoretic statistics and safe anytime-valid inference, Statistical Science 38 (2023)). So is every mixture of
//! such products, and what is kept here is a mixture over [`STAKES`] and over the coil at which betting begins: half
//! of the weight bets from the first coil on; the rest, thinner and thinner, from each later one, so that years of
//! good work do not hide that it ends (the sum over beginnings is Shiryaev and Roberts's statistic with weights that
//! sum to 1; compare J. Shin, A. Ramdas, A. Rinaldo, E-detectors, The New England Journal of Statistics in Data
//! Science 2 (2024)).
//!
//! Where a label is missing, the payoff is the smallest that it could be. Each factor then is at most what it would be
//! with all labels known, so the bound holds whichever labels are missing, late, or given by whom; and an OK coil that
//! was drawn with share p counts 1/p times if it turns out to be a miss, and 0 undrawn: the mean over the draw is the
//! same.

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
    coils: u64,
}

impl Evidence {
    /// None yet; the bound lies between 0 and 1, both excluded.
    pub fn new(bound: f64) -> Self {
        Self { bound, won: [0.0; STAKES.len()], waiting: 1.0, coils: 0 }
    }

    /// An error, standing for `weight` (at least 1) of its kind.
    pub fn error(&mut self, weight: f64) {
        self.pay((1.0 - self.bound) * weight);
    }

    /// Judged right, or perhaps so, where it could have been an error.
    pub fn right(&mut self) {
        self.pay(-self.bound);
    }

    /// A coil that says nothing.
    pub fn silent(&mut self) {
        self.pay(0.0);
    }

    fn pay(&mut self, payoff: f64) {
        self.coils += 1;
        let waiting = 0.5 / (self.coils as f64 + 1.0).log2();
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

    #[test]
    fn at_the_bound_the_mean_stays_one() {
        assert!((STAKES.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-15);
        // Over all 2^12 courses of twelve coils, each weighed by its probability.
        for (bound, weight) in [(0.2, 1.0), (0.5, 1.0), (0.01, 1.0)] {
            let mut mean = 0.0;
            for course in 0..1 << 12 {
                let (mut evidence, mut probability) = (Evidence::new(bound), 1.0);
                for coil in 0..12 {
                    if course >> coil & 1 == 1 {
                        evidence.error(weight);
                        probability *= bound;
                    } else {
                        evidence.right();
                        probability *= 1.0 - bound;
                    }
                }
                mean += probability * evidence.value();
            }
            assert!((mean - 1.0).abs() < 1e-12, "{bound}: {mean}");
        }
    }

    #[test]
    fn it_begins_at_one_stays_finite_and_comes_back() {
        let mut evidence = Evidence::new(0.2);
        assert_eq!(evidence.value(), 1.0);
        evidence.silent();
        assert!((evidence.value() - 1.0).abs() < 1e-15);
        for _ in 0..100_000 {
            evidence.error(50.0);
        }
        assert!(evidence.value().is_finite() && evidence.value() > 1e100);
        for _ in 0..100_000 {
            evidence.right();
        }
        assert!(evidence.value() < 1.0 && evidence.value() > 0.0);
        // Good work does not hide its end for ever: 100 errors in 150 coils.
        for coil in 0..150 {
            if coil % 3 == 0 { evidence.right() } else { evidence.error(1.0) }
        }
        assert!(evidence.value() > 1000.0, "{}", evidence.value());
    }
}
