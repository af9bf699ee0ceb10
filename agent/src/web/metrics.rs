//! Numbers for Prometheus, in its text format (version 0.0.4).

use super::Desk;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::fmt::{Display, Write};
use std::sync::Arc;

/// A text that grows family by family.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP coilsight_{name} {help}\n# TYPE coilsight_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "coilsight_{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }
}

pub(super) async fn metrics(State(desk): State<Arc<Desk>>) -> Response {
    let mut text = Text(String::new());
    let (counts, quarantined) = {
        let book = desk.book();
        (book.counts(), book.strangers().count())
    };
    text.one("coils", "gauge", "Decisions that the page has at hand.", counts.all);
    text.family("queue", "gauge", "Coils that wait for a person.");
    text.sample("queue", "{queue=\"review\"}", counts.review);
    text.sample("queue", "{queue=\"drawn\"}", counts.drawn);
    text.one("words_quarantined_total", "counter", "Words of people who are no operators.", quarantined);
    if let Some(running) = desk.board.status().and_then(|status| status.running) {
        text.one("decisions_total", "counter", "Decisions in the archive.", running.decisions);
        text.one("up_seconds", "gauge", "Since this process started.", running.up_s);
        text.family("waiting", "gauge", "What waits where.");
        let queues = running.queues;
        for (what, value) in [
            ("open_coils", queues.open_coils as u64),
            ("open_rows", queues.open_rows as u64),
            ("unacknowledged", queues.unacknowledged as u64),
            ("unconfirmed", queues.unconfirmed as u64),
            ("outbox", queues.outbox),
        ] {
            text.sample("waiting", &format!("{{what=\"{what}\"}}"), value);
        }
        let [used, cap] = running.archive_bytes;
        text.family("archive_bytes", "gauge", "Room taken by the archive, and its cap.");
        text.sample("archive_bytes", "{what=\"used\"}", used);
        text.sample("archive_bytes", "{what=\"cap\"}", cap);
        text.one("troubles", "gauge", "What is not as it should be.", running.health.len());
        let messages = running.sums.messages;
        text.family("messages_total", "counter", "Messages since the start, by where they ended.");
        text.sample("messages_total", "{fate=\"used\"}", messages.used);
        text.sample("messages_total", "{fate=\"duplicate\"}", messages.duplicate);
        text.sample("messages_total", "{fate=\"set_aside\"}", messages.set_aside.values().sum::<u64>());
    }
    let connected = desk.board.is_connected();
    text.one(
        "broker_connected",
        "gauge",
        "Whether there is a connection to the plant's broker.",
        u8::from(connected),
    );
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.0).into_response()
}
