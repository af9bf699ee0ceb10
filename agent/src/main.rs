//! `coilsight-agent`: what runs at the line.

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand};
use coilsight_agent::archive::Archive;
use coilsight_agent::config::{self, Loaded, Settings};
#[cfg(feature = "demo")]
use coilsight_agent::demo;
use coilsight_agent::line::{BundleJudge, Config, Judge, NotTaken, Publish};
use coilsight_agent::slots::{Entry, Event};
use coilsight_agent::update::Reply;
use coilsight_agent::{app, doctor, log, manage, operators, replay, show, trust};
use coilsight_models::message::assessment::Assessment;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Inspects steel coils at a galvanizing line: gauge rows in, verdicts out, nothing lost.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Inspect the line: take messages from the plant's broker, decide, publish.
    ///
    /// Ends on SIGTERM or SIGINT, after what is decided has gone out. Under systemd it says when it is ready and
    /// feeds the watchdog while it works.
    Run(ConfigArgs),
    /// Show what is in force and where each setting comes from.
    Config {
        #[command(flatten)]
        config: ConfigArgs,
        /// As JSON, one object a setting.
        #[arg(long)]
        json: bool,
    },
    /// Check what the agent needs, and say what to do: configuration, state folder, keys, bundle, clock, broker and
    /// each topic. Exits with 0 only without faults.
    ///
    /// Works while the agent runs. It asks the broker whether the agent may publish with a marked message on each
    /// of the agent's topics. Run it as the agent's user.
    Doctor {
        #[command(flatten)]
        config: ConfigArgs,
        /// As JSON, one object.
        #[arg(long)]
        json: bool,
        /// Publish nothing: whether the agent may is then not known.
        #[arg(long)]
        no_publish: bool,
    },
    /// Show the shipped recording going through the line, in this terminal.
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Put a recording through the line and print its decisions.
    ///
    /// A recording is what `mosquitto_sub -t 'plant/gl2/#' -F '%j'` writes. It goes through the very code
    /// that runs live. Decisions go to standard output, the sums to standard error.
    Replay(ReplayArgs),
    /// Model bundles.
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// Who may say what a coil is: on the page, by a code or a badge, and over the broker, by name.
    Operator {
        #[command(subcommand)]
        command: operators::command::Command,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

#[derive(Args)]
struct ConfigArgs {
    /// The configuration (TOML). Variables like `COILSIGHT__BROKER__HOST` stand over it.
    #[arg(long, value_name = "FILE", default_value = config::FILE)]
    config: PathBuf,
}

#[derive(Args)]
struct ReplayArgs {
    /// The recording, one JSON object a line; `-` for standard input.
    recording: PathBuf,
    /// The model bundle that judges.
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    /// Keep the archive in this folder; played again, every pass has the decision it had. Default: a
    /// temporary folder.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The plant whose line it is; without it, a bundle for any one plant will do.
    #[arg(long)]
    plant: Option<String>,
    /// The line's id in decisions and in the bundle's list of lines.
    #[arg(long, default_value = "gl2")]
    line: String,
    /// One JSON decision a line on standard output, the sums as JSON on standard error.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct TrustArgs {
    /// Public key, or folder of keys, whose bundles are believed; may be repeated. Default: the folder
    /// named by `COILSIGHT_TRUST`, or `/etc/coilsight/trusted.d`.
    #[arg(long, value_name = "KEY.pub")]
    trust: Vec<PathBuf>,
}

impl TrustArgs {
    fn keys(&self) -> anyhow::Result<coilsight_models::bundle::TrustedKeys> {
        trust::keys(&self.trust, std::env::var_os("COILSIGHT_TRUST").map(PathBuf::from))
    }
}

#[derive(Subcommand)]
enum BundleCommand {
    /// Check a bundle as the line would: signatures, content, and that its models score here as they did
    /// at the trainer. Exits with 0 only if it would be used.
    Verify {
        /// The bundle.
        bundle: PathBuf,
        #[command(flatten)]
        trust: TrustArgs,
        /// The plant it would be used in; without it, which plant it is for is not looked at.
        #[arg(long)]
        plant: Option<String>,
        /// The line it would judge.
        #[arg(long, default_value = "gl2")]
        line: String,
        /// Print what was found as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a bundle in: a set, other thresholds, or other keys. No broker and no network are needed.
    ///
    /// It goes the same way as one that comes over the broker: verified, staged, judging in shadow beside the active
    /// set, taking over at a coil's start. Works while the agent runs, and without it. Run it as the agent's user.
    Install {
        /// The bundle, for instance on a USB stick.
        bundle: PathBuf,
        #[command(flatten)]
        asker: AskerArgs,
    },
    /// Show what is in the slots: active, candidate, last good.
    List {
        #[command(flatten)]
        config: ConfigArgs,
        /// As JSON, one object.
        #[arg(long)]
        json: bool,
    },
    /// Have the candidate decide from the next coil's start on, without waiting for the end of its shadow.
    Activate {
        /// Only if the candidate is this release.
        #[arg(long)]
        release: Option<u64>,
        #[command(flatten)]
        asker: AskerArgs,
    },
    /// Go back to the last good set. It decides from the next coil's start on.
    Rollback {
        /// Only if the last good set is this release.
        #[arg(long)]
        release: Option<u64>,
        #[command(flatten)]
        asker: AskerArgs,
    },
    /// Show the trail: who built, released and activated what, when and why, and what was refused.
    Why {
        #[command(flatten)]
        config: ConfigArgs,
        /// The last so many entries.
        #[arg(long, default_value_t = 30)]
        last: usize,
        /// Each coil judged in shadow, too.
        #[arg(long)]
        shadow: bool,
        /// As JSON, one entry a line.
        #[arg(long)]
        json: bool,
    },
}

/// Who asks for a change, and why: both go into the trail.
#[derive(Args)]
struct AskerArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Who asks. Default: who called sudo, or the user.
    #[arg(long)]
    by: Option<String>,
    /// Why.
    #[arg(long, default_value = "no reason given")]
    why: String,
    /// Print what came of it as JSON.
    #[arg(long)]
    json: bool,
}

impl AskerArgs {
    fn carry_out(
        &self,
        verb: impl Fn(&Settings, &manage::Asker) -> anyhow::Result<Reply>,
    ) -> anyhow::Result<()> {
        let settings = Loaded::read(&self.config.config)?.settings;
        let user = || ["SUDO_USER", "USER"].iter().find_map(|name| std::env::var(name).ok());
        let by = self.by.clone().or_else(user).unwrap_or_else(|| "somebody".into());
        let reply = verb(&settings, &manage::Asker { by, why: self.why.clone() })?;
        if self.json {
            println!("{}", serde_json::to_string(&reply)?);
        } else if reply.done {
            println!("{}", reply.text);
        }
        ensure!(reply.done, "{}", reply.text);
        Ok(())
    }
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    log::start(match command {
        Command::Run(_) => "info",
        #[cfg(feature = "demo")]
        Command::Demo(_) => demo::LOG,
        // What it finds is its output.
        Command::Doctor { .. } => "off",
        _ => "warn",
    });
    let done = match command {
        Command::Run(args) => {
            Loaded::read(&args.config).map_err(Into::into).and_then(|l| app::run(&l.settings))
        }
        Command::Config { config, json } => show_config(&config, json),
        Command::Doctor { config, json, no_publish } => doctor::run(&config.config, json, !no_publish),
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(&args),
        Command::Replay(args) => run_replay(&args),
        Command::Operator { command, config } => Loaded::read(&config.config)
            .map_err(Into::into)
            .and_then(|loaded| operators::command::run(&loaded.settings, &command))
            .map(|said| println!("{said}")),
        Command::Bundle(BundleCommand::Verify { bundle, trust, plant, line, json }) => {
            verify(&bundle, &trust, plant.as_deref(), &line, json)
        }
        Command::Bundle(BundleCommand::Install { bundle, asker }) => {
            asker.carry_out(|settings, by| manage::install(settings, &bundle, by))
        }
        Command::Bundle(BundleCommand::Activate { release, asker }) => {
            asker.carry_out(|settings, by| manage::activate_candidate(settings, by, release))
        }
        Command::Bundle(BundleCommand::Rollback { release, asker }) => {
            asker.carry_out(|settings, by| manage::rollback(settings, by, release))
        }
        Command::Bundle(BundleCommand::List { config, json }) => list(&config, json),
        Command::Bundle(BundleCommand::Why { config, last, shadow, json }) => {
            why(&config, last, shadow, json)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("coilsight-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whoever read our output has gone (`| head`): nothing to complain of.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let pipe = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(pipe))
}

fn show_config(args: &ConfigArgs, json: bool) -> anyhow::Result<()> {
    let loaded = Loaded::read(&args.config)?;
    let mut out = std::io::stdout().lock();
    for origin in loaded.origins() {
        if json {
            writeln!(out, "{}", serde_json::to_string(origin)?)?;
        } else {
            let setting = format!("{} = {}", origin.key, origin.value);
            writeln!(out, "{setting:<60} {}", origin.from)?;
        }
    }
    Ok(())
}

struct Stdout {
    json: bool,
}

impl Publish for Stdout {
    fn publish(&mut self, a: &Assessment, _: &Archive) -> Result<(), NotTaken> {
        let text = if self.json { serde_json::to_string(a)? } else { show::line(a) };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }
}

fn run_replay(args: &ReplayArgs) -> anyhow::Result<()> {
    let bundle = trust::bundle(&args.bundle, &args.trust.keys()?, args.plant.as_deref(), &args.line)?;
    let judge = Box::new(BundleJudge::open(&bundle)?);
    let temporary;
    let state = if let Some(folder) = &args.state {
        folder
    } else {
        temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
        temporary.path()
    };
    let line = replay::open(state, Config { id: args.line.clone(), ..Config::default() }, judge)?;
    let mut out = Stdout { json: args.json };
    let summary = if args.recording.as_os_str() == "-" {
        replay::play(line, std::io::stdin().lock(), &mut out)?
    } else {
        let file = File::open(&args.recording)
            .with_context(|| format!("cannot open the recording {}", args.recording.display()))?;
        replay::play(line, BufReader::new(file), &mut out)?
    };
    if args.json {
        let adds_up = summary.tally.adds_up();
        let sums =
            serde_json::json!({ "decisions": summary.decisions, "sums": summary.tally, "adds_up": adds_up });
        eprintln!("{sums}");
    } else {
        eprintln!("{} decisions\n{}", summary.decisions, show::sums(&summary.tally));
    }
    ensure!(summary.tally.adds_up(), "the sums do not add up: please report this recording");
    Ok(())
}

fn list(config: &ConfigArgs, json: bool) -> anyhow::Result<()> {
    let settings = Loaded::read(&config.config)?.settings;
    let (_, state) = manage::look(&settings)?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", show::slots_json(&state))?;
    } else {
        write!(out, "{}", show::slots(&state, app::wall_clock()))?;
    }
    Ok(())
}

fn why(config: &ConfigArgs, last: usize, shadow: bool, json: bool) -> anyhow::Result<()> {
    let settings = Loaded::read(&config.config)?.settings;
    let (entries, _) = manage::look(&settings)?;
    let wanted = |entry: &&Entry| shadow || !matches!(entry.event, Event::Shadowed { .. });
    let entries: Vec<&Entry> = entries.iter().filter(wanted).collect();
    let mut out = std::io::stdout().lock();
    for entry in &entries[entries.len().saturating_sub(last)..] {
        if json {
            writeln!(out, "{}", serde_json::to_string(entry)?)?;
        } else {
            let at = entry.at.map_or_else(|| "(clock not set)".into(), |at| format!("{at:.0}"));
            writeln!(out, "{at:<22} {}", entry.event)?;
        }
    }
    Ok(())
}

fn verify(
    path: &std::path::Path,
    trust: &TrustArgs,
    plant: Option<&str>,
    line: &str,
    json: bool,
) -> anyhow::Result<()> {
    let bundle = trust::bundle(path, &trust.keys()?, plant, line)?;
    let judge = BundleJudge::open(&bundle)?;
    let manifest = bundle.manifest();
    let signers: Vec<&str> = bundle.signers().iter().map(|signer| signer.name.as_str()).collect();
    if json {
        let model = judge.model();
        println!("{}", serde_json::json!({ "accepted": true, "model": model, "signers": signers }));
    } else {
        let models = manifest.set().map_or(0, |set| set.models.len());
        println!(
            "{} release {} is accepted: signed by {}, {} models, golden coils agree, fingerprint {}",
            manifest.name,
            manifest.release,
            signers.join(" and "),
            models,
            bundle.fingerprint()
        );
    }
    Ok(())
}
