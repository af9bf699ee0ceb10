//! The pre-trained encoder: EfficientNet-Lite with the weights that everyday pictures gave it, its stages' maps pooled.
//!
//! Nothing of it is trained here. A grey picture is given as all three colours, (x - 127) / 128, as the weights' publisher
//! prepares pictures.

use super::error::OneShotError;
use super::pictures::{Pictures, SIDE};
use super::turns::{TURNS, turned};
use crate::export::folded::{GlobalPool, Sides};
use crate::nets::config::{BackboneConfig, NetworkConfig};
use crate::nets::head::HeadConfig;
use crate::nets::{Input, Model, Network};
use crate::weights::{Cache, Loaded, Origin, Rules, load, obtain};
use anyhow::Context;
use candle_core::{Device, Tensor};

/// Pictures that go through the network together.
const BATCH: usize = 16;
/// The weights that are taken if nothing is said.
pub const WEIGHTS: &str = "efficientnet-lite0";

/// A network with what it began with.
#[derive(Debug)]
pub struct Encoder {
    /// Its classifier is not used.
    pub network: Network,
    /// Where its weights came from.
    pub origin: Origin,
    /// What of them was taken.
    pub loaded: Loaded,
}

impl Encoder {
    /// EfficientNet-Lite of a size with the mean and the maximum of the maps of these stages, in this order.
    pub fn of(weights: &str, stages: &[usize], kinds: &[GlobalPool]) -> anyhow::Result<Self> {
        let size = match weights.strip_prefix("efficientnet-lite").map(str::parse::<u8>) {
            Some(Ok(size)) => size,
            _ => 0,
        };
        let head = HeadConfig { stages: stages.to_vec(), features: kinds.to_vec(), ..HeadConfig::default() };
        let backbone = BackboneConfig::EfficientnetLite { size, sides: Sides::Image, head };
        let config = NetworkConfig {
            freeze: backbone.stage_count(),
            backbone,
            weights: weights.into(),
            ..NetworkConfig::default()
        };
        let input = Input { height: SIDE, width: SIDE, channels: 3, side: 0 };
        let network = Network::new(config, input, 0)?;
        let cache = Cache::locate(|name| std::env::var_os(name))?;
        let (checkpoint, origin) = obtain(weights, None, &cache)
            .with_context(|| format!("the encoder's weights are {weights:?}"))?;
        let backbone = &network.config().backbone;
        let rules = Rules { heads: &[backbone.last_layer(false)], stem: backbone.stem() };
        let loaded = load(network.params(), &checkpoint, &rules)
            .with_context(|| format!("{origin} does not go into {}", backbone.name()))?;
        Ok(Self { network, origin, loaded })
    }

    /// Stages that are pooled, each with the values that each pool gives.
    pub fn widths(&self) -> Vec<(usize, usize)> {
        self.network.pooled_widths()
    }

    /// Features of pictures [`SIDE`] x [`SIDE`], a row each.
    pub fn features(&self, pictures: &[Vec<u8>]) -> Result<Vec<Vec<f32>>, OneShotError> {
        let run = || {
            let image = image_of(pictures)?;
            self.network.pooled(&image)?.to_vec2::<f32>()
        };
        run().map_err(OneShotError::Encoder)
    }

    /// Features of every picture in every way that it can lie: row `picture * TURNS + turn`.
    pub fn features_of_all(
        &self,
        pictures: &Pictures,
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<Vec<f32>>, OneShotError> {
        let mut rows = Vec::with_capacity(pictures.all.len() * TURNS);
        for some in pictures.all.chunks(BATCH / TURNS) {
            let ways: Vec<Vec<u8>> =
                some.iter().flat_map(|p| (0..TURNS).map(|turn| turned(&p.pixels, SIDE, turn))).collect();
            rows.extend(self.features(&ways)?);
            progress(some.len());
        }
        Ok(rows)
    }
}

/// `[batch, SIDE, SIDE, 3]`.
fn image_of(pictures: &[Vec<u8>]) -> candle_core::Result<Tensor> {
    let value = |pixel: &u8| [(f32::from(*pixel) - 127.0) / 128.0; 3];
    let values: Vec<f32> = pictures.iter().flatten().flat_map(value).collect();
    Tensor::from_vec(values, (pictures.len(), SIDE, SIDE, 3), &Device::Cpu)
}
