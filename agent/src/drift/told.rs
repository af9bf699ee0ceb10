//! The words: what was found, and what a person is to do about it.

use super::columns::{Column, Kind, class_letter};
use super::gauges::{MOST_OFF, Reading, State};
use super::report::{Code, ColumnReport, Finding, GaugeReport, Mark, Report};
use super::watch::Look;
use coilsight_models::coil::{Gauge, Side};
use std::fmt::Write;

/// A gauge that varies less than so many times as much as it did along the strip asks for nobody.
const NOISE: f64 = 1.25;

/// Of a gauge, which has read well again for so many coils, though not for long enough.
pub fn gauge(column: usize, reading: &Reading, well: usize, since: Option<Mark>) -> GaugeReport {
    let of = reading.offset.map(direction);
    let text = match (reading.state, &of) {
        (State::Unknown, _) => "too few coils yet".to_owned(),
        (State::Blind, _) => format!("reads nothing{}", ago(since.as_ref())),
        (State::Gaps, _) => {
            format!("misses {:.0} % of the strip{}", 100.0 * reading.gap.unwrap_or(1.0), ago(since.as_ref()))
        }
        (State::Off, Some(of)) => format!("reads {of} what its neighbours let expect{}", ago(since.as_ref())),
        (_, Some(of)) => format!("reads as it did ({of} what its neighbours let expect)"),
        (_, None) => "reads as it did".to_owned(),
    };
    let text = if well > 0 { format!("{text}; not in the newest {well} coils") } else { text };
    GaugeReport {
        gauge: Gauge::of_column(column),
        state: reading.state,
        offset_percent: reading.offset,
        gap_share: reading.gap,
        since,
        text,
    }
}

/// Of a column.
pub fn column(report: &ColumnReport, enough: bool) -> String {
    let (true, Some(before), Some(now)) = (enough, report.reference_median, report.window_median) else {
        return format!("too few coils yet: {} and {}", report.reference_n, report.window_n);
    };
    let medians = match report.kind {
        Kind::OrderClass => format!("median class {} to {}", class_letter(before), class_letter(now)),
        Kind::Prediction | Kind::GaugeGaps => format!("median {before:.3} to {now:.3}"),
        Kind::Order => format!("median {before:.0} to {now:.0}"),
        _ => format!("median {before:.2} % to {now:.2} %"),
    };
    match report.adjusted {
        _ if report.drifted => format!("has drifted: {medians}"),
        Some(_) => format!("has not drifted: {medians}"),
        None => format!("cannot be compared at like order mix: {medians}"),
    }
}

/// Of what was ordered.
pub fn order_mix(report: &mut Report) {
    let drifted = report.columns.iter().filter(|c| c.drifted && c.kind.of_order());
    let names: Vec<&str> = drifted.map(|c| c.name.as_str()).collect();
    let mix = &mut report.order_mix;
    mix.changed = !names.is_empty();
    mix.text = match (mix.unseen, names.is_empty()) {
        (None, _) => "too few coils yet".to_owned(),
        (Some(_), true) => "orders come as they did".to_owned(),
        (Some(_), false) => format!("orders are others than in the reference ({})", names.join(", ")),
    };
    if let Some(unseen) = mix.unseen.filter(|share| *share >= 0.05) {
        let _ = write!(
            mix.text,
            "; {:.0} % of the coils are of a class and weight that the reference hardly has and cannot be compared",
            100.0 * unseen
        );
    }
}

