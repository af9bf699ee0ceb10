//! What wrong words do to a line's scores and to the next set: nobody wrong but now and then, every tenth word wrong, one operator
//! of three who says NOK to everything; where nothing has changed, and where a new kind of defect has come.
//!
//! `cargo run --example poisoned_words -- SEEDS FIRST` (some four minutes a seed on two cores). Coils and network are those of
//! `tests/loop_closes`. Words of unknown operators are not among them: they are quarantined at the line, and the record
//! gives them to nobody.

#[path = "../tests/loop_closes/coils.rs"]
#[expect(dead_code, reason = "recordings are for the test")]
mod coils;
mod works {
    use std::path::Path;

    pub fn text(path: &Path) -> &str {
        path.to_str().expect("a plain path")
    }

    pub fn trainer<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
        let done = coilsight_tests::programs::trainer().args(arguments).output().expect("the program starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }
}

use coils::{BEFORE, Period};
use coilsight_models::coil::CoilId;
use coilsight_models::verdict::Verdict;
use coilsight_trainer::cmd::evaluate::{as_the_line_would, by_run};
use coilsight_trainer::data::coils::{CoilSet, LabelledCoil};
use coilsight_trainer::plant::labelled::Known;
use coilsight_trainer::retrain::rule::{Outcome, Rule};
use coilsight_trainer::retrain::{Heed, Parts, candidate};
use coilsight_trainer::run::{RunConfig, RunFolder, train};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Share of OK coils that are drawn for a person.
const DRAWN: f64 = 0.5;
const OPERATORS: [&str; 3] = ["ada", "ben", "cy"];

/// What is wrong with the words.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Poison {
    /// Everybody errs twice in a hundred.
    Honest,
    /// Ten times in a hundred.
    Tenth,
    /// Cy says NOK to everything.
    Always,
    /// The same, and a person has said that his words are left out.
    Without,
}

struct Bench {
    folder: PathBuf,
    config: RunConfig,
    older: CoilSet,
}

fn main() -> anyhow::Result<()> {
    let number = |n, usual| std::env::args().nth(n).map_or(Ok(usual), |number| number.parse::<u64>());
    let (seeds, first) = (number(1, 1)?, number(2, 0)?);
    let folder = tempfile::tempdir()?;
    let bench = Bench::new(folder.path())?;
    println!("coils     words      score by words  candidate           doubted  cost now  cost then");
    for seed in first..first + seeds {
        for new_defect in [false, true] {
            for poison in [Poison::Honest, Poison::Tenth, Poison::Always, Poison::Without] {
                bench.month(seed, new_defect, poison)?;
            }
        }
    }
    Ok(())
}

impl Bench {
    /// With the first set, trained before.
    fn new(folder: &Path) -> anyhow::Result<Self> {
        BEFORE.data_set(folder);
        let older = CoilSet::load(folder, BEFORE.name)?;
        let config = RunConfig::read(&coils::settings(folder))?;
        let first = RunFolder::begin(&folder.join("first"), &config)?;
        train(&older, &config, &first, &mut |_, _| ControlFlow::Continue(()))?;
        Ok(Self { folder: folder.to_owned(), config, older })
    }

    /// Simulated coils of a month.
    fn coils(&self, name: &'static str, seed: u64, new_defect: bool) -> anyhow::Result<CoilSet> {
        let folder = self.folder.join(format!("{name}-{seed}-{new_defect}"));
        if !folder.exists() {
            std::fs::create_dir(&folder)?;
            Period { name, coils: 300, seed, new_defect }.data_set(&folder);
        }
        Ok(CoilSet::load(&folder, name)?)
    }

