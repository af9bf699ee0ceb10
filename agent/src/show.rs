//! Decisions and slots as people read them in a terminal.

use crate::slots::{Release, State, is_past};
use coilsight_models::message::assessment::{Assessment, Evidence};
use coilsight_models::tally::{Counts, Reason, Tally};
use jiff::Timestamp;
use std::fmt::Write;

/// One line: coil, verdict, score, why, where.
pub fn line(a: &Assessment) -> String {
    let score = a.p_nok.map_or_else(|| "    -".into(), |p| format!("{p:5.3}"));
    let order = a.order.map_or_else(
        || "no order".into(),
        |o| format!("{:5.1} g/m2 {}", o.nominal_g_m2(), o.tolerance_class()),
    );
    let length = a.length_m.map_or_else(|| "     -".into(), |m| format!("{m:6.0}"));
    let why: Vec<&str> = a.reasons.iter().map(|r| r.text.as_str()).collect();
    let mut text = format!(
        "{:<14} {order:<12} {length} m  {:<6}  P(NOK) {score}  {}",
        a.coil_id,
        a.verdict,
        why.join("; ")
    );
    for evidence in &a.evidence {
        let _ = write!(text, "\n               {}", place(evidence));
    }
    text
}

/// Where a piece of evidence lies, in words.
pub fn place(e: &Evidence) -> String {
    let gauges: Vec<String> = e.gauges.iter().map(|g| g.number.to_string()).collect();
    let (first, last) = (gauges.first().map_or("", String::as_str), gauges.last().map_or("", String::as_str));
    let gauges = if gauges.len() > 1 { format!("gauges {first}-{last}") } else { format!("gauge {first}") };
    let side = match e.side {
        coilsight_models::coil::Side::Top => "top",
        coilsight_models::coil::Side::Bottom => "bottom",
    };
    let deviation =
        e.deviation_percent.map_or_else(String::new, |d| format!(", {d:+.0} % against the order"));
    format!(
        "{:.0}-{:.0} m, {side}, {gauges}{deviation} (P(NOK) {:.2} without it)",
        e.from_m, e.to_m, e.p_nok_without
    )
}

/// The sums, as a table.
pub fn sums(tally: &Tally) -> String {
    let mut text = String::from("            received      used duplicate  set aside\n");
    for (name, counts) in
        [("messages", &tally.messages), ("rows", &tally.rows), ("readings", &tally.readings)]
    {
        let Counts { received, used, duplicate, set_aside, .. } = counts;
        let aside: u64 = set_aside.values().sum();
        let _ = write!(text, "  {name:<9}{received:>9} {used:>9} {duplicate:>9}  {aside:>9}");
        let reasons: Vec<String> = set_aside.iter().map(|(r, n)| format!("{n} {}", words(*r))).collect();
        let _ = writeln!(text, "{}{}", if reasons.is_empty() { "" } else { "  " }, reasons.join(", "));
    }
    text
}

/// A reason as it stands in JSON, with spaces.
fn words(reason: Reason) -> String {
    let code = serde_json::to_value(reason).ok();
    code.as_ref().and_then(|v| v.as_str()).unwrap_or_default().replace('_', " ")
}

/// What is in the models' slots, for people.
pub fn slots(state: &State, now: Option<Timestamp>) -> String {
    let mut text = String::new();
    let mut line = |slot: &str, release: Option<&Release>, more: String| {
        let shown = release.map_or_else(
            || "none".to_owned(),
            |r| {
                let policy = r
                    .policy
                    .map_or_else(String::new, |policy| format!(", thresholds {:.12}", policy.to_string()));
                let past = if is_past(r, now, state.signed_time) { ", PAST ITS DATE" } else { "" };
                let revoked = if state.is_distrusted(r) { ", SIGNED BY A KEY THAT IS REVOKED" } else { "" };
                format!(
                    "{r}, set {:.12}{policy}, to be used until {:.0}{past}{revoked}",
                    r.set.to_string(),
                    r.not_after
                )
            },
        );
        let _ = writeln!(text, "{slot:<10} {shown}{more}");
    };
    let probation = if state.probation.is_some() { ", on probation" } else { "" };
    line("active", state.active.as_ref(), probation.into());
    let candidate = state.candidate.as_ref();
    let shadow = candidate.map_or_else(String::new, |c| format!(", {} coils in shadow", c.shadow.len()));
    line("candidate", candidate.map(|candidate| &candidate.release), shadow);
    let good = state.last_good.as_ref();
    let below = good.is_some_and(|good| good.release < state.floor);
    line(
        "last good",
        state.last_good.as_ref(),
        if below { ", below the floor".into() } else { String::new() },
    );
    let newest = state.newest.map_or(0, |(release, _)| release);
    let trust = state.trust.as_ref().map_or_else(
        || "keys without roles".into(),
        |d| format!("document {}, SHA-256 {}", d.version, d.sha256()),
    );
    let _ = writeln!(text, "newest release {newest}, floor {}, trust {trust}", state.floor);
    text
}

/// The same for programs.
pub fn slots_json(state: &State) -> serde_json::Value {
    serde_json::json!({
        "active": state.active,
        "probation": state.probation.is_some(),
        "candidate": state.candidate.as_ref().map(|c| &c.release),
        "in_shadow": state.candidate.as_ref().map(|c| c.shadow.len()),
        "last_good": state.last_good,
        "way_back": state.way_back().is_some(),
        "newest_release": state.newest.map_or(0, |(release, _)| release),
        "signed_time": state.signed_time,
        "floor": state.floor,
        "trust_version": state.trust.as_ref().map(|document| document.version),
        "trust_sha256": state.trust.as_ref().map(|document| document.sha256()),
        "given_up": state.given_up,
    })
}
