//! What lies where in a run's folder.

use super::{RunConfig, RunRecord};
use crate::nets::Network;
use crate::nn::params;
use anyhow::{Context, ensure};
use coilsight_models::prepare::PrepareSpec;
use std::path::{Path, PathBuf};

/// A run's folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// Coils that a network has not seen and judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// One of the stratified folds; the network has seen all the others.
    Stratified(usize),
    /// A stretch of time; the network has seen what was made before it.
    Forward(usize),
}

/// One network of a run: of a fold, or final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The fold left out; `None` for a final network, which has seen every coil.
    pub fold: Option<Fold>,
    /// Which of the networks that differ in their seed alone.
    pub number: usize,
}

impl Fold {
    /// As its folder is called.
    pub fn name(self) -> String {
        match self {
            Self::Stratified(fold) => format!("fold-{fold}"),
            Self::Forward(stretch) => format!("forward-{stretch}"),
        }
    }
}

impl RunFolder {
    /// A run that is there.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let run = Self { path: path.to_owned() };
        let is_run = run.path.join("config.json").is_file();
        ensure!(is_run, "{} is no run: make one with `coilsight-trainer train`", path.display());
        Ok(run)
    }

    /// A new run, or one to go on with: then its settings must be the ones it began with, but for `forward` and `final`,
    /// which say what is trained besides the folds and change no network that is there.
    pub fn begin(path: &Path, config: &RunConfig) -> anyhow::Result<Self> {
        let run = Self { path: path.to_owned() };
        std::fs::create_dir_all(path).with_context(|| format!("cannot make the run {}", path.display()))?;
        let file = path.join("config.json");
        if file.exists() {
            let began = run.config()?;
            let besides =
                RunConfig { forward: began.forward.clone(), finals: began.finals, ..config.clone() };
            ensure!(
                began == besides,
                "{} was begun with other settings: give another folder for these, or remove it",
                path.display()
            );
            if began.forward != config.forward {
                run.forget_forward()?;
            }
        }
        run.write("config.json", &serde_json::to_vec_pretty(config)?)?;
        Ok(run)
    }

    /// Networks of other cuts in time are no use.
    fn forget_forward(&self) -> anyhow::Result<()> {
        for entry in
            std::fs::read_dir(&self.path).with_context(|| format!("cannot list {}", self.path.display()))?
        {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("forward-") {
                std::fs::remove_dir_all(entry.path())
                    .with_context(|| format!("cannot remove {}", entry.path().display()))?;
            }
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The settings.
    pub fn config(&self) -> anyhow::Result<RunConfig> {
        self.read_json("config.json")
    }

    /// The record, once the run is done.
    pub fn record(&self) -> anyhow::Result<RunRecord> {
        self.read_json("run.json").context("the run is not finished: go on with `coilsight-trainer train`")
    }

    /// A member's folder, made if missing.
    pub fn member(&self, member: Member) -> anyhow::Result<PathBuf> {
        let of = member.fold.map_or_else(|| "final".into(), Fold::name);
        let folder = self.path.join(of).join(format!("member-{}", member.number));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// A trained network of the run.
    pub fn network(&self, member: Member, spec: &PrepareSpec) -> anyhow::Result<Network> {
        let file = self.member(member)?.join("best.safetensors");
        let network = Network::new(self.config()?.network, RunConfig::input(spec), 0)?;
        let size =
            std::fs::metadata(&file).with_context(|| format!("no network at {}", file.display()))?.len();
        ensure!(size <= params::MAX_FILE, "{} is too large for a network", file.display());
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        crate::nets::Model::params(&network).load(&bytes)?;
        Ok(network)
    }

    /// Writes a file of the run whole or not at all.
    pub fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        write_whole(&self.path.join(name), bytes)
    }

    fn read_json<T: serde::de::DeserializeOwned>(&self, name: &str) -> anyhow::Result<T> {
        let file = self.path.join(name);
        let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))
    }
}

/// Writes a file whole or not at all: beside it first, then in its place.
pub(crate) fn write_whole(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", file.display());
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Nothing written here is secret, and others (the line, a colleague) must read it.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let mut beside =
        tempfile::Builder::new().permissions(readable).tempfile_in(folder).with_context(cannot)?;
    std::io::Write::write_all(&mut beside, bytes).with_context(cannot)?;
    beside.as_file().sync_all().with_context(cannot)?;
    beside.persist(file).with_context(cannot)?;
    Ok(())
}
