//! The confusion of all coils, and how sure it is.
//!
//! The interval is read off simulated confusions. For a stratum with a NOK and b OK coils at their effective number
//! (L. Kish, Survey Sampling, 1965: `sum(w)^2 / sum(w^2)`), `p_h` is drawn from `Beta(a + 1, b)` or `Beta(a, b + 1)`,
//! as a coin falls: of one stratum that is the mid-P interval (H. O. Lancaster, Significance tests in discrete
//! distributions, Journal of the American Statistical Association 56 (1961); G. Berry, P. Armitage, Mid-P confidence
//! intervals: a brief review, The Statistician 44 (1995)), which covers for counts down to 0. The one coil beside a
//! and b is shared by the classes of a verdict, not added to each. Sizes of strata are drawn from gammas, so that
//! their shares are Dirichlet: the interval is for coils of this kind, not for these coils alone. It is widened to the
//! estimate where that lies at an end. A bootstrap would give a point where none of thirty drawn coils is NOK, though
//! up to a tenth of all may be; a Beta with 1/2 for each (Jeffreys') covered as little as 90 % of the time.
//! `examples/trigger_rates.rs` measures how often this one covers.

use super::confusion::Confusion;
use super::interval::Estimate;
use super::random::Random;
use super::strata::Said;

/// Simulated confusions behind an interval.
const DRAWS: usize = 2000;
/// A coin for every verdict and what was said.
const COINS: usize = 9;
/// What an interval leaves on either side.
const TAIL: f64 = 0.025;

/// One stratum as the estimate uses it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) said: Said,
    pub(super) coils: f64,
    /// The estimated share of NOK coils.
    pub(super) share_nok: f64,
    /// NOK and OK coils behind it.
    pub(super) seen: (f64, f64),
    /// The part of one more coil that may be either.
    pub(super) either: f64,
    /// Whose coin says which, below [`COINS`].
    pub(super) coin: usize,
}

/// Confusions for all coils, and what could not be said.
#[derive(Clone, Debug)]
pub struct Estimated {
    pub(super) groups: Vec<Group>,
    /// Coils that the estimate leaves out: NOK or REVIEW coils of which nobody has labelled one yet.
    pub left_out: u64,
}

impl Estimated {
    /// The confusion of all coils but those left out, as their labelled ones say: adds up to their number.
    pub fn confusion(&self) -> Confusion {
        let mut confusion = Confusion::default();
        for group in &self.groups {
            group.add_to(&mut confusion, group.coils, group.share_nok);
        }
        confusion
    }

    /// Metrics of the confusion with 95 % intervals; `None` where a metric has no value. The seed decides the draws.
    pub fn metrics<const N: usize>(
        &self,
        metrics: [fn(&Confusion) -> Option<f64>; N],
        seed: u64,
    ) -> [Option<Estimate>; N] {
        let confusion = self.confusion();
        let mut random = Random::seeded(seed);
        let mut draws: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(DRAWS));
        for _ in 0..DRAWS {
            let mut drawn = Confusion::default();
            let coins: [bool; COINS] = std::array::from_fn(|_| random.chance(0.5));
            for group in &self.groups {
                let (nok, ok) = group.seen;
                let share = if coins[group.coin] {
                    random.beta(nok + group.either, ok)
                } else {
                    random.beta(nok, ok + group.either)
                };
                group.add_to(&mut drawn, random.gamma(group.coils), share);
            }
            for (values, metric) in draws.iter_mut().zip(metrics) {
                values.extend(metric(&drawn).filter(|v| v.is_finite()));
            }
        }
        let mut draws = draws.into_iter();
        metrics.map(|metric| {
            let (mut values, value) = (draws.next()?, metric(&confusion)?);
            values.sort_unstable_by(f64::total_cmp);
            let at = |q: f64| values.get((q * (values.len() as f64 - 1.0)).round() as usize).copied();
            let (low, high) = (at(TAIL)?, at(1.0 - TAIL)?);
            Some(Estimate { value, low: low.min(value), high: high.max(value) })
        })
    }
}

impl Group {
    fn add_to(&self, confusion: &mut Confusion, coils: f64, share_nok: f64) {
        confusion.add(self.said.nok(true), true, coils * share_nok);
        confusion.add(self.said.nok(false), false, coils * (1.0 - share_nok));
    }
}
