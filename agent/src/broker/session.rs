//! An MQTT 3.1.1 session with the plant's broker, by rumqttc, for as long as the agent lives.
//!
//! Each connection has a rumqttc event loop of its own and a number, its generation. What belongs to an earlier
//! connection (an acknowledgement, a publication) dies with it: the broker delivers again, the outbox sends
//! again. A stale acknowledgement on a new connection could name a message that was never stored.
//!
//! rumqttc reaches the broker through a socket of this process, so that [`super::guard`] stands between them
//! ([`super::relay`]).

use super::Broker;
use super::backoff::Backoff;
use super::ended::Ended;
use super::guard::Guard;
use super::link;
use super::relay::Relay;
use bytes::Bytes;
use coilsight_models::message::status::Trouble;
use rumqttc::{
    AsyncClient, ConnectionError, EventLoop, Incoming, LastWill, MqttOptions, Outgoing, QoS, SubscribeFilter,
    SubscribeReasonCode, Transport,
};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Publications that the broker has not confirmed: more are refused by [`Command::Publish`]'s sender.
pub const MAX_IN_FLIGHT: usize = 8;

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Coils in, decisions out, the status and its last will.
    Line,
    /// Inspectors' words in: apart, so that they come through when rows cannot be stored.
    Words,
    /// Bundles in: apart, so that rows and words never wait for a bundle's disk.
    Models,
    /// Decisions and words up to the plant's record: apart, so that a record that is away holds up nothing.
    Upload,
}

/// A session's part of the work.
#[derive(Clone, Debug)]
pub struct Session {
    /// What it is for.
    pub role: Role,
    /// How the broker is reached.
    pub broker: Broker,
    /// User name and password.
    pub login: Option<(String, String)>,
    /// Its name at the broker.
    pub client_id: String,
    /// Whether the broker keeps it while the agent is away.
    pub kept: bool,
    /// Topics of the plant, acknowledged by hand.
    pub listens_to: Vec<String>,
    /// Own topics, to hear whether the broker passes on what it takes.
    pub echoes: Vec<String>,
    /// The status if the agent is lost: topic and payload, retained.
    pub will: Option<(String, Vec<u8>)>,
    /// No payload is longer, bytes; longer ones arrive cut to one more.
    pub max_payload: usize,
    /// Of this run: for the jitter of waits.
    pub seed: u64,
}

/// A message of the plant. Counts as delivered until it is acknowledged.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Whose.
    pub role: Role,
    /// The connection that it came by.
    pub generation: u64,
    /// The packet to acknowledge; 0 where nothing is awaited (QoS 0).
    pub packet: u16,
    /// Where it was published.
    pub topic: String,
    /// What was published.
    pub payload: Bytes,
}

/// Something to publish, at QoS 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// For whoever asked: comes back when the broker has taken it.
    pub token: u64,
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for those who come later.
    pub retain: bool,
}

/// What a session tells.
#[derive(Clone, Debug)]
pub enum Event {
    /// There is a connection.
    Up {
        /// Whose.
        role: Role,
        /// Its number.
        generation: u64,
        /// Whether the broker still knew the session.
        known: bool,
    },
    /// There is none, or no longer.
    Down {
        /// Whose.
        role: Role,
        /// Why.
        why: Trouble,
    },
    /// The broker has answered what it may listen to.
    Subscribed {
        /// Whose.
        role: Role,
        /// Topics that it may not.
        refused: Vec<String>,
    },
    /// A message of the plant.
    Delivered(Delivery),
    /// The broker has taken a publication.
    Confirmed {
        /// Which connection.
        generation: u64,
        /// Which publication.
        token: u64,
    },
    /// The broker passes on what was published to an own topic.
    Echo {
        /// Which.
        topic: String,
    },
}

/// What a session is told.
#[derive(Clone, Debug)]
pub enum Command {
    /// A delivery is stored.
    Acknowledge {
        /// Its connection.
        generation: u64,
        /// Its packet.
        packet: u16,
    },
    /// Publish this.
    Publish {
        /// On this connection, or not at all.
        generation: u64,
        /// What.
        publication: Publication,
    },
    /// More waits than may: hang up, and let the broker deliver again what was not acknowledged.
    HangUp {
        /// This connection.
        generation: u64,
    },
    /// Say good-bye to the broker and end.
    Stop,
}

