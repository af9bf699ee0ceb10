//! The demo: a shipped recording through the line, in the terminal, with nothing to set up.

mod heat;

use crate::archive::{Archive, Matrix};
use crate::line::{BundleJudge, Config, Line, NotTaken, Publish};
use crate::recording::Message;
use crate::{replay, show, trust};
use anyhow::Context;
use coilsight_models::bundle::{Limits, TrustedKeys, Verified};
use coilsight_models::coil::{CoilId, CoilMatrix};
use coilsight_models::message::assessment::Assessment;
use coilsight_models::verdict::Verdict;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// A simulated shift, as `coilsight-trainer simulate recording` makes it.
const RECORDING: &[u8] = include_bytes!("../demo/demo.jsonl");
/// Trained on simulated coils alone, signed with the demo's key.
const BUNDLE: &[u8] = include_bytes!("../demo/demo.coilbundle");

/// What the demo takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run at full speed, print everything, and end.
    #[arg(long)]
    exit: bool,
    /// How much faster than the line to play.
    #[arg(long, default_value_t = 60.0, value_name = "TIMES", conflicts_with = "exit")]
    speed: f64,
}

/// Plays the shipped recording.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let keys = TrustedKeys::new([("demo", trust::DEMO_KEY)]).context("the demo's key is no key")?;
    let bundle = Verified::read(BUNDLE, &keys, &Limits::default()).context("the demo's bundle is refused")?;
    let judge = Box::new(BundleJudge::open(&bundle)?);
    let state = tempfile::tempdir().context("cannot make a temporary folder")?;
    let line = replay::open(state.path(), Config { id: "demo".into(), ..Config::default() }, judge)?;
    let terminal = std::io::stdout().is_terminal();
    println!(
        "A simulated galvanizing line: 9 gauges above, 9 below, a row every half metre. Bundle {} release {}.\n\
         Each strip lies from its beginning (left) to its end; the gauges from operator side (o) to drive \
         side (d).\n{}",
        bundle.manifest().name,
        bundle.manifest().release,
        heat::legend(terminal)
    );
    let mut screen = Screen { terminal, decided: Vec::new() };
    let mut last_metre = None;
    let mut wait = |line: &Line, message: &Message, pause: Duration| {
        if !args.exit {
            progress(terminal, line, message, &mut last_metre);
            std::thread::sleep(pause.div_f64(args.speed.max(0.1)).min(Duration::from_secs(3)));
        }
    };
    let summary = replay::play(line, RECORDING, &mut screen, &mut wait)?;
    screen.table();
    println!("\n{}", show::sums(&summary.tally));
    Ok(())
}

/// How far the open coils have come, on a line that is written over.
fn progress(terminal: bool, line: &Line, message: &Message, last: &mut Option<String>) {
    if !terminal {
        return;
    }
    let open: Vec<&str> = line.open_coils().map(CoilId::as_str).collect();
    let at = message.at.as_ref().map_or_else(String::new, ToString::to_string);
    let text = format!("\r\x1b[2K{at}  on the line: {}", open.join(", "));
    if last.as_ref() != Some(&text) {
        print!("{text}");
        let _ = std::io::stdout().flush();
        *last = Some(text);
    }
}

struct Screen {
    terminal: bool,
    decided: Vec<Assessment>,
}

impl Publish for Screen {
    fn publish(&mut self, assessment: &Assessment, archive: &Archive) -> Result<(), NotTaken> {
        let clear = if self.terminal { "\r\x1b[2K" } else { "" };
        println!("{clear}\n{}", self.verdict_line(assessment));
        if let Matrix::Kept(bytes) = archive.matrix(&assessment.decision_id)? {
            let matrix = CoilMatrix::from_bytes(&bytes)?;
            println!("{}", heat::draw(&matrix, assessment.order.as_ref(), self.terminal));
        }
        self.decided.push(assessment.clone());
        Ok(())
    }
}

impl Screen {
    fn verdict_line(&self, assessment: &Assessment) -> String {
        let text = show::line(assessment);
        if !self.terminal {
            return text;
        }
        let colour = match assessment.verdict {
            Verdict::Ok => "32",
            Verdict::Nok => "1;31",
            Verdict::Review => "1;33",
        };
        let verdict = assessment.verdict.to_string();
        text.replacen(&verdict, &format!("\x1b[{colour}m{verdict}\x1b[0m"), 1)
    }

    fn table(&self) {
        println!("\nThe shift:");
        self.decided.iter().for_each(|assessment| println!("  {}", self.verdict_line(assessment)));
        let count = |verdict| self.decided.iter().filter(|a| a.verdict == verdict).count();
        println!(
            "{} coils: {} OK, {} NOK, {} for a person to look at",
            self.decided.len(),
            count(Verdict::Ok),
            count(Verdict::Nok),
            count(Verdict::Review)
        );
    }
}
