//! Which models judge: slots, and an unchangeable trail of who put what into them, when and why.
//!
//! | on disk | holds |
//! |---|---|
//! | `log/` | the trail ([`Event`]): the only truth; what is in which slot is what it adds up to ([`State`]) |
//! | `store/` | bundles, named by their fingerprints: written elsewhere, synced, then given their name |
//! | `incoming/` | pieces of a bundle that comes over the broker |
//! | `inbox/` | requests from the command line |
//!
//! Slots are `active`, `candidate` (staged, judging in shadow) and `last_good`. Each change is one entry of the trail,
//! so a power cut leaves the slots before it or after it, and there is one active set at any time. A bundle enters the
//! store before the trail names it, and leaves it after nothing names it any more.

mod event;
mod prepare;
mod state;
mod store;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use event::{Entry, Event, Gist, Release, Say, Way};
pub use prepare::{Found, Prepared, Refusal, Site, is_past, is_wanted, open_judge, prepare};
pub use state::{Candidate, State};
pub use store::Store;
pub(crate) use store::copy;

use crate::archive::{self, Disk, Gap, Ledger};
use coilsight_models::bundle::{Attack, Limits, RefusedBundle, TrustDocument, TrustedKeys, VerifiedFront};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::BufReader;
use std::sync::Arc;

/// Why the slots cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has them.
    #[error(
        "the models' folder is in use by a running agent: give the command while it runs, it is passed on"
    )]
    Locked,
    /// A trust document that leaves a revoked key out.
    #[error(
        "make the trust document {version} at the machine again with every key that was ever revoked: it leaves {key} out, \
         which would be believed again ({})",
        Attack::ReplayedRevocation
    )]
    Unrevoked {
        /// Its version.
        version: u64,
        /// The key.
        key: String,
    },
    /// Two documents of one version.
    #[error(
        "make a trust document above version {version}: the one at the machine has that version and says something else than \
         the one that came and is in force; find out who made that one"
    )]
    OtherTrust {
        /// The version.
        version: u64,
    },
    /// The trail.
    #[error("the models' trail cannot be kept")]
    Trail(#[from] archive::Error),
    /// The store.
    #[error("{doing} {file} in the models' store failed: see to the disk")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// To what.
        file: String,
        /// The disk's word.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Whether only room is wanting: the same call succeeds once there is some.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Trail(error) => error.is_full(),
            Self::Store { source, .. } => archive::is_full(source),
            Self::Locked | Self::Unrevoked { .. } | Self::OtherTrust { .. } => false,
        }
    }
}

/// What the slots' calls return.
pub type Result<T> = std::result::Result<T, Error>;

/// The slots of a line.
pub struct Slots {
    ledger: Ledger,
    store: Store,
    state: State,
    gaps: Vec<Gap>,
    _lock: Box<dyn Send + Sync>,
}

/// Held by whoever may change the slots.
const LOCK: &str = "lock";

