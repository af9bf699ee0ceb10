//! Hears everything that is published for the line, as `mosquitto_sub -t 'plant/gl2/#'` would.

use super::client;
use anyhow::Context;
use rumqttc::{Event, EventLoop, Incoming, Publish, QoS};
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// Messages heard, in order.
pub struct Ear(mpsc::UnboundedReceiver<Publish>);

impl Ear {
    /// Listens to `filter`; what is published after this returns is heard, and what is retained.
    pub async fn listen(broker: SocketAddr, name: &str, filter: &str) -> anyhow::Result<Self> {
        let (client, mut events) = client(broker, name);
        client.subscribe(filter, QoS::AtLeastOnce).await?;
        let (tell, heard) = mpsc::unbounded_channel();
        loop {
            match events.poll().await.context("nobody can listen to the demo's broker")? {
                Event::Incoming(Incoming::SubAck(_)) => break,
                Event::Incoming(Incoming::Publish(message)) => tell.send(message)?,
                _ => {}
            }
        }
        // In a task of its own, for a poll must not be given up half-way. The client lives as long.
        tokio::spawn(async move {
            let _client = client;
            hear(&mut events, &tell).await;
        });
        Ok(Self(heard))
    }

    /// The next message.
    pub async fn next(&mut self) -> anyhow::Result<Publish> {
        self.0.recv().await.context("the demo's broker ended the connection")
    }
}

async fn hear(events: &mut EventLoop, tell: &mpsc::UnboundedSender<Publish>) {
    while let Ok(event) = events.poll().await {
        if let Event::Incoming(Incoming::Publish(message)) = event
            && tell.send(message).is_err()
        {
            return;
        }
    }
}
