//! One network of a run: trained, or found done.

use super::folder::write_whole;
use super::{Augmentation, CoilSource};
use crate::data::folds::stratified;
use crate::device;
use crate::fit::{EpochReport, Fit, FitConfig, Sampler, Source, Validation, predict};
use crate::kept::{Draws, KeptSource, Key, Store, fill, needs, row_length};
use crate::nets::{CLASSES, Kept, Model, Network};
use crate::nn::params::Place;
use crate::run::RunConfig;
use crate::score::average_precision;
use crate::weights::{Cache, Checkpoint, Loaded, Origin, Rules, load, obtain};
use anyhow::{Context, bail};
use coilsight_models::prepare::PrepareSpec;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;

/// Of the training coils, one in this many is kept apart to stop early by; never the fold that is judged.
const EARLY_STOP_PART: usize = 10;

/// What the frozen stages make ready: coils done, of how many.
pub type KeepProgress<'a> = &'a mut dyn FnMut(usize, usize);

/// What a network begins with.
pub struct Start {
    /// Where it came from.
    pub origin: Origin,
    /// Where networks live.
    pub place: Place,
    checkpoint: Option<Checkpoint>,
}

impl Start {
    /// The weights that the settings name; read once for all networks of a run.
    pub fn of(config: &RunConfig) -> anyhow::Result<Self> {
        let spec = &config.network.weights;
        let place = Place { device: device::open(config.device)?, ..Place::default() };
        if spec == crate::nets::config::RANDOM {
            return Ok(Self { origin: Origin::Random { seed: config.seed }, place, checkpoint: None });
        }
        let cannot = || format!("network.weights is {spec:?}");
        let cache = Cache::locate(|name| std::env::var_os(name)).with_context(cannot)?;
        let (checkpoint, origin) = obtain(spec, None, &cache).with_context(cannot)?;
        Ok(Self { origin, place, checkpoint: Some(checkpoint) })
    }

    /// A network of this seed with these weights.
    pub fn network(
        &self,
        config: &RunConfig,
        spec: &PrepareSpec,
        seed: u64,
    ) -> anyhow::Result<(Network, Option<Loaded>)> {
        let (input, place) = (RunConfig::input(spec), self.place.clone());
        let network = Network::at(place, config.network.clone(), input, CLASSES, seed)?;
        let backbone = &config.network.backbone;
        let own_last = backbone.last_layer(false);
        let heads = [
            own_last,
            "features.norm.",
            "hidden.",
            "skip.",
            "logits.",
            "embedding.",
            "pairs.",
            "references.",
        ];
        let load =
            |checkpoint| load(network.params(), checkpoint, &Rules { heads: &heads, stem: backbone.stem() });
        let loaded = self.checkpoint.as_ref().map(load).transpose();
        let name = backbone.name();
        let loaded = loaded.with_context(|| format!("{} does not go into {name}", self.origin))?;
        Ok((network, loaded))
    }

    /// In words, for records and bundles. Only what somebody trained is called transfer learning.
    pub fn words(&self, config: &RunConfig) -> String {
        let freeze = config.network.freeze;
        match (self.origin.is_pretrained(), freeze) {
            (false, 0) => "random initialisation, trained on the set alone".into(),
            (false, n) => {
                format!("random initialisation, the first {n} stages left random (not transfer learning)")
            }
            (true, 0) => format!("{}; all stages fine-tuned on the set", self.origin),
            (true, n) => {
                format!("{}; the first {n} stages frozen, the others fine-tuned on the set", self.origin)
            }
        }
    }
}

/// Trains a network on some coils, and judges others with it.
pub struct Training<'a> {
    /// The run's settings.
    pub config: &'a RunConfig,
    /// The contract.
    pub spec: &'a PrepareSpec,
    /// The run's folder.
    pub run: &'a Path,
    /// The network's own folder.
    pub folder: &'a Path,
    /// Its seed.
    pub seed: u64,
}

