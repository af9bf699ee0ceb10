//! The `[score]` part of `agent.toml`.

use serde::{Deserialize, Serialize};

/// Every firing is kept for ever: without days between, so many coils must lie between two of a rule.
const FEWEST: u32 = 20;

/// When the models are said to do too badly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The paper's rule.
    pub paper: Paper,
    /// The sequential test.
    pub sequential: Sequential,
    /// How long a rule is silent about a judge after it fired.
    pub cool_down: CoolDown,
    /// When it is a trouble that nobody looks at OK coils drawn by lot.
    pub drawn: Draws,
}

/// Without words on drawn coils scores say nothing of coils that pass. That is told when so many wait, or one waits so
/// long, since anybody last said something of a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Draws {
    /// Drawn coils that wait.
    pub waiting: u32,
    /// Days by the line's messages: a line that stands waits for nobody.
    pub days: u32,
}

impl Default for Draws {
    fn default() -> Self {
        Self { waiting: 50, days: 7 }
    }
}

/// The paper's rule: a score below a bound on more than so many coils.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paper {
    /// Whether it is in force.
    pub on: bool,
    /// It needs more labelled coils than this. With `weighted`, unless more drawn coils than this are labelled, all that
    /// passed count as judged right: one drawn coil would stand for fifty.
    pub more_than: u32,
    /// It fires when the score is under this.
    pub under: f64,
    /// What fired is a trouble until the score is at least `under` and so much more (never more than 1): a score near its
    /// bound would have it come and go with every label.
    pub margin: f64,
    /// The score is that of all coils, as labelled ones stand for them. Without: of the labelled ones as they are,
    /// which on a line where NOK coils are labelled and OK ones are drawn says how many NOK verdicts are right, and
    /// little else.
    pub weighted: bool,
}

/// The sequential test. See [`super::Fold`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sequential {
    /// Whether it is in force.
    pub on: bool,
    /// Good models find at least this share of NOK coils.
    pub recall: f64,
    /// Good models pass at least this share of OK coils.
    pub specificity: f64,
    /// With at most this probability anything of a set whose judges are all good is ever reported, however long it is
    /// watched. Good is a judge that, whatever came in earlier runs, misses no NOK coil and stops no OK coil of a run
    /// with more than the stated probability; coils of one run may be misjudged together.
    pub false_alarms: f64,
    /// Neighbouring coils of one order (class, weight and width) are a run, at most so many of them. Campaigns that are
    /// longer, and misjudged as a whole, are so many runs, which the stated probability does not cover.
    pub run: u32,
}

/// Silence after a firing: until both are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoolDown {
    /// Coils that the set must have judged since.
    pub coils: u32,
    /// Days that must have passed since.
    pub days: u32,
}

impl Default for Paper {
    fn default() -> Self {
        Self { on: true, more_than: 10, under: 0.75, margin: 0.05, weighted: true }
    }
}

impl Default for Sequential {
    fn default() -> Self {
        Self { on: true, recall: 0.8, specificity: 0.8, false_alarms: 0.05, run: 200 }
    }
}

impl Default for CoolDown {
    fn default() -> Self {
        Self { coils: 200, days: 7 }
    }
}

/// A setting that cannot be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {why}")]
pub struct BadKey {
    /// Which, as it stands in `agent.toml`.
    pub key: &'static str,
    /// What it must be.
    pub why: &'static str,
}

impl Config {
    /// Names the first key that cannot be meant.
    pub fn check(&self) -> Result<(), BadKey> {
        let inside = |x: f64| x > 0.0 && x < 1.0;
        let (bad, between) = (|key, why| BadKey { key, why }, "must lie between 0 and 1, both excluded");
        for (fine, error) in [
            (
                self.paper.under > 0.0 && self.paper.under <= 1.0,
                bad("score.paper.under", "must be above 0 and at most 1"),
            ),
            (
                (0.0..=0.5).contains(&self.paper.margin),
                bad("score.paper.margin", "must lie between 0 and 0.5"),
            ),
            (self.paper.more_than <= 100_000, bad("score.paper.more_than", "must be at most 100000")),
            (inside(self.sequential.recall), bad("score.sequential.recall", between)),
            (inside(self.sequential.specificity), bad("score.sequential.specificity", between)),
            (inside(self.sequential.false_alarms), bad("score.sequential.false_alarms", between)),
            (
                (1..=1000).contains(&self.sequential.run),
                bad("score.sequential.run", "must lie between 1 and 1000"),
            ),
            (
                self.cool_down.days > 0 || self.cool_down.coils >= FEWEST,
                bad("score.cool_down.coils", "must be at least 20 where score.cool_down.days is 0"),
            ),
            (
                (1..=100_000).contains(&self.drawn.waiting),
                bad("score.drawn.waiting", "must lie between 1 and 100000"),
            ),
            ((1..=3660).contains(&self.drawn.days), bad("score.drawn.days", "must lie between 1 and 3660")),
            (self.cool_down.coils <= 1_000_000, bad("score.cool_down.coils", "must be at most 1000000")),
            (self.cool_down.days <= 3660, bad("score.cool_down.days", "must be at most 3660")),
        ] {
            if !fine {
                return Err(error);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Config, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn what_is_not_set_is_the_default_and_unknown_keys_are_refused() {
        assert_eq!(read("{}").unwrap(), Config::default());
        assert_eq!(Config::default().check(), Ok(()));
        let config = read(r#"{"paper": {"under": 0.9}, "cool_down": {"days": 0}}"#).unwrap();
        assert_eq!((config.paper.under, config.paper.more_than), (0.9, 10));
        assert_eq!(config.cool_down, CoolDown { coils: 200, days: 0 });
        for typo in [
            r#"{"papre": {}}"#,
            r#"{"paper": {"below": 1}}"#,
            r#"{"sequential": {"alpha": 1}}"#,
            r#"{"cool_down": {"hours": 1}}"#,
        ] {
            assert!(read(typo).unwrap_err().to_string().contains("unknown field"), "{typo}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (json, key) in [
            (r#"{"paper": {"under": 0}}"#, "score.paper.under"),
            (r#"{"paper": {"under": 75}}"#, "score.paper.under"),
            (r#"{"paper": {"margin": -0.1}}"#, "score.paper.margin"),
            (r#"{"paper": {"margin": 0.6}}"#, "score.paper.margin"),
            (r#"{"drawn": {"waiting": 0}}"#, "score.drawn.waiting"),
            (r#"{"drawn": {"days": 0}}"#, "score.drawn.days"),
            (r#"{"paper": {"more_than": 4000000000}}"#, "score.paper.more_than"),
            (r#"{"sequential": {"recall": 1}}"#, "score.sequential.recall"),
            (r#"{"sequential": {"specificity": 0}}"#, "score.sequential.specificity"),
            (r#"{"sequential": {"false_alarms": 0}}"#, "score.sequential.false_alarms"),
            (r#"{"sequential": {"run": 0}}"#, "score.sequential.run"),
            (r#"{"cool_down": {"coils": 0, "days": 0}}"#, "score.cool_down.coils"),
            (r#"{"cool_down": {"coils": 19, "days": 0}}"#, "score.cool_down.coils"),
            (r#"{"cool_down": {"coils": 2000000}}"#, "score.cool_down.coils"),
            (r#"{"cool_down": {"days": 9999}}"#, "score.cool_down.days"),
        ] {
            assert_eq!(read(json).unwrap().check().unwrap_err().key, key);
        }
        let nan = Config { paper: Paper { under: f64::NAN, ..Paper::default() }, ..Config::default() };
        assert!(nan.check().is_err());
    }
}
