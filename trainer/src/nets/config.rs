//! Which network, and what it begins with.

use super::cnn::CnnConfig;
use super::error::{MAX_WIDTH, NetworkError, between, range};
use super::head::{Head, HeadConfig, Plan};
pub use super::siamese::config::SiameseConfig;
use super::trunk::{Pooled, Stage};
use super::yolov8_cls::Scale;
use super::{Input, cnn, efficientnet_lite, surface, yolov8_cls};
use crate::export::folded::Sides;
use crate::nn::params::Builder;
use serde::{Deserialize, Serialize};

/// A network, and how much of it learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Its stages and its head.
    pub backbone: BackboneConfig,
    /// What it begins with: `random`, an entry of `coilsight-trainer weights list`, or a file.
    pub weights: String,
    /// How many of the first stages keep the weights that they begin with, batch norms included.
    pub freeze: usize,
    /// How many of the first steps of two along and across the strip go along it alone: the strip is 264 chunks long but 18
    /// gauges wide, and networks for photographs halve both five times.
    pub keep_width: usize,
    /// A Siamese network over the backbone as encoder (paper, section 3.3); a classifier when absent.
    pub siamese: Option<SiameseConfig>,
}

/// What comes before the outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum BackboneConfig {
    /// A plain stack of convolutions.
    Cnn(CnnConfig),
    /// YOLOv8-cls.
    Yolov8Cls {
        /// n, s, m, l or x.
        size: Scale,
        /// One image, or each side by itself.
        #[serde(default = "image")]
        sides: Sides,
        /// What follows the ten stages.
        #[serde(default)]
        head: HeadConfig,
    },
    /// EfficientNet-Lite.
    EfficientnetLite {
        /// 0 to 4.
        size: u8,
        /// One image, or each side by itself.
        #[serde(default = "image")]
        sides: Sides,
        /// What follows the nine stages.
        #[serde(default)]
        head: HeadConfig,
    },
    /// The second paper's encoder.
    Surface {},
}

/// Steps of two that any network takes, at most.
const MAX_STEPS: usize = 5;

/// The word for weights that nobody has trained.
pub const RANDOM: &str = "random";

impl Default for NetworkConfig {
    fn default() -> Self {
        let backbone = BackboneConfig::Cnn(CnnConfig::default());
        Self { backbone, weights: RANDOM.into(), freeze: 0, keep_width: 0, siamese: None }
    }
}

fn image() -> Sides {
    Sides::Image
}

impl NetworkConfig {
    /// What the network is called.
    pub fn name(&self) -> String {
        let backbone = self.backbone.name();
        if self.siamese.is_some() { format!("siamese {backbone}") } else { backbone }
    }

    /// Whether such a network can be built for such an input.
    pub fn check(&self, input: Input) -> Result<(), NetworkError> {
        for (what, value) in [("height", input.height), ("width", input.width), ("channels", input.channels)]
        {
            range(&format!("the image's {what}"), value, MAX_WIDTH)?;
        }
        range("side vector length + 1", input.side + 1, MAX_WIDTH)?;
        if self.backbone.sides() == Sides::Shared && input.width % 2 == 1 {
            return Err(NetworkError::OddWidth { width: input.width });
        }
        self.siamese.map_or(Ok(()), |siamese| siamese.check())?;
        between("freeze", self.freeze, 0, self.backbone.stage_count())?;
        between("keep_width", self.keep_width, 0, MAX_STEPS)?;
        self.backbone.check()
    }
}

impl BackboneConfig {
    /// What the network is called.
    pub fn name(&self) -> String {
        match self {
            Self::Cnn(_) => "cnn".into(),
            Self::Yolov8Cls { size, .. } => format!("yolov8{}-cls", size.letter()),
            Self::EfficientnetLite { size, .. } => format!("efficientnet-lite{size}"),
            Self::Surface {} => "surface".into(),
        }
    }

    /// How many stages there are: none after the last one that the head reads.
    pub fn stage_count(&self) -> usize {
        let last_read = self.head_config().and_then(|head| head.stages.iter().max());
        last_read.map_or(self.all_stages(), |last| (last + 1).min(self.all_stages()))
    }

