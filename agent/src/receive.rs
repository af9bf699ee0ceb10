//! Brings a file that the trainer offers together on this disk, piece by piece, and knows nothing of trust.
//!
//! [`Receiver::step`] is all of it: events and time in, acts out, over a disk; no socket and no clock. The line
//! pulls: it asks for at most eight pieces beyond what it has stored, so whoever sends more or faster
//! sends it in vain. A piece is acknowledged once it is durable, known, or dropped for good; what was dropped is
//! asked for again. The file's front (signatures and manifest) goes to the [`Desk`] as soon as it is there, and the
//! whole once its SHA-256 is the one that was offered.
//!
//! | in `incoming/` | holds |
//! |---|---|
//! | `SHA256.part` | the file as far as it has come |
//! | `SHA256.offer` | the offer, and for how long it has been on its way |

mod pace;
mod session;
mod store;
mod talk;
mod told;
mod transfer;
mod window;

#[cfg(test)]
mod tests;

pub use session::{command, heard};
pub use talk::{Act, Desk, Event, Limits, Ticket, Time};
pub use told::Told;

use crate::archive::Disk;
use coilsight_models::bundle::Sha256;
use coilsight_models::message::model::{Answer, Offer, Piece, Stage, VERSION, Want, Way, payload};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use transfer::{Checked, Taken, Transfer};

/// After the disk has refused something, the next try.
const STALL: Duration = Duration::from_mins(1);

/// Receives one file at a time.
#[derive(Debug)]
pub struct Receiver {
    store: Store,
    limits: Limits,
    transfer: Option<Transfer>,
    up: Option<u64>,
    /// The running transfer's state is to be told at the end of the step.
    tell: bool,
    set_aside: u64,
}

impl Receiver {
    /// Opens `incoming/` on `disk` and goes on from what is durable there.
    pub fn open(disk: Arc<dyn Disk>, limits: Limits, now: Duration) -> io::Result<Self> {
        let (store, kept) = Store::open(disk)?;
        let transfer = kept.map(|kept| Transfer::resume(kept, now)).transpose()?;
        if let Some(transfer) = &transfer {
            let (have, pieces) = (transfer.have(), transfer.offer.pieces());
            tracing::info!(offer = %transfer.offer.offer, have, pieces, "a bundle was on its way, and is asked for further");
        }
        Ok(Self { store, limits, transfer, up: None, tell: false, set_aside: 0 })
    }

    /// Takes what happened, lets time pass, and says what is to be done.
    pub fn step(
        &mut self,
        events: impl IntoIterator<Item = Event>,
        time: Time,
        desk: &mut dyn Desk,
    ) -> Vec<Act> {
        let (mut taken, mut acts) = (Vec::new(), Vec::new());
        if let Some(transfer) = &mut self.transfer {
            transfer.wake(time.line);
        }
        for event in events {
            match event {
                Event::Up { generation } => {
                    self.up = Some(generation);
                    taken.clear();
                    if let Some(transfer) = &mut self.transfer {
                        transfer.pace.ask_at_once();
                    }
                }
                Event::Down => {
                    self.up = None;
                    taken.clear();
                }
                Event::Delivered { ticket, way, payload } => {
                    if self.up != Some(ticket.generation) {
                        continue;
                    }
                    taken.push(ticket);
                    match way {
                        Way::Offer => self.offered(&payload, time, desk, &mut acts),
                        Way::Piece => self.piece(&payload, time),
                        Way::Want | Way::Answer | Way::State => {}
                    }
                }
            }
        }
        self.store_pieces(time, desk, &mut acts);
        self.check_whole(time, desk, &mut acts);
        self.watch(time, desk, &mut acts);
        self.ask(time, &mut acts);
        let acknowledged = taken.into_iter().filter(|ticket| ticket.packet != 0).map(Act::Acknowledge);
        acknowledged.chain(acts).collect()
    }

    /// Whether there is something to do at once.
    pub fn has_work(&self) -> bool {
        self.transfer.as_ref().is_some_and(Transfer::has_work)
    }

    /// The file on its way: its offer and how many of its pieces are stored.
    pub fn on_its_way(&self) -> Option<(&Offer, u32)> {
        self.transfer.as_ref().map(|transfer| (&transfer.offer, transfer.have()))
    }

    /// Messages that could not be read, or fit nowhere, since the start.
    pub fn set_aside(&self) -> u64 {
        self.set_aside
    }

    /// Says what became of a complete file.
    pub fn tell(&self, offer: &Offer, told: &Told, time: Time) -> Option<Act> {
        self.answer(offer.offer, [offer.pieces(); 2], told, time)
    }

