//! Bundles at the machine: what a maintenance engineer asks for on the command line, with or without a running agent,
//! without broker and network.
//!
//! A running agent holds the slots' lock and is asked through its inbox; without one the slots are changed here, by the
//! same checks and the same entries, and the next start finds them.

use crate::app;
use crate::archive::{Disk, Ledger, RealDisk};
use crate::config::Settings;
use crate::slots::{Entry, Error, Event, Found, Refusal, Slots, State, Way, open_judge, prepare};
use crate::update::{Command, Reply, Verb, Wish, activate, chosen, roll_back};
use anyhow::{Context, bail, ensure};
use coilsight_models::message::model::Stage;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A running agent answers within this; verifying a large set on a small box takes its time.
const PATIENCE: Duration = Duration::from_mins(3);
/// How often the answer is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Who asks, and why, for the trail.
#[derive(Clone, Debug)]
pub struct Asker {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

/// Where the slots lie.
pub(crate) fn folder(settings: &Settings) -> PathBuf {
    settings.state.join("models")
}

/// The slots' disk.
pub(crate) fn disk(settings: &Settings) -> anyhow::Result<Arc<dyn Disk>> {
    let folder = folder(settings);
    let disk = RealDisk::new(&folder).with_context(|| format!("cannot use {}", folder.display()))?;
    Ok(Arc::new(disk))
}

/// What happened so far, and what it adds up to; also while an agent runs.
pub fn look(settings: &Settings) -> anyhow::Result<(Vec<Entry>, State)> {
    if !folder(settings).join("log").is_dir() {
        return Ok((Vec::new(), State::default()));
    }
    let read = Ledger::look(&disk(settings)?).context("the models' trail cannot be read")?;
    let state = State::of(&read.entries);
    let entries = read.entries.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect();
    Ok((entries, state))
}

/// Takes a bundle file in: verified, staged, and, while an agent runs, in shadow. The way is the broker's from
/// verification on.
pub fn install(settings: &Settings, file: &Path, asker: &Asker) -> anyhow::Result<Reply> {
    let name = format!("{}-{}", std::process::id(), jiff::Timestamp::now().as_millisecond());
    match Slots::open(disk(settings)?) {
        Ok(mut slots) => {
            let path = bring(settings, file, &name)?;
            install_here(settings, &mut slots, &path, asker)
        }
        Err(Error::Locked) => {
            let file = bring(settings, file, &name)?;
            ask(settings, &name, asker, Command::Install { file })
        }
        Err(error) => Err(error.into()),
    }
}

/// Copies a file into the inbox.
fn bring(settings: &Settings, file: &Path, name: &str) -> anyhow::Result<String> {
    let path = format!("inbox/{name}.coilbundle");
    let to = folder(settings).join(&path);
    let copied = copy(file, &to, settings.update.max_mib << 20);
    if copied.is_err() {
        let _ = std::fs::remove_file(&to);
    }
    copied.map(|()| path)
}

/// Copies a file that may be anything, and may say anything of its length.
fn copy(from: &Path, to: &Path, most: u64) -> anyhow::Result<()> {
    let cannot =
        || format!("cannot copy {} to {}: run this as the agent's user", from.display(), to.display());
    let kind = std::fs::metadata(from).with_context(|| format!("cannot open {}", from.display()))?;
    ensure!(kind.is_file(), "give a bundle: {} is no file", from.display());
    let source = std::fs::File::open(from).with_context(cannot)?;
    let mut copy = std::fs::File::create_new(to).with_context(cannot)?;
    let length = std::io::copy(&mut source.take(most + 1), &mut copy).with_context(cannot)?;
    ensure!(
        length <= most,
        "{} has more than the {most} bytes that are taken here (update.max_mib): is it the right file? (endless data)",
        from.display()
    );
    copy.sync_all().with_context(cannot)
}

fn install_here(settings: &Settings, slots: &mut Slots, path: &str, asker: &Asker) -> anyhow::Result<Reply> {
    let now = app::wall_clock();
    let keys = slots.believe(now, app::whom(settings)?)?;
    let site = app::site(settings);
    let way = Way::Person { by: asker.by.clone() };
    let found = prepare(slots.store(), path, &keys, &site, slots.state());
    match found {
        Ok(Found::Judge(prepared)) => {
            slots.stage(now, &prepared, way)?;
            slots.store().drop_file(path);
            let first = slots.state().active.is_none();
            if first {
                let release = prepared.release.clone();
                let why = "the first set of this line".into();
                slots.note(now, Event::Activated { release, why, by: Some(asker.by.clone()) })?;
            }
            let text = if first {
                format!("{} is active: it decides from the agent's start on", prepared.release)
            } else {
                format!(
                    "{} is staged: once the agent runs it judges in shadow; `bundle activate` makes it active without",
                    prepared.release
                )
            };
            Ok(Reply { done: true, stage: if first { Stage::Active } else { Stage::Staged }, text })
        }
        Ok(Found::Trust { document, gist }) => {
            let version = document.version;
            slots.trust(now, &document, gist, way, &site.limits)?;
            slots.store().drop_file(path);
            Ok(Reply {
                done: true,
                stage: Stage::Active,
                text: format!("trust document {version} is in force"),
            })
        }
        Ok(Found::Known { .. }) => {
            slots.store().drop_file(path);
            Ok(Reply { done: true, stage: Stage::Staged, text: "it is here already".into() })
        }
        Err(refusal) => {
            slots.store().drop_file(path);
            refused(slots, &refusal, way)
        }
    }
}

fn refused(slots: &mut Slots, refusal: &Refusal, way: Way) -> anyhow::Result<Reply> {
    let text = crate::say::chain(refusal);
    let what = "the file".to_owned();
    slots.note(app::wall_clock(), Event::refused(what, text.clone(), refusal.attack(), way))?;
    Ok(Reply { done: false, stage: Stage::Refused, text })
}

/// Has the candidate decide, without waiting for the end of its shadow; if it is this release.
pub fn activate_candidate(settings: &Settings, asker: &Asker, release: Option<u64>) -> anyhow::Result<Reply> {
    match Slots::open(disk(settings)?) {
        Ok(mut slots) => {
            let fingerprint = chosen(Verb::Activate, slots.state(), release)?;
            let release =
                activate(&mut slots, fingerprint, app::wall_clock(), asker.by.clone(), asker.why.clone())?;
            let text = format!("{release} is active: it decides from the agent's start on");
            Ok(Reply { done: true, stage: Stage::Active, text })
        }
        Err(Error::Locked) => {
            let fingerprint = chosen(Verb::Activate, &look(settings)?.1, release)?;
            ask(settings, &fresh_name(), asker, Command::Activate { fingerprint })
        }
        Err(error) => Err(error.into()),
    }
}

/// Goes back to the last good set, if it is this release.
pub fn rollback(settings: &Settings, asker: &Asker, release: Option<u64>) -> anyhow::Result<Reply> {
    match Slots::open(disk(settings)?) {
        Ok(mut slots) => {
            let fingerprint = chosen(Verb::RollBack, slots.state(), release)?;
            if let Some(to) = slots.state().way_back() {
                open_judge(slots.store(), to).with_context(|| format!("cannot go back to {to}"))?;
            }
            let release =
                roll_back(&mut slots, fingerprint, app::wall_clock(), asker.by.clone(), asker.why.clone())?;
            let text = format!("{release} is active again: it decides from the agent's start on");
            Ok(Reply { done: true, stage: Stage::RolledBack, text })
        }
        Err(Error::Locked) => {
            let fingerprint = chosen(Verb::RollBack, &look(settings)?.1, release)?;
            ask(settings, &fresh_name(), asker, Command::Rollback { fingerprint })
        }
        Err(error) => Err(error.into()),
    }
}

fn fresh_name() -> String {
    format!("{}-{}", std::process::id(), jiff::Timestamp::now().as_millisecond())
}

/// Asks a running agent through its inbox and waits for its answer.
fn ask(settings: &Settings, name: &str, asker: &Asker, command: Command) -> anyhow::Result<Reply> {
    let inbox = folder(settings).join("inbox");
    let wish = Wish { by: asker.by.clone(), why: asker.why.clone(), command };
    let (temporary, request) = (inbox.join(format!("{name}.wish")), inbox.join(format!("{name}.request")));
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create_new(&temporary)?;
        file.write_all(&serde_json::to_vec(&wish)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &request)
    };
    write()
        .with_context(|| format!("cannot write into {}: run this as the agent's user", inbox.display()))?;
    let answer = inbox.join(format!("{name}.answer"));
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match std::fs::read(&answer) {
            Ok(bytes) => {
                let _ = std::fs::remove_file(&answer);
                return serde_json::from_slice(&bytes).context("the agent's answer is not understood");
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => std::thread::sleep(LOOK),
            Err(error) => return Err(error).context("the agent's answer cannot be read"),
        }
    }
    // Nobody waits for it any more: it must not be carried out some day.
    let _ = std::fs::remove_file(&request);
    bail!(
        "the running agent has not answered within {} s: see its log, and `bundle list` for what came of it",
        PATIENCE.as_secs()
    )
}
