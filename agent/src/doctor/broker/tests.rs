//! The doctor at a broker that speaks MQTT 3.1.1 alone, refuses one topic and throws one publication away.

use super::super::{Grade, Report};
use super::*;
use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode,
};
use rumqttc::mqttbytes::{Error, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const REFUSED: &str = "plant/gl2/feedback";
const THROWN_AWAY: &str = "plant/gl2/assessment";

/// What the broker answers.
fn answer(packet: Packet) -> Vec<Packet> {
    match packet {
        Packet::Connect(_) => vec![Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false))],
        Packet::Subscribe(asked) => {
            let code = |topic: &str| match topic {
                REFUSED => SubscribeReasonCode::Failure,
                _ => SubscribeReasonCode::Success(QoS::AtLeastOnce),
            };
            let codes = asked.filters.iter().map(|filter| code(&filter.path)).collect();
            let row = Publish::new("plant/gl2/gauge", QoS::AtMostOnce, "a row");
            vec![Packet::SubAck(SubAck::new(asked.pkid, codes)), Packet::Publish(row)]
        }
        Packet::Publish(said) => {
            let back = Publish::new(&said.topic, QoS::AtMostOnce, said.payload.to_vec());
            let passed_on = (said.topic != THROWN_AWAY).then_some(Packet::Publish(back));
            [Packet::PubAck(PubAck::new(said.pkid))].into_iter().chain(passed_on).collect()
        }
        _ => Vec::new(),
    }
}

/// Answers until the client goes, or says something that is not MQTT 3.1.1.
async fn serve(mut socket: TcpStream) -> std::io::Result<()> {
    let mut buffer = BytesMut::new();
    while socket.read_buf(&mut buffer).await? > 0 {
        // A CONNECT of MQTT 5 (its section 3.1.2.2).
        if buffer.starts_with(&[0x10]) && buffer.get(8) == Some(&5) {
            return Ok(());
        }
        loop {
            let answers = match Packet::read(&mut buffer, 1 << 20) {
                Ok(Packet::Disconnect) => return Ok(()),
                Ok(packet) => answer(packet),
                Err(Error::InsufficientBytes(_)) => break,
                Err(_) => return Ok(()),
            };
            let mut out = BytesMut::new();
            for packet in answers {
                packet.write(&mut out, 1 << 20).unwrap();
            }
            socket.write_all(&out).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn without_mqtt_5_what_comes_back_tells_who_may_publish() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut settings = Settings::default();
    settings.broker.host = "127.0.0.1".into();
    settings.broker.port = listener.local_addr().unwrap().port();
    let broker = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket));
        }
    });
    let mut report = Report { json: true, ..Report::default() };
    look(&settings, true, &mut report).await;
    broker.abort();
    let said = |grade: Grade| -> Vec<String> {
        let of = report.findings.iter().filter(|finding| finding.grade == grade);
        of.map(|finding| format!("{}: {}", finding.check, finding.found)).collect()
    };
    assert_eq!(
        said(Grade::Fault),
        [format!("listen: the broker does not let this agent listen to {REFUSED}")]
    );
    let warnings = said(Grade::Warning);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].starts_with(&format!("publish: what is published to {THROWN_AWAY} does not come back"))
    );
    let fine = said(Grade::Ok).join("\n");
    assert!(fine.contains("listen: 1 messages in 3 s"), "{fine}");
    assert!(
        fine.contains(
            "may publish to plant/gl2/disposition, plant/gl2/notification, plant/gl2/status (heard back"
        ),
        "{fine}"
    );
}
