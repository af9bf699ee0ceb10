//! `simulate`: make coils to train on, or a recording to replay, from a model of a galvanizing line.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::simulate::{self, Plan, SimulateError, Summary};

/// Simulate a galvanizing line: coils to train on, or a recording to replay.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A data set: NAME-mean.npy, NAME-std.npy (uint16 [n, 264, 18], 0.01 g/m2) and NAME.csv; truth-NAME.csv and
    /// gauges-NAME.csv say what was really there
    Coils {
        #[command(flatten)]
        common: Common,
        /// Draw a coil of every kind of defect, too, with its name
        #[arg(long, value_name = "FILE.png")]
        picture: Option<PathBuf>,
    },
    /// A recording: NAME.jsonl as `mosquitto_sub -F %j` writes it, and what chunking must give for it
    Recording {
        #[command(flatten)]
        common: Common,
        /// Do not let the messages of two coils interleave around a weld
        #[arg(long)]
        no_interleave: bool,
        /// Do not stop the line in the middle of the third coil
        #[arg(long)]
        no_line_stop: bool,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// What to simulate, as YAML or JSON: customers, inspectors, periods and more (trainer/scenarios has some); the
    /// options beside it overrule it
    #[arg(long)]
    plan: Option<PathBuf>,
    /// How many coils [default: 100]; a plan's periods keep their proportions
    #[arg(long)]
    count: Option<u64>,
    /// Where the randomness comes from: equal seeds give equal files [default: 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Share of NOK coils, 0 to 1 [default: 0.03]
    #[arg(long)]
    nok_share: Option<f64>,
    /// The folder to write into; it is made where it is missing
    #[arg(long)]
    out: PathBuf,
    /// What the files are called
    #[arg(long, default_value = "simulated")]
    name: String,
    /// Coils of 500 to 900 m instead of 900 to 2,800 m
    #[arg(long)]
    short: bool,
}

impl Common {
    fn plan(&self) -> Result<Plan, SimulateError> {
        let mut plan = self.plan.as_deref().map_or_else(|| Ok(Plan::default()), Plan::read)?;
        if let Some(count) = self.count {
            plan.resize(count);
        }
        if let Some(share) = self.nok_share {
            plan.nok_share = share;
            plan.periods.iter_mut().for_each(|period| period.nok_share = None);
        }
        plan.seed = self.seed.unwrap_or(plan.seed);
        plan.short |= self.short;
        Ok(plan)
    }
}

/// Carries the subcommand out.
pub fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    type Make = fn(&Plan, &std::path::Path, &str, &dyn Fn(u64)) -> Result<Summary, SimulateError>;
    let (common, plan, make): (_, _, Make) = match &args.what {
        What::Coils { common, .. } => (common, common.plan()?, simulate::coils),
        What::Recording { common, no_interleave, no_line_stop } => {
            let mut plan = common.plan()?;
            plan.interleave &= !no_interleave;
            plan.line_stop &= !no_line_stop;
            (common, plan, simulate::recording)
        }
    };
    std::fs::create_dir_all(&common.out)
        .with_context(|| format!("cannot make the folder {}", common.out.display()))?;
    let bar = ProgressBar::new(plan.count)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} coils, {per_sec}, {eta} to go")?);
    let summary = make(&plan, &common.out, &common.name, &|done| bar.set_position(done))?;
    bar.finish_and_clear();
    let Summary { coils, nok } = summary;
    println!("{coils} coils ({nok} NOK) written to {}", common.out.join(&common.name).display());
    if let What::Coils { picture: Some(path), .. } = &args.what {
        simulate::picture::picture(plan.seed).draw()?.write(path)?;
        println!("every kind of defect: {}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        args: SimulateArgs,
    }

    #[test]
    fn writes_what_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new");
        let line = ["x", "recording", "--count", "2", "--short", "--name", "demo", "--out"];
        let program = Program::try_parse_from(line.into_iter().chain([out.to_str().unwrap()])).unwrap();
        run(&program.args).unwrap();
        for file in ["demo.jsonl", "demo.csv", "demo-mean.npy", "demo-std.npy"] {
            assert!(out.join(file).metadata().unwrap().len() > 100, "{file}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().to_str().unwrap();
        let program = Program::try_parse_from(["x", "coils", "--nok-share", "1.5", "--out", out]).unwrap();
        assert!(run(&program.args).unwrap_err().to_string().contains("between 0 and 1"));
    }
}
