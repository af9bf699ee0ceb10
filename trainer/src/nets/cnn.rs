//! The baseline: a plain stack of convolutions with batch norm and ReLU; the default has the published ten (paper,
//! section 3.3). Each convolution, with the pools after it, is a stage.

use super::block::Block;
use super::error::{MAX_LAYERS, MAX_WIDTH, MAX_WINDOW, NetworkError, range};
use super::head::HeadConfig;
use super::trunk::Stage;
use crate::export::folded::{GlobalPool, Sides};
use crate::nn::activation::Activation;
use crate::nn::batch_norm::NormConfig;
use crate::nn::conv::{Conv2d, ConvShape};
use crate::nn::conv_norm::ConvNorm;
use crate::nn::layer_norm::LayerNorm;
use crate::nn::params::Builder;
use candle_core::Result;
use serde::{Deserialize, Serialize};

/// Settings of the stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CnnConfig {
    /// One image, or each side of the strip on its own with shared weights.
    pub sides: Sides,
    /// Filters of each convolution; their number is the depth.
    pub filters: Vec<usize>,
    /// Kernel (height, width), odd.
    pub kernel: PerLayer,
    /// Stride (height, width).
    pub stride: PerLayer,
    /// What follows each convolution.
    pub norm: Norm,
    /// Average pools between convolutions.
    pub pools: Vec<PoolAfter>,
    /// What follows the stack.
    pub head: HeadConfig,
}

/// What keeps the values of a map in bounds (paper, section 5.4 compares them).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Batch norm: each channel over the batch.
    #[default]
    Batch,
    /// Layer norm: the channels of each place. To compare with; such a network is not exported.
    Layer,
}

/// A (height, width) pair for all layers, or one for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerLayer {
    /// The same for all.
    Common([usize; 2]),
    /// One for each layer.
    Each(Vec<[usize; 2]>),
}

/// An average pool with stride = kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolAfter {
    /// After how many convolutions it stands (1 = after the first).
    pub after: usize,
    /// Window (height, width).
    pub kernel: [usize; 2],
}

impl Default for CnnConfig {
    fn default() -> Self {
        Self {
            sides: Sides::Image,
            filters: vec![16, 16, 24, 24, 32, 32, 48, 48, 64, 64],
            kernel: PerLayer::Common([3, 3]),
            stride: PerLayer::Common([1, 1]),
            norm: Norm::Batch,
            pools: [2, 4, 6, 8].map(|after| PoolAfter { after, kernel: [2, 2] }).to_vec(),
            head: HeadConfig {
                features: vec![GlobalPool::Avg, GlobalPool::Max],
                hidden: Some(64),
                dropout: 0.3,
                ..HeadConfig::default()
            },
        }
    }
}

impl PerLayer {
    /// The pair of a layer, counted from 0.
    pub fn of(&self, layer: usize) -> (usize, usize) {
        let pair = match self {
            Self::Common(pair) => pair,
            Self::Each(pairs) => &pairs[layer],
        };
        (pair[0], pair[1])
    }

    fn check(&self, what: &'static str, depth: usize) -> std::result::Result<(), NetworkError> {
        let pairs = match self {
            Self::Common(pair) => std::slice::from_ref(pair),
            Self::Each(pairs) if pairs.len() == depth => pairs,
            Self::Each(pairs) => return Err(NetworkError::Count { what, found: pairs.len(), wanted: depth }),
        };
        pairs.iter().flatten().try_for_each(|v| range(what, *v, MAX_WINDOW))
    }
}

