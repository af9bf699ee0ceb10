//! First call: a message finds its pass, or its reason to be set aside.
//!
//! Whatever changes a pass is journaled before it is applied, so that a refused write leaves no trace.

use super::journal::Entry;
use super::pass::{OpenPass, PassKey};
use super::{Line, Result};
use coilsight_models::chunk::{MAX_ROWS, Row};
use coilsight_models::coil::CoilId;
use coilsight_models::message::assessment::Assessment;
use coilsight_models::message::inbound::{End, Inbound, Rows, Start, WholeCoil};
use coilsight_models::tally::{Fate, Reason};
use coilsight_models::verdict::Cause;
use jiff::Timestamp;

/// Coils whose repetition is kept in mind.
const MAX_REPEATING: usize = 1024;

impl Line {
    pub(super) fn ingest(&mut self, message: Inbound) -> Result<Fate> {
        match message {
            Inbound::Start(start) => self.start(start),
            Inbound::Rows(rows) => self.rows(rows),
            Inbound::End(end) => self.end(&end),
            Inbound::WholeCoil(coil) => self.whole_coil(coil),
            Inbound::Feedback(feedback) => self.feedback(&feedback),
        }
    }

    fn start(&mut self, start: Start) -> Result<Fate> {
        let id = start.coil_id.clone();
        let open = self.open.get(&id).map(|pass| pass.start.clone());
        if let Some(Some(first)) = &open
            && first.at == start.at
        {
            // Word for word the same, or the same pass with other order data: the first stands.
            self.repeating.remove(&id);
            return Ok(if *first == start { Fate::Duplicate } else { Fate::SetAside(Reason::Contradicting) });
        }
        if self.is_decided(&id, start.at)? {
            // What follows repeats that pass, even if a later one of this coil is open: that one waits.
            self.repeats(id);
            return Ok(Fate::Duplicate);
        }
        match open {
            // The same coil begins again: what was heard before is over, and its end was not heard.
            Some(Some(_)) => self.close(&id)?,
            None if self.was_decided_without(&start)? => return Ok(Fate::SetAside(Reason::AfterDecision)),
            Some(None) | None => {}
        }
        self.repeating.remove(&id);
        self.make_room_for(&id)?;
        self.heard(&id)?;
        self.journal(&id, &Entry::Start(start.clone()))?;
        if let Some(pass) = self.open.get_mut(&id) {
            pass.start = Some(start);
        }
        Ok(Fate::Used)
    }

    fn rows(&mut self, batch: Rows) -> Result<Fate> {
        let id = batch.coil_id;
        if let Some(fate) = self.belongs_to_the_past(&id)? {
            for row in &batch.rows {
                self.tally.rows.add(row.as_ref().map_or_else(|reason| Fate::SetAside(*reason), |_| fate));
            }
            return Ok(fate);
        }
        if self.turned_away(&id)? {
            for row in &batch.rows {
                self.tally
                    .rows
                    .add(Fate::SetAside(row.as_ref().err().copied().unwrap_or(Reason::TooMuchOpen)));
            }
            return Ok(Fate::SetAside(Reason::TooMuchOpen));
        }
        self.heard(&id)?;
        let Some(pass) = self.open.get(&id) else { return Ok(Fate::SetAside(Reason::MissingField)) };
        // What the strip has no room for is not journaled either.
        let mut room = MAX_ROWS.saturating_sub(pass.strip.len());
        let is_news = |row: &&Row| {
            let more = usize::from(!pass.gives_way(row));
            let news = pass.is_news(row) && room >= more;
            room -= if news { more } else { 0 };
            news
        };
        let new: Vec<Row> = batch.rows.iter().flatten().filter(is_news).copied().collect();
        if !new.is_empty() {
            self.journal(&id, &Entry::Rows(new))?;
        }
        let unreadable = batch.rows.iter().filter(|row| row.is_err()).count() as u64;
        if unreadable > 0 {
            self.unreadable(Some(&id), unreadable)?;
        }
        let Some(pass) = self.open.get_mut(&id) else { return Ok(Fate::SetAside(Reason::MissingField)) };
        pass.readings.add_many(Fate::SetAside(Reason::AbsurdValue), batch.absurd_readings);
        let mut best = Fate::SetAside(Reason::MissingField);
        for row in &batch.rows {
            let fate = row.as_ref().map_or_else(|reason| Fate::SetAside(*reason), |row| pass.lay(row));
            // What counts is told when the pass is closed: until then its row is open.
            if fate != Fate::Used {
                pass.rows.add(fate);
            }
            best = better(best, fate);
        }
        self.close_if_complete(&id)?;
        Ok(best)
    }

