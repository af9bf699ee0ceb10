//! What a bundle is built of: trained networks with their shares, and how their scores become a verdict.

use crate::run::ensemble::{Ensemble, is_ensemble};
use crate::run::{Member, Novelty, RunFolder, RunRecord};
use crate::score::report::Estimate;
use crate::score::{Platt, Report};
use anyhow::{Context, ensure};
use coilsight_models::bundle::manifest::{Metric, Provenance};
use coilsight_models::bundle::{Id, MAX_MODELS, Sha256};
use coilsight_models::prepare::{Layout, PrepareSpec};
use coilsight_models::verdict::Policy;
use std::collections::BTreeMap;
use std::path::Path;

/// A final network of a run, as a voter.
pub struct ReleaseModel {
    /// The run.
    pub folder: RunFolder,
    /// Its record.
    pub record: RunRecord,
    /// Which of the run's networks that differ in their seed alone.
    pub number: usize,
    /// What its votes are reported under.
    pub name: Id,
    /// Its share in the average, against the others' weights; above 0.
    pub weight: f64,
    /// From logit difference to probability.
    pub calibration: Platt,
}

impl ReleaseModel {
    /// Final network `number` of a finished run.
    pub fn new(
        folder: RunFolder,
        number: usize,
        name: &str,
        weight: f64,
        calibration: Platt,
    ) -> anyhow::Result<Self> {
        let record = folder.record()?;
        let members = record.config.members;
        ensure!(
            number < members,
            "{} has {members} networks, counted from 0: there is no {number}",
            folder.path().display()
        );
        Ok(Self { folder, record, number, name: Id::new(name)?, weight, calibration })
    }

    /// Its network of the run: final, or of a fold.
    pub fn member(&self) -> Member {
        Member { fold: None, number: self.number }
    }
}

/// A set of models to be released as one bundle.
pub struct ReleaseSet {
    /// What the bundle is called.
    pub name: Id,
    /// The voters, at least one.
    pub models: Vec<ReleaseModel>,
    /// Thresholds for the models' average.
    pub policy: Policy,
    /// How the set did, by name of the metric.
    pub metrics: BTreeMap<String, Metric>,
    /// What tells coils unlike training, with the place of the model whose features it measures.
    pub novelty: Option<(usize, Novelty)>,
}

impl ReleaseSet {
    /// Every final network of a run, with equal weights.
    pub fn of_run(folder: &RunFolder) -> anyhow::Result<Self> {
        let record = folder.record()?;
        let name = &record.config.name;
        let model = |number| {
            ReleaseModel::new(folder.clone(), number, &format!("{name}-{number}"), 1.0, record.calibration)
        };
        let models = (0..record.config.members).map(model).collect::<anyhow::Result<_>>()?;
        Self::new(name, models, record.policy.clone(), &record.out_of_fold)
    }

