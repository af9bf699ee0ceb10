//! A recorded line: one JSON object a line of text, as `mosquitto_sub -t '#' -F '%j'` writes them.

use jiff::Timestamp;
use serde_json::{Map, Value};
use std::io::{self, BufRead};

/// A line longer than this is set aside, bytes.
pub const MAX_LINE: usize = 16 << 20;

/// A recorded message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// When the recorder had it.
    pub at: Option<Timestamp>,
    /// Where it was published.
    pub topic: String,
    /// What was published.
    pub payload: Vec<u8>,
}

/// Reads a recording line by line.
pub struct Recording<R> {
    reader: R,
    line: Vec<u8>,
}

impl<R: BufRead> Recording<R> {
    /// Over any source of lines.
    pub fn new(reader: R) -> Self {
        Self { reader, line: Vec::new() }
    }

    /// The next line: a message, `None` inside for a line that is none, `None` outside at the end.
    pub fn next_line(&mut self) -> io::Result<Option<Option<Message>>> {
        self.line.clear();
        let mut too_long = false;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|b| *b == b'\n');
            let taken = end.map_or(buffer.len(), |i| i + 1);
            if self.line.len() + taken <= MAX_LINE {
                self.line.extend_from_slice(&buffer[..taken]);
            } else {
                too_long = true;
            }
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(Some(if too_long { None } else { parse(&self.line) }));
            }
        }
        // A last line without its end, or nothing more.
        let over = self.line.is_empty() && !too_long;
        Ok(if over { None } else { Some(if too_long { None } else { parse(&self.line) }) })
    }
}

/// A message of a line, if it is one. A payload is text (`%j`) or JSON itself (`%J`).
fn parse(line: &[u8]) -> Option<Message> {
    let mut fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let Some(Value::String(topic)) = fields.remove("topic") else { return None };
    let payload = match fields.remove("payload")? {
        Value::String(text) => text.into_bytes(),
        value => serde_json::to_vec(&value).ok()?,
    };
    let at = fields.get("tst").and_then(Value::as_str).and_then(time);
    Some(Message { at, topic, payload })
}

/// RFC 3339, or with the offset as `+0100`, as some versions of the recorder write it.
fn time(text: &str) -> Option<Timestamp> {
    let colon = || {
        let (head, offset) = text.split_at_checked(text.len().checked_sub(5)?)?;
        let (hours, minutes) = offset.split_at_checked(3)?;
        format!("{head}{hours}:{minutes}").parse().ok()
    };
    text.parse().ok().or_else(colon)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Vec<Option<Message>> {
        let mut recording = Recording::new(text);
        std::iter::from_fn(|| recording.next_line().unwrap()).collect()
    }

    #[test]
    fn lines_are_messages_or_set_aside() {
        let text = br#"{"tst":"2026-01-05T06:00:00.000000Z","topic":"a/b","qos":1,"payload":"{\"x\":1}"}
not json
{"topic":"a/b","payload":{"x":1}}
{"tst":"2026-01-05T07:00:00.5+0100","topic":"c","payload":"last"}"#;
        let lines = read(text);
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0].as_ref().unwrap().payload, br#"{"x":1}"#);
        assert_eq!(lines[1], None);
        assert_eq!(lines[2].as_ref().unwrap().payload, br#"{"x":1}"#);
        assert_eq!(lines[3].as_ref().unwrap().at, "2026-01-05T06:00:00.5Z".parse().ok());
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let mut text = vec![b'x'; MAX_LINE + 10];
        text.extend(b"\n{\"topic\":\"t\",\"payload\":\"p\"}\n");
        let lines = read(&text);
        assert_eq!((lines.len(), &lines[0]), (2, &None));
        assert!(lines[1].is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let newlines = bytes.split(|b| *b == b'\n').count() - 1;
            let lines = read(&bytes).len();
            prop_assert!(lines == newlines || lines == newlines + 1);
        }

        #[test]
        fn times_never_panic(text in "\\PC{0,12}") {
            let _ = time(&text);
        }
    }
}
