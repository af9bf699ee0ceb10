//! Bundles that come over the broker: a session and a thread of their own, so that neither rows nor decisions wait for
//! a bundle's disk. What is complete goes to the line's thread as a [`Request`].

use crate::archive::Disk;
use crate::broker::{Command, Event, Publication, Role, Session};
use crate::receive::{self, Act, Desk, Limits, Receiver, Time, Told};
use crate::slots::{Release, State, Way};
use crate::update::{Came, Gate, Request, Rules, Said, Word};
use coilsight_models::bundle::{Attack, Front, Id, Sha256, VerifiedFront};
use coilsight_models::message::Topics;
use coilsight_models::message::model::{self, Offer, Stage};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc as threads};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Without events, time is looked at so often.
const TICK: Duration = Duration::from_millis(500);
/// Pieces on their way from the session to the thread.
const EVENTS: usize = 16;

/// What the receiver may take by these rules.
fn limits(rules: &Rules) -> Limits {
    let longest = Duration::from_secs(rules.max_hours.saturating_mul(3600));
    Limits { max_bytes: rules.max_mib << 20, longest, ..Limits::default() }
}

/// What the thread works with.
pub(super) struct Reception {
    pub disk: Arc<dyn Disk>,
    pub rules: Rules,
    pub gate: Gate,
    pub line: String,
    pub topics: Topics,
    pub session: Session,
    /// The line's thread hears of the connection, for people.
    pub to_line: mpsc::Sender<Event>,
    pub requests: threads::SyncSender<Came>,
    /// What becomes of bundles, and of the slots.
    pub said: threads::Receiver<Said>,
    pub stopping: Arc<AtomicBool>,
}

/// The session, to take leave of at the end.
pub(super) struct Running {
    commands: mpsc::UnboundedSender<Command>,
    session: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Says good-bye to the broker.
    pub async fn stop(self) {
        let _ = self.commands.send(Command::Stop);
        let _ = self.session.await;
    }
}

impl Reception {
    /// Begins to receive. A line whose disk does not take bundles judges on without them.
    pub fn start(self, runtime: &Handle) -> std::io::Result<Running> {
        let receiver = Receiver::open(Arc::clone(&self.disk), limits(&self.rules), Duration::ZERO)?;
        let (events, inbox) = mpsc::channel(EVENTS);
        let (commands, commanded) = mpsc::unbounded_channel();
        let session = runtime.spawn(self.session.clone().run(events, commanded));
        let (runtime, to_session) = (runtime.clone(), commands.clone());
        let thread = std::thread::Builder::new().name("models".into());
        thread.spawn(move || self.work(receiver, inbox, &to_session, &runtime))?;
        Ok(Running { commands, session })
    }

    fn work(
        self,
        mut receiver: Receiver,
        mut inbox: mpsc::Receiver<Event>,
        to_session: &mpsc::UnboundedSender<Command>,
        runtime: &Handle,
    ) {
        let mut desk = FrontDesk { gate: self.gate.clone(), requests: self.requests.clone() };
        let (mut line, mut last, mut up) = (Duration::ZERO, Instant::now(), None);
        while !self.stopping.load(Ordering::Relaxed) {
            let patience = if receiver.has_work() { Duration::ZERO } else { TICK };
            let Some(events) = wait(&mut inbox, runtime, patience) else { return };
            // Limits count while the broker is there.
            let now = Instant::now();
            line += if up.is_some() { now - last } else { Duration::ZERO };
            last = now;
            for event in &events {
                match event {
                    Event::Up { generation, .. } => {
                        up = Some(*generation);
                        let slots = self.slots(&self.gate.state());
                        self.publish(to_session, up, model::Way::State, slots);
                    }
                    Event::Down { .. } => up = None,
                    _ => {}
                }
                if let Event::Up { .. } | Event::Down { .. } | Event::Subscribed { .. } = event {
                    let _ = runtime.block_on(self.to_line.send(event.clone()));
                }
            }
            let heard = events.into_iter().filter_map(|event| receive::heard(event, &self.topics));
            let time = Time { line, wall: super::wall_clock() };
            for act in receiver.step(heard, time, &mut desk) {
                if let Act::Complete { offer, path } = act {
                    let way = Way::Broker { offer: offer.offer };
                    let _ = self.requests.send(Came::File(Request { path, way, asked: None }));
                } else if let Some(command) = receive::command(act, &self.topics) {
                    let _ = to_session.send(command);
                }
            }
            for said in self.said.try_iter() {
                match said {
                    Said::Word(word) => {
                        if let Some(answer) = answer(&word) {
                            self.publish(to_session, up, model::Way::Answer, answer.payload());
                        }
                    }
                    Said::Slots(state) => {
                        self.publish(to_session, up, model::Way::State, self.slots(&state));
                    }
                }
            }
        }
    }

