//! How gauges and inputs have changed, and new references taken on purpose.

use super::Desk;
use super::fault::Fault;
use super::guard::person;
use super::words::{blocking, remark};
use crate::drift::{Of, Renewal};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn show(State(desk): State<Arc<Desk>>) -> Json<Value> {
    let mut report = json!(desk.findings.drift());
    if !report.is_null() {
        report["references"] = json!(desk.findings.references.standing());
    }
    Json(report)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    of: Of,
    #[serde(default)]
    remark: Option<String>,
}

pub(super) async fn renew(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<(StatusCode, Json<Renewal>), Fault> {
    let by = person(&desk, &headers)?;
    let Json(Asked { of, remark: given }) = body?;
    let remark = remark(given)?;
    if matches!(of, Of::Gauge(gauge) if gauge.column().is_none()) {
        return Err(Fault::bad("there is no such gauge", "name a side, and a number from 1 to 9"));
    }
    blocking(move || {
        if !desk.findings.references.can_keep() {
            return Err(Fault::not_yet(
                "the log of references could not be opened",
                "see the second page, or the log",
            ));
        }
        desk.catch_up();
        // Until it is kept no coil comes into the book: what comes in then is behind it, now as after a restart.
        let book = desk.book();
        let last = book.coils().next_back();
        let new = Renewal {
            of,
            at: Timestamp::now(),
            by,
            remark,
            after: last.map(|coil| coil.decision_id.to_string()),
            after_coil: last.map(|coil| coil.coil_id.to_string()),
        };
        if desk.findings.references.renew(new.clone())? {
            return Ok((StatusCode::CREATED, Json(new)));
        }
        Err(Fault::new(
            StatusCode::CONFLICT,
            "nothing_new",
            "no coil was judged since this reference was last taken anew",
            "wait for the next coils: they are the reference",
        ))
    })
    .await
}
