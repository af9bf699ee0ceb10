//! Logging in: a short code or a badge says who somebody is, for a shift.

use super::Desk;
use super::fault::Fault;
use super::guard::{COOKIE, Peer, cookie, logged_in};
use super::sessions::LoggedIn;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Json, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::{Trouble, Why};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

/// No code is longer, bytes: as in the roster.
const MAX_CODE: usize = 64;

fn answer(desk: &Desk, who: Option<&LoggedIn>) -> serde_json::Value {
    json!({
        "operator": who.map(|who| &who.operator.name),
        "until": who.map(|who| who.until),
        "line": desk.settings.line.id,
        "languages": super::page::LANGUAGES,
        "demo": desk.settings.web.demo,
        "operators": desk.operators.count(),
    })
}

pub(super) async fn session(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Json<serde_json::Value> {
    Json(answer(&desk, logged_in(&desk, &headers).as_ref()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    code: String,
}

pub(super) async fn login(
    State(desk): State<Arc<Desk>>,
    Extension(Peer(peer)): Extension<Peer>,
    body: Result<Json<Login>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(Login { code }) = body?;
    // Taken before the code is looked at, so that tries at the same moment do not pass together.
    {
        let mut tries = desk.tries();
        tries.may_try(peer, Instant::now()).map_err(|wait| {
            let seconds = wait.as_secs() + 1;
            let message = "too many wrong codes were tried";
            let to_do = format!("wait {seconds} s, then try again");
            let status = StatusCode::TOO_MANY_REQUESTS;
            Fault { after_s: Some(seconds), ..Fault::new(status, "too_many_tries", message, to_do) }
        })?;
        tries.wrong(peer, Instant::now());
    }
    let asked = Arc::clone(&desk);
    let known = if code.is_empty() || code.len() > MAX_CODE {
        None
    } else {
        tokio::task::spawn_blocking(move || asked.operators.who(&code)).await.ok().flatten()
    };
    let Some(known) = known else {
        tracing::warn!(%peer, "a code that is nobody's");
        tell_of_guessing(&desk);
        let to_do = match (desk.operators.fault(), desk.operators.count()) {
            (Some(fault), _) => fault,
            (None, 0) => "add operators at the machine: `coilsight-agent operator add NAME`".into(),
            _ => "try again, or ask for a new code (`coilsight-agent operator`)".to_owned(),
        };
        return Err(Fault::new(StatusCode::UNAUTHORIZED, "code", "this code is nobody's", to_do));
    };
    desk.tries().right(peer, Instant::now());
    tell_of_guessing(&desk);
    let (shown, who) = {
        let mut sessions = desk.sessions();
        let shown = sessions.begin(known, Instant::now(), Timestamp::now());
        let who = sessions.who(&shown, Instant::now());
        (shown, who)
    };
    let hours = u64::from(desk.settings.web.shift_hours) * 3600;
    let set = format!("{COOKIE}={shown}; HttpOnly; SameSite=Strict; Path=/; Max-Age={hours}");
    Ok(with_cookie(answer(&desk, who.as_ref()), &set))
}

/// Many wrong codes are for a person to look at.
fn tell_of_guessing(desk: &Desk) {
    let trouble = Trouble {
        topic: Subject::Page,
        text: "many wrong codes have been tried at the page: somebody may be guessing".into(),
        to_do: "see in the log from which address (\"a code that is nobody's\"), and who is there; codes that are \
                long, or badges, cannot be guessed"
            .into(),
        why: Some(Why::of("guessing")),
    };
    let troubles = if desk.tries().are_suspicious() { vec![trouble] } else { Vec::new() };
    desk.board.tell("codes", troubles);
}

pub(super) async fn logout(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: Result<Json<super::words::Nothing>, JsonRejection>,
) -> Result<Response, Fault> {
    let _nothing = body?;
    if let Some(cookie) = cookie(&headers) {
        desk.sessions().end(cookie);
    }
    let gone = format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    Ok(with_cookie(answer(&desk, None), &gone))
}

fn with_cookie(body: serde_json::Value, cookie: &str) -> Response {
    let mut response = Json(body).into_response();
    // Of hexadecimal digits and our own words.
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}
