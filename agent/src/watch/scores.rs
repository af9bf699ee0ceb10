//! How the models do: from the book to scores, triggers and agreement.

use crate::archive::{self, Disk, Ledger};
use crate::book::{Book, Coil};
use crate::score::{self, Agreement, Answer, Config, Facts, JudgeSaid, Judged, Panels, Trigger, Triggers};
use crate::web::Rejudging;
use coilsight_models::message::inbound::Label;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::Trouble;
use coilsight_models::verdict::Verdict;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

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
    let coils = || session.decisions.iter().filter_map(|id| Some((id, book.get(book.place(id)?)?)));
    let mut said: Vec<JudgeSaid<'_>> = Vec::new();
    for (item, coil) in coils() {
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
}

impl Alarms {
    pub fn open(config: Config, disk: &Arc<dyn Disk>) -> archive::Result<Self> {
        let (ledger, read) = Ledger::open(disk)?;
        let past = read.entries.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect();
        Ok(Self { rules: Triggers::new(config), ledger, past })
    }

    /// Asks the rules; what fires is kept before anybody hears of it. Says whether any did.
    pub fn ask(&mut self, book: &Book, now: Timestamp) -> archive::Result<bool> {
        let fired = self.rules.evaluate(&judged(book), &self.past, now);
        let any = !fired.is_empty();
        for trigger in fired {
            // Plain data: writing them to memory has no way to fail.
            self.ledger.append(&serde_json::to_vec(&trigger).expect("a trigger becomes JSON"))?;
            tracing::warn!(model = trigger.model, "{}", trigger.text);
            self.past.push(trigger);
        }
        Ok(any)
    }

    /// All firings, latest first.
    pub fn all(&self) -> Vec<Trigger> {
        self.past.iter().rev().cloned().collect()
    }

    /// What a person must act on while this set judges: the latest firing of each kind.
    pub fn troubles(&self, set: &str) -> BTreeMap<String, Trouble> {
        let of_set = self.past.iter().filter(|trigger| trigger.set == set);
        of_set
            .map(|trigger| {
                let rule = serde_json::to_value(trigger.rule).ok();
                let rule = rule.as_ref().and_then(|rule| rule["rule"].as_str()).unwrap_or_default();
                let key = format!("score {} {rule}", trigger.model.as_deref().unwrap_or(ENSEMBLE));
                let Trigger { text, to_do, .. } = trigger.clone();
                (key, Trouble { topic: Subject::Score, text, to_do })
            })
            .collect()
    }
}
