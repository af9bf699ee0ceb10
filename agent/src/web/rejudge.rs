//! Blind re-judging: two or three inspectors judge the same coils twice, without id, verdict or words. Where they
//! disagree with each other, or with themselves, a model cannot agree.
//!
//! Answers are kept in a log of their own, for ever; they are no dispositions.

use super::Desk;
use super::coils::{assessment, cells, matrix_of};
use super::fault::Fault;
use super::guard::{Writer, writer};
use super::words::blocking;
use crate::archive::{self, Disk, Ledger};
use crate::book::MAX_SIGNATURES;
use crate::line::short_hex;
use crate::watch::Findings;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use coilsight_models::message::inbound::Label;
use coilsight_models::verdict::Verdict;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

/// Coils of a session.
const SIZE: std::ops::RangeInclusive<usize> = 30..=50;
/// Every coil is judged so often by each inspector.
pub const ROUNDS: u8 = 2;
/// Inspectors of one session: more make no better figure.
const MAX_INSPECTORS: usize = 8;

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Entry {
    Started { id: String, at: Timestamp, by: String, decisions: Vec<String> },
    Answered { id: String, item: String, round: u8, by: String, label: Label, at: Timestamp },
}

/// One session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its name.
    pub id: String,
    /// When it began.
    pub at: Timestamp,
    /// Who began it.
    pub by: String,
    /// The decisions whose coils are judged.
    pub decisions: Vec<String>,
    /// Labels by inspector, round (1 or 2) and decision.
    pub labels: BTreeMap<(String, u8), BTreeMap<String, Label>>,
}

/// The log of re-judging, and the latest session.
#[derive(Debug)]
pub struct Rejudge {
    ledger: Ledger,
    session: Option<Session>,
}

impl Rejudge {
    /// Opens the log on a disk of its own.
    pub fn open(disk: &Arc<dyn Disk>) -> archive::Result<Self> {
        let (ledger, read) = Ledger::open(disk)?;
        let mut rejudge = Self { ledger, session: None };
        for entry in read.entries.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()) {
            rejudge.apply(entry);
        }
        Ok(rejudge)
    }

    fn note(&mut self, entry: Entry) -> archive::Result<()> {
        // Plain data: writing them to memory has no way to fail.
        self.ledger.append(&serde_json::to_vec(&entry).expect("an entry becomes JSON"))?;
        self.apply(entry);
        Ok(())
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Started { id, at, by, decisions } => {
                self.session = Some(Session { id, at, by, decisions, labels: BTreeMap::new() });
            }
            Entry::Answered { id, item, round, by, label, .. } => {
                let Some(session) = self.session.as_mut().filter(|session| session.id == id) else { return };
                session.labels.entry((by, round)).or_default().entry(item).or_insert(label);
            }
        }
    }
}

impl Session {
    fn answered(&self, by: &str, round: u8) -> usize {
        self.labels.get(&(by.to_owned(), round)).map_or(0, BTreeMap::len)
    }

    /// What this inspector judges next: the round and the decision. Another order for everybody and every round.
    fn next(&self, by: &str) -> Option<(u8, &str)> {
        let round = (1..=ROUNDS).find(|round| self.answered(by, *round) < self.decisions.len())?;
        let done = self.labels.get(&(by.to_owned(), round));
        let left = self.decisions.iter().filter(|id| done.is_none_or(|done| !done.contains_key(*id)));
        let lot = |id: &&String| short_hex(&Sha256::digest(format!("{}\0{by}\0{round}\0{id}", self.id)));
        left.min_by_key(lot).map(|id| (round, id.as_str()))
    }

    /// A decision's name in this session, which says nothing of the coil.
    fn item(&self, decision_id: &str) -> String {
        short_hex(&Sha256::digest(format!("coilsight item 1\0{}\0{decision_id}", self.id)))
    }

    fn decision(&self, item: &str) -> Option<&str> {
        self.decisions.iter().map(String::as_str).find(|id| self.item(id) == item)
    }

    fn inspectors(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.labels.keys().map(|(name, _)| name.as_str()).collect();
        names.dedup();
        names
    }
}

fn lock(desk: &Desk) -> MutexGuard<'_, Rejudge> {
    desk.rejudge.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who judges: a person.
fn inspector(desk: &Desk, headers: &HeaderMap) -> Result<String, Fault> {
    let Writer { name, person } = writer(desk, headers)?;
    let program = || {
        let status = StatusCode::FORBIDDEN;
        Fault::new(status, "no_person", "a program does not judge", "log in with your code or badge")
    };
    if person { Ok(name) } else { Err(program()) }
}

fn none() -> Fault {
    Fault {
        message: "no blind re-judging is going on".into(),
        to_do: "start one".into(),
        ..Fault::unknown("")
    }
}

