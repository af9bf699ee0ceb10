//! What takes long, on a thread of its own: reading, verifying and loading a set.

use super::Request;
use crate::line::BundleJudge;
use crate::slots::{Found, Refusal, Release, Site, State, Store, open_judge, prepare};
use coilsight_models::bundle::TrustedKeys;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

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
    /// Nothing: its thread could not be had, or died.
    Died {
        /// The file that it was about, if it was about one.
        request: Option<Request>,
    },
}

/// Something that is being done.
pub(super) struct Work {
    done: Receiver<Done>,
    request: Option<Request>,
}

impl Work {
    fn begin(request: Option<Request>, work: impl FnOnce() -> Done + Send + 'static) -> Self {
        let (sender, done) = channel();
        let thread = std::thread::Builder::new().name("bundle".into());
        if let Err(error) = thread.spawn(move || drop(sender.send(work()))) {
            tracing::error!(%error, "no thread for a bundle");
        }
        Self { done, request }
    }

    /// Puts a file through every check.
    pub fn prepare(store: Store, request: Request, keys: TrustedKeys, site: Site, state: State) -> Self {
        Self::begin(Some(request.clone()), move || {
            let found = prepare(&store, &request.path, &keys, &site, &state);
            Done::Prepared { request, found }
        })
    }

    /// Loads what is in a slot.
    pub fn load(store: Store, release: Release) -> Self {
        Self::begin(None, move || {
            let judge = open_judge(&store, &release).map(Box::new);
            Done::Loaded { release, judge }
        })
    }

    /// What came of it, once something did.
    pub fn poll(&mut self) -> Option<Done> {
        match self.done.try_recv() {
            Ok(done) => Some(done),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Done::Died { request: self.request.take() }),
        }
    }
}