    fn end(&mut self, end: &End) -> Result<Fate> {
        let id = &end.coil_id;
        let past = match self.belongs_to_the_past(id)? {
            None if self.is_of_an_earlier_pass(end)? => Some(Fate::SetAside(Reason::AfterDecision)),
            past => past,
        };
        if let Some(fate) = past {
            if self.open.contains_key(id) {
                // The repeated pass is over; what comes now is the open one's again.
                self.repeating.remove(id);
            }
            let told = self.last_decision(id)?.and_then(|decision| decision.length_m);
            let same = told == Some(end.length_m);
            return Ok(if same { Fate::Duplicate } else { fate });
        }
        if let Some(first) = self.open.get(id).and_then(|pass| pass.end) {
            let same = first == end.length_m;
            return Ok(if same { Fate::Duplicate } else { Fate::SetAside(Reason::Contradicting) });
        }
        if self.turned_away(id)? {
            return Ok(Fate::SetAside(Reason::TooMuchOpen));
        }
        self.heard(id)?;
        self.journal(id, &Entry::End { length_m: end.length_m, at: end.at })?;
        if let Some(pass) = self.open.get_mut(id) {
            (pass.end, pass.ended_at) = (Some(end.length_m), end.at);
        }
        self.close_if_complete(id)?;
        Ok(Fate::Used)
    }

    fn whole_coil(&mut self, coil: WholeCoil) -> Result<Fate> {
        let id = coil.start.coil_id.clone();
        if self.is_decided(&id, coil.start.at)? {
            return Ok(Fate::Duplicate);
        }
        match self.open.get(&id) {
            // Its rows came before: they stand.
            Some(pass)
                if pass.start.as_ref().is_none_or(|s| s.at == coil.start.at) && !pass.strip.is_empty() =>
            {
                return Ok(Fate::SetAside(Reason::Contradicting));
            }
            Some(pass) if pass.start.as_ref().is_some_and(|s| s.at != coil.start.at) => self.close(&id)?,
            Some(_) | None => {}
        }
        self.repeating.remove(&id);
        self.make_room_for(&id)?;
        self.heard(&id)?;
        self.journal(&id, &Entry::Whole(coil.clone()))?;
        let fate = coil.matrix.as_ref().map_or_else(|reason| Fate::SetAside(*reason), |_| Fate::Used);
        if let Some(pass) = self.open.get_mut(&id) {
            pass.take_whole(coil);
        }
        self.close_if_complete(&id)?;
        Ok(fate)
    }

    /// What becomes of rows and ends of a coil that repeats a decided pass, or is known and not open:
    /// `None` if they are news.
    fn belongs_to_the_past(&self, id: &CoilId) -> Result<Option<Fate>> {
        if self.repeating.contains_key(id) {
            return Ok(Some(Fate::Duplicate));
        }
        if self.open.contains_key(id) {
            return Ok(None);
        }
        let known = !self.archive.passes_of(id.as_str())?.is_empty();
        Ok(known.then_some(Fate::SetAside(Reason::AfterDecision)))
    }

