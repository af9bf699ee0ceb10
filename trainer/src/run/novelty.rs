//! How far a coil may lie from those trained on before a person should look at it: measured out of fold.
//!
//! A network's features of its own training coils lie nearer together than those of any others, so the limit is not taken
//! from them: each fold's network and the space of its training coils say how far the fold's held coils lie, and the limit
//! leaves the stated share of all of them beyond it, bad ones included: what inspectors have ruled on is known, and a NOK coil is
//! not to become REVIEW for being rare. The final network's space is used with that limit; distances are in
//! units of each space's own spread.

mod space;
mod unlike;

use super::folder::{Fold, Member, RunFolder};
use super::member::Training;
use super::{CoilSource, RunConfig};
use crate::data::coils::{CoilSet, LabelledCoil};
use crate::fit::{Batch, Source};
use crate::kept::KeptSource;
use crate::nets::{Input, Kept, Model, Network};
use anyhow::{Context, ensure};
use candle_core::{DType, Tensor};
use coilsight_models::prepare::PrepareSpec;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

pub use space::Space;
pub use unlike::Change;

/// Most training coils that a space is fitted on, evenly taken: more hardly move it, and each is a pass through the network.
const FITTED: usize = 1500;
/// Coils that pass through a network at a time.
const BATCH: usize = 64;
/// What a run's record of it is called.
const FILE: &str = "novelty.json";
/// No record is longer, bytes.
const MAX_FILE: u64 = 64 << 20;

/// The features of the coils that a network was trained on, and how far from them a coil may lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Novelty {
    /// Further away a coil goes to REVIEW.
    pub limit: f64,
    /// Share of the coils that lay further away, out of fold, as was asked for.
    pub share: f64,
    /// Coils whose distances out of fold the limit was chosen by.
    pub judged: usize,
    /// Coils that the final network's space was fitted on.
    pub fitted: usize,
    /// The share of the identity in the final covariance (Ledoit and Wolf).
    pub shrinkage: f64,
    /// `[F]`: the features' mean.
    pub centre: Vec<f32>,
    /// Rows of `whitening`.
    pub directions: usize,
    /// `[directions][F]`: along each direction, one spread of the coils trained on becomes 1.
    pub whitening: Vec<f32>,
}

impl Novelty {
    /// The member of a run whose features are measured.
    pub const MEMBER: usize = 0;

    /// What a run has measured, if it has.
    pub fn read(folder: &RunFolder) -> anyhow::Result<Option<Self>> {
        let file = folder.path().join(FILE);
        if !file.exists() {
            return Ok(None);
        }
        let cannot = || format!("cannot use {}", file.display());
        ensure!(std::fs::metadata(&file).with_context(cannot)?.len() <= MAX_FILE, "{}: too long", cannot());
        let found: Self =
            serde_json::from_slice(&std::fs::read(&file).with_context(cannot)?).with_context(cannot)?;
        ensure!(
            found.whitening.len() == found.directions * found.centre.len() && found.directions > 0,
            "{}: its directions are not as long as its centre",
            cannot()
        );
        Ok(Some(found))
    }
}

/// Measures a run all of whose networks are trained; `folds` is the fold of each coil. With so few coils that the stated share
/// of them is not one there is no limit to be found, and nothing is measured.
pub fn measure(
    set: &CoilSet,
    folds: &[usize],
    config: &RunConfig,
    spec: &PrepareSpec,
    folder: &RunFolder,
) -> anyhow::Result<()> {
    let share = config.policy.novelty_share;
    if share * (set.coils.len() as f64) < 1.0 || folder.path().join(FILE).exists() {
        return Ok(());
    }
    let mut distances = vec![0.0; set.coils.len()];
    for fold in 0..config.folds {
        let known = Known::of(set, folds, Some(fold), (config, spec, folder))?;
        let held: Vec<usize> = (0..folds.len()).filter(|i| folds[*i] == fold).collect();
        let coils: Vec<&LabelledCoil> = held.iter().map(|i| &set.coils[*i]).collect();
        for (item, distance) in held.iter().zip(known.distances(&coils)?) {
            distances[*item] = distance;
        }
    }
    let known = Known::of(set, folds, None, (config, spec, folder))?;
    let space = &known.space;
    let found = Novelty {
        limit: limit(distances.clone(), share),
        share,
        judged: distances.len(),
        fitted: known.fitted,
        shrinkage: space.shrinkage,
        centre: space.centre.iter().map(|v| *v as f32).collect(),
        directions: space.whitening.len(),
        whitening: space.whitening.iter().flatten().map(|v| *v as f32).collect(),
    };
    let mut text = String::from("coil_id,label,fold,distance\n");
    for ((coil, fold), distance) in set.coils.iter().zip(folds).zip(&distances) {
        let label = if coil.nok { "NOK" } else { "OK" };
        writeln!(text, "{},{label},{fold},{distance}", coil.id)?;
    }
    folder.write("novelty.csv", text.as_bytes())?;
    folder.write(FILE, &serde_json::to_vec(&found)?)
}

/// The distance that no more than `share` of `distances` exceed.
fn limit(mut distances: Vec<f64>, share: f64) -> f64 {
    distances.sort_by(f64::total_cmp);
    let beyond = (share * distances.len() as f64).floor() as usize;
    distances[distances.len() - 1 - beyond.min(distances.len() - 1)].max(f64::MIN_POSITIVE)
}

