//! A push on a real broker: connects, and connects again, until the line has had its last word.

use super::link::Link;
use super::{Broker, BundleFile, Push, Say};
use anyhow::{Context, bail};
use coilsight_models::message::Topics;
use coilsight_models::message::model::{State, Way, payload};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, Incoming, MqttOptions, Outgoing, QoS,
    SubscribeFilter, SubscribeReasonCode, Transport,
};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Publications and subscriptions on their way: a window of pieces, an offer, a subscription, a good-bye.
const REQUESTS: usize = 32;
/// What has come and was not yet looked at.
const EVENTS: usize = 64;
/// Room for a packet's header and topic, bytes.
const HEAD: usize = 70_000;
/// Time is looked at so often.
const TICK: Duration = Duration::from_millis(200);
/// The longest wait between two tries to connect.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// What the broker keeps is there at once; a slow one gets this long.
const KEPT: Duration = Duration::from_secs(5);

/// Pushes until the line has said the awaited, or refused, or `longest` is over. `tell` hears how it goes: the push,
/// and why there is no connection, if so.
pub fn run(
    file: &BundleFile,
    push: &mut Push,
    broker: &Broker,
    topics: &Topics,
    longest: Duration,
    tell: &mut dyn FnMut(&Push, Option<&str>),
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let start = Instant::now();
        let mut wait = Duration::from_millis(250);
        let mut lost: Option<anyhow::Error> = None;
        while start.elapsed() < longest {
            match Session::open(broker, topics, &[Way::Want, Way::Answer, Way::State]).await {
                Ok(session) => {
                    wait = Duration::from_millis(250);
                    tell(push, None);
                    match session.push(file, push, start, longest, tell).await? {
                        None => return Ok(()),
                        Some(error) => lost = Some(error),
                    }
                }
                // The first time it is told at once: there a name or a password may be wrong.
                Err(Refusal { error, .. }) if lost.is_none() => return Err(error),
                Err(Refusal { error, for_good: true }) => return Err(error),
                Err(Refusal { error, .. }) => lost = Some(error),
            }
            push.disconnected();
            tell(push, lost.as_ref().map(|error| format!("{error:#}")).as_deref());
            tokio::time::sleep(wait.min(longest.saturating_sub(start.elapsed()))).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        bail!("{}", late(push, longest))
    })
}

fn late(push: &Push, longest: Duration) -> String {
    let seconds = longest.as_secs();
    match push.word() {
        None => format!(
            "look whether the line's agent runs, and whether the broker lets both of you read and write its model topics: the line has not answered within {seconds} s"
        ),
        Some(word) => format!("after {seconds} s the line had said no more than: {word}"),
    }
}

/// What the line has in its slots, as the broker keeps it; `None` if it keeps nothing.
pub fn read_state(broker: &Broker, topics: &Topics) -> anyhow::Result<Option<State>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let session = Session::open(broker, topics, &[Way::State]).await.map_err(|refusal| refusal.error)?;
        let payload = session.first(KEPT).await?;
        payload.map(|payload| State::parse(&payload).context("the line's state cannot be read")).transpose()
    })
}

/// No session.
struct Refusal {
    error: anyhow::Error,
    /// Trying again would be in vain.
    for_good: bool,
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self { error, for_good: false }
    }
}

/// A session with the broker, for one connection.
struct Session<'a> {
    client: AsyncClient,
    eventloop: EventLoop,
    topics: &'a Topics,
    _link: Link,
}

/// What a session hears.
enum Heard {
    Message(String, Vec<u8>),
    /// The broker has taken a publication, the n-th of this connection.
    Taken(u64),
    MayNotListen,
}

impl<'a> Session<'a> {
    async fn open(broker: &Broker, topics: &'a Topics, ways: &[Way]) -> Result<Self, Refusal> {
        let login = broker.login().map_err(|error| Refusal { error, for_good: true })?;
        let link = Link::open(broker).await?;
        let own = format!("coilsight-trainer-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let mut options = MqttOptions::new(own, &link.name, 0);
        options
            .set_transport(Transport::Unix)
            .set_keep_alive(Duration::from_secs(20))
            .set_clean_session(true)
            .set_inflight(REQUESTS as u16)
            .set_max_packet_size(Way::State.max_bytes() + HEAD, Way::Piece.max_bytes() + HEAD);
        if let Some((user, password)) = login {
            options.set_credentials(user, password);
        }
        let (client, mut eventloop) = AsyncClient::new(options, REQUESTS);
        eventloop.network_options.set_connection_timeout(20);
        match eventloop.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => {}
            Ok(_) => {
                return Err(anyhow::anyhow!("the broker answers with another packet than a welcome").into());
            }
            Err(error) => return Err(refusal(error)),
        }
        let filters = ways.iter().map(|way| SubscribeFilter::new(topics.model(*way), QoS::AtLeastOnce));
        client.try_subscribe_many(filters).context("no subscription").map_err(Refusal::from)?;
        Ok(Self { client, eventloop, topics, _link: link })
    }

