//! What the demo's gateway sends and when: the recording, at a speed.

use crate::recording::Recording;
use coilsight_models::coil::CoilId;
use coilsight_models::message::inbound::{self, Inbound};
use coilsight_models::message::{Kind, Topics};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::time::Duration;

/// Coils on their way at once: the one that leaves the line and the one that follows it through the weld.
const ON_THE_WAY: usize = 2;
/// A longer stop of the line is made as short as this.
pub const LONGEST_STOP: Duration = Duration::from_mins(3);

/// A message and when it is sent.
#[derive(Debug)]
pub struct Step {
    /// On the line, since the first message.
    pub after: Duration,
    /// By the recorder's clock.
    pub at: Timestamp,
    /// Not before this coil's decision was heard: an inspector has the decision in hand, and no coil begins
    /// while the line is two behind. That also keeps the messages in order: the demo's broker keeps those of each
    /// topic in order, but not one topic's with another's once the agent is far behind.
    pub needs: Option<CoilId>,
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
}

/// All that is sent.
#[derive(Debug, Default)]
pub struct Plan {
    /// In order.
    pub steps: Vec<Step>,
    /// Passes that begin: each gets a decision.
    pub passes: usize,
    /// Inspectors' words: each gets a disposition.
    pub words: usize,
    /// Who says them.
    pub operators: BTreeSet<String>,
}

impl Plan {
    /// Of a recording; lines that are no messages are left out.
    pub fn read(recording: impl BufRead, topics: &Topics) -> std::io::Result<Self> {
        let mut recording = Recording::new(recording);
        let mut plan = Self::default();
        let (mut begun, mut passes) = (Vec::new(), BTreeSet::new());
        let (mut last, mut after) = (None, Duration::ZERO);
        while let Some(line) = recording.next_line()? {
            let Some(message) = line else { continue };
            let at = message.at.or(last).unwrap_or_default();
            let pause = at.duration_since(last.unwrap_or(at)).try_into().unwrap_or_default();
            after += LONGEST_STOP.min(pause);
            last = Some(at);
            let kind = topics.kind(&message.topic);
            let needs = match kind.and_then(|kind| inbound::parse(kind, &message.payload).ok()) {
                Some(Inbound::Start(start)) => {
                    let earlier = begun.len().checked_sub(ON_THE_WAY).map(|i| CoilId::clone(&begun[i]));
                    if passes.insert((start.coil_id.clone(), start.at)) {
                        begun.push(start.coil_id);
                    }
                    earlier
                }
                Some(Inbound::Feedback(word)) => {
                    plan.words += 1;
                    plan.operators.insert(word.operator);
                    Some(word.coil_id)
                }
                _ => None,
            };
            plan.steps.push(Step { after, at, needs, topic: message.topic, payload: message.payload });
        }
        plan.passes = passes.len();
        Ok(plan)
    }
}

/// How far the strip of a batch of rows has come: the coil and the last position in it, m.
pub fn position(topics: &Topics, topic: &str, payload: &[u8]) -> Option<(CoilId, f64)> {
    let kind = topics.kind(topic).filter(|kind| *kind == Kind::Gauge)?;
    let Ok(Inbound::Rows(batch)) = inbound::parse(kind, payload) else { return None };
    let last = batch.rows.iter().flatten().last()?.position.metres();
    Some((batch.coil_id, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wait_for_their_decision_and_coils_for_the_one_before_the_last() {
        let line = |second: u32, topic: &str, payload: &str| {
            let payload = serde_json::to_string(payload).unwrap();
            format!(
                "{{\"tst\":\"2026-03-02T06:{second:02}:00Z\",\"topic\":\"plant/gl2/{topic}\",\"payload\":{payload}}}\n"
            )
        };
        let start = |minute: u32, id: &str| {
            line(
                minute,
                "coil/start",
                &format!("{{\"coil_id\":\"{id}\",\"at\":\"2026-03-02T06:00:0{id}Z\"}}"),
            )
        };
        let word = r#"{"coil_id":"1","label":"OK","operator":"x","at":"2026-03-02T06:30:00Z"}"#;
        let text = [start(0, "1"), start(1, "2"), start(2, "3"), line(40, "feedback", word)].concat();
        let plan = Plan::read(text.as_bytes(), &Topics::default()).unwrap();
        assert_eq!((plan.passes, plan.words), (3, 1));
        let needs: Vec<_> = plan.steps.iter().map(|step| step.needs.as_ref().map(CoilId::as_str)).collect();
        assert_eq!(needs, [None, None, Some("1"), Some("1")]);
        let after: Vec<u64> = plan.steps.iter().map(|step| step.after.as_secs()).collect();
        assert_eq!(after, [0, 60, 120, 300], "a long stop is shortened");
    }
}
