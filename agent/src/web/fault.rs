//! What goes wrong with a request, said in the one form that all errors have.

use crate::{archive, say};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) struct Fault {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub to_do: String,
    /// What the page needs to go on, beside the error.
    pub more: Option<Box<(&'static str, serde_json::Value)>>,
    /// When to try again, s.
    pub after_s: Option<u64>,
}

impl Fault {
    pub fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        to_do: impl Into<String>,
    ) -> Self {
        Self { status, code, message: message.into(), to_do: to_do.into(), more: None, after_s: None }
    }

    pub fn unknown(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("{what} is not known here"),
            "see the list of coils",
        )
    }

    pub fn bad(message: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, to_do)
    }

    pub fn not_yet(message: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { after_s: Some(5), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_now", message, to_do) }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut body = json!({
            "error": { "code": self.code, "message": self.message, "to_do": self.to_do }
        });
        if let Some((key, value)) = self.more.map(|more| *more) {
            body[key] = value;
        }
        let mut response = (self.status, Json(body)).into_response();
        if let Some(after) = self.after_s {
            response.headers_mut().insert(header::RETRY_AFTER, after.into());
        }
        response
    }
}

impl From<archive::Error> for Fault {
    fn from(error: archive::Error) -> Self {
        if matches!(error, archive::Error::UnknownDecision { .. }) {
            return Self::unknown("this decision");
        }
        let full = error.is_full();
        let text = say::chain(&error);
        tracing::warn!(error = text, "a request met the archive's trouble");
        if full {
            return Self::not_yet(
                format!("there is no room to keep it: {text}"),
                "make room on the disk, then say it again",
            );
        }
        Self::not_yet(format!("the archive does not answer: {text}"), "see the second page, or the log")
    }
}

/// Requests that axum itself refuses: of the wrong type, too long, not JSON.
macro_rules! refusals {
    ($($rejection:ty => $to_do:literal),*) => {$(
        impl From<$rejection> for Fault {
            fn from(rejection: $rejection) -> Self {
                let status = rejection.status();
                let code = match status {
                    StatusCode::PAYLOAD_TOO_LARGE => "too_large",
                    StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type",
                    StatusCode::UNPROCESSABLE_ENTITY => "unprocessable",
                    _ => "bad_request",
                };
                Self::new(status, code, rejection.body_text(), $to_do)
            }
        }
    )*};
}
refusals!(
    JsonRejection => "send JSON as /api/v1/openapi.json says",
    PathRejection => "see /api/v1/openapi.json",
    QueryRejection => "see /api/v1/openapi.json"
);

pub(super) async fn nothing_there() -> Fault {
    Fault::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "there is nothing under this address",
        "see /api/v1/openapi.json",
    )
}

pub(super) async fn not_that_way() -> Fault {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Fault::new(status, "method", "this address does not take this method", "see /api/v1/openapi.json")
}
