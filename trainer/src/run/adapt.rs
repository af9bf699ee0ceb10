//! Adaptation to a later period by its unlabelled coils, judged forward in time.
//!
//! The networks that learned from earlier coils are changed by what the later coils look like, never by what inspectors said
//! of them, and judge those same coils. Two ways: running statistics of batch norms estimated anew (Y. Li et al., Revisiting
//! batch normalization for practical domain adaptation, 2016), and CORAL ([`coral`]). Batches in training hold more NOK coils
//! than the line does, so new statistics differ even where nothing has changed with time: statistics of the EARLIER coils, as
//! often OK as the line has them, are told beside them.

mod coral;

use super::forward::{Forward, Found, Stretch, stretches};
use super::scores::{ScoreTable, read_table};
use super::{CoilSource, Fold, Member, RunFolder, RunRecord, hex, write_whole};
use crate::data::coils::{CoilSet, LabelledCoil};
use crate::fit::{Batch, Source, predict, settle};
use crate::nets::{Model, Network};
use crate::nn::Pass;
use crate::nn::seed::{Purpose, generator};
use crate::score::Bootstrap;
use anyhow::ensure;
use candle_core::{DType, Device, Tensor};
use coral::Alignment;
use rand::seq::SliceRandom;

/// Coils in a forward pass.
const BATCH: usize = 64;

/// How often all coils go through the network while its statistics move: running statistics keep a tenth of every batch.
const ROUNDS: usize = 3;

/// How a network is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Not at all.
    AsTrained,
    /// Batch norm statistics of the coils that it learned from, as they come from the line: what the mix of classes does.
    BatchNormEarlier,
    /// Batch norm statistics of the coils that it judges.
    BatchNormLater,
    /// Features of the coils that it judges, aligned with those that it learned from.
    Coral,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::AsTrained, Self::BatchNormEarlier, Self::BatchNormLater, Self::Coral];

    /// As tables and files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AsTrained => "as-trained",
            Self::BatchNormEarlier => "batch-norm-of-earlier-coils",
            Self::BatchNormLater => "batch-norm-of-later-coils",
            Self::Coral => "coral",
        }
    }
}

/// What a way comes to.
#[derive(Clone, Debug)]
pub struct Adapted {
    /// Which.
    pub way: Way,
    /// Scores forward in time.
    pub scores: ScoreTable,
    /// The report.
    pub forward: Forward,
}

/// Judges the later coils of `set`, which the run was trained on, in every way. The scores stand in `adapt-WAY.csv` of the run.
pub fn adapt(set: &CoilSet, folder: &RunFolder) -> anyhow::Result<Vec<Adapted>> {
    let record = folder.record()?;
    ensure!(
        record.data_sha256 == hex(&set.sha256()),
        "{} was trained on other data than set {} here: give the data that it was trained on",
        folder.path().display(),
        set.name
    );
    ensure!(
        record.forward.is_some(),
        "{} was not judged forward in time: train it with forward: [0.5, 0.75]",
        folder.path().display()
    );
    let stretches = stretches(set, &record.config.forward)?;
    Way::ALL.iter().map(|way| one(*way, set, folder, &record, &stretches)).collect()
}

fn one(
    way: Way,
    set: &CoilSet,
    folder: &RunFolder,
    record: &RunRecord,
    stretches: &[Stretch],
) -> anyhow::Result<Adapted> {
    let mut margins = Vec::new();
    for (k, stretch) in stretches.iter().enumerate() {
        let coils = |of: &[usize]| -> Vec<&LabelledCoil> { of.iter().map(|i| &set.coils[*i]).collect() };
        let earlier = CoilSource::new(coils(&stretch.seen), &record.prepare, None);
        let later = CoilSource::new(coils(&stretch.judged), &record.prepare, None);
        let mut of_stretch = vec![Vec::new(); stretch.judged.len()];
        for number in 0..record.config.members {
            let network = folder.network(Member { fold: Some(Fold::Forward(k)), number }, &record.prepare)?;
            let judge = Judge { network: &network, earlier: &earlier, later: &later };
            for (coil, margin) in of_stretch.iter_mut().zip(judge.margins(way)?) {
                coil.push(margin);
            }
        }
        margins.extend(of_stretch);
    }
    let found = Found::new(set, stretches, margins);
    let (calibration, p) = found.calibrated()?;
    let policy = &record.config.policy;
    let (forward, table) = found.report(policy, Bootstrap::default(), &p, &p, Some(calibration))?;
    let file = folder.path().join(format!("adapt-{}.csv", way.name()));
    write_whole(&file, table.as_bytes())?;
    Ok(Adapted { way, scores: read_table(&file)?, forward })
}