impl Session {
    /// Lives until it is told to stop.
    pub async fn run(self, events: mpsc::Sender<Event>, mut commands: mpsc::UnboundedReceiver<Command>) {
        let longest = Duration::from_secs(self.broker.longest_wait_s.max(1));
        let mut backoff = Backoff::new(Duration::from_millis(250), longest, self.seed);
        for generation in 1.. {
            let why = match self.connect(generation, &events).await {
                Err(why) => why,
                Ok((connection, eventloop)) => {
                    let since = Instant::now();
                    let Some(why) = connection.serve(eventloop, &events, &mut commands).await else { return };
                    // A broker that hangs up at once is not asked again at once.
                    if since.elapsed() >= STEADY {
                        backoff.worked();
                    }
                    why
                }
            };
            let overloaded = matches!(why, Ended::Overloaded(_));
            let why = why.trouble();
            tracing::debug!(role = ?self.role, generation, "no connection: {}", why.text);
            if events.send(Event::Down { role: self.role, why }).await.is_err() {
                return;
            }
            let wait = tokio::time::sleep(backoff.next_wait());
            tokio::pin!(wait);
            loop {
                tokio::select! {
                    () = &mut wait => {
                        // Not before what came is stored.
                        if overloaded && events.capacity() < events.max_capacity() {
                            wait.as_mut().reset(Instant::now() + Duration::from_secs(1));
                        } else {
                            break;
                        }
                    }
                    command = commands.recv() => match command {
                        None | Some(Command::Stop) => return,
                        // Of a connection that is gone.
                        Some(_) => {}
                    },
                }
            }
        }
    }

    async fn connect(
        &self,
        generation: u64,
        events: &mpsc::Sender<Event>,
    ) -> Result<(Connection<'_>, EventLoop), Ended> {
        let stream = link::open(&self.broker).await?;
        let guard = Guard::new(self.max_payload + 1);
        let (requests, waiting) = watch::channel(0);
        let relay = Relay::start(stream, guard, waiting, &self.broker).map_err(Ended::Inside)?;
        let mut options = MqttOptions::new(&self.client_id, relay.name(), 0);
        options
            .set_transport(Transport::Unix)
            .set_keep_alive(self.broker.keep_alive())
            .set_clean_session(!self.kept)
            .set_manual_acks(true)
            .set_inflight(4 * MAX_IN_FLIGHT as u16)
            .set_max_packet_size(self.max_payload + 1 + MAX_PACKET_HEAD, MAX_OUTGOING);
        if let Some((user, password)) = &self.login {
            options.set_credentials(user, password);
        }
        if let Some((topic, payload)) = &self.will {
            options.set_last_will(LastWill::new(topic, payload.clone(), QoS::AtLeastOnce, true));
        }
        let (client, mut eventloop) = AsyncClient::new(options, REQUESTS);
        eventloop.network_options.set_connection_timeout(self.broker.keep_alive().as_secs());
        let connection = Connection { session: self, generation, client, requests, relay };
        let known = match eventloop.poll().await {
            Ok(rumqttc::Event::Incoming(Incoming::ConnAck(welcome))) => welcome.session_present,
            Ok(_) => return Err(Ended::Overloaded("another packet than a welcome")),
            Err(error) => return Err(connection.ended(error)),
        };
        tracing::info!(role = ?self.role, generation, known, "connected to the broker");
        let _ = events.send(Event::Up { role: self.role, generation, known }).await;
        Ok((connection, eventloop))
    }
}

/// A connection that has lived so long was a good one.
const STEADY: Duration = Duration::from_secs(10);
/// Requests that rumqttc holds: acknowledgements and publications, each with its own limit.
const REQUESTS: usize = 4096;
/// Room for a packet's header, topic and id, bytes.
const MAX_PACKET_HEAD: usize = 70_000;
/// No packet of ours is longer, bytes.
const MAX_OUTGOING: usize = 1 << 20;

struct Connection<'a> {
    session: &'a Session,
    generation: u64,
    client: AsyncClient,
    /// How many acknowledgements wait for rumqttc to send them.
    requests: watch::Sender<usize>,
    /// Carries its bytes.
    relay: Relay,
}

/// Publications on their way: in the order in which they were asked for, then by packet id.
#[derive(Default)]
struct Flight {
    asked: VecDeque<u64>,
    sent: HashMap<u16, u64>,
}

