//! What is not as it should be, for as long as it lasts: in the status, in the log when it begins and ends, and
//! as a notification when it begins.

use crate::broker::Role;
use crate::line::Line;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::{Trouble, Why};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The broker has so long to pass on what it has taken.
const ECHO_WITHIN: Duration = Duration::from_secs(20);
/// A connection that lasted so long is one.
const SETTLED: Duration = Duration::from_secs(10);
/// Of one that did not.
const SHORT: &str = "the broker ends the connection soon after it begins";
/// With less room than this under its cap the archive is short, bytes.
const SHORT_OF_ROOM: u64 = 32 << 20;
/// How often the archive is asked.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What is not as it should be.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// By what it is: one trouble a kind.
    troubles: BTreeMap<String, Trouble>,
    /// Troubles that nobody has been notified of.
    fresh: Vec<Trouble>,
    changed: bool,
    check_echo: bool,
    /// What the broker has taken and not passed on, by topic: how many, and since when nothing came; in the line's
    /// time, for an echo stands behind a backlog.
    owed: BTreeMap<String, (i64, Duration)>,
    up_since: HashMap<Role, Duration>,
    looked: Option<Duration>,
    closed_early: u64,
}

impl Health {
    pub fn new(check_echo: bool) -> Self {
        Self { check_echo, ..Self::default() }
    }

    /// Everything that is not as it should be, each once.
    pub fn troubles(&self) -> Vec<Trouble> {
        let mut all: Vec<Trouble> = Vec::new();
        for trouble in self.troubles.values() {
            if !all.contains(trouble) {
                all.push(trouble.clone());
            }
        }
        all
    }

    /// Troubles that began since the last call.
    pub fn fresh(&mut self) -> Vec<Trouble> {
        std::mem::take(&mut self.fresh)
    }

    /// Whether anything began or ended since the last call.
    pub fn changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Notes a trouble of its subject's kind.
    pub fn set(&mut self, trouble: Trouble) {
        self.set_as(&format!("{:?}", trouble.topic), trouble);
    }

    fn set_as(&mut self, key: &str, trouble: Trouble) {
        if self.troubles.get(key) == Some(&trouble) {
            return;
        }
        // Both sessions fail alike: that is one trouble.
        let known = self.troubles.values().any(|other| *other == trouble);
        self.troubles.insert(key.to_owned(), trouble.clone());
        if !known {
            tracing::warn!(topic = ?trouble.topic, "{}: {}", trouble.text, trouble.to_do);
            self.changed = true;
            self.fresh.push(trouble);
        }
    }

    fn clear(&mut self, key: &str) {
        let Some(trouble) = self.troubles.remove(key) else { return };
        if self.troubles.values().any(|other| *other == trouble) {
            return;
        }
        self.changed = true;
        self.fresh.retain(|fresh| *fresh != trouble);
        tracing::info!(topic = ?trouble.topic, "over: {}", trouble.text);
    }

    /// There is a connection. That the last one was soon over is only past when this one has lasted.
    pub fn up(&mut self, role: Role, now: Duration) {
        let key = connection(role);
        if self.troubles.get(&key).is_none_or(|trouble| trouble.text != SHORT) {
            self.clear(&key);
        }
        self.up_since.insert(role, now);
        if role == Role::Line {
            self.owed.clear();
        }
    }

    /// There is none.
    pub fn down(&mut self, role: Role, why: Trouble, now: Duration) {
        let short = self.up_since.remove(&role).is_some_and(|since| now < since + SETTLED);
        let why = if short {
            Trouble {
                text: SHORT.into(),
                to_do: "run `coilsight-agent doctor`: some brokers hang up on a client that may not publish what it \
                        publishes; if it finds nothing, another client uses this broker.client_id"
                    .into(),
                why: Some(Why::of("short_connection")),
                ..why
            }
        } else {
            why
        };
        self.set_as(&connection(role), why);
        if role == Role::Line {
            self.owed.clear();
        }
    }

    /// Notes troubles of one kind, and that others of it are over.
    pub fn hold(&mut self, kind: &str, troubles: Vec<Trouble>) {
        let held = troubles.len();
        for (at, trouble) in troubles.into_iter().enumerate() {
            self.set_as(&format!("{kind} {at}"), trouble);
        }
        let over = |key: &&String| {
            let at = key.strip_prefix(kind).and_then(|rest| rest.trim_start().parse::<usize>().ok());
            at.is_some_and(|at| at >= held)
        };
        let over: Vec<String> = self.troubles.keys().filter(over).cloned().collect();
        for key in over {
            self.clear(&key);
        }
    }

    /// Somebody judges.
    pub fn has_model(&mut self) {
        self.clear("NoModel");
    }

    /// Rows were taken: there is room.
    pub fn room_again(&mut self) {
        self.clear("Storage");
    }

