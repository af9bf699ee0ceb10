//! The line at work: what comes from the broker goes through the line, is stored, and only then acknowledged;
//! what is decided goes out, and leaves the outbox when the broker has taken it.
//!
//! [`Station::step`] is all of it: events and time in, acts out. It knows no task, no socket and no clock, so
//! that a test can be its broker, its disk and its time.

mod clock;
mod health;
mod inlet;
mod intake;
mod notices;
mod outbox;
mod sessions;
mod tell;
#[cfg(test)]
mod tests;

pub use clock::LineClock;
pub use sessions::{Sessions, SessionsFault};
pub use tell::last_will;

use crate::broker::{Event, Publication, Role};
use crate::line::{self, Line, Now};
use crate::operators::Operators;
use crate::update::Update;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::{State, Status, Trouble, Why};
use health::Health;
use inlet::Inlet;
use jiff::Timestamp;
use outbox::Outbox;
use std::sync::Arc;
use std::time::Duration;

/// The status is published at least so often.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// What is to be done at the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A delivery is stored, or set aside for good.
    Acknowledge {
        /// On which session.
        role: Role,
        /// On which connection.
        generation: u64,
        /// Which packet.
        packet: u16,
    },
    /// More came than could wait, and what waited is stored: hang up, and have the rest delivered again.
    HangUp {
        /// Which session.
        role: Role,
        /// Which connection.
        generation: u64,
    },
    /// Publish this, on the line's session.
    Publish {
        /// On which connection.
        generation: u64,
        /// What.
        publication: Publication,
    },
}

/// What time it is, as far as anyone knows.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Since this process started; never runs back.
    pub since_start: Duration,
    /// How much of it since the last step was spent waiting for events, with nothing else to do.
    pub waited: Duration,
    /// This machine's clock, if it is set.
    pub wall: Option<Timestamp>,
}

/// The line at work.
pub struct Station {
    line: Line,
    clock: LineClock,
    outbox: Outbox,
    sessions: Sessions,
    health: Health,
    rows: Inlet,
    words: Inlet,
    /// Rows are refused until then for want of room.
    stalled_until: Option<Duration>,
    status_at: Option<Duration>,
    stopping: bool,
    now: Duration,
    wall: Option<Timestamp>,
    /// What moves the models' slots; without it one judge decides for ever.
    update: Option<Update>,
}

impl Station {
    /// Over an open line. `sessions` remembers what the broker should know.
    pub fn new(line: Line, sessions: Sessions, check_echo: bool) -> Self {
        let mut health = Health::new(check_echo);
        if let Some(why) = line.judge().absent() {
            health.set(Trouble {
                topic: Subject::NoModel,
                text: format!("no model judges, so every coil goes to a person: {why}"),
                to_do: "give a bundle that this line accepts (bundle.file); `coilsight-agent doctor` says what is wrong"
                    .into(),
                why: Some(Why::of("no_model").with("why", why)),
            });
        }
        Self {
            line,
            clock: LineClock::default(),
            outbox: Outbox::default(),
            sessions,
            health,
            rows: Inlet::default(),
            words: Inlet::default(),
            stalled_until: None,
            status_at: None,
            stopping: false,
            now: Duration::ZERO,
            wall: None,
            update: None,
        }
    }

    /// With what moves the models' slots.
    #[must_use]
    pub fn with(mut self, update: Update) -> Self {
        self.update = Some(update);
        self
    }

    /// What moves the models' slots.
    pub fn update(&mut self) -> Option<&mut Update> {
        self.update.as_mut()
    }

