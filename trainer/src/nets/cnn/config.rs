//! What a [`Cnn`](super::Cnn) looks like, and whether that can be built.

use super::super::Input;
use crate::export::folded::{GlobalPool, Sides};
use serde::{Deserialize, Serialize};

/// Most convolutions in a network.
pub const MAX_LAYERS: usize = 64;
/// Most filters of a layer, values of an image row or column, hidden units.
pub const MAX_WIDTH: usize = 4096;
/// Largest kernel, stride or pool in either direction.
pub const MAX_WINDOW: usize = 31;

/// A plain stack of convolutions; the default has the ten layers of the published baseline.
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
    /// Average pools between convolutions.
    pub pools: Vec<PoolAfter>,
    /// Global pools at the end, concatenated in this order.
    pub features: Vec<GlobalPool>,
    /// Whether pooled features pass a batch norm before they meet the side vector.
    pub feature_norm: bool,
    /// Share of pooled features dropped in training before the hidden layer; the side vector never is.
    pub feature_dropout: f32,
    /// Units of the hidden layer.
    pub hidden: usize,
    /// Share of hidden units dropped in training.
    pub dropout: f32,
    /// Whether the side vector also reaches the logits directly, by weights that begin at zero.
    pub side_skip: bool,
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

/// Why a network cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum CnnError {
    /// A size out of range.
    #[error("{what} is {value}; it must be between 1 and {most}")]
    Range {
        /// Which size.
        what: String,
        /// Its value.
        value: usize,
        /// The largest allowed.
        most: usize,
    },
    /// An even kernel would shift the map by half a pixel.
    #[error("the kernel of convolution {layer} is {kernel:?}; both sizes must be odd")]
    EvenKernel {
        /// Which convolution, from 1.
        layer: usize,
        /// Height and width.
        kernel: [usize; 2],
    },
    /// A list whose length is not the depth.
    #[error("{what} lists {found} layers, but filters lists {wanted}; give one pair for all or one for each")]
    Count {
        /// Which list.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The depth.
        wanted: usize,
    },
    /// A pool after a convolution that does not exist.
    #[error("a pool stands after convolution {after}, but there are {layers}")]
    Place {
        /// Where it should stand.
        after: usize,
        /// The depth.
        layers: usize,
    },
    /// Pools and strides leave nothing.
    #[error(
        "after convolution {layer} the map is {height}x{width}, too small for a pool of {kernel:?}; use fewer or smaller pools"
    )]
    Vanishes {
        /// After which convolution, from 1.
        layer: usize,
        /// Rows left.
        height: usize,
        /// Columns left.
        width: usize,
        /// The pool.
        kernel: [usize; 2],
    },
    /// Two sides need an even number of columns.
    #[error("sides: shared cuts the image in two, but it has {width} columns, an odd number")]
    OddWidth {
        /// Columns.
        width: usize,
    },
    /// No global pool.
    #[error("features lists no global pool; name avg, max or both, each once")]
    Features,
    /// Not a share.
    #[error("{what} is {value}; it must be at least 0 and less than 1")]
    Share {
        /// Which setting.
        what: &'static str,
        /// Its value.
        value: f32,
    },
    /// A tensor operation failed.
    #[error("the network could not be built")]
    Tensor(#[source] candle_core::Error),
}

