//! What a broker sends before a client takes it in: `[most bytes of a payload][bytes a piece][stream]`.

use bytes::{Bytes, BytesMut};
use coilsight_agent::broker::guard::{Guard, NotMqtt};
use rumqttc::mqttbytes::v4::Packet;

/// What passes does not hang on how the stream is cut into pieces, and is the stream with payloads cut, by
/// the standard's letter; and the client takes it without a panic.
pub fn run(data: &[u8]) {
    let Some((&[most, piece], stream)) = data.split_first_chunk() else { return };
    let (most, piece) = (usize::from(most), usize::from(piece).max(1));
    let whole = through(most, stream, stream.len().max(1));
    let pieces = through(most, stream, piece);
    assert_eq!(whole.1, pieces.1);
    assert_eq!(whole.0, pieces.0, "what passes hangs on the pieces");
    let (passed, result) = whole;
    assert!(passed.len() <= stream.len(), "the guard adds bytes");

    let expected = by_the_letter(most, stream);
    assert!(passed.starts_with(&expected.passed), "{passed:02x?} instead of {:02x?}", expected.passed);
    assert_eq!(result.err(), expected.fault);
    if expected.complete {
        assert_eq!(passed, expected.passed);
    }

    let mut passed = BytesMut::from(&passed[..]);
    while let Ok(packet) = Packet::read(&mut passed, 1 << 20) {
        if let Packet::Publish(publish) = packet {
            assert!(publish.payload.len() <= most, "{} bytes pass", publish.payload.len());
        }
    }
}

fn through(most: usize, stream: &[u8], piece: usize) -> (Vec<u8>, Result<(), NotMqtt>) {
    let (mut guard, mut passed) = (Guard::new(most), BytesMut::new());
    for piece in stream.chunks(piece) {
        if let Err(fault) = guard.feed(Bytes::copy_from_slice(piece), &mut passed) {
            return (passed.to_vec(), Err(fault));
        }
    }
    (passed.to_vec(), Ok(()))
}

/// What must have passed at least, whether the stream ends with a packet, and what is wrong with it.
#[derive(Default)]
struct Expected {
    passed: Vec<u8>,
    complete: bool,
    fault: Option<NotMqtt>,
}

/// Whole packets with their payloads cut, packet by packet (MQTT 3.1.1, sections 2.2 and 3.3).
fn by_the_letter(most: usize, mut stream: &[u8]) -> Expected {
    let mut expected = Expected::default();
    loop {
        let Some((&first, rest)) = stream.split_first() else {
            expected.complete = true;
            return expected;
        };
        let Some((length, fixed)) = remaining_length(rest) else {
            expected.fault = (rest.len() >= 4).then_some(NotMqtt::Length);
            return expected;
        };
        let body = &rest[fixed..];
        if first >> 4 == 3 && length > most {
            let Some((topic, _)) = body.split_first_chunk() else { return expected };
            let id = if first & 0b110 == 0 { 0 } else { 2 };
            let head = 2 + usize::from(u16::from_be_bytes(*topic)) + id;
            if head > length {
                expected.fault = Some(NotMqtt::Topic);
                return expected;
            }
            if body.len() < length {
                return expected;
            }
            let kept = (length - head).min(most);
            expected.passed.push(first);
            expected.passed.extend(encoded(head + kept));
            expected.passed.extend(&body[..head + kept]);
        } else if body.len() < length {
            return expected;
        } else {
            expected.passed.push(first);
            expected.passed.extend(&rest[..fixed + length]);
        }
        stream = &body[length..];
    }
}

/// The length and the bytes that say it; `None` if there is no end to them, yet or within four.
fn remaining_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let last = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)?;
    let length = bytes[..=last].iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
    Some((length, last + 1))
}

fn encoded(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while length > 0x7f {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes
}

/// Short and long publications, other packets, and what is no MQTT.
pub fn seeds() -> Vec<Vec<u8>> {
    let publish = |first: u8, payload: usize| {
        let head = [&b"\0\x03a/b"[..], if first & 6 == 0 { &[] } else { b"\0\x07" }].concat();
        [&[first][..], &encoded(head.len() + payload), &head, &vec![b'x'; payload]].concat()
    };
    let ack = b"\x40\x02\0\x07".to_vec();
    let streams = [
        vec![publish(0x32, 3), ack.clone(), b"\xd0\0".to_vec(), publish(0x30, 40)],
        vec![publish(0x32, 400), ack, publish(0x3a, 0), publish(0x30, 17)],
        vec![b"\x20\x02\x01\0".to_vec(), b"\x90\x03\0\x01\x01".to_vec(), publish(0x32, 20)[..15].to_vec()],
        vec![b"\x30\x85\x80\x80\x80".to_vec()],
        vec![b"\x30\x13\xff\xff0123456789abcdef!".to_vec()],
    ];
    streams.iter().map(|packets| [&[16, 3][..], &packets.concat()].concat()).collect()
}
