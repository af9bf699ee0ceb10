//! Between lines and the record, over the plant's broker. What is stored is answered; what is not stored is not, and comes again.

use crate::plant::{Error, Record, Result};
use crate::release::push::{Broker, Link};
use anyhow::{Context, bail};
use coilsight_models::message::upload::{Batch, Place, Report, Stored, VERSION, Way, payload};
use coilsight_models::message::{DOCTORS_TEST, model};
use jiff::Timestamp;
use rumqttc::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions, QoS, SubscribeFilter, SubscribeReasonCode,
    Transport,
};
use sqlx::Row;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Messages that have come and are not yet looked at: with their greatest length, what a flood may take of memory.
const EVENTS: usize = 16;
/// Publications on their way.
const REQUESTS: usize = 64;
/// Room for a packet's header and topic, bytes.
const HEAD: usize = 70_000;
/// So long a full inbox keeps what comes waiting: the broker wants to hear of us now and then.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest wait between two tries to connect.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What has come since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Batches stored, or known.
    pub batches: AtomicU64,
    /// Reports and slots stored.
    pub reports: AtomicU64,
    /// Messages that were not understood, or from a line that bears another's name.
    pub refused: AtomicU64,
    /// Messages that the database did not take; they come again.
    pub failed: AtomicU64,
    /// 1 while there is a connection to the broker.
    pub connected: AtomicU64,
}

/// Listens to lines.
#[derive(Debug)]
pub struct Station {
    record: Record,
    broker: Broker,
    lines: Vec<String>,
    counts: Arc<Counts>,
}

impl Station {
    /// Listens to these lines.
    pub fn new(record: Record, broker: Broker, lines: Vec<String>, counts: Arc<Counts>) -> Self {
        Self { record, broker, lines, counts }
    }

