//! What is on its way to the broker, and what leaves the outbox once the broker has taken it.
//!
//! A decision may be several publications (the assessment, and what a person must act on): its receipt is written
//! when all are confirmed. What was on its way when the connection broke is sent again, under the same ids.

use super::notices;
use super::sessions::Gap;
use crate::broker::session::MAX_IN_FLIGHT;
use crate::broker::{Publication, Role};
use crate::line::{self, Line, Outgoing};
use coilsight_models::message::Topics;
use coilsight_models::message::notification::Notification;
use coilsight_models::message::status::Status;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Notices that wait; older ones go first when there are more.
const MAX_NOTICES: usize = 64;

/// What a publication is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Of something in the archive's outbox.
    Of(String),
    /// A notice of this process, by its id.
    Notice(String),
    /// The status.
    Status,
}

#[derive(Debug)]
struct Sent {
    part: Part,
    topic: String,
}

/// What is on its way.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    next_token: u64,
    /// Publications that the broker has not confirmed, by token.
    sent: BTreeMap<u64, Sent>,
    /// Publications that wait for their turn.
    queue: VecDeque<(Part, Publication)>,
    /// Things of the archive's outbox that are on their way, with the publications still to be confirmed.
    open: BTreeMap<String, usize>,
    /// Those of which all is confirmed.
    done: Vec<String>,
    notices: VecDeque<Notification>,
    gaps: BTreeMap<String, Role>,
    reported: Vec<(u64, Role)>,
    status: Option<(String, Vec<u8>)>,
}

impl Outbox {
    /// Nothing that was on its way has arrived, as far as anyone knows.
    pub fn connection_lost(&mut self) {
        self.sent.clear();
        self.queue.clear();
        self.open.clear();
        self.status = None;
    }

    /// Publications that the broker has not confirmed.
    pub fn in_flight(&self) -> usize {
        self.sent.len() + self.queue.len()
    }

    /// Whether nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.sent.is_empty() && self.queue.is_empty() && self.notices.is_empty() && self.status.is_none()
    }

    /// Whether a status is still on its way.
    pub fn status_on_its_way(&self) -> bool {
        self.status.is_some() || self.sent.values().any(|sent| sent.part == Part::Status)
    }

    /// The broker has taken a publication; says where it was published.
    pub fn confirmed(&mut self, token: u64) -> Option<String> {
        let Sent { part, topic } = self.sent.remove(&token)?;
        match part {
            Part::Of(id) => {
                let left = self.open.get_mut(&id)?;
                *left -= 1;
                if *left == 0 {
                    self.done.push(id);
                }
            }
            Part::Notice(id) => {
                self.notices.retain(|notice| notice.notification_id != id);
                if let Some(role) = self.gaps.remove(&id) {
                    self.reported.push((token, role));
                }
            }
            Part::Status => {}
        }
        Some(topic)
    }

    /// If this confirmation was a gap's: whose.
    pub fn reported_gap(&mut self, token: u64) -> Option<Role> {
        let at = self.reported.iter().position(|(of, _)| *of == token)?;
        Some(self.reported.swap_remove(at).1)
    }

    /// Things of the archive's outbox of which all is confirmed.
    pub fn done(&self) -> Vec<String> {
        self.done.clone()
    }

    /// Their receipts are written.
    pub fn forget(&mut self, done: &[String]) {
        self.done.retain(|id| !done.contains(id));
        self.open.retain(|id, _| !done.contains(id));
    }

    /// Something to tell a person; the same id once.
    pub fn notice(&mut self, notice: Notification) {
        if self.notices.iter().any(|known| known.notification_id == notice.notification_id) {
            return;
        }
        if self.notices.len() >= MAX_NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// The same for a gap, which is remembered until somebody was told.
    pub fn notice_gap(&mut self, line: &str, gap: &Gap) {
        let notice = notices::forgotten(line, gap);
        self.gaps.insert(notice.notification_id.clone(), gap.role);
        self.notice(notice);
    }

    /// The status to be published next; an older one that still waits is replaced.
    pub fn status(&mut self, topics: &Topics, status: &Status) {
        self.status = Some((topics.full(&topics.status), json(status)));
    }

    /// What is to be published now: as much as may be in flight, oldest first.
    pub fn fill(&mut self, line: &Line) -> line::Result<Vec<Publication>> {
        let topics = &line.config().topics;
        if let Some((topic, payload)) = self.status.take() {
            self.ask(Part::Status, topic, payload, true);
        }
        let told: BTreeSet<String> = self
            .sent
            .values()
            .map(|sent| &sent.part)
            .chain(self.queue.iter().map(|(part, _)| part))
            .filter_map(|part| if let Part::Notice(id) = part { Some(id.clone()) } else { None })
            .collect();
        let fresh: Vec<_> =
            self.notices.iter().filter(|n| !told.contains(&n.notification_id)).cloned().collect();
        for notice in fresh {
            let part = Part::Notice(notice.notification_id.clone());
            self.ask(part, topics.full(&topics.notification), json(&notice), false);
        }
        if self.queue.len() < MAX_IN_FLIGHT {
            for (id, outgoing) in line.outbox(self.open.len() + MAX_IN_FLIGHT)? {
                if !self.open.contains_key(&id) {
                    self.open_one(topics, &id, &outgoing);
                }
            }
        }
        let mut now = Vec::new();
        while self.sent.len() < MAX_IN_FLIGHT
            && let Some((part, publication)) = self.queue.pop_front()
        {
            self.sent.insert(publication.token, Sent { part, topic: publication.topic.clone() });
            now.push(publication);
        }
        Ok(now)
    }

    fn open_one(&mut self, topics: &Topics, id: &str, outgoing: &Outgoing) {
        let parts = match outgoing {
            Outgoing::Assessment(assessment) => {
                let mut parts = vec![(topics.full(&topics.assessment), json(assessment))];
                let notices = notices::decided(assessment);
                parts.extend(notices.iter().map(|n| (topics.full(&topics.notification), json(n))));
                parts
            }
            Outgoing::Disposition(disposition) => {
                vec![(topics.full(&topics.disposition), json(disposition))]
            }
        };
        self.open.insert(id.to_owned(), parts.len());
        for (topic, payload) in parts {
            self.ask(Part::Of(id.to_owned()), topic, payload, false);
        }
    }

    fn ask(&mut self, part: Part, topic: String, payload: Vec<u8>, retain: bool) {
        self.next_token += 1;
        self.queue.push_back((part, Publication { token: self.next_token, topic, payload, retain }));
    }
}

fn json(message: &impl Serialize) -> Vec<u8> {
    // Our own plain data: writing them to memory has no way to fail.
    serde_json::to_vec(message).expect("a message becomes JSON")
}
