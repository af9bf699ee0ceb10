//! Lists of coils, one coil, its matrix.

use super::Desk;
use super::fault::Fault;
use super::reading::reading;
use super::words::heard;
use crate::archive::Matrix;
use crate::book::{Book, Coil, Query, Queue, Seq, Signature};
use axum::extract::Query as Asked;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Json, Path, State};
use coilsight_models::coil::{CELLS, CHUNKS, CoilMatrix, GAUGES, Order};
use coilsight_models::message::assessment::Assessment;
use coilsight_models::verdict::Verdict;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Coils a page of a list, and at most.
const LIMIT: (usize, usize) = (50, 200);
/// Longest search, bytes.
const MAX_TEXT: usize = 256;
/// Similar coils that are shown.
const SIMILAR: usize = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListAsked {
    #[serde(default)]
    queue: QueueAsked,
    verdict: Option<Verdict>,
    #[serde(default)]
    q: String,
    before: Option<Seq>,
    limit: Option<usize>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum QueueAsked {
    #[default]
    All,
    Review,
    Drawn,
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    asked: Result<Asked<ListAsked>, QueryRejection>,
) -> Result<Json<Value>, Fault> {
    let Asked(asked) = asked?;
    let limit = asked.limit.unwrap_or(LIMIT.0);
    if !(1..=LIMIT.1).contains(&limit) || asked.q.len() > MAX_TEXT {
        let message = format!("limit must be 1 to {}, and q at most {MAX_TEXT} bytes", LIMIT.1);
        return Err(Fault::bad(message, "ask for less at a time"));
    }
    let queue = match asked.queue {
        QueueAsked::All => Queue::All,
        QueueAsked::Review => Queue::Review,
        QueueAsked::Drawn => Queue::Drawn,
    };
    reading(&desk, move |desk| {
        let query = Query { queue, verdict: asked.verdict, text: &asked.q, after: asked.before, limit };
        let book = desk.book();
        let page = book.list(&query);
        let counts = book.counts();
        let coils: Vec<Value> = page.coils.iter().map(|coil| row(coil)).collect();
        Ok(Json(json!({
            "revision": book.revision(),
            "coils": coils,
            "next": page.next.map(|at| at.to_string()),
            "counts": { "all": counts.all, "review": counts.review, "drawn": counts.drawn },
        })))
    })
    .await
}

fn row(coil: &Coil) -> Value {
    let stands = coil.words.standing();
    json!({
        "decision_id": coil.decision_id,
        "coil_id": coil.coil_id,
        "pass": coil.pass,
        "closed_at": coil.closed_at,
        "verdict": coil.verdict,
        "p_nok": coil.p_nok,
        "tolerance_class": coil.class,
        "nominal_g_m2": coil.nominal_g_m2,
        "width_mm": coil.width_mm,
        "length_m": coil.length_m,
        "reason": coil.reason.as_ref().map(ToString::to_string),
        "why": coil.reason,
        "label": stands.and_then(|word| word.label),
        "by": stands.map(|word| &word.by),
        "drawn": coil.drawn.is_some(),
    })
}

pub(super) async fn one(
    State(desk): State<Arc<Desk>>,
    Path(decision_id): Path<String>,
) -> Result<Json<Value>, Fault> {
    reading(&desk, move |desk| {
        let assessment = assessment(desk, &decision_id)?;
        let (_, words) = heard(&desk.archive, &decision_id)?;
        let (kept, matrix) = matrix_of(desk, &decision_id)?;
        let signature = matrix.map(|matrix| Signature::of(&matrix, assessment.order.as_ref()));
        let book = desk.book();
        let place = book.place(&decision_id);
        let beside = |at: Option<Seq>| at.and_then(|at| book.get(at)).map(|coil| &coil.decision_id);
        Ok(Json(json!({
            "drawn": assessment.drawn.is_some(),
            "assessment": assessment,
            "dispositions": words.all(),
            "standing": words.standing(),
            "matrix": kept,
            "similar": signature.map_or_else(Vec::new, |signature| similar(&book, &signature, place)),
            "newer": beside(place.map(|at| at + 1)),
            "older": beside(place.and_then(|at| at.checked_sub(1))),
        })))
    })
    .await
}

fn similar(book: &Book, to: &Signature, place: Option<Seq>) -> Vec<Value> {
    let found = book.similar(to, place, SIMILAR).into_iter();
    found
        .map(|similar| {
            json!({
                "decision_id": similar.coil.decision_id,
                "coil_id": similar.coil.coil_id,
                "distance": similar.distance,
                "verdict": similar.coil.verdict,
                "label": similar.coil.words.label(),
            })
        })
        .collect()
}

pub(super) async fn matrix(
    State(desk): State<Arc<Desk>>,
    Path(decision_id): Path<String>,
) -> Result<Json<Value>, Fault> {
    reading(&desk, move |desk| {
        let assessment = assessment(desk, &decision_id)?;
        let (kept, matrix) = matrix_of(desk, &decision_id)?;
        let matrix = matrix.ok_or_else(|| {
            let why = match kept {
                "dropped" => "its matrix was let go to make room",
                "no_room" => "there was no room for its matrix",
                _ => "nothing of it was seen",
            };
            Fault { message: why.into(), ..Fault::unknown("this matrix") }
        })?;
        Ok(Json(cells(&matrix, assessment.order.as_ref(), assessment.length_m)))
    })
    .await
}

/// A matrix in g/m2, chunk by chunk.
pub(super) fn cells(matrix: &CoilMatrix, order: Option<&Order>, length_m: Option<f64>) -> Value {
    let read = |values: &[u16]| -> Vec<Option<f64>> {
        (0..CELLS).map(|i| (matrix.mean()[i] != 0).then(|| f64::from(values[i]) / 100.0)).collect()
    };
    json!({
        "chunks": CHUNKS,
        "gauges": GAUGES,
        "length_m": length_m,
        "nominal_g_m2": order.map(Order::nominal_g_m2),
        "mean": read(matrix.mean()),
        "std": read(matrix.std()),
    })
}

pub(super) fn assessment(desk: &Desk, decision_id: &str) -> Result<Assessment, Fault> {
    let decision = desk.archive.decision(decision_id)?.ok_or_else(|| Fault::unknown("this decision"))?;
    serde_json::from_slice(&decision.json).map_err(|error| {
        tracing::error!(decision_id, %error, "a decision of a form that is not known here");
        Fault::not_yet("the decision is of a form that is not known here", "please report it, with the log")
    })
}

/// What became of a decision's matrix, and it.
pub(super) fn matrix_of(desk: &Desk, decision_id: &str) -> Result<(&'static str, Option<CoilMatrix>), Fault> {
    Ok(match desk.archive.matrix(decision_id)? {
        Matrix::Kept(bytes) => match CoilMatrix::from_bytes(&bytes) {
            Ok(matrix) => ("kept", Some(matrix)),
            Err(_) => ("absent", None),
        },
        Matrix::Dropped => ("dropped", None),
        Matrix::NoRoom => ("no_room", None),
        Matrix::Absent => ("absent", None),
    })
}
