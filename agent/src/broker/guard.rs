//! What the broker sends, made harmless before it is taken into memory: a publication that is longer than any
//! message of the plant may be is cut to one byte more than that, so that the line sees it, sets it aside as
//! oversized and acknowledges it. Its other bytes are dropped as they come.
//!
//! Without this one such message in a persistent session is an endless redelivery (MQTT 3.1.1, section 4.4), or
//! takes as much memory as its sender likes, up to 256 MiB.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Cuts publications in a stream of MQTT packets.
#[derive(Debug)]
pub struct Guard {
    /// No payload passes that is longer, bytes.
    max_payload: usize,
    state: State,
    /// The beginning of a packet, while it is not known what to do with it.
    head: BytesMut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At a packet's fixed header.
    Header,
    /// In a long publication, of which the topic is not known whole; its remaining length.
    Topic(usize),
    /// So many bytes pass as they are.
    Pass(usize),
    /// So many bytes pass, and so many are dropped.
    Cut(usize, usize),
}

/// What no MQTT 3.1.1 packet looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMqtt {
    /// A length of more than four bytes.
    #[error("what comes from the broker is not MQTT: a packet's length has no end; is this the right port?")]
    Length,
    /// A topic longer than its packet.
    #[error("what comes from the broker is not MQTT: a topic is longer than its packet")]
    Topic,
}

/// A publication: the packet type in the upper half of the first byte.
const PUBLISH: u8 = 3;

impl Guard {
    /// Lets payloads of `max_payload` bytes pass, and cuts longer ones to that.
    pub fn new(max_payload: usize) -> Self {
        Self { max_payload, state: State::Header, head: BytesMut::new() }
    }

    /// Takes bytes from the broker and appends to `out` what may pass.
    pub fn feed(&mut self, mut bytes: Bytes, out: &mut BytesMut) -> Result<(), NotMqtt> {
        while !bytes.is_empty() {
            match self.state {
                State::Header => {
                    self.head.put_u8(bytes.get_u8());
                    self.header(out)?;
                }
                State::Topic(length) => {
                    let wanted = self.wanted().min(bytes.len());
                    self.head.put(bytes.split_to(wanted));
                    self.topic(length, out)?;
                }
                State::Pass(left) => {
                    let now = bytes.split_to(left.min(bytes.len()));
                    self.state = passing(left - now.len(), 0);
                    out.put(now);
                }
                State::Cut(0, drop) => {
                    let now = drop.min(bytes.len());
                    bytes.advance(now);
                    self.state = passing(0, drop - now);
                }
                State::Cut(left, drop) => {
                    let now = bytes.split_to(left.min(bytes.len()));
                    self.state = passing(left - now.len(), drop);
                    out.put(now);
                }
            }
        }
        Ok(())
    }

    /// With one more byte of a fixed header: once its length is known, what to do with the packet.
    fn header(&mut self, out: &mut BytesMut) -> Result<(), NotMqtt> {
        let Some((length, _)) = remaining(&self.head[1..])? else { return Ok(()) };
        let kind = self.head[0] >> 4;
        if kind == PUBLISH && length > self.max_payload {
            self.state = State::Topic(length);
        } else {
            out.put(self.head.split());
            self.state = passing(length, 0);
        }
        Ok(())
    }

    /// How many bytes of a long publication are wanted until its topic and packet id are known.
    fn wanted(&self) -> usize {
        let fixed = self.fixed();
        let have = self.head.len() - fixed;
        if have < 2 {
            return 2 - have;
        }
        fixed + 2 + self.topic_bytes() + self.id_bytes() - self.head.len()
    }

    fn fixed(&self) -> usize {
        1 + self.head[1..].iter().take_while(|byte| *byte & 0x80 != 0).count() + 1
    }

    fn topic_bytes(&self) -> usize {
        let fixed = self.fixed();
        usize::from(u16::from_be_bytes([self.head[fixed], self.head[fixed + 1]]))
    }

    /// A packet id is there with QoS 1 and 2.
    fn id_bytes(&self) -> usize {
        if self.head[0] & 0x06 == 0 { 0 } else { 2 }
    }

    /// With more of a long publication's beginning: once its payload's length is known, cuts it.
    fn topic(&mut self, length: usize, out: &mut BytesMut) -> Result<(), NotMqtt> {
        let fixed = self.fixed();
        if self.head.len() < fixed + 2 {
            return Ok(());
        }
        let before_payload = 2 + self.topic_bytes() + self.id_bytes();
        let payload = length.checked_sub(before_payload).ok_or(NotMqtt::Topic)?;
        if self.head.len() < fixed + before_payload {
            return Ok(());
        }
        let kept = payload.min(self.max_payload);
        out.put_u8(self.head[0]);
        put_remaining(before_payload + kept, out);
        out.put(&self.head[fixed..]);
        self.head.clear();
        self.state = passing(kept, payload - kept);
        Ok(())
    }
}

fn passing(left: usize, drop: usize) -> State {
    match (left, drop) {
        (0, 0) => State::Header,
        (left, 0) => State::Pass(left),
        (left, drop) => State::Cut(left, drop),
    }
}

