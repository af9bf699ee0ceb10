//! The record over REST: read-only, JSON, bounded.
//!
//! | `GET` | gives |
//! |---|---|
//! | `/api/v1/lines` | lines, their slots and newest reports |
//! | `/api/v1/coils?line&coil&label&limit` | decisions, latest first |
//! | `/api/v1/lines/{line}/coils/{decision_id}` | a decision with all words on it |
//! | `/api/v1/history?line&about` | what happened, latest first |
//! | `/api/v1/lines/{line}/retrainings` | what was done about models |
//! | `/api/v1/lines/{line}/performance?set&judge` | how they do and did (the paper's mperformance), latest first |
//! | `/api/v1/lines/{line}/triggers` | what asked for new ones, and whether it still does |
//! | `/api/v1/models?line` | sets that judged or wait, and where they are available |
//! | `/api/v1/models/{fingerprint}` | everything about a set |
//! | `/api/v1/status` | whether lines are heard, and what has come |
//! | `/healthz`, `/readyz`, `/metrics` | whether it lives, whether the database answers, counters |

use super::Counts;
use crate::plant::{Error, Query, Record};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What answers need.
#[derive(Clone)]
struct Desk {
    record: Record,
    counts: Arc<Counts>,
    hosts: Arc<Vec<String>>,
}

/// Everything that is served; `hosts`: names by which browsers may ask, beside addresses and localhost.
pub fn router(record: Record, counts: Arc<Counts>, hosts: Vec<String>) -> Router {
    let desk = Desk { record, counts, hosts: Arc::new(hosts) };
    Router::new()
        .route("/", get(|| async { asset("text/html; charset=utf-8", include_str!("page.html")) }))
        .route("/page.js", get(|| async { asset("text/javascript; charset=utf-8", include_str!("page.js")) }))
        .route("/api/v1/lines", get(lines))
        .route("/api/v1/lines/{line}/retrainings", get(retrainings))
        .route("/api/v1/lines/{line}/performance", get(performance))
        .route("/api/v1/lines/{line}/triggers", get(triggers))
        .route("/api/v1/models", get(models))
        .route("/api/v1/models/{fingerprint}", get(model))
        .route("/api/v1/status", get(status))
        .route("/api/v1/coils", get(coils))
        .route("/api/v1/lines/{line}/coils/{decision_id}", get(coil))
        .route("/api/v1/history", get(history))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(|| async {
            fault(StatusCode::NOT_FOUND, "not_found", "there is nothing here", "see GET /")
        })
        .layer(middleware::from_fn_with_state(desk.clone(), guard))
        .with_state(desk)
}

/// A refusal, as the line's page gives it, too.
fn fault(status: StatusCode, code: &str, message: &str, to_do: &str) -> Response {
    (status, Json(json!({"error": {"code": code, "message": message, "to_do": to_do}}))).into_response()
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        // The database's own words stay here: they may name more than a reader should know.
        tracing::warn!("a question is not answered: {:#}", anyhow::Error::new(self));
        fault(
            StatusCode::SERVICE_UNAVAILABLE,
            "database",
            "the plant's record cannot be read",
            "see to the database; the log of `coilsight-trainer serve` says more",
        )
    }
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// A page elsewhere must not ask by a name that leads here (DNS rebinding), and nothing is kept or framed.
async fn guard(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut response = if is_ours(host, &desk.hosts) {
        next.run(request).await
    } else {
        fault(
            StatusCode::FORBIDDEN,
            "host",
            "this name is not known here",
            "ask by an address, or start with --host NAME",
        )
    };
    let policy = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; \
        form-action 'none'; frame-ancestors 'none'";
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn is_ours(host: &str, hosts: &[String]) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let plain = name.parse::<std::net::IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost");
    plain || hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
}

