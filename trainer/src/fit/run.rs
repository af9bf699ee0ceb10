//! The training loop.

use super::state::{Progress, State, save_whole};
use super::{
    AdamW, Batch, EarlyStop, Ema, FitConfig, FitError, LossConfig, Sampler, Source, Stage, Validation,
    predict, settle,
};
use crate::nets::Model;
use crate::nn::Pass;
use crate::nn::seed::{Purpose, generator};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::Path;

/// What a run consists of, besides the network.
pub struct Fit<'a> {
    /// Settings.
    pub config: &'a FitConfig,
    /// Items to learn from.
    pub train: &'a dyn Source,
    /// Items to choose the best epoch by; without them the last epoch is taken.
    pub validation: Option<&'a dyn Source>,
    /// What makes one epoch better than another; larger is better.
    pub measure: &'a dyn Fn(&Validation) -> f64,
    /// An existing folder for the state after each epoch; a state found there is resumed.
    pub folder: Option<&'a Path>,
    /// Sees each epoch after its state is saved, and may break off.
    pub observer: &'a mut dyn FnMut(&EpochReport) -> ControlFlow<()>,
}

/// What one epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochReport {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Mean training loss.
    pub train_loss: f64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Unweighted validation loss; absent without validation items, or if it is not finite.
    pub validation_loss: Option<f64>,
    /// The measure; absent without validation items, or if it is not finite.
    pub measure: Option<f64>,
    /// Whether it is the best so far.
    pub best: bool,
}

/// How a run ended. The network holds the weights of the best epoch (averaged ones if a moving average is on).
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// All epochs, those before a resumption included.
    pub history: Vec<EpochReport>,
    /// Best measure and its epoch.
    pub best: Option<(f64, usize)>,
    /// Whether the observer broke off; such a run can be resumed.
    pub broken_off: bool,
}

impl Fit<'_> {
    /// Trains `model`. The same seed, items and settings give the same bits, whatever the number of threads, and whether or not
    /// the run was interrupted after some epoch and resumed.
    pub fn run(self, model: &dyn Model) -> Result<Outcome, FitError> {
        check(model, &self)?;
        let config = self.config;
        let sampler =
            Sampler::new(config.sampler, self.train, config.batch, config.epoch_items, config.seed)?;
        let mut state = fresh(model, &self)?;
        if let Some(folder) = self.folder {
            state.load(folder, model.params())?;
        }
        let mut broken_off = false;
        while !broken_off && !is_over(&state) {
            let report = epoch(model, &mut state, &self, &sampler)?;
            state.progress.history.push(report.clone());
            if let Some(folder) = self.folder {
                state.save(folder, model.params())?;
            }
            broken_off = (self.observer)(&report).is_break();
        }
        let last = state.ema.as_ref().map(Ema::averages);
        if let Some(weights) = last {
            model.params().restore(weights).map_err(FitError::Snapshot)?;
        }
        if let Some(folder) = self.folder {
            save_whole(folder, "last.safetensors", model.params())?;
        }
        if let Some(weights) = state.best.as_ref().or(last) {
            model.params().restore(weights).map_err(FitError::Snapshot)?;
        }
        settle(model, self.train, config.seed)?;
        let Progress { early_stop, history, .. } = state.progress;
        Ok(Outcome { history, best: early_stop.best, broken_off })
    }
}

fn check(model: &dyn Model, run: &Fit) -> Result<(), FitError> {
    run.config.check()?;
    for (which, source) in [("training", Some(run.train)), ("validation", run.validation)] {
        let Some(source) = source else { continue };
        if source.is_empty() || source.len() > u32::MAX as usize {
            return Err(FitError::Source { which, why: format!("there are {} of them", source.len()) });
        }
        let classes = model.classes();
        if let Some(item) = (0..source.len()).find(|i| source.label(*i) >= classes) {
            return Err(FitError::Label { item, label: source.label(item), classes });
        }
    }
    if model.params().vars().is_empty() {
        return Err(FitError::Source { which: "training", why: "the network has nothing to learn".into() });
    }
    Ok(())
}