    fn offered(&mut self, payload: &[u8], time: Time, desk: &mut dyn Desk, acts: &mut Vec<Act>) {
        let offer = match Offer::parse(payload) {
            Ok(offer) => offer,
            Err(fault) => {
                self.set_aside += 1;
                tracing::debug!("an offer of a bundle is set aside: {}", crate::say::chain(&fault));
                if let Some(named) = Offer::named(payload) {
                    let told =
                        Told::refused(crate::say::chain(&fault), "update the older of trainer and agent");
                    acts.extend(self.answer(named, [0, 0], &told, time));
                }
                return;
            }
        };
        if let Some(transfer) = &mut self.transfer {
            let same = |a: &Offer| (a.offer, a.bytes, a.piece_bytes);
            if same(&transfer.offer) == same(&offer) {
                transfer.pace.ask_at_once();
                self.tell = true;
                return;
            }
            if transfer.is_complete() || !transfer.gives_way(time.line, self.limits.gives_way) {
                let told = Told::busy(&transfer.offer, transfer.have());
                acts.extend(self.answer(offer.offer, [0, offer.pieces()], &told, time));
                return;
            }
        }
        if let Some(told) = desk.known(&offer) {
            acts.extend(self.answer(offer.offer, [offer.pieces(); 2], &told, time));
            return;
        }
        if offer.bytes > self.limits.max_bytes {
            let told = Told::too_large(offer.bytes, self.limits.max_bytes);
            desk.refused(&offer, &told);
            acts.extend(self.answer(offer.offer, [0, offer.pieces()], &told, time));
            return;
        }
        if self.transfer.as_ref().is_some_and(|transfer| transfer.offer.offer != offer.offer) {
            self.end(&Told::gave_way(), time, acts);
        }
        self.begin(offer, time, acts);
    }

    fn begin(&mut self, offer: Offer, time: Time, acts: &mut Vec<Act>) {
        self.transfer = None;
        match self.store.begin(&offer) {
            Ok(part) => {
                tracing::info!(offer = %offer.offer, bytes = offer.bytes, name = %offer.name, release = offer.release, "a bundle is offered, and asked for");
                self.transfer = Some(Transfer::new(offer, part, time.line));
                self.tell = true;
            }
            Err(error) => {
                self.store.clear();
                let told = Told::disk(&error);
                acts.extend(self.answer(offer.offer, [0, offer.pieces()], &told, time));
            }
        }
    }

    fn piece(&mut self, payload: &[u8], time: Time) {
        let piece = match Piece::parse(payload) {
            Ok(piece) => piece,
            Err(fault) => {
                self.set_aside += 1;
                tracing::debug!("a piece of a bundle is set aside: {}", crate::say::chain(&fault));
                return;
            }
        };
        let Some(transfer) = self.transfer.as_mut().filter(|transfer| transfer.offer.offer == piece.offer)
        else {
            return;
        };
        match transfer.take(&piece, time.line) {
            Ok(Taken::Stored | Taken::Known) => {}
            // Whoever sent it, it need not be whoever offered the file: that one goes on.
            Ok(Taken::Misfit) => {
                self.set_aside += 1;
                tracing::debug!(
                    index = piece.index,
                    "a piece that fits nowhere into its bundle is set aside"
                );
            }
            Err(error) => self.stall(&error, time),
        }
    }

    /// Makes the step's pieces durable, and shows the front to the desk before anything more is asked for.
    fn store_pieces(&mut self, time: Time, desk: &mut dyn Desk, acts: &mut Vec<Act>) {
        let Some(transfer) = &mut self.transfer else { return };
        if let Err(error) = transfer.make_durable() {
            self.stall(&error, time);
            return;
        }
        self.look_at_front(time, desk, acts);
    }

    /// Whether the transfer goes on.
    fn look_at_front(&mut self, time: Time, desk: &mut dyn Desk, acts: &mut Vec<Act>) -> bool {
        let Some(transfer) = &mut self.transfer else { return false };
        let looked = match transfer.front() {
            Ok(None) => return true,
            Ok(Some(Ok(front))) => desk.front(&transfer.offer, &front),
            Ok(Some(Err(refused))) => Err(Told::of(&refused)),
            Err(error) => {
                self.stall(&error, time);
                return false;
            }
        };
        match looked {
            Ok(()) => {
                transfer.front_seen = true;
                true
            }
            Err(told) => {
                self.end(&told, time, acts);
                false
            }
        }
    }

