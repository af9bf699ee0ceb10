//! Bytes as steps of a line: see the table at [`step`].

use coilsight_models::coil::{CHUNKS, GAUGES};
use serde_json::{Value, json};
use std::time::Duration;

/// No longer stream is worth its time.
const MOST_STEPS: usize = 24;
const COILS: [&str; 6] = ["A", "B", "C", "D", "A@unheard-0", "../a"];
const TIMES: [&str; 5] = [
    "2026-01-05T06:00:00Z",
    "2026-01-05T07:00:00+01:00",
    "2026-01-05T08:00:00Z",
    "1970-01-01T00:00:00Z",
    "soon",
];
const WEIGHTS: [f64; 8] = [70.0, 50.0, 66.66, 0.0, 139.9, 140.1, 601.0, -1.0];
const LENGTHS: [f64; 8] = [132.0, 66.0, 264.0, 0.001, 20000.0, 131.5, -1.0, 1e300];
const TOPICS: [&str; 8] = [
    "plant/gl2/coil/start",
    "plant/gl2/gauge",
    "plant/gl2/coil/end",
    "plant/gl2/coil/matrix",
    "plant/gl2/feedback",
    "plant/gl2/surface/A/top/1.5",
    "plant/gl2/else",
    "",
];

/// Something that happens to a line.
#[derive(Clone, Debug)]
pub enum Step {
    /// A message.
    Say {
        /// Where.
        topic: String,
        /// What.
        payload: Vec<u8>,
        /// How many rows it has, good or not, where that is known.
        rows: Option<u64>,
    },
    /// Time passes.
    Wait(Duration),
    /// What was taken is made durable, decisions go out.
    Publish,
    /// The power fails.
    Cut,
    /// An orderly stop.
    Stop,
    /// The disk takes so many bytes more; who is refused for that tries again with room enough.
    Full(usize),
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<usize> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(usize::from(*first))
    }

    fn one<T: Copy, const N: usize>(&mut self, of: [T; N]) -> Option<T> {
        Some(of[self.byte()? % N])
    }
}

/// The steps that bytes stand for.
pub fn steps(data: &[u8]) -> Vec<Step> {
    let mut input = Input(data);
    let mut steps: Vec<Step> = Vec::new();
    while steps.len() < MOST_STEPS
        && let Some(next) = step(&mut input, &steps)
    {
        steps.push(next);
    }
    steps
}

