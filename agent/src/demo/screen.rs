//! What the demo shows: who talks to whom, what is heard, and in the end where everything went.

use super::gateway::Progress;
use super::heat;
use super::plan::{Plan, position};
use crate::archive::{Archive, Matrix};
use crate::show;
use anyhow::Context;
use coilsight_models::coil::{CoilId, CoilMatrix};
use coilsight_models::message::Topics;
use coilsight_models::message::assessment::{Assessment, ModelUsed};
use coilsight_models::message::disposition::Disposition;
use coilsight_models::message::inbound::Label;
use coilsight_models::message::notification::Notification;
use coilsight_models::message::status::{State, Status};
use coilsight_models::verdict::Verdict;
use rumqttc::Publish;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;

/// The terminal, or whatever standard output is.
pub struct Screen {
    terminal: bool,
    topics: Topics,
    /// The agent's, to draw what it judged.
    archive: Arc<Archive>,
    decided: Vec<Assessment>,
    words: Vec<Disposition>,
    /// Notifications shown.
    told: BTreeSet<String>,
    online: bool,
    /// The coil that rows came from last, and how far it has come, m.
    at: Option<(CoilId, f64)>,
    /// Messages heard, by topic.
    heard: BTreeMap<String, usize>,
}

impl Screen {
    /// Nothing shown yet.
    pub fn new(topics: Topics, archive: Arc<Archive>) -> Self {
        Self {
            terminal: io::stdout().is_terminal(),
            topics,
            archive,
            decided: Vec::new(),
            words: Vec::new(),
            told: BTreeSet::new(),
            online: false,
            at: None,
            heard: BTreeMap::new(),
        }
    }

    /// Who talks to whom.
    pub fn introduce(
        &self,
        broker: SocketAddr,
        model: &ModelUsed,
        messages: usize,
        speed: Option<f64>,
    ) -> io::Result<()> {
        let Topics { prefix, .. } = &self.topics;
        let (port, ModelUsed { bundle, release, .. }) = (broker.port(), model);
        let (pace, listen) = match speed {
            Some(times) => (
                format!("at {times} times the line's speed"),
                format!("; listen too: mosquitto_sub -p {port} -t '{prefix}/#' -v"),
            ),
            None => ("as fast as the line decides".into(), String::new()),
        };
        let legend = heat::legend(self.terminal);
        self.say(&format!(
            "A simulated galvanizing line: 9 gauges above, 9 below, a row every half metre. It goes the plant's way:\n\
             \n  gateway -> broker -> agent -> broker -> this terminal\n\
             \n  gateway   sends {messages} recorded messages to {prefix}/..., QoS 1, {pace}\
             \n  broker    rumqttd in this process, MQTT 3.1.1 at {broker}{listen}\
             \n  agent     what runs at a line, with bundle {bundle} release {release}: stores, acknowledges, decides, publishes\
             \n  terminal  shows what is heard on {prefix}/#\n\
             \nEach strip lies from its beginning (left) to its end; the gauges from operator side (o) to drive side (d).\
             \n{legend}\n",
        ))
    }

    /// Where the page is.
    pub fn page(at: Option<SocketAddr>) {
        if let Some(at) = at {
            // Whoever has closed the terminal does not look for it.
            let _ = writeln!(
                io::stdout(),
                "  page      what operators see: http://{at} (log in with {})\n",
                super::CODE
            );
        }
    }

    /// The recording is over; the page is still there.
    pub fn stays(&self) -> io::Result<()> {
        self.say("\nThe recording is over. The page stays until you press Ctrl-C.")
    }

    /// Whether the agent has said that it is there.
    pub fn is_online(&self) -> bool {
        self.online
    }

    /// Whether every pass has its decision and every word its disposition.
    pub fn has_all(&self, plan: &Plan) -> bool {
        self.decided.len() >= plan.passes && self.words.len() >= plan.words
    }

    /// What is missing when nothing more is heard.
    pub fn stuck(&self, plan: &Plan) -> String {
        format!(
            "nothing more is heard, with {} of {} coils decided and {} of {} words answered: please report this",
            self.decided.len(),
            plan.passes,
            self.words.len(),
            plan.words
        )
    }

