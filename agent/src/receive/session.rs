//! Between the receiver and a broker session of its own.

use super::{Act, Event, Ticket};
use crate::broker::{self, Command, Delivery, Publication};
use coilsight_models::message::Topics;

/// What a session that listens to offers and pieces says, if it concerns the receiver.
pub fn heard(event: broker::Event, topics: &Topics) -> Option<Event> {
    match event {
        broker::Event::Up { generation, .. } => Some(Event::Up { generation }),
        broker::Event::Down { .. } => Some(Event::Down),
        broker::Event::Delivered(Delivery { generation, packet, topic, payload, .. }) => {
            let way = topics.model_way(&topic)?;
            Some(Event::Delivered { ticket: Ticket { generation, packet }, way, payload })
        }
        broker::Event::Subscribed { .. } | broker::Event::Confirmed { .. } | broker::Event::Echo { .. } => {
            None
        }
    }
}

/// What the session is told; nothing for a file that is complete.
pub fn command(act: Act, topics: &Topics) -> Option<Command> {
    match act {
        Act::Acknowledge(Ticket { generation, packet }) => Some(Command::Acknowledge { generation, packet }),
        Act::Publish { generation, way, payload } => {
            // Nobody waits for these to be confirmed: what gets lost is said again.
            let publication = Publication { token: 0, topic: topics.model(way), payload, retain: false };
            Some(Command::Publish { generation, publication })
        }
        Act::Complete { .. } => None,
    }
}