impl Default for CnnConfig {
    fn default() -> Self {
        Self {
            sides: Sides::Image,
            filters: vec![16, 16, 24, 24, 32, 32, 48, 48, 64, 64],
            kernel: PerLayer::Common([3, 3]),
            stride: PerLayer::Common([1, 1]),
            pools: [2, 4, 6, 8].map(|after| PoolAfter { after, kernel: [2, 2] }).to_vec(),
            features: vec![GlobalPool::Avg, GlobalPool::Max],
            feature_norm: false,
            feature_dropout: 0.0,
            hidden: 64,
            dropout: 0.3,
            side_skip: false,
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

    fn check(&self, what: &'static str, depth: usize) -> Result<(), CnnError> {
        let pairs = match self {
            Self::Common(pair) => std::slice::from_ref(pair),
            Self::Each(pairs) if pairs.len() == depth => pairs,
            Self::Each(pairs) => return Err(CnnError::Count { what, found: pairs.len(), wanted: depth }),
        };
        pairs.iter().flatten().try_for_each(|v| range(what, *v, MAX_WINDOW))
    }
}

fn range(what: &str, value: usize, most: usize) -> Result<(), CnnError> {
    if (1..=most).contains(&value) { Ok(()) } else { Err(CnnError::Range { what: what.into(), value, most }) }
}

impl CnnConfig {
    /// Whether such a network can be built for such an input.
    pub fn check(&self, input: Input) -> Result<(), CnnError> {
        let depth = self.filters.len();
        range("the number of convolutions", depth, MAX_LAYERS)?;
        self.filters.iter().try_for_each(|f| range("a number of filters", *f, MAX_WIDTH))?;
        for (what, value) in [("height", input.height), ("width", input.width), ("channels", input.channels)]
        {
            range(&format!("the image's {what}"), value, MAX_WIDTH)?;
        }
        range("side vector length + 1", input.side + 1, MAX_WIDTH)?;
        range("hidden", self.hidden, MAX_WIDTH)?;
        self.kernel.check("kernel", depth)?;
        self.stride.check("stride", depth)?;
        for (what, value) in [("dropout", self.dropout), ("feature_dropout", self.feature_dropout)] {
            if !(0.0..1.0).contains(&value) {
                return Err(CnnError::Share { what, value });
            }
        }
        let twice = self.features.len() == 2 && self.features[0] == self.features[1];
        if self.features.is_empty() || self.features.len() > 2 || twice {
            return Err(CnnError::Features);
        }
        self.check_maps(input)
    }

    /// Follows the size of the map through the trunk.
    fn check_maps(&self, input: Input) -> Result<(), CnnError> {
        let depth = self.filters.len();
        let (mut height, mut width) = (input.height, input.width);
        if self.sides == Sides::Shared {
            if width % 2 == 1 {
                return Err(CnnError::OddWidth { width });
            }
            width /= 2;
        }
        for pool in &self.pools {
            if !(1..=depth).contains(&pool.after) {
                return Err(CnnError::Place { after: pool.after, layers: depth });
            }
            pool.kernel.iter().try_for_each(|v| range("a pool's size", *v, MAX_WINDOW))?;
        }
        for layer in 0..depth {
            let ((kh, kw), (sh, sw)) = (self.kernel.of(layer), self.stride.of(layer));
            if kh % 2 == 0 || kw % 2 == 0 {
                return Err(CnnError::EvenKernel { layer: layer + 1, kernel: [kh, kw] });
            }
            (height, width) = (height.div_ceil(sh), width.div_ceil(sw));
            for pool in self.pools.iter().filter(|p| p.after == layer + 1) {
                let kernel = pool.kernel;
                if kernel[0] > height || kernel[1] > width {
                    return Err(CnnError::Vanishes { layer: layer + 1, height, width, kernel });
                }
                (height, width) = (height / kernel[0], width / kernel[1]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: Input = Input { height: 264, width: 18, channels: 3, side: 4 };

    fn parse(text: &str) -> serde_json::Result<CnnConfig> {
        serde_json::from_str(text)
    }

    #[test]
    fn settings_are_read_and_unknown_ones_refused() {
        assert_eq!(parse("{}").expect("default"), CnnConfig::default());
        let one = parse(
            r#"{"sides": "shared", "filters": [4, 8], "kernel": [[5, 3], [3, 1]], "features": ["max"],
            "pools": [{"after": 1, "kernel": [2, 1]}]}"#,
        )
        .expect("settings");
        assert_eq!(one.kernel.of(1), (3, 1));
        one.check(INPUT).expect("can be built");
        assert!(parse(r#"{"filtres": [4]}"#).is_err());
        assert!(parse(r#"{"pools": [{"after": 1, "kernel": [2, 1], "ceil": true}]}"#).is_err());
    }

    #[test]
    fn networks_that_cannot_be_built_are_refused() {
        CnnConfig::default().check(INPUT).expect("the default fits");
        let refused = |change: fn(&mut CnnConfig, &mut Input)| {
            let (mut config, mut input) = (CnnConfig::default(), INPUT);
            change(&mut config, &mut input);
            config.check(input).expect_err("refused")
        };
        assert!(matches!(refused(|c, _| c.filters.clear()), CnnError::Range { .. }));
        assert!(matches!(refused(|c, _| c.filters[3] = 0), CnnError::Range { .. }));
        assert!(matches!(refused(|c, _| c.filters[3] = usize::MAX), CnnError::Range { .. }));
        assert!(matches!(refused(|_, i| i.channels = 0), CnnError::Range { .. }));
        assert!(matches!(refused(|c, _| c.hidden = 0), CnnError::Range { .. }));
        assert!(matches!(refused(|c, _| c.stride = PerLayer::Common([0, 1])), CnnError::Range { .. }));
        assert!(matches!(
            refused(|c, _| c.kernel = PerLayer::Common([2, 3])),
            CnnError::EvenKernel { layer: 1, .. }
        ));
        assert!(matches!(refused(|c, _| c.kernel = PerLayer::Each(vec![[3, 3]])), CnnError::Count { .. }));
        assert!(matches!(refused(|c, _| c.pools[0].after = 11), CnnError::Place { .. }));
        assert!(matches!(refused(|_, i| i.width = 15), CnnError::Vanishes { layer: 8, .. }));
        assert!(matches!(refused(|c, _| c.sides = Sides::Shared), CnnError::Vanishes { layer: 8, .. }));
        assert!(matches!(
            refused(|c, i| (c.sides, i.width) = (Sides::Shared, 17)),
            CnnError::OddWidth { width: 17 }
        ));
        assert!(matches!(refused(|c, _| c.features.clear()), CnnError::Features));
        assert!(matches!(refused(|c, _| c.features = vec![GlobalPool::Max; 2]), CnnError::Features));
        assert!(matches!(refused(|c, _| c.dropout = 1.0), CnnError::Share { .. }));
        assert!(matches!(refused(|c, _| c.dropout = f32::NAN), CnnError::Share { .. }));
    }
}