fn fresh(model: &dyn Model, run: &Fit) -> Result<State, FitError> {
    let params = model.params();
    Ok(State {
        progress: Progress {
            config: run.config.clone(),
            items: (run.train.len(), run.validation.map_or(0, Source::len)),
            steps: 0,
            early_stop: EarlyStop::default(),
            history: Vec::new(),
        },
        optimizer: AdamW::new(run.config.optimizer, params)?,
        ema: run.config.ema.map(|decay| Ema::new(decay, params)).transpose()?,
        best: None,
    })
}

fn is_over(state: &State) -> bool {
    let Progress { config, early_stop, history, .. } = &state.progress;
    let impatient = config.early_stop.is_some_and(|e| early_stop.is_over(e.patience));
    history.len() >= config.epochs || impatient
}

fn epoch(
    model: &dyn Model,
    state: &mut State,
    run: &Fit,
    sampler: &Sampler,
) -> Result<EpochReport, FitError> {
    let config = run.config;
    let epoch = state.progress.history.len();
    let mut rng = generator(config.seed, Purpose::Dropout, epoch as u64, 0);
    let (mut total, mut first, mut factor) = (0.0, 0, 0.0);
    let (stage, within, of) = config.stage(epoch);
    let loss_config = LossConfig { stage, ..config.loss.clone() };
    for (step, items) in sampler.epoch(epoch).iter().enumerate() {
        let batch = Batch::draw(run.train, items, model.input(), (config.seed, epoch, first))?
            .at(model.params().place())?;
        first += items.len();
        let input = (&batch.image, &batch.side);
        let loss = model.loss(input, &batch.labels, &loss_config, &mut Pass::Train(&mut rng))?;
        let value = loss.to_scalar::<f32>()?;
        if !value.is_finite() {
            return Err(FitError::Diverged { loss: value, epoch, step });
        }
        total += f64::from(value);
        factor = config.schedule.factor(within * sampler.steps() + step, of * sampler.steps());
        state.optimizer.step(model.params(), &loss.backward()?, factor)?;
        if let Some(ema) = &mut state.ema {
            ema.update(model.params(), state.progress.steps)?;
        }
        state.progress.steps += 1;
    }
    let mut report = EpochReport {
        epoch,
        train_loss: total / sampler.steps() as f64,
        learning_rate: config.optimizer.learning_rate * factor,
        validation_loss: None,
        measure: None,
        best: false,
    };
    // What judges is not yet trained in a first stage.
    let judged = run.validation.filter(|_| stage != Stage::Contrastive);
    if let Some(source) = judged {
        validate(model, state, run, source, &mut report)?;
    }
    Ok(report)
}

/// Evaluates the weights that would be kept, and keeps them if they are the best.
fn validate(
    model: &dyn Model,
    state: &mut State,
    run: &Fit,
    source: &dyn Source,
    report: &mut EpochReport,
) -> Result<(), FitError> {
    let params = model.params();
    let training = params.snapshot()?;
    if let Some(ema) = &state.ema {
        params.restore(ema.averages()).map_err(FitError::Snapshot)?;
    }
    settle(model, run.train, run.config.seed)?;
    let found = predict(model, source, run.config.seed)?;
    let finite = |v: f64| v.is_finite().then_some(v);
    report.validation_loss = finite(found.loss()?);
    report.measure = finite((run.measure)(&found));
    let margin = run.config.early_stop.map_or(0.0, |e| e.margin);
    let measure = report.measure.unwrap_or(f64::NAN);
    report.best = state.progress.early_stop.observe(measure, report.epoch, margin);
    if report.best {
        state.best = Some(params.snapshot()?);
    }
    params.restore(&training).map_err(FitError::Snapshot)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