/// A trained network with the space of the coils that it has learned from.
pub struct Known<'a> {
    network: Network,
    /// Features of its training coils.
    pub space: Space,
    /// Coils that the space was fitted on.
    pub fitted: usize,
    config: &'a RunConfig,
    spec: &'a PrepareSpec,
    folder: &'a RunFolder,
}

impl<'a> Known<'a> {
    /// That of a fold, which is what it has not seen, or the final one.
    pub fn of(
        set: &CoilSet,
        folds: &[usize],
        fold: Option<usize>,
        (config, spec, folder): (&'a RunConfig, &'a PrepareSpec, &'a RunFolder),
    ) -> anyhow::Result<Self> {
        let network =
            folder.network(Member { fold: fold.map(Fold::Stratified), number: Novelty::MEMBER }, spec)?;
        let space = Space { centre: Vec::new(), whitening: Vec::new(), shrinkage: 0.0 };
        let mut known = Self { network, space, fitted: 0, config, spec, folder };
        let seen: Vec<&LabelledCoil> =
            set.coils.iter().zip(folds).filter(|(_, of)| Some(**of) != fold).map(|(coil, _)| coil).collect();
        let fitted: Vec<&LabelledCoil> =
            seen.iter().step_by(seen.len().div_ceil(FITTED).max(1)).copied().collect();
        known.fitted = fitted.len();
        known.space = Space::fit(&known.features(&fitted)?)
            .context("the network gives the same features, or none, for all coils: train again")?;
        Ok(known)
    }

    /// How far coils lie from those that the network has learned from.
    pub fn distances(&self, coils: &[&LabelledCoil]) -> anyhow::Result<Vec<f64>> {
        Ok(self.features(coils)?.iter().map(|features| self.space.distance(features)).collect())
    }

    /// The features of coils, each `[F]`, in order; what frozen stages give is taken from where the run keeps it.
    fn features(&self, coils: &[&LabelledCoil]) -> anyhow::Result<Vec<Vec<f32>>> {
        let (network, run) = (&self.network, self.folder.path());
        let training = Training { config: self.config, spec: self.spec, run, folder: run, seed: 0 };
        let coils = CoilSource::new(coils.to_vec(), self.spec, None);
        match training.store(network)? {
            Some(store) => {
                let kept = Kept(network);
                let source = KeptSource { coils, network, store: &store };
                features(&source, kept.input(), &|image| kept.features(image))
            }
            None => features(&coils, network.input(), &|image| network.features(image)),
        }
    }
}

fn features(
    source: &dyn Source,
    input: Input,
    of: &dyn Fn(&Tensor) -> candle_core::Result<Tensor>,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let items: Vec<usize> = (0..source.len()).collect();
    let mut all = Vec::with_capacity(items.len());
    for (k, chunk) in items.chunks(BATCH).enumerate() {
        let batch = Batch::draw(source, chunk, input, (0, 0, k * BATCH))?;
        all.extend(of(&batch.image)?.to_dtype(DType::F32)?.to_vec2::<f32>()?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::roc_auc;
    use crate::simulate::{self, Plan};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_limit_leaves_the_stated_share_beyond_it() {
        let distances: Vec<f64> = (1..=1000).rev().map(f64::from).collect();
        for (share, expected) in [(0.005, 995.0), (0.0, 1000.0), (0.0019, 999.0), (0.5, 500.0)] {
            let found = limit(distances.clone(), share);
            assert_eq!(found, expected, "{share}");
            assert!(distances.iter().filter(|d| **d > found).count() as f64 <= share * 1000.0);
        }
        assert_eq!(limit(vec![2.0], 0.5), 2.0);
    }

    /// A network with random weights sees enough of simulated coils to tell those that something happened to.
    #[test]
    fn coils_that_something_happened_to_lie_further_away() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { count: 300, seed: 7, ..Plan::default() };
        simulate::coils(&plan, folder.path(), "train", &|_| {}).unwrap();
        let set = CoilSet::load(folder.path(), "train").unwrap();
        let config = RunConfig::parse(include_str!("../../configs/cnn.yaml")).unwrap();
        let spec = config.prepare.resolve(&set.coils).unwrap();
        let network = Network::new(config.network, RunConfig::input(&spec), 1).unwrap();
        let look = |coils: &[LabelledCoil]| {
            let coils = CoilSource::new(coils.iter().collect(), &spec, None);
            features(&coils, network.input(), &|image| network.features(image)).unwrap()
        };
        let space = Space::fit(&look(&set.coils[..200])).unwrap();
        let far = |coils: &[LabelledCoil]| {
            look(coils).iter().map(|features| space.distance(features)).collect::<Vec<f64>>()
        };
        let ordinary = far(&set.coils[200..]);
        let mut found = Vec::new();
        for (change, least, most) in [
            // One dead gauge of eighteen is little to a network that has learned nothing; the coverage rule sees it anyway.
            (Change::DeadGauge, 0.65, 1.0),
            (Change::DeadGauges, 0.8, 1.0),
            (Change::GaugesMixedUp, 0.6, 1.0),
            (Change::Noise, 0.9, 1.0),
            (Change::HalfCoating, 0.9, 1.0),
            (Change::Reversed, 0.4, 0.6),
        ] {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let mut changed = set.coils[200..].to_vec();
            for coil in &mut changed {
                coil.matrix = change.of(&coil.matrix, &mut rng);
            }
            let distances = [ordinary.clone(), far(&changed)].concat();
            let auc = roc_auc(&[vec![false; 100], vec![true; 100]].concat(), &distances).unwrap();
            found.push((change, auc, (least..=most).contains(&auc)));
        }
        assert!(found.iter().all(|(.., within)| *within), "{found:?}");
    }
}
