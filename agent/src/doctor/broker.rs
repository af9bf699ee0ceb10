//! The way to the broker step by step, the login, and each topic, as another client than the running agent's.

#[cfg(test)]
mod tests;

use super::publish::{self, Answer};
use super::{Report, models, record};
use crate::app;
use crate::broker::{Broker, Command, Event, Publication, Role, Session, link};
use crate::config::Settings;
use crate::say::chain;
use coilsight_models::message::DOCTORS_TEST;
use coilsight_models::message::upload::Way;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long to listen to the plant.
const LISTEN: Duration = Duration::from_secs(3);
/// Nothing that it listens to is kept whole beyond this, bytes.
const MAX_PAYLOAD: usize = 4096;
/// Where systemd shows the running service its password.
const CREDENTIALS: &str = "/run/credentials/coilsight-agent.service";

pub(super) async fn look(settings: &Settings, publish: bool, report: &mut Report) {
    let broker = &settings.broker;
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map_or_else(|| CREDENTIALS.into(), PathBuf::from);
    let login = match broker.login(Some(folder)) {
        Ok(login) => login,
        Err(fault) => {
            report.fault("password", chain(&fault), "see broker.username and broker.password_file");
            return;
        }
    };
    if !way(broker, login.is_some(), report).await {
        return;
    }
    let topics = &settings.line.topics;
    let mut incoming = app::listens_to(topics).concat();
    if settings.upload.enabled {
        incoming.push(topics.upload(Way::Stored));
    }
    let outgoing = [&topics.assessment, &topics.disposition, &topics.notification, &topics.status];
    let outgoing = outgoing.map(|topic| topics.full(topic)).to_vec();
    let Some(mut ear) = Ear::open(broker, login.as_ref(), &incoming, &outgoing, report).await else { return };
    let mut answers = None;
    if publish {
        let client_id = format!("{}-doctor5", broker.client_id);
        match publish::ask(broker, login.as_ref(), &client_id, &outgoing).await {
            Ok(told) => answers = Some(told),
            // Then by MQTT 3.1.1, and by whether it comes back.
            Err(_) => ear.publish(&outgoing),
        }
    }
    ear.listen(LISTEN).await;
    plant(&ear, &incoming, report);
    match (publish, answers) {
        (false, _) => report.warn(
            "publish",
            "not tried, as asked",
            "run without --no-publish to see whether the agent may publish",
        ),
        (true, Some(answers)) => told(&answers, &ear, &outgoing, settings, report),
        (true, None) => returned(&ear, &outgoing, report),
    }
    if publish {
        models::look(broker, login.as_ref(), topics, report).await;
        if settings.upload.enabled {
            record::look(broker, login.as_ref(), topics, report).await;
        }
    }
    ear.close().await;
}

/// Name, connection, encryption; whether there is a way.
async fn way(broker: &Broker, login: bool, report: &mut Report) -> bool {
    let addresses = match link::resolve(broker).await {
        Ok(addresses) => addresses,
        Err(error) => {
            report.fault("name", chain(&error), error.to_do());
            return false;
        }
    };
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    report.ok("name", format!("{} is {}", broker.host, shown.join(", ")));
    let began = Instant::now();
    let tcp = match link::connect(broker, &addresses).await {
        Ok(tcp) => tcp,
        Err(error) => {
            report.fault("connection", chain(&error), error.to_do());
            return false;
        }
    };
    let at = tcp.peer_addr().map_or_else(|_| broker.address(), |at: SocketAddr| at.to_string());
    report.ok("connection", format!("{at} answers after {:.1} ms", began.elapsed().as_secs_f64() * 1e3));
    let check = "encryption";
    if !broker.tls.enabled {
        let far = addresses.iter().any(|address| !address.ip().is_loopback());
        if far && login {
            report.warn(
                check,
                "none: who listens on the network reads the password",
                "have the broker encrypt, and set broker.tls.enabled = true",
            );
        } else {
            report.ok(check, "none, as configured");
        }
        return true;
    }
    let encrypted = match link::encryption(&broker.tls) {
        Ok(config) => link::encrypt(broker, config, tcp).await,
        Err(error) => Err(error),
    };
    match encrypted {
        Ok(stream) => {
            let version = stream.get_ref().1.protocol_version();
            let version = version.map_or_else(String::new, |version| format!("{version:?}, "));
            report.ok(
                check,
                format!(
                    "{version}the broker's certificate is for {} and believed",
                    link::server_name(broker)
                ),
            );
            true
        }
        Err(error) => {
            report.fault(check, chain(&error), error.to_do());
            false
        }
    }
}

/// What was heard from the plant's own topics.
fn plant(ear: &Ear, incoming: &[String], report: &mut Report) {
    let refused: Vec<&String> = incoming.iter().filter(|topic| ear.refused.contains(*topic)).collect();
    if !refused.is_empty() {
        let topics = refused.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(", ");
        report.fault(
            "listen",
            format!("the broker does not let this agent listen to {topics}"),
            format!("allow this agent's user to read {topics} at the broker, then restart the agent"),
        );
    }
    let heard = format!("{} messages in {} s", ear.messages, LISTEN.as_secs());
    if ear.messages > 0 {
        report.ok("listen", format!("{heard} on the plant's topics"));
    } else {
        let topics = incoming.join(", ");
        report.warn(
            "listen",
            format!("{heard} on {topics}: either the line stands still, or the broker passes nothing on to this agent"),
            "if the line runs: allow this agent's user to read these topics at the broker, and check line.topics",
        );
    }
}