/// What a person must act on, the most urgent first.
pub(super) fn findings(
    report: &Report,
    whole_sides: [bool; 2],
    too_many_unlike: bool,
    columns: &[Column],
    looks: &[Look],
) -> Vec<Finding> {
    let sides = [Side::Top, Side::Bottom];
    let unread = sides.map(|side| unread(report, side));
    let at = |side: Side| usize::from(side == Side::Bottom);
    let by_itself = |of: &&GaugeReport| match of.state {
        State::Off => !whole_sides[at(of.gauge.side)],
        State::Blind | State::Gaps => unread[at(of.gauge.side)].is_none(),
        State::Unknown | State::Fine => false,
    };
    let mut findings: Vec<Finding> = report.gauges.iter().filter(by_itself).filter_map(of_gauge).collect();
    let drifted = |kind: Kind, side: Option<Side>| -> Vec<usize> {
        let of = |n: &usize| columns[*n].kind == kind && (side.is_none() || columns[*n].side == side);
        (0..columns.len()).filter(of).filter(|n| report.columns[*n].drifted).collect()
    };
    let since = |of: &[usize]| of.iter().find_map(|n| looks[*n].since.clone());
    for (n, side) in sides.into_iter().enumerate() {
        let offsets = drifted(Kind::GaugeOffset, Some(side));
        if whole_sides[n] || offsets.len() > MOST_OFF {
            findings.push(profile(side, since(&offsets)));
        }
        let spreads = drifted(Kind::GaugeSpread, Some(side));
        if spreads.len() > MOST_OFF {
            findings.push(variation(side, &report.columns[spreads[0]], since(&spreads)));
        } else {
            let much =
                spreads.iter().filter(|n| !(1.0 / NOISE..NOISE).contains(&times(&report.columns[**n])));
            findings.extend(much.map(|n| noise(&report.columns[*n], since(&[*n]))));
        }
        for n in drifted(Kind::Level, Some(side)) {
            findings.push(level(side, &report.columns[n], since(&[n])));
        }
        if let Some(finding) = &unread[n] {
            findings.push(finding.clone());
            continue;
        }
        let missing = drifted(Kind::GaugeGaps, Some(side));
        findings.extend(missing.iter().filter_map(|n| gaps(report, columns[*n].gauge?, since(&[*n]))));
    }
    // One model that scores otherwise is named by the ensemble's finding where there is one.
    for n in drifted(Kind::Prediction, None).into_iter().take(1) {
        findings.push(prediction(&report.columns[n], since(&[n])));
    }
    if let (Some(window), true) = (report.unlike.window, too_many_unlike) {
        findings.push(unlike(window, report.unlike.reference.unwrap_or(0.0)));
    }
    findings.sort_by_key(|finding| finding.code);
    for finding in &mut findings {
        finding.why = Some(finding.to_why());
    }
    findings
}

fn of_gauge(of: &GaugeReport) -> Option<Finding> {
    let (code, to_do) = match of.state {
        State::Blind => (
            Code::GaugeBlind,
            "check the gauge, its shutter and its cable; until then coils are judged without it",
        ),
        State::Off => {
            (Code::GaugeOff, "have it calibrated; coils near a limit deserve a second look until then")
        }
        State::Gaps => (Code::GaugeGaps, "check the gauge and its connection"),
        State::Unknown | State::Fine => return None,
    };
    let percent = match of.state {
        State::Off => of.offset_percent,
        State::Gaps => of.gap_share.map(|share| 100.0 * share),
        _ => None,
    };
    let since = of.since.clone();
    Some(Finding {
        gauge: Some(of.gauge),
        side: Some(of.gauge.side),
        percent,
        ..finding(code, &of.gauge.to_string(), since, format!("gauge {} {}", of.gauge, of.text), to_do)
    })
}

/// Of a side of which so many gauges read nothing, or not all, that it is no gauge's fault.
fn unread(report: &Report, side: Side) -> Option<Finding> {
    let of: Vec<&GaugeReport> = report
        .gauges
        .iter()
        .filter(|g| g.gauge.side == side && matches!(g.state, State::Blind | State::Gaps))
        .collect();
    let blind = of.iter().filter(|g| g.state == State::Blind).count();
    let (code, what) = match blind {
        _ if of.len() <= MOST_OFF => return None,
        0 => (Code::GaugeGaps, "miss parts of the strip"),
        n if n == of.len() => (Code::GaugeBlind, "read nothing"),
        _ => (Code::GaugeBlind, "read nothing or miss parts of the strip"),
    };
    let since = of.iter().find_map(|g| g.since.clone());
    let text = format!("{} gauges of the {} side {what}{}", of.len(), name(side), ago(since.as_ref()));
    let to_do = "look at what they share: the side's frame, its power, its cooling and its connection; \
                 until then coils are judged without them";
    let key = format!("gauges_unread {}", name(side));
    Some(Finding { side: Some(side), key, ..finding(code, name(side), since, text, to_do) })
}

fn profile(side: Side, since: Option<Mark>) -> Finding {
    let text = format!(
        "the profile across the {} side is another than in the reference{}",
        name(side),
        ago(since.as_ref())
    );
    let to_do = "look at the knife's distance and skew and at the strip's shape; \
                 if those are as ever, have the side's gauges calibrated";
    Finding { side: Some(side), ..finding(Code::Profile, name(side), since, text, to_do) }
}

