//! What can be set about drift.

use super::distance::MAX_EXACT;
use serde::{Deserialize, Serialize};

/// Settings of the part `[drift]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The first so many coils that were judged on this line are the reference; for the models' scores, the first that
    /// the active set judged.
    pub reference: usize,
    /// The newest so many coils are compared with it.
    pub window: usize,
    /// A column with fewer values in the reference is not judged; from so many coils on gauges are watched.
    pub min_reference: usize,
    /// A column with fewer values in the window is not judged.
    pub min_window: usize,
    /// Chance of a false alarm in one look, over the columns of orders and over all others.
    pub alpha: f64,
    /// Least distance that matters, in standard deviations of the reference.
    pub min_effect: f64,
    /// A column has drifted once so many looks in a row, ten coils apart, say so.
    pub looks: usize,
    /// The newest so many coils say how a gauge reads.
    pub gauge_coils: usize,
    /// A gauge is off if it reads so many per cent otherwise than it did, beside its neighbours.
    pub gauge_percent: f64,
    /// After so many coils in a row without a reading a gauge is blind.
    pub blind_coils: usize,
    /// A gauge has gaps if it misses more than this share of the strip.
    pub gap_share: f64,
    /// So large a share of coils unlike those trained on is told.
    pub unlike_share: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reference: 500,
            window: 200,
            min_reference: 100,
            min_window: 100,
            alpha: 0.001,
            min_effect: 0.3,
            looks: 3,
            gauge_coils: 12,
            gauge_percent: 1.5,
            blind_coils: 3,
            gap_share: 0.2,
            unlike_share: 0.1,
        }
    }
}

impl Config {
    /// The first setting that makes no sense: its key, and what it must be.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let share = |x: f64| x > 0.0 && x < 1.0;
        for (fine, key, why) in [
            (
                (50..=MAX_EXACT).contains(&self.reference),
                "drift.reference",
                "must lie between 50 and 10000 coils",
            ),
            ((20..=MAX_EXACT).contains(&self.window), "drift.window", "must lie between 20 and 10000 coils"),
            (
                (30..=self.reference).contains(&self.min_reference),
                "drift.min_reference",
                "must lie between 30 and drift.reference",
            ),
            (
                (10..=self.window).contains(&self.min_window),
                "drift.min_window",
                "must lie between 10 and drift.window",
            ),
            (share(self.alpha), "drift.alpha", "must lie between 0 and 1"),
            (
                self.min_effect >= 0.0 && self.min_effect.is_finite(),
                "drift.min_effect",
                "must not be negative",
            ),
            ((1..=100).contains(&self.looks), "drift.looks", "must lie between 1 and 100"),
            (
                (5..=self.window).contains(&self.gauge_coils),
                "drift.gauge_coils",
                "must lie between 5 and drift.window",
            ),
            (
                (0.1..=50.0).contains(&self.gauge_percent),
                "drift.gauge_percent",
                "must lie between 0.1 and 50 per cent",
            ),
            (
                (1..=self.gauge_coils).contains(&self.blind_coils),
                "drift.blind_coils",
                "must lie between 1 and drift.gauge_coils",
            ),
            (share(self.gap_share), "drift.gap_share", "must lie between 0 and 1"),
            (share(self.unlike_share), "drift.unlike_share", "must lie between 0 and 1"),
        ] {
            if !fine {
                return Err((key, why));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_named() {
        assert_eq!(Config::default().check(), Ok(()));
        let wrong = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().unwrap_err().0
        };
        assert_eq!(wrong(|c| c.reference = 20_000), "drift.reference");
        assert_eq!(wrong(|c| c.window = 0), "drift.window");
        assert_eq!(wrong(|c| c.min_reference = 501), "drift.min_reference");
        assert_eq!(wrong(|c| c.min_window = 201), "drift.min_window");
        assert_eq!(wrong(|c| c.alpha = f64::NAN), "drift.alpha");
        assert_eq!(wrong(|c| c.min_effect = f64::INFINITY), "drift.min_effect");
        assert_eq!(wrong(|c| c.looks = 0), "drift.looks");
        assert_eq!(wrong(|c| c.gauge_coils = 201), "drift.gauge_coils");
        assert_eq!(wrong(|c| c.gauge_percent = f64::NAN), "drift.gauge_percent");
        assert_eq!(wrong(|c| c.blind_coils = 0), "drift.blind_coils");
        assert_eq!(wrong(|c| c.gap_share = 1.0), "drift.gap_share");
        assert_eq!(wrong(|c| c.unlike_share = -0.1), "drift.unlike_share");
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(serde_json::from_str::<Config>(r#"{"windows": 3}"#).is_err());
        assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
    }
}
