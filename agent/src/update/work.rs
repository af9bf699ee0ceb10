//! What takes long, on a thread of its own: reading, verifying and loading a set.

use super::Request;
use crate::line::BundleJudge;
use crate::slots::{Found, Refusal, Release, Site, State, Store, open_judge, prepare};
use coilsight_models::bundle::{Limits, TrustedKeys};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// What came of it.
pub(super) enum Done {
    /// A file went through every check.
    Prepared {
        /// Which.
        request: Request,
        /// What it is.
        found: Result<Found, Refusal>,
    },
    /// What is in a slot was loaded.
    Loaded {
        /// Which.
        release: Release,
        /// It.
        judge: Result<Box<BundleJudge>, Refusal>,
    },
}

/// Something that is being done.
pub(super) struct Work {
    done: Receiver<Done>,
    early: Option<Done>,
}

impl Work {
    fn begin(work: impl FnOnce() -> Done + Send + 'static) -> Self {
        let (sender, done) = channel();
        let thread = std::thread::Builder::new().name("bundle".into());
        // Without a thread nothing comes of it: `poll` says so by never answering, and the next start tries again.
        if let Err(error) = thread.spawn(move || drop(sender.send(work()))) {
            tracing::error!(%error, "no thread for a bundle");
        }
        Self { done, early: None }
    }

    /// Puts a file through every check.
    pub fn prepare(store: Store, request: Request, keys: TrustedKeys, site: Site, state: State) -> Self {
        Self::begin(move || {
            let found = prepare(&store, &request.path, &keys, &site, &state);
            Done::Prepared { request, found }
        })
    }

    /// Loads what is in a slot.
    pub fn load(store: Store, release: Release, limits: Limits) -> Self {
        Self::begin(move || {
            let judge = open_judge(&store, &release, &limits).map(Box::new);
            Done::Loaded { release, judge }
        })
    }

    /// What came of it, once something did.
    pub fn poll(&mut self) -> Option<Done> {
        self.early.take().or_else(|| self.done.try_recv().ok())
    }

    /// Waits for it.
    pub fn wait(&mut self, until: Instant) {
        self.early = self.done.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
    }
}