    /// Pushes on this connection until it ends (then why) or the push does (then nothing).
    async fn push(
        self,
        file: &BundleFile,
        push: &mut Push,
        start: Instant,
        longest: Duration,
        tell: &mut dyn FnMut(&Push, Option<&str>),
    ) -> anyhow::Result<Option<anyhow::Error>> {
        let Self { client, eventloop, topics, _link: link } = self;
        let (heard, mut inbox) = mpsc::channel(EVENTS);
        // Never dropped half-way: rumqttc's poll may have taken a request that it has not yet sent.
        let polling = poll(eventloop, heard);
        tokio::pin!(polling);
        let mut tick = tokio::time::interval(TICK);
        let (mut published, mut pieces) = (0, HashMap::new());
        push.connected();
        while start.elapsed() < longest {
            tokio::select! {
                error = &mut polling => return Ok(Some(error)),
                Some(heard) = inbox.recv() => match heard {
                    Heard::Message(topic, payload) => {
                        if let Some(way) = topics.model_way(&topic) {
                            push.hear(way, &payload, start.elapsed());
                        }
                    }
                    Heard::Taken(number) => {
                        if let Some(index) = pieces.remove(&number) {
                            push.taken(index);
                        }
                    }
                    Heard::MayNotListen => bail!("{MAY_NOT_LISTEN}"),
                },
                _ = tick.tick() => {}
            }
            for send in push.due(start.elapsed()) {
                let (way, message) = match send {
                    Say::Offer => (Way::Offer, payload(push.offer())),
                    Say::Piece(index) => {
                        pieces.insert(published, index);
                        (Way::Piece, file.piece(index)?)
                    }
                };
                client
                    .try_publish(topics.model(way), QoS::AtLeastOnce, false, message)
                    .context("more is to be sent than may wait: please report this")?;
                published += 1;
            }
            tell(push, None);
            if push.ended().is_some() {
                let _ = client.try_disconnect();
                // Until the broker hangs up, or does not.
                let _ = tokio::time::timeout(Duration::from_secs(1), &mut polling).await;
                drop(link);
                return Ok(None);
            }
        }
        Ok(Some(anyhow::anyhow!("the time is over")))
    }

    /// The first message that comes, if one comes in time.
    async fn first(self, patience: Duration) -> anyhow::Result<Option<Vec<u8>>> {
        let Self { client, eventloop, _link: link, .. } = self;
        let (heard, mut inbox) = mpsc::channel(EVENTS);
        let polling = poll(eventloop, heard);
        tokio::pin!(polling);
        let wait = tokio::time::sleep(patience);
        tokio::pin!(wait);
        let found = loop {
            tokio::select! {
                error = &mut polling => return Err(error),
                () = &mut wait => break None,
                Some(heard) = inbox.recv() => match heard {
                    Heard::Message(_, payload) => break Some(payload),
                    Heard::MayNotListen => bail!("{MAY_NOT_LISTEN}"),
                    Heard::Taken(_) => {}
                },
            }
        };
        let _ = client.try_disconnect();
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut polling).await;
        drop(link);
        Ok(found)
    }
}

const MAY_NOT_LISTEN: &str =
    "have the broker let this user read the line's model topics: it refuses the subscription";

/// Keeps the connection going until it ends, and says why.
async fn poll(mut eventloop: EventLoop, heard: mpsc::Sender<Heard>) -> anyhow::Error {
    // rumqttc names packets in the order in which they were asked for.
    let (mut sent, mut count) = (VecDeque::new(), 0);
    loop {
        let told = match eventloop.poll().await {
            Err(error) => return refusal(error).error,
            Ok(Event::Outgoing(Outgoing::Publish(packet))) => {
                sent.push_back((packet, count));
                count += 1;
                None
            }
            Ok(Event::Incoming(Incoming::PubAck(ack))) => {
                let at = sent.iter().position(|(packet, _)| *packet == ack.pkid);
                at.and_then(|at| sent.remove(at)).map(|(_, number)| Heard::Taken(number))
            }
            Ok(Event::Incoming(Incoming::SubAck(ack))) => {
                ack.return_codes.contains(&SubscribeReasonCode::Failure).then_some(Heard::MayNotListen)
            }
            Ok(Event::Incoming(Incoming::Publish(message))) => {
                Some(Heard::Message(message.topic, message.payload.to_vec()))
            }
            Ok(_) => None,
        };
        if let Some(told) = told
            && heard.send(told).await.is_err()
        {
            return anyhow::anyhow!("nobody listens");
        }
    }
}

/// What a broker's refusal means.
fn refusal(error: ConnectionError) -> Refusal {
    let (error, for_good) = match error {
        ConnectionError::ConnectionRefused(
            code @ (ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized),
        ) => {
            let what = "check --user and the password: the broker refuses this login";
            (anyhow::anyhow!("{what} ({code:?})"), true)
        }
        ConnectionError::ConnectionRefused(code) => {
            (anyhow::anyhow!("the broker refuses the session ({code:?})"), false)
        }
        other => (anyhow::Error::new(other).context("the connection to the broker was lost"), false),
    };
    Refusal { error, for_good }
}