/// The remaining length and its own bytes, if it is whole (MQTT 3.1.1, section 2.2.3).
fn remaining(bytes: &[u8]) -> Result<Option<(usize, usize)>, NotMqtt> {
    let mut length = 0;
    for (i, byte) in bytes.iter().enumerate() {
        if i == 4 {
            return Err(NotMqtt::Length);
        }
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((length, i + 1)));
        }
    }
    if bytes.len() >= 4 { Err(NotMqtt::Length) } else { Ok(None) }
}

fn put_remaining(mut length: usize, out: &mut BytesMut) {
    loop {
        let byte = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            out.put_u8(byte);
            return;
        }
        out.put_u8(byte | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rumqttc::mqttbytes::QoS;
    use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish};

    const MAX: usize = 1000;

    fn publish(qos: QoS, topic: &str, payload: usize, id: u16) -> Packet {
        let bytes: Vec<u8> = (0..payload).map(|i| i as u8).collect();
        let mut publish = Publish::new(topic, qos, bytes);
        publish.pkid = if qos == QoS::AtMostOnce { 0 } else { id };
        Packet::Publish(publish)
    }

    fn encode(packets: &[Packet]) -> Bytes {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet.write(&mut bytes, usize::MAX).unwrap();
        }
        bytes.freeze()
    }

    fn through(bytes: &Bytes, pieces: &[usize]) -> Vec<Packet> {
        let (mut guard, mut out, mut rest) = (Guard::new(MAX), BytesMut::new(), bytes.clone());
        let mut sizes = pieces.iter().cycle();
        while !rest.is_empty() {
            let n = (*sizes.next().unwrap()).clamp(1, rest.len());
            guard.feed(rest.split_to(n), &mut out).unwrap();
        }
        let mut packets = Vec::new();
        while !out.is_empty() {
            packets.push(Packet::read(&mut out, usize::MAX).unwrap());
        }
        packets
    }

    fn cut(packet: &Packet) -> Packet {
        let Packet::Publish(p) = packet else { return packet.clone() };
        let mut p = p.clone();
        p.payload.truncate(MAX);
        Packet::Publish(p)
    }

    #[test]
    fn what_is_too_long_is_cut_and_the_rest_passes() {
        let packets = [
            publish(QoS::AtLeastOnce, "plant/gl2/gauge", 10, 1),
            publish(QoS::AtLeastOnce, "plant/gl2/gauge", 300_000, 2),
            Packet::PubAck(PubAck::new(7)),
            Packet::PingResp,
            publish(QoS::AtMostOnce, "plant/gl2/gauge", MAX + 1, 0),
            publish(QoS::AtLeastOnce, &"t".repeat(2000), MAX, 9),
            publish(QoS::AtLeastOnce, "x", 0, 3),
        ];
        let expected: Vec<_> = packets.iter().map(cut).collect();
        let bytes = encode(&packets);
        for pieces in [&[1][..], &[3, 1, 7], &[4096], &[usize::MAX]] {
            assert_eq!(through(&bytes, pieces), expected);
        }
    }

    #[test]
    fn memory_does_not_grow_with_the_message() {
        let bytes = encode(&[publish(QoS::AtLeastOnce, "a", 50_000_000, 1)]);
        let (mut guard, mut out) = (Guard::new(MAX), BytesMut::new());
        for start in (0..bytes.len()).step_by(4096) {
            guard.feed(bytes.slice(start..(start + 4096).min(bytes.len())), &mut out).unwrap();
        }
        assert!(out.len() < MAX + 100 && guard.head.is_empty());
    }

    #[test]
    fn what_is_not_mqtt_is_said() {
        let (mut guard, mut out) = (Guard::new(MAX), BytesMut::new());
        let web = Bytes::from_static(b"\xff\xff\xff\xff\xff\xff");
        assert_eq!(guard.feed(web, &mut out), Err(NotMqtt::Length));
        let (mut guard, mut out) = (Guard::new(0), BytesMut::new());
        assert_eq!(guard.feed(Bytes::from_static(b"\x30\x02\xff\xff"), &mut out), Err(NotMqtt::Topic));
    }

    proptest! {
        #[test]
        fn any_stream_in_any_pieces(
            sizes in prop::collection::vec((0usize..3000, 0usize..300, any::<bool>(), 1u16..), 1..8),
            pieces in prop::collection::vec(1usize..700, 1..6),
        ) {
            let packets: Vec<_> = sizes
                .iter()
                .map(|(payload, topic, qos1, id)| {
                    let qos = if *qos1 { QoS::AtLeastOnce } else { QoS::AtMostOnce };
                    publish(qos, &"t".repeat(1 + topic), *payload, *id)
                })
                .collect();
            let expected: Vec<_> = packets.iter().map(cut).collect();
            prop_assert_eq!(through(&encode(&packets), &pieces), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), max in 0usize..100) {
            let mut out = BytesMut::new();
            let _ = Guard::new(max).feed(Bytes::from(bytes.clone()), &mut out);
            prop_assert!(out.len() <= bytes.len());
        }
    }
}