    /// On this session, not the line's: a broker that lets the agent write nothing here may hang up. Nobody waits for
    /// these to be confirmed: an answer is asked for again, the slots are said at every connection.
    fn publish(
        &self,
        to_session: &mpsc::UnboundedSender<Command>,
        up: Option<u64>,
        way: model::Way,
        payload: Vec<u8>,
    ) {
        let Some(generation) = up else { return };
        let retain = way == model::Way::State;
        let publication = Publication { token: 0, topic: self.topics.model(way), payload, retain };
        let _ = to_session.send(Command::Publish { generation, publication });
    }

    fn slots(&self, state: &State) -> Vec<u8> {
        let slot = |release: &Release| {
            // A name in a slot was a bundle's, and so an id.
            let name = Id::new(release.name.clone()).ok()?;
            Some(model::Slot { name, release: release.release, fingerprint: release.fingerprint() })
        };
        model::payload(&model::State {
            version: model::VERSION,
            line: self.line.clone(),
            active: state.active.as_ref().and_then(slot),
            candidate: state.candidate.as_ref().and_then(|candidate| slot(&candidate.release)),
            last_good: state.last_good.as_ref().and_then(slot),
            newest_release: state.newest.map_or(0, |(release, _)| release),
            newest_time: state.signed_time,
            trust_version: state.trust.as_ref().map_or(0, |document| document.version),
            at: super::wall_clock(),
        })
    }
}

/// The line's word on an offered file; a file that came otherwise is nobody's offer.
fn answer(word: &Word) -> Option<model::Answer> {
    Some(model::Answer {
        version: model::VERSION,
        offer: word.offer?,
        state: word.stage,
        have: 0,
        pieces: 0,
        fingerprint: word.fingerprint,
        release: word.release,
        text: word.text.clone(),
        to_do: word.to_do.clone(),
        at: super::wall_clock(),
    })
}

/// What has come, after at most so long; `None` when nothing ever will.
fn wait(inbox: &mut mpsc::Receiver<Event>, runtime: &Handle, patience: Duration) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    while events.len() < EVENTS
        && let Ok(event) = inbox.try_recv()
    {
        events.push(event);
    }
    if events.is_empty() && !patience.is_zero() {
        let first = runtime.block_on(async { tokio::time::timeout(patience, inbox.recv()).await });
        if let Ok(first) = first {
            events.push(first?);
        }
    }
    Some(events)
}

/// Looks at a bundle's front as soon as it has come: by the same checks as the whole later on.
struct FrontDesk {
    gate: Gate,
    /// What is refused stands in the trail, and somebody hears of it.
    requests: threads::SyncSender<Came>,
}

impl Desk for FrontDesk {
    fn refused(&mut self, offer: &Offer, told: &Told) {
        let why = format!("{}: {}", told.to_do, told.text);
        let attacks = [Attack::EndlessData, Attack::SlowRetrieval, Attack::PartialDelivery];
        let attack = attacks.into_iter().find(|attack| told.text.contains(&format!("({attack}")));
        let _ = self.requests.try_send(Came::Refused { offer: offer.offer, why, attack });
    }

