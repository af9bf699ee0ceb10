//! The settings of a run, from a YAML file. Unknown keys are refused.

use crate::data::augment::AugmentConfig;
use crate::data::coils::LabelledCoil;
use crate::data::folds::stratified;
use crate::device::DeviceKind;
use crate::fit::FitConfig;
use crate::kept::KeepConfig;
use crate::nets::Input;
use crate::nets::config::NetworkConfig;
use crate::nets::siamese::config::Judge;
use crate::score::Costs;
use anyhow::{Context, ensure};
use coilsight_models::prepare::{Channel, Layout, PrepareSpec, SideValue, VERSION};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Everything that decides what a run comes to, besides the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// What it is called; the bundle is, too.
    pub name: String,
    /// The set of the data folder that is trained on.
    #[serde(default = "train_set")]
    pub set: String,
    /// Seed of folds, weights, order, augmentation and dropout.
    #[serde(default = "one")]
    pub seed: u64,
    /// Folds of the cross-validation.
    #[serde(default = "five")]
    pub folds: usize,
    /// Seed of the folds alone; `seed` when absent. Runs that are compared or mixed have the same folds.
    #[serde(default)]
    pub split_seed: Option<u64>,
    /// Networks that differ in their seed alone and are averaged.
    #[serde(default = "one_member")]
    pub members: usize,
    /// Shares of the set, in order of production, at which it is also cut in time: networks trained on what was made before
    /// a cut judge what was made from there to the next. Two cuts or more, or none.
    #[serde(default = "halves_and_quarters")]
    pub forward: Vec<f64>,
    /// Whether networks are trained on all coils at the end. Comparisons need none.
    #[serde(default = "yes", rename = "final")]
    pub finals: bool,
    /// How a coil becomes an image and a side vector.
    pub prepare: PrepareConfig,
    /// The network.
    #[serde(default)]
    pub network: NetworkConfig,
    /// How it is trained.
    #[serde(default)]
    pub fit: FitConfig,
    /// Where it is trained.
    #[serde(default)]
    pub device: DeviceKind,
    /// Whether what frozen stages give is kept on disk and used again.
    #[serde(default)]
    pub keep: Option<KeepConfig>,
    /// What is done to coils in training.
    #[serde(default)]
    pub augment: AugmentConfig,
    /// How thresholds are chosen.
    #[serde(default)]
    pub policy: PolicyConfig,
}

fn train_set() -> String {
    "train".into()
}
fn one() -> u64 {
    1
}
fn five() -> usize {
    5
}
fn one_member() -> usize {
    1
}
fn halves_and_quarters() -> Vec<f64> {
    vec![0.5, 0.75]
}
fn yes() -> bool {
    true
}

/// How a coil becomes an image and a side vector; the population's limits are filled in from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepareConfig {
    /// How the two sides lie in the image.
    pub layout: Layout,
    /// Channels, in order.
    pub channels: Vec<ChannelConfig>,
    /// The side vector, in order.
    #[serde(default)]
    pub side: Vec<SideValue>,
}

/// A channel: with its numbers, or `grey` by the population's limits (paper, section 3.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ChannelConfig {
    /// `grey`: black is the population's least reading, white its largest.
    Named(Named),
    /// With its numbers.
    Numbers(Channel),
}

/// Channels whose numbers come from the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// The paper's grey image.
    Grey,
}

/// How thresholds are chosen: by costs stated before anything is seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// What being wrong costs, and how rare NOK is.
    pub costs: Costs,
    /// Share of coils that go to REVIEW because they lie nearest to their threshold.
    pub review_share: f64,
    /// Share of coils that go to REVIEW because they are the least like those trained on; 0: novelty is not measured.
    pub novelty_share: f64,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { costs: Costs { miss: 20.0, ..Costs::default() }, review_share: 0.01, novelty_share: 0.005 }
    }
}

