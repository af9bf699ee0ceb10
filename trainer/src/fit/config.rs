//! Settings of a training run.

use super::{AdamWConfig, EarlyStopConfig, FitError, LossConfig, SamplerConfig, Schedule, Stage};
use serde::{Deserialize, Serialize};

/// Everything that decides a run besides the network and the items. Saved with the state; a run resumes only with the
/// settings it began with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FitConfig {
    /// Seed of order, augmentation and dropout.
    pub seed: u64,
    /// Epochs at most.
    pub epochs: usize,
    /// Items per step.
    pub batch: usize,
    /// Items per epoch, rounded up to whole batches; all of them when absent.
    pub epoch_items: Option<usize>,
    /// How items are chosen.
    pub sampler: SamplerConfig,
    /// The loss.
    pub loss: LossConfig,
    /// The optimiser.
    pub optimizer: AdamWConfig,
    /// The learning rate's way.
    pub schedule: Schedule,
    /// Decay of the moving average of the weights; none when absent.
    pub ema: Option<f64>,
    /// When to stop early; never when absent.
    pub early_stop: Option<EarlyStopConfig>,
    /// A Siamese network's training in two stages; one when absent.
    pub two_stage: Option<TwoStage>,
}

/// First the loss on pairs alone, then a classifier by cross-entropy (paper, section 6.1). The schedule begins anew with the
/// second stage, and only its epochs are looked at by validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwoStage {
    /// Epochs of the first stage, of all epochs.
    pub contrastive_epochs: usize,
    /// Whether the encoder stays as it is in the second stage.
    pub freeze_encoder: bool,
}

impl Default for FitConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            epochs: 30,
            batch: 64,
            epoch_items: None,
            sampler: SamplerConfig::default(),
            loss: LossConfig::default(),
            optimizer: AdamWConfig::default(),
            schedule: Schedule::default(),
            ema: None,
            early_stop: Some(EarlyStopConfig::default()),
            two_stage: None,
        }
    }
}

impl FitConfig {
    /// The stage of an epoch, and which of its stage's epochs it is, of how many.
    pub fn stage(&self, epoch: usize) -> (Stage, usize, usize) {
        match self.two_stage {
            None => (Stage::Joint, epoch, self.epochs),
            Some(two) if epoch < two.contrastive_epochs => {
                (Stage::Contrastive, epoch, two.contrastive_epochs)
            }
            Some(TwoStage { contrastive_epochs: first, freeze_encoder: frozen }) => {
                (Stage::CrossEntropy { frozen }, epoch - first, self.epochs - first)
            }
        }
    }

    /// Whether all settings are in range.
    pub fn check(&self) -> Result<(), FitError> {
        const COUNT: &str = "it must be between 1 and 1000000";
        const SHARE: &str = "it must be at least 0 and less than 1";
        const INNER: &str = "it must be more than 0 and less than 1";
        let count = |v: usize| (1..=1_000_000).contains(&v);
        let share = |v: f64| (0.0..1.0).contains(&v);
        let smoothing = f64::from(self.loss.label_smoothing);
        let mut rules = vec![
            ("epochs", self.epochs as f64, count(self.epochs), COUNT),
            ("batch", self.batch as f64, count(self.batch), COUNT),
            ("label_smoothing", smoothing, share(smoothing), SHARE),
        ];
        rules.extend(self.epoch_items.map(|v| ("epoch_items", v as f64, count(v), COUNT)));
        rules.extend(self.two_stage.map(|two| {
            let first = two.contrastive_epochs;
            let rule = "it must be at least 1 and less than epochs";
            ("contrastive_epochs", first as f64, (1..self.epochs).contains(&first), rule)
        }));
        rules.extend(self.ema.map(|v| ("ema", v, share(v) && v > 0.0, INNER)));
        for weight in self.loss.class_weights.map(f64::from) {
            rules.push(("class_weights", weight, weight > 0.0 && weight.is_finite(), "it must be positive"));
        }
        if let Schedule::Cosine { warm_up, last } = self.schedule {
            rules.push(("warm_up", warm_up, share(warm_up), SHARE));
            rules.push(("last", last, (0.0..=1.0).contains(&last), "it must be between 0 and 1"));
        }
        if let SamplerConfig::Balanced { nok_share } = self.sampler {
            rules.push(("nok_share", nok_share, share(nok_share) && nok_share > 0.0, INNER));
        }
        if let Some((what, value, _, rule)) = rules.into_iter().find(|(.., good, _)| !good) {
            return Err(FitError::Setting { what, value, rule });
        }
        self.early_stop.map_or(Ok(()), |e| e.check())?;
        self.optimizer.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_checked_and_unknown_ones_refused() {
        let parse = |text: &str| serde_json::from_str::<FitConfig>(text);
        assert_eq!(parse("{}").expect("default"), FitConfig::default());
        FitConfig::default().check().expect("the default is in range");
        let one = parse(
            r#"{"sampler": {"kind": "balanced", "nok_share": 0.33}, "schedule": {"kind": "constant"}, "ema": 0.99,
                "early_stop": null, "loss": {"class_weights": [1, 3]}}"#,
        );
        one.expect("settings").check().expect("in range");
        for text in
            [r#"{"epoch": 3}"#, r#"{"sampler": {"kind": "other"}}"#, r#"{"loss": {"weights": [1, 2]}}"#]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in [
            r#"{"epochs": 0}"#,
            r#"{"batch": 0}"#,
            r#"{"epoch_items": 0}"#,
            r#"{"ema": 1.0}"#,
            r#"{"loss": {"class_weights": [1, 0]}}"#,
            r#"{"loss": {"label_smoothing": 1.0}}"#,
            r#"{"sampler": {"kind": "balanced", "nok_share": 0.0}}"#,
            r#"{"schedule": {"kind": "cosine", "warm_up": 1.0, "last": 0.0}}"#,
            r#"{"early_stop": {"margin": -1.0}}"#,
            r#"{"optimizer": {"learning_rate": 0.0}}"#,
            r#"{"epochs": 4, "two_stage": {"contrastive_epochs": 4, "freeze_encoder": true}}"#,
        ] {
            let config = parse(text).expect("readable");
            assert!(matches!(config.check(), Err(FitError::Setting { .. })), "{text}");
        }
    }

    #[test]
    fn the_second_stage_begins_anew() {
        let two_stage = Some(TwoStage { contrastive_epochs: 3, freeze_encoder: true });
        let config = FitConfig { epochs: 5, two_stage, ..FitConfig::default() };
        assert_eq!(config.stage(2), (Stage::Contrastive, 2, 3));
        assert_eq!(config.stage(3), (Stage::CrossEntropy { frozen: true }, 0, 2));
        assert_eq!(FitConfig { two_stage: None, ..config }.stage(3), (Stage::Joint, 3, 5));
    }
}
