//! One file on its way.

use super::pace::Pace;
use super::store::Kept;
use super::told::Told;
use super::window::Window;
use crate::archive::DiskFile;
use coilsight_models::bundle::{Front, RefusedBundle, Sha256};
use coilsight_models::message::model::{MAX_WINDOW, Offer, Piece};
use sha2::{Digest, Sha256 as Hasher};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// No front is longer, bytes: header, 64 KiB of signatures, 1 MiB of manifest.
const MAX_FRONT: u64 = (1 << 20) + (64 << 10) + 64;
/// So much is held against the SHA-256 in one step, bytes: a few milliseconds.
const CHECK: usize = 1 << 20;
/// Its age is noted so often.
const NOTE_EVERY: Duration = Duration::from_mins(10);

/// A file of which nothing came at all gives way after this.
const GIVES_WAY_EMPTY: Duration = Duration::from_secs(15);

/// What became of a piece.
pub(super) enum Taken {
    /// Written, and durable with the next sync.
    Stored,
    /// Known, or not asked for.
    Known,
    /// It fits nowhere into the file.
    Misfit,
}

/// What the SHA-256 says so far.
pub(super) enum Checked {
    /// Not all is there, or not all was looked at.
    NotYet,
    /// It is what was offered.
    Fits,
    /// It is not.
    Differs,
}

enum Phase {
    /// Pieces are asked for.
    Asking,
    /// All are there; hashed up to a byte.
    Checking(Box<Hasher>, u64),
    /// It is what was offered.
    Complete,
}

/// A file on its way.
pub(super) struct Transfer {
    pub offer: Offer,
    pub pace: Pace,
    /// Whether the desk has seen the front.
    pub front_seen: bool,
    part: Arc<dyn DiskFile>,
    /// Pieces that are durable; those written but not synced as well.
    stored: Window,
    written: Window,
    phase: Phase,
    /// What was found at start may end in pieces that were never synced: if the whole does not fit, these are had again.
    found: bool,
    /// The first piece of the last want.
    asked: Option<u32>,
    /// Until when, and why.
    stalled: Option<(Duration, Told)>,
    began: Duration,
    /// Since when it could have brought its front.
    front_since: Duration,
    /// Its age when it began in this process, and when it was last noted.
    age_before: Duration,
    age_noted: Duration,
}

impl std::fmt::Debug for Transfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transfer")
            .field("offer", &self.offer)
            .field("stored", &self.stored)
            .finish_non_exhaustive()
    }
}

impl Transfer {
    /// Nothing of it is here.
    pub fn new(offer: Offer, part: Arc<dyn DiskFile>, now: Duration) -> Self {
        let window = Window::from(0);
        Self {
            offer,
            pace: Pace::new(now),
            front_seen: false,
            part,
            stored: window,
            written: window,
            phase: Phase::Asking,
            found: false,
            asked: None,
            stalled: None,
            began: now,
            front_since: now,
            age_before: Duration::ZERO,
            age_noted: Duration::ZERO,
        }
    }

    /// Goes on with what a start has found. No piece was ever written further than a window beyond those that were
    /// durable, so all that lies a window before the end of the file is.
    pub fn resume(kept: Kept, now: Duration) -> io::Result<Self> {
        let Kept { offer, age, part } = kept;
        let length = part.size()?;
        let begun = u32::try_from(length.div_ceil(offer.piece_bytes.into())).unwrap_or(u32::MAX);
        let window = Window::from(begun.min(offer.pieces()).saturating_sub(MAX_WINDOW));
        let whole = length == offer.bytes;
        let phase = if whole { Phase::Checking(Box::default(), 0) } else { Phase::Asking };
        let (age_before, age_noted) = (age, age);
        let new = Self::new(offer, part, now);
        Ok(Self { stored: window, written: window, phase, found: whole, age_before, age_noted, ..new })
    }

    /// Pieces that are stored.
    pub fn have(&self) -> u32 {
        match self.phase {
            Phase::Asking => self.stored.count(),
            Phase::Checking(..) | Phase::Complete => self.offer.pieces(),
        }
    }

    /// Writes a piece if it is one that is asked for.
    pub fn take(&mut self, piece: &Piece, now: Duration) -> io::Result<Taken> {
        if !matches!(self.phase, Phase::Asking) {
            return Ok(Taken::Known);
        }
        let place = self.offer.place(piece.index).filter(|(_, length)| piece.data.len() == *length);
        let Some((at, length)) = place else { return Ok(Taken::Misfit) };
        if !self.written.lacks(piece.index) || self.stalled.is_some() {
            return Ok(Taken::Known);
        }
        self.part.write_at(piece.data, at)?;
        self.written.put(piece.index);
        self.pace.came(now, length);
        Ok(Taken::Stored)
    }

