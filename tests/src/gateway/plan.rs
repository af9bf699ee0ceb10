//! What a gateway sends: a recording, or short coils made up from a seed; with faults on request.

use anyhow::{Context, ensure};
use coilsight_agent::recording::{self, Recording};
use jiff::{Timestamp, ToSpan};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

/// A message and when it is sent, counted from the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Since the first message.
    pub after: Duration,
    /// The plant's time.
    pub at: Timestamp,
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
}

/// What a gateway or its network may do wrong. Names are those of `--fault`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Fault {
    /// A batch of rows comes twice.
    Repeat,
    /// Two batches change places.
    Disorder,
    /// A batch never comes.
    Lose,
    /// The start never comes.
    NoStart,
    /// The end never comes.
    NoEnd,
    /// The gateway restarts and sends the whole coil again.
    Again,
    /// A batch is cut off.
    Cut,
    /// Something that is no JSON.
    Garbage,
    /// A message of 3 MiB.
    Oversized,
}

/// What is sent, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The messages.
    pub messages: Vec<Message>,
}

/// Rows a message, as the plant's interface has it.
const BATCH: usize = 50;
/// Strip speed, m/s.
const SPEED: f64 = 2.5;
/// Row distance, m.
const STEP: f64 = 0.5;

impl Plan {
    /// A recording, as `mosquitto_sub -F %j` wrote it.
    pub fn recording(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let mut recording = Recording::new(BufReader::new(file));
        let mut messages = Vec::new();
        let mut first = None;
        while let Some(line) = recording.next_line()? {
            let Some(recording::Message { at, topic, payload }) = line else { continue };
            let at = at.context("a line of the recording has no time")?;
            let after = at.duration_since(*first.get_or_insert(at)).try_into().unwrap_or_default();
            messages.push(Message { after, at, topic, payload });
        }
        ensure!(!messages.is_empty(), "{} holds no messages", path.display());
        Ok(Self { messages })
    }

    /// `coils` short coils of 140 to 200 m, one after the other, each beginning in the last batch of the one before.
    pub fn short_coils(coils: usize, prefix: &str, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let began: Timestamp = "2026-03-02T06:00:00Z".parse().expect("a time");
        let mut messages = Vec::new();
        let mut clock = Duration::ZERO;
        for coil in 0..coils {
            clock =
                short_coil(&mut messages, prefix, &format!("B{seed}-{coil:06}"), clock, began, &mut random);
        }
        messages.sort_by_key(|message| message.after);
        Self { messages }
    }

    /// The same with one of `faults` in about one coil in `one_in`.
    #[must_use]
    pub fn with_faults(self, faults: &[Fault], one_in: u32, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let ids: BTreeSet<String> = self.messages.iter().filter_map(|m| coil_id(&m.payload)).collect();
        let mut messages = self.messages;
        for id in ids {
            if !faults.is_empty() && random.random_ratio(1, one_in.max(1)) {
                let fault = faults[random.random_range(0..faults.len())];
                commit(fault, &id, &mut messages, &mut random);
            }
        }
        messages.sort_by_key(|message| message.after);
        Self { messages }
    }

    /// Writes it as a recording, for `coilsight-agent replay`.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut file = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
        for message in &self.messages {
            let payload = String::from_utf8_lossy(&message.payload);
            let line = json!({"tst": message.at, "topic": message.topic, "qos": 1, "retain": 0,
                "payloadlen": message.payload.len(), "payload": payload});
            writeln!(file, "{line}")?;
        }
        Ok(file.flush()?)
    }

    /// How long it lasts at the line's own speed.
    pub fn lasts(&self) -> Duration {
        self.messages.last().map_or(Duration::ZERO, |message| message.after)
    }
}