    fn known(&mut self, offer: &Offer) -> Option<Told> {
        let state = self.gate.state();
        let fingerprint = *state.offers.get(&offer.offer)?;
        if let Some(why) = state.given_up.get(&fingerprint) {
            return Some(Told::refused(format!("it was here and was given up: {why}"), "build it anew"));
        }
        self.in_a_slot(fingerprint)
    }

    fn front(&mut self, offer: &Offer, front: &Front) -> Result<(), Told> {
        let mut attack = None;
        let looked = self.look(offer, front, &mut attack);
        if let Err(told) = &looked
            && told.stage == Stage::Refused
        {
            let why = format!("{}: {}", told.to_do, told.text);
            // Of very many nobody need hear.
            let _ = self.requests.try_send(Came::Refused { offer: offer.offer, why, attack });
        }
        looked
    }
}

impl FrontDesk {
    fn look(&self, offer: &Offer, front: &Front, attack: &mut Option<Attack>) -> Result<(), Told> {
        let nobody = "put a trust document at the line (bundle.trust)";
        let keys = self.gate.keys().ok_or_else(|| Told::refused("this line believes nobody yet", nobody))?;
        let verified = VerifiedFront::of(front.clone(), &keys, &self.gate.site().limits);
        let verified = verified.map_err(|refused| {
            *attack = refused.attack();
            Told::of(&refused)
        })?;
        let fingerprint = front.fingerprint();
        let named = |told: Told| Told {
            fingerprint: Some(fingerprint),
            release: Some(verified.manifest().release),
            ..told
        };
        if let Some(told) = self.in_a_slot(fingerprint) {
            return Err(told);
        }
        self.gate.is_wanted(verified.manifest()).map_err(|refused| {
            *attack = refused.attack();
            named(Told::of(&refused))
        })?;
        let (signed, offered) = (verified.total(), offer.bytes);
        let to_do = "push the bundle as it was signed";
        match signed.cmp(&offered) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(named(Told::refused(
                format!("{offered} bytes are offered, {signed} were signed (partial delivery)"),
                to_do,
            ))),
            std::cmp::Ordering::Less => Err(named(Told::refused(
                format!("{offered} bytes are offered, {signed} were signed (endless data)"),
                to_do,
            ))),
        }
    }

    /// What is here need not come again.
    fn in_a_slot(&self, fingerprint: Sha256) -> Option<Told> {
        let state = self.gate.state();
        let candidate = state.candidate.map(|candidate| candidate.release);
        let slots =
            [(Stage::Active, state.active), (Stage::Shadow, candidate), (Stage::Refused, state.last_good)];
        let found = slots
            .into_iter()
            .find_map(|(stage, slot)| Some((stage, slot?)).filter(|(_, r)| r.fingerprint() == fingerprint));
        found.map(|(stage, release)| here(stage, &release))
    }
}

fn here(stage: Stage, release: &Release) -> Told {
    let told = if stage == Stage::Refused {
        Told::refused(
            "it is the last good set here already",
            "go back to it with `coilsight-agent bundle rollback`",
        )
    } else {
        Told::new(stage, "it is here already", "")
    };
    Told { fingerprint: Some(release.fingerprint()), release: Some(release.release), ..told }
}

/// The session's part: offers and pieces in; wants and answers out.
pub(super) fn session(line: &Session, listens_to: Vec<String>) -> Session {
    Session {
        role: Role::Models,
        client_id: format!("{}-models", line.broker.client_id),
        listens_to,
        echoes: Vec::new(),
        will: None,
        max_payload: coilsight_models::message::model::Way::Piece.max_bytes(),
        seed: line.seed.rotate_left(16),
        ..line.clone()
    }
}