    /// Takes what happened, lets time pass, and says what is to be done at the broker.
    ///
    /// An error means that the archive accepts nothing more: nothing that was not acknowledged is lost, and a new
    /// start reads the disk again.
    pub fn step(&mut self, events: impl IntoIterator<Item = Event>, time: Time) -> line::Result<Vec<Act>> {
        (self.now, self.wall) = (time.since_start, time.wall);
        let mut acts = Vec::new();
        for event in events {
            self.hear(event);
        }
        self.clock.pass(time.waited, self.rows.up.is_some());
        self.take(&mut acts)?;
        for role in [Role::Line, Role::Words] {
            let inlet = self.inlet(role);
            // All that could wait is stored: the rest is to be had by connecting again.
            if inlet.overflowed
                && inlet.waiting.is_empty()
                && let Some(generation) = inlet.up.take()
            {
                inlet.clear();
                acts.push(Act::HangUp { role, generation });
            }
        }
        match self.line.tick(self.line_now()) {
            Err(error) if error.is_full() => self.no_room(&error),
            done => done?,
        }
        self.confirm()?;
        self.watch();
        self.move_slots(false);
        self.publish(&mut acts)?;
        Ok(acts)
    }

    /// What has time until nothing else is to be done: a candidate's word on a coil that is decided. To be called once
    /// a step's acts are on their way.
    pub fn rest(&mut self) {
        if !self.stopping && !self.has_work() {
            self.move_slots(true);
        }
    }

    /// Lets sets come and go. What takes long is done on another thread, or when the line is `idle`.
    fn move_slots(&mut self, idle: bool) {
        let Some(update) = &mut self.update else { return };
        update.step(&mut self.line, idle, self.wall);
        let line = &self.line.config().id;
        for notice in update.notices() {
            self.outbox.notice(notices::trouble(line, self.wall, &notice));
        }
        self.health.hold("models", update.troubles(self.wall));
        if self.line.judge().absent().is_none() {
            self.health.has_model();
        }
    }

    /// Asks for an orderly end: nothing new is taken, what is decided still goes out.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Whether everything that was asked to leave has left, or cannot.
    pub fn is_drained(&self) -> line::Result<bool> {
        Ok(self.rows.up.is_none() || (self.outbox.is_idle() && self.line.archive().outbox_len(1)? == 0))
    }

    /// Whether there is something to do at once.
    pub fn has_work(&self) -> bool {
        !self.stopping
            && ((self.stalled_until.is_none() && !self.rows.waiting.is_empty())
                || (self.rows.waiting.is_empty() && !self.words.waiting.is_empty()))
    }

    /// Shows that the line could work: a coil was judged since the last time, or a known one goes through the
    /// models and a write to the disk. A full disk is no fault of the line's.
    pub fn prove(&mut self, judged_before: &mut u64) -> line::Result<()> {
        if std::mem::replace(judged_before, self.line.closed()) != self.line.closed() {
            return Ok(());
        }
        match self.line.prove() {
            Err(error) if error.is_full() => Ok(()),
            done => done,
        }
    }

    /// Takes in what others have found: all troubles of a kind.
    pub fn hold(&mut self, kind: &str, troubles: Vec<Trouble>) {
        self.health.hold(kind, troubles);
    }

    /// The status as it would be published now, and whether there is a broker to publish it to.
    pub fn shown(&self) -> line::Result<(Status, bool)> {
        Ok((self.status(State::Online)?, self.rows.up.is_some()))
    }

    /// Whose words over the broker count.
    pub fn believe(&mut self, operators: Arc<Operators>) {
        self.line.believe(operators);
    }

    /// How it goes, in a line of text.
    pub fn summary(&self) -> String {
        let broker = if self.rows.up.is_some() { "connected" } else { "no broker" };
        let troubles = self.health.troubles();
        let health = troubles.first().map_or("all well", |trouble| trouble.text.as_str());
        let stats = self.line.archive().stats();
        let open = self.line.open_coils().count();
        format!("{broker}, {open} coils open, {} decisions; {health}", stats.counts.decisions)
    }

    /// The line, to look at.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// The orderly stop of the line itself. What was not acknowledged is delivered again.
    pub fn close(mut self) -> line::Result<()> {
        if let Some(update) = &mut self.update {
            update.stop(self.wall);
        }
        self.line.stop()
    }

