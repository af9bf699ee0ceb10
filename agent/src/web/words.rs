//! What people say on the page: kept before it is answered, by the same log as words over the broker.

use super::Desk;
use super::fault::Fault;
use super::guard::{Writer, writer};
use crate::archive::Archive;
use crate::line::short_hex;
use crate::words::{self, FeedbackRecord, MAX_WORDS, Source, Word, Words};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Path, State};
use axum::http::{HeaderMap, StatusCode};
use coilsight_models::coil::CoilId;
use coilsight_models::message::inbound::{Feedback, Label};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::{Arc, PoisonError};

/// Longest remark, characters: as over the broker.
const MAX_REMARK: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    label: Label,
    #[serde(default)]
    remark: Option<String>,
    /// The word that the page showed as standing.
    #[serde(default)]
    standing: Option<String>,
}

pub(super) async fn say(
    State(desk): State<Arc<Desk>>,
    Path(decision_id): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Said>, JsonRejection>,
) -> Result<(StatusCode, Json<Word>), Fault> {
    let who = writer(&desk, &headers)?;
    let Json(said) = body?;
    let remark = remark(said.remark)?;
    blocking(move || {
        let _one_at_a_time = desk.saying.lock().unwrap_or_else(PoisonError::into_inner);
        let (coil_id, words) = heard(&desk.archive, &decision_id)?;
        let stands = words.standing();
        if stands.map(|word| &word.disposition_id) != said.standing.as_ref() {
            return Err(conflict(stands));
        }
        if words.are_full() {
            return Err(Fault::new(
                StatusCode::CONFLICT,
                "too_many_words",
                format!("{MAX_WORDS} words were said about this coil"),
                "no more are taken: agree, then take back those that are wrong",
            ));
        }
        let feedback =
            Feedback { coil_id, label: said.label, operator: who.name, at: Timestamp::now(), remark };
        let key = keep(&desk.archive, &decision_id, feedback, None)?;
        desk.catch_up();
        let (_, words) = heard(&desk.archive, &decision_id)?;
        // Over the broker another may have come meanwhile.
        let stands = words.standing();
        let word = stands.filter(|word| word.disposition_id == key).ok_or_else(|| conflict(stands))?;
        Ok((StatusCode::CREATED, Json(word.clone())))
    })
    .await
}

/// Not what whoever spoke had seen.
fn conflict(stands: Option<&Word>) -> Fault {
    Fault {
        more: Some(Box::new(("standing", json!(stands)))),
        ..Fault::new(
            StatusCode::CONFLICT,
            "conflict",
            "somebody else has said something about this coil meanwhile",
            "look at what was said, then say it again if you still mean it",
        )
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

pub(super) async fn withdraw(
    State(desk): State<Arc<Desk>>,
    Path(disposition_id): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Nothing>, JsonRejection>,
) -> Result<Json<serde_json::Value>, Fault> {
    let Writer { name, .. } = writer(&desk, &headers)?;
    let _nothing = body?;
    blocking(move || {
        let _one_at_a_time = desk.saying.lock().unwrap_or_else(PoisonError::into_inner);
        let about = desk.archive.word(&disposition_id)?.and_then(|word| word.about);
        let decision_id = about.ok_or_else(|| Fault::unknown("this word"))?;
        let (coil_id, words) = heard(&desk.archive, &decision_id)?;
        let said = words.all().iter().find(|word| word.disposition_id == disposition_id);
        let (said, label) =
            said.and_then(|word| Some((word, word.label?))).ok_or_else(|| Fault::unknown("this word"))?;
        if said.by != name {
            return Err(Fault::new(
                StatusCode::FORBIDDEN,
                "not_yours",
                format!("this was said by {}", said.by),
                "say what you mean instead: the later word stands",
            ));
        }
        if !said.withdrawn {
            let feedback = Feedback { coil_id, label, operator: name, at: Timestamp::now(), remark: None };
            keep(&desk.archive, &decision_id, feedback, Some(disposition_id.clone()))?;
        }
        desk.catch_up();
        let (_, words) = heard(&desk.archive, &decision_id)?;
        let withdrawn = words.all().iter().find(|word| word.disposition_id == disposition_id);
        let withdrawn = withdrawn.ok_or_else(|| Fault::unknown("this word"))?;
        Ok(Json(json!({ "withdrawn": withdrawn, "standing": words.standing() })))
    })
    .await
}

/// Words of people who are no operators: kept, and about nothing.
pub(super) async fn quarantine(State(desk): State<Arc<Desk>>) -> Result<Json<serde_json::Value>, Fault> {
    let book = desk.book();
    let strangers = book.strangers();
    Ok(Json(json!({ "count": strangers.count(), "words": strangers.latest().collect::<Vec<_>>() })))
}

/// What waits for the disk must not hold up the others.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|died| {
        tracing::error!(%died, "a request failed");
        Err(Fault::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed",
            "the request failed inside the agent",
            "please report it, with the log",
        ))
    })
}

/// The coil of a decision, and what was said of it.
pub(super) fn heard(archive: &Archive, decision_id: &str) -> Result<(CoilId, Words), Fault> {
    let decision = archive.decision(decision_id)?.ok_or_else(|| Fault::unknown("this decision"))?;
    let unreadable =
        |what: &str| Fault::not_yet(format!("{what} cannot be read"), "please report it, with the log");
    let coil_id = CoilId::new(decision.coil_id).map_err(|_| unreadable("the coil's id"))?;
    let words =
        words::read(&archive.feedback_on(decision_id)?).map_err(|_| unreadable("a word on this decision"))?;
    Ok((coil_id, words))
}

fn keep(
    archive: &Archive,
    about: &str,
    feedback: Feedback,
    withdraws: Option<String>,
) -> Result<String, Fault> {
    let heard_at = Some(feedback.at);
    let record = FeedbackRecord {
        feedback,
        known: true,
        heard_at,
        source: Source::Page,
        quarantined: false,
        withdraws,
    };
    // Plain data: writing them to memory has no way to fail.
    let json = serde_json::to_vec(&record).expect("feedback becomes JSON");
    let mut hash = Sha256::new();
    hash.update(b"coilsight word 1\0");
    hash.update(about);
    hash.update(b"\0");
    hash.update(&json);
    let key = short_hex(&hash.finalize());
    archive.feedback(&key, Some(about), &json)?;
    Ok(key)
}

/// A remark that may be kept; an empty one is none.
pub(super) fn remark(given: Option<String>) -> Result<Option<String>, Fault> {
    let remark = given.filter(|remark| !remark.trim().is_empty());
    let fine =
        |remark: &String| remark.chars().count() <= MAX_REMARK && !remark.chars().any(char::is_control);
    if remark.as_ref().is_none_or(fine) {
        return Ok(remark);
    }
    Err(Fault::bad(
        format!("the remark is longer than {MAX_REMARK} characters, or has control characters"),
        "shorten it, on one line",
    ))
}
