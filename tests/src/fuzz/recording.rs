//! A recorded line.

use coilsight_agent::recording::{Message, Recording};
use coilsight_models::message::Topics;
use serde_json::json;
use std::io::BufReader;

/// Every line is a message or none, however the bytes arrive; messages written again are read again.
pub fn run(data: &[u8]) {
    let lines = read(data, 1 << 16);
    assert_eq!(lines.len(), data.split_inclusive(|b| *b == b'\n').count());
    assert_eq!(read(data, 1 + data.len() % 7), lines, "what a line says hangs on how it arrives");

    let messages: Vec<Message> = lines.into_iter().flatten().collect();
    let mut again = String::new();
    for message in &messages {
        let _ = Topics::default().kind(&message.topic);
        let payload = std::str::from_utf8(&message.payload).expect("JSON holds text");
        let line = json!({ "tst": message.at, "topic": message.topic, "payload": payload });
        again.push_str(&line.to_string());
        again.push('\n');
    }
    let again: Vec<_> = read(again.as_bytes(), 1 << 16).into_iter().flatten().collect();
    assert_eq!(again, messages);
}

fn read(data: &[u8], buffer: usize) -> Vec<Option<Message>> {
    let mut recording = Recording::new(BufReader::with_capacity(buffer, data));
    std::iter::from_fn(|| recording.next_line().expect("memory can be read")).collect()
}

/// Lines as two versions of the recorder write them, and what is none.
pub fn seeds() -> Vec<Vec<u8>> {
    let lines: [&[u8]; 3] = [
        br#"{"tst":"2026-01-05T06:00:00.000000Z","topic":"plant/gl2/gauge","qos":1,"payload":"{\"x\":1}"}"#,
        br#"{"tst":"2026-01-05T07:00:00.5+0100","topic":"plant/gl2/surface/a/top/1","payload":{"x":[1,null]}}"#,
        b"not json\n\n{\"topic\":1}\n{\"topic\":\"t\"}",
    ];
    let mut seeds: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
    seeds.push(lines.join(&b'\n'));
    seeds
}