    /// What people said of the coils that they looked at.
    fn words(&self, seed: u64, new_defect: bool, poison: Poison) -> anyhow::Result<Vec<Known>> {
        let coils = self.coils("month", 1000 + seed, new_defect)?;
        let found = says(&self.folder.join("first"), &coils)?;
        let mut random = StdRng::seed_from_u64(seed);
        let mut known = Vec::new();
        for (n, (coil, (nok, verdict))) in coils.coils.into_iter().zip(found).enumerate() {
            let (by, draw) = (OPERATORS[random.random_range(0..3)], random.random_bool(DRAWN));
            let (second, tenth) = (random.random_bool(0.02), random.random_bool(0.1));
            if verdict == Verdict::Ok && !draw {
                continue;
            }
            let said = match poison {
                Poison::Always | Poison::Without if by == "cy" => true,
                Poison::Tenth => coil.nok ^ tenth,
                _ => coil.nok ^ second,
            };
            let decision_id = format!("d-{seed}-{n}");
            known.push(Known {
                coil: LabelledCoil { id: CoilId::new(&decision_id)?, nok: said, ..coil },
                decision_id,
                by: by.to_owned(),
                disputed: false,
                drawn: (verdict == Verdict::Ok).then_some(DRAWN),
                verdict,
                by_score: Some(if nok { Verdict::Nok } else { Verdict::Ok }),
                set: "first".into(),
            });
        }
        Ok(known)
    }

    fn month(&self, seed: u64, new_defect: bool, poison: Poison) -> anyhow::Result<()> {
        let known = self.words(seed, new_defect, poison)?;
        let right = known.iter().filter(|one| (one.by_score == Some(Verdict::Nok)) == one.coil.nok).count();
        let score = right as f64 / known.len() as f64;
        let out = self.folder.join(format!("{poison:?}-{seed}-{new_defect}"));
        let parts = Parts::of(known, "first");
        let without = if poison == Poison::Without { vec!["cy".to_owned()] } else { Vec::new() };
        let heed = Heed { without, ..Heed::default() };
        let rule = (&Rule::default(), 1);
        let report = candidate(parts, Some(self.older.clone()), &self.config, rule, &heed, None, &out)?;
        let fresh = self.coils("fresh", 5000 + seed, new_defect)?;
        let [now, then] = [self.folder.join("first"), out.join("run")].map(|run| cost(&run, &fresh));
        let outcome = match report.judgement.outcome {
            Outcome::Promoted => "promoted".to_owned(),
            Outcome::Waits { .. } => {
                format!("waits (p {:.3})", report.judgement.p)
            }
        };
        let doubted: Vec<&str> = report.doubted.iter().map(|one| one.operator.as_str()).collect();
        println!(
            "{:9} {:10} {:>14.3}  {outcome:18} {:>8}  {:>8.3}  {:>9.3}",
            if new_defect { "new kind" } else { "as before" },
            format!("{poison:?}"),
            score,
            doubted.join(","),
            now?,
            then?
        );
        Ok(())
    }
}

/// Whether a run calls each coil NOK, and what went out.
fn says(run: &Path, coils: &CoilSet) -> anyhow::Result<Vec<(bool, Verdict)>> {
    let (p_nok, policy) = by_run(run, coils)?;
    let say = |(coil, p): (&LabelledCoil, f64)| {
        let judged = as_the_line_would(coil, p, None, &policy);
        let plain = if judged.called_nok { Verdict::Nok } else { Verdict::Ok };
        (judged.called_nok, if judged.review { Verdict::Review } else { plain })
    };
    Ok(coils.coils.iter().zip(p_nok).map(say).collect())
}

/// Mean cost of a coil by the truth: a miss 5, a false alarm 1.
fn cost(run: &Path, fresh: &CoilSet) -> anyhow::Result<f64> {
    let found = says(run, fresh)?;
    let price = |(coil, (called, _)): (&LabelledCoil, &(bool, Verdict))| match (coil.nok, *called) {
        (true, false) => 5.0,
        (false, true) => 1.0,
        _ => 0.0,
    };
    Ok(fresh.coils.iter().zip(&found).map(price).sum::<f64>() / fresh.coils.len() as f64)
}