/// A network, what it learned from and what it judges.
struct Judge<'a> {
    network: &'a Network,
    earlier: &'a CoilSource<'a>,
    later: &'a CoilSource<'a>,
}

impl Judge<'_> {
    /// Logit NOK - logit OK of every later coil.
    fn margins(&self, way: Way) -> anyhow::Result<Vec<f64>> {
        match way {
            Way::AsTrained => {}
            Way::BatchNormEarlier => self.estimate(self.earlier)?,
            Way::BatchNormLater => self.estimate(self.later)?,
            Way::Coral => return self.aligned(),
        }
        let logits = predict(self.network, self.later, 0)?.logits;
        Ok(logits.iter().map(|[ok, nok]| f64::from(*nok) - f64::from(*ok)).collect())
    }

    /// Lets batch norms take their running statistics from some coils. References are chosen anew: they are embeddings of
    /// labelled earlier coils.
    fn estimate(&self, coils: &CoilSource) -> anyhow::Result<()> {
        let mut items: Vec<usize> = (0..coils.len()).collect();
        for round in 0..ROUNDS {
            let mut rng = generator(0, Purpose::Order, round as u64, 0);
            items.shuffle(&mut rng);
            // A last, small batch would move the statistics as far as a full one.
            for chunk in items.chunks(BATCH).filter(|chunk| chunk.len() == BATCH.min(items.len())) {
                let batch = self.batch(coils, chunk)?;
                self.network.outputs(&batch.image, &batch.side, &mut Pass::Train(&mut rng))?;
            }
        }
        Ok(settle(self.network, self.earlier, 0)?)
    }

    fn batch(&self, coils: &CoilSource, items: &[usize]) -> candle_core::Result<Batch> {
        Batch::draw(coils, items, self.network.input(), (0, 0, 0))?.at(self.network.params().place())
    }

    fn aligned(&self) -> anyhow::Result<Vec<f64>> {
        let (earlier, later) = (self.features(self.earlier)?, self.features(self.later)?);
        let alignment = Alignment::new(&earlier, &later);
        let mut margins = Vec::with_capacity(later.len());
        let items: Vec<usize> = (0..later.len()).collect();
        for chunk in items.chunks(BATCH) {
            let side = self.batch(self.later, chunk)?.side;
            let rows: Vec<f32> = chunk.iter().flat_map(|i| alignment.apply(&later[*i])).collect();
            let features = Tensor::from_vec(rows, (chunk.len(), alignment.len()), &Device::Cpu)?;
            let features = self.network.params().place().take(&features)?;
            let logits = self.network.judge_pooled(&features, &side)?.to_dtype(DType::F32)?;
            margins.extend(logits.to_vec2::<f32>()?.iter().map(|row| f64::from(row[1]) - f64::from(row[0])));
        }
        Ok(margins)
    }

    fn features(&self, coils: &CoilSource) -> anyhow::Result<Vec<Vec<f32>>> {
        let items: Vec<usize> = (0..coils.len()).collect();
        let mut features = Vec::with_capacity(items.len());
        for chunk in items.chunks(BATCH) {
            let batch = self.batch(coils, chunk)?;
            features.extend(self.network.pooled(&batch.image)?.to_dtype(DType::F32)?.to_vec2::<f32>()?);
        }
        Ok(features)
    }
}