    /// Holds some more of a file that is all there against its SHA-256.
    fn check_whole(&mut self, time: Time, desk: &mut dyn Desk, acts: &mut Vec<Act>) {
        let Some(transfer) = self.transfer.as_mut().filter(|transfer| transfer.has_work()) else { return };
        match transfer.check_some() {
            Ok(Checked::NotYet) => {}
            Ok(Checked::Differs) => self.fail(&Told::partial(), time, desk, acts),
            Ok(Checked::Fits) => {
                if !self.look_at_front(time, desk, acts) {
                    return;
                }
                let Some(transfer) = &mut self.transfer else { return };
                transfer.complete();
                let offer = transfer.offer.clone();
                tracing::info!(offer = %offer.offer, bytes = offer.bytes, "a bundle has come, and is what was offered");
                self.tell = true;
                acts.push(Act::Complete { path: store::part(&offer.offer), offer });
            }
            Err(error) => self.stall(&error, time),
        }
    }

    /// Forgets a complete file that was taken away, drops what comes too slowly, and remembers for how long it has been
    /// on its way.
    fn watch(&mut self, time: Time, desk: &mut dyn Desk, acts: &mut Vec<Act>) {
        let Some(transfer) = &mut self.transfer else { return };
        if transfer.is_complete() {
            if self.store.is_taken(&transfer.offer.offer) {
                self.transfer = None;
                self.store.clear();
            }
            return;
        }
        let age = transfer.age(time.line);
        if age > self.limits.longest {
            self.fail(&Told::too_long(self.limits.longest), time, desk, acts);
        } else if transfer.pace.is_too_slow(time.line, self.limits.floor_bytes) {
            self.fail(&Told::too_slow(self.limits.floor_bytes), time, desk, acts);
        } else if transfer.lacks_front(time.line, self.limits.front_within) {
            self.fail(&Told::no_front(self.limits.front_within), time, desk, acts);
        } else if transfer.age_is_to_be_noted(age) {
            // If it cannot be, the limit comes later.
            if let Err(error) = self.store.note(&transfer.offer, age) {
                tracing::debug!("the age of a transfer is not noted: {error}");
            }
        }
    }

    fn ask(&mut self, time: Time, acts: &mut Vec<Act>) {
        let Some(transfer) = &mut self.transfer else { return };
        let Some(generation) = self.up else { return };
        let want = transfer.want(time.line);
        let (offer, have) = (transfer.offer.clone(), transfer.have());
        if std::mem::take(&mut self.tell) {
            let told = match transfer.stalled() {
                _ if transfer.is_complete() => Told::received(),
                Some(stalled) => stalled.clone(),
                None => Told::receiving(),
            };
            acts.extend(self.answer(offer.offer, [have, offer.pieces()], &told, time));
        }
        if let Some((from, count)) = want {
            let want = Want { version: VERSION, offer: offer.offer, from, count };
            acts.push(Act::Publish { generation, way: Way::Want, payload: payload(&want) });
        }
    }

    /// The disk refuses: nothing is asked for until it is tried again.
    fn stall(&mut self, error: &io::Error, time: Time) {
        let Some(transfer) = &mut self.transfer else { return };
        if transfer.stalled().is_some() {
            return;
        }
        let told = Told::disk(error);
        tracing::warn!("a bundle does not come further: {}", told.text);
        transfer.stall(time.line + STALL, told);
        self.tell = true;
    }

    /// The transfer is over for what it was or did; whoever uses the files hears of it.
    fn fail(&mut self, told: &Told, time: Time, desk: &mut dyn Desk, acts: &mut Vec<Act>) {
        if let Some(transfer) = &self.transfer {
            desk.refused(&transfer.offer, told);
        }
        self.end(told, time, acts);
    }

    /// The transfer is over.
    fn end(&mut self, told: &Told, time: Time, acts: &mut Vec<Act>) {
        let Some(transfer) = self.transfer.take() else { return };
        if told.stage == Stage::Refused {
            tracing::warn!(offer = %transfer.offer.offer, "a bundle is refused: {}; {}", told.text, told.to_do);
        }
        let pieces = transfer.offer.pieces();
        acts.extend(self.answer(transfer.offer.offer, [transfer.have(), pieces], told, time));
        self.tell = false;
        self.store.clear();
    }

    fn answer(&self, offer: Sha256, [have, pieces]: [u32; 2], told: &Told, time: Time) -> Option<Act> {
        let generation = self.up?;
        let answer = Answer {
            version: VERSION,
            offer,
            state: told.stage,
            have,
            pieces,
            fingerprint: told.fingerprint,
            release: told.release,
            text: told.text.clone(),
            to_do: told.to_do.clone(),
            at: time.wall,
        };
        Some(Act::Publish { generation, way: Way::Answer, payload: answer.payload() })
    }
}
