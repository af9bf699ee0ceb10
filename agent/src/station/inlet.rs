//! What a session has delivered and the line has not yet taken.

use crate::broker::Delivery;
use std::collections::VecDeque;
use std::time::Duration;

/// What came by one session and is not yet acknowledged.
#[derive(Debug, Default)]
pub(super) struct Inlet {
    /// The connection's number while there is one.
    pub up: Option<u64>,
    pub waiting: VecDeque<(Duration, Delivery)>,
    /// Payloads of what waits, bytes.
    bytes: usize,
    /// More came than may wait: what came since was dropped, and comes again by the next connection.
    pub overflowed: bool,
}

/// Deliveries that wait while nothing can be stored. A broker that sends more without an acknowledgement must keep
/// them itself; the connection stays, for decisions and words go on.
pub(super) const MAX_WAITING: usize = 256;
/// Their payloads, bytes.
const MAX_WAITING_BYTES: usize = 16 << 20;

impl Inlet {
    pub fn push_back(&mut self, came: Duration, delivery: Delivery) {
        // Not acknowledged, so not lost; and nothing after it may be acknowledged before it.
        self.overflowed |= self.waiting.len() >= MAX_WAITING || self.bytes >= MAX_WAITING_BYTES;
        if self.overflowed {
            return;
        }
        self.bytes += delivery.payload.len();
        self.waiting.push_back((came, delivery));
    }

    pub fn push_front(&mut self, came: Duration, delivery: Delivery) {
        self.bytes += delivery.payload.len();
        self.waiting.push_front((came, delivery));
    }

    pub fn pop_front(&mut self) -> Option<(Duration, Delivery)> {
        let (came, delivery) = self.waiting.pop_front()?;
        self.bytes -= delivery.payload.len();
        Some((came, delivery))
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
        (self.bytes, self.overflowed) = (0, false);
    }
}