    /// Syncs what was written. If that fails nothing of it counts: it may never reach the disk.
    pub fn make_durable(&mut self) -> io::Result<()> {
        if self.written == self.stored {
            return Ok(());
        }
        if let Err(error) = self.part.sync_data() {
            self.written = self.stored;
            return Err(error);
        }
        self.stored = self.written;
        if self.stored.first == self.offer.pieces() {
            self.phase = Phase::Checking(Box::default(), 0);
        }
        Ok(())
    }

    /// The front, once it is there and nobody has seen it; `None` until then.
    pub fn front(&self) -> io::Result<Option<Result<Front, RefusedBundle>>> {
        let stored = u64::from(self.stored.first) * u64::from(self.offer.piece_bytes);
        let have = match self.phase {
            Phase::Asking => stored.min(self.offer.bytes),
            // What a start has found may not be what was sent: first its SHA-256.
            Phase::Checking(..) if self.found => 0,
            Phase::Checking(..) | Phase::Complete => self.offer.bytes,
        };
        if self.front_seen || have == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; have.min(MAX_FRONT) as usize];
        let length = self.part.read_at(&mut bytes, 0)?;
        match Front::read(&mut &bytes[..length]) {
            Err(RefusedBundle::Cut { .. }) if have < self.offer.bytes.min(MAX_FRONT) => Ok(None),
            read => Ok(Some(read)),
        }
    }

    /// Hashes some more.
    pub fn check_some(&mut self) -> io::Result<Checked> {
        let Phase::Checking(hasher, at) = &mut self.phase else { return Ok(Checked::NotYet) };
        let mut bytes = vec![0; CHECK.min((self.offer.bytes - *at) as usize)];
        let length = self.part.read_at(&mut bytes, *at)?;
        hasher.update(&bytes[..length]);
        *at += length as u64;
        if length > 0 && *at < self.offer.bytes {
            return Ok(Checked::NotYet);
        }
        let hasher = std::mem::take(hasher);
        if Sha256::from_bytes(hasher.finalize().into()) == self.offer.offer {
            self.found = false;
            return Ok(Checked::Fits);
        }
        if std::mem::take(&mut self.found) {
            self.phase = Phase::Asking;
            return Ok(Checked::NotYet);
        }
        Ok(Checked::Differs)
    }

    /// It fits, and its front is no reason against it.
    pub fn complete(&mut self) {
        self.phase = Phase::Complete;
    }

    pub fn is_complete(&self) -> bool {
        matches!(self.phase, Phase::Complete)
    }

    pub fn has_work(&self) -> bool {
        matches!(self.phase, Phase::Checking(..)) && self.stalled.is_none()
    }

    /// Whether another file may take its place: nothing new has come for so long, or no front.
    pub fn gives_way(&self, now: Duration, long: Duration) -> bool {
        // Of an offer that was late on its way nothing may ever come: whoever made it has its answer.
        let idle = if self.have() == 0 { long.min(GIVES_WAY_EMPTY) } else { long };
        now >= self.pace.moved + idle || self.lacks_front(now, long)
    }

    /// Whether its front could have come for so long, and has not.
    pub fn lacks_front(&self, now: Duration, long: Duration) -> bool {
        let could = matches!(self.phase, Phase::Asking) && self.stalled.is_none();
        !self.front_seen && could && now >= self.front_since + long
    }

    /// The disk takes nothing until then, as was told.
    pub fn stall(&mut self, until: Duration, told: Told) {
        self.written = self.stored;
        self.stalled = Some((until, told));
        self.pace.rest();
        if let Phase::Checking(hasher, at) = &mut self.phase {
            (**hasher, *at) = (Hasher::new(), 0);
        }
    }

    /// What holds it up, if anything.
    pub fn stalled(&self) -> Option<&Told> {
        self.stalled.as_ref().map(|(_, told)| told)
    }

    /// What was held up for long enough goes on.
    pub fn wake(&mut self, now: Duration) {
        if self.stalled.take_if(|(until, _)| now >= *until).is_some() {
            self.pace.ask_at_once();
            self.front_since = now;
        }
    }

    pub fn age(&self, now: Duration) -> Duration {
        self.age_before + now.saturating_sub(self.began)
    }

    /// Whether the note says too little by now; if so it is taken for written.
    pub fn age_is_to_be_noted(&mut self, age: Duration) -> bool {
        let due = age >= self.age_noted + NOTE_EVERY;
        if due {
            self.age_noted = age;
        }
        due
    }

    /// Which pieces to ask for now, if any: the first and how many.
    pub fn want(&mut self, now: Duration) -> Option<(u32, u32)> {
        if self.stalled.is_some() || !matches!(self.phase, Phase::Asking) {
            return None;
        }
        let from = self.stored.first;
        let count = MAX_WINDOW.min(self.offer.pieces() - from);
        // Half a window before all that was asked for is here, so that the link never rests.
        let further = self
            .asked
            .is_some_and(|asked| from >= asked + MAX_WINDOW / 2 && asked + MAX_WINDOW < self.offer.pieces());
        if !further && !self.pace.is_due(now) {
            return None;
        }
        self.pace.asked(now, self.asked == Some(from));
        self.asked = Some(from);
        Some((from, count))
    }
}
