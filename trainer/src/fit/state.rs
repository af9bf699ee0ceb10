//! The state of a run in one file, replaced atomically after each epoch.

use super::run::EpochReport;
use super::{AdamW, EarlyStop, Ema, FitConfig, FitError};
use crate::nn::params::{Params, Snapshot, from_safetensors, to_safetensors};
use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The largest state file that is read.
pub const MAX_STATE: u64 = 4 << 30;
/// Under which name the file's header carries what is not a tensor.
const HEADER: &str = "coilsight-fit-1";

/// What is not a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    pub config: FitConfig,
    /// Numbers of training and validation items: other numbers mean other items.
    pub items: (usize, usize),
    pub steps: usize,
    pub early_stop: EarlyStop,
    pub history: Vec<EpochReport>,
}

/// Everything that changes while training.
pub(super) struct State {
    pub progress: Progress,
    pub optimizer: AdamW,
    pub ema: Option<Ema>,
    pub best: Option<Snapshot>,
}

fn file(folder: &Path) -> PathBuf {
    folder.join("state.safetensors")
}

impl State {
    /// Writes state and parameters to a temporary file in `folder`, syncs it, and puts it in place of the last one.
    pub fn save(&self, folder: &Path, params: &Params) -> Result<(), FitError> {
        let path = file(folder);
        let mut tensors = Snapshot::new();
        let mut put = |kind: &str, snapshot: &Snapshot| {
            tensors.extend(snapshot.iter().map(|(name, t)| (format!("{kind}/{name}"), t.clone())));
        };
        put("param", &params.snapshot()?);
        self.best.iter().for_each(|best| put("best", best));
        self.ema.iter().for_each(|ema| put("ema", ema.averages()));
        for (name, (mean, square)) in self.optimizer.moments() {
            put("mean", &Snapshot::from([(name.clone(), mean.clone())]));
            put("square", &Snapshot::from([(name.clone(), square.clone())]));
        }
        let text = serde_json::to_string(&self.progress)
            .map_err(|e| FitError::Damaged { path: path.clone(), why: e.to_string() })?;
        let bytes = to_safetensors(&tensors, Some((HEADER.into(), text)))
            .map_err(|source| FitError::Params { path: path.clone(), source })?;
        write_whole(folder, &path, &bytes)
    }

    /// Takes up the state in `folder`, parameters included; `false` if there is none. `self` is a fresh state of the run
    /// that wants to go on.
    pub fn load(&mut self, folder: &Path, params: &Params) -> Result<bool, FitError> {
        let path = file(folder);
        let Some(bytes) = read(&path)? else { return Ok(false) };
        let damaged = |why: &str| FitError::Damaged { path: path.clone(), why: why.into() };
        let header = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&e.to_string()))?.1;
        let text = header.metadata().as_ref().and_then(|m| m.get(HEADER));
        let text = text.ok_or_else(|| damaged("it has no header of ours"))?;
        let progress: Progress = serde_json::from_str(text).map_err(|e| damaged(&e.to_string()))?;
        let fresh = &self.progress;
        if progress.config != fresh.config || progress.items != fresh.items {
            return Err(FitError::OtherRun { path });
        }
        let mut kinds: BTreeMap<String, Snapshot> = BTreeMap::new();
        let tensors =
            from_safetensors(&bytes).map_err(|source| FitError::Params { path: path.clone(), source })?;
        for (name, tensor) in tensors {
            let (kind, name) = name.split_once('/').ok_or_else(|| damaged("it has a tensor of no kind"))?;
            kinds.entry(kind.into()).or_default().insert(name.into(), tensor);
        }
        let mut take = |kind: &str| kinds.remove(kind).unwrap_or_default();
        let (mut means, mut squares) = (take("mean"), take("square"));
        let mut moments = BTreeMap::new();
        for (name, var) in params.vars() {
            match (means.remove(name), squares.remove(name)) {
                (Some(mean), Some(square)) if mean.dims() == var.dims() && square.dims() == var.dims() => {
                    let here = |t: &_| params.place().take(t);
                    moments.insert(name.clone(), (here(&mean)?, here(&square)?));
                }
                _ => return Err(damaged("it lacks the moments of a parameter")),
            }
        }
        let same = |s: &Snapshot| {
            s.len() == params.moving().count()
                && params.moving().all(|(name, var)| s.get(name).is_some_and(|t| t.dims() == var.dims()))
        };
        let (best, averages) = (take("best"), take("ema"));
        let averages = averages.into_iter().map(|(name, t)| Ok((name, params.place().take(&t)?)));
        let averages = averages.collect::<candle_core::Result<Snapshot>>()?;
        if (!best.is_empty() && !same(&best)) || (progress.config.ema.is_some() && !same(&averages)) {
            return Err(damaged("its snapshots are of another network"));
        }
        params.restore(&take("param")).map_err(|source| FitError::Params { path, source })?;
        self.optimizer.resume(progress.steps, moments);
        self.ema = progress.config.ema.map(|decay| Ema::resumed(decay, averages));
        self.best = (!best.is_empty()).then_some(best);
        self.progress = progress;
        Ok(true)
    }
}

/// Writes all parameters and buffers to a file of `folder`, whole or not at all.
pub(super) fn save_whole(folder: &Path, name: &str, params: &Params) -> Result<(), FitError> {
    let path = folder.join(name);
    let bytes = params.to_bytes().map_err(|source| FitError::Params { path: path.clone(), source })?;
    write_whole(folder, &path, &bytes)
}

fn write_whole(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), FitError> {
    let write = || -> std::io::Result<()> {
        let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
        temporary.write_all(bytes)?;
        temporary.as_file().sync_all()?;
        temporary.persist(path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| FitError::Io { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, FitError> {
    let failed = |source| FitError::Io { path: path.into(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes > MAX_STATE {
        return Err(FitError::TooLarge { path: path.into(), bytes, most: MAX_STATE });
    }
    let mut content = Vec::new();
    file.take(MAX_STATE).read_to_end(&mut content).map_err(failed)?;
    Ok(Some(content))
}
