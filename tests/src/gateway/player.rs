//! Sends a plan to a broker as a gateway does: QoS 1, few in flight, and after a broken connection again from the
//! first message that was not acknowledged.

use super::plan::{Message, Plan};
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, QoS};
use std::time::Duration;
use tokio::time::Instant;

/// Messages on their way at once.
const WINDOW: usize = 20;

/// How a plan is played.
#[derive(Clone, Debug)]
pub struct Player {
    /// The broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// This client's name.
    pub client_id: String,
    /// User name and password.
    pub login: Option<(String, String)>,
    /// How many times the line's own speed; 0: as fast as the broker takes it.
    pub speed: f64,
}

/// When each message was acknowledged by the broker.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// In the plan's order.
    pub acknowledged: Vec<Instant>,
    /// Broken connections.
    pub broken: usize,
}

impl Player {
    /// Options for a connection of the bench.
    pub fn options(&self) -> MqttOptions {
        let mut options = MqttOptions::new(&self.client_id, &self.host, self.port);
        options
            .set_max_packet_size(16 << 20, 16 << 20)
            .set_keep_alive(Duration::from_secs(30))
            .set_inflight(100);
        if let Some((user, password)) = &self.login {
            options.set_credentials(user, password);
        }
        options
    }

    /// Plays it to the end, whatever becomes of the broker. `progress` hears how many are acknowledged.
    pub async fn play(&self, plan: &Plan, progress: &mut dyn FnMut(usize)) -> Sent {
        let mut sent = Sent::default();
        let began = Instant::now();
        while sent.acknowledged.len() < plan.messages.len() {
            let (client, eventloop) = AsyncClient::new(self.options(), 2 * WINDOW);
            if self.connection(&client, eventloop, plan, began, &mut sent, progress).await.is_err() {
                sent.broken += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        sent
    }

    async fn connection(
        &self,
        client: &AsyncClient,
        mut eventloop: EventLoop,
        plan: &Plan,
        began: Instant,
        sent: &mut Sent,
        progress: &mut dyn FnMut(usize),
    ) -> anyhow::Result<()> {
        while !matches!(eventloop.poll().await?, Event::Incoming(Incoming::ConnAck(_))) {}
        let (tell, mut acknowledged) = tokio::sync::mpsc::unbounded_channel();
        // Never dropped half-way: it may have taken a message that it has not yet sent.
        let polling = async {
            loop {
                match eventloop.poll().await {
                    Ok(Event::Incoming(Incoming::PubAck(_))) => drop(tell.send(Instant::now())),
                    Ok(_) => {}
                    Err(error) => return error,
                }
            }
        };
        tokio::pin!(polling);
        let mut next = sent.acknowledged.len();
        while sent.acknowledged.len() < plan.messages.len() {
            let room = next < plan.messages.len() && next - sent.acknowledged.len() < WINDOW;
            let due = if room { began + self.due(&plan.messages[next]) } else { began };
            tokio::select! {
                error = &mut polling => return Err(error.into()),
                Some(at) = acknowledged.recv() => {
                    sent.acknowledged.push(at);
                    progress(sent.acknowledged.len());
                }
                () = tokio::time::sleep_until(due), if room => {
                    let Message { topic, payload, .. } = &plan.messages[next];
                    client.try_publish(topic, QoS::AtLeastOnce, false, payload.clone())?;
                    next += 1;
                }
            }
        }
        client.try_disconnect()?;
        polling.await;
        Ok(())
    }

    fn due(&self, message: &Message) -> Duration {
        if self.speed > 0.0 { message.after.div_f64(self.speed) } else { Duration::ZERO }
    }
}
