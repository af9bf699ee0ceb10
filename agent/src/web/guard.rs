//! What holds for every request and every answer: who may ask, from where, how long it may take, what a browser may
//! do with what it gets.

use super::Desk;
use super::fault::Fault;
use super::sessions::LoggedIn;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request that is not answered by then is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a page of ours must send with every write: a page of somebody else's cannot, without being asked first.
const OURS: &str = "x-coilsight";
/// The cookie of a login.
pub(super) const COOKIE: &str = "coilsight";
/// Nothing from elsewhere, no inline script or style, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The address that a request came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub IpAddr);

/// Who writes.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub name: String,
    /// Whether it is a person at the page, and not a program.
    pub person: bool,
}

pub(super) async fn guard(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let mut response = match may_come(&desk, &request) {
        Err(fault) => fault.into_response(),
        Ok(()) => tokio::time::timeout(PATIENCE, next.run(request)).await.unwrap_or_else(|_| {
            Fault::not_yet("it took too long", "try again; if it stays so, see the second page")
                .into_response()
        }),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if api || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Whether a request may come at all: by a name of ours (others rebind theirs to our address), and, if it would
/// change something, from a page of ours or from no browser.
fn may_come(desk: &Desk, request: &Request) -> Result<(), Fault> {
    let headers = request.headers();
    let host = request.uri().host().or_else(|| text(headers, header::HOST.as_str())).unwrap_or_default();
    if !is_ours(desk, host) {
        return Err(Fault::new(
            StatusCode::MISDIRECTED_REQUEST,
            "host",
            "this machine does not answer to that name",
            "ask by its address, or add the name to web.hosts",
        ));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let elsewhere = || {
        Fault::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "a page from elsewhere may not write here",
            "use the page itself",
        )
    };
    if text(headers, "sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return Err(elsewhere());
    }
    if let Some(origin) = text(headers, header::ORIGIN.as_str()) {
        let from = origin.split_once("://").map(|(_, host)| host);
        if from != text(headers, header::HOST.as_str()) {
            return Err(elsewhere());
        }
    }
    let by_token = headers.contains_key(header::AUTHORIZATION);
    if !by_token && text(headers, OURS) != Some("1") {
        return Err(Fault::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "the header X-Coilsight: 1 is missing",
            "send it, so that no other page can write in your name",
        ));
    }
    Ok(())
}

/// Whether a host, with or without port, is this machine by a name that was given to it.
fn is_ours(desk: &Desk, host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty() => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let address = name.parse::<IpAddr>();
    // An address cannot be rebound; a name can.
    address.is_ok()
        || name == "localhost"
        || desk.settings.web.hosts.iter().any(|known| known.to_ascii_lowercase() == name)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The login's cookie, if there is one.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })
}

/// Who is logged in. Whoever was struck off the roster, or has another code, is not from that moment on.
pub(super) fn logged_in(desk: &Desk, headers: &HeaderMap) -> Option<LoggedIn> {
    let session = desk.sessions().who(cookie(headers)?, Instant::now())?;
    desk.operators.still_has(&session.operator).then_some(session)
}

/// Who writes, by login or by token.
pub(super) fn writer(desk: &Desk, headers: &HeaderMap) -> Result<Writer, Fault> {
    if let Some(given) = text(headers, header::AUTHORIZATION.as_str()) {
        let token = given.strip_prefix("Bearer ").map(str::trim);
        let name = token.and_then(|token| desk.operators.bearer(token));
        return name.map(|name| Writer { name, person: false }).ok_or_else(|| {
            let to_do = "make one with `coilsight-agent operator token NAME`";
            Fault::new(StatusCode::UNAUTHORIZED, "token", "this token is nobody's", to_do)
        });
    }
    logged_in(desk, headers).map(|session| Writer { name: session.operator.name, person: true }).ok_or_else(
        || {
            Fault::new(
                StatusCode::UNAUTHORIZED,
                "login",
                "nobody is logged in",
                "log in with your code or badge",
            )
        },
    )
}

/// Who writes what only people may.
pub(super) fn person(desk: &Desk, headers: &HeaderMap) -> Result<String, Fault> {
    let Writer { name, person } = writer(desk, headers)?;
    let program = || {
        let status = StatusCode::FORBIDDEN;
        Fault::new(
            status,
            "no_person",
            "this is for people, not for programs",
            "log in with your code or badge",
        )
    };
    if person { Ok(name) } else { Err(program()) }
}
