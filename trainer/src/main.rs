//! `coilsight-trainer`: what runs at the workstation.

use clap::{Parser, Subcommand};
use coilsight_trainer::cmd;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// A training step frees and takes the same large vectors again and again. The system's allocator would have them cleared page
/// by page each time, 12 % of a step of the CNN; this one keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains, evaluates, exports and signs the models that judge steel coils at the line.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(cmd::train::TrainArgs),
    Evaluate(cmd::evaluate::EvaluateArgs),
    Compare(cmd::compare::CompareArgs),
    Ablate(cmd::ablate::AblateArgs),
    Ensemble(cmd::ensemble::EnsembleArgs),
    Adapt(cmd::adapt::AdaptArgs),
    #[command(subcommand)]
    Bundle(cmd::bundle::BundleCommand),
    Keygen(cmd::keygen::KeygenArgs),
    Line(cmd::push::LineArgs),
    Novelty(cmd::novelty::NoveltyArgs),
    #[command(subcommand)]
    Oneshot(cmd::oneshot::OneshotCommand),
    Parity(cmd::parity::ParityArgs),
    Preview(cmd::preview::PreviewArgs),
    References(cmd::references::ReferencesArgs),
    History(cmd::history::HistoryArgs),
    Retrain(cmd::retrain::RetrainArgs),
    Serve(cmd::serve::ServeArgs),
    Simulate(cmd::simulate::SimulateArgs),
    Study(cmd::study::StudyCommand),
    #[command(subcommand)]
    Trust(cmd::trust::TrustCommand),
    Weights(cmd::weights::WeightsArgs),
}

#[allow(unsafe_code)]
fn main() -> ExitCode {
    // SAFETY: this is the only thread.
    unsafe { coilsight_trainer::threads::leave_out_candle() };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .init();
    let done = match Cli::parse().command {
        Command::Train(args) => cmd::train::run(&args),
        Command::Evaluate(args) => cmd::evaluate::run(&args),
        Command::Compare(args) => cmd::compare::run(&args),
        Command::Ablate(args) => cmd::ablate::run(&args),
        Command::Ensemble(args) => cmd::ensemble::run(&args),
        Command::Adapt(args) => cmd::adapt::run(&args),
        Command::Bundle(command) => cmd::bundle::run(&command),
        Command::Keygen(args) => cmd::keygen::run(&args),
        Command::Line(args) => cmd::push::line(&args),
        Command::Novelty(args) => cmd::novelty::run(&args),
        Command::Oneshot(command) => cmd::oneshot::run(&command),
        Command::Parity(args) => cmd::parity::run(&args),
        Command::Preview(args) => cmd::preview::run(&args),
        Command::References(args) => cmd::references::run(&args),
        Command::History(args) => cmd::history::run(&args),
        Command::Retrain(args) => cmd::retrain::run(&args),
        Command::Serve(args) => cmd::serve::run(&args),
        Command::Simulate(args) => cmd::simulate::run(&args),
        Command::Study(args) => cmd::study::run(&args),
        Command::Trust(command) => cmd::trust::run(&command),
        Command::Weights(args) => cmd::weights::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("coilsight-trainer: {error:#}");
            ExitCode::FAILURE
        }
    }
}
