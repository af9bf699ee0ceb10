//! Asks the broker whether the agent may publish. By MQTT 3.1.1 a broker can only acknowledge a publication that it
//! throws away; by MQTT 5 it says so. So this speaks MQTT 5, if the broker does.

use crate::broker::Broker;
use crate::broker::guard::Guard;
use crate::broker::link;
use crate::broker::relay::Relay;
use crate::say::chain;
use coilsight_models::message::DOCTORS_TEST;
use rumqttc::Transport;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use std::time::Duration;
use tokio::sync::watch;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the broker says to a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is passed on.
    Taken,
    /// There is no permission.
    Denied,
    /// Something else, in its words.
    Other(String),
}

/// Publishes [`DOCTORS_TEST`] to each topic. An error says why MQTT 5 is not spoken.
pub(super) async fn ask(
    broker: &Broker,
    login: Option<&(String, String)>,
    client_id: &str,
    topics: &[String],
) -> Result<Vec<Answer>, String> {
    let mut answers = Vec::new();
    for topic in topics {
        // Each on a connection of its own: some brokers hang up with a refusal.
        let (_relay, client, mut eventloop) = connect(broker, login, client_id).await?;
        let asked = client.try_publish(topic, QoS::AtLeastOnce, false, DOCTORS_TEST);
        asked.map_err(|error| chain(&error))?;
        let reason = until(&mut eventloop, |packet| match packet {
            Packet::PubAck(ack) => Some(ack.reason),
            _ => None,
        });
        answers.push(match reason.await {
            Ok(PubAckReason::Success | PubAckReason::NoMatchingSubscribers) => Answer::Taken,
            Ok(PubAckReason::NotAuthorized) => Answer::Denied,
            Ok(other) => Answer::Other(format!("{other:?}")),
            Err(why) => Answer::Other(why),
        });
        if client.try_disconnect().is_ok() {
            let _ = until(&mut eventloop, |_| None::<()>).await;
        }
    }
    Ok(answers)
}

async fn connect(
    broker: &Broker,
    login: Option<&(String, String)>,
    client_id: &str,
) -> Result<(Relay, AsyncClient, EventLoop), String> {
    let stream = link::open(broker).await.map_err(|error| chain(&error))?;
    // It acknowledges nothing.
    let (_, waiting) = watch::channel(0);
    let relay =
        Relay::start(stream, Guard::new(64 << 10), waiting, broker).map_err(|error| error.to_string())?;
    let mut options = MqttOptions::new(client_id, relay.name(), 0);
    options
        .set_transport(Transport::Unix)
        .set_keep_alive(broker.keep_alive())
        .set_clean_start(true)
        .set_connection_timeout(PATIENCE.as_secs());
    if let Some((user, password)) = login {
        options.set_credentials(user, password);
    }
    let (client, mut eventloop) = AsyncClient::new(options, 10);
    until(&mut eventloop, |packet| matches!(packet, Packet::ConnAck(_)).then_some(())).await?;
    Ok((relay, client, eventloop))
}

async fn until<T>(eventloop: &mut EventLoop, wanted: impl Fn(&Packet) -> Option<T>) -> Result<T, String> {
    let found = async {
        loop {
            match eventloop.poll().await {
                Ok(Event::Incoming(packet)) => {
                    if let Some(found) = wanted(&packet) {
                        return Ok(found);
                    }
                }
                Ok(Event::Outgoing(_)) => {}
                Err(error) => return Err(chain(&error)),
            }
        }
    };
    let late = |_| format!("no answer within {} s", PATIENCE.as_secs());
    tokio::time::timeout(PATIENCE, found).await.map_err(late)?
}
