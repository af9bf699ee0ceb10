//! Hears what the agent publishes, in a session that the broker keeps.

use super::player::Player;
use coilsight_models::message::Topics;
use rumqttc::{AsyncClient, Event, Incoming, QoS, SubscribeFilter};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A message heard.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When.
    pub at: Instant,
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// Whether the broker had kept it.
    pub retained: bool,
}

/// Everything heard so far; grows while the listener lives.
#[derive(Clone, Debug)]
pub struct Ear {
    heard: Arc<Mutex<Vec<Heard>>>,
    count: watch::Receiver<usize>,
}

impl Ear {
    /// Everything so far.
    pub fn all(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until what was heard is enough; whether it came to that within `patience`.
    pub async fn until(&mut self, patience: Duration, mut enough: impl FnMut(&[Heard]) -> bool) -> bool {
        let heard = Arc::clone(&self.heard);
        let wait = self.count.wait_for(|_| enough(&heard.lock().unwrap_or_else(PoisonError::into_inner)));
        matches!(tokio::time::timeout(patience, wait).await, Ok(Ok(_)))
    }
}

/// Starts listening; ready when this returns.
pub async fn listen(player: &Player, topics: &Topics) -> anyhow::Result<Ear> {
    let filters: Vec<_> = [&topics.assessment, &topics.disposition, &topics.notification, &topics.status]
        .map(|topic| SubscribeFilter::new(topics.full(topic), QoS::AtLeastOnce))
        .to_vec();
    let mut options = player.options();
    options.set_clean_session(false);
    let (client, mut eventloop) = AsyncClient::new(options, 10);
    client.subscribe_many(filters.clone()).await?;
    while !matches!(eventloop.poll().await?, Event::Incoming(Incoming::SubAck(_))) {}
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (tell, count) = watch::channel(0);
    let ear = Ear { heard: Arc::clone(&heard), count };
    tokio::spawn(async move {
        loop {
            match eventloop.poll().await {
                Ok(Event::Incoming(Incoming::Publish(message))) => {
                    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                    heard.push(Heard {
                        at: Instant::now(),
                        topic: message.topic,
                        payload: message.payload.to_vec(),
                        retained: message.retain,
                    });
                    if tell.send(heard.len()).is_err() {
                        return;
                    }
                }
                // A broker that has forgotten the session must be told again.
                Ok(Event::Incoming(Incoming::ConnAck(welcome))) if !welcome.session_present => {
                    let _ = client.try_subscribe_many(filters.clone());
                }
                Ok(_) => {}
                Err(_) if tell.is_closed() => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    Ok(ear)
}
