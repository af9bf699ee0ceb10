//! Sessions of blind re-judging, and the log that they are kept in.

use crate::archive::{self, Disk, Ledger};
use crate::line::short_hex;
use crate::operators::{hex, random};
use coilsight_models::message::inbound::Label;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every coil is judged so often by each inspector.
pub const ROUNDS: u8 = 2;

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Entry {
    Started {
        id: String,
        at: Timestamp,
        by: String,
        decisions: Vec<String>,
        #[serde(default)]
        salt: String,
    },
    Answered {
        id: String,
        item: String,
        round: u8,
        by: String,
        label: Label,
        at: Timestamp,
    },
}

/// One session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its name.
    pub id: String,
    /// When it began.
    pub at: Timestamp,
    /// Who began it.
    pub by: String,
    /// The decisions whose coils are judged.
    pub decisions: Vec<String>,
    /// Labels by inspector, round (1 or 2) and decision.
    pub labels: BTreeMap<(String, u8), BTreeMap<String, Label>>,
    /// Never sent: without it nobody can tell which coil an item is, for ids of sessions and decisions are no secret.
    salt: String,
}

impl Session {
    /// A new one, without coils.
    pub(crate) fn begin(by: String, at: Timestamp) -> Self {
        let (id, salt) = (hex(&random::<16>()), hex(&random::<16>()));
        Self { id, at, by, decisions: Vec::new(), labels: BTreeMap::new(), salt }
    }

    pub(super) fn answered(&self, by: &str, round: u8) -> usize {
        self.labels.get(&(by.to_owned(), round)).map_or(0, BTreeMap::len)
    }

    /// What this inspector judges next: the round and the decision. Another order for everybody and every round.
    pub(super) fn next(&self, by: &str) -> Option<(u8, &str)> {
        let round = (1..=ROUNDS).find(|round| self.answered(by, *round) < self.decisions.len())?;
        let done = self.labels.get(&(by.to_owned(), round));
        let left = self.decisions.iter().filter(|id| done.is_none_or(|done| !done.contains_key(*id)));
        left.min_by_key(|id| self.lot(&format!("{by}\0{round}"), id)).map(|id| (round, id.as_str()))
    }

    /// A number by lot for a decision, another one for everything that it is `wanted` for.
    pub(super) fn lot(&self, wanted: &str, decision_id: &str) -> String {
        short_hex(&Sha256::digest(format!("{}\0{}\0{wanted}\0{decision_id}", self.id, self.salt)))
    }

    /// A decision's name in this session, which says nothing of the coil.
    pub(super) fn item(&self, decision_id: &str) -> String {
        self.lot("coilsight item 2", decision_id)
    }

    pub(super) fn decision(&self, item: &str) -> Option<&str> {
        self.decisions.iter().map(String::as_str).find(|id| self.item(id) == item)
    }

    /// Those who have begun.
    pub(super) fn inspectors(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.labels.keys().map(|(name, _)| name.as_str()).collect();
        names.dedup();
        names
    }

    /// Whether somebody has begun and not judged all.
    pub(super) fn is_running(&self) -> bool {
        self.inspectors().iter().any(|name| self.next(name).is_some())
    }

    /// Whether somebody has begun, and all who have are through.
    pub(super) fn is_finished(&self) -> bool {
        !self.labels.is_empty() && !self.is_running()
    }
}

/// The log of re-judging, the latest session, and the one that was finished before it.
#[derive(Debug)]
pub struct Rejudge {
    ledger: Ledger,
    session: Option<Session>,
    finished: Option<Session>,
}

