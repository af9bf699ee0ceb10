//! Blind re-judging: two or three inspectors judge the same coils twice, without id, verdict or words. Where they
//! disagree with each other, or with themselves, a model cannot agree.
//!
//! Answers are kept in a log of their own, for ever ([`session`]); they are no dispositions.

mod session;

pub use session::{Rejudge, Session};

use super::Desk;
use super::coils::{assessment, cells, matrix_of};
use super::fault::Fault;
use super::guard::person;
use super::reading::reading;
use super::words::blocking;
use crate::book::MAX_SIGNATURES;
use crate::watch::Findings;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use coilsight_models::message::inbound::Label;
use coilsight_models::verdict::Verdict;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use session::ROUNDS;
use std::sync::{Arc, MutexGuard, PoisonError};

/// Coils of a session.
const SIZE: std::ops::RangeInclusive<usize> = 30..=50;
/// Inspectors of one session: more make no better figure.
const MAX_INSPECTORS: usize = 8;

fn lock(desk: &Desk) -> MutexGuard<'_, Rejudge> {
    desk.rejudge.lock().unwrap_or_else(PoisonError::into_inner)
}

fn none() -> Fault {
    Fault {
        message: "no blind re-judging is going on".into(),
        to_do: "start one".into(),
        ..Fault::unknown("")
    }
}

pub(super) async fn show(State(desk): State<Arc<Desk>>) -> Result<Json<Value>, Fault> {
    reading(&desk, |desk| Ok(Json(shown(desk)))).await
}

/// The latest session; how far people agree only once nobody judges any more, or it would tell them the models' word.
fn shown(desk: &Desk) -> Value {
    let (session, finished) = {
        let rejudge = lock(desk);
        (rejudge.session().cloned(), rejudge.finished().cloned())
    };
    let of = |session: &Session| {
        let agreement = session.is_finished().then(|| Findings::agreement(session, &desk.book())).flatten();
        json!({ "session": about(session), "agreement": agreement })
    };
    let mut shown = session.as_ref().map_or_else(|| json!({ "session": null, "agreement": null }), of);
    shown["finished"] = finished.as_ref().map_or(Value::Null, of);
    shown
}

fn about(session: &Session) -> Value {
    let done =
        |name: &str| -> Vec<usize> { (1..=ROUNDS).map(|round| session.answered(name, round)).collect() };
    let inspectors: Vec<Value> =
        session.inspectors().into_iter().map(|name| json!({ "name": name, "done": done(name) })).collect();
    json!({
        "id": session.id,
        "size": session.decisions.len(),
        "rounds": ROUNDS,
        "started_at": session.at,
        "started_by": session.by,
        "inspectors": inspectors,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    size: usize,
    /// The session whose answers are given up, if one is running.
    #[serde(default)]
    replaces: Option<String>,
}

pub(super) async fn start(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: Result<Json<Start>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let name = person(&desk, &headers)?;
    let Json(Start { size, replaces }) = body?;
    if !SIZE.contains(&size) {
        let message = format!("a session has {} to {} coils", SIZE.start(), SIZE.end());
        return Err(Fault::bad(message, "fewer say nothing, more tire"));
    }
    blocking(move || {
        may_start(&lock(&desk), replaces.as_deref())?;
        let mut new = Session::begin(name, Timestamp::now());
        new.decisions = draw(&desk, &new, size)?;
        {
            let mut rejudge = lock(&desk);
            // Somebody may have begun to judge while coils were drawn.
            may_start(&rejudge, replaces.as_deref())?;
            rejudge.start(new)?;
        }
        Ok((StatusCode::CREATED, Json(shown(&desk))))
    })
    .await
}

fn may_start(rejudge: &Rejudge, replaces: Option<&str>) -> Result<(), Fault> {
    match rejudge.session() {
        Some(running) if running.is_running() && replaces != Some(&*running.id) => Err(Fault::new(
            StatusCode::CONFLICT,
            "session_running",
            "somebody has begun the session before and has not judged both rounds",
            "finish it, or name it (replaces) to give its answers up",
        )),
        _ => Ok(()),
    }
}

/// Draws coils by lot: up to half of them such as somebody or the ensemble doubted, or else nearly all would be OK and
/// agreement would say nothing.
fn draw(desk: &Desk, session: &Session, size: usize) -> Result<Vec<String>, Fault> {
    let (mut doubted, mut plain) = (Vec::new(), Vec::new());
    {
        let book = desk.book();
        for coil in book.coils().rev().take(MAX_SIGNATURES) {
            let plainly = coil.verdict == Verdict::Ok && coil.words.label() != Some(Label::Nok);
            let lot = session.lot("draw", &coil.decision_id);
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
    let name = person(&desk, &headers)?;
    blocking(move || {
        let (round, decision_id, item, left) = {
            let rejudge = lock(&desk);
            let session = rejudge.session().ok_or_else(none)?;
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
    person(&desk, &headers)?;
    blocking(move || {
        let decision_id = {
            let rejudge = lock(&desk);
            let session = rejudge.session().ok_or_else(none)?;
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
    let name = person(&desk, &headers)?;
    let Json(Answer { label }) = body?;
    blocking(move || {
        let mut rejudge = lock(&desk);
        let session = rejudge.session().ok_or_else(none)?;
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
        rejudge.answer(decision_id, round, name, label, Timestamp::now())?;
        Ok((StatusCode::CREATED, Json(json!({ "round": round }))))
    })
    .await
}
