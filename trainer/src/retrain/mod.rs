//! The loop closes: from what people said of a line's coils to the next set of models.
//!
//! [`Parts::of`] divides what people have judged into coils to learn from and coils to judge by, for good, by the decision's name;
//! [`candidate`] trains on the ones, beside an older set if there is one, and [`rule`] judges by the others. Nothing here
//! releases: that stays a person's.

pub mod doubt;
pub mod rule;

use crate::cmd::evaluate::{as_the_line_would, by_run};
use crate::cmd::train::go;
use crate::data::coils::{CoilSet, LabelledCoil};
use crate::plant::labelled::Known;
use crate::run::{RunConfig, RunFolder};
use crate::run::{ScoreTable, read_table};
use anyhow::{Context, ensure};
use coilsight_models::verdict::{Policy, Verdict};
use doubt::{Doubted, Said};
use rule::{Held, Judgement, Outcome, Rule};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What people have judged, divided.
#[derive(Clone, Debug)]
pub struct Parts {
    /// To learn from.
    pub learn: Vec<Told>,
    /// To judge by: never learned from.
    pub judge: Vec<(Told, Held)>,
    /// Left out, for people contradict each other on them.
    pub disputed: usize,
    /// Left out, for what was ordered is not known.
    pub without_order: usize,
}

/// A coil and whose word on it stands.
#[derive(Clone, Debug)]
pub struct Told {
    /// The coil, with people's label.
    pub coil: LabelledCoil,
    /// Who said so.
    pub by: String,
}

impl Parts {
    /// Divides; `set`: fingerprint of the set that judges now.
    pub fn of(known: Vec<Known>, set: &str) -> Self {
        let mut parts = Self { learn: Vec::new(), judge: Vec::new(), disputed: 0, without_order: 0 };
        for known in known {
            if known.disputed {
                parts.disputed += 1;
            } else if known.coil.order.is_none() {
                parts.without_order += 1;
            } else if let Some(held) = held(&known, set).filter(|_| is_kept_back(&known.decision_id)) {
                parts.judge.push((Told { coil: known.coil, by: known.by }, held));
            } else {
                parts.learn.push(Told { coil: known.coil, by: known.by });
            }
        }
        parts
    }

    /// Leaves out what some people said; how many words that were.
    fn without(&mut self, operators: &[String]) -> usize {
        let words = self.learn.len() + self.judge.len();
        self.learn.retain(|told| !operators.contains(&told.by));
        self.judge.retain(|(told, _)| !operators.contains(&told.by));
        words - self.learn.len() - self.judge.len()
    }
}

/// Half of all, the same half for ever: a coil that was learned from once never judges.
fn is_kept_back(decision_id: &str) -> bool {
    Sha256::digest(decision_id)[0] & 1 == 1
}

/// A coil whose chance of being looked at is known, as the set that judges now judged it; the candidate's word is still open.
fn held(known: &Known, set: &str) -> Option<Held> {
    let by_verdict = known.verdict != Verdict::Ok;
    let fit = known.set == set && (by_verdict || known.drawn.is_some());
    let before = known.by_score.filter(|_| fit)? == Verdict::Nok;
    let drawn = known.drawn.filter(|_| !by_verdict);
    Some(Held { nok: known.coil.nok, drawn, before, after: false })
}

/// A candidate, and what the rules say of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Coils learned from that the line has seen.
    pub learned: usize,
    /// Coils learned from that were there before.
    pub older: usize,
    /// Left out, for people contradict each other on them.
    pub disputed: usize,
    /// Left out, for what was ordered is not known.
    pub without_order: usize,
    /// Words left out, for a person said so ([`Heed::without`]).
    pub left_out: usize,
    /// Operators whose words contradict everybody else's ([`doubt`]): a person decides.
    pub doubted: Vec<Doubted>,
    /// The judgement.
    pub judgement: Judgement,
    /// The bundle, if it was promoted and built.
    pub bundle: Option<Bundle>,
}

/// A candidate as the line's next release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bundle {
    /// Where it lies.
    pub file: PathBuf,
    /// Its release.
    pub release: u64,
    /// What it is called by.
    pub fingerprint: String,
    /// Whether it was released without a person; else an engineer has yet to sign.
    pub released: bool,
}

/// Whom to heed, by a person's word.
#[derive(Clone, Debug, Default)]
pub struct Heed {
    /// Operators whose words are left out.
    pub without: Vec<String>,
    /// Operators who are believed, whatever the others say.
    pub believe: Vec<String>,
}