/// What the broker said to publications, by MQTT 5.
fn told(answers: &[Answer], ear: &Ear, outgoing: &[String], settings: &Settings, report: &mut Report) {
    let check = "publish";
    let mut may = Vec::new();
    for (topic, answer) in outgoing.iter().zip(answers) {
        match answer {
            Answer::Taken => may.push(topic.as_str()),
            Answer::Denied => report.fault(
                check,
                format!("the broker does not let this agent publish to {topic}"),
                format!("allow this agent's user to write {topic} at the broker"),
            ),
            Answer::Other(why) => report.fault(
                check,
                format!("the broker does not take what this agent publishes to {topic}: {why}"),
                format!("see the broker's log; allow this agent's user to write {topic} at the broker"),
            ),
        }
    }
    if may.is_empty() {
        return;
    }
    report.ok(check, format!("may publish to {}", may.join(", ")));
    let topics = &settings.line.topics;
    let own = [topics.full(&topics.status), topics.full(&topics.assessment)];
    let unheard: Vec<&str> =
        may.into_iter().filter(|t| own.iter().any(|o| o == t) && !ear.echoes.contains(*t)).collect();
    if settings.broker.check_echo && !unheard.is_empty() {
        let topics = unheard.join(", ");
        report.warn(
            check,
            format!("may publish to {topics} but does not hear it, so a broker that throws it away would not be told from this"),
            format!("allow this agent's user to read {topics} at the broker, or set broker.check_echo = false"),
        );
    }
}

/// Which publications came back, by MQTT 3.1.1.
fn returned(ear: &Ear, outgoing: &[String], report: &mut Report) {
    let check = "publish";
    let (back, lost): (Vec<&str>, Vec<&str>) =
        outgoing.iter().map(String::as_str).partition(|topic| ear.echoes.contains(*topic));
    if !back.is_empty() {
        report.ok(
            check,
            format!("may publish to {} (heard back; the broker does not speak MQTT 5)", back.join(", ")),
        );
    }
    if !lost.is_empty() {
        let topics = lost.join(", ");
        report.warn(
            check,
            format!("what is published to {topics} does not come back; this broker does not say why"),
            format!("allow this agent's user to write {topics} at the broker, and to read it"),
        );
    }
}

/// A session that counts what it hears.
struct Ear {
    inbox: mpsc::Receiver<Event>,
    commands: mpsc::UnboundedSender<Command>,
    session: tokio::task::JoinHandle<()>,
    generation: u64,
    incoming: Vec<String>,
    refused: Vec<String>,
    /// Messages of the plant.
    messages: usize,
    /// Topics on which the test message came back.
    echoes: BTreeSet<String>,
}

impl Ear {
    /// Logs in and subscribes; tells how that went.
    async fn open(
        broker: &Broker,
        login: Option<&(String, String)>,
        incoming: &[String],
        outgoing: &[String],
        report: &mut Report,
    ) -> Option<Self> {
        let session = Session {
            role: Role::Line,
            broker: broker.clone(),
            login: login.cloned(),
            client_id: format!("{}-doctor", broker.client_id),
            kept: false,
            listens_to: [incoming, outgoing].concat(),
            echoes: Vec::new(),
            will: None,
            max_payload: MAX_PAYLOAD,
            seed: 0,
        };
        let (tell, inbox) = mpsc::channel(64);
        let (commands, orders) = mpsc::unbounded_channel();
        let session = tokio::spawn(session.run(tell, orders));
        let mut ear = Self {
            inbox,
            commands,
            session,
            generation: 0,
            incoming: incoming.to_vec(),
            refused: Vec::new(),
            messages: 0,
            echoes: BTreeSet::new(),
        };
        let user = login.map_or_else(|| "without a user name".into(), |(user, _)| format!("as {user}"));
        loop {
            match ear.inbox.recv().await? {
                Event::Up { generation, .. } => {
                    ear.generation = generation;
                    report.ok("login", format!("the broker lets this agent in {user}"));
                }
                Event::Down { why, .. } => {
                    report.fault("login", why.text, why.to_do);
                    ear.session.abort();
                    return None;
                }
                Event::Subscribed { refused, .. } => {
                    ear.refused = refused;
                    return Some(ear);
                }
                other => ear.hear(other),
            }
        }
    }

    fn hear(&mut self, event: Event) {
        let Event::Delivered(delivery) = event else { return };
        if self.incoming.contains(&delivery.topic) {
            self.messages += 1;
        } else if delivery.payload == DOCTORS_TEST {
            self.echoes.insert(delivery.topic);
        }
        let (generation, packet) = (delivery.generation, delivery.packet);
        if packet != 0 {
            let _ = self.commands.send(Command::Acknowledge { generation, packet });
        }
    }

    /// Publishes the test message itself.
    fn publish(&self, topics: &[String]) {
        for (token, topic) in (0..).zip(topics) {
            let publication =
                Publication { token, topic: topic.clone(), payload: DOCTORS_TEST.to_vec(), retain: false };
            let _ = self.commands.send(Command::Publish { generation: self.generation, publication });
        }
    }

    async fn listen(&mut self, patience: Duration) {
        let until = Instant::now() + patience;
        while let Ok(Some(event)) = tokio::time::timeout_at(until, self.inbox.recv()).await {
            self.hear(event);
        }
    }

    /// Says good-bye to the broker.
    async fn close(self) {
        let Self { mut inbox, commands, session, .. } = self;
        let _ = commands.send(Command::Stop);
        let rest = async { while inbox.recv().await.is_some() {} };
        let _ = tokio::join!(session, rest);
    }
}