    /// The broker has answered what a session may listen to.
    pub fn subscribed(&mut self, role: Role, refused: &[String]) {
        let key = format!("deaf {role:?}");
        if refused.is_empty() {
            self.clear(&key);
            return;
        }
        let topics = refused.join(", ");
        self.set_as(
            &key,
            Trouble {
                topic: Subject::Broker,
                text: format!("the broker does not let this agent listen to {topics}"),
                to_do: format!(
                    "allow this agent's user to read {topics} at the broker, then restart the agent"
                ),
                why: Some(Why::of("deaf").with("topics", topics)),
            },
        );
    }

    /// The broker has taken something: if it is on an own topic that we hear, it must come back.
    pub fn published(&mut self, topic: &str, listened: Duration) {
        if self.check_echo {
            // An echo may overtake its confirmation: then less than nothing is owed.
            let (owed, since) = self.owed.entry(topic.to_owned()).or_insert((0, listened));
            *owed += 1;
            if *owed == 1 {
                *since = listened;
            }
        }
    }

    /// It came back.
    pub fn echo(&mut self, topic: &str, listened: Duration) {
        let (owed, since) = self.owed.entry(topic.to_owned()).or_insert((0, listened));
        (*owed, *since) = (*owed - 1, listened);
        self.clear(&format!("no echo {topic}"));
    }

    /// Looks after what goes wrong without a word. `listened` is the line's time.
    pub fn look(&mut self, line: &Line, now: Duration, listened: Duration, wall: Option<Timestamp>) {
        let topics = &line.config().topics;
        let heard = [topics.full(&topics.status), topics.full(&topics.assessment)];
        self.owed.retain(|topic, _| heard.contains(topic));
        let late = |(owed, since): &(i64, Duration)| *owed > 0 && listened >= *since + ECHO_WITHIN;
        let late: Vec<String> = self.owed.iter().filter(|(_, o)| late(o)).map(|(t, _)| t.clone()).collect();
        for topic in late {
            self.set_as(
                &format!("no echo {topic}"),
                Trouble {
                    topic: Subject::Broker,
                    text: format!("the broker takes what this agent publishes to {topic} and passes nothing on"),
                    to_do: format!(
                        "allow this agent's user to write {topic} at the broker, and to read it; if it may write but \
                         must not read, set broker.check_echo = false; `coilsight-agent doctor` tells which"
                    ),
                    why: Some(Why::of("no_echo").with("topic", topic)),
                },
            );
        }
        if self.looked.is_some_and(|at| now < at + LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        let settled = |(_, since): &(&Role, &Duration)| now >= **since + SETTLED;
        let settled: Vec<Role> = self.up_since.iter().filter(settled).map(|(role, _)| *role).collect();
        for role in settled {
            self.clear(&connection(role));
        }
        self.look_at_archive(line);
        if wall.is_none() {
            self.set_as(
                "clock",
                Trouble {
                    topic: Subject::Clock,
                    text: "this machine's clock is not set: times are missing in what it publishes".into(),
                    to_do: "set the clock, or give the machine a time server; decisions do not depend on it"
                        .into(),
                    why: Some(Why::of("clock")),
                },
            );
        } else {
            self.clear("clock");
        }
        let closed_early = line.closed_early();
        if closed_early > self.closed_early {
            self.set_as(
                "early",
                Trouble {
                    topic: Subject::GapInRecord,
                    text: "more coils or rows are open than may be: some were closed early and went to a person".into(),
                    to_do: "see what sends so many coil ids; raise line.max_open or line.max_open_rows if they are real"
                        .into(),
                    why: Some(Why::of("closed_early")),
                },
            );
        } else {
            self.clear("early");
        }
        self.closed_early = closed_early;
    }

    fn look_at_archive(&mut self, line: &Line) {
        let stats = line.archive().stats();
        if stats.gaps > 0 {
            self.set_as(
                "log gaps",
                Trouble {
                    topic: Subject::Storage,
                    text: format!("{} parts of the archive's log cannot be read", stats.gaps),
                    to_do: "keep the folder for the maker, restore it from a copy if there is one, and check the disk"
                        .into(),
                    why: Some(Why::of("log_gaps").with("n", stats.gaps)),
                },
            );
        }
        let outside = stats.cap.saturating_sub(stats.reserve);
        // Matrices make room for themselves; what cannot be dropped is what counts.
        if stats.log + stats.open + stats.views + SHORT_OF_ROOM > outside {
            self.set_as(
                "room",
                Trouble {
                    topic: Subject::Storage,
                    text: format!(
                        "the archive's room is nearly used up: {} of {} bytes",
                        stats.used, stats.cap
                    ),
                    to_do: "raise archive.cap, on a larger disk if need be".into(),
                    why: Some(Why::of("room").with("used", stats.used).with("cap", stats.cap)),
                },
            );
        } else {
            self.clear("room");
        }
    }
}

fn connection(role: Role) -> String {
    format!("connection {role:?}")
}
