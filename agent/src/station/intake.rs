//! What was delivered goes through the line, becomes durable, and only then is acknowledged.

use super::{Act, Station};
use crate::broker::{Delivery, Role};
use crate::line;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::{Trouble, Why};
use std::time::Duration;

/// Deliveries taken before they are made durable together.
const BATCH: usize = 32;
/// Words wait for rows that came before them, but not longer than this.
const WORDS_WAIT: Duration = Duration::from_secs(30);
/// After a refusal for want of room, the next try.
const STALL: Duration = Duration::from_secs(1);

impl Station {
    /// Puts what was delivered through the line, makes it durable, and only then has it acknowledged.
    pub(super) fn take(&mut self, acts: &mut Vec<Act>) -> line::Result<()> {
        if self.stopping {
            return Ok(());
        }
        if self.stalled_until.is_some_and(|until| self.now >= until) {
            self.stalled_until = None;
        }
        let mut taken = Vec::new();
        while taken.len() < BATCH {
            let rows_wait = self.stalled_until.is_none() && !self.rows.waiting.is_empty();
            let old_word = self.words.waiting.front().is_some_and(|(at, _)| self.now >= *at + WORDS_WAIT);
            let role = if rows_wait && !old_word { Role::Line } else { Role::Words };
            let Some((came, delivery)) = self.inlet(role).pop_front() else { break };
            match self.line.take(&delivery.topic, &delivery.payload, self.line_now()) {
                Ok(_) => taken.push(delivery),
                Err(error) if error.is_full() => {
                    self.inlet(role).push_front(came, delivery);
                    self.no_room(&error);
                    if role == Role::Words {
                        break;
                    }
                    self.stalled_until = Some(self.now + STALL);
                }
                Err(error) => return Err(error),
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        self.line.commit()?;
        if self.stalled_until.is_none() {
            self.health.room_again();
        }
        let answered = taken.into_iter().filter(|delivery| delivery.packet != 0);
        acts.extend(answered.map(|Delivery { role, generation, packet, .. }| Act::Acknowledge {
            role,
            generation,
            packet,
        }));
        Ok(())
    }

    pub(super) fn no_room(&mut self, error: &line::Error) {
        self.health.set(Trouble {
            topic: Subject::Storage,
            text: format!("rows are refused: {}", crate::say::chain(error)),
            to_do: "make room on the disk, or raise archive.cap; decisions and feedback are still kept, and rows \
                    are taken again as soon as there is room"
                .into(),
            why: Some(Why::of("no_room").with("why", crate::say::chain(error))),
        });
    }
}