/// Trains a candidate into `out` and judges it. Where somebody's words are doubted, it waits for a person. With a `policy` it is judged by that
/// one's thresholds instead of its own.
pub fn candidate(
    mut parts: Parts,
    older: Option<CoilSet>,
    config: &RunConfig,
    (rule, attempt): (&Rule, u32),
    heed: &Heed,
    policy: Option<&Policy>,
    out: &Path,
) -> anyhow::Result<Report> {
    let older = older.map_or_else(Vec::new, |set| set.coils);
    let left_out = parts.without(&heed.without);
    train(&parts.learn, &older, config, out)?;
    let mut doubted = doubted(&parts.learn, &out.join("run"))?;
    doubted.retain(|one| !heed.believe.contains(&one.operator));
    let Parts { learn, judge, disputed, without_order } = parts;
    let (told, mut held): (Vec<Told>, Vec<Held>) = judge.into_iter().unzip();
    let judge = CoilSet { name: "judge".into(), coils: told.into_iter().map(|told| told.coil).collect() };
    let (p_nok, own) = by_run(&out.join("run"), &judge)?;
    let policy = policy.unwrap_or(&own);
    for ((coil, p_nok), held) in judge.coils.iter().zip(p_nok).zip(&mut held) {
        held.after = as_the_line_would(coil, p_nok, None, policy).called_nok;
    }
    let mut judgement = rule.judge(&held, attempt);
    if let Some(first) = doubted.first() {
        let why = format!(
            "{first}: find out who is right (re-judge blind on the page), then say --without or --believe {}",
            first.operator
        );
        judgement.outcome = Outcome::Waits { why };
    }
    let (learned, older) = (learn.len(), older.len());
    Ok(Report { learned, older, disputed, without_order, left_out, doubted, judgement, bundle: None })
}

/// Trains on the line's coils and older ones: `out/run`, and beside it what it learned from, `out/data`.
fn train(learn: &[Told], older: &[LabelledCoil], config: &RunConfig, out: &Path) -> anyhow::Result<()> {
    let coils = older.iter().chain(learn.iter().map(|told| &told.coil)).cloned();
    let mut set = CoilSet { name: config.set.clone(), coils: coils.collect() };
    set.coils.sort_by(|a, b| a.produced_at.cmp(&b.produced_at));
    ensure!(
        set.nok() > 0 && set.nok() < set.coils.len(),
        "{} coils, {} of them NOK, teach nothing: label more on the line's page, or give an older set with --data",
        set.coils.len(),
        set.nok()
    );
    let data = out.join("data");
    std::fs::create_dir_all(&data).with_context(|| format!("{} cannot be made", data.display()))?;
    set.save(&data)?;
    go(&set, config, &RunFolder::begin(&out.join("run"), config)?)?;
    Ok(())
}

/// Whose words are doubted, by what the run says of the coils out of fold.
fn doubted(learn: &[Told], run: &Path) -> anyhow::Result<Vec<Doubted>> {
    let ScoreTable { coil_id, p_nok, .. } = read_table(&run.join("oof.csv"))?;
    let out_of_fold: BTreeMap<&str, f64> = coil_id.iter().map(String::as_str).zip(p_nok).collect();
    let said = |told: &'_ Told| Some((out_of_fold.get(told.coil.id.as_str()).copied()?, told.coil.nok));
    let said: Vec<Said> = learn
        .iter()
        .filter_map(|told| said(told).map(|(p_nok, nok)| Said { by: &told.by, nok, p_nok }))
        .collect();
    Ok(doubt::doubted(&said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coilsight_models::coil::{CELLS, CoilId, CoilMatrix, Order, ToleranceClass};

    fn known(n: u32, verdict: Verdict, drawn: Option<f64>) -> Known {
        Known {
            decision_id: format!("d{n}"),
            coil: LabelledCoil {
                id: CoilId::new(format!("d{n}")).unwrap(),
                produced_at: String::new(),
                matrix: CoilMatrix::from_hundredths(vec![7000; CELLS], vec![9; CELLS]).unwrap(),
                order: Order::new(70.0, ToleranceClass::B, 1250.0).ok(),
                length_m: 900.0,
                nok: true,
            },
            by: "Ada".into(),
            disputed: false,
            drawn,
            verdict,
            by_score: Some(if verdict == Verdict::Nok { Verdict::Nok } else { Verdict::Ok }),
            set: "now".into(),
        }
    }

    #[test]
    fn what_is_judged_by_is_never_learned_from_and_stays_so() {
        let all: Vec<Known> = (0..200).map(|n| known(n, Verdict::Nok, None)).collect();
        let parts = Parts::of(all.clone(), "now");
        assert!((70..130).contains(&parts.judge.len()) && parts.judge.len() + parts.learn.len() == 200);
        let later = Parts::of(all[100..].to_vec(), "now");
        for (told, _) in &later.judge {
            assert!(parts.learn.iter().all(|learned| learned.coil.id != told.coil.id));
        }
    }

    #[test]
    fn only_coils_of_known_chance_and_of_this_set_judge() {
        // Somebody came back with a coil that had passed: it is found because the set was wrong.
        let by_themselves: Vec<Known> = (0..50).map(|n| known(n, Verdict::Ok, None)).collect();
        assert_eq!(Parts::of(by_themselves, "now").judge.len(), 0);
        let drawn: Vec<Known> = (0..50).map(|n| known(n, Verdict::Ok, Some(0.02))).collect();
        let parts = Parts::of(drawn.clone(), "now");
        assert!(parts.judge.iter().all(|(_, held)| held.drawn == Some(0.02) && !held.before));
        assert_eq!(Parts::of(drawn.clone(), "another set").judge.len(), 0);
        let review = Parts::of((0..50).map(|n| known(n, Verdict::Review, Some(0.02))).collect(), "now");
        assert!(review.judge.iter().all(|(_, held)| held.drawn.is_none()), "looked at for its verdict");
        let disputed = drawn.into_iter().map(|known| Known { disputed: true, ..known });
        let parts = Parts::of(disputed.collect(), "now");
        assert_eq!((parts.disputed, parts.learn.len(), parts.judge.len()), (50, 0, 0));
    }
}
