//! Whether what was heard is what should have been: every pass once, and as expected.

use super::listener::Heard;
use coilsight_models::message::assessment::Assessment;
use coilsight_models::verdict::Verdict;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a decision says, without what may differ from run to run: times, and counts of what came twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The pass.
    pub pass: (String, Option<String>),
    /// The verdict.
    pub verdict: Verdict,
    /// P(NOK).
    pub p_nok: Option<f64>,
    /// Length, m.
    pub length_m: Option<f64>,
    /// Why: codes.
    pub reasons: Vec<String>,
    /// Share of chunks and cells seen.
    pub coverage: [f64; 2],
    /// Rows that count.
    pub rows_used: u64,
}

impl Told {
    /// Of an assessment.
    pub fn of(a: &Assessment) -> Self {
        let reasons = serde_json::to_value(&a.reasons).unwrap_or_default();
        let code = |reason: &Value| reason["code"].as_str().unwrap_or_default().to_owned();
        Self {
            pass: (a.coil_id.to_string(), a.pass.map(|at| at.to_string())),
            verdict: a.verdict,
            p_nok: a.p_nok,
            length_m: a.length_m,
            reasons: reasons.as_array().into_iter().flatten().map(code).collect(),
            coverage: [a.coverage.chunks, a.coverage.cells],
            rows_used: a.rows.used,
        }
    }
}

/// Decisions by id.
pub type Decisions = BTreeMap<String, Told>;

/// What is wrong, in sentences; empty if all is well.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Decisions heard, each once.
    pub decisions: Decisions,
    /// Decisions that were heard again.
    pub repeated: usize,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// Reads what was heard on the topic of assessments.
pub fn heard(messages: &[Heard], topic: &str) -> Report {
    let mut report = Report::default();
    let mut texts: BTreeMap<String, &[u8]> = BTreeMap::new();
    let mut passes = BTreeMap::new();
    for message in messages.iter().filter(|message| message.topic == topic) {
        let assessment: Assessment = match serde_json::from_slice(&message.payload) {
            Ok(assessment) => assessment,
            Err(error) => {
                report.faults.push(format!("an assessment is none: {error}"));
                continue;
            }
        };
        let id = assessment.decision_id.clone();
        let told = Told::of(&assessment);
        if let Some(first) = texts.get(&id) {
            report.repeated += 1;
            if *first != message.payload {
                report.faults.push(format!("decision {id} was heard again and says something else"));
            }
            continue;
        }
        // Passes without a start share no name; each has its own decision id.
        if told.pass.1.is_some()
            && let Some(other) = passes.insert(told.pass.clone(), id.clone())
        {
            report.faults.push(format!("pass {:?} has two decisions: {other} and {id}", told.pass));
        }
        texts.insert(id.clone(), &message.payload);
        report.decisions.insert(id, told);
    }
    report
}

/// Reads decisions as `coilsight-agent replay --json` prints them.
pub fn expected(lines: &str) -> anyhow::Result<Decisions> {
    lines
        .lines()
        .map(|line| {
            let assessment: Assessment = serde_json::from_str(line)?;
            Ok((assessment.decision_id.clone(), Told::of(&assessment)))
        })
        .collect()
}

/// Where two sets of decisions differ, in sentences.
pub fn differences(expected: &Decisions, found: &Decisions) -> Vec<String> {
    let mut faults = Vec::new();
    for (id, wanted) in expected {
        match found.get(id) {
            None => faults.push(format!("no decision on {:?} ({id})", wanted.pass)),
            Some(told) if told != wanted => faults.push(format!("expected {wanted:?}, found {told:?}")),
            Some(_) => {}
        }
    }
    for (id, told) in found.iter().filter(|(id, _)| !expected.contains_key(*id)) {
        faults.push(format!("a decision that nobody expects: {:?} ({id})", told.pass));
    }
    faults
}
