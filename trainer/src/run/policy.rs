//! From out-of-fold scores and stated costs to the policy that a bundle carries.

use super::PolicyConfig;
use crate::score::{Judged, Thresholds, logit, sigmoid};
use coilsight_models::verdict::{Policy, Threshold};

/// Thresholds by cost (see [`Thresholds::choose`]), and a REVIEW band around each: as wide, in log-odds, as
/// leaves the stated share of coils in it.
pub fn policy(coils: &[Judged], config: &PolicyConfig) -> anyhow::Result<Policy> {
    let thresholds = Thresholds::choose(coils, &config.costs)?;
    let mut distances: Vec<f64> =
        coils.iter().map(|c| (logit(c.p_nok) - logit(thresholds.of(c.class))).abs()).collect();
    distances.sort_by(f64::total_cmp);
    let inside = (config.review_share * distances.len() as f64).floor() as usize;
    let band = if inside == 0 { 0.0 } else { distances[inside.min(distances.len() - 1)] };
    let threshold = |class: char| {
        let nok_from = thresholds.of(class);
        let centre = logit(nok_from);
        Threshold {
            nok_from,
            review_from: sigmoid(centre - band).min(nok_from),
            review_to: sigmoid(centre + band).max(nok_from),
        }
    };
    let policy = Policy {
        miss_cost: config.costs.miss / config.costs.false_alarm,
        a: threshold('A'),
        b: threshold('B'),
        c: threshold('C'),
        unknown: threshold('?'),
    };
    policy.check()?;
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coilsight_models::coil::ToleranceClass;

    /// 10 NOK and 90 OK coils whose scores overlap a little.
    fn coils() -> Vec<Judged> {
        (0..100)
            .map(|i| {
                let nok = i % 10 == 0;
                let p_nok = if nok { 0.2 + 0.007 * f64::from(i) } else { 0.0025 * f64::from(i) };
                Judged { nok, p_nok, called_nok: false, review: false, class: 'A' }
            })
            .collect()
    }

    #[test]
    fn the_dearer_a_miss_the_lower_the_threshold() {
        let nok_from = |miss: f64| {
            let mut config = PolicyConfig::default();
            config.costs.miss = miss;
            policy(&coils(), &config).unwrap().a.nok_from
        };
        assert!(nok_from(200.0) <= nok_from(20.0) && nok_from(20.0) <= nok_from(0.5));
        assert!(nok_from(200.0) < nok_from(0.5));
    }

    #[test]
    fn the_band_holds_the_stated_share() {
        let config = PolicyConfig { review_share: 0.1, ..PolicyConfig::default() };
        let policy = policy(&coils(), &config).unwrap();
        let band = policy.threshold(Some(ToleranceClass::A));
        let inside = coils().iter().filter(|c| (band.review_from..band.review_to).contains(&c.p_nok)).count();
        assert!((9..=11).contains(&inside), "{inside}");
        let none = PolicyConfig { review_share: 0.0, ..PolicyConfig::default() };
        let policy = super::policy(&coils(), &none).unwrap();
        assert_eq!((policy.a.review_from, policy.a.review_to), (policy.a.nok_from, policy.a.nok_from));
    }
}