fn short_coil(
    messages: &mut Vec<Message>,
    prefix: &str,
    id: &str,
    begin: Duration,
    began: Timestamp,
    random: &mut StdRng,
) -> Duration {
    let length = f64::from(random.random_range(280..400u32)) * STEP;
    let nominal = [50.0, 70.0, 100.0][random.random_range(0..3)];
    let class = ["A", "B", "C"][random.random_range(0..3)];
    let thin = random.random_ratio(1, 20);
    let at = |after: Duration| began + after.as_millis().try_into().unwrap_or(i64::MAX).milliseconds();
    let mut say = |after: Duration, topic: &str, payload: serde_json::Value| {
        let payload = payload.to_string().into_bytes();
        messages.push(Message { after, at: at(after), topic: format!("{prefix}/{topic}"), payload });
    };
    say(
        begin,
        "coil/start",
        json!({"coil_id": id, "at": at(begin), "nominal_g_m2": nominal, "tolerance_class": class, "width_mm": 1250}),
    );
    let places: Vec<f64> = (0..(length / STEP) as u32).map(|i| f64::from(i) * STEP).collect();
    let mut end = begin;
    for batch in places.chunks(BATCH) {
        let mut side = |below: bool| -> Vec<Vec<f64>> {
            batch
                .iter()
                .map(|m| {
                    let spot = thin && below && (0.4..0.6).contains(&(m / length));
                    let base = if spot { nominal * 0.8 } else { nominal * 1.04 };
                    (0..9)
                        .map(|_| (base + random.random_range(-1.5..1.5f64)) * 100.0)
                        .map(|v| v.round() / 100.0)
                        .collect()
                })
                .collect()
        };
        let (top, bottom) = (side(false), side(true));
        end = begin + Duration::from_secs_f64((batch[batch.len() - 1] + STEP) / SPEED);
        say(end, "gauge", json!({"coil_id": id, "position_m": batch, "top": top, "bottom": bottom}));
    }
    let over = end + Duration::from_millis(200);
    say(over, "coil/end", json!({"coil_id": id, "at": at(over), "length_m": length}));
    // At a weld the next coil is on the line before the last batch of this one is sent.
    end.saturating_sub(Duration::from_secs(3))
}

/// The coil that a message is about, if that can be read.
pub fn coil_id(payload: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(payload).ok()?;
    Some(value.get("coil_id")?.as_str()?.to_owned())
}

fn commit(fault: Fault, id: &str, messages: &mut Vec<Message>, random: &mut StdRng) {
    let of_it: Vec<usize> =
        (0..messages.len()).filter(|i| coil_id(&messages[*i].payload).as_deref() == Some(id)).collect();
    let ends = |suffix: &str| {
        of_it.iter().copied().filter(|i| messages[*i].topic.ends_with(suffix)).collect::<Vec<_>>()
    };
    let mut batches = ends("/gauge");
    batches.shuffle(random);
    let (Some(&last), Some(&batch)) = (of_it.last(), batches.first()) else { return };
    let copy = |i: usize, later: u64| {
        let mut message = messages[i].clone();
        message.after += Duration::from_millis(later);
        message
    };
    match fault {
        Fault::Repeat => messages.push(copy(batch, 50)),
        Fault::Disorder => {
            if let Some(&other) = batches.get(1) {
                let payload = std::mem::take(&mut messages[batch].payload);
                messages[batch].payload = std::mem::replace(&mut messages[other].payload, payload);
            }
        }
        Fault::Lose => drop(messages.remove(batch)),
        Fault::NoStart => ends("/start").into_iter().take(1).for_each(|i| drop(messages.remove(i))),
        Fault::NoEnd => ends("/end").into_iter().take(1).for_each(|i| drop(messages.remove(i))),
        Fault::Again => {
            let over = messages[last].after + Duration::from_secs(1);
            let again: Vec<_> =
                of_it.iter().map(|i| Message { after: over, ..messages[*i].clone() }).collect();
            messages.extend(again);
        }
        Fault::Cut => {
            let half = messages[batch].payload.len() / 2;
            messages[batch].payload.truncate(half);
        }
        Fault::Garbage => {
            let mut message = copy(batch, 20);
            message.payload = (0..300).map(|_| random.random_range(b' '..b'~')).collect();
            messages.push(message);
        }
        Fault::Oversized => {
            let mut message = copy(batch, 20);
            message.payload = vec![b'x'; 3 << 20];
            messages.push(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_line_and_comes_back_from_a_file() {
        let plan = Plan::short_coils(20, "plant/gl2", 7);
        assert_eq!(plan, Plan::short_coils(20, "plant/gl2", 7));
        assert_ne!(plan, Plan::short_coils(20, "plant/gl2", 8));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.jsonl");
        plan.write(&file).unwrap();
        let read = Plan::recording(&file).unwrap();
        let told = |plan: &Plan| {
            plan.messages.iter().map(|m| (m.topic.clone(), m.payload.clone())).collect::<Vec<_>>()
        };
        assert_eq!(told(&read), told(&plan));
    }

    #[test]
    fn every_fault_changes_the_line() {
        let plan = Plan::short_coils(3, "plant/gl2", 1);
        for fault in <Fault as clap::ValueEnum>::value_variants() {
            assert_ne!(plan.clone().with_faults(&[*fault], 1, 3), plan, "{fault:?}");
        }
    }
}
