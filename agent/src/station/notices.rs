//! What a person must act on, in words, with what to do.

use super::sessions::Gap;
use crate::broker::Role;
use crate::line::short_hex;
use coilsight_models::message::assessment::Assessment;
use coilsight_models::message::notification::{Notification, Subject, VERSION};
use coilsight_models::message::status::{Trouble, Why};
use coilsight_models::verdict::{Cause, Verdict};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Of a decision; the same decision always gives the same.
pub(super) fn decided(a: &Assessment) -> Vec<Notification> {
    let why: Vec<&str> = a.reasons.iter().map(|reason| reason.text.as_str()).collect();
    let why = why.join("; ");
    let coil = &a.coil_id;
    let mut notices = Vec::new();
    match a.verdict {
        Verdict::Ok => {}
        Verdict::Nok => notices.push((
            Subject::CoilNok,
            format!("coil {coil} is NOK: {why}"),
            "hold the coil and have it inspected where the assessment says; give feedback",
        )),
        Verdict::Review => notices.push((
            Subject::CoilReview,
            format!("coil {coil} needs a person's verdict: {why}"),
            "inspect the coil and give feedback: REVIEW ends with it",
        )),
    }
    let has = |is: fn(&Cause) -> bool| a.reasons.iter().any(|reason| is(&reason.cause));
    if has(|cause| matches!(cause, Cause::BlindGauges { .. })) {
        notices.push((Subject::GaugeBlind, format!("on coil {coil}: {why}"), "see to the gauge"));
    }
    let gap = |cause: &Cause| {
        matches!(cause, Cause::RowsLost { .. } | Cause::NoStart | Cause::NoEnd | Cause::NothingSeen)
    };
    if has(gap) {
        notices.push((
            Subject::GapInRecord,
            format!("the record of coil {coil} has a gap: {why}"),
            "see the gateway's and the broker's logs; the gateway may send the coil again under another start time",
        ));
    }
    if has(|cause| matches!(cause, Cause::NoScore { .. })) {
        notices.push((
            Subject::NoModel,
            format!("coil {coil} was not judged: {why}"),
            "push a bundle that works here",
        ));
    }
    let notice = |(topic, text, to_do): (Subject, String, &str)| Notification {
        version: VERSION,
        notification_id: format!("{}-{}", a.decision_id, name(topic)),
        line: a.line.clone(),
        at: a.timing.closed_at,
        topic,
        coil_id: Some(coil.clone()),
        decision_id: Some(a.decision_id.clone()),
        text,
        to_do: to_do.into(),
    };
    notices.into_iter().map(notice).collect()
}

/// Of words of people who are no operators. Without their number, or each would be another trouble.
pub(super) fn strangers() -> Trouble {
    Trouble {
        topic: Subject::Words,
        text: "words came over the broker of somebody who is not among the operators: they are kept, and count for \
               nothing"
            .into(),
        to_do: "see who it was (/api/v1/quarantine); add those who may judge (`coilsight-agent operator add NAME`) \
                and have them say it again"
            .into(),
        why: Some(Why::of("strangers")),
    }
}

/// Of something that is not as it should be.
pub(super) fn trouble(line: &str, at: Option<Timestamp>, trouble: &Trouble) -> Notification {
    let Trouble { topic, text, to_do, .. } = trouble.clone();
    notification(line, at, topic, text, to_do)
}

/// Of a session that the broker has forgotten.
pub(super) fn forgotten(line: &str, gap: &Gap) -> Notification {
    let what = match gap.role {
        Role::Line => "messages about coils",
        Role::Words => "feedback",
        Role::Models => "pieces of a bundle",
        Role::Upload => "the plant's record",
    };
    notification(
        line,
        gap.noticed,
        Subject::GapInRecord,
        format!("the broker has forgotten this agent's session: {what} that it held are lost, and whole coils may be"),
        "compare the plant's list of coils with the decisions; have the broker keep persistent sessions on disk, for \
         long enough; coils with lost rows go to REVIEW by themselves"
            .into(),
    )
}

fn notification(
    line: &str,
    at: Option<Timestamp>,
    topic: Subject,
    text: String,
    to_do: String,
) -> Notification {
    let moment = at.map_or_else(|| "unset".into(), |at| at.to_string());
    let hash = short_hex(&Sha256::digest(format!("{line}\0{moment}\0{text}")));
    Notification {
        version: VERSION,
        notification_id: format!("{}-{hash}", name(topic)),
        line: line.into(),
        at,
        topic,
        coil_id: None,
        decision_id: None,
        text,
        to_do,
    }
}

fn name(topic: Subject) -> String {
    serde_json::to_value(topic).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
