//! Coils as a recording of the line's MQTT messages, one JSON object a line, as `mosquitto_sub -F %j` writes them.
//!
//! Beside `NAME.jsonl` lie `NAME.csv`, the matrices that chunking must give, and the truth, in a data set's format.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use coilsight_models::coil::SIDE_GAUGES;
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use serde::Serialize;

use super::dataset::{Entry, Files, whole_seconds};
use super::plan::FeedbackPlan;
use super::truth::Told;
use super::{Coil, Plan, ROW_M, SimulateError, Stream, Summary, coil, rng};

/// Rows in a gauge message (plant interface).
const BATCH_ROWS: usize = 50;
/// The line's name, before every topic.
const PREFIX: &str = "plant/gl2";

/// A line of the recording.
#[derive(Serialize)]
struct Line<'a> {
    tst: String,
    topic: String,
    qos: u8,
    retain: u8,
    payloadlen: usize,
    payload: &'a str,
}

#[derive(Serialize)]
struct Start<'a> {
    coil_id: &'a str,
    at: String,
    nominal_g_m2: f64,
    tolerance_class: &'static str,
    width_mm: u32,
}

#[derive(Serialize)]
struct Batch<'a> {
    coil_id: &'a str,
    position_m: Vec<f64>,
    top: Vec<[Option<f64>; SIDE_GAUGES]>,
    bottom: Vec<[Option<f64>; SIDE_GAUGES]>,
}

#[derive(Serialize)]
struct End<'a> {
    coil_id: &'a str,
    at: String,
    length_m: f64,
}

#[derive(Serialize)]
struct Feedback<'a> {
    coil_id: &'a str,
    label: &'static str,
    operator: &'a str,
    at: String,
}

/// A message and when it comes.
struct Message {
    at: Timestamp,
    topic: &'static str,
    payload: String,
}

/// Writes the plan's coils into `folder`, which must exist, as `name.jsonl`, with `name.csv` and the expected
/// `name-mean.npy` and `name-std.npy` beside it. `progress` hears how many coils are done.
pub fn recording(
    plan: &Plan,
    folder: &Path,
    name: &str,
    progress: &dyn Fn(u64),
) -> Result<Summary, SimulateError> {
    plan.check(name)?;
    let path = folder.join(format!("{name}.jsonl"));
    let fail = |source| SimulateError::Write { path: path.clone(), source };
    let mut out = BufWriter::new(File::create(&path).map_err(fail)?);
    let mut files = Files::create(folder, name, plan.count)?;
    // Messages whose time has not come: what a coil leaves behind for its successor's time, and feedback.
    let mut waiting: Vec<Message> = Vec::new();
    let mut before = None;
    for index in 0..plan.count {
        let coil = coil(plan, index);
        let start = plan.starts(&plan.place(index), before)?;
        let end = start + SignedDuration::from_secs(coil.duration_s().ceil() as i64);
        let last = index + 1 == plan.count;
        waiting.extend(messages(&coil, start, end, plan.interleave && !last));
        waiting.extend(feedback(plan, &coil, end));
        // Everything before the next coil's start is complete now: it starts then or later.
        waiting.sort_by_key(|m| m.at);
        let due = if last { waiting.len() } else { waiting.partition_point(|m| m.at < end) };
        for message in waiting.drain(..due) {
            write_line(&mut out, &message).map_err(fail)?;
        }
        let mut entry = Entry::of(&coil);
        entry.produced_at = whole_seconds(start);
        files.push(&entry, &Told::of(&coil), &coil.chunked().matrix)?;
        progress(index + 1);
        before = Some((start, end));
    }
    out.flush().map_err(fail)?;
    files.finish()
}

/// A coil's start, batches and end. With `overlap` the last batch and the end come after the successor's start and
/// first batch.
fn messages(coil: &Coil, start: Timestamp, end: Timestamp, overlap: bool) -> Vec<Message> {
    let id = coil.id.as_str();
    let mut messages = vec![Message {
        at: start,
        topic: "coil/start",
        payload: json(&Start {
            coil_id: id,
            at: whole_seconds(start),
            nominal_g_m2: coil.order.nominal_g_m2(),
            tolerance_class: coil.order.tolerance_class().letter(),
            width_mm: coil.order.width_mm() as u32,
        }),
    }];
    let last = coil.rows.len().saturating_sub(1) / BATCH_ROWS;
    for (n, rows) in coil.rows.chunks(BATCH_ROWS).enumerate() {
        let first = n * BATCH_ROWS;
        let late = if n == last && overlap { 30.0 } else { 0.0 };
        let seconds = coil.seconds[first + rows.len() - 1] + late;
        messages.push(Message {
            // A batch leaves when its last row has passed, never before the coil's start.
            at: start + SignedDuration::from_micros((seconds * 1e6) as i64),
            topic: "gauge",
            payload: json(&batch(id, first, rows)),
        });
    }
    let after = messages[messages.len() - 1].at + SignedDuration::from_millis(400);
    messages.push(Message {
        at: end.max(after),
        topic: "coil/end",
        payload: json(&End { coil_id: id, at: whole_seconds(end), length_m: coil.length_m }),
    });
    messages
}

fn batch<'a>(coil_id: &'a str, first: usize, rows: &[[f32; 2 * SIDE_GAUGES]]) -> Batch<'a> {
    let side = |from: usize| {
        rows.iter()
            .map(|row| {
                std::array::from_fn(|g| {
                    let reading = f64::from(row[from + g]);
                    // Back to the hundredths that the gauge gave: a float would print all its digits.
                    reading.is_finite().then(|| (100.0 * reading).round() / 100.0)
                })
            })
            .collect()
    };
    let position_m = (first..first + rows.len()).map(|i| i as f64 * ROW_M).collect();
    Batch { coil_id, position_m, top: side(0), bottom: side(SIDE_GAUGES) }
}

/// Inspectors tell of coils that they labelled, and operators of any, minutes to an hour later.
fn feedback(plan: &Plan, coil: &Coil, end: Timestamp) -> Vec<Message> {
    let mut rng = rng(plan.seed, Stream::Feedback, coil.index);
    let FeedbackPlan { of_nok, of_ok, nok_to_everything } = &plan.feedback;
    let inspector = (&coil.inspector, if coil.nok { *of_nok } else { *of_ok }, coil.nok);
    let operators = nok_to_everything.iter().map(|o| (&o.name, o.share, true));
    let mut told = Vec::new();
    for (operator, share, nok) in std::iter::once(inspector).chain(operators) {
        let at = end + SignedDuration::from_secs(rng.random_range(300..3600));
        if rng.random::<f64>() >= share {
            continue;
        }
        let payload = json(&Feedback {
            coil_id: coil.id.as_str(),
            label: if nok { "NOK" } else { "OK" },
            operator,
            at: whole_seconds(at),
        });
        told.push(Message { at, topic: "feedback", payload });
    }
    told
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("numbers are finite and keys are strings")
}

fn write_line(out: &mut impl Write, message: &Message) -> io::Result<()> {
    let line = Line {
        tst: format!("{:.6}", message.at),
        topic: format!("{PREFIX}/{}", message.topic),
        qos: 1,
        retain: 0,
        payloadlen: message.payload.len(),
        payload: &message.payload,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}