fn level(side: Side, column: &ColumnReport, since: Option<Mark>) -> Finding {
    let change = column.window_median.unwrap_or(0.0) - column.reference_median.unwrap_or(0.0);
    let heavier = if change > 0.0 { "heavier" } else { "lighter" };
    let text = format!(
        "the {} side is {:.1} % {heavier} against the order than in the reference{}",
        name(side),
        change.abs(),
        ago(since.as_ref())
    );
    let to_do = "weigh a laboratory sample: if it agrees with the gauges, the line is run otherwise; \
                 if not, their calibration is another";
    Finding {
        side: Some(side),
        percent: Some(change),
        ..finding(Code::Level, name(side), since, text, to_do)
    }
}

fn variation(side: Side, column: &ColumnReport, since: Option<Mark>) -> Finding {
    let text = format!(
        "the coating of the {} side varies {} along the strip than in the reference{}",
        name(side),
        more(column),
        ago(since.as_ref())
    );
    let to_do =
        "look at knife, pressure and vibration of the strip; if those are as ever, at the gauges' age";
    Finding { side: Some(side), ..finding(Code::Variation, name(side), since, text, to_do) }
}

fn noise(column: &ColumnReport, since: Option<Mark>) -> Finding {
    let gauge = column.gauge.map_or_else(|| column.name.clone(), |gauge| gauge.to_string());
    let text = format!(
        "gauge {gauge} varies {} along the strip than in the reference{}",
        more(column),
        ago(since.as_ref())
    );
    let to_do = "look at its tube's age and its window; dirt or a nick of the knife under it looks the same";
    Finding {
        gauge: column.gauge,
        side: column.gauge.map(|gauge| gauge.side),
        ..finding(Code::GaugeNoise, &gauge, since, text, to_do)
    }
}

/// A gauge that misses more than it did, where its state does not say so already.
fn gaps(report: &Report, gauge: usize, since: Option<Mark>) -> Option<Finding> {
    let of = report.gauges.get(gauge).filter(|g| !matches!(g.state, State::Blind | State::Gaps))?.gauge;
    let text = format!("gauge {of} misses more of the strip than in the reference{}", ago(since.as_ref()));
    let found = finding(Code::GaugeGaps, &of.to_string(), since, text, "check the gauge and its connection");
    Some(Finding { gauge: Some(of), side: Some(of.side), ..found })
}

fn prediction(column: &ColumnReport, since: Option<Mark>) -> Finding {
    let whose =
        column.name.strip_prefix("p_nok ").map_or("the ensemble".to_owned(), |m| format!("model {m}"));
    let text = format!(
        "P(NOK) of {whose} is another than in the reference at like order mix: median {:.3} to {:.3}{}",
        column.reference_median.unwrap_or(0.0),
        column.window_median.unwrap_or(0.0),
        ago(since.as_ref())
    );
    let to_do = "judge some of the newest coils by eye: if the models are right, the strip has changed; \
                 if not, label them and train anew";
    finding(Code::Prediction, &column.name, since, text, to_do)
}

fn unlike(window: f64, before: f64) -> Finding {
    let text = format!(
        "{:.0} % of the newest coils are unlike those that the models were trained on, {:.0} % were in the reference",
        100.0 * window,
        100.0 * before
    );
    let to_do = "label such coils and train anew; look at the gauges first if some are off";
    Finding { percent: Some(100.0 * window), ..finding(Code::Unlike, "all", None, text, to_do) }
}

fn finding(code: Code, of: &str, since: Option<Mark>, text: String, to_do: &str) -> Finding {
    let key = format!("{} {of}", code.name());
    Finding {
        code,
        key,
        gauge: None,
        side: None,
        percent: None,
        since,
        text,
        to_do: to_do.to_owned(),
        why: None,
    }
}

/// Median of the window over that of the reference.
fn times(column: &ColumnReport) -> f64 {
    let (before, now) = (column.reference_median.unwrap_or(0.0), column.window_median.unwrap_or(0.0));
    if before > 0.0 { now / before } else { 1.0 }
}

fn more(column: &ColumnReport) -> String {
    match times(column) {
        times if times >= 1.05 => format!("{times:.1} times as much"),
        times if times <= 0.95 => format!("only {times:.1} times as much"),
        _ => "in another way".to_owned(),
    }
}

fn direction(percent: f64) -> String {
    format!("{:.1} % {}", percent.abs(), if percent < 0.0 { "below" } else { "above" })
}

fn ago(since: Option<&Mark>) -> String {
    since.map_or_else(String::new, |mark| format!(", since coil {}", mark.coil_id))
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Top => "top",
        Side::Bottom => "bottom",
    }
}
