//! What a person must act on, and what to do. Version 1.

use crate::coil::CoilId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the notification's form.
pub const VERSION: u32 = 1;

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// [`VERSION`].
    pub version: u32,
    /// Its own name: it may be delivered again.
    pub notification_id: String,
    /// The line.
    pub line: String,
    /// When, by the plant's messages or this machine's clock, where either is known.
    pub at: Option<Timestamp>,
    /// What it is about.
    pub topic: Subject,
    /// The coil, if it is about one.
    pub coil_id: Option<CoilId>,
    /// The decision, if it is about one.
    pub decision_id: Option<String>,
    /// What happened.
    pub text: String,
    /// What to do.
    pub to_do: String,
}

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A coil is NOK.
    CoilNok,
    /// A coil needs a person's verdict.
    CoilReview,
    /// A gauge gives no readings.
    GaugeBlind,
    /// Something that was sent never arrived.
    GapInRecord,
    /// No model judges.
    NoModel,
    /// The disk is short of room, or failing.
    Storage,
    /// This machine's clock is not set.
    Clock,
    /// The broker does not let the agent do what it must.
    Broker,
    /// The operators' page cannot be served.
    Page,
    /// Somebody said something who is not among the operators.
    Words,
    /// The plant's record does not answer.
    Record,
    /// Models do badly, by what inspectors say.
    Score,
    /// Gauges or inputs are not what they were.
    Drift,
    /// A bundle was refused, given up, took over, went back, or is past its time.
    Model,
}
