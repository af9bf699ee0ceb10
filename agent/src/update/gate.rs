//! Between what moves the slots and whoever receives bundles: files and refusals in, words and the slots out, and what
//! both go by.

use crate::slots::{Refusal, Site, State, Way, is_wanted};
use coilsight_models::bundle::manifest::Manifest;
use coilsight_models::bundle::{Attack, Sha256, TrustedKeys};
use coilsight_models::message::model::Stage;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file that is complete and wants to be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where it lies, on the slots' disk.
    pub path: String,
    /// How it came.
    pub way: Way,
    /// Who waits at the command line.
    pub asked: Option<String>,
}

/// What is to be said of a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The file, if it came over the broker.
    pub offer: Option<Sha256>,
    /// How far it is.
    pub stage: Stage,
    /// What it is called by, where that is known.
    pub fingerprint: Option<Sha256>,
    /// Its release, where that is known.
    pub release: Option<u64>,
    /// What happened.
    pub text: String,
    /// What to do; empty if nothing is.
    pub to_do: String,
}

/// What came over the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// A complete file.
    File(Request),
    /// The beginning of one that is not wanted.
    Refused {
        /// What the file was called by.
        offer: Sha256,
        /// Why.
        why: String,
        /// The attack that was stopped, if it looks like one.
        attack: Option<Attack>,
    },
}

/// What is said to whoever receives bundles.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Of a bundle.
    Word(Word),
    /// What is in the slots now.
    Slots(Box<State>),
}

/// What decides whether a bundle's front is worth receiving the rest: shared with whoever receives.
#[derive(Clone)]
pub struct Gate(Arc<Mutex<Inside>>);

pub(super) struct Inside {
    pub keys: Option<TrustedKeys>,
    pub site: Site,
    pub state: State,
}

impl Gate {
    /// Over what is known at the start.
    pub(super) fn new(site: Site) -> Self {
        Self(Arc::new(Mutex::new(Inside { keys: None, site, state: State::default() })))
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys that are believed, if any.
    pub fn keys(&self) -> Option<TrustedKeys> {
        self.inside().keys.clone()
    }

    /// Caps and names of the place.
    pub fn site(&self) -> Site {
        self.inside().site.clone()
    }

    /// What is in the slots.
    pub fn state(&self) -> State {
        self.inside().state.clone()
    }

    /// Whether a verified manifest is meant for this line as it is now.
    pub fn is_wanted(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let inside = self.inside();
        is_wanted(manifest, &inside.site, &inside.state)
    }
}