impl CnnConfig {
    /// Whether the numbers are in range, whatever the image.
    pub fn check(&self) -> std::result::Result<(), NetworkError> {
        let depth = self.filters.len();
        range("the number of convolutions", depth, MAX_LAYERS)?;
        self.filters.iter().try_for_each(|f| range("a number of filters", *f, MAX_WIDTH))?;
        self.kernel.check("kernel", depth)?;
        self.stride.check("stride", depth)?;
        for layer in 0..depth {
            let (kh, kw) = self.kernel.of(layer);
            if kh % 2 == 0 || kw % 2 == 0 {
                return Err(NetworkError::EvenKernel { layer: layer + 1, kernel: [kh, kw] });
            }
        }
        for pool in &self.pools {
            if !(1..=depth).contains(&pool.after) {
                return Err(NetworkError::Place { after: pool.after, layers: depth });
            }
            pool.kernel.iter().try_for_each(|v| range("a pool's size", *v, MAX_WINDOW))?;
        }
        Ok(())
    }

    /// `trunk.II.conv` and `trunk.II.norm` of each convolution.
    pub fn stages(&self, builder: &mut Builder, channels: usize, count: usize) -> Result<Vec<Stage>> {
        let mut stages = Vec::new();
        let mut input = channels;
        for (i, &filters) in self.filters.iter().enumerate().take(count) {
            let name = format!("trunk.{i:02}");
            let shape =
                ConvShape { stride: self.stride.of(i), ..ConvShape::same(input, filters, self.kernel.of(i)) };
            let names = (&*format!("{name}.conv"), &*format!("{name}.norm"));
            let conv = match self.norm {
                Norm::Batch => {
                    let norm = NormConfig::default();
                    Block::Conv(ConvNorm::new(builder, names, shape, norm, Activation::Relu)?)
                }
                Norm::Layer => {
                    let conv = Conv2d::new(builder, names.0, shape, false)?;
                    Block::Layered(conv, LayerNorm::new(builder, names.1, filters)?, Activation::Relu)
                }
            };
            let pools = self.pools.iter().filter(|p| p.after == i + 1);
            let pools = pools.map(|p| Block::AvgPool((p.kernel[0], p.kernel[1])));
            stages.push(Stage { name, blocks: std::iter::once(conv).chain(pools).collect() });
            input = filters;
        }
        Ok(stages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> serde_json::Result<CnnConfig> {
        serde_json::from_str(text)
    }

    #[test]
    fn settings_are_read_and_unknown_ones_refused() {
        assert_eq!(parse("{}").expect("default"), CnnConfig::default());
        let one = parse(
            r#"{"sides": "shared", "filters": [4, 8], "kernel": [[5, 3], [3, 1]], "head": {"features": ["max"]},
            "pools": [{"after": 1, "kernel": [2, 1]}]}"#,
        )
        .expect("settings");
        assert_eq!(one.kernel.of(1), (3, 1));
        one.check().expect("can be built");
        assert!(parse(r#"{"filtres": [4]}"#).is_err());
        assert!(parse(r#"{"head": {"feature": ["max"]}}"#).is_err());
        assert!(parse(r#"{"pools": [{"after": 1, "kernel": [2, 1], "ceil": true}]}"#).is_err());
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        CnnConfig::default().check().expect("the default fits");
        let refused = |change: fn(&mut CnnConfig)| {
            let mut config = CnnConfig::default();
            change(&mut config);
            config.check().expect_err("refused")
        };
        assert!(matches!(refused(|c| c.filters.clear()), NetworkError::Range { .. }));
        assert!(matches!(refused(|c| c.filters[3] = 0), NetworkError::Range { .. }));
        assert!(matches!(refused(|c| c.filters[3] = usize::MAX), NetworkError::Range { .. }));
        assert!(matches!(refused(|c| c.stride = PerLayer::Common([0, 1])), NetworkError::Range { .. }));
        assert!(matches!(
            refused(|c| c.kernel = PerLayer::Common([2, 3])),
            NetworkError::EvenKernel { layer: 1, .. }
        ));
        assert!(matches!(refused(|c| c.kernel = PerLayer::Each(vec![[3, 3]])), NetworkError::Count { .. }));
        assert!(matches!(refused(|c| c.pools[0].after = 11), NetworkError::Place { .. }));
    }
}
