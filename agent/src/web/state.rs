//! How the line is: status, models, scores, drift, health.

use super::Desk;
use super::fault::Fault;
use super::reading::{reading, working_out};
use crate::score::{self, BadWindow, Window};
use crate::slots::{Entry, Event};
use crate::watch::Findings;
use crate::{manage, show};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Json, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use coilsight_models::message::status::{Status, Trouble};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What the line's thread shows to everybody else, and what others tell it.
#[derive(Debug, Default)]
pub struct Board {
    shown: Mutex<Shown>,
    told: Mutex<BTreeMap<String, Vec<Trouble>>>,
}

#[derive(Debug, Default)]
struct Shown {
    status: Option<Status>,
    connected: bool,
}

impl Board {
    /// Shows how it is now.
    pub fn show(&self, status: Status, connected: bool) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Shown { status: Some(status), connected };
    }

    /// What others have found that a person must act on: all of a kind, none of which says that it is over.
    pub fn tell(&self, kind: &str, troubles: Vec<Trouble>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(kind.to_owned(), troubles);
    }

    /// What was told since the last call, for the line's thread.
    pub fn told(&self) -> BTreeMap<String, Vec<Trouble>> {
        std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The status as it was last shown.
    pub fn status(&self) -> Option<Status> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).status.clone()
    }

    /// Whether there was a connection to the broker then.
    pub fn is_connected(&self) -> bool {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).connected
    }
}

/// Entries of the models' trail that are shown.
const TRAIL: usize = 50;

fn starting() -> Fault {
    Fault::not_yet("the agent is starting", "wait some seconds")
}

pub(super) async fn status(State(desk): State<Arc<Desk>>) -> Result<Json<Value>, Fault> {
    let status = desk.board.status().ok_or_else(starting)?;
    // Our own plain data: becoming JSON has no way to fail.
    let mut value = serde_json::to_value(status).expect("a status becomes JSON");
    value["connected"] = json!(desk.board.is_connected());
    Ok(Json(value))
}

pub(super) async fn models(State(desk): State<Arc<Desk>>) -> Result<Response, Fault> {
    working_out(&desk, "models".into(), |desk| {
        let (entries, slots) = manage::look(&desk.settings).map_err(|error| {
            Fault::not_yet(format!("the models' trail cannot be read: {error:#}"), "see the log")
        })?;
        let wanted = |entry: &&Entry| !matches!(entry.event, Event::Shadowed { .. });
        let trail: Vec<Value> = entries
            .iter()
            .rev()
            .filter(wanted)
            .take(TRAIL)
            .map(|entry| json!({ "at": entry.at, "text": entry.event.to_string(), "entry": entry }))
            .collect();
        let mut models = show::slots_json(&slots);
        let rules = &desk.settings.update;
        models["shadow"] = json!(slots.candidate.as_ref().map(|candidate| json!({
            "judged": candidate.shadow.len(),
            "agreed": candidate.shadow.iter().filter(|(a, b)| a.by_score == b.by_score).count(),
            "wanted": rules.shadow_coils,
            "min_agreement": rules.min_agreement,
        })));
        models["judges"] = json!(desk.board.status().and_then(|status| status.running?.bundle));
        models["trail"] = json!(trail);
        Ok(models)
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScoresAsked {
    window: Option<String>,
}

pub(super) async fn scores(
    State(desk): State<Arc<Desk>>,
    asked: Result<Query<ScoresAsked>, QueryRejection>,
) -> Result<Response, Fault> {
    let Query(asked) = asked?;
    let asked = asked.window.as_deref().unwrap_or("all");
    let window: Window =
        asked.parse().map_err(|bad: BadWindow| Fault::bad(bad.to_string(), "see /api/v1/openapi.json"))?;
    working_out(&desk, format!("scores {asked}"), move |desk| {
        // The book is let go before anything is worked out.
        let judged = Findings::judged(&desk.book());
        Ok(score::scores(&judged, window, Timestamp::now()))
    })
    .await
}

pub(super) async fn triggers(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(json!({ "triggers": desk.findings.triggers() }))
}

pub(super) async fn healthz() -> &'static str {
    "alive\n"
}

/// Ready: what is said is kept, and lists are whole.
pub(super) async fn readyz(State(desk): State<Arc<Desk>>) -> Result<Response, Fault> {
    let stopped = reading(&desk, |desk| Ok(desk.archive.stats().stopped)).await?;
    let why = match (stopped, desk.findings.is_built()) {
        (Some(why), _) => Some(format!("the archive takes nothing: {why}")),
        (None, false) => Some("the list of coils is being read from the archive".into()),
        (None, true) => None,
    };
    Ok(match why {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    })
}