impl Slots {
    /// Opens them; one process at a time has them.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Self> {
        let lock = disk.lock(LOCK).map_err(|source| match source.kind() {
            std::io::ErrorKind::WouldBlock => Error::Locked,
            _ => Error::Store { doing: "locking", file: LOCK.into(), source },
        })?;
        let (ledger, read) = Ledger::open(&disk)?;
        let state = State::of(&read.entries);
        let slots = Self { ledger, store: Store::open(disk)?, state, gaps: read.gaps, _lock: lock };
        for gap in &slots.gaps {
            tracing::error!(?gap, "part of the models' trail cannot be read");
        }
        Ok(slots)
    }

    /// What is in them.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Parts of the trail that cannot be read.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Where bundles lie.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Writes an entry into the trail; what it changes holds from here on, whatever happens to the power.
    pub fn note(&mut self, at: Option<Timestamp>, event: Event) -> Result<()> {
        let entry = Entry { at, event };
        // Texts and numbers: they become JSON.
        let bytes = serde_json::to_vec(&entry).expect("an entry becomes JSON");
        self.ledger.append(&bytes)?;
        tracing::info!(trail = %entry.event, "models");
        self.state.apply(&entry);
        Ok(())
    }

    /// Takes the trust document that lies at the line, if it says more than what is in force, and tells whom to
    /// believe. A document that came by a bundle stays in force while the one at the line is older.
    pub fn believe(&mut self, at: Option<Timestamp>, provisioned: Provisioned) -> Result<TrustedKeys> {
        if let Provisioned::Document(document) = &provisioned
            && self.state.trust.as_ref().is_none_or(|in_force| in_force.version < document.version)
        {
            let forgotten = self.state.trust.as_ref().and_then(|in_force| in_force.forgotten_by(document));
            if let Some(key) = forgotten {
                return Err(Error::Unrevoked { version: document.version, key: key.key.clone() });
            }
            self.note(at, Event::Provisioned { document: document.clone() })?;
        }
        if let (Provisioned::Document(document), Some(in_force)) = (&provisioned, &self.state.trust)
            && document.version == in_force.version
            && document != in_force
        {
            return Err(Error::OtherTrust { version: document.version });
        }
        let keys = match (&self.state.trust, provisioned) {
            (Some(document), _) => {
                TrustedKeys::of_document((**document).clone()).expect("what is in force was checked")
            }
            (None, Provisioned::Keys(keys)) => keys,
            (None, Provisioned::Document(_)) => unreachable!("it was just put in force"),
        };
        self.distrust(at, &keys)?;
        Ok(keys)
    }

    /// Puts a bundle that passed every check, and lies in the store, into the candidate's slot, in the place of another.
    pub fn stage(&mut self, at: Option<Timestamp>, prepared: &Prepared, way: Way) -> Result<()> {
        let Gist { signers, why, created_at } = prepared.gist.clone();
        self.note(at, Event::Staged { release: prepared.release.clone(), created_at, signers, why, way })
    }

    /// Puts a trust document that was verified in force; says whom to believe now. A candidate that these keys would not
    /// let in any more is given up: its signer may be the thief for whom they were changed. What decides, decides on;
    /// people roll it back, or bring another, for nothing goes back to what only a revoked key let in.
    pub fn trust(
        &mut self,
        at: Option<Timestamp>,
        document: &TrustDocument,
        gist: Gist,
        way: Way,
        limits: &Limits,
    ) -> Result<TrustedKeys> {
        let Gist { signers, created_at, .. } = gist;
        let event = Event::Trusted { document: Box::new(document.clone()), created_at, signers, way };
        self.note(at, event)?;
        let keys = TrustedKeys::of_document(document.clone()).expect("it was verified");
        if let Some(Candidate { release, .. }) = self.state.candidate.clone() {
            let file = self.store.bundle(release.fingerprint()).ok();
            let front = file.and_then(|file| VerifiedFront::read(BufReader::new(file), &keys, limits).ok());
            if front.is_none() {
                let why = "the keys that are believed now do not suffice for it".into();
                self.note(at, Event::Discarded { release, why, by: None })?;
            }
        }
        self.distrust(at, &keys)?;
        Ok(keys)
    }

    /// Gives up a candidate, and ways back, that would not have been let in without a key that is revoked now. One that was
    /// only let go or exchanged takes no way back away. Said once, and again at each start, for the power may go in between.
    fn distrust(&mut self, at: Option<Timestamp>, keys: &TrustedKeys) -> Result<()> {
        let ways = [&self.state.active, &self.state.last_good].into_iter().flatten();
        let new: Vec<Release> = ways.filter(|release| !self.state.is_distrusted(release)).cloned().collect();
        for release in new {
            if let Some(why) = self.revoked_signer(&release, keys) {
                self.note(at, Event::Distrusted { release, why })?;
            }
        }
        if let Some(Candidate { release, .. }) = self.state.candidate.clone()
            && let Some(why) = self.revoked_signer(&release, keys)
        {
            self.note(at, Event::Discarded { release, why, by: None })?;
        }
        Ok(())
    }

    /// The revoked key without which a release would not be let in, in words.
    fn revoked_signer(&self, release: &Release, keys: &TrustedKeys) -> Option<String> {
        release.files().find_map(|file| {
            let file = self.store.bundle(file).ok()?;
            match VerifiedFront::read(BufReader::new(file), keys, &Limits::default()) {
                Err(RefusedBundle::RevokedSigner { key_id, why }) => {
                    Some(format!("the key {key_id} that signed it was revoked, {why}"))
                }
                _ => None,
            }
        })
    }

    /// Removes bundles that no slot names and no open coil is bound to. Not while one is being prepared: it lies in the
    /// store before a slot names it.
    pub fn tidy(&self, bound: impl Iterator<Item = String>) -> Result<()> {
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        let slots = [&self.state.active, &self.state.last_good].into_iter().flatten();
        let candidate = self.state.candidate.as_ref().map(|candidate| &candidate.release);
        for release in slots.chain(candidate) {
            wanted.extend(release.files().map(|file| file.to_string()));
        }
        wanted.extend(bound.flat_map(|binding| binding.split('+').map(str::to_owned).collect::<Vec<_>>()));
        self.store.remove_all_but(&wanted)
    }
}

/// Whom a person at the line said to believe.
#[derive(Clone, Debug)]
pub enum Provisioned {
    /// Keys by role.
    Document(Box<TrustDocument>),
    /// Keys without roles: any one of them.
    Keys(TrustedKeys),
}