/// YAML text as a value.
pub(crate) fn yaml(text: &str) -> anyhow::Result<serde_json::Value> {
    let source = config::File::from_str(text, config::FileFormat::Yaml);
    Ok(config::Config::builder().add_source(source).build()?.try_deserialize()?)
}

/// A file of settings, which is not long.
pub(crate) fn read_settings(path: &Path) -> anyhow::Result<String> {
    let unreadable = || format!("the settings {} cannot be read", path.display());
    let size = std::fs::metadata(path).with_context(unreadable)?.len();
    ensure!(size < 1 << 20, "{}: the file is over 1 MiB", unreadable());
    std::fs::read_to_string(path).with_context(unreadable)
}

impl RunConfig {
    /// Reads a YAML file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let unusable = || format!("the settings {} cannot be used", path.display());
        Self::parse(&read_settings(path)?).with_context(unusable)
    }

    /// Reads YAML text.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        Self::from_value(yaml(text)?)
    }

    /// From settings that were read already.
    pub fn from_value(value: serde_json::Value) -> anyhow::Result<Self> {
        let run: Self = serde_json::from_value(value)?;
        run.check()?;
        Ok(run)
    }

    fn check(&self) -> anyhow::Result<()> {
        let named =
            self.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c));
        ensure!(
            named && self.name.starts_with(|c: char| c.is_ascii_alphanumeric()) && self.name.len() <= 48,
            "name is {:?}: give lower-case letters, digits, - and ., at most 48",
            self.name
        );
        ensure!((2..=100).contains(&self.folds), "folds is {}: give 2 to 100", self.folds);
        ensure!((1..=16).contains(&self.members), "members is {}: give 1 to 16", self.members);
        let (cuts, inside) = (&self.forward, |cut: &f64| *cut > 0.0 && *cut < 1.0);
        ensure!(
            cuts.len() != 1 && cuts.len() <= 8 && cuts.iter().all(inside) && cuts.is_sorted_by(|a, b| a < b),
            "forward is {cuts:?}: give 2 to 8 shares between 0 and 1, rising (thresholds for the last stretch are \
             chosen on those before it), or [] for none"
        );
        let share = self.policy.review_share;
        ensure!((0.0..=0.5).contains(&share), "policy.review_share is {share}: give a share, 0 to 0.5");
        let share = self.policy.novelty_share;
        ensure!((0.0..=0.5).contains(&share), "policy.novelty_share is {share}: give a share, 0 to 0.5");
        if let Some(keep) = &self.keep {
            ensure!(
                self.network.freeze > 0,
                "keep keeps what frozen stages give: set network.freeze, or leave it out"
            );
            ensure!((1..=1000).contains(&keep.draws), "keep.draws is {}: give 1 to 1000", keep.draws);
            let budget = keep.budget_mib;
            ensure!(budget <= 1 << 24, "keep.budget_mib is {budget}: give at most 16777216, 16 TiB");
        }
        self.fit.check()?;
        if let Some(siamese) = self.network.siamese {
            ensure!(
                siamese.judge != Judge::Head || siamese.cross_entropy > 0.0 || self.fit.two_stage.is_some(),
                "siamese.judge is head, which nothing trains: set siamese.cross_entropy or fit.two_stage"
            );
        }
        let judge = self.network.siamese.map(|siamese| siamese.judge);
        ensure!(
            self.fit.two_stage.is_none() || judge == Some(Judge::Head),
            "fit.two_stage trains a Siamese network's head in its second stage: set siamese.judge to head"
        );
        self.augment.check()?;
        let spec = self.prepare.resolve(&[])?;
        self.network.check(Self::input(&spec))?;
        Ok(())
    }

    /// The fold of each coil.
    pub fn split(&self, nok: &[bool]) -> Vec<usize> {
        stratified(nok, self.folds, self.split_seed.unwrap_or(self.seed))
    }

    /// Networks that such a run trains.
    pub fn networks(&self) -> usize {
        (self.folds + self.forward.len() + usize::from(self.finals)) * self.members
    }

    /// What the network is built for.
    pub fn input(spec: &PrepareSpec) -> Input {
        let [channels, height, width] = spec.image_shape();
        Input { height, width, channels, side: spec.side.len() }
    }
}