    fn is_decided(&self, id: &CoilId, at: Timestamp) -> Result<bool> {
        Ok(self.archive.pass(&PassKey::Started(id.clone(), at).to_string())?.is_some())
    }

    /// Whether the coil ended so before its open pass began, and had an earlier one: that end, redelivered,
    /// must not end this pass.
    fn is_of_an_earlier_pass(&self, end: &End) -> Result<bool> {
        let began = self.open.get(&end.coil_id).and_then(|pass| pass.start.as_ref()).map(|start| start.at);
        let earlier = matches!((began, end.at), (Some(began), Some(ended)) if ended <= began);
        Ok(earlier && !self.archive.passes_of(end.coil_id.as_str())?.is_empty())
    }

    /// Whether a start belongs to a pass that was decided without it: the coil's last pass had no start, and
    /// ended after this one's time. Both times are the plant's own: this machine's clock decides nothing.
    fn was_decided_without(&self, start: &Start) -> Result<bool> {
        let last = self.last_assessment(&start.coil_id)?;
        Ok(last.is_some_and(|a| a.pass.is_none() && a.timing.ended_at.is_some_and(|at| start.at <= at)))
    }

    /// The decision on the coil's last pass, unless its end was not heard.
    fn last_decision(&self, id: &CoilId) -> Result<Option<Assessment>> {
        let ended = |a: &Assessment| !a.reasons.iter().any(|reason| reason.cause == Cause::NoEnd);
        Ok(self.last_assessment(id)?.filter(ended))
    }

    fn last_assessment(&self, id: &CoilId) -> Result<Option<Assessment>> {
        let Some(key) = self.archive.passes_of(id.as_str())?.pop() else { return Ok(None) };
        let Some(decision) = self.archive.pass(&key)? else { return Ok(None) };
        serde_json::from_slice(&decision.json)
            .map(Some)
            .map_err(|source| super::Error::Assessment { decision_id: decision.decision_id, source })
    }

