//! The protocol of the second paper (one-shot recognition of steel surface defects with a Siamese network): its Siamese
//! network on pairs ([`pairs`]), its classifier ([`cnn`]), its nearest neighbour on pixels.
//!
//! What the paper does not say is chosen in [`choices`] and told with every result.

pub mod choices;
pub mod cnn;
pub mod pairs;
pub mod picture;
pub mod results;
pub mod run;

pub use results::{Part, Share};

use crate::fit::{AdamWConfig, EpochReport, Fit, FitConfig, LossConfig, SamplerConfig, Schedule, Source};
use crate::nets::config::{BackboneConfig, NetworkConfig};
use crate::nets::{Input, Model, Network};
use crate::nn::params::Place;
use std::ops::ControlFlow;

/// The classes that the paper trains on (section 5.1).
pub const SEEN: [&str; 3] = ["rolled-in_scale", "patches", "inclusion"];
/// The classes that its network has not seen (section 5.1).
pub const UNSEEN: [&str; 3] = ["crazing", "pitted_surface", "scratches"];

/// How a network of the paper is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Training {
    /// Epochs (table 1; section 5.2).
    pub epochs: usize,
    /// Pairs, or pictures, of a step (table 1; section 5.2).
    pub batch: usize,
    /// Seed of weights, order and augmentation.
    pub seed: u64,
}

impl Training {
    /// Of the Siamese network.
    pub fn siamese(seed: u64) -> Self {
        Self { epochs: 100, batch: 32, seed }
    }

    /// Of the classifier.
    pub fn cnn(seed: u64) -> Self {
        Self { epochs: 120, batch: 128, seed }
    }

    /// Adam at 5e-4 with (0.9, 0.999) (table 1), no decay, no schedule, the last epoch's weights.
    fn config(self) -> FitConfig {
        FitConfig {
            seed: self.seed,
            epochs: self.epochs,
            batch: self.batch,
            epoch_items: None,
            sampler: SamplerConfig::Shuffled,
            loss: LossConfig::default(),
            optimizer: AdamWConfig {
                learning_rate: 5e-4,
                weight_decay: 0.0,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
            },
            schedule: Schedule::Constant,
            ema: None,
            early_stop: None,
            two_stage: None,
        }
    }

    /// Trains a model on a source; `observer` sees every epoch.
    pub fn run(
        self,
        model: &dyn Model,
        train: &dyn Source,
        observer: &mut dyn FnMut(&EpochReport) -> ControlFlow<()>,
    ) -> Result<Vec<EpochReport>, crate::fit::FitError> {
        let config = self.config();
        let fit = Fit { config: &config, train, validation: None, measure: &|_| 0.0, folder: None, observer };
        Ok(fit.run(model)?.history)
    }
}

/// The paper's encoder (section 3) for pictures of one value a pixel, [`picture::SIDE`] square.
fn network(outputs: usize, seed: u64) -> anyhow::Result<Network> {
    let config = NetworkConfig { backbone: BackboneConfig::Surface {}, ..NetworkConfig::default() };
    let input = Input { height: picture::SIDE, width: picture::SIDE, channels: 1, side: 0 };
    Ok(Network::at(Place::default(), config, input, outputs, seed)?)
}