impl Connection<'_> {
    fn ended(&self, error: ConnectionError) -> Ended {
        let user = self.session.login.as_ref().map(|(user, _)| user.as_str());
        Ended::of(error, self.relay.broken(), user)
    }

    /// Works until the connection ends (then why) or it is told to stop (then nothing).
    async fn serve(
        self,
        eventloop: EventLoop,
        events: &mpsc::Sender<Event>,
        commands: &mut mpsc::UnboundedReceiver<Command>,
    ) -> Option<Ended> {
        let flight = Mutex::new(Flight::default());
        // Acknowledgements go out in the order of the messages (MQTT-4.6.0-2), and those of the plant wait until they
        // are stored; an echo waits for nothing, so it must not need one.
        let plant = self.session.listens_to.iter().map(|t| (t, QoS::AtLeastOnce));
        let topics = plant.chain(self.session.echoes.iter().map(|t| (t, QoS::AtMostOnce)));
        let filters: Vec<_> = topics.map(|(topic, qos)| SubscribeFilter::new(topic.clone(), qos)).collect();
        if self.client.try_subscribe_many(filters).is_err() {
            return Some(Ended::Overloaded("no subscription"));
        }
        // Never dropped half-way: rumqttc's poll may have taken a request that it has not yet sent.
        let polling = self.poll(eventloop, &flight, events);
        tokio::pin!(polling);
        loop {
            let command = tokio::select! {
                ended = &mut polling => return Some(ended),
                command = commands.recv() => command,
            };
            let asked = match command {
                None | Some(Command::Stop) => {
                    let _ = self.client.try_disconnect();
                    // Until the broker hangs up, or does not.
                    let _ = tokio::time::timeout(Duration::from_secs(2), &mut polling).await;
                    return None;
                }
                Some(Command::HangUp { generation }) if generation == self.generation => {
                    return Some(Ended::Overloaded("too much waits"));
                }
                Some(Command::Acknowledge { generation, packet }) if generation == self.generation => {
                    self.requests.send_modify(|waiting| *waiting += 1);
                    self.client.try_ack(&acknowledged(packet))
                }
                Some(Command::Publish { generation, publication: p }) if generation == self.generation => {
                    lock(&flight).asked.push_back(p.token);
                    self.client.try_publish(p.topic, QoS::AtLeastOnce, p.retain, p.payload)
                }
                Some(_) => Ok(()),
            };
            if asked.is_err() {
                return Some(Ended::Overloaded("too many requests"));
            }
        }
    }

    async fn poll(
        &self,
        mut eventloop: EventLoop,
        flight: &Mutex<Flight>,
        events: &mpsc::Sender<Event>,
    ) -> Ended {
        loop {
            let event = match eventloop.poll().await {
                Ok(event) => event,
                Err(error) => return self.ended(error),
            };
            let told = match event {
                rumqttc::Event::Outgoing(Outgoing::Publish(packet)) => {
                    let mut flight = lock(flight);
                    if let Some(token) = flight.asked.pop_front() {
                        flight.sent.insert(packet, token);
                    }
                    None
                }
                rumqttc::Event::Outgoing(Outgoing::PubAck(_)) => {
                    self.requests.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
                    None
                }
                rumqttc::Event::Incoming(Incoming::PubAck(ack)) => {
                    let token = lock(flight).sent.remove(&ack.pkid);
                    token.map(|token| Event::Confirmed { generation: self.generation, token })
                }
                rumqttc::Event::Incoming(Incoming::SubAck(ack)) => {
                    let topics = self.session.listens_to.iter().zip(ack.return_codes);
                    let refused = topics.filter(|(_, code)| *code == SubscribeReasonCode::Failure);
                    Some(Event::Subscribed {
                        role: self.session.role,
                        refused: refused.map(|(topic, _)| topic.clone()).collect(),
                    })
                }
                rumqttc::Event::Incoming(Incoming::Publish(message)) => {
                    if self.session.echoes.contains(&message.topic) {
                        // What the broker had kept from before is no echo.
                        (!message.retain).then_some(Event::Echo { topic: message.topic })
                    } else {
                        Some(Event::Delivered(Delivery {
                            role: self.session.role,
                            generation: self.generation,
                            packet: message.pkid,
                            topic: message.topic,
                            payload: message.payload,
                        }))
                    }
                }
                _ => None,
            };
            if let Some(event) = told {
                // While nothing can be stored the broker must wait; not for ever, for it hears no sign of life.
                let patience = self.session.broker.keep_alive() / 2;
                match tokio::time::timeout(patience, events.send(event)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return Ended::Overloaded("the line takes nothing"),
                }
            }
        }
    }
}

fn lock(flight: &Mutex<Flight>) -> std::sync::MutexGuard<'_, Flight> {
    flight.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What rumqttc needs to know of a publication to acknowledge it.
fn acknowledged(packet: u16) -> rumqttc::Publish {
    let mut publish = rumqttc::Publish::new("", QoS::AtLeastOnce, Vec::new());
    publish.pkid = packet;
    publish
}