    /// Notes that a coil was heard of; opens its pass if it has none.
    fn heard(&mut self, id: &CoilId) -> Result<()> {
        self.step += 1;
        if !self.open.contains_key(id) {
            let segment = self.archive.begin()?;
            let bound = self.judges.active().binding();
            let mut opened = vec![Entry::Opened(id.clone()), Entry::Bound(bound.clone())];
            let before = self.left.iter().find(|(of, _)| of == id).map(|(_, rows)| rows.clone());
            opened.extend(before.clone().map(Entry::Before));
            if let Err(error) =
                opened.iter().try_for_each(|entry| self.archive.append(segment, &entry.encode()))
            {
                // On a full disk this is tried again and again: each try would leave a segment.
                let _ = self.archive.discard(segment);
                return Err(error.into());
            }
            let mut pass = OpenPass::new(id.clone(), Some(segment), bound, self.now.elapsed, self.step);
            pass.before = before.unwrap_or_default();
            self.open.insert(id.clone(), pass);
        }
        if let Some(pass) = self.open.get_mut(id) {
            (pass.heard, pass.step) = (self.now.elapsed, self.step);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.open.len() >= self.config.max_open.max(1) || self.open_rows() >= self.config.max_open_rows
    }

    /// A coil that begins when too much is open closes another early: first those of which next to nothing is known,
    /// and among them the most silent, so that no flood of ids closes a coil that is being coated.
    fn make_room_for(&mut self, id: &CoilId) -> Result<()> {
        while !self.open.contains_key(id) && self.is_full() {
            let worth = |pass: &OpenPass| (pass.start.is_some(), !pass.is_hardly_begun(), pass.step);
            let Some(least) = self.open.iter().min_by_key(|(_, pass)| worth(pass)).map(|(id, _)| id.clone())
            else {
                return Ok(());
            };
            tracing::debug!(coil_id = %least, open = self.open.len(), "too much is open: closed early");
            self.close_early(&least)?;
        }
        Ok(())
    }

    /// Whether a coil that never began is turned away because too much is open: it gets its decision at once.
    fn turned_away(&mut self, id: &CoilId) -> Result<bool> {
        if self.open.contains_key(id) || !self.is_full() {
            return Ok(false);
        }
        self.step += 1;
        let bound = self.judges.active().binding();
        self.open.insert(id.clone(), OpenPass::new(id.clone(), None, bound, self.now.elapsed, self.step));
        let closed = self.close_early(id);
        // Not stored, not taken: the message comes again.
        closed.inspect_err(|_| drop(self.open.remove(id))).map(|()| true)
    }

    fn close_early(&mut self, id: &CoilId) -> Result<()> {
        if let Some(pass) = self.open.get_mut(id) {
            pass.early = true;
        }
        self.close(id)?;
        self.closed_early += 1;
        Ok(())
    }

    /// Notes that a coil's gateway repeats a pass that has its decision.
    fn repeats(&mut self, id: CoilId) {
        self.step += 1;
        if self.repeating.len() >= MAX_REPEATING
            && let Some(oldest) =
                self.repeating.iter().min_by_key(|(_, step)| **step).map(|(id, _)| id.clone())
        {
            self.repeating.remove(&oldest);
        }
        self.repeating.insert(id, self.step);
    }

    /// Notes that a payload of so many rows could not be read, unless it has just come before: it has only
    /// once that is stored.
    pub(super) fn garbage(&mut self, payload: &[u8], rows: u64) -> Result<()> {
        let sum = crc32fast::hash(payload);
        if !self.garbage.contains(&sum) {
            self.unreadable(None, rows)?;
            self.garbage.truncate(63);
            self.garbage.push_front(sum);
        }
        Ok(())
    }

    /// Notes that rows came that could not be read: of a coil, or, where nobody can tell, of any that is open.
    pub(super) fn unreadable(&mut self, of: Option<&CoilId>, rows: u64) -> Result<()> {
        let more = |pass: &OpenPass| (pass.unreadable + rows).min(MAX_ROWS as u64);
        let meant = |id: &CoilId| of.is_none_or(|of| of == id);
        // All of it or nothing: a message that is refused for want of room comes again. Entries are sums, so
        // that those of the first try say the same as those of the next.
        for pass in self.open.iter().filter(|(id, _)| meant(id)).map(|(_, pass)| pass) {
            let sum = more(pass);
            if let Some(segment) = pass.segment.filter(|_| sum > pass.unreadable) {
                self.archive.append(segment, &Entry::Unreadable(sum).encode())?;
            }
        }
        for (_, pass) in self.open.iter_mut().filter(|(id, _)| meant(id)) {
            pass.unreadable = more(pass);
        }
        Ok(())
    }

    fn journal(&self, id: &CoilId, entry: &Entry) -> Result<()> {
        match self.open.get(id) {
            Some(OpenPass { segment: Some(segment), .. }) => {
                Ok(self.archive.append(*segment, &entry.encode())?)
            }
            _ => Ok(()),
        }
    }

    /// Closes a pass that lacks nothing. Where its decision finds no room it is closed later, as one is that waits
    /// for rows: what was heard of it is stored, and must not be heard again for that.
    pub(super) fn close_if_complete(&mut self, id: &CoilId) -> Result<()> {
        if !self.open.get(id).is_some_and(OpenPass::is_complete) {
            return Ok(());
        }
        match self.close(id) {
            Err(error) if error.is_full() => Ok(()),
            done => done,
        }
    }
}

/// A message ends as the best of its rows did: used before duplicate before set aside.
fn better(a: Fate, b: Fate) -> Fate {
    match (a, b) {
        (Fate::Used, _) | (_, Fate::Used) => Fate::Used,
        (Fate::Duplicate, _) | (_, Fate::Duplicate) => Fate::Duplicate,
        (Fate::SetAside(Reason::MissingField), b) => b,
        (a, _) => a,
    }
}
