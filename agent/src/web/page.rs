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

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const WORDS: &str = "application/json";
const PICTURE: &str = "image/svg+xml";

/// Name, type and content of each file.
const FILES: &[(&str, &str, &[u8])] = &[
    ("figures.css", STYLE, include_bytes!("page/figures.css")),
    ("page.css", STYLE, include_bytes!("page/page.css")),
    ("index.html", HTML, include_bytes!("page/index.html")),
    ("agreement.js", SCRIPT, include_bytes!("page/agreement.js")),
    ("api.js", SCRIPT, include_bytes!("page/api.js")),
    ("app.js", SCRIPT, include_bytes!("page/app.js")),
    ("coil.js", SCRIPT, include_bytes!("page/coil.js")),
    ("colours.js", SCRIPT, include_bytes!("page/colours.js")),
    ("details.js", SCRIPT, include_bytes!("page/details.js")),
    ("dialog.js", SCRIPT, include_bytes!("page/dialog.js")),
    ("dom.js", SCRIPT, include_bytes!("page/dom.js")),
    ("faults.js", SCRIPT, include_bytes!("page/faults.js")),
    ("figures.js", SCRIPT, include_bytes!("page/figures.js")),
    ("heat.js", SCRIPT, include_bytes!("page/heat.js")),
    ("help.js", SCRIPT, include_bytes!("page/help.js")),
    ("languages.js", SCRIPT, include_bytes!("page/languages.js")),
    ("list.js", SCRIPT, include_bytes!("page/list.js")),
    ("live.js", SCRIPT, include_bytes!("page/live.js")),
    ("login.js", SCRIPT, include_bytes!("page/login.js")),
    ("queues.js", SCRIPT, include_bytes!("page/queues.js")),
    ("reasons.js", SCRIPT, include_bytes!("page/reasons.js")),
    ("references.js", SCRIPT, include_bytes!("page/references.js")),
    ("rejudge.js", SCRIPT, include_bytes!("page/rejudge.js")),
    ("say.js", SCRIPT, include_bytes!("page/say.js")),
    ("scores.js", SCRIPT, include_bytes!("page/scores.js")),
    ("session.js", SCRIPT, include_bytes!("page/session.js")),
    ("status.js", SCRIPT, include_bytes!("page/status.js")),
    ("de.json", WORDS, include_bytes!("page/de.json")),
    ("en.json", WORDS, include_bytes!("page/en.json")),
    ("favicon.svg", PICTURE, include_bytes!("page/favicon.svg")),
];

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
