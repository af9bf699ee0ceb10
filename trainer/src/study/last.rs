//! The best of each school, trained on all coils as a run that bundles are built of, and the one look at gold.

use super::evidence::evidence;
use super::finish::curves;
use super::plan::Plan;
use super::results::{Chosen, Gold, GoldOf, Results};
use crate::cmd::evaluate::{as_the_line_would, by_run};
use crate::data::coils::CoilSet;
use crate::data::gold::{Ledger, Look, is_gold};
use crate::plot::Heatmap;
use crate::report::Picture;
use crate::run::{Member, RunConfig, RunFolder, hex, write_whole};
use crate::score::{Bootstrap, Judged, Report};
use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};

/// The file that says that somebody has looked at gold, and what was seen.
pub const GOLD: &str = "gold.json";

/// Where the run of a chosen configuration lies.
pub fn folder(out: &Path, chosen: &Chosen) -> PathBuf {
    let school = serde_json::to_value(chosen.school).ok();
    out.join("final").join(school.as_ref().and_then(|v| v.as_str()).unwrap_or("other"))
}

/// The settings of a chosen configuration as a run of its own: folds for its thresholds, forward in time, and final networks.
pub fn settings(plan: &Plan, chosen: &Chosen) -> anyhow::Result<RunConfig> {
    let found = plan.experiments.iter().find(|e| e.name == chosen.experiment);
    let found = found.and_then(|e| e.configurations.iter().find(|c| c.name == chosen.configuration));
    let found = found.with_context(|| format!("{} is not in the study", chosen.configuration))?;
    let name = format!("{}-{}", plan.name, chosen.experiment);
    Ok(RunConfig {
        name: name.chars().take(48).collect(),
        forward: plan.forward.clone(),
        finals: true,
        ..found.config.clone()
    })
}

/// The coils that the chosen ones judge wrongly most often, as pictures; with where the final network looks, if there is one. It
/// has seen these coils, unlike the networks that judged them.
pub fn pictures(results: &Results, set: &CoilSet, out: &Path) -> anyhow::Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    for chosen in &results.chosen {
        let run = folder(out, chosen);
        let network = if run.join("run.json").is_file() {
            let run = RunFolder::open(&run)?;
            let spec = run.record()?.prepare;
            Some((run.network(Member { fold: None, number: 0 }, &spec)?, spec))
        } else {
            None
        };
        for wrong in &chosen.errors {
            let coil = &set.coils[wrong.row];
            let looked = network.as_ref().map(|(network, spec)| evidence(network, spec, coil)).transpose()?;
            let label = if wrong.nok { "NOK" } else { "OK" };
            let note = format!(
                "class {}; P(NOK) {:.3} by networks that have not seen it; judged wrongly in {} of {} repeats",
                wrong.class, wrong.p_nok, wrong.wrong, results.repeats
            );
            pictures.push(Picture {
                school: chosen.school,
                coil_id: wrong.coil_id.clone(),
                map: Heatmap {
                    title: format!("{} is {label}", wrong.coil_id),
                    note,
                    matrix: coil.matrix.clone(),
                    nominal_g_m2: coil.order.map_or(0.0, |order| order.nominal_g_m2()),
                    length_m: coil.length_m,
                },
                evidence: looked,
            });
        }
    }
    Ok(pictures)
}

/// What the chosen ones make of a gold set. Who has looked looks at what was seen then; another choice than that one is refused.
pub fn look(results: &Results, out: &Path, data: &Path, name: &str) -> anyhow::Result<Gold> {
    ensure!(is_gold(name), "{name} is not a gold set: its name does not begin with gold");
    let file = out.join(GOLD);
    let path = |chosen: &Chosen| format!("{}/{}", chosen.experiment, chosen.configuration);
    if file.exists() {
        let seen: Gold = serde_json::from_slice(&std::fs::read(&file).context("cannot read gold.json")?)
            .context("gold.json is damaged")?;
        let same = seen.set == name
            && seen.of.iter().map(|of| of.configuration.clone()).eq(results.chosen.iter().map(path));
        ensure!(
            same,
            "gold has been looked at for another choice ({}): a second look would not be an honest one. Finish this study in \
             another folder if it is another study; gold.json and gold-ledger.jsonl say what was seen",
            seen.of.iter().map(|of| of.configuration.as_str()).collect::<Vec<_>>().join(", ")
        );
        return Ok(seen);
    }
    let set = CoilSet::load(data, name).with_context(|| format!("the gold set {name} cannot be read"))?;
    let (sha256, ledger) = (hex(&set.sha256()), Ledger::of(out));
    let mut looks = 0;
    let mut of = Vec::new();
    for chosen in &results.chosen {
        let run = folder(out, chosen);
        // On record before anything is seen.
        looks = ledger.enter(&Look {
            at: jiff::Timestamp::now(),
            set: name.into(),
            data: sha256.clone(),
            of: run.display().to_string(),
            command: command_line(std::env::args()),
        })?;
        let (p_nok, policy) = by_run(&run, &set)?;
        let coils = set.coils.iter().zip(&p_nok);
        let judged: Vec<Judged> = coils.map(|(coil, p)| as_the_line_would(coil, *p, None, &policy)).collect();
        let nok: Vec<bool> = set.coils.iter().map(|coil| coil.nok).collect();
        of.push(GoldOf {
            school: chosen.school,
            configuration: path(chosen),
            report: Report::new(&judged, results.data.prevalence, Bootstrap::default()),
            curves: curves(&nok, &p_nok),
        });
    }
    let gold = Gold { set: name.into(), sha256, looks, of };
    write_whole(&file, &serde_json::to_vec_pretty(&gold)?)?;
    Ok(gold)
}

/// The command for people to repeat: the program by its name alone, for where it lies is this machine's business.
pub fn command_line(mut arguments: impl Iterator<Item = String>) -> String {
    let program = arguments.next().unwrap_or_default();
    let name =
        Path::new(&program).file_name().map_or(program.clone(), |name| name.to_string_lossy().into_owned());
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_the_program_and_not_where_it_lies() {
        let told = |words: &[&str]| command_line(words.iter().map(ToString::to_string));
        assert_eq!(
            told(&["/home/me/bin/coilsight-trainer", "study", "a.yaml"]),
            "coilsight-trainer study a.yaml"
        );
        assert_eq!(told(&["coilsight-trainer"]), "coilsight-trainer");
    }
}
