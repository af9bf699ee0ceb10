//! The page's files: part of the program, so that there is nothing to install and nothing to lose.

use super::Desk;
use super::fault::Fault;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Languages that there is a file of.
pub(super) const LANGUAGES: [&str; 2] = ["en", "de"];

/// Name, type and content of each file.
const FILES: &[(&str, &str, &[u8])] =
    &[("index.html", "text/html; charset=utf-8", include_bytes!("page/index.html"))];

const OPENAPI: &str = include_str!("openapi.json");

pub(super) async fn index(State(_): State<Arc<Desk>>, headers: HeaderMap) -> Result<Response, Fault> {
    send("index.html", &headers)
}

pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Fault> {
    send(&name, &headers)
}

/// By name alone: there is no folder to leave.
fn send(name: &str, headers: &HeaderMap) -> Result<Response, Fault> {
    let file = FILES.iter().find(|(known, ..)| *known == name);
    let (_, kind, bytes) = file.ok_or_else(|| Fault::unknown("this file"))?;
    let tag = format!("\"{}\"", crate::line::short_hex(&Sha256::digest(bytes)));
    let cache = [(header::CACHE_CONTROL, "no-cache".to_owned()), (header::ETAG, tag.clone())];
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    if known {
        return Ok((StatusCode::NOT_MODIFIED, cache).into_response());
    }
    Ok((cache, [(header::CONTENT_TYPE, *kind)], *bytes).into_response())
}

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