    /// Connects, and connects again; ends only if that is in vain.
    pub async fn run(&mut self) -> anyhow::Result<()> {
        let mut wait = Duration::from_millis(250);
        // A wrong name or password is told at once.
        self.broker.login()?;
        self.broker.encryption()?;
        loop {
            let lost = match self.connect().await {
                Ok((client, eventloop, link)) => {
                    wait = Duration::from_millis(250);
                    self.counts.connected.store(1, Ordering::Relaxed);
                    let lost = self.serve(&client, eventloop).await;
                    self.counts.connected.store(0, Ordering::Relaxed);
                    drop(link);
                    lost
                }
                Err(error) => error,
            };
            tracing::warn!("no connection to the plant's broker, trying again: {lost:#}");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn connect(&self) -> anyhow::Result<(AsyncClient, EventLoop, Link)> {
        let login = self.broker.login()?;
        let link = Link::open(&self.broker).await?;
        let own = format!("coilsight-record-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let mut options = MqttOptions::new(own, &link.name, 0);
        options
            .set_transport(Transport::Unix)
            .set_keep_alive(Duration::from_secs(30))
            // What is said while nobody listens, lines say again.
            .set_clean_session(true)
            .set_inflight(REQUESTS as u16)
            .set_max_packet_size(Way::Batch.max_bytes() + HEAD, Way::Stored.max_bytes() + HEAD);
        if let Some((user, password)) = login {
            options.set_credentials(user, password);
        }
        let (client, mut eventloop) = AsyncClient::new(options, REQUESTS);
        eventloop.network_options.set_connection_timeout(20);
        match eventloop.poll().await.context("the broker refuses the session, or the connection was lost")? {
            Event::Incoming(Incoming::ConnAck(_)) => {}
            _ => bail!("the broker answers with another packet than a welcome"),
        }
        let topics = self.lines.iter().flat_map(|line| {
            [
                format!("{line}/upload/{}", Way::Batch.name()),
                format!("{line}/upload/{}", Way::Report.name()),
                format!("{line}/model/{}", model::Way::State.name()),
            ]
        });
        let filters = topics.map(|topic| SubscribeFilter::new(topic, QoS::AtLeastOnce));
        client.try_subscribe_many(filters).context("no subscription")?;
        Ok((client, eventloop, link))
    }

    /// Until the connection ends; then why.
    async fn serve(&self, client: &AsyncClient, eventloop: EventLoop) -> anyhow::Error {
        let (heard, mut inbox) = mpsc::channel(EVENTS);
        // Never dropped half-way, and never held up by the database: the broker wants to hear of us.
        let polling = poll(eventloop, heard);
        tokio::pin!(polling);
        let work = async {
            // A record from a backup says so before anybody asks.
            match self.record.places().await {
                Ok(places) => places.iter().for_each(|(prefix, stored)| answer(client, prefix, stored)),
                Err(error) => tracing::warn!("{:#}", anyhow::Error::new(error)),
            }
            while let Some((topic, payload)) = inbox.recv().await {
                self.take(client, &topic, &payload).await;
            }
        };
        tokio::select! {
            error = &mut polling => error,
            () = work => anyhow::anyhow!("the connection was lost"),
        }
    }

    /// Takes a message in.
    async fn take(&self, client: &AsyncClient, topic: &str, payload: &[u8]) {
        let now = Timestamp::now();
        let done = if let Some(prefix) = topic.strip_suffix("/upload/batch") {
            match Batch::parse(payload) {
                Ok(batch) => self.record.store(prefix, &batch, now).await.map(|stored| {
                    answer(client, prefix, &stored);
                    &self.counts.batches
                }),
                Err(error) => return self.refuse(topic, &anyhow::Error::new(error)),
            }
        } else if let Some(prefix) = topic.strip_suffix("/upload/report") {
            match Report::parse(payload) {
                Ok(report) => self.record.report(prefix, &report, now).await.map(|()| &self.counts.reports),
                Err(error) => return self.refuse(topic, &anyhow::Error::new(error)),
            }
        } else if let Some(prefix) = topic.strip_suffix("/model/state") {
            match model::State::parse(payload) {
                Ok(state) => self.record.slots(prefix, &state, now).await.map(|()| &self.counts.reports),
                Err(error) => return self.refuse(topic, &anyhow::Error::new(error)),
            }
        } else {
            return;
        };
        match done {
            Ok(count) => {
                count.fetch_add(1, Ordering::Relaxed);
            }
            Err(error @ Error::Stranger { .. }) => self.refuse(topic, &anyhow::Error::new(error)),
            Err(error) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    "a message on {topic:?} is not stored, and not answered: {:#}",
                    anyhow::Error::new(error)
                );
            }
        }
    }

    fn refuse(&self, topic: &str, error: &anyhow::Error) {
        let refused = self.counts.refused.fetch_add(1, Ordering::Relaxed) + 1;
        // One line a doubling: whoever floods the broker does not fill the log.
        if refused.is_power_of_two() {
            tracing::warn!(refused, "a message on {topic:?} is refused: {error:#}");
        }
    }
}

fn answer(client: &AsyncClient, prefix: &str, stored: &Stored) {
    let topic = format!("{prefix}/upload/{}", Way::Stored.name());
    // If it cannot be said now, the line asks again.
    let _ = client.try_publish(topic, QoS::AtLeastOnce, false, payload(stored));
}

/// Keeps the connection going until it ends, and says why.
async fn poll(mut eventloop: EventLoop, heard: mpsc::Sender<(String, Vec<u8>)>) -> anyhow::Error {
    loop {
        match eventloop.poll().await {
            Err(error) => return anyhow::Error::new(error),
            Ok(Event::Incoming(Incoming::Publish(message))) => {
                if message.payload == DOCTORS_TEST {
                    continue;
                }
                // A full inbox lets the broker keep the next for a while; then what comes is dropped, and comes again.
                let message = (message.topic, message.payload.to_vec());
                let _ = heard.send_timeout(message, PATIENCE).await;
            }
            Ok(Event::Incoming(Incoming::SubAck(ack)))
                if ack.return_codes.contains(&SubscribeReasonCode::Failure) =>
            {
                return anyhow::anyhow!(
                    "have the broker let this user read the lines' upload and model/state topics"
                );
            }
            Ok(_) => {}
        }
    }
}

impl Record {
    /// Where the record stands in every log, by the lines' topics.
    async fn places(&self) -> Result<Vec<(String, Stored)>> {
        let sql =
            "SELECT prefix, line.line, log, file, pos FROM line_log JOIN line ON line.line = line_log.line";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let place = |row: &sqlx::any::AnyRow| Stored {
            version: VERSION,
            line: row.get(1),
            log: row.get(2),
            upto: Place { file: row.get::<i64, _>(3) as u32, offset: row.get::<i64, _>(4) as u64 },
            wait_s: None,
        };
        Ok(rows.iter().map(|row| (row.get(0), place(row))).collect())
    }
}