impl Rejudge {
    /// Opens the log on a disk of its own.
    pub fn open(disk: &Arc<dyn Disk>) -> archive::Result<Self> {
        let (ledger, read) = Ledger::open(disk)?;
        let mut rejudge = Self { ledger, session: None, finished: None };
        for entry in read.entries.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()) {
            rejudge.apply(entry);
        }
        Ok(rejudge)
    }

    /// The latest session.
    pub(super) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// The last session before the latest that was finished.
    pub(super) fn finished(&self) -> Option<&Session> {
        self.finished.as_ref()
    }

    pub(super) fn start(&mut self, new: Session) -> archive::Result<()> {
        let Session { id, at, by, decisions, salt, .. } = new;
        self.note(Entry::Started { id, at, by, decisions, salt })
    }

    /// Keeps an answer in the latest session.
    pub(super) fn answer(
        &mut self,
        item: String,
        round: u8,
        by: String,
        label: Label,
        at: Timestamp,
    ) -> archive::Result<()> {
        let Some(id) = self.session.as_ref().map(|session| session.id.clone()) else { return Ok(()) };
        self.note(Entry::Answered { id, item, round, by, label, at })
    }

    fn note(&mut self, entry: Entry) -> archive::Result<()> {
        // Plain data: writing them to memory has no way to fail.
        self.ledger.append(&serde_json::to_vec(&entry).expect("an entry becomes JSON"))?;
        self.apply(entry);
        Ok(())
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Started { id, at, by, decisions, salt } => {
                let new = Session { id, at, by, decisions, labels: BTreeMap::new(), salt };
                let before = self.session.replace(new);
                self.finished = before.filter(Session::is_finished).or(self.finished.take());
            }
            Entry::Answered { id, item, round, by, label, .. } => {
                let Some(session) = self.session.as_mut().filter(|session| session.id == id) else { return };
                session.labels.entry((by, round)).or_default().entry(item).or_insert(label);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::RealDisk;

    fn began(by: &str) -> Session {
        let mut session = Session::begin(by.into(), Timestamp::UNIX_EPOCH);
        session.decisions = vec!["d1".into(), "d2".into()];
        session
    }

    #[test]
    fn what_was_finished_stays_readable() {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder.path().join("rejudge")).unwrap());
        let mut rejudge = Rejudge::open(&disk).unwrap();
        let judge = |rejudge: &mut Rejudge, by: &str| {
            let session = rejudge.session().unwrap();
            let (round, id) = session.next(by).map(|(round, id)| (round, id.to_owned())).unwrap();
            rejudge.answer(id, round, by.into(), Label::Ok, Timestamp::UNIX_EPOCH).unwrap();
        };
        rejudge.start(began("Ada")).unwrap();
        let state = |r: &Rejudge| r.session().map(|s| (s.is_running(), s.is_finished())).unwrap();
        assert_eq!(state(&rejudge), (false, false), "nobody has begun");
        for _ in 0..3 {
            judge(&mut rejudge, "Ada");
            assert_eq!(state(&rejudge), (true, false));
        }
        judge(&mut rejudge, "Ada");
        assert_eq!(state(&rejudge), (false, true));
        let first = rejudge.session().unwrap().id.clone();
        for _ in 0..2 {
            rejudge.start(began("Ben")).unwrap();
            judge(&mut rejudge, "Ben");
            assert_eq!(rejudge.finished().unwrap().id, first, "the unfinished one did not take its place");
        }
        let next = rejudge.session().unwrap().next("Ben").map(|(round, id)| (round, id.to_owned()));
        let item = rejudge.session().unwrap().item("d1");
        drop(rejudge);
        let again = Rejudge::open(&disk).unwrap();
        assert_eq!(again.finished().unwrap().id, first);
        assert_eq!(again.session().unwrap().next("Ben").map(|(round, id)| (round, id.to_owned())), next);
        assert_eq!(again.session().unwrap().item("d1"), item);
    }

    #[test]
    fn what_is_known_of_a_session_does_not_tell_its_items() {
        let session = began("Ada");
        let known = Session { salt: String::new(), ..session.clone() };
        assert_ne!(session.item("d1"), known.item("d1"));
        assert_eq!(session.decision(&session.item("d1")), Some("d1"));
    }
}