pub(super) async fn show(State(desk): State<Arc<Desk>>) -> Json<Value> {
    let rejudge = lock(&desk);
    let Some(session) = &rejudge.session else { return Json(json!({ "session": null, "agreement": null })) };
    let inspectors: Vec<Value> = session
        .inspectors()
        .into_iter()
        .map(|name| json!({ "name": name, "done": [session.answered(name, 1), session.answered(name, 2)] }))
        .collect();
    let agreement = Findings::agreement(session, &desk.book());
    Json(json!({
        "session": {
            "id": session.id,
            "size": session.decisions.len(),
            "rounds": ROUNDS,
            "started_at": session.at,
            "started_by": session.by,
            "inspectors": inspectors,
        },
        "agreement": agreement,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    size: usize,
}

pub(super) async fn start(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: Result<Json<Start>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let name = inspector(&desk, &headers)?;
    let Json(Start { size }) = body?;
    if !SIZE.contains(&size) {
        let message = format!("a session has {} to {} coils", SIZE.start(), SIZE.end());
        return Err(Fault::bad(message, "fewer say nothing, more tire"));
    }
    let asked = Arc::clone(&desk);
    blocking(move || {
        let at = Timestamp::now();
        let id = short_hex(&Sha256::digest(format!("{at}\0{name}")));
        let decisions = draw(&asked, &id, size)?;
        lock(&asked).note(Entry::Started { id, at, by: name, decisions })?;
        Ok(())
    })
    .await?;
    Ok((StatusCode::CREATED, show(State(desk)).await))
}

/// Draws coils by lot: up to half of them such as somebody or the ensemble doubted, or else nearly all would be OK and
/// agreement would say nothing.
fn draw(desk: &Desk, id: &str, size: usize) -> Result<Vec<String>, Fault> {
    let (mut doubted, mut plain) = (Vec::new(), Vec::new());
    {
        let book = desk.book();
        for coil in book.coils().rev().take(MAX_SIGNATURES) {
            let plainly = coil.verdict == Verdict::Ok && coil.words.label() != Some(Label::Nok);
            let lot = short_hex(&Sha256::digest(format!("{id}\0{}", coil.decision_id)));
            if plainly { &mut plain } else { &mut doubted }.push((lot, coil.decision_id.to_string()));
        }
    }
    doubted.sort();
    plain.sort();
    let mut drawn = Vec::new();
    let kept =
        |(_, id): &(String, String)| matches!(matrix_of(desk, id), Ok((_, Some(_)))).then(|| id.clone());
    drawn.extend(doubted.iter().filter_map(kept).take(size / 2));
    let rest = size - drawn.len();
    drawn.extend(plain.iter().filter_map(kept).take(rest));
    if drawn.len() < size {
        return Err(Fault::new(
            StatusCode::CONFLICT,
            "too_few",
            format!("only {} coils have their matrix at hand", drawn.len()),
            "wait until more coils have been judged",
        ));
    }
    Ok(drawn)
}

pub(super) async fn next(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Result<Response, Fault> {
    let name = inspector(&desk, &headers)?;
    blocking(move || {
        let (round, decision_id, item, left) = {
            let rejudge = lock(&desk);
            let session = rejudge.session.as_ref().ok_or_else(none)?;
            let full = session.inspectors().len() >= MAX_INSPECTORS && session.answered(&name, 1) == 0;
            if full {
                let message = format!("{MAX_INSPECTORS} people take part already");
                return Err(Fault::new(StatusCode::CONFLICT, "full", message, "wait for the next session"));
            }
            let Some((round, id)) = session.next(&name) else {
                return Ok(StatusCode::NO_CONTENT.into_response());
            };
            let left = session.decisions.len() - session.answered(&name, round);
            (round, id.to_owned(), session.item(id), left)
        };
        let assessment = assessment(&desk, &decision_id)?;
        Ok(Json(json!({
            "item": item,
            "round": round,
            "left": left,
            "order": assessment.order,
            "length_m": assessment.length_m,
        }))
        .into_response())
    })
    .await
}

pub(super) async fn matrix(
    State(desk): State<Arc<Desk>>,
    Path(item): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Fault> {
    inspector(&desk, &headers)?;
    blocking(move || {
        let decision_id = {
            let rejudge = lock(&desk);
            let session = rejudge.session.as_ref().ok_or_else(none)?;
            session.decision(&item).ok_or_else(|| Fault::unknown("this item"))?.to_owned()
        };
        let assessment = assessment(&desk, &decision_id)?;
        let (_, matrix) = matrix_of(&desk, &decision_id)?;
        let matrix = matrix.ok_or_else(|| Fault::unknown("this matrix"))?;
        Ok(Json(cells(&matrix, assessment.order.as_ref(), assessment.length_m)))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    label: Label,
}

pub(super) async fn answer(
    State(desk): State<Arc<Desk>>,
    Path(item): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Answer>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let name = inspector(&desk, &headers)?;
    let Json(Answer { label }) = body?;
    blocking(move || {
        let mut rejudge = lock(&desk);
        let session = rejudge.session.as_ref().ok_or_else(none)?;
        let asked = session.next(&name).map(|(round, id)| (round, id.to_owned()));
        let decision_id = session.decision(&item).ok_or_else(|| Fault::unknown("this item"))?.to_owned();
        // One coil at a time, as it was shown: nobody answers what he did not look at, or twice.
        let Some((round, _)) = asked.filter(|(_, id)| *id == decision_id) else {
            let to_do = "judge the one that is shown now";
            return Err(Fault::new(
                StatusCode::CONFLICT,
                "not_now",
                "this coil is not the one to be judged",
                to_do,
            ));
        };
        let id = session.id.clone();
        let entry = Entry::Answered { id, item: decision_id, round, by: name, label, at: Timestamp::now() };
        rejudge.note(entry)?;
        Ok((StatusCode::CREATED, Json(json!({ "round": round }))))
    })
    .await
}