    /// Of a folder: an ensemble's networks, or a run's.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if is_ensemble(path) { Self::of_ensemble(path) } else { Self::of_run(&RunFolder::open(path)?) }
    }

    /// The networks of an ensemble that have a say, with their weights and calibrations.
    fn of_ensemble(path: &Path) -> anyhow::Result<Self> {
        let ensemble = Ensemble::read(path)?;
        let mut models: Vec<ReleaseModel> = Vec::new();
        for member in ensemble.members.iter().filter(|member| member.weight > 0.0) {
            // Runs from one file of settings are called alike.
            let name = (1..=ensemble.members.len())
                .map(|k| match k {
                    1 => format!("{}-{}", member.name, member.number),
                    _ => format!("{}-{k}-{}", member.name, member.number),
                })
                .find(|name| models.iter().all(|model| model.name.as_str() != name))
                .context("no name is left")?;
            let folder = ensemble.run(member)?;
            models.push(ReleaseModel::new(folder, member.number, &name, member.weight, member.calibration)?);
        }
        Self::new(&ensemble.name, models, ensemble.policy, &ensemble.out_of_fold)
    }

    /// Networks of any runs that were trained on the same coils; `policy` and `report` are those of their weighted
    /// average, out of fold. Novelty is that of the first network whose run has measured it.
    pub fn new(
        name: &str,
        models: Vec<ReleaseModel>,
        policy: Policy,
        report: &Report,
    ) -> anyhow::Result<Self> {
        let most = MAX_MODELS;
        ensure!((1..=most).contains(&models.len()), "{} networks: a bundle has 1 to {most}", models.len());
        let data = &models[0].record.data_sha256;
        for other in &models {
            ensure!(
                other.record.data_sha256 == *data,
                "{} and {} were trained on different coils: nothing out of fold would speak for both",
                models[0].name,
                other.name
            );
        }
        let mut novelty = None;
        for (at, model) in models.iter().enumerate() {
            if novelty.is_none() && model.number == Novelty::MEMBER {
                novelty = Novelty::read(&model.folder)?.map(|found| (at, found));
            }
        }
        Ok(Self { name: Id::new(name)?, models, policy, metrics: metrics(report), novelty })
    }

    /// The different ways in which the models' coils are prepared, each with a name, and which is each model's.
    pub fn prepares(&self) -> anyhow::Result<(BTreeMap<Id, PrepareSpec>, Vec<Id>)> {
        let mut named: Vec<(Id, &PrepareSpec)> = Vec::new();
        let mut of = Vec::new();
        for model in &self.models {
            let spec = &model.record.prepare;
            if !named.iter().any(|(_, known)| *known == spec) {
                let layout = match spec.layout {
                    Layout::Beside => "beside",
                    Layout::Stacked => "stacked",
                    Layout::Square => "square",
                };
                let alike = named.iter().filter(|(_, known)| known.layout == spec.layout).count();
                let name = if alike == 0 { layout.to_owned() } else { format!("{layout}-{}", alike + 1) };
                named.push((Id::new(name)?, spec));
            }
            of.extend(named.iter().find(|(_, known)| *known == spec).map(|(id, _)| id.clone()));
        }
        Ok((named.into_iter().map(|(id, spec)| (id, spec.clone())).collect(), of))
    }

    /// Where the set comes from.
    pub fn provenance(&self) -> anyhow::Result<Provenance> {
        let first = &self.models[0].record;
        Ok(Provenance {
            trainer_version: first.trainer.clone(),
            run: self.told(|record| record.config.name.clone()),
            data_sha256: Sha256::try_from(first.data_sha256.clone())
                .context("the run's digest of its data")?,
            set_name: first.config.set.clone(),
            coils: first.coils as u64,
            nok: first.nok as u64,
            seed: first.config.seed,
            weight_origin: self.told(|record| record.weight_origin.clone()),
            licences: vec!["MIT OR Apache-2.0".into()],
            metrics: self.metrics.clone(),
        })
    }

    /// What the runs say, each different text once, no more of it than a manifest takes.
    fn told(&self, text: impl Fn(&RunRecord) -> String) -> String {
        let mut texts: Vec<String> = Vec::new();
        for model in &self.models {
            let text = text(&model.record);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let mut all = texts.join("; ");
        while all.len() > coilsight_models::bundle::MAX_TEXT {
            all.pop();
        }
        all
    }
}

fn metrics(report: &Report) -> BTreeMap<String, Metric> {
    let all = &report.overall;
    let told: [(&str, &Estimate); 5] = [
        ("out_of_fold_f1_nok", &all.f1_nok),
        ("out_of_fold_average_precision", &all.average_precision),
        ("out_of_fold_roc_auc", &all.roc_auc),
        ("out_of_fold_recall_nok", &all.recall_nok),
        ("out_of_fold_false_alarms_per_1000", &all.false_alarms_per_1000),
    ];
    told.into_iter()
        .filter_map(|(name, estimate)| {
            let (value, interval) = (estimate.value?, estimate.interval?);
            Some((name.to_owned(), Metric { value, low: interval.low, high: interval.high }))
        })
        .collect()
}