    /// Shows a message; says which coil it decides. What is delivered again is shown once.
    pub fn hear(&mut self, message: &Publish) -> anyhow::Result<Option<CoilId>> {
        let Publish { topic, payload, .. } = message;
        *self.heard.entry(topic.clone()).or_default() += 1;
        if let Some(at) = position(&self.topics, topic, payload) {
            self.at = Some(at);
            return Ok(None);
        }
        let strange = || format!("what was heard on {topic} cannot be read");
        match topic.strip_prefix(&format!("{}/", self.topics.prefix)) {
            Some(name) if name == self.topics.assessment => {
                let assessment: Assessment = serde_json::from_slice(payload).with_context(strange)?;
                self.decision(assessment)
            }
            Some(name) if name == self.topics.disposition => {
                let word: Disposition = serde_json::from_slice(payload).with_context(strange)?;
                self.word(topic, word)?;
                Ok(None)
            }
            Some(name) if name == self.topics.notification => {
                let notice: Notification = serde_json::from_slice(payload).with_context(strange)?;
                self.notice(topic, &notice)?;
                Ok(None)
            }
            Some(name) if name == self.topics.status => {
                let status: Status = serde_json::from_slice(payload).with_context(strange)?;
                self.status(topic, &status)?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn decision(&mut self, assessment: Assessment) -> anyhow::Result<Option<CoilId>> {
        if self.decided.iter().any(|known| known.decision_id == assessment.decision_id) {
            return Ok(None);
        }
        self.say(&format!("\n{}", self.verdict_line(&assessment)))?;
        if let Matrix::Kept(bytes) = self.archive.matrix(&assessment.decision_id)? {
            let matrix = CoilMatrix::from_bytes(&bytes)?;
            self.say(&heat::draw(&matrix, assessment.order.as_ref(), self.terminal))?;
        }
        let coil = assessment.coil_id.clone();
        self.decided.push(assessment);
        Ok(Some(coil))
    }

    fn word(&mut self, topic: &str, word: Disposition) -> io::Result<()> {
        if self.words.iter().any(|known| known.disposition_id == word.disposition_id) {
            return Ok(());
        }
        self.say(&format!("\n{}  {}: {}", self.dim(topic), word.coil_id, said(&word)))?;
        self.words.push(word);
        Ok(())
    }

    fn notice(&mut self, topic: &str, notice: &Notification) -> io::Result<()> {
        if !self.told.insert(notice.notification_id.clone()) {
            return Ok(());
        }
        // What happened to a coil stands with its decision.
        let what = notice.coil_id.as_ref().map_or(notice.text.as_str(), CoilId::as_str);
        self.say(&format!("{}  {what}: {}", self.dim(topic), notice.to_do))
    }

    fn status(&mut self, topic: &str, status: &Status) -> io::Result<()> {
        let online = status.state == State::Online;
        if online && !self.online {
            self.say(&format!("{}  the agent is online", self.dim(topic)))?;
        }
        self.online = online;
        Ok(())
    }

    /// How far the line has come, on a line that is written over.
    pub fn progress(&self, progress: Progress, messages: usize) -> io::Result<()> {
        let (true, Some(at)) = (self.terminal, progress.at) else { return Ok(()) };
        let (done, decided) = (progress.acknowledged, self.decided.len());
        let strip =
            self.at.as_ref().map_or_else(String::new, |(id, metres)| format!("  {id} {metres:4.0} m"));
        let at = at.strftime("%H:%M:%S");
        let mut out = io::stdout();
        write!(
            out,
            "\r\x1b[2K{at}{strip}  {done} of {messages} messages acknowledged  {decided} coils decided"
        )?;
        out.flush()
    }

    /// The coils of the shift.
    pub fn table(&self) -> io::Result<()> {
        self.say("\nThe shift:")?;
        for assessment in &self.decided {
            self.say(&format!("  {}", self.verdict_line(assessment)))?;
            for word in self.words.iter().filter(|word| word.decision_id == assessment.decision_id) {
                self.say(&format!("                 {}", said(word)))?;
            }
        }
        let count = |verdict| self.decided.iter().filter(|a| a.verdict == verdict).count();
        self.say(&format!(
            "{} coils: {} OK, {} NOK, {} for a person to look at",
            self.decided.len(),
            count(Verdict::Ok),
            count(Verdict::Nok),
            count(Verdict::Review)
        ))
    }

    /// Where the messages went.
    pub fn messages(&self) -> io::Result<()> {
        self.say("\nThe messages, every one acknowledged:")?;
        for (from, by_plant) in [("gateway -> broker -> agent", true), ("agent -> broker", false)] {
            let of = |topic: &str| self.topics.kind(topic).is_some() == by_plant;
            for (topic, count) in self.heard.iter().filter(|(topic, _)| of(topic)) {
                self.say(&format!("  {topic:<24} {count:>4}  {from}"))?;
            }
        }
        Ok(())
    }

    /// What the broker keeps after the agent has gone: the sums of everything.
    pub fn kept_status(&self, message: &Publish) -> anyhow::Result<()> {
        let status: Status = serde_json::from_slice(&message.payload).context("the kept status is none")?;
        let running = status.running.context("the agent was lost: the kept status is its last will")?;
        let health = if running.health.is_empty() {
            "all well".into()
        } else {
            running.health.iter().map(|trouble| trouble.text.as_str()).collect::<Vec<_>>().join("; ")
        };
        let waiting = running.queues.outbox + running.queues.unacknowledged as u64;
        self.say(&format!(
            "\n{}, as the broker keeps it: {}, {} decisions, {waiting} messages waiting, {health}; where everything ended:\n{}",
            message.topic,
            if status.state == State::Online { "online" } else { "offline, in good order" },
            running.decisions,
            show::sums(&running.sums)
        ))?;
        Ok(())
    }

    fn verdict_line(&self, assessment: &Assessment) -> String {
        let text = show::line(assessment);
        if !self.terminal {
            return text;
        }
        let colour = match assessment.verdict {
            Verdict::Ok => "32",
            Verdict::Nok => "1;31",
            Verdict::Review => "1;33",
        };
        let verdict = assessment.verdict.to_string();
        text.replacen(&verdict, &format!("\x1b[{colour}m{verdict}\x1b[0m"), 1)
    }

    fn dim(&self, text: &str) -> String {
        if self.terminal { format!("\x1b[2m{text}\x1b[0m") } else { text.into() }
    }

    /// A piece of text, over the line that says how far it has come.
    fn say(&self, text: &str) -> io::Result<()> {
        let clear = if self.terminal { "\r\x1b[2K" } else { "" };
        writeln!(io::stdout(), "{clear}{text}")
    }
}

fn said(word: &Disposition) -> String {
    match word.label {
        Some(Label::Ok) => format!("{} says {}", word.by, Verdict::Ok),
        Some(Label::Nok) => format!("{} says {}", word.by, Verdict::Nok),
        None => format!("{} takes a word back", word.by),
    }
}