/// | first byte | what follows |
/// |---|---|
/// | 0 | a start: coil, time, order |
/// | 1 | rows: coil, first row, number, weight |
/// | 2 | an end: coil, time, length |
/// | 3 | a matrix: coil, time, order, length, weight |
/// | 4 | feedback: coil, time, who |
/// | 5 | any bytes: topic, number, bytes |
/// | 6 | a wait: ten seconds, or as many minutes |
/// | 7 | decisions go out |
/// | 8 | an earlier message again: which |
/// | 9, 10 | a cut, a stop |
/// | 11 | the disk is nearly full: eights of bytes that it still takes |
fn step(input: &mut Input<'_>, before: &[Step]) -> Option<Step> {
    let what = input.byte()? % 12;
    let said = |topic: usize, payload: &dyn ToString| {
        let (topic, payload) = (TOPICS[topic].into(), payload.to_string().into_bytes());
        Some(Step::Say { topic, payload, rows: None })
    };
    match what {
        0 => {
            let start = start(input)?;
            said(0, &start)
        }
        1 => {
            let (coil, from, count) = (input.one(COILS)?, input.byte()?, input.byte()?);
            let count = count + count / 16;
            let weight = input.one(WEIGHTS)?;
            let payload = rows(coil, from, count, weight).into_bytes();
            Some(Step::Say { topic: TOPICS[1].into(), payload, rows: Some(count as u64) })
        }
        2 => {
            let (coil, at, length) = (input.one(COILS)?, input.one(TIMES)?, input.one(LENGTHS)?);
            said(2, &json!({ "coil_id": coil, "at": at, "length_m": length }))
        }
        3 => {
            let mut coil = start(input)?;
            coil["length_m"] = input.one(LENGTHS)?.into();
            let weight = input.byte()?;
            // Every ninth has a chunk too few.
            let chunks = CHUNKS - usize::from(weight % 9 == 8);
            let (mean, std) =
                (grid(chunks, GAUGES, WEIGHTS[weight % WEIGHTS.len()]), grid(chunks, GAUGES, 1.0));
            said(3, &with(&coil, &format!(r#""mean":{mean},"std":{std}"#)))
        }
        4 => {
            let (coil, at, who) = (input.one(COILS)?, input.one(TIMES)?, input.byte()?);
            let label = if who % 2 == 0 { "OK" } else { "NOK" };
            said(
                4,
                &json!({ "coil_id": coil, "at": at, "label": label, "operator": format!("op {}", who / 2 % 4) }),
            )
        }
        5 => {
            let (topic, length) = (input.one(TOPICS)?, input.byte()?);
            let (payload, rest) = input.0.split_at(length.min(input.0.len()));
            input.0 = rest;
            Some(Step::Say { topic: topic.into(), payload: payload.to_vec(), rows: None })
        }
        6 => {
            let time = input.byte()? as u64;
            Some(Step::Wait(Duration::from_secs(if time == 0 { 10 } else { 60 * time })))
        }
        7 => Some(Step::Publish),
        8 => {
            let again = before.get(input.byte()? % before.len().max(1));
            Some(again.cloned().unwrap_or(Step::Publish))
        }
        9 => Some(Step::Cut),
        10 => Some(Step::Stop),
        _ => Some(Step::Full(8 * input.byte()?)),
    }
}

fn start(input: &mut Input<'_>) -> Option<Value> {
    let (coil, at, order) = (input.one(COILS)?, input.one(TIMES)?, input.byte()?);
    let class = ["A", "B", "C", "Z"][order % 4];
    let nominal = [70.0, 70.0, 120.0, -5.0][order / 4 % 4];
    Some(json!({
        "coil_id": coil, "at": at, "nominal_g_m2": nominal, "tolerance_class": class, "width_mm": 1250.0,
    }))
}

/// An object with more in it, as text: whole matrices as [`Value`]s would take most of the time.
fn with(object: &Value, more: &str) -> String {
    let text = object.to_string();
    format!("{},{more}}}", text.trim_end_matches('}'))
}

/// So many rows of so many times the same.
fn grid(rows: usize, columns: usize, value: f64) -> String {
    let row = format!("[{}]", vec![value.to_string(); columns].join(","));
    format!("[{}]", vec![row; rows].join(","))
}

/// Rows every half metre.
fn rows(coil: &str, from: usize, count: usize, weight: f64) -> String {
    let positions: Vec<String> = (from..from + count).map(|i| (i as f64 / 2.0).to_string()).collect();
    let (positions, side) = (positions.join(","), grid(count, 9, weight));
    with(&json!({ "coil_id": coil }), &format!(r#""position_m":[{positions}],"top":{side},"bottom":{side}"#))
}

/// Shifts with a weld, repetitions, a coil coated twice, line stops and cuts.
pub fn seeds() -> Vec<Vec<u8>> {
    // A whole coil of 132 m: its start, its rows in two batches, its end.
    let coil = |id: u8, at: u8| {
        vec![vec![0, id, at, 1], vec![1, id, 0, 200, 0], vec![1, id, 200, 64, 0], vec![2, id, 2, 0]]
    };
    let [a, b] = [coil(0, 0), coil(1, 0)];
    let weld: Vec<Vec<u8>> = a.iter().zip(&b).flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
    let streams: [Vec<Vec<u8>>; 12] = [
        a.clone(),
        [&weld[..], &[vec![7]]].concat(),
        [&a[..], &a[..], &[vec![9]], &a[..]].concat(),
        [&a[..], &coil(0, 2)[..], &[vec![8, 0], vec![8, 1], vec![8, 3]]].concat(),
        [&a[..2], &[vec![6, 25], vec![9]], &a[2..]].concat(),
        [&a[..3], &b[..], &[vec![6, 31], vec![7], vec![8, 0]]].concat(),
        [&[vec![11, 0]], &a[..2], &[vec![11, 9]], &a[2..], &[vec![11, 1], vec![4, 0, 2, 0]]].concat(),
        // Three coils wait for rows when some come of which nobody knows whose they are.
        vec![
            vec![1, 0, 0, 9, 0],
            vec![1, 1, 0, 9, 0],
            vec![11, 3],
            vec![5, 1, 1, b'{'],
            vec![2, 0, 2, 0],
            vec![7],
        ],
        // Rows that cannot be read, and are not lost for that.
        [&a[..2], &[vec![1, 0, 200, 60, 7], vec![9]], &a[3..]].concat(),
        [&a[1..2], &[vec![10]], &a[3..], &[vec![6, 0], vec![0, 0, 0, 0]]].concat(),
        vec![
            vec![3, 2, 0, 1, 0, 0],
            vec![3, 2, 0, 1, 0, 8],
            vec![4, 2, 2, 1],
            vec![4, 2, 2, 1],
            vec![4, 3, 2, 0],
        ],
        vec![
            vec![0, 0, 0, 1],
            vec![0, 1, 0, 1],
            vec![0, 2, 0, 1],
            vec![0, 3, 0, 1],
            vec![5, 0, 3, b'{', b'"', b'}'],
        ],
    ];
    streams.iter().map(|steps| steps.concat()).collect()
}