impl PrepareConfig {
    /// The contract with its numbers, the population's limits taken from `coils`.
    pub fn resolve(&self, coils: &[LabelledCoil]) -> anyhow::Result<PrepareSpec> {
        let read = || coils.iter().flat_map(|c| c.matrix.mean()).filter(|m| **m > 0);
        let limits = || {
            let low = read().min().copied().unwrap_or(0);
            let high = read().max().copied().unwrap_or(u16::MAX);
            (f32::from(low) / 100.0, f32::from(high) / 100.0)
        };
        let channel = |config: &ChannelConfig| match config {
            ChannelConfig::Numbers(channel) => *channel,
            ChannelConfig::Named(Named::Grey) => {
                let (low, high) = limits();
                Channel::grey(low, high)
            }
        };
        let channels = self.channels.iter().map(channel).collect();
        let spec = PrepareSpec { version: VERSION, layout: self.layout, channels, side: self.side.clone() };
        spec.check()?;
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: [(&str, &str); 11] = [
        ("cnn.yaml", include_str!("../../configs/cnn.yaml")),
        ("cnn-image.yaml", include_str!("../../configs/cnn-image.yaml")),
        ("paper-cnn.yaml", include_str!("../../configs/paper-cnn.yaml")),
        ("efficientnet-lite0.yaml", include_str!("../../configs/efficientnet-lite0.yaml")),
        ("yolov8s.yaml", include_str!("../../configs/yolov8s.yaml")),
        ("siamese.yaml", include_str!("../../configs/siamese.yaml")),
        ("siamese-margin.yaml", include_str!("../../configs/siamese-margin.yaml")),
        ("siamese-asymmetric.yaml", include_str!("../../configs/siamese-asymmetric.yaml")),
        ("siamese-square.yaml", include_str!("../../configs/siamese-square.yaml")),
        ("supcon.yaml", include_str!("../../configs/supcon.yaml")),
        ("supcon-two-stage.yaml", include_str!("../../configs/supcon-two-stage.yaml")),
    ];

    #[test]
    fn the_shipped_settings_are_usable() {
        for (name, text) in SHIPPED {
            RunConfig::parse(text).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        }
    }

    #[test]
    fn a_head_that_nothing_trains_is_refused() {
        let supcon = SHIPPED.iter().find(|(name, _)| *name == "supcon.yaml").expect("shipped").1;
        let with = |from: &str, to: &str| RunConfig::parse(&supcon.replacen(from, to, 1));
        assert!(supcon.contains("cross_entropy: 1") && supcon.contains("judge: head"));
        assert!(with("cross_entropy: 1", "cross_entropy: 0").is_err());
        let stages = "fit:\n  two_stage: { contrastive_epochs: 3, freeze_encoder: true }";
        assert!(with("fit:", stages).is_ok());
        assert!(
            RunConfig::parse(
                &supcon.replacen("judge: head", "judge: references", 1).replacen("fit:", stages, 1)
            )
            .is_err()
        );
    }

    #[test]
    fn unknown_keys_and_senseless_numbers_are_refused() {
        let base = SHIPPED[0].1;
        for (from, to) in [
            ("folds:", "folders:"),
            ("folds: 5", "folds: 1"),
            ("folds: 5", "forward: [0.5]"),
            ("folds: 5", "forward: [0.75, 0.5]"),
            ("folds: 5", "forward: [0.5, 1.0]"),
            ("review_share: 0.01", "review_share: 2"),
            ("warm_up:", "warmup:"),
            ("gauge_gain: 0.015", "gauge_gain: 3"),
            ("signal: gap", "signal: gaps"),
            ("name: cnn", "name: ../cnn"),
        ] {
            assert!(base.contains(from), "{from}");
            assert!(RunConfig::parse(&base.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