impl Training<'_> {
    /// K augmentations of each coil, where frozen stages are kept.
    fn draws(&self) -> Option<Draws> {
        self.config.keep.as_ref().map(|keep| Draws { count: keep.draws, seed: self.config.seed })
    }

    fn augmentation(&self) -> Augmentation<'_> {
        Augmentation { config: &self.config.augment, draws: self.draws(), seed: self.config.seed }
    }

    /// Trains on `seen` and gives the margins (logit NOK - logit OK) of `held`.
    pub fn run(
        &self,
        network: &Network,
        seen: &[&crate::data::coils::LabelledCoil],
        held: &[&crate::data::coils::LabelledCoil],
        observer: &mut dyn FnMut(&EpochReport) -> ControlFlow<()>,
        keeping: KeepProgress,
    ) -> anyhow::Result<Vec<f64>> {
        let config = FitConfig { seed: self.seed, ..self.config.fit.clone() };
        let (apart, learned): (Vec<usize>, Vec<usize>) = if config.early_stop.is_some() {
            let nok: Vec<bool> = seen.iter().map(|coil| coil.nok).collect();
            let parts = stratified(&nok, EARLY_STOP_PART, self.seed);
            (0..seen.len()).partition(|i| parts[*i] == 0)
        } else {
            (Vec::new(), (0..seen.len()).collect())
        };
        let coils = |of: &[usize]| of.iter().map(|i| seen[*i]).collect();
        let learned = CoilSource::new(coils(&learned), self.spec, Some(self.augmentation()));
        let apart = CoilSource::new(coils(&apart), self.spec, None);
        let held = CoilSource::new(held.to_vec(), self.spec, None);
        let Some(mut store) = self.store(network)? else {
            return self.fit(network, &config, (&learned, &apart, &held), observer);
        };
        let sampler = Sampler::new(config.sampler, &learned, config.batch, config.epoch_items, config.seed)?;
        for (coils, sampler) in [(&learned, Some(&sampler)), (&apart, None), (&held, None)] {
            let needed = needs(coils, sampler, (config.seed, config.epochs));
            fill(&mut store, network, coils, &needed, keeping)?;
        }
        let kept = |coils| KeptSource { coils, network, store: &store };
        let sources = (kept(learned), kept(apart), kept(held));
        self.fit(&Kept(network), &config, (&sources.0, &sources.1, &sources.2), observer)
    }

    /// What the frozen stages have given, if the run keeps it.
    pub fn store(&self, network: &Network) -> anyhow::Result<Option<Store>> {
        let Some(keep) = &self.config.keep else { return Ok(None) };
        let folder = keep.folder.clone().unwrap_or_else(|| self.run.join("kept"));
        Ok(Some(Store::open(keep, &folder, self.key(network)?, row_length(network))?))
    }

    /// What decides the rows besides a coil and a draw.
    fn key(&self, network: &Network) -> anyhow::Result<Key> {
        let prepare = serde_json::to_vec(self.spec)?;
        let augment = serde_json::to_vec(&(&self.config.augment, self.config.seed))?;
        Ok(Key::of(&[&network.trunk_hash()?, &prepare, &augment]))
    }

    fn fit(
        &self,
        model: &dyn Model,
        config: &FitConfig,
        (learned, apart, held): (&dyn Source, &dyn Source, &dyn Source),
        observer: &mut dyn FnMut(&EpochReport) -> ControlFlow<()>,
    ) -> anyhow::Result<Vec<f64>> {
        let measure = |found: &Validation| {
            let nok: Vec<bool> = found.labels.iter().map(|label| *label == 1).collect();
            average_precision(&nok, &found.scores()).unwrap_or(f64::NAN)
        };
        let fit = Fit {
            config,
            train: learned,
            validation: (!apart.is_empty()).then_some(apart),
            measure: &measure,
            folder: Some(self.folder),
            observer,
        };
        let outcome = fit.run(model)?;
        if outcome.broken_off {
            bail!("broken off; the same command goes on from here");
        }
        write_whole(&self.folder.join("results.csv"), results(&outcome.history)?.as_bytes())?;
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let logits = predict(model, held, self.seed)?.logits;
        Ok(logits.iter().map(|[ok, nok]| f64::from(*nok) - f64::from(*ok)).collect())
    }
}

/// One line an epoch.
fn results(history: &[EpochReport]) -> anyhow::Result<String> {
    let mut text = String::from("epoch,train_loss,learning_rate,validation_loss,average_precision,best\n");
    let number = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
    for report in history {
        let EpochReport { epoch, train_loss, learning_rate, best, .. } = report;
        let (loss, measure) = (number(report.validation_loss), number(report.measure));
        writeln!(text, "{epoch},{train_loss},{learning_rate},{loss},{measure},{best}")?;
    }
    Ok(text)
}

/// Writes a trained network: the weights that were chosen, and those of the last epoch.
pub fn write(network: &Network, folder: &Path, margins: &[f64]) -> anyhow::Result<()> {
    write_whole(&folder.join("best.safetensors"), &network.params().to_bytes()?)?;
    // Last, for it says that the member is done.
    write_whole(&folder.join(MARGINS), &serde_json::to_vec(margins)?)
}

/// The file that says that a member is done: its margins on the coils held back.
pub const MARGINS: &str = "margins.json";

/// The margins of a member that is done.
pub fn found(folder: &Path) -> anyhow::Result<Option<Vec<f64>>> {
    let done = folder.join(MARGINS);
    if !done.exists() {
        return Ok(None);
    }
    let text = std::fs::read(&done).with_context(|| format!("cannot read {}", done.display()))?;
    serde_json::from_slice(&text).map(Some).with_context(|| format!("{} is damaged", done.display()))
}