async fn lines(State(desk): State<Desk>) -> Result<Response, Error> {
    Ok(Json(json!({"lines": desk.record.lines().await?})).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    line: Option<String>,
    coil: Option<String>,
    label: Option<String>,
    limit: Option<i64>,
}

async fn coils(
    State(desk): State<Desk>,
    asked: Result<axum::extract::Query<Which>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Error> {
    let Ok(axum::extract::Query(Which { line, coil, label, limit })) = asked else { return Ok(bad_query()) };
    let coils = desk.record.coils(&Query { line, coil_id: coil, label, limit }).await?;
    Ok(Json(json!({"coils": coils})).into_response())
}

fn bad_query() -> Response {
    fault(
        StatusCode::BAD_REQUEST,
        "query",
        "the question is not understood",
        "use the names of the documentation",
    )
}

async fn coil(
    State(desk): State<Desk>,
    Path((line, decision_id)): Path<(String, String)>,
) -> Result<Response, Error> {
    Ok(match desk.record.coil(&line, &decision_id).await? {
        Some(told) => Json(told).into_response(),
        None => fault(
            StatusCode::NOT_FOUND,
            "not_found",
            "no such decision is in the record",
            "wait until its line has sent it",
        ),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    line: Option<String>,
    about: Option<String>,
}

async fn history(
    State(desk): State<Desk>,
    asked: Result<axum::extract::Query<About>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Error> {
    let Ok(axum::extract::Query(About { line, about })) = asked else { return Ok(bad_query()) };
    let history = desk.record.history(line.as_deref(), about.as_deref()).await?;
    Ok(Json(json!({"history": history})).into_response())
}

async fn retrainings(State(desk): State<Desk>, Path(line): Path<String>) -> Result<Response, Error> {
    Ok(Json(json!({"retrainings": desk.record.retrainings(&line).await?})).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    set: Option<String>,
    judge: Option<String>,
}

async fn performance(
    State(desk): State<Desk>,
    Path(line): Path<String>,
    asked: Result<axum::extract::Query<Whose>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Error> {
    let Ok(axum::extract::Query(Whose { set, judge })) = asked else { return Ok(bad_query()) };
    let figures = desk.record.performance(&crate::plant::Which { line: Some(line), set, judge }).await?;
    Ok(Json(json!({"performance": figures})).into_response())
}

async fn triggers(State(desk): State<Desk>, Path(line): Path<String>) -> Result<Response, Error> {
    let which = crate::plant::Which { line: Some(line), ..crate::plant::Which::default() };
    Ok(Json(json!({"triggers": desk.record.triggers(&which).await?})).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Where {
    line: Option<String>,
}

async fn models(
    State(desk): State<Desk>,
    asked: Result<axum::extract::Query<Where>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Error> {
    let Ok(axum::extract::Query(Where { line })) = asked else { return Ok(bad_query()) };
    Ok(Json(json!({"models": desk.record.models(line.as_deref()).await?})).into_response())
}

async fn model(State(desk): State<Desk>, Path(fingerprint): Path<String>) -> Result<Response, Error> {
    let history = desk.record.model(&fingerprint).await?;
    if history.is_empty() {
        let (message, to_do) =
            ("no line has used this set, and no retraining led to it", "see GET /api/v1/models");
        return Ok(fault(StatusCode::NOT_FOUND, "not_found", message, to_do));
    }
    Ok(Json(history).into_response())
}

async fn status(State(desk): State<Desk>) -> Result<Response, Error> {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let lines = desk.record.lines().await?.into_iter();
    let lines = lines.map(|line| json!({"line": line.line, "heard": line.heard, "newest": line.newest}));
    let counts = &desk.counts;
    let status = json!({
        "broker": if count(&counts.connected) == 1 { "connected" } else { "away" },
        "batches": count(&counts.batches), "reports": count(&counts.reports), "refused": count(&counts.refused),
        "failed": count(&counts.failed), "lines": lines.collect::<Vec<_>>(),
    });
    Ok(Json(status).into_response())
}

async fn ready(State(desk): State<Desk>) -> Result<Response, Error> {
    desk.record.answers().await?;
    Ok("ready\n".into_response())
}

async fn metrics(State(desk): State<Desk>) -> Response {
    let counts = &desk.counts;
    let mut text = String::new();
    for (name, kind, help, value) in [
        ("batches_total", "counter", "Batches stored, or known.", &counts.batches),
        ("reports_total", "counter", "Reports and slots stored.", &counts.reports),
        ("refused_total", "counter", "Messages that were not understood.", &counts.refused),
        ("failed_total", "counter", "Messages that the database did not take.", &counts.failed),
        ("connected", "gauge", "1 while there is a connection to the broker.", &counts.connected),
    ] {
        let name = format!("coilsight_record_{name}");
        let value = value.load(Ordering::Relaxed);
        text.extend([
            "# HELP ",
            &name,
            " ",
            help,
            "\n# TYPE ",
            &name,
            " ",
            kind,
            "\n",
            &name,
            " ",
            &value.to_string(),
            "\n",
        ]);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
