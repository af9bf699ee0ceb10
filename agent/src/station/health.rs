//! What is not as it should be, for as long as it lasts: in the status, in the log when it begins and ends, and
//! as a notification when it begins.

use crate::broker::Role;
use crate::line::Line;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::Trouble;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// The broker has so long to pass on what it has taken.
const ECHO_WITHIN: Duration = Duration::from_secs(20);
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
    /// What the broker has taken and not passed on, by topic: how many, and since when nothing came.
    owed: BTreeMap<String, (i64, Duration)>,
    looked: Option<Duration>,
    closed_early: u64,
}

impl Health {
    pub fn new(check_echo: bool) -> Self {
        Self { check_echo, ..Self::default() }
    }

    /// Everything that is not as it should be.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.troubles.values().cloned().collect()
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
        tracing::warn!(topic = ?trouble.topic, "{}: {}", trouble.text, trouble.to_do);
        self.changed = true;
        self.fresh.push(trouble.clone());
        self.troubles.insert(key.to_owned(), trouble);
    }

    fn clear(&mut self, key: &str) {
        if let Some(trouble) = self.troubles.remove(key) {
            self.changed = true;
            self.fresh.retain(|fresh| *fresh != trouble);
            tracing::info!(topic = ?trouble.topic, "over: {}", trouble.text);
        }
    }

    /// There is a connection.
    pub fn up(&mut self, role: Role) {
        self.clear(&connection(role));
        if role == Role::Line {
            self.owed.clear();
        }
    }

    /// There is none.
    pub fn down(&mut self, role: Role, why: Trouble) {
        self.set_as(&connection(role), why);
        self.owed.clear();
    }

    /// Rows were taken: there is room.
    pub fn room_again(&mut self) {
        self.clear("Storage");
    }

    /// The broker refuses a subscription.
    pub fn deaf(&mut self, topic: &str) {
        self.set_as(
            &format!("deaf {topic}"),
            Trouble {
                topic: Subject::Broker,
                text: format!("the broker does not let this agent listen to {topic}"),
                to_do: format!(
                    "allow this agent's user to read {topic} at the broker, then restart the agent"
                ),
            },
        );
    }

    /// The broker has taken something: if it is on an own topic that we hear, it must come back.
    pub fn published(&mut self, topic: &str, now: Duration) {
        if self.check_echo {
            // An echo may overtake its confirmation: then less than nothing is owed.
            let (owed, since) = self.owed.entry(topic.to_owned()).or_insert((0, now));
            *owed += 1;
            if *owed == 1 {
                *since = now;
            }
        }
    }

    /// It came back.
    pub fn echo(&mut self, topic: &str, now: Duration) {
        let (owed, since) = self.owed.entry(topic.to_owned()).or_insert((0, now));
        (*owed, *since) = (*owed - 1, now);
        self.clear(&format!("no echo {topic}"));
    }

    /// Looks after what goes wrong without a word.
    pub fn look(&mut self, line: &Line, now: Duration, wall: Option<Timestamp>, connected: bool) {
        let topics = &line.config().topics;
        let heard = [topics.full(&topics.status), topics.full(&topics.assessment)];
        self.owed.retain(|topic, _| heard.contains(topic));
        let late = |(owed, since): &(i64, Duration)| *owed > 0 && now >= *since + ECHO_WITHIN;
        let late: Vec<String> = self.owed.iter().filter(|(_, o)| late(o)).map(|(t, _)| t.clone()).collect();
        for topic in late.into_iter().filter(|_| connected) {
            self.set_as(
                &format!("no echo {topic}"),
                Trouble {
                    topic: Subject::Broker,
                    text: format!("the broker takes what this agent publishes to {topic} and passes nothing on"),
                    to_do: format!(
                        "allow this agent's user to write {topic} at the broker; if it may write but not read it, set \
                         broker.check_echo = false"
                    ),
                },
            );
        }
        if self.looked.is_some_and(|at| now < at + LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        self.look_at_archive(line);
        if wall.is_none() {
            self.set_as(
                "clock",
                Trouble {
                    topic: Subject::Clock,
                    text: "this machine's clock is not set: times are missing in what it publishes".into(),
                    to_do: "set the clock, or give the machine a time server; decisions do not depend on it"
                        .into(),
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
