//! What the trail adds up to. Pure: entries in, slots out.

use super::event::{Entry, Event, Release, Say, Way};
use coilsight_models::bundle::{Sha256, TrustDocument};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Sets that were given up are remembered, and files that came, so many of them.
const MAX_GIVEN_UP: usize = 64;

/// The slots.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// What decides.
    pub active: Option<Release>,
    /// What waits for its turn.
    pub candidate: Option<Candidate>,
    /// What a rollback goes back to.
    pub last_good: Option<Release>,
    /// Starts in a row, without judging coils or an orderly stop after them, of an active set that has not proved
    /// itself; `None` once it has.
    pub probation: Option<u32>,
    /// The newest release ever staged, and which bundle bore it.
    pub newest: Option<(u64, Sha256)>,
    /// The latest time that a trusted signer stated.
    pub signed_time: Option<Timestamp>,
    /// Nothing below may be gone back to: the highest floor of what was ever active.
    pub floor: u64,
    /// Whom to believe, once somebody has said so by roles.
    pub trust: Option<Box<TrustDocument>>,
    /// What is in a slot and was signed by a key that was revoked since: no way back.
    pub distrusted: BTreeSet<Sha256>,
    /// Why what was once staged is not used, by the bundle's fingerprint.
    pub given_up: BTreeMap<Sha256, String>,
    /// Which bundles the last files were that came over the broker: by the file's SHA-256, the fingerprint.
    pub offers: BTreeMap<Sha256, Sha256>,
    /// Entries that this version does not know.
    pub unknown: usize,
}

/// A candidate and how it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What it is.
    pub release: Release,
    /// How it came.
    pub way: Way,
    /// What both sets said of each coil since it was staged: the active one, then the candidate.
    pub shadow: Vec<(Say, Say)>,
}

impl State {
    /// Adds up entries, oldest first; one that is not understood is passed over and counted.
    pub fn of(entries: &[Vec<u8>]) -> Self {
        let mut state = Self::default();
        for bytes in entries {
            match serde_json::from_slice(bytes) {
                Ok(entry) => state.apply(&entry),
                Err(_) => state.unknown += 1,
            }
        }
        state
    }

    /// Adds an entry.
    pub fn apply(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Provisioned { document } => self.trust(document, None),
            Event::Trusted { document, created_at, .. } => {
                self.signed_at(*created_at);
                self.trust(document, Some(*created_at));
            }
            Event::Staged { release, created_at, way, .. } => {
                let newest = self.newest.map_or(0, |(newest, _)| newest);
                if release.release >= newest {
                    self.newest = Some((release.release, release.fingerprint()));
                }
                self.signed_at(*created_at);
                if let Way::Broker { offer } = way {
                    while self.offers.len() >= MAX_GIVEN_UP {
                        self.offers.pop_first();
                    }
                    self.offers.insert(*offer, release.fingerprint());
                }
                let (release, way) = (release.clone(), way.clone());
                self.candidate = Some(Candidate { release, way, shadow: Vec::new() });
            }
            Event::Shadowed { active, candidate, .. } => {
                if let Some(waiting) = &mut self.candidate {
                    waiting.shadow.push((active.clone(), candidate.clone()));
                }
            }
            Event::Activated { release, .. } => {
                // What never proved itself is nothing to go back to while there is something better.
                if self.probation.is_none() || self.last_good.is_none() {
                    self.last_good = self.active.take();
                }
                self.floor = self.floor.max(release.floor);
                self.active = Some(release.clone());
                self.candidate = None;
                self.probation = Some(0);
            }
            Event::Discarded { release, why, .. } => {
                self.give_up(release, why);
                self.candidate.take_if(|candidate| candidate.release == *release);
            }
            Event::RolledBack { from, to, why, .. } => {
                self.give_up(from, why);
                self.active = Some(to.clone());
                self.last_good = None;
                self.probation = None;
                // Thresholds for the set that went; and what agreed with it, or did not, says nothing now.
                self.candidate.take_if(|c| c.release.policy.is_some() && c.release.set != to.set);
                if let Some(waiting) = &mut self.candidate {
                    waiting.shadow.clear();
                }
            }
            Event::Distrusted { release, .. } => {
                self.distrusted.insert(release.fingerprint());
            }
            Event::Started => self.probation = self.probation.map(|starts| starts + 1),
            Event::Lived => self.probation = self.probation.map(|_| 0),
            Event::Confirmed { .. } => self.probation = None,
            Event::Refused { .. } => {}
        }
        let slots = [&self.active, &self.last_good];
        self.distrusted.retain(|f| slots.iter().any(|r| r.as_ref().is_some_and(|r| r.fingerprint() == *f)));
    }

    fn trust(&mut self, document: &TrustDocument, created_at: Option<Timestamp>) {
        let newer = self.trust.as_ref().is_none_or(|in_force| in_force.version < document.version);
        if let Some(restart) = document.restart_release.filter(|_| newer) {
            // Whatever a thief's signatures drove forward is taken back. The set that judges, judges on.
            if self.newest.is_some_and(|(newest, _)| newest > restart) {
                self.newest = Some((restart, Sha256::of(b"")));
            }
            self.floor = self.floor.min(restart);
            self.signed_time = created_at;
        }
        self.trust = Some(Box::new(document.clone()));
    }

    fn signed_at(&mut self, at: Timestamp) {
        self.signed_time = self.signed_time.max(Some(at));
    }

    fn give_up(&mut self, release: &Release, why: &str) {
        while self.given_up.len() >= MAX_GIVEN_UP {
            self.given_up.pop_first();
        }
        self.given_up.insert(release.fingerprint(), why.to_owned());
    }

    /// What a rollback would go back to now: the last good set, unless the signed floor forbids it, or a key that signed
    /// it was revoked.
    pub fn way_back(&self) -> Option<&Release> {
        self.last_good
            .as_ref()
            .filter(|release| release.release >= self.floor && !self.is_distrusted(release))
    }

    /// Whether a key was revoked without which it would not have been let in.
    pub fn is_distrusted(&self, release: &Release) -> bool {
        self.distrusted.contains(&release.fingerprint())
    }
}