    fn hear(&mut self, event: Event) {
        match event {
            // What comes by it is received elsewhere; here it is only told how that is.
            Event::Up { role: role @ (Role::Models | Role::Upload), .. } => self.health.up(role, self.now),
            Event::Down { role: role @ (Role::Models | Role::Upload), why } => {
                self.health.down(role, why, self.now);
            }
            Event::Up { role, generation, known } => {
                let inlet = self.inlet(role);
                inlet.up = Some(generation);
                inlet.clear();
                if role == Role::Line {
                    self.outbox.connection_lost();
                    self.status_at = None;
                }
                self.health.up(role, self.now);
                self.session_heard(role, known);
            }
            Event::Down { role, why } => {
                let inlet = self.inlet(role);
                inlet.up = None;
                // What was delivered and not acknowledged comes again.
                inlet.clear();
                if role == Role::Line {
                    self.outbox.connection_lost();
                }
                self.health.down(role, why, self.now);
            }
            Event::Subscribed { role, refused } => self.health.subscribed(role, &refused),
            Event::Delivered(delivery) => {
                let now = self.now;
                let inlet = self.inlet(delivery.role);
                if inlet.up == Some(delivery.generation) {
                    inlet.push_back(now, delivery);
                }
            }
            Event::Confirmed { generation, token } => {
                if self.rows.up == Some(generation)
                    && let Some(topic) = self.outbox.confirmed(token)
                {
                    self.health.published(&topic, self.clock.elapsed());
                    if let Some(gap) = self.outbox.reported_gap(token) {
                        self.sessions.reported(gap);
                    }
                }
            }
            Event::Echo { topic } => self.health.echo(&topic, self.clock.elapsed()),
        }
    }

    fn inlet(&mut self, role: Role) -> &mut Inlet {
        match role {
            Role::Line => &mut self.rows,
            Role::Words | Role::Models | Role::Upload => &mut self.words,
        }
    }

    fn line_now(&self) -> Now {
        Now { elapsed: self.clock.elapsed(), wall: self.wall }
    }

    /// What the broker has confirmed leaves the outbox.
    fn confirm(&mut self) -> line::Result<()> {
        let done = self.outbox.done();
        let ids: Vec<&str> = done.iter().map(String::as_str).collect();
        if ids.is_empty() {
            return Ok(());
        }
        match self.line.taken(&ids) {
            // Then it goes out once more, some time: better than stopping.
            Err(error) if error.is_full() => self.no_room(&error),
            other => other?,
        }
        self.outbox.forget(&done);
        Ok(())
    }

    /// A session that the broker should have known and has forgotten is a gap.
    fn session_heard(&mut self, role: Role, known: bool) {
        let had = self.sessions.begin(role);
        if let Err(fault) = had {
            tracing::warn!(
                error = &fault as &dyn std::error::Error,
                "whether the broker forgets will not be noticed"
            );
            return;
        }
        if matches!(had, Ok(true)) && !known {
            let noticed = self.wall;
            if let Err(fault) = self.sessions.gap(role, noticed) {
                tracing::warn!(error = &fault as &dyn std::error::Error, "a gap may be told once only");
            }
            tracing::warn!(?role, "the broker has forgotten this agent's session: what it held is lost");
        }
    }

    /// Looks after what may go wrong slowly.
    fn watch(&mut self) {
        self.health.look(&self.line, self.now, self.clock.elapsed(), self.wall);
        if self.line.quarantined() > 0 {
            self.health.hold("words", vec![notices::strangers()]);
        }
    }

    fn publish(&mut self, acts: &mut Vec<Act>) -> line::Result<()> {
        let Some(generation) = self.rows.up else { return Ok(()) };
        let (line, at) = (self.line.config().id.clone(), self.wall);
        for gap in self.sessions.unreported() {
            self.outbox.notice_gap(&line, gap);
        }
        for trouble in self.health.fresh() {
            self.outbox.notice(notices::trouble(&line, at, &trouble));
        }
        let status_due = self.status_at.is_none_or(|at| self.now >= at + STATUS_EVERY);
        if (status_due || self.health.changed()) && !self.outbox.status_on_its_way() {
            let status = self.status(State::Online)?;
            self.outbox.status(&self.line.config().topics, &status);
            self.status_at = Some(self.now);
        }
        let publications = self.outbox.fill(&self.line)?;
        acts.extend(publications.into_iter().map(|publication| Act::Publish { generation, publication }));
        Ok(())
    }
}