    /// How many stages the architecture has.
    fn all_stages(&self) -> usize {
        match self {
            Self::Cnn(config) => config.filters.len(),
            Self::Yolov8Cls { .. } => 10,
            Self::EfficientnetLite { .. } => 9,
            Self::Surface {} => 3,
        }
    }

    /// How the two sides pass.
    pub fn sides(&self) -> Sides {
        match self {
            Self::Cnn(CnnConfig { sides, .. })
            | Self::Yolov8Cls { sides, .. }
            | Self::EfficientnetLite { sides, .. } => *sides,
            Self::Surface {} => Sides::Image,
        }
    }

    /// The name of the last layer in the publisher's files: what another number of classes replaces.
    pub fn last_layer(&self, siamese: bool) -> &'static str {
        match self {
            Self::Surface {} => surface::LAST_LAYER,
            _ if siamese => "embedding",
            Self::Cnn(_) => "logits",
            Self::Yolov8Cls { .. } => yolov8_cls::LAST_LAYER,
            Self::EfficientnetLite { .. } => efficientnet_lite::LAST_LAYER,
        }
    }

    /// The name of the first convolution's weights in the publisher's files, if there is a publisher.
    pub fn stem(&self) -> Option<&'static str> {
        match self {
            Self::Yolov8Cls { .. } => Some(yolov8_cls::STEM),
            Self::EfficientnetLite { .. } => Some(efficientnet_lite::STEM_WEIGHT),
            Self::Cnn(_) | Self::Surface {} => None,
        }
    }

    fn head_config(&self) -> Option<&HeadConfig> {
        match self {
            Self::Cnn(CnnConfig { head, .. })
            | Self::Yolov8Cls { head, .. }
            | Self::EfficientnetLite { head, .. } => Some(head),
            Self::Surface {} => None,
        }
    }

    fn check(&self) -> Result<(), NetworkError> {
        match self {
            Self::Cnn(config) => config.check()?,
            Self::EfficientnetLite { size, .. } => {
                between("size", usize::from(*size), 0, usize::from(efficientnet_lite::LARGEST))?;
            }
            Self::Yolov8Cls { .. } | Self::Surface {} => {}
        }
        let Some(head) = self.head_config() else { return Ok(()) };
        let last = self.all_stages().saturating_sub(1);
        let rising = head.stages.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || head.stages.iter().any(|stage| *stage > last) {
            return Err(NetworkError::Stages { found: head.stages.clone(), last });
        }
        if let Some(hidden) = head.hidden {
            range("hidden", hidden, MAX_WIDTH)?;
        }
        for (what, value) in [("dropout", head.dropout), ("feature_dropout", head.feature_dropout)] {
            if !(0.0..1.0).contains(&value) {
                return Err(NetworkError::Share { what, value });
            }
        }
        let twice = head.features.len() == 2 && head.features[0] == head.features[1];
        if head.features.is_empty() || head.features.len() > 2 || twice {
            return Err(NetworkError::Features);
        }
        Ok(())
    }

    /// What of the maps reaches the head.
    pub(super) fn pooled(&self) -> Pooled {
        match self.head_config() {
            None => Pooled { stages: Vec::new(), kinds: Vec::new() },
            Some(head) => {
                let last = vec![self.stage_count() - 1];
                let stages = if head.stages.is_empty() { last } else { head.stages.clone() };
                Pooled { stages, kinds: head.features.clone() }
            }
        }
    }

    pub(super) fn stages(&self, builder: &mut Builder, channels: usize) -> candle_core::Result<Vec<Stage>> {
        match self {
            Self::Cnn(config) => config.stages(builder, channels, self.stage_count()),
            Self::Yolov8Cls { size, .. } => yolov8_cls::stages(builder, *size, channels, self.stage_count()),
            Self::EfficientnetLite { size, .. } => {
                efficientnet_lite::stages(builder, *size, channels, self.stage_count())
            }
            Self::Surface {} => surface::stages(builder, channels),
        }
    }

    pub(super) fn head(&self, builder: &mut Builder, plan: Plan) -> candle_core::Result<Head> {
        match self.head_config() {
            Some(config) => Head::new(builder, config, plan),
            None => surface::head(builder, plan),
        }
    }
}

impl From<cnn::CnnConfig> for NetworkConfig {
    fn from(config: CnnConfig) -> Self {
        Self { backbone: BackboneConfig::Cnn(config), ..Self::default() }
    }
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
