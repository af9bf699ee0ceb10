//! What the receiver is told, what it asks for, and what it may take.

use super::Told;
use bytes::Bytes;
use coilsight_models::bundle::Front;
use coilsight_models::message::model::{Offer, Way};
use jiff::Timestamp;
use std::time::Duration;

/// What one transfer may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// No file is longer, bytes.
    pub max_bytes: u64,
    /// A file that has not come within this time is dropped.
    pub longest: Duration,
    /// Within ten minutes in which anything comes, at least so many bytes must come.
    pub floor_bytes: u64,
    /// A file of which nothing has come for so long, or whose front has not come for so long, gives way to another.
    pub gives_way: Duration,
    /// A file whose front (signatures and manifest) has not come and been verified within this time is dropped: until
    /// then nobody knows whether it is a stranger's.
    pub front_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            longest: Duration::from_hours(24),
            floor_bytes: 20 << 10,
            gives_way: Duration::from_mins(10),
            front_within: Duration::from_mins(30),
        }
    }
}

/// What time it is.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Grows while the line runs and its broker is there; limits count by it.
    pub line: Duration,
    /// This machine's clock, if it is set; only told.
    pub wall: Option<Timestamp>,
}

/// Which delivery: its connection and its packet, 0 where no acknowledgement is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The connection that it came by.
    pub generation: u64,
    /// The packet to acknowledge.
    pub packet: u16,
}

/// What happened at the broker.
#[derive(Clone, Debug)]
pub enum Event {
    /// There is a connection.
    Up {
        /// Its number.
        generation: u64,
    },
    /// There is none.
    Down,
    /// A message came.
    Delivered {
        /// To be acknowledged.
        ticket: Ticket,
        /// By which topic.
        way: Way,
        /// What it says.
        payload: Bytes,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The delivery is stored, known, or dropped for good.
    Acknowledge(Ticket),
    /// Publish this at QoS 1, not retained.
    Publish {
        /// On this connection, or not at all.
        generation: u64,
        /// On which topic.
        way: Way,
        /// What.
        payload: Vec<u8>,
    },
    /// The file is durable and is what was offered. No other is taken until somebody has moved or removed it; after a
    /// restart it is said again.
    Complete {
        /// What was offered.
        offer: Offer,
        /// Where it lies on the receiver's disk.
        path: String,
    },
}

/// Whoever uses the files, and knows whom to trust.
pub trait Desk {
    /// What is known of an offered file without having it; then it is not fetched.
    fn known(&mut self, offer: &Offer) -> Option<Told>;
    /// A file is not taken, for something that it was or did on its way.
    fn refused(&mut self, offer: &Offer, told: &Told);
    /// The file's front is there: whether the rest is worth having.
    fn front(&mut self, offer: &Offer, front: &Front) -> Result<(), Told>;
}
