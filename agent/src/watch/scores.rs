//! How the models do: from the book to scores, triggers and agreement.

use super::Asking;
use crate::archive::{self, Disk, Ledger};
use crate::book::{Book, Coil};
use crate::score::{
    self, Agreement, Answer, Config, Facts, JudgeSaid, Judged, Panels, Rule, Standing, Trigger, Triggers,
};
use crate::web::Rejudging;
use coilsight_models::message::inbound::Label;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::Trouble;
use coilsight_models::verdict::Verdict;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many firings are told to the plant's record: older ones it has.
const MAX_ASKING: usize = 32;
/// Name of all models together, where judges are compared with people.
const ENSEMBLE: &str = "ensemble";

/// What scores need of every coil in the book.
pub(super) fn judged(book: &Book) -> Vec<Judged> {
    let mut panels = Panels::default();
    let first = book.span().start;
    let mut votes = Vec::new();
    book.coils()
        .zip(first..)
        .map(|(coil, place)| {
            let panel = panels.of(&coil.set, coil.votes.iter().map(|vote| &*vote.model));
            votes.clear();
            votes.extend(coil.votes.iter().map(|vote| Some(vote.verdict)));
            Judged::new(&Facts {
                place,
                at: coil.closed_at.or(coil.pass),
                class: coil.class,
                order: coil
                    .nominal_g_m2
                    .zip(coil.width_mm)
                    .map(|(weight, width)| (weight.into(), width.into())),
                verdict: coil.verdict,
                by_score: coil.by_score,
                drawn: coil.drawn.map(f64::from),
                label: coil.words.label(),
                panel: &panel,
                votes: &votes,
            })
        })
        .collect()
}

/// How far inspectors agree who judged the same coils blind.
pub(super) fn agreement(session: &Rejudging, book: &Book) -> Option<Agreement> {
    let mut answers = Vec::new();
    for ((inspector, round), labels) in &session.labels {
        let of = labels.iter().map(|(item, label)| Answer { item, inspector, round: *round, label: *label });
        answers.extend(of);
    }
    let coils = || {
        let at = |id: &'_ String| book.place(id);
        session.decisions.iter().filter_map(move |id| Some((id, at(id)?, book.get(at(id)?)?)))
    };
    // Models of other sets are other models, even of the same name.
    let newest = coils().max_by_key(|(_, at, _)| *at).map(|(_, _, coil)| &coil.set);
    let mut said: Vec<JudgeSaid<'_>> = Vec::new();
    for (item, _, coil) in coils().filter(|(_, _, coil)| Some(&coil.set) == newest) {
        let of = |verdict| match verdict {
            Verdict::Ok => Some(Label::Ok),
            Verdict::Nok => Some(Label::Nok),
            Verdict::Review => None,
        };
        let ensemble = coil.by_score.and_then(of).map(|label| JudgeSaid { item, judge: ENSEMBLE, label });
        said.extend(ensemble);
        said.extend(votes(coil).filter_map(|(judge, v)| Some(JudgeSaid { item, judge, label: of(v)? })));
    }
    score::agreement(&answers, &said)
}

fn votes(coil: &Coil) -> impl Iterator<Item = (&str, Verdict)> {
    coil.votes.iter().map(|vote| (&*vote.model, vote.verdict))
}

/// The rules that say when models do badly, and all that they ever said: in a log of their own.
#[derive(Debug)]
pub(super) struct Alarms {
    rules: Triggers,
    ledger: Ledger,
    past: Vec<Trigger>,
    /// What was told and still stands, by its name: told again in the same words, or it would be news.
    told: BTreeMap<String, Trouble>,
    /// What holds now.
    standing: Vec<Trigger>,
}

impl Alarms {
    pub fn open(config: Config, disk: &Arc<dyn Disk>) -> archive::Result<Self> {
        let (ledger, read) = Ledger::open(disk)?;
        let past = read.entries.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect();
        Ok(Self { rules: Triggers::new(config), ledger, past, told: BTreeMap::new(), standing: Vec::new() })
    }

    /// Asks the rules; what fires is kept before anybody hears of it.
    pub fn ask(&mut self, book: &Book, now: Timestamp) -> archive::Result<()> {
        self.ask_of(&judged(book), now)
    }

    pub(super) fn ask_of(&mut self, judged: &[Judged], now: Timestamp) -> archive::Result<()> {
        let standing = self.rules.standing(judged, now);
        for trigger in self.rules.news(judged, &standing, &self.past) {
            // Plain data: writing them to memory has no way to fail.
            self.ledger.append(&serde_json::to_vec(&trigger).expect("a trigger becomes JSON"))?;
            tracing::warn!(model = trigger.model, "{}", trigger.text);
            self.past.push(trigger);
        }
        self.stand(standing);
        Ok(())
    }

    /// What fired is a trouble as long as it stands: a rule that a word brought about is over with the word.
    fn stand(&mut self, standing: Vec<Standing>) {
        let mut told = BTreeMap::new();
        self.standing = standing.iter().map(|standing| standing.trigger.clone()).collect();
        for Standing { trigger, met } in standing {
            let Some(fired) = self.past.iter().rev().find(|past| past.is_like(&trigger)) else { continue };
            let key = key(&trigger);
            let trouble = self.told.remove(&key).unwrap_or_else(|| {
                let told = if met { trigger } else { fired.clone() };
                let why = Some(told.why());
                Trouble { topic: Subject::Score, text: told.text, to_do: told.to_do, why }
            });
            told.insert(key, trouble);
        }
        self.told = told;
    }

    /// All firings, latest first.
    pub fn all(&self) -> Vec<Trigger> {
        self.past.iter().rev().cloned().collect()
    }

    /// The newest firings, latest first, and whether they hold.
    pub fn asking(&self) -> Vec<Asking> {
        let newest: Vec<&Trigger> = self.past.iter().rev().take(MAX_ASKING).collect();
        let of = |at: usize| {
            let trigger = newest[at];
            // Of the same rule the last firing alone can hold.
            let last = !newest[..at].iter().any(|later| later.is_like(trigger));
            Asking { trigger: trigger.clone(), holds: last && self.stands(trigger) }
        };
        (0..newest.len()).map(of).collect()
    }

    fn stands(&self, trigger: &Trigger) -> bool {
        self.standing.iter().any(|standing| standing.is_like(trigger))
    }

    /// What a person must act on.
    pub fn troubles(&self) -> BTreeMap<String, Trouble> {
        self.told.clone()
    }
}

fn key(trigger: &Trigger) -> String {
    let rule = match trigger.rule {
        Rule::Score { .. } => "score",
        Rule::Misses { .. } => "misses",
        Rule::FalseAlarms { .. } => "false_alarms",
    };
    format!("score {} {rule}", trigger.model.as_deref().unwrap_or(ENSEMBLE))
}
