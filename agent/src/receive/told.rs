//! What is said of a file: how far it is, what happened, what to do.

use coilsight_models::bundle::Sha256;
use coilsight_models::message::model::{Offer, Stage};
use std::io;
use std::time::Duration;

/// A word on a file; the receiver adds which and how much of it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// How far it is.
    pub stage: Stage,
    /// The bundle's fingerprint, if its manifest is known.
    pub fingerprint: Option<Sha256>,
    /// Its release, if its manifest is known.
    pub release: Option<u64>,
    /// What happened.
    pub text: String,
    /// What to do; empty if nothing is.
    pub to_do: String,
}

impl Told {
    /// A word without a fingerprint.
    pub fn new(stage: Stage, text: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { stage, fingerprint: None, release: None, text: text.into(), to_do: to_do.into() }
    }

    /// The file is not taken.
    pub fn refused(text: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self::new(Stage::Refused, text, to_do)
    }

    /// The file is not taken, for a reason that says first what to do, then after a colon what was wrong.
    pub fn of(refused: &(dyn std::error::Error + 'static)) -> Self {
        let said = crate::say::chain(refused);
        match said.split_once(": ") {
            Some((to_do, text)) => Self::refused(text, to_do),
            None => Self::refused(said, ""),
        }
    }

    pub(super) fn receiving() -> Self {
        Self::new(Stage::Receiving, "the line asks for its pieces", "")
    }

    pub(super) fn received() -> Self {
        Self::new(Stage::Received, "all of it is here, and is what was offered; it is being verified", "")
    }

    pub(super) fn busy(other: &Offer, have: u32) -> Self {
        let text =
            format!("another bundle is on its way: {} ({have} of {} pieces)", other.name, other.pieces());
        Self::new(
            Stage::Waiting,
            text,
            "let that one end, or stop its sender and wait ten minutes; then offer this again",
        )
    }

    pub(super) fn gave_way() -> Self {
        Self::refused(
            "nothing of it came for a while, and another bundle was offered (partial delivery)",
            "push it again",
        )
    }

    pub(super) fn too_large(bytes: u64, most: u64) -> Self {
        Self::refused(
            format!("{bytes} bytes are offered, at most {most} are taken here (endless data)"),
            "build a smaller set, or raise the line's limit",
        )
    }

    pub(super) fn no_front(within: Duration) -> Self {
        Self::refused(
            format!(
                "its signatures and manifest were not all here after {} minutes (slow retrieval)",
                within.as_secs() / 60
            ),
            "look after the connection between trainer, broker and line, then push it again; if nobody pushes, find out \
             who publishes bundles for this line",
        )
    }

    pub(super) fn too_long(longest: Duration) -> Self {
        Self::refused(
            format!("it was not all here after {} minutes (slow retrieval)", longest.as_secs() / 60),
            "look after the connection between trainer, broker and line, then push it again",
        )
    }

    pub(super) fn too_slow(floor: u64) -> Self {
        Self::refused(
            format!("less than {floor} bytes came in ten minutes (slow retrieval)"),
            "look after the connection between trainer, broker and line, then push it again",
        )
    }

    pub(super) fn partial() -> Self {
        Self::refused(
            "what came does not have the SHA-256 that was offered (partial delivery, or altered on its way)",
            "push it again, and if it ends the same, find out who publishes pieces of bundles for this line",
        )
    }

    pub(super) fn disk(error: &io::Error) -> Self {
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            let to_do =
                "make room on the line's disk; the line tries again by itself, and so does the trainer";
            return Self::new(Stage::Waiting, "there is no room for it on the line's disk", to_do);
        }
        Self::new(
            Stage::Waiting,
            format!("the line's disk does not take it: {error}"),
            "look after the line's disk; the line tries again by itself, and so does the trainer",
        )
    }
}
