//! Why a line cannot go on.

use super::judge::Unjudged;
use super::pass::BadPassKey;
use super::publish::NotTaken;
use crate::archive;

/// Why the line cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The archive refused: nothing of this message was taken, so it must not be acknowledged.
    #[error("the archive did not take it")]
    Archive(#[from] archive::Error),
    /// A decision could not be written or read as JSON.
    #[error("decision {decision_id} is no assessment")]
    Assessment {
        /// Which.
        decision_id: String,
        /// How.
        #[source]
        source: serde_json::Error,
    },
    /// Whoever judges does not judge a known coil as it should.
    #[error(
        "the models fail on a coil that they know: restart the agent; if it stays so, push the bundle again"
    )]
    Judge(#[source] Unjudged),
    /// A pass's name in the archive is none.
    #[error("the archive's decisions cannot be matched to passes")]
    PassKey(#[from] BadPassKey),
    /// Kept feedback could not be read.
    #[error("the kept feedback {key} is none")]
    Feedback {
        /// Which.
        key: String,
        /// How.
        #[source]
        source: serde_json::Error,
    },
    /// The decision could not be handed on; it stays in the outbox.
    #[error("decision {decision_id} could not be published")]
    Publish {
        /// Which.
        decision_id: String,
        /// Why.
        #[source]
        source: NotTaken,
    },
}

impl Error {
    /// Whether only room is wanting: nothing is lost, and the same call succeeds once there is some.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Archive(error) if error.is_full())
    }
}
