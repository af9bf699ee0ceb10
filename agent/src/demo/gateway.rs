//! The demo's gateway: sends the plan to the broker at QoS 1, one message after the other.

use super::client;
use super::plan::{Plan, Step};
use anyhow::Context;
use coilsight_models::coil::CoilId;
use jiff::Timestamp;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, QoS};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;

/// How far the gateway has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Messages that the broker has acknowledged.
    pub acknowledged: usize,
    /// Time on the line.
    pub at: Option<Timestamp>,
}

/// What the gateway goes by.
pub struct Gateway {
    /// The broker.
    pub broker: SocketAddr,
    /// How many times faster than the line; `None`: as fast as the line decides.
    pub speed: Option<f64>,
    /// Coils that have their decision.
    pub decided: watch::Receiver<BTreeSet<CoilId>>,
    /// Tells how far it has come.
    pub progress: watch::Sender<Progress>,
}

impl Gateway {
    /// Sends everything; ends when all is acknowledged.
    pub async fn play(mut self, plan: &Plan) -> anyhow::Result<()> {
        let (client, mut events) = client(self.broker, "gateway");
        let progress = self.progress.clone();
        let polling = poll(&mut events, &progress);
        tokio::pin!(polling);
        tokio::select! {
            ended = &mut polling => return ended.context("the demo's broker ended the gateway's connection"),
            sent = self.send(plan, &client) => sent?,
        }
        client.try_disconnect()?;
        // Until the broker hangs up.
        let _ = polling.await;
        Ok(())
    }

    async fn send(&mut self, plan: &Plan, client: &AsyncClient) -> anyhow::Result<()> {
        let mut acknowledged = self.progress.subscribe();
        let began = tokio::time::Instant::now();
        for (i, step) in plan.steps.iter().enumerate() {
            let Step { after, at, needs, topic, payload } = step;
            if let Some(speed) = self.speed {
                tokio::time::sleep_until(began + after.div_f64(speed)).await;
            }
            if let Some(coil) = needs {
                self.decided.wait_for(|decided| decided.contains(coil)).await?;
            }
            self.progress.send_modify(|progress| progress.at = Some(*at));
            client.publish(topic, QoS::AtLeastOnce, false, payload.clone()).await?;
            acknowledged.wait_for(|progress| progress.acknowledged > i).await?;
        }
        Ok(())
    }
}

async fn poll(events: &mut EventLoop, progress: &watch::Sender<Progress>) -> anyhow::Result<()> {
    loop {
        if let Event::Incoming(Incoming::PubAck(_)) = events.poll().await? {
            progress.send_modify(|progress| progress.acknowledged += 1);
        }
    }
}

/// With this speed, seconds on the line take so long; at least one, for rules are in whole seconds.
pub fn scaled(seconds: u64, speed: f64) -> u64 {
    Duration::from_secs(seconds).div_f64(speed).as_secs_f64().ceil().max(1.0) as u64
}
